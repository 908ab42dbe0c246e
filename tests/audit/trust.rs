//! The trusted state before and after a cycle: pins, first use, identities, and alarms until they
//! are closed. The tests run the program against the embedded ledger.

use std::fs;

use crate::support::ledgers::ledger;
use crate::support::program::{Program, member};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Lie, LieSchedule};

#[test]
fn a_moved_data_directory_is_consistent_with_a_warning() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    embedded.change_uuid();
    embedded.grow("defaultdb", 1);
    let run = audit.once();
    run.is(0, "defaultdb", "consistent");
    assert!(run.stderr.contains("identity changed"), "{run:#?}");
    let run = audit.once();
    assert!(
        !run.stderr.contains("identity changed"),
        "reported once: {run:#?}"
    );
}

#[test]
fn an_identity_stored_under_another_label_causes_a_warning() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    let elsewhere = ["--server-label", "renamed", "--immudb-address", "localhost"];
    let run = audit.with(&elsewhere).once();
    run.is(0, "defaultdb", "first-seen");
    assert!(
        run.stderr.contains("already audited under the name"),
        "{run:#?}"
    );
    assert!(run.stderr.contains("tested"), "{run:#?}");
}

#[test]
fn a_pin_is_a_first_trusted_state_and_is_compared_with_later_ones() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let known = embedded.state("defaultdb").unwrap();
    let pin = format!("defaultdb:{known}");
    embedded.grow("defaultdb", 20);
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    let pinned = audit.with(&["--pin", &pin]);
    // with a pin there is no first use, and the pin may be repeated
    pinned.once().is(0, "defaultdb", "consistent");
    pinned.once().is(0, "defaultdb", "consistent");
    audit.once().is(0, "defaultdb", "consistent");

    let other = format!("defaultdb:{}:{}", known.tx, "ab".repeat(32));
    let wrong = audit.with(&["--pin", &other]).once();
    wrong.is(2, "defaultdb", "split-view");
    assert!(wrong.reason("defaultdb").contains("mistyped"), "{wrong:#?}");

    let fresh = Program::new(embedded.port(), &folder.join("fresh"));
    let run = fresh.with(&["--pin", &other]).once();
    let reason = run.is(2, "defaultdb", "inconsistent").reason("defaultdb");
    // no audit has proven this state: the operator gave it
    for part in [
        "the oldest stored one (pinned 2",
        "so the pin is wrong, the rewrite",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(!reason.contains("audited"), "{reason}");
    let alarm = fresh.open_alarm("defaultdb");
    for args in [&["locate", "defaultdb"][..], &["alarm", "show", &alarm]] {
        let text = fresh.run(args).ends_with(2).stdout.clone();
        assert!(text.contains("pinned"), "{text}");
        for wrong in ["audited", "which were proven", "successful audit"] {
            assert!(!text.contains(wrong), "{args:?}: {text}");
        }
    }
}

#[test]
fn a_first_use_after_a_state_was_forgotten_has_the_ordinary_reason() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    let part = "(trusted on first use: the database had no trusted state)";
    for _ in 0..2 {
        let text = audit.run(&["--once"]).ends_with(0).stdout.clone();
        assert!(text.contains(part), "{text}");
        audit.run(&["states", "forget", "defaultdb"]).ends_with(0);
    }
}

#[test]
fn a_pin_that_the_server_has_not_reached_becomes_overdue() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    // the pinned state is of a primary, and this replica lags behind
    let primary = ledger(&[]);
    primary.put_ledger("defaultdb", embedded.ledger("defaultdb").unwrap());
    primary.grow("defaultdb", 20);
    let pin = format!("defaultdb:{}", primary.state("defaultdb").unwrap());
    let pinned = audit.with(&["--pin", &pin]);
    let run = pinned.once();
    run.is(1, "defaultdb", "unprovable");
    let reason = run.reason("defaultdb");
    assert!(
        reason.contains("shows 20") && reason.contains("not comparable yet"),
        "{run:#?}"
    );
    assert!(!run.stdout.contains("open_alarms\":1"), "{run:#?}");
    // a replica that never catches up is overdue after three intervals
    let late = pinned.with(&["--audit-interval", "1ms"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let run = late.once();
    assert!(
        run.ends_with(1).reason("defaultdb").contains("overdue"),
        "{run:#?}"
    );
    // the checks continue, and after the replica has caught up, the pin is compared
    embedded.put_ledger("defaultdb", primary.ledger("defaultdb").unwrap());
    embedded.grow("defaultdb", 1);
    pinned.once().is(0, "defaultdb", "consistent");
    audit.run(&["alarm", "list"]).ends_with(0);
    let other = Program::new(embedded.port(), &folder.join("other"));
    other.once().is(0, "defaultdb", "first-seen");
    let forged = format!("defaultdb:40:{}", "ab".repeat(32));
    other
        .with(&["--pin", &forged])
        .once()
        .is(2, "defaultdb", "split-view");
}

#[test]
fn every_pin_of_a_database_is_compared_and_the_worst_result_counts() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let forged = format!("defaultdb:5:{}", "ab".repeat(32));
    let ahead = format!("defaultdb:100:{}", "cd".repeat(32));
    // in any order: the pin that the server has not reached hides no contradiction
    for (round, pins) in [[&ahead, &forged], [&forged, &ahead]].iter().enumerate() {
        let pins = ["--pin", pins[0], "--pin", pins[1]];
        let audit = Program::new(embedded.port(), &folder.join(&format!("known{round}")));
        audit.once().is(0, "defaultdb", "first-seen");
        audit.with(&pins).once().is(2, "defaultdb", "split-view");
        // without a trusted state, the oldest pin is the begin
        let fresh = Program::new(embedded.port(), &folder.join(&format!("fresh{round}")));
        fresh.with(&pins).once().is(2, "defaultdb", "inconsistent");
    }
    let honest = format!("defaultdb:{}", embedded.state("defaultdb").unwrap());
    let fresh = Program::new(embedded.port(), &folder.join("honest"));
    let pins = ["--pin", &ahead, "--pin", &honest];
    fresh.with(&pins).once().is(1, "defaultdb", "unprovable");
    // if the files are damaged, the pin of the last trusted state is the begin, in any order of the pins
    let known = Program::new(embedded.port(), &folder.join("damaged"));
    known.once().is(0, "defaultdb", "first-seen");
    fs::write(folder.join("damaged/tested/defaultdb.state"), "damaged").unwrap();
    known.with(&pins).once().is(1, "defaultdb", "unprovable");
    known.once().is(0, "defaultdb", "consistent");
}

#[test]
fn a_pin_after_a_history_was_given_up_accuses_no_lagging_replica() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    audit.run(&["states", "forget", "defaultdb"]).ends_with(0);
    let primary = ledger(&[]);
    primary.put_ledger("defaultdb", embedded.ledger("defaultdb").unwrap());
    primary.grow("defaultdb", 80);
    embedded.grow("defaultdb", 20);
    let pin = format!("defaultdb:{}", primary.state("defaultdb").unwrap());
    let pinned = audit.with(&["--pin", &pin]);
    for _ in 0..2 {
        pinned.once().is(1, "defaultdb", "unprovable");
    }
    audit.run(&["alarm", "list"]).ends_with(0);
    embedded.put_ledger("defaultdb", primary.ledger("defaultdb").unwrap());
    pinned.once().is(0, "defaultdb", "consistent");
    // the length of the former history does not count for the new one
    audit.run(&["states", "forget", "defaultdb"]).ends_with(0);
    let rebuilt = ledger(&[]);
    rebuilt.grow("defaultdb", 30);
    let pin = format!("defaultdb:{}", rebuilt.state("defaultdb").unwrap());
    let mut replica = rebuilt.ledger("defaultdb").unwrap();
    replica.truncate(30);
    embedded.put_ledger("defaultdb", replica);
    let pinned = audit.with(&["--pin", &pin]);
    for _ in 0..2 {
        pinned.once().is(1, "defaultdb", "unprovable");
    }
    audit.run(&["alarm", "list"]).ends_with(0);
    embedded.put_ledger("defaultdb", rebuilt.ledger("defaultdb").unwrap());
    pinned.once().is(0, "defaultdb", "consistent");
    embedded.lie(Lie::Rollback);
    pinned.once().is(2, "defaultdb", "rolled-back");
}

#[test]
fn a_pin_stays_until_it_is_proven() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let pin = format!("defaultdb:{}", embedded.state("defaultdb").unwrap());
    embedded.grow("defaultdb", 20);
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    embedded.lie(LieSchedule::from(Lie::Excuse));
    let pinned = audit.with(&["--pin", &pin]);
    pinned.once().is(1, "defaultdb", "malformed");
    pinned.once().is(1, "defaultdb", "malformed");
    embedded.be_honest();
    pinned.once().is(0, "defaultdb", "consistent");
}

#[test]
fn a_missing_pinned_database_has_vanished() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    let pin = format!("shop:7:{}", "ab".repeat(32));
    let run = audit.with(&["--pin", &pin]).once();
    run.is(2, "shop", "rolled-back");
    assert_eq!(run.reason("shop"), "vanished");
    assert_eq!(run.verdict("defaultdb"), "first-seen");
}

#[test]
fn a_trusted_state_in_another_folder_is_not_a_first_use() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    let roots = |name: &str| audit.with(&["--roots-filepath", folder.join(name).to_str().unwrap()]);
    roots("here").once().is(0, "defaultdb", "first-seen");
    let run = roots("elsewhere").once();
    run.is(3, "defaultdb", "local-failure");
    assert!(
        run.reason("defaultdb").contains("--roots-filepath"),
        "{run:#?}"
    );
    roots("here").once().is(0, "defaultdb", "consistent");
}

#[test]
fn a_damaged_alarm_list_hides_no_alarm_of_another_database() {
    let embedded = ledger(&["aaa"]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    embedded.lie(Lie::Fork);
    audit
        .once()
        .is(2, "aaa", "inconsistent")
        .is(2, "defaultdb", "inconsistent");
    fs::write(folder.join("trust/tested/aaa.alarms"), "no alarms here\n").unwrap();
    let run = audit.run(&["status"]);
    run.ends_with(2);
    assert!(run.stdout.contains("OPEN ALARM"), "{run:#?}");
    audit.once().is(2, "aaa", "inconsistent");
}

#[test]
fn a_first_use_is_refused_with_no_first_use() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    let required = audit.with(&["--no-first-use"]);
    required.once().is(1, "defaultdb", "refused");
    audit.once().is(0, "defaultdb", "first-seen");
    required.once().is(0, "defaultdb", "consistent");
}

#[test]
fn the_first_transaction_of_an_empty_database_is_a_first_use() {
    let embedded = ledger(&[]);
    embedded.create_database("new");
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().is(0, "new", "empty");
    embedded.grow("new", 1);
    audit.once().is(0, "new", "first-seen");
    embedded.create_database("new"); // now the database is empty again
    let run = audit.once();
    run.is(2, "new", "rolled-back");
    assert_eq!(run.reason("new"), "emptied");
}

#[test]
fn adopting_the_alarm_of_a_vanished_database_ends_its_trust() {
    let embedded = ledger(&["gone"]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    embedded.drop_database("gone");
    let run = audit.once();
    run.is(2, "gone", "rolled-back");
    decide(&audit, "gone", &["adopt", "--yes"]);
    audit.once().ends_with(0);
    embedded.create_database("gone");
    embedded.grow("gone", 1);
    audit.once().is(0, "gone", "first-seen");
}

/// Closes or adopts the only open alarm of a database.
fn decide(audit: &Program, database: &str, decision: &[&str]) {
    let alarm = audit.open_alarm(database);
    let args = ["alarm", decision[0], &alarm];
    audit
        .run(&[&args[..], &decision[1..]].concat())
        .ends_with(0);
}

#[test]
fn a_hidden_database_stays_trusted_when_its_alarm_is_closed() {
    let embedded = ledger(&["hidden"]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    embedded.lie(LieSchedule::from(Lie::Hidden).of("hidden"));
    let run = audit.once();
    run.is(2, "hidden", "rolled-back");
    assert_eq!(run.reason("hidden"), "hidden");
    let alarm = audit.open_alarm("hidden");
    // the alarm stays the same while the hidden database grows
    embedded.grow("hidden", 3);
    audit.once().is(2, "hidden", "rolled-back");
    assert_eq!(audit.open_alarm("hidden"), alarm);
    let list = audit.run(&["alarm", "list", "hidden", "--json"]);
    assert_eq!(list.stdout.lines().count(), 1, "{list:#?}");
    // the alarm has no other state, so there is nothing to adopt
    let refused = audit.run(&["alarm", "adopt", &alarm, "--yes"]);
    assert!(
        refused.ends_with(3).stderr.contains("alarm close"),
        "{refused:#?}"
    );
    decide(&audit, "hidden", &["close"]);
    embedded.be_honest();
    audit.once().is(0, "hidden", "consistent");
}

#[test]
fn an_open_alarm_keeps_the_exit_code_while_checks_continue() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    embedded.lie(Lie::Fork);
    audit.once().is(2, "defaultdb", "inconsistent");
    embedded.be_honest();
    embedded.grow("defaultdb", 5);
    let run = audit.once();
    run.is(2, "defaultdb", "consistent");
    assert_eq!(member(run.line("defaultdb"), "tampered"), "false");
    assert_eq!(member(run.line("defaultdb"), "open_alarms"), "1");
    let before = member(run.line("defaultdb"), "hash").to_owned();
    decide(&audit, "defaultdb", &["close"]);
    let run = audit.once();
    run.is(0, "defaultdb", "consistent");
    assert_eq!(member(run.line("defaultdb"), "previous_hash"), before);
}

#[test]
fn a_damaged_state_affects_only_its_own_database() {
    let embedded = ledger(&["other"]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    let file = folder.join("trust/tested/defaultdb.state");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let run = audit.once();
    run.is(3, "defaultdb", "local-failure");
    assert_eq!(run.verdict("other"), "consistent");
    assert!(
        run.reason("defaultdb").contains("--pin"),
        "the reason has a remedy: {run:#?}"
    );
    fs::remove_file(&file).unwrap();
    audit.once().is(3, "defaultdb", "local-failure");
}
