//! How a cycle behaves: calls, tokens, pins, first sights, what is overdue, exit codes. The real
//! binary, or the auditor itself where calls are counted, against the embedded ledger.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use immuaudit::audit::{Auditor, Cycle, Exit, Policy, Verdict};
use immuaudit::drill::{Access, Embedded, Emulated, Lie, Options, Telling};
use immuaudit::server::Endpoint;
use immuaudit::stop::Stop;
use immuaudit::trust::Tampering;
use immuaudit::wire::method;
use support::in_process;
use support::place::Place;
use support::program::{Program, member};

fn ledger(databases: &[&str]) -> Embedded {
    let embedded = Embedded::start(Options::default().with_databases(databases)).unwrap();
    embedded.grow("defaultdb", 20);
    for database in databases {
        embedded.grow(database, 20);
    }
    embedded
}

/// An auditor in this process, so that its cycles can be told apart.
fn auditor(embedded: &Embedded, dir: &Path) -> Auditor {
    auditor_until(embedded, dir, &Stop::new())
}

fn auditor_until(embedded: &Embedded, dir: &Path, stop: &Stop) -> Auditor {
    let endpoint = Endpoint::on_loopback(embedded.port());
    let server = in_process::server(endpoint, Duration::from_secs(2), stop);
    let policy = Policy {
        max_range: 1000,
        ..Policy::of_consistency()
    };
    Auditor::new(server, in_process::store(dir), policy)
}

const INCONSISTENT: Verdict = Verdict::Tampered(Tampering::Inconsistent);

fn verdict(cycle: &Cycle, database: &str) -> Verdict {
    let of = |outcome: &&immuaudit::audit::Outcome| outcome.database == database;
    cycle.outcomes.iter().find(of).expect(database).verdict
}

fn calls(embedded: &Embedded, name: &'static str) -> u64 {
    embedded.calls().get(name).copied().unwrap_or(0)
}

#[test]
fn a_hundred_databases_cost_one_call_each_where_nothing_changed_and_two_where_something_did() {
    let names: Vec<String> = (0..99).map(|number| format!("db{number}")).collect();
    let embedded = ledger(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let place = Place::new();
    let mut auditor = auditor(&embedded, place.path());
    let first = auditor.cycle(|_| {});
    assert_eq!((first.outcomes.len(), first.exit()), (100, Exit::Good));

    embedded.reset_calls();
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
    assert_eq!(calls(&embedded, method::CURRENT_STATE), 100);
    assert_eq!(calls(&embedded, method::DATABASE_LIST), 1);
    assert_eq!(
        embedded.calls().values().sum::<u64>(),
        101,
        "{:?}",
        embedded.calls()
    );

    for name in &names {
        embedded.grow(name, 3);
    }
    embedded.reset_calls();
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
    assert_eq!(calls(&embedded, method::CURRENT_STATE), 100);
    assert_eq!(calls(&embedded, method::VERIFIABLE_TX_BY_ID), 99);
    assert_eq!(
        embedded.calls().values().sum::<u64>(),
        200,
        "{:?}",
        embedded.calls()
    );
}

#[test]
fn a_forgotten_token_is_renewed_once_a_cycle_and_database() {
    let embedded = ledger(&["other"]);
    let place = Place::new();
    let mut auditor = auditor(&embedded, place.path());
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
    embedded.forget_tokens();
    embedded.reset_calls();
    let cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.exit(), Exit::Good, "{cycle:?}");
    assert_eq!(calls(&embedded, method::LOGIN), 1);
    assert_eq!(calls(&embedded, method::USE_DATABASE), 2);

    embedded.lie(Telling::from(Lie::ForgottenTokens));
    embedded.reset_calls();
    let cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.exit(), Exit::Incomplete);
    assert!(
        embedded.calls().values().sum::<u64>() < 20,
        "{:?}",
        embedded.calls()
    );
    embedded.be_honest();
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
}

#[test]
fn a_server_that_has_sessions_alone_is_audited_by_a_session_a_database() {
    let options = Options {
        server: Emulated::WithoutLogin,
        ..Options::default()
    };
    let embedded = Embedded::start(options.with_databases(&["other"])).unwrap();
    embedded.grow("defaultdb", 5);
    embedded.grow("other", 5);
    let place = Place::new();
    let mut auditor = auditor(&embedded, place.path());
    let cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.exit(), Exit::Good, "{cycle:?}");
    assert_eq!(calls(&embedded, method::OPEN_SESSION), 2);
    embedded.grow("other", 5);
    embedded.reset_calls();
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
    assert_eq!(
        calls(&embedded, method::OPEN_SESSION),
        0,
        "kept across cycles"
    );
    embedded.forget_tokens();
    let cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.exit(), Exit::Good, "{cycle:?}");
}

#[test]
fn a_database_that_never_answers_delays_no_other_twice() {
    let embedded = ledger(&["other"]);
    let place = Place::new();
    let mut auditor = auditor(&embedded, place.path());
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
    embedded.lie(Telling::from(Lie::NeverAnswers).of("defaultdb"));
    let mut order = Vec::new();
    let cycle = auditor.cycle(|outcome| order.push(outcome.database.clone()));
    assert_eq!(verdict(&cycle, "defaultdb"), Verdict::Unreachable);
    assert_eq!(verdict(&cycle, "other"), Verdict::Consistent);
    order.clear();
    auditor.cycle(|outcome| order.push(outcome.database.clone()));
    assert_eq!(order, ["other", "defaultdb"], "the slow one goes last");
}

#[test]
fn a_moved_data_directory_is_consistent_with_a_warning() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    embedded.change_uuid();
    embedded.grow("defaultdb", 1);
    let run = audit.once();
    run.is(0, "defaultdb", "consistent");
    assert!(run.stderr.contains("identity changed"), "{run:#?}");
    let run = audit.once();
    assert!(
        !run.stderr.contains("identity changed"),
        "told once: {run:#?}"
    );
}

#[test]
fn an_identity_that_is_filed_under_another_name_is_warned_about() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    let run = audit.with(&["--server-name", "renamed"]).once();
    run.is(0, "defaultdb", "first-seen");
    assert!(
        run.stderr.contains("already audited under the name"),
        "{run:#?}"
    );
    assert!(run.stderr.contains("tested"), "{run:#?}");
}

#[test]
fn a_pin_starts_from_a_known_state_and_is_held_against_the_trusted_one() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let known = embedded.state("defaultdb").unwrap();
    let pin = format!("defaultdb:{known}");
    embedded.grow("defaultdb", 20);
    let audit = Program::new(embedded.port(), &place.join("trust"));
    let pinned = audit.with(&["--pin", &pin]);
    // from the pin on there is no first sight, and repeating it is harmless
    pinned.once().is(0, "defaultdb", "consistent");
    pinned.once().is(0, "defaultdb", "consistent");
    audit.once().is(0, "defaultdb", "consistent");

    let other = format!("defaultdb:{}:{}", known.tx, "ab".repeat(32));
    let wrong = audit.with(&["--pin", &other]).once();
    wrong.is(2, "defaultdb", "split-view");
    assert!(wrong.reason("defaultdb").contains("mistyped"), "{wrong:#?}");

    let fresh = Program::new(embedded.port(), &place.join("fresh"));
    fresh
        .with(&["--pin", &other])
        .once()
        .is(2, "defaultdb", "inconsistent");
}

#[test]
fn a_pin_that_the_server_has_not_reached_contradicts_it() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    // known from elsewhere, and the server was rolled back before we first saw it
    let pin = format!("defaultdb:100:{}", "ab".repeat(32));
    let run = audit.with(&["--pin", &pin]).once();
    run.is(2, "defaultdb", "split-view");
    assert!(
        run.reason("defaultdb").contains("fewer transactions"),
        "{run:#?}"
    );
    // the checking goes on all the same
    embedded.grow("defaultdb", 3);
    let run = audit.with(&["--pin", &pin]).once();
    assert_eq!(member(run.line("defaultdb"), "tx"), "23");
}

#[test]
fn a_pin_is_held_until_it_is_proven() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let pin = format!("defaultdb:{}", embedded.state("defaultdb").unwrap());
    embedded.grow("defaultdb", 20);
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().is(0, "defaultdb", "first-seen");
    embedded.lie(Telling::from(Lie::Excuse));
    let pinned = audit.with(&["--pin", &pin]);
    pinned.once().is(1, "defaultdb", "malformed");
    pinned.once().is(1, "defaultdb", "malformed");
    embedded.be_honest();
    pinned.once().is(0, "defaultdb", "consistent");
}

#[test]
fn a_pinned_database_that_is_not_there_has_vanished() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    let pin = format!("shop:7:{}", "ab".repeat(32));
    let run = audit.with(&["--pin", &pin]).once();
    run.is(2, "shop", "rolled-back");
    assert_eq!(run.reason("shop"), "vanished");
    assert_eq!(run.verdict("defaultdb"), "first-seen");
}

#[test]
fn what_was_trusted_and_is_nowhere_to_be_found_is_no_first_sight() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    let roots = |name: &str| audit.with(&["--roots-filepath", place.join(name).to_str().unwrap()]);
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
fn a_damaged_list_of_alarms_hides_no_other_databases_alarm() {
    let embedded = ledger(&["aaa"]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().ends_with(0);
    embedded.lie(Lie::Fork);
    audit
        .once()
        .is(2, "aaa", "inconsistent")
        .is(2, "defaultdb", "inconsistent");
    fs::write(place.join("trust/tested/aaa.alarms"), "no alarms here\n").unwrap();
    let run = audit.run(&["status"]);
    run.ends_with(2);
    assert!(run.stdout.contains("OPEN ALARM"), "{run:#?}");
    audit.once().is(2, "aaa", "inconsistent");
}

/// However quick the answers are: each call looks whether it is still wanted.
#[test]
fn a_program_that_is_asked_to_end_makes_no_more_calls() {
    let embedded = ledger(&["shop"]);
    let place = Place::new();
    let stop = Stop::new();
    let mut auditor = auditor_until(&embedded, &place.join("trust"), &stop);
    assert!(!auditor.cycle(|_| {}).stopped);
    embedded.reset_calls();
    let mut told = 0;
    let cycle = auditor.cycle(|_| {
        told += 1;
        stop.request();
    });
    assert!(cycle.stopped);
    assert_eq!((told, cycle.outcomes.len()), (1, 1));
}

/// A 0.9.0 that is asked by several at once mixes up what it answers; no newer server does.
#[test]
fn a_0_9_0_is_accused_of_what_it_shows_twice_and_a_newer_server_of_what_it_shows_once() {
    for (server, shown, due) in [
        (Emulated::V0_9_0, 1, Verdict::Consistent),
        (Emulated::V0_9_0, 2, INCONSISTENT),
        (Emulated::V0_9_2, 1, INCONSISTENT),
        (Emulated::V1_11_1, 1, INCONSISTENT),
    ] {
        let options = Options {
            server,
            ..Options::default()
        };
        let embedded = Embedded::start(options).unwrap();
        embedded.grow("defaultdb", 20);
        let place = Place::new();
        let mut auditor = auditor(&embedded, &place.join("trust"));
        let first = auditor.cycle(|_| {});
        assert_eq!(verdict(&first, "defaultdb"), Verdict::FirstSeen);
        embedded.grow("defaultdb", 5);
        let lie = Telling::from(Lie::FlippedProof).in_call(method::VERIFIABLE_TX_BY_ID);
        embedded.lie(lie.times(shown));
        let cycle = auditor.cycle(|_| {});
        assert_eq!(verdict(&cycle, "defaultdb"), due, "{server:?} {shown}");
    }
}

#[test]
fn a_database_whose_name_is_a_command_is_quoted_where_a_command_is_suggested() {
    let name = "x;touch${IFS}evil";
    let embedded = ledger(&[name]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().ends_with(0);
    embedded.lie(Lie::Rollback);
    let run = audit.run(&["--once"]);
    run.ends_with(2);
    assert!(run.stdout.contains(&format!("'{name}'")), "{run:#?}");
    assert!(audit.run(&["status"]).stdout.contains(&format!("'{name}'")));
}

#[test]
fn a_first_sight_is_refused_where_trust_is_required() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    let required = audit.with(&["--require-trusted"]);
    required.once().is(1, "defaultdb", "refused");
    audit.once().is(0, "defaultdb", "first-seen");
    required.once().is(0, "defaultdb", "consistent");
}

#[test]
fn an_empty_database_is_empty_and_its_first_transaction_a_first_sight() {
    let embedded = ledger(&[]);
    embedded.create_database("new");
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().is(0, "new", "empty");
    embedded.grow("new", 1);
    audit.once().is(0, "new", "first-seen");
    embedded.create_database("new"); // emptied
    let run = audit.once();
    run.is(2, "new", "rolled-back");
    assert_eq!(run.reason("new"), "emptied");
}

#[test]
fn only_selected_databases_are_audited_and_can_vanish() {
    let embedded = ledger(&["shop1", "shop2", "bank"]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
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
fn a_vanished_database_that_is_accepted_is_trusted_no_more() {
    let embedded = ledger(&["gone"]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().ends_with(0);
    embedded.drop_database("gone");
    let run = audit.once();
    run.is(2, "gone", "rolled-back");
    accept(&audit, "gone");
    audit.once().ends_with(0);
    embedded.create_database("gone");
    embedded.grow("gone", 1);
    audit.once().is(0, "gone", "first-seen");
}

/// Accepts the one open alarm of a database.
fn accept(audit: &Program, database: &str) {
    let status = audit.run(&["status", "--json"]);
    let alarms = status.line(database).split("\"open_alarms\":[\"").nth(1);
    let alarm = alarms
        .expect("an open alarm")
        .get(..12)
        .expect("its id")
        .to_owned();
    audit
        .run(&["accept", database, "--alarm", &alarm])
        .ends_with(0);
}

#[test]
fn a_hidden_database_is_told_and_an_accepted_one_is_still_trusted() {
    let embedded = ledger(&["hidden"]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().ends_with(0);
    embedded.lie(Telling::from(Lie::Hidden).of("hidden"));
    let run = audit.once();
    run.is(2, "hidden", "rolled-back");
    assert_eq!(run.reason("hidden"), "hidden");
    accept(&audit, "hidden");
    embedded.be_honest();
    audit.once().is(0, "hidden", "consistent");
}

#[test]
fn a_server_that_was_never_reached_has_a_line_of_its_own() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = nobody.local_addr().expect("its address").port();
    drop(nobody);
    let place = Place::new();
    let run = Program::new(port, &place.join("trust")).once();
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
fn a_permission_taken_away_is_refused_and_not_accused() {
    let embedded = ledger(&["taken"]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().ends_with(0);
    embedded.set_access("taken", Access::Denied);
    audit.once().is(1, "taken", "refused");
}

#[test]
fn an_open_alarm_keeps_the_exit_code_while_the_checking_goes_on() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
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
    // what was proven meanwhile is not taken back by accepting the older finding
    accept(&audit, "defaultdb");
    let run = audit.once();
    run.is(0, "defaultdb", "consistent");
    assert_eq!(member(run.line("defaultdb"), "previous_hash"), before);
}

#[test]
fn not_proven_for_three_intervals_is_overdue_whatever_the_excuse() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
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
        "--audit-expect-growth",
        "1s",
    ]);
    running.wait_for("overdue: no new transaction for");
}

#[test]
fn the_loop_ends_within_a_moment_whatever_it_waits_for() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    for signal in ["TERM", "INT"] {
        let mut sleeping = audit.start(&["audit-mode", "--audit-interval", "1h"]);
        sleeping.wait_for("cycle ");
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
fn a_second_auditor_is_kept_out_by_name() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    let mut running = audit.start(&["audit-mode", "--audit-interval", "1h"]);
    running.wait_for("cycle ");
    let second = audit.once();
    second.ends_with(3);
    let id = running.id().to_string();
    assert!(
        second.stderr.contains(&id) && second.stderr.contains("tested"),
        "{second:#?}"
    );
    // reading and accepting need no such lock
    audit.run(&["status"]).ends_with(0);
    running.signal("KILL");
    running.end();
    audit.once().is(0, "defaultdb", "consistent");
}

#[test]
fn wrong_usage_ends_with_three_and_names_the_nearest_flag() {
    let place = Place::new();
    let audit = Program::new(1, &place.join("trust"));
    let run = audit.with(&["--audit-intervall", "5m"]).once();
    run.ends_with(3);
    assert!(run.stderr.contains("--audit-interval"), "{run:#?}");
    assert_eq!(run.stdout, "");
    assert!(!place.join("trust").exists(), "nothing was started");
}

#[test]
fn of_a_flag_given_twice_the_last_counts() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let port = embedded.port().to_string();
    let audit = Program::new(1, &place.join("trust")).with(&["-p", "2", "--immudb-port", &port]);
    audit.once().is(0, "defaultdb", "first-seen");
}

#[test]
fn a_damaged_state_stops_its_own_database_alone_and_is_never_a_first_sight() {
    let embedded = ledger(&["other"]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
    audit.once().ends_with(0);
    let file = place.join("trust/tested/defaultdb.state");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let run = audit.once();
    run.is(3, "defaultdb", "local-failure");
    assert_eq!(run.verdict("other"), "consistent");
    assert!(
        run.reason("defaultdb").contains("--pin"),
        "says how to recover: {run:#?}"
    );
    fs::remove_file(&file).unwrap();
    audit.once().is(3, "defaultdb", "local-failure");
}

#[test]
fn quiet_says_nothing_where_all_is_well() {
    let embedded = ledger(&[]);
    let place = Place::new();
    let audit = Program::new(embedded.port(), &place.join("trust"));
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
