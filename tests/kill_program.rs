//! The program, killed with SIGKILL at every step of writing a file, and run again. Its trusted
//! states and alarms remain, and each receiver is notified. Also a clock that jumps while the
//! program runs.

#![cfg(unix)] // SIGKILL

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use immuaudit::clock;
use immuaudit::drill::{Access, Embedded, Lie, Options};
use immuaudit::trust::failpoint;
use support::program::{Program, member};
use support::receiver::Receiver;
use support::temp_dir::TempDir;

const DATABASE: &str = "defaultdb";
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// The work of the killed run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    FirstUse,
    Advance,
    Raise,
}

fn killed(program: &Program, point: &str) -> bool {
    let mut program = program.with(&[]);
    program.variables = vec![(failpoint::VARIABLE.into(), point.into())];
    let status = program
        .command(&["--once"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the program runs");
    status.signal() == Some(SIGKILL)
}

fn shown_by(program: &Program, name: &str) -> String {
    let run = program.run(&["status", "--json"]);
    member(run.line(DATABASE), name).to_owned()
}

/// A server with databases, and an auditor with a receiver that has checked them once.
struct Notified {
    receiver: Receiver,
    server: Embedded,
    program: Program,
    _folder: TempDir,
}

impl Notified {
    fn of(databases: &[&str]) -> Notified {
        let (folder, receiver) = (TempDir::new(), Receiver::start());
        let server = Embedded::start(Options::default()).expect("an embedded ledger");
        for database in databases {
            server.create_database(database);
            server.grow(database, 3);
        }
        let url = receiver.url();
        let program = Program::new(server.port(), &folder.join("trust"));
        let program = program.with(&["--audit-notification-url", &url]);
        program.once().ends_with(0);
        Notified {
            receiver,
            server,
            program,
            _folder: folder,
        }
    }

    /// Returns the bodies of the notifications. A kill between a delivery and its record causes a
    /// repetition with the same ID, which is returned once.
    fn bodies(&self) -> Vec<String> {
        let received = self.receiver.received().into_iter();
        let by_id = received.map(|of| (member(&of.body, "id").to_owned(), of.body));
        by_id.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

/// The next process compares with the stored verdicts, so the notifications about them must be in
/// the outboxes before.
#[test]
fn an_outage_is_in_the_outboxes_before_the_verdicts_are_written() {
    let mut notified = Notified::of(&[DATABASE, "other"]);
    let point = failpoint::point(
        failpoint::FileKind::Outcomes,
        failpoint::WriteStep::DirectorySynced,
    );
    let count = |notified: &Notified, of: &str| {
        let bodies = notified.bodies().into_iter();
        bodies.filter(|body| body.contains(of)).count()
    };
    notified.server.stop();
    assert!(killed(&notified.program, &point));
    notified.program.once().ends_with(1);
    assert_eq!(count(&notified, "2 of 2 databases unreachable"), 1);
    notified.server.restart().expect("its port is free");
    assert!(killed(&notified.program, &point));
    notified.program.once().ends_with(0);
    assert_eq!(count(&notified, "2 databases reachable again"), 1);
}

/// A receiver must be notified that a database can be reached again. An outage of several databases
/// is one notification, and so is its end. The process that notices the end may be killed too,
/// before it sends anything.
#[test]
fn a_kill_after_an_outage_was_sent_still_sends_its_end() {
    use failpoint::{FileKind, WriteStep};
    let cases = [
        (&[DATABASE][..], false),
        (&[DATABASE, "other"], false),
        (&[DATABASE], true),
    ];
    for (databases, twice) in cases {
        let mut notified = Notified::of(databases);
        notified.server.stop();
        let point = failpoint::point(FileKind::Outcomes, WriteStep::Created);
        assert!(killed(&notified.program, &point));
        notified.server.restart().expect("its port is free");
        if twice {
            let point = failpoint::point(FileKind::Receivers, WriteStep::AppendSynced);
            assert!(killed(&notified.program, &point));
        }
        notified.program.once().ends_with(0);
        let verdicts = || {
            let bodies = notified.bodies();
            let verdicts = bodies.iter().map(|body| member(body, "verdict").to_owned());
            let mut verdicts: Vec<String> = verdicts.collect();
            verdicts.sort();
            verdicts
        };
        assert_eq!(verdicts(), ["consistent", "unreachable"], "{databases:?}");
        notified.program.once().ends_with(0);
        assert_eq!(verdicts().len(), 2, "nothing is notified again");
    }
}

/// If the process ended before an outage was sent, a receiver still knows an earlier trouble of a
/// database. "reachable again" would not say that this trouble has ended.
#[test]
fn a_kill_before_an_outage_was_sent_sends_each_verdict_later() {
    let databases = [DATABASE, "other"];
    let mut notified = Notified::of(&databases);
    let set_access = |notified: &Notified, access| {
        for database in databases {
            notified.server.set_access(database, access);
        }
    };
    set_access(&notified, Access::Denied);
    notified.program.once().ends_with(1);
    notified.server.stop();
    let (kind, step) = (
        failpoint::FileKind::Receivers,
        failpoint::WriteStep::AppendSynced,
    );
    assert!(killed(&notified.program, &failpoint::point(kind, step)));
    notified.server.restart().expect("its port is free");
    set_access(&notified, Access::Open);
    notified.program.once().ends_with(0);
    let bodies = notified.bodies();
    for database in databases {
        let of = |body: &&String| member(body, "db") == database;
        let verdicts = bodies.iter().filter(of).map(|body| member(body, "verdict"));
        let mut verdicts: Vec<&str> = verdicts.collect();
        verdicts.sort();
        assert_eq!(verdicts, ["consistent", "refused"], "{bodies:?}");
    }
}

/// If a panic ended only one thread, an auditor could continue without its delivery workers or its
/// port.
#[test]
fn a_panic_prints_one_line_and_ends_the_program_with_sigabrt() {
    let folder = TempDir::new();
    let server = Embedded::start(Options::default()).expect("an embedded ledger");
    server.grow(DATABASE, 10);
    let mut program = Program::new(server.port(), &folder.join("trust"));
    let point = failpoint::point(failpoint::FileKind::State, failpoint::WriteStep::Synced);
    program.variables = vec![(failpoint::PANIC_VARIABLE.into(), point)];
    let ended = program.command(&["--once"]).output().expect("the program");
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{ended:?}");
    assert!(!ended.status.core_dumped());
    let text = String::from_utf8(ended.stderr).expect("text");
    let mut lines = text.lines();
    let line = lines.find(|line| line.contains("panicked at src/trust/failpoint.rs:"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(line.starts_with("immuaudit: "), "{text}");
    assert!(line.contains("that a test asked for"), "{text}");
}

#[test]
fn a_program_killed_at_any_step_keeps_its_trusted_state() {
    let mut reached = BTreeSet::new();
    for work in [Work::FirstUse, Work::Advance, Work::Raise] {
        for point in failpoint::points() {
            let case = format!("{work:?} killed at {point}");
            let folder = TempDir::new();
            let server = Embedded::start(Options::default()).expect("an embedded ledger");
            server.grow(DATABASE, 10);
            let receiver = Receiver::start();
            let mut program = Program::new(server.port(), &folder.join("trust"));
            if work != Work::FirstUse {
                program.once().is(0, DATABASE, "first-seen");
                server.grow(DATABASE, 5);
            }
            if work == Work::Raise {
                program.once().is(0, DATABASE, "consistent");
                server.lie(Lie::OtherHash);
                // from here on there is a receiver
                program = program.with(&["--audit-notification-url", &receiver.url()]);
            }
            if !killed(&program, &point) {
                continue; // this work writes no such file
            }
            reached.insert(point.clone());
            if work == Work::Raise {
                // the finding is repeated, with one alarm
                let run = program.once();
                run.is(2, DATABASE, "inconsistent");
                assert_eq!(member(run.line(DATABASE), "open_alarms"), "1", "{case}");
                let shown_by = receiver.received();
                let of_it = shown_by
                    .iter()
                    .filter(|shown_by| shown_by.body.contains("inconsistent"));
                assert!(of_it.count() > 0, "{case}: {shown_by:?}");
                server.be_honest();
                server.grow(DATABASE, 1);
                program.once().is(2, DATABASE, "consistent");
                continue;
            }
            let run = program.once();
            let verdict = run.verdict(DATABASE);
            assert_eq!(run.code, Some(0), "{case}: {run:#?}");
            match work {
                Work::Advance => assert_eq!(verdict, "consistent", "{case}: {run:#?}"),
                _ => assert!(["first-seen", "consistent"].contains(&verdict), "{case}"),
            }
            let state = server.state(DATABASE).expect("a state");
            assert_eq!(shown_by(&program, "tx"), state.tx.to_string(), "{case}");
        }
    }
    println!("killed at {} points", reached.len());
    assert!(reached.len() >= 36, "{reached:?}");
    for kind in ["Outbox", "Receivers"] {
        let notified = reached.iter().filter(|point| point.starts_with(kind));
        assert_eq!(notified.count(), failpoint::REPLACING.len(), "{reached:?}");
    }
}

#[test]
fn a_jumping_clock_delays_no_cycle_and_deletes_no_history() {
    let folder = TempDir::new();
    let server = Embedded::start(Options::default()).expect("an embedded ledger");
    server.grow(DATABASE, 10);
    let off = folder.join("off");
    fs::write(&off, "0").expect("a file");
    let mut program = Program::new(server.port(), &folder.join("trust"));
    program.variables = vec![(clock::VARIABLE.into(), off.to_str().expect("UTF-8").into())];
    let mut running = program.start(&["--audit-interval", "20ms", "--log-level", "debug"]);
    running.wait_for("trusted on first use");
    let year: i64 = 365 * 86_400;
    let mut states = vec![server.state(DATABASE).expect("a state")];
    for years in [-1, 1, -30, 100, 7000, -100, 0, 1, 0] {
        fs::write(&off, (years * year).to_string()).expect("a file");
        for _ in 0..2 {
            server.grow(DATABASE, 1);
            let state = server.state(DATABASE).expect("a state");
            running.wait_for(&format!(" hash={}", state.hash));
            states.push(state);
        }
    }
    let log = running.log();
    // the log has lines of these years
    for year in ["1996-", "2126-", "9022-"] {
        assert!(
            log.lines().any(|line| line.starts_with(year)),
            "{year}: {log}"
        );
    }
    // the server was never reported as unreachable or overdue
    for word in ["overdue: ", "TAMPERED", "unreachable", "local failure"] {
        assert!(!log.contains(word), "{word}: {log}");
    }
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{log}");
    let export = program.run(&["states", "export"]);
    let export = &export.ends_with(0).stdout;
    for state in states {
        assert!(export.contains(&state.to_string()), "{state}: {export}");
    }
    program.once().is(0, DATABASE, "consistent");
}
