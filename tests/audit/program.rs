//! The program against the embedded ledger: which databases it audits, what it prints, how its loop
//! ends, when a database is overdue, and its exit codes.

use crate::support::ledgers::ledger;
use crate::support::program::{Program, member};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Access, Lie};

#[test]
fn no_suggested_command_has_a_database_name_with_shell_syntax() {
    let name = "x;touch${IFS}evil";
    let embedded = ledger(&[name]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    embedded.lie(Lie::Rollback);
    let run = audit.run(&["--once"]);
    run.ends_with(2);
    for text in [run.stdout, audit.run(&["status"]).stdout] {
        assert!(text.contains(name), "{text}");
        let commands = text.lines().filter(|line| line.contains("immuaudit alarm"));
        assert!(commands.clone().count() >= 2, "{text}");
        assert!(
            commands.clone().all(|line| !line.contains("evil")),
            "{text}"
        );
    }
}

#[test]
fn only_selected_databases_are_audited_and_can_vanish() {
    let embedded = ledger(&["shop1", "shop2", "bank"]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    embedded.drop_database("bank");
    let run = audit.with(&["--audit-databases", "shop"]).once();
    run.ends_with(0);
    assert_eq!(run.stdout.lines().count(), 2, "{run:#?}");
    audit.once().is(2, "bank", "rolled-back");
    let nothing = audit.with(&["--audit-databases", "nosuch"]).once();
    nothing.ends_with(1);
    assert!(nothing.stderr.contains("nothing to audit"), "{nothing:#?}");
}

#[test]
fn an_unreachable_server_has_its_own_json_line() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    drop(listener);
    let folder = TempDir::new();
    let run = Program::new(port, &folder.join("trust")).once();
    let line = run.ends_with(1).stdout.trim_end();
    assert!(
        line.starts_with("{\"server\":") && !line.contains('\n'),
        "{line}"
    );
    assert_eq!(member(line, "database"), "null");
    assert_eq!(member(line, "verdict"), "unreachable");
    assert_eq!(member(line, "tampered"), "false");
}

#[test]
fn a_revoked_permission_is_refused_and_not_tampering() {
    let embedded = ledger(&["taken"]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().ends_with(0);
    embedded.set_access("taken", Access::Denied);
    audit.once().is(1, "taken", "refused");
}

#[test]
fn a_database_unproven_for_three_intervals_is_overdue() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    embedded.lie(Lie::Excuse);
    embedded.grow("defaultdb", 3);
    let mut running = audit.start(&["audit-mode", "--audit-interval", "500ms"]);
    running.wait_for("overdue: not proven for");
    drop(running);

    embedded.be_honest();
    let mut running = audit.start(&[
        "audit-mode",
        "--audit-interval",
        "200ms",
        "--audit-max-idle",
        "1s",
    ]);
    running.wait_for("overdue: no new transaction for");
}

#[test]
fn the_loop_ends_soon_while_it_sleeps_or_waits_for_a_response() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    for signal in ["TERM", "INT"] {
        let mut sleeping = audit.start(&["audit-mode", "--audit-interval", "1h"]);
        sleeping.wait_for("cycle finished ");
        sleeping.signal(signal);
        assert_eq!(sleeping.end(), Some(0), "{}", sleeping.log());
        assert!(sleeping.log().contains("stopped"), "{}", sleeping.log());
    }
    embedded.lie(Lie::NeverAnswers);
    let mut hanging = audit.start(&["audit-mode", "--call-timeout", "1h"]);
    hanging.wait_for("auditing");
    hanging.signal("TERM");
    assert_eq!(hanging.end(), Some(0), "{}", hanging.log());
}

#[test]
fn a_second_auditor_of_the_same_states_is_refused() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    let mut running = audit.start(&["audit-mode", "--audit-interval", "1h"]);
    running.wait_for("cycle finished ");
    let second = audit.once();
    second.ends_with(3);
    let id = running.id().to_string();
    assert!(
        second.stderr.contains(&id) && second.stderr.contains("tested"),
        "{second:#?}"
    );
    // `status` needs no lock
    audit.run(&["status"]).ends_with(0);
    running.signal("KILL");
    running.end();
    audit.once().is(0, "defaultdb", "consistent");
}

#[test]
fn wrong_usage_exits_with_3_and_names_the_nearest_flag() {
    let folder = TempDir::new();
    let audit = Program::new(1, &folder.join("trust"));
    let run = audit.with(&["--audit-intervall", "5m"]).once();
    run.ends_with(3);
    assert!(run.stderr.contains("--audit-interval"), "{run:#?}");
    assert_eq!(run.stdout, "");
    assert!(!folder.join("trust").exists(), "nothing was started");
}

#[test]
fn the_last_of_two_equal_flags_is_used() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let port = embedded.port().to_string();
    let audit = Program::new(1, &folder.join("trust")).with(&["-p", "2", "--immudb-port", &port]);
    audit.once().is(0, "defaultdb", "first-seen");
}

#[test]
fn quiet_prints_nothing_without_a_problem() {
    let embedded = ledger(&[]);
    let folder = TempDir::new();
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    let quiet = &["--once", "--quiet"];
    audit.once().is(0, "defaultdb", "first-seen");
    let run = audit.with(&["--audit-password", "immudb"]).run(quiet);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (Some(0), "", "")
    );
    embedded.lie(Lie::Rollback);
    let run = audit.run(quiet);
    run.ends_with(2);
    assert!(run.stdout.contains("rolled-back"), "{run:#?}");
}
