//! `immuaudit status` exits with 0 only if the last audit was complete. Otherwise it prints the
//! failures of the last cycle, and the age of the last proof.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::scene::{DB, Scene, trusted};
use crate::support::program::{Program, Run, member};
use crate::support::temp_dir::TempDir;
use immuaudit::clock::{self, Timestamp};
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};
use immuaudit::trust::{Location, Store};

impl Scene {
    #[track_caller]
    fn status(&self, code: i32, part: &str) -> Run {
        let run = self.program.run(&["status"]);
        run.ends_with(code);
        assert!(run.stdout.contains(part), "{run:#?}");
        run
    }

    fn store(&self) -> Store {
        let location = Location {
            dir: self.program.dir.clone(),
            roots: None,
            server: "tested".into(),
        };
        Store::open_shared(&location).expect("a store")
    }

    /// Makes the recorded last proof older by `seconds`.
    fn proven_before(&self, seconds: u64) {
        let store = self.store();
        let mut outcomes = store.load_outcomes();
        for of in &mut outcomes {
            let proven = of.proven.expect("a proof").unix() - seconds;
            of.proven = Some(Timestamp::from_unix(proven));
            of.checked = Timestamp::from_unix(proven);
        }
        let troubles = store.load_troubles();
        store.save_outcomes(&outcomes, &troubles).expect("written");
    }
}

#[test]
fn a_closed_alarm_needs_a_successful_check() {
    let scene = trusted();
    scene.server.lie(Lie::Rollback);
    scene.program.once().is(2, DB, "rolled-back");
    let alarm = scene.program.open_alarm(DB);
    scene.program.run(&["alarm", "close", &alarm]).ends_with(0);
    scene.status(1, "no check has succeeded since");
    scene.server.be_honest();
    scene.program.once().is(0, DB, "consistent");
    scene.status(0, "consistent");
}

#[test]
fn a_transaction_of_a_closed_alarm_is_read_again() {
    let scene = trusted();
    scene
        .server
        .lie(LieSchedule::from(Lie::EditedValue).about(7));
    let all = scene.program.with(&["--audit-sample", "100"]);
    all.once().is(2, DB, "bad-value");
    scene.server.be_honest();
    let none = scene.program.with(&["--audit-sample", "0"]);
    none.once().is(2, DB, "consistent");
    let alarm = scene.program.open_alarm(DB);
    let closed = scene.program.run(&["alarm", "close", &alarm]);
    let text = &closed.ends_with(0).stdout;
    assert!(text.contains("it reads transaction 7 again"), "{text}");
    scene.status(1, "the next check reads transaction 7 again");
    let shown = scene.program.run(&["alarm", "show", &alarm]);
    let text = &shown.ends_with(0).stdout;
    assert!(
        text.contains("the next check reads transaction 7"),
        "{text}"
    );
    none.once().is(0, DB, "consistent");
    scene.status(0, "consistent");
    // if the edit is still there, the check after the closing finds it again
    scene
        .server
        .lie(LieSchedule::from(Lie::EditedValue).about(7));
    all.once().is(2, DB, "bad-value");
    scene.program.run(&["alarm", "close", &alarm]).ends_with(0);
    none.once().is(2, DB, "bad-value");
}

#[test]
fn errors_of_the_last_cycle_without_a_database_are_shown() {
    let scene = trusted();
    let filter = ["--once", "--audit-databases", "defaultdb,paymets"];
    scene.program.run(&filter).ends_with(1);
    scene.status(1, "\"paymets\" selects no database");
    let run = scene.program.run(&["status", "--json"]);
    run.ends_with(1);
    let trouble = run.stdout.lines().find(|line| line.contains("paymets"));
    let trouble = trouble.expect("a line");
    assert_eq!(member(trouble, "database"), "null", "{run:#?}");
    scene.program.once().ends_with(0);
    let run = scene.status(0, "consistent");
    assert!(!run.stdout.contains("paymets"), "{run:#?}");
}

#[test]
fn an_old_proof_is_overdue_without_a_running_auditor() {
    let scene = trusted();
    scene.proven_before(800);
    scene.status(0, "first-seen");
    scene.status(0, "tested: All is well, as of 20");
    scene.status(0, "Z, 13 min ago\n");
    scene.proven_before(200);
    scene.status(1, "overdue: not proven for 10");
    scene.status(1, "tested: Not everything could be checked, as of 20");
    let run = scene.program.run(&["status", "--json"]);
    assert_eq!(member(run.line(DB), "condition"), "unproven");
    let overdue = member(run.line(DB), "overdue");
    assert!(overdue.contains("not proven for 10"), "{run:#?}");
    // the configured interval counts
    let hourly = scene.program.with(&["--audit-interval", "1h"]);
    hourly.run(&["status"]).ends_with(0);
    // a database that is no longer selected is no longer checked
    let other = scene.program.with(&["--audit-databases", "other"]);
    let run = other.run(&["status"]);
    run.ends_with(0);
    assert!(run.stdout.contains("not audited"), "{run:#?}");
    scene.program.once().ends_with(0);
    scene.status(0, "consistent");
}

#[test]
fn json_has_only_objects_before_the_first_success() {
    let folder = TempDir::new();
    let program = Program::new(1, &folder.join("state")); // nothing listens on this port
    program.run(&["--once"]).ends_with(1);
    let run = program.run(&["status", "--json"]);
    let lines: Vec<&str> = run.ends_with(1).stdout.lines().collect();
    assert_eq!(lines.len(), 1, "{run:#?}");
    assert!(lines[0].starts_with('{'), "{run:#?}");
    let text = program.run(&["status"]).stdout;
    assert!(text.contains("no database has been audited yet"), "{text}");
    assert!(
        text.contains("last cycle: the list of databases could not be read"),
        "{text}"
    );
}

#[test]
fn a_lost_signature_needs_attention_until_acknowledged() {
    let server = Embedded::start(Options::default().signed()).expect("a ledger");
    server.grow(DB, 3);
    let folder = TempDir::new();
    let program = Program::new(server.port(), &folder.join("state"));
    program.once().is(0, DB, "first-seen");
    program.run(&["status"]).ends_with(0);
    server.lie(Lie::SignatureDropped);
    server.grow(DB, 1);
    program.once().is(0, DB, "consistent");
    let run = program.run(&["status"]);
    let text = &run.ends_with(1).stdout;
    assert!(text.contains("tested: Needs attention"), "{text}");
    assert!(
        text.contains("the state was signed before and is not signed now"),
        "{text}"
    );
    program.run(&["acknowledge", DB, "--unsigned"]).ends_with(0);
    let run = program.run(&["status"]);
    assert!(
        run.ends_with(0).stdout.contains("tested: All is well"),
        "{run:#?}"
    );
}

#[test]
fn an_undelivered_notification_needs_attention() {
    let scene = trusted();
    let outbox = scene.program.dir.join("tested/outbox/0123456789abcdef");
    fs::create_dir_all(&outbox).expect("a directory");
    let file = outbox.join("00000000000000000000-change-0123-4567");
    fs::write(&file, "{}").expect("a file");
    fs::write(outbox.join("notes"), "none of ours").expect("a file");
    scene.status(0, "tested: All is well"); // it is not yet late
    let old = SystemTime::now() - Duration::from_secs(120);
    for name in ["00000000000000000000-change-0123-4567", "notes"] {
        let file = fs::File::options().write(true).open(outbox.join(name));
        file.expect("a file").set_modified(old).expect("a time");
    }
    let run = scene.status(1, "tested: Needs attention, as of 20");
    let message = "tested: 1 notification has not been delivered for more than 60 s";
    assert!(run.stdout.contains(message), "{run:#?}");
    let json = scene.program.run(&["status", "--json"]);
    let line = json.ends_with(1).stdout.lines().next().expect("a line");
    assert_eq!(member(line, "database"), "null", "{json:#?}");
    fs::remove_file(&file).expect("a file");
    scene.status(0, "tested: All is well");
}

#[test]
fn a_trusted_state_without_a_recorded_check_exits_with_1() {
    let scene = trusted();
    let outcomes = scene.program.dir.join("tested/outcomes");
    fs::remove_file(outcomes).expect("a file");
    scene.status(1, "no check is recorded");
}

#[test]
fn absent_values_need_attention_until_acknowledged() {
    let scene = trusted();
    let refuses = |args: &[&str], why: &str| {
        let run = scene.program.run(&[&["acknowledge", DB], args].concat());
        assert!(run.ends_with(3).stderr.contains(why), "{run:#?}");
        scene.status(0, "tested: All is well");
        assert!(
            !scene
                .program
                .dir
                .join("tested/defaultdb.acknowledged")
                .exists()
        );
    };
    // only a known fact can be acknowledged, because anything else would hide later facts
    let absent = "--absent-values-to";
    refuses(&[absent, "40"], "no absent value of defaultdb is known");
    refuses(&["--disagreement"], "no peer disagrees about defaultdb");
    refuses(&[absent, "4000"], "is not trusted yet");
    let store = scene.store();
    let mut progress = store.load_progress(clock::now());
    for of in &mut progress {
        for tx in (1..40).step_by(2) {
            of.absent.insert(tx, tx, ());
        }
    }
    store.save_progress(&progress).expect("written");
    drop(store);
    scene.status(1, "tested: Needs attention, as of 20");
    scene.status(
        1,
        "1, 3, 5, 7, 9, 11, 13, ..., 39 (20 transactions in 20 ranges)",
    );
    let run = scene.program.run(&["status", "--json"]);
    let all: Vec<String> = (1..40).step_by(2).map(|tx: u64| tx.to_string()).collect();
    let line = run.line(DB);
    assert_eq!(member(line, "values_absent_ranges"), all.join(" "));
    assert_eq!(member(line, "values_absent"), "20");
    assert_eq!(member(line, "condition"), "attention");
    // an operator acknowledges the absent values
    let acknowledge = ["acknowledge", DB, "--absent-values-to", "40"];
    scene.program.run(&acknowledge).ends_with(0);
    scene.status(0, "tested: All is well");
}

#[test]
fn a_long_reason_in_the_status_contains_its_overdue_part() {
    let scene = trusted();
    let mut ledger = scene.server.ledger(DB).expect("a database");
    ledger.truncate(20);
    scene.server.put_ledger(DB, ledger);
    scene.server.set(DB, "forged", "forged"); // without this entry, both ledgers would grow by the same transactions
    scene.server.grow(DB, 40);
    std::thread::sleep(Duration::from_millis(1100));
    let program = scene.program.with(&["--audit-interval", "1ms"]);
    let run = program.once();
    let reason = run.is(2, DB, "inconsistent").reason(DB);
    // a stored reason used to be cut after 200 bytes
    assert!(
        reason.len() > 200 && reason.contains("overdue: not proven"),
        "{run:#?}"
    );
    let status = program.run(&["status"]);
    let text = &status.ends_with(2).stdout;
    assert!(text.contains("overdue: not proven"), "{text}");
}
