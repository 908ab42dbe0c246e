//! The program and a real immuclient 1.11.1, both with the same real server: their metrics and
//! notifications have the same names, labels, members and meanings.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::http::{Answer, ask};
use crate::support::json::{Leaf, leaves};
use crate::support::program::Program;
use crate::support::real::{Real, built, copy, program};
use crate::support::receiver::{Received, Receiver};
use crate::support::temp_dir::TempDir;
use crate::support::tool::Tool;
use immuaudit::ledger::decode_base64;

/// The metrics and the notification of an audit by each program.
struct Both {
    theirs: Shown,
    ours: Shown,
}

struct Shown {
    /// immuclient's four gauges: labels and value by name.
    gauges: BTreeMap<String, (BTreeMap<String, String>, f64)>,
    /// The TYPE of each metric.
    kinds: BTreeMap<String, String>,
    body: Option<String>,
}

const GAUGES: [&str; 4] = [
    "immuclient_audit_curr_root_per_server",
    "immuclient_audit_prev_root_per_server",
    "immuclient_audit_result_per_server",
    "immuclient_audit_run_at_per_server",
];

const LOGIN: [&str; 2] = ["us\"er", "pa<ss>&\u{e9}"];

/// Runs exactly one audit by each program, with the states that they trusted before.
fn audit(immuclient: &Path, folder: &TempDir, server: u16) -> Both {
    Both {
        theirs: theirs(immuclient, &folder.join("theirs"), server),
        ours: ours(folder, server),
    }
}

/// Runs immuclient's audit. If a busy server answers too late, it ends with an error and -1. It may
/// have stored the state by then, so it is repeated with the states from before.
fn theirs(immuclient: &Path, folder: &Path, server: u16) -> Shown {
    fs::create_dir_all(folder).unwrap();
    let before = folder.with_extension("before");
    copy(folder, &before);
    let mut shown = audited_by(immuclient, folder, server);
    for _ in 0..4 {
        if shown.gauges["immuclient_audit_curr_root_per_server"].1 >= 0.0 {
            break;
        }
        fs::remove_dir_all(folder).unwrap();
        copy(&before, folder);
        shown = audited_by(immuclient, folder, server);
    }
    fs::remove_dir_all(before).unwrap();
    shown
}

fn audited_by(immuclient: &Path, folder: &Path, server: u16) -> Shown {
    let (receiver, port) = (Receiver::start(), free_port());
    let log = folder.join("log");
    let child = Command::new(immuclient)
        .arg("audit-mode")
        .args(["--immudb-port", &server.to_string()])
        .args(["--audit-username=immudb", "--audit-password=immudb"])
        .args(["--audit-monitoring-host", "127.0.0.1"])
        .args(["--audit-monitoring-port", &port.to_string()])
        .args(["--audit-notification-url", &receiver.url()])
        .args(["--audit-notification-username", LOGIN[0]])
        .args(["--audit-notification-password", LOGIN[1]])
        .env_clear()
        .env("TMPDIR", folder)
        .env("HOME", folder)
        .env("audit-agent-interval", "1h")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&log).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .expect("immuclient starts");
    let _ended_with_this = Tool(child);
    let log_text = || fs::read_to_string(&log).unwrap_or_default();
    // after "audit #1 finished" the notification has been sent
    wait_until(|| log_text().contains("audit #1 finished"), log_text);
    shown(port, &receiver)
}

fn ours(folder: &TempDir, server: u16) -> Shown {
    let (receiver, port) = (Receiver::start(), free_port());
    let program = Program::new(server, &folder.join("ours")).with(&[
        "--audit-interval=1h",
        "--audit-notify=every-check",
        "--audit-monitoring-host=127.0.0.1",
        &format!("--audit-monitoring-port={port}"),
        &format!("--audit-notification-url={}", receiver.url()),
        &format!("--audit-notification-username={}", LOGIN[0]),
        &format!("--audit-notification-password={}", LOGIN[1]),
    ]);
    let mut running = program.start(&["audit-mode"]);
    running.wait_for("cycle finished server=");
    running.wait_for("notified receiver=");
    shown(port, &receiver)
}

fn shown(port: u16, receiver: &Receiver) -> Shown {
    let answer = ask(port, "GET /metrics HTTP/1.0\r\n\r\n").expect("metrics");
    let body = receiver.received().first().map(|received| {
        assert_eq!(received.header("content-type"), Some("application/json"));
        Received::clone(received).body
    });
    Shown {
        gauges: gauges(&answer),
        kinds: kinds(&answer),
        body,
    }
}

fn gauges(answer: &Answer) -> BTreeMap<String, (BTreeMap<String, String>, f64)> {
    let samples = answer.body.lines().filter_map(|line| {
        let (series, value) = line.strip_prefix("immuclient_audit_")?.rsplit_once(' ')?;
        let (name, labels) = series.trim_end_matches('}').split_once('{')?;
        let labels = labels.split("\",").map(|label| {
            let (name, value) = label.split_once("=\"").expect("a label");
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        });
        let name = format!("immuclient_audit_{name}");
        Some((name, (labels.collect(), value.parse().expect("a number"))))
    });
    samples.collect()
}

fn kinds(answer: &Answer) -> BTreeMap<String, String> {
    let lines = answer.body.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        name.starts_with("immuclient_audit_")
            .then(|| (name.to_owned(), kind.to_owned()))
    });
    lines.collect()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[track_caller]
fn wait_until(is: impl Fn() -> bool, log_text: impl Fn() -> String) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(Instant::now() < end, "{}", log_text());
        thread::sleep(Duration::from_millis(50));
    }
}

impl Both {
    /// Checks that both have the same names, types, labels and values, apart from the time.
    #[track_caller]
    fn same_metrics(&self, result: f64, previous: f64, current: f64) {
        assert_eq!(self.theirs.kinds, self.ours.kinds);
        for name in GAUGES {
            let (labels, value) = &self.theirs.gauges[name];
            let (our_labels, our_value) = &self.ours.gauges[name];
            assert_eq!(labels, our_labels, "{name}");
            let wanted = match name.split('_').nth(2).unwrap() {
                "result" => result,
                "prev" => previous,
                "curr" => current,
                _ => {
                    let apart = (value - our_value).abs();
                    assert!(*value > 1.7e9 && apart < 60.0, "{value} {our_value}");
                    continue;
                }
            };
            assert_eq!((*value, *our_value), (wanted, wanted), "{name}");
        }
        let names: Vec<&str> = self.theirs.gauges.keys().map(String::as_str).collect();
        assert_eq!(names, GAUGES);
    }

    /// Checks that both have the same members in the same order, of the same types and encodings.
    /// Our notification has more members after these.
    #[track_caller]
    fn same_notification(&self, tampered: &str) {
        let theirs = leaves(self.theirs.body.as_ref().expect("their notification"));
        let ours = leaves(self.ours.body.as_ref().expect("our notification"));
        assert_eq!(theirs.len(), 13, "{theirs:?}");
        for ((path, theirs), (our_path, ours)) in theirs.iter().zip(&ours) {
            assert_eq!(path, our_path);
            match (path.as_str(), theirs, ours) {
                // each program requested a new signature
                (path, Leaf::Text(theirs), Leaf::Text(ours))
                    if path.ends_with("e.signature.signature") =>
                {
                    let length = |text: &str| decode_base64(text).expect("base64").len();
                    assert!(
                        length(theirs).abs_diff(length(ours)) <= 4,
                        "{theirs} {ours}"
                    );
                    assert!(theirs.starts_with("ME") && ours.starts_with("ME"), "{ours}");
                }
                ("run_at", Leaf::Text(theirs), Leaf::Text(ours)) => {
                    // RFC 3339 in UTC
                    assert_eq!(theirs[..14], ours[..14]);
                    assert!(theirs.ends_with('Z') && ours.ends_with('Z'), "{ours}");
                }
                _ => assert_eq!(theirs, ours, "{path}"),
            }
        }
        let further: Vec<&str> = ours[13..].iter().map(|(path, _)| path.as_str()).collect();
        let expected =
            "server verdict reason open_alarms evidence alarm close_command adopt_command id";
        assert_eq!(further.join(" "), expected);
        let member = ours.iter().find(|(path, _)| path == "tampered");
        assert_eq!(member.unwrap().1, Leaf::Word(tampered.to_owned()));
    }
}

/// Starts a server that signs its states.
fn start(program: &Path, folder: &TempDir, data: &str, port: u16) -> Real {
    let key = folder.join("key.pem");
    if !key.exists() {
        let made = Command::new("openssl")
            .args([
                "ecparam",
                "-name",
                "prime256v1",
                "-genkey",
                "-noout",
                "-out",
            ])
            .arg(&key)
            .status();
        assert!(made.expect("openssl runs").success());
    }
    let key = key.display().to_string();
    Real::start_at(program, &folder.join(data), port, &["--signing-key", &key])
}

fn programs() -> Option<(PathBuf, PathBuf)> {
    Some((built("immuclient-1.11.1")?, program("1.11.1")?))
}

#[test]
fn metrics_and_notifications_are_those_of_a_real_immuclient() {
    let Some((immuclient, server)) = programs() else {
        return;
    };
    let folder = TempDir::new();
    let real = start(&server, &folder, "data", 0);
    let port = real.port;
    real.write("defaultdb", "a", 20);
    // first use: immuclient sends no notification
    let both = audit(&immuclient, &folder, port);
    both.same_metrics(-1.0, -1.0, 20.0);
    assert_eq!(both.theirs.body, None);

    let data = real.stop();
    copy(&data, &folder.join("fork"));
    let real = start(&server, &folder, "data", port);
    real.write("defaultdb", "b", 7);
    let both = audit(&immuclient, &folder, port);
    both.same_metrics(1.0, 20.0, 27.0);
    both.same_notification("false");
    // no change
    let both = audit(&immuclient, &folder, port);
    both.same_metrics(1.0, 27.0, 27.0);
    both.same_notification("false");

    // the same server with another history
    real.stop();
    let real = start(&server, &folder, "fork", port);
    real.write("defaultdb", "c", 9);
    let both = audit(&immuclient, &folder, port);
    both.same_metrics(0.0, 27.0, 29.0);
    both.same_notification("true");
}

#[test]
fn an_unsigned_state_is_notified_as_by_immuclient() {
    let Some((immuclient, server)) = programs() else {
        return;
    };
    let folder = TempDir::new();
    let real = Real::start(&server, &folder.join("data"), &[]);
    real.write("defaultdb", "a", 3);
    audit(&immuclient, &folder, real.port);
    let both = audit(&immuclient, &folder, real.port);
    both.same_metrics(1.0, 3.0, 3.0);
    let of_signature = |shown: &Shown| -> Vec<(String, Leaf)> {
        let all = leaves(shown.body.as_ref().expect("a notification"));
        let states = all.into_iter().filter(|(path, _)| path.contains("_state."));
        states.collect()
    };
    assert_eq!(of_signature(&both.theirs), of_signature(&both.ours));
}
