//! Three auditors on three hosts that audit one server and compare their states.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::support::http::metrics_of;
use crate::support::loud::loud;
use crate::support::program::{Program, Running, member};
use crate::support::real::{Real, program};
use crate::support::temp_dir::TempDir;
use crate::support::zones::{self, SERVER, Zone};
use immuaudit::drill::{Embedded, Options, Split, fill};

const DB: &str = "defaultdb";
/// The user who is shown the second view.
const SECOND: &str = "second";
/// The time between the begins of two cycles.
const INTERVAL: Duration = Duration::from_millis(300);

/// An auditor on its own host.
struct Auditor {
    zone: Zone,
    program: Program,
    running: Option<Running>,
}

/// Three auditors that are peers of each other; the second one logs in as `second`.
struct Three {
    _folder: TempDir,
    auditors: Vec<Auditor>,
}

impl Three {
    fn new(folder: TempDir, port: u16, second: &str, more: &[&str]) -> Three {
        let names = ["zone-a", "zone-b", "zone-c"];
        let zones: Vec<Zone> = (11..)
            .zip(names)
            .map(|(number, name)| Zone::new(name, number))
            .collect();
        let key = |name: &str| folder.join(&format!("{name}.key"));
        let verifier = |name: &str| {
            let file = key(name);
            let made = Command::new(env!("CARGO_BIN_EXE_immuaudit"))
                .args(["key", "new", "--name", name])
                .arg(&file)
                .output();
            let made = made.expect("the program runs");
            assert!(made.status.success(), "{made:?}");
            String::from_utf8(made.stdout)
                .expect("text")
                .trim()
                .to_owned()
        };
        let peers: Vec<String> = zones
            .iter()
            .zip(names)
            .map(|(zone, name)| {
                format!(
                    "--audit-peer=http://{}:9477={}",
                    zone.address,
                    verifier(name)
                )
            })
            .collect();
        let auditors = zones.into_iter().enumerate().map(|(index, zone)| {
            let user = if index == 1 { second } else { "immudb" };
            let mut args = vec![
                format!("--immudb-address={SERVER}"),
                format!("--audit-username={user}"),
                "--audit-password=immudb".to_owned(),
                format!("--audit-interval={}ms", INTERVAL.as_millis()),
                "--audit-monitoring-port=9477".to_owned(),
                format!("--audit-signing-key={}", key(names[index]).display()),
            ];
            args.extend(more.iter().map(|arg| (*arg).to_owned()));
            let others = peers
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index);
            args.extend(others.map(|(_, peer)| peer.clone()));
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let program = Program::new(port, &folder.join(names[index]));
            Auditor {
                program: program.with(&args).run_by(zone.prefix()),
                zone,
                running: None,
            }
        });
        let auditors = auditors.collect();
        Three {
            _folder: folder,
            auditors,
        }
    }

    fn start(&mut self) {
        for auditor in &mut self.auditors {
            auditor.running = Some(auditor.program.start(&[]));
        }
    }

    fn wait_for_cycles(&mut self, count: usize) {
        for auditor in &mut self.auditors {
            auditor.running().wait_for_cycles(count);
        }
    }

    fn cut(&self, cut: bool) {
        for auditor in &self.auditors {
            auditor.zone.cut(cut);
        }
    }
}

impl Auditor {
    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("it runs")
    }

    /// Returns the evidence files of the alarms about a split view.
    fn splits(&self) -> Vec<PathBuf> {
        let listed = self.program.run(&["alarm", "list", "--json"]);
        let lines = listed
            .stdout
            .lines()
            .filter(|line| member(line, "kind") == "split-view");
        lines.map(|line| member(line, "evidence").into()).collect()
    }

    /// Waits until this auditor has an alarm about the split view.
    #[track_caller]
    fn finds_the_split(&mut self) {
        let end = Instant::now() + Duration::from_secs(30);
        while self.splits().is_empty() {
            assert!(Instant::now() < end, "{}", self.running().log());
            thread::sleep(Duration::from_millis(50));
        }
        self.running().wait_for("tampered=1");
    }

    /// Returns the number of the first cycle with the alarm, counted after cycle `since`.
    fn found_in_cycle(&mut self, since: usize) -> usize {
        let log = self.running().log();
        let mut cycles = log.lines().filter(|line| line.contains("INFO  cycle "));
        let first = cycles.position(|line| line.contains("tampered=1"));
        (first.expect("a cycle that found it") + 1).saturating_sub(since)
    }

    fn cycles(&mut self) -> usize {
        self.running().log().matches("INFO  cycle ").count()
    }

    /// Returns how many peers trust the same state, by the metrics that another host reads.
    fn agreeing(&self) -> usize {
        let answer = metrics_of(&self.zone.address, 9477);
        let agrees = |line: &&str| {
            line.starts_with("immuaudit_peer_state{")
                && line.contains("state=\"agrees\"")
                && line.ends_with(" 1")
        };
        answer.body.lines().filter(agrees).count()
    }
}

/// Returns a server that signs and has a second user, three running auditors of it, and the setting
/// with the server's key.
fn before_two_views() -> (Embedded, Three, String) {
    let options = Options {
        second_user: Some(SECOND.into()),
        ..Options::default()
    };
    let server = Embedded::start(options.signed()).expect("a ledger");
    fill(&server, DB);
    let folder = TempDir::new();
    let pem = folder.join("server.pem");
    fs::write(&pem, server.public_pem().expect("a key")).expect("a file");
    let key = format!("--server-signing-pub-key={}", pem.display());
    let mut three = Three::new(folder, zones::expose(server.port()), SECOND, &[&key]);
    three.start();
    (server, three, key)
}

/// Verifies evidence without any network: with the server's public key it is proof against the
/// server, without the key it is a statement of two auditors.
#[track_caller]
fn verifies_offline(evidence: &Path, key: &str) {
    for (more, code, proof) in [
        (Some(key), 2, "split-view, checked again"),
        (
            None,
            1,
            "no known key of the server signed the other auditor's state",
        ),
    ] {
        let verified = Command::new("unshare")
            .args([
                "--net",
                env!("CARGO_BIN_EXE_immuaudit"),
                "evidence",
                "verify",
            ])
            .arg(evidence)
            .args(more)
            .output()
            .expect("unshare runs");
        let printed = String::from_utf8_lossy(&verified.stdout);
        assert_eq!(verified.status.code(), Some(code), "{verified:?}");
        assert!(printed.contains(proof), "{printed}");
    }
}

#[test]
fn a_split_view_is_an_alarm_on_both_sides_and_verifies_offline() {
    zones::within(
        "zones::a_split_view_is_an_alarm_on_both_sides_and_verifies_offline",
        || {
            let (server, mut three, key) = before_two_views();
            three.wait_for_cycles(4);
            for auditor in &three.auditors {
                assert!(auditor.splits().is_empty());
                assert_eq!(auditor.agreeing(), 2);
            }
            server.split(DB, Split::FromNowOn);
            server.grow(DB, 2);
            let since: Vec<usize> = three.auditors.iter_mut().map(Auditor::cycles).collect();
            let mut took = Vec::new();
            for (auditor, since) in three.auditors.iter_mut().zip(since) {
                auditor.finds_the_split();
                took.push(auditor.found_in_cycle(since));
                for evidence in auditor.splits() {
                    verifies_offline(&evidence, &key);
                }
            }
            loud(format!("a split view was found after {took:?} cycles\n"));
            // one cycle that was running, one in which each auditor is shown its view, one that
            // compares, and one if an answer came late; on a busy machine another may begin
            // meanwhile
            assert!(took.iter().all(|cycles| *cycles <= 5), "{took:?}");
        },
    );
}

#[test]
fn a_split_while_auditors_are_disconnected_is_found_afterwards() {
    zones::within(
        "zones::a_split_while_auditors_are_disconnected_is_found_afterwards",
        || {
            let (server, mut three, key) = before_two_views();
            three.wait_for_cycles(3);
            three.cut(true);
            server.split(DB, Split::FromNowOn);
            for _ in 0..10 {
                server.grow(DB, 1);
                three.wait_for_cycles(1);
            }
            for auditor in &three.auditors {
                assert!(auditor.splits().is_empty());
            }
            three.cut(false);
            for auditor in &mut three.auditors {
                auditor.finds_the_split();
                for evidence in auditor.splits() {
                    verifies_offline(&evidence, &key);
                }
            }
        },
    );
}

#[test]
fn three_auditors_of_an_honest_real_server_agree() {
    zones::within(
        "zones::three_auditors_of_an_honest_real_server_agree",
        || {
            let Some(immudb) = program("1.11.1") else {
                return;
            };
            let folder = TempDir::new();
            let real = Real::start(&immudb, &folder.join("data"), &[]);
            let mut three = Three::new(
                TempDir::new(),
                zones::expose(real.port),
                "immudb",
                &["--audit-peers-required=2"],
            );
            three.start();
            three.wait_for_cycles(3);
            for round in 0..10 {
                real.does(&["write", "--n", "1", "--prefix", &format!("round-{round}")]);
                three.wait_for_cycles(1);
            }
            three.wait_for_cycles(3);
            for auditor in &mut three.auditors {
                assert_eq!(auditor.agreeing(), 2);
                let log = auditor.running().log();
                assert!(
                    !log.contains("split-view") && !log.contains("disagree"),
                    "{log}"
                );
                assert_eq!(auditor.program.run(&["status"]).code, Some(0));
            }
        },
    );
}
