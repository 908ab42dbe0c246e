//! The cached list of databases. In fast cycles without findings it is requested only every tenth
//! time, and changes of the list are still found. In simulated time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::support::ledgers::calls;
use crate::support::simulated::{Simulation, taking};
use immuaudit::audit::{Auditor, Cycle, Exit, Outcome, Policy, Verdict};
use immuaudit::drill::{Delivery, Lie, LieSchedule, Options};
use immuaudit::trust::Tampering;
use immuaudit::wire::method;

const DATABASE: &str = "defaultdb";
const OTHER: &str = "otherdb";
const DELAY: Duration = Duration::from_millis(5);
const SECOND: Duration = Duration::from_secs(1);
/// The number of cycles within which each change of the list is seen.
const MAX_CYCLES: u32 = 10;

fn every(interval: Duration) -> Policy {
    Policy {
        interval,
        ..Policy::of_consistency()
    }
}

/// Returns a ledger of two databases, and an auditor that trusts both and caches the list.
fn scene(interval: Duration) -> (Simulation, Auditor) {
    let simulation = Simulation::new(Options::default().with_databases(&[OTHER]));
    simulation.embedded.grow(DATABASE, 3);
    simulation.embedded.grow(OTHER, 3);
    let auditor = simulation.auditor(every(interval), taking(DELAY));
    let mut auditor = auditor.keeping_the_list();
    for _ in 0..3 {
        cycle(&simulation, &mut auditor);
    }
    (simulation, auditor)
}

fn cycle(simulation: &Simulation, auditor: &mut Auditor) -> Cycle {
    let cycle = auditor.cycle(|_| {});
    simulation.time.advance(cycle.interval);
    cycle
}

/// Returns how many lists are requested in `cycles` cycles.
fn lists(simulation: &Simulation, auditor: &mut Auditor, cycles: u32) -> u64 {
    simulation.embedded.reset_calls();
    for _ in 0..cycles {
        assert_eq!(cycle(simulation, auditor).exit(), Exit::Good);
    }
    calls(&simulation.embedded, method::DATABASE_LIST)
}

/// Returns the number of the first cycle in which a database has this verdict.
fn cycles_until(
    simulation: &Simulation,
    auditor: &mut Auditor,
    database: &str,
    verdict: Verdict,
) -> Option<u32> {
    (1..=MAX_CYCLES).find(|_| {
        let cycle = cycle(simulation, auditor);
        let mut outcomes = cycle.outcomes.iter();
        outcomes.any(|outcome| outcome.database == database && outcome.verdict == verdict)
    })
}

#[test]
fn without_changes_only_every_tenth_cycle_requests_the_list() {
    for interval in [SECOND / 50, SECOND / 2] {
        let (simulation, mut auditor) = scene(interval);
        let states = |simulation: &Simulation| calls(&simulation.embedded, method::CURRENT_STATE);
        assert_eq!(lists(&simulation, &mut auditor, 100), 10, "{interval:?}");
        assert_eq!(
            states(&simulation),
            200,
            "{interval:?}: both states in every cycle"
        );
        simulation.embedded.grow(OTHER, 1);
        assert!(lists(&simulation, &mut auditor, 100) <= 11, "{interval:?}");
    }
}

#[test]
fn no_list_is_older_than_ten_seconds() {
    for (interval, asked) in [(3 * SECOND, 25), (10 * SECOND, 100), (300 * SECOND, 100)] {
        let (simulation, mut auditor) = scene(interval);
        let lists = lists(&simulation, &mut auditor, 100);
        assert!(lists.abs_diff(asked) <= 1, "{interval:?}: {lists}");
    }
}

#[test]
fn a_new_database_is_found_within_ten_cycles() {
    let (simulation, mut auditor) = scene(SECOND);
    simulation.embedded.create_database("fresh");
    simulation.embedded.grow("fresh", 1);
    let seen = cycles_until(&simulation, &mut auditor, "fresh", Verdict::FirstSeen);
    assert!(seen.is_some());
}

#[test]
fn a_database_that_is_no_longer_listed_is_found_within_ten_cycles() {
    let (simulation, mut auditor) = scene(SECOND);
    simulation.embedded.lie(LieSchedule::from(Lie::Hidden));
    let hidden = Verdict::Tampered(Tampering::RolledBack);
    let seen = cycles_until(&simulation, &mut auditor, DATABASE, hidden);
    assert!(seen.is_some());
}

#[test]
fn a_database_that_another_command_trusts_is_checked_immediately() {
    let (simulation, mut auditor) = scene(SECOND);
    cycle(&simulation, &mut auditor);
    let state = simulation.embedded.state(OTHER).expect("a state");
    let other_command = simulation.shared_store();
    let pinned = other_command.pin("third", state, simulation.clock.now());
    pinned.expect("it is trusted");
    let cycle = cycle(&simulation, &mut auditor);
    let third = |outcome: &&Outcome| outcome.database == "third";
    let third = cycle.outcomes.iter().find(third).expect("an outcome");
    assert_eq!(third.verdict, Verdict::Tampered(Tampering::RolledBack));
}

#[test]
fn a_missing_state_requests_the_list_immediately() {
    for database in [DATABASE, OTHER] {
        let (simulation, mut auditor) = scene(SECOND);
        simulation.embedded.drop_database(database);
        let vanished = Verdict::Tampered(Tampering::RolledBack);
        let seen = cycles_until(&simulation, &mut auditor, database, vanished);
        // the next cycle, if this database is not the first one that is checked
        assert!(seen.is_some_and(|seen| seen <= 2), "{database}: {seen:?}");
        assert!(lists(&simulation, &mut auditor, 0) == 0);
    }
}

#[test]
fn an_unreachable_server_is_reported_as_a_list_error() {
    let simulation = Simulation::new(Options::default());
    simulation.embedded.grow(DATABASE, 3);
    let away = Rc::new(Cell::new(false));
    let network = {
        let away = Rc::clone(&away);
        move |_: &immuaudit::drill::Sent<'_>| match away.get() {
            true => Delivery::Refused(Duration::ZERO),
            false => Delivery::After(DELAY),
        }
    };
    let auditor = simulation.auditor(every(SECOND), network);
    let mut auditor = auditor.keeping_the_list();
    for _ in 0..5 {
        assert_eq!(cycle(&simulation, &mut auditor).exit(), Exit::Good);
    }
    away.set(true);
    assert!(cycle(&simulation, &mut auditor).list_error.is_some());
    away.set(false);
    assert!(cycle(&simulation, &mut auditor).list_error.is_none());
}

#[test]
fn a_cycle_with_a_finding_requests_the_list_again() {
    let (simulation, mut auditor) = scene(SECOND);
    simulation.embedded.lie(LieSchedule::from(Lie::Rollback));
    simulation.embedded.reset_calls();
    for _ in 0..5 {
        assert_ne!(cycle(&simulation, &mut auditor).exit(), Exit::Good);
    }
    assert!(calls(&simulation.embedded, method::DATABASE_LIST) >= 4);
}

#[test]
fn without_caching_every_cycle_requests_the_list() {
    let (simulation, auditor) = scene(SECOND);
    drop(auditor);
    let mut auditor = simulation.auditor(every(SECOND), taking(DELAY));
    assert_eq!(lists(&simulation, &mut auditor, 20), 20);
}
