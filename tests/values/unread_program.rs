//! The output and the exit code of the program if transactions or values cannot be read.

use crate::support::http::get;
use crate::support::notify_scene::is_tampering;
use crate::support::program::{Program, member};
use crate::support::receiver::Receiver;
use crate::support::temp_dir::TempDir;
use crate::support::watched::{Watched, watched};
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};

/// Returns a ledger with twenty trusted transactions and its auditor.
fn trusted() -> (Embedded, TempDir, Program) {
    let ledger = Embedded::start(Options::default()).expect("a ledger");
    ledger.grow("defaultdb", 20);
    let folder = TempDir::new();
    let program = Program::new(ledger.port(), &folder.join("state"));
    program.once().is(0, "defaultdb", "first-seen");
    (ledger, folder, program)
}

#[test]
fn a_sweep_that_could_not_read_a_transaction_ends_with_1_and_its_id() {
    let (ledger, _folder, program) = trusted();
    ledger.lie(LieSchedule::from(Lie::SilentTransaction).about(7));
    let run = program.run(&["sweep", "--audit-sample", "0"]);
    run.ends_with(1);
    for message in [
        "19 of 20 transactions read with all values",
        "could not be read: transactions 7",
        "transaction 7 is not returned, although the server responds to other calls: ",
        ": no response: the call ended with the status unavailable",
    ] {
        assert!(run.stdout.contains(message), "{message}: {run:#?}");
    }
    assert!(!run.stdout.contains("cannot be reached"), "{run:#?}");
    let run = program.run(&["status"]);
    run.ends_with(1);
    assert!(run.stdout.contains("could not be read since"), "{run:#?}");
    // it stays due until it is read
    let run = program.once();
    run.is(1, "defaultdb", "unread");
    assert_eq!(member(run.line("defaultdb"), "state_verdict"), "consistent");
    assert_eq!(member(run.line("defaultdb"), "complete"), "false");
    ledger.be_honest();
    program.once().is(0, "defaultdb", "consistent");
    program.run(&["status"]).ends_with(0);
}

#[test]
fn absent_values_are_reported_and_change_the_exit_code_of_a_sweep() {
    let (ledger, _folder, program) = trusted();
    ledger.lie(Lie::AbsentValues);
    let run = program.once();
    run.is(0, "defaultdb", "consistent");
    let message = "the server does not have the values of 20 transactions from 1 to 20";
    assert!(run.line("defaultdb").contains(message), "{run:#?}");
    assert!(run.stderr.contains(message), "{run:#?}");
    let run = program.run(&["status", "--json"]);
    assert_eq!(member(&run.stdout, "values_absent"), "20", "{run:#?}");
    let run = program.run(&["sweep"]);
    run.ends_with(1);
    assert!(
        run.stdout
            .contains("does not have the values of transactions 1-20"),
        "{run:#?}"
    );
    assert!(
        run.stdout
            .contains("0 of 20 transactions read with all values"),
        "{run:#?}"
    );
    let run = program.run(&["acknowledge", "defaultdb", "--absent-values-to", "20"]);
    run.ends_with(0);
    program.run(&["sweep"]).ends_with(0);
    let run = program.once();
    assert!(!run.line("defaultdb").contains(message), "{run:#?}");
}

#[test]
fn a_quiet_sweep_prints_the_reason_for_its_exit_code() {
    let (ledger, _folder, program) = trusted();
    let quiet =
        |args: &[&str]| program.run(&[&["sweep", "--quiet", "--audit-sample", "0"], args].concat());
    assert_eq!(quiet(&[]).ends_with(0).stdout, "");
    ledger.lie(Lie::AbsentValues);
    let run = quiet(&[]);
    let why = "defaultdb: 0 of 20 transactions read with all values\n  the server does not have the values of transactions 1-20, although the ledger records no truncation of them\n";
    assert_eq!(run.ends_with(1).stdout, why, "{run:#?}");
    let acknowledged = program.run(&["acknowledge", "defaultdb", "--absent-values-to", "20"]);
    acknowledged.ends_with(0);
    ledger.be_honest();
    let run = quiet(&["payments"]);
    let why = "payments: this auditor audits no such database; known databases: defaultdb\n";
    assert_eq!(run.ends_with(1).stdout, why, "{run:#?}");
    // the state is proven, and then the server stops answering
    ledger.reset_calls();
    program.run(&["--once", "--audit-sample", "0"]).ends_with(0);
    let calls = ledger.calls().values().sum();
    ledger.lie(LieSchedule::from(Lie::NeverAnswers).after(calls));
    let run = quiet(&["--call-timeout", "1s"]);
    let why = "defaultdb: the sweep ended early after transaction 0, and the next sweep continues there: ";
    assert!(run.ends_with(1).stdout.starts_with(why), "{run:#?}");
}

#[test]
fn the_json_of_a_sweep_counts_read_and_unread_transactions() {
    let (ledger, _folder, program) = trusted();
    let sweep = |code: i32| {
        let run = program.run(&["sweep", "--json", "--audit-sample", "0"]);
        run.ends_with(code);
        let of_sweep = run.stdout.lines().find(|line| line.contains("\"ended\":"));
        of_sweep.unwrap_or_else(|| panic!("{run:#?}")).to_owned()
    };
    let line = sweep(0);
    for (name, value) in [
        ("database", "defaultdb"),
        ("complete", "true"),
        ("read", "20"),
        ("of", "20"),
        ("unavailable", "0"),
        ("values_due", "0"),
        ("values_absent", "0"),
        ("values_dropped", "0"),
        ("reason", "null"),
    ] {
        assert_eq!(member(&line, name), value, "{line}");
    }
    ledger.lie(Lie::AbsentValues);
    let line = sweep(1);
    assert_eq!(member(&line, "complete"), "false", "{line}");
    assert_eq!(member(&line, "values_absent_ranges"), "1-20", "{line}");
    assert_eq!(member(&line, "values_dropped_ranges"), "1-20", "{line}");
    ledger.lie(LieSchedule::from(Lie::SilentTransaction).about(7));
    let line = sweep(1);
    assert_eq!(member(&line, "values_due_ranges"), "7", "{line}");
    assert_eq!(member(&line, "read"), "19", "{line}");
    ledger.be_honest();
    sweep(0);
    ledger.lie(LieSchedule::from(Lie::EditedValue).about(7));
    let line = sweep(2);
    assert_eq!(member(&line, "complete"), "false", "{line}");
}

#[test]
fn findings_of_a_sweep_are_notified() {
    let (ledger, folder, program) = trusted();
    let receiver = Receiver::start();
    ledger.lie(LieSchedule::from(Lie::EditedValue).about(7));
    let url = receiver.url();
    let notified = [
        "sweep",
        "--audit-sample",
        "0",
        "--audit-notification-url",
        &url,
    ];
    program.run(&notified).ends_with(2);
    let received = receiver.received();
    assert!(received.iter().any(is_tampering), "{received:#?}");
    // under cron too
    let receiver = Receiver::start();
    let url = receiver.url();
    let cron = Program::new(ledger.port(), &folder.join("cron")).with(&["--audit-sample", "0"]);
    cron.run(&["--once"]).ends_with(0);
    let notified = [
        "--once",
        "--audit-sweep",
        "1s",
        "--audit-notification-url",
        &url,
    ];
    cron.run(&notified).ends_with(2);
    let received = receiver.received();
    assert!(received.iter().any(is_tampering), "{received:#?}");
}

/// Waits until the series has the value 1; the deadline only ends a failed test.
#[track_caller]
fn wait_for(watched: &Watched, series: &str) {
    for _ in 0..600 {
        if watched.metrics().body.contains(&format!("{series} 1\n")) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{series} is never 1: {}", watched.metrics().body);
}

#[test]
fn metrics_and_page_show_absent_and_due_values() {
    let watched = watched(
        &[],
        &["--audit-sample", "1000", "--audit-interval", "200ms"],
    );
    let unavailable = |reason: &str| {
        format!(
            "immuaudit_values_unavailable{{server=\"tested\",database=\"defaultdb\",reason=\"{reason}\"}}"
        )
    };
    let complete = "immuaudit_complete{server=\"tested\"}";
    watched.wait_until(complete, 1.0);
    watched
        .ledger
        .lie(LieSchedule::from(Lie::AbsentValues).about(2));
    wait_for(&watched, &unavailable("absent"));
    let page = get(watched.port, "/", "text/html").body;
    assert!(page.contains("1 absent"), "{page}");
    let status = get(watched.port, "/status.json", "*/*").body;
    assert!(status.contains("\"values_absent\":1"), "{status}");
    watched
        .ledger
        .lie(LieSchedule::from(Lie::SilentTransaction).about(3));
    wait_for(&watched, &unavailable("due"));
    watched.wait_until(complete, 0.0);
    let verdict = "immuaudit_verdict{server=\"tested\",database=\"defaultdb\",verdict=\"unread\"}";
    watched.wait_until(verdict, 1.0);
    watched.wait_until(
        "immuaudit_values_overdue{server=\"tested\",database=\"defaultdb\"}",
        1.0,
    );
    let page = get(watched.port, "/", "text/html").body;
    assert!(page.contains("Not everything could be checked"), "{page}");
    watched.ledger.be_honest();
    watched.wait_until(complete, 1.0);
}

#[test]
fn metrics_and_page_show_a_filter_without_a_match() {
    let watched = watched(&[], &["--audit-databases", "defaultdb,paymets"]);
    watched.wait_until("immuaudit_filter_entries_unmatched{server=\"tested\"}", 1.0);
    watched.wait_until("immuaudit_complete{server=\"tested\"}", 0.0);
    let page = get(watched.port, "/", "text/html").body;
    assert!(page.contains("paymets"), "{page}");
    assert!(!page.contains("All is well"), "{page}");
    let status = get(watched.port, "/status.json", "*/*").body;
    assert!(!status.contains("\"overall\":\"good\""), "{status}");
}

#[test]
fn a_page_without_audited_databases_is_not_good() {
    let watched = watched(&[], &["--audit-databases", "nothing"]);
    watched.wait_until("immuaudit_complete{server=\"tested\"}", 0.0);
    let page = get(watched.port, "/", "text/html").body;
    assert!(!page.contains("All is well"), "{page}");
    assert!(page.contains("nothing to audit"), "{page}");
}

#[test]
fn compare_reports_a_value_that_only_one_auditor_could_read() {
    let (ledger, folder, program) = trusted();
    program.run(&["sweep"]).ends_with(0);
    let other = Program::new(ledger.port(), &folder.join("other"));
    ledger.lie(LieSchedule::from(Lie::AbsentValues).about(7));
    other.run(&["sweep"]).ends_with(1);
    for (exporter, comparer, message) in [
        (
            &program,
            &other,
            "to this auditor that it does not have the values of transactions 7, but the other one",
        ),
        (
            &other,
            &program,
            "to the other auditor that it does not have the values of transactions 7, but this one",
        ),
    ] {
        let export = exporter.run(&["states", "export"]);
        let file = folder.join("export.toml");
        std::fs::write(&file, &export.stdout).expect("a file");
        let run = comparer.run(&["compare", &file.display().to_string()]);
        run.ends_with(1);
        assert!(run.stdout.contains("defaultdb: agrees"), "{run:#?}");
        assert!(run.stdout.contains(message), "{run:#?}");
    }
}

/// Under cron, everything that needs attention is printed in spite of `--quiet`.
#[test]
fn a_quiet_run_prints_warnings_and_filters_without_a_match() {
    let (ledger, _folder, program) = trusted();
    let run = program.run(&["--once", "--quiet"]);
    run.ends_with(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    ledger.lie(Lie::AbsentValues);
    let run = program.run(&["--once", "--quiet"]);
    run.ends_with(0);
    let message = "warning: the server does not have the values of 20 transactions";
    assert!(run.stdout.contains(message), "{run:#?}");
    ledger.lie(Lie::Rollback);
    let filter = [
        "--once",
        "--quiet",
        "--audit-databases",
        "defaultdb,paymets",
    ];
    let run = program.run(&filter);
    run.ends_with(2);
    assert!(run.stderr.contains("paymets"), "{run:#?}");
}

/// A server that becomes unreachable explains no absent value.
#[test]
fn absent_values_stay_in_the_metrics_during_an_outage() {
    let mut watched = watched(
        &[],
        &["--audit-sample", "1000", "--audit-interval", "200ms"],
    );
    watched
        .ledger
        .lie(LieSchedule::from(Lie::AbsentValues).about(2));
    let absent =
        "immuaudit_values_unavailable{server=\"tested\",database=\"defaultdb\",reason=\"absent\"}";
    wait_for(&watched, absent);
    watched.ledger.stop();
    let away =
        "immuaudit_verdict{server=\"tested\",database=\"defaultdb\",verdict=\"unreachable\"}";
    watched.wait_until(away, 1.0);
    let metrics = watched.metrics().body;
    assert!(metrics.contains(&format!("{absent} 1\n")), "{metrics}");
    assert!(!metrics.contains("reason=\"acknowledged\""), "{metrics}");
}
