//! The calls of a cycle: their number, their tokens, their order, and their repetition after an
//! error. The auditor runs in the test's process, so that single cycles can be counted.

use std::path::Path;
use std::time::Duration;

use crate::support::in_process;
use crate::support::ledgers::{calls, ledger, ledger_with};
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Cycle, Exit, Policy, Verdict};
use immuaudit::drill::{Embedded, Emulated, Lie, LieSchedule, Options};
use immuaudit::server::Endpoint;
use immuaudit::stop::Stop;
use immuaudit::trust::Tampering;
use immuaudit::wire::method;

/// Returns an auditor in this process, so that the calls of each cycle can be counted.
fn auditor(embedded: &Embedded, dir: &Path) -> Auditor {
    auditor_until(embedded, dir, &Stop::new())
}

fn auditor_until(embedded: &Embedded, dir: &Path, stop: &Stop) -> Auditor {
    let endpoint = Endpoint::on_loopback(embedded.port());
    let server = in_process::server(endpoint, Duration::from_secs(2), stop);
    let policy = Policy {
        max_fetch: 1000,
        ..Policy::of_consistency()
    };
    Auditor::new(server, in_process::store(dir), policy)
}

const INCONSISTENT: Verdict = Verdict::Tampered(Tampering::Inconsistent);

fn verdict(cycle: &Cycle, database: &str) -> Verdict {
    let of = |outcome: &&immuaudit::audit::Outcome| outcome.database == database;
    cycle.outcomes.iter().find(of).expect(database).verdict
}

#[test]
fn an_unchanged_database_costs_one_call_and_a_changed_one_two() {
    let names: Vec<String> = (0..99).map(|number| format!("db{number}")).collect();
    let embedded = ledger(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let folder = TempDir::new();
    let mut auditor = auditor(&embedded, folder.path());
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
fn a_forgotten_token_is_renewed_once_per_cycle_and_database() {
    let embedded = ledger(&["other"]);
    let folder = TempDir::new();
    let mut auditor = auditor(&embedded, folder.path());
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
    embedded.forget_tokens();
    embedded.reset_calls();
    let cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.exit(), Exit::Good, "{cycle:?}");
    assert_eq!(calls(&embedded, method::LOGIN), 1);
    assert_eq!(calls(&embedded, method::USE_DATABASE), 2);

    embedded.lie(LieSchedule::from(Lie::ForgottenTokens));
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
fn a_server_with_only_sessions_is_audited_by_one_per_database() {
    let options = Options {
        server: Emulated::WithoutLogin,
        ..Options::default()
    };
    let embedded = ledger_with(options, &["other"], 5);
    let folder = TempDir::new();
    let mut auditor = auditor(&embedded, folder.path());
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
fn a_silent_database_delays_the_others_only_once() {
    let embedded = ledger(&["other"]);
    let folder = TempDir::new();
    let mut auditor = auditor(&embedded, folder.path());
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
    embedded.lie(LieSchedule::from(Lie::NeverAnswers).of("defaultdb"));
    let mut order = Vec::new();
    let cycle = auditor.cycle(|outcome| order.push(outcome.database.clone()));
    assert_eq!(verdict(&cycle, "defaultdb"), Verdict::Unreachable);
    assert_eq!(verdict(&cycle, "other"), Verdict::Consistent);
    order.clear();
    auditor.cycle(|outcome| order.push(outcome.database.clone()));
    assert_eq!(
        order,
        ["other", "defaultdb"],
        "the slow database comes last"
    );
}

/// Responses may be fast: the stop is checked before each call.
#[test]
fn a_stopping_program_makes_no_more_calls() {
    let embedded = ledger(&["shop"]);
    let folder = TempDir::new();
    let stop = Stop::new();
    let mut auditor = auditor_until(&embedded, &folder.join("trust"), &stop);
    assert!(!auditor.cycle(|_| {}).stopped);
    embedded.reset_calls();
    let mut count = 0;
    let cycle = auditor.cycle(|_| {
        count += 1;
        stop.request();
    });
    assert!(cycle.stopped);
    assert_eq!((count, cycle.outcomes.len()), (1, 1));
}

/// A 0.9.0 confuses its responses to concurrent callers; no newer server does.
#[test]
fn a_0_9_0_must_show_an_invalid_proof_twice_before_it_counts() {
    for (server, shown, expected) in [
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
        let folder = TempDir::new();
        let mut auditor = auditor(&embedded, &folder.join("trust"));
        let first = auditor.cycle(|_| {});
        assert_eq!(verdict(&first, "defaultdb"), Verdict::FirstSeen);
        embedded.grow("defaultdb", 5);
        let lie = LieSchedule::from(Lie::FlippedProof).in_call(method::VERIFIABLE_TX_BY_ID);
        embedded.lie(lie.times(shown));
        let cycle = auditor.cycle(|_| {});
        assert_eq!(verdict(&cycle, "defaultdb"), expected, "{server:?} {shown}");
    }
}
