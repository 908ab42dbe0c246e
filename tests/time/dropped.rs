//! Values that are dropped while a check or a sweep runs: the next check finds the reason in the ledger. In
//! simulated time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::backlog::due;
use crate::support::simulated::{Simulation, taking, with_every_value};
use crate::support::value_scene::truncation;
use immuaudit::audit::{Auditor, Policy, SweepStatus, Verdict};
use immuaudit::config::Values;
use immuaudit::drill::{Delivery, Options, Sent};
use immuaudit::wire::method;

const DATABASE: &str = "defaultdb";
const MINUTE: Duration = Duration::from_secs(60);
const TRANSACTIONS: u64 = 60;

/// Runs a cycle, and returns its verdict and how many transactions are due then.
fn verdict_and_due(auditor: &mut Auditor) -> (Verdict, u64) {
    let cycle = auditor.cycle(|_| {});
    (cycle.outcomes[0].verdict, due(auditor))
}

/// Continues a paced sweep until it keeps its pace. No slice may report anything.
#[track_caller]
fn sweep_quietly(auditor: &mut Auditor, until: Instant) {
    loop {
        let slice = auditor.sweep_at_pace(until);
        assert!(slice.outcome.is_none(), "{slice:?}");
        if slice.status == SweepStatus::NotDue {
            break;
        }
    }
}

/// Returns a policy with an interval of an hour, which only sweeps.
fn swept_in_two_hours() -> Policy {
    Policy {
        interval: 60 * MINUTE,
        values: Values {
            sweep: Some(120 * MINUTE),
            ..Values::NONE
        },
        ..Policy::of_consistency()
    }
}

/// Found by the simulation: the header that records the truncation is after the trusted state, which is replaced only
/// by a check.
#[test]
fn a_paced_sweep_leaves_newly_dropped_values_to_the_next_check() {
    let simulation = Simulation::new(Options::default());
    simulation.embedded.grow(DATABASE, TRANSACTIONS);
    let mut auditor = simulation.auditor(swept_in_two_hours(), taking(Duration::from_millis(20)));
    // whether a slice left values to the next check, and that check's verdict
    let half_an_hour_and_a_check = |auditor: &mut Auditor| {
        simulation.time.advance(30 * MINUTE);
        let until = simulation.clock.instant() + 30 * MINUTE;
        sweep_quietly(auditor, until);
        let left = due(auditor);
        simulation.time.advance(30 * MINUTE);
        let verdict = auditor.cycle(|_| {}).outcomes[0].verdict;
        (left > 0, verdict, due(auditor) > 0)
    };
    assert_eq!(
        auditor.cycle(|_| {}).outcomes[0].verdict,
        Verdict::FirstSeen
    );
    simulation.embedded.write(DATABASE, truncation(11));
    simulation.embedded.drop_values_before(DATABASE, 11);
    let passed = half_an_hour_and_a_check(&mut auditor);
    assert_eq!(passed, (true, Verdict::Consistent, false));
    // no header records that these values were dropped
    simulation.embedded.grow(DATABASE, 1);
    simulation.embedded.drop_values_before(DATABASE, 40);
    let passed = half_an_hour_and_a_check(&mut auditor);
    assert_eq!(passed, (true, Verdict::Unread, true));
}

/// An operator's sweep that was interrupted, and that the auditor continues.
#[test]
fn an_operators_sweep_that_is_continued_leaves_dropped_values_to_the_next_check() {
    let simulation = Simulation::new(Options::default());
    simulation.embedded.grow(DATABASE, 200);
    let slow = taking(Duration::from_millis(450));
    let mut operator = simulation.auditor(swept_in_two_hours(), slow);
    operator.cycle(|_| {});
    let slice = operator.sweep(DATABASE);
    let is_begun = matches!(slice.status, SweepStatus::InProgress { at, .. } if at < 100);
    assert!(is_begun, "{slice:?}");
    drop(operator);
    let mut auditor = simulation.auditor(swept_in_two_hours(), taking(Duration::from_millis(20)));
    let verdict = auditor.cycle(|_| {}).outcomes[0].verdict;
    assert_eq!(verdict, Verdict::Consistent);
    simulation.embedded.write(DATABASE, truncation(101));
    simulation.embedded.drop_values_before(DATABASE, 101);
    simulation.time.advance(60 * MINUTE);
    let until = simulation.clock.instant() + 30 * MINUTE;
    sweep_quietly(&mut auditor, until);
    assert!(due(&auditor) > 0);
    let verdict = auditor.cycle(|_| {}).outcomes[0].verdict;
    assert_eq!((verdict, due(&auditor)), (Verdict::Consistent, 0));
}

/// Found by the simulation. If the ledger has not grown, no later header can record a truncation, and the check
/// reports the refusal immediately.
#[test]
fn a_check_leaves_values_that_are_dropped_meanwhile_to_the_next_check() {
    let simulation = Rc::new(Simulation::new(Options::default()));
    simulation.embedded.grow(DATABASE, TRANSACTIONS);
    let happens = Rc::new(Cell::new(None));
    let (event, ledger) = (happens.clone(), simulation.clone());
    let network = move |sent: &Sent<'_>| {
        let event = (sent.call == method::TX_SCAN).then(|| event.take());
        if let Some((dropped, grows)) = event.flatten() {
            if grows {
                ledger.embedded.grow(DATABASE, 1);
            }
            ledger.embedded.drop_values_before(DATABASE, dropped);
        }
        Delivery::After(Duration::from_millis(20))
    };
    let mut auditor = simulation.auditor(with_every_value(), network);
    let mut cycle = || verdict_and_due(&mut auditor);
    assert_eq!(cycle(), (Verdict::FirstSeen, 0));
    simulation.embedded.write(DATABASE, truncation(11));
    happens.set(Some((11, false)));
    assert_eq!(cycle(), (Verdict::Consistent, 0), "the header is trusted");
    // the ledger grows, but no header records that these values were dropped
    happens.set(Some((21, true)));
    assert_eq!(cycle(), (Verdict::Consistent, 10));
    assert_eq!(cycle(), (Verdict::Unread, 10));
    happens.set(Some((31, false)));
    assert_eq!(cycle(), (Verdict::Unread, 20));
    simulation.embedded.write(DATABASE, truncation(31));
    assert_eq!(cycle(), (Verdict::Consistent, 0));
    // the header itself is written during the check
    happens.set(Some((41, true)));
    assert_eq!(cycle(), (Verdict::Consistent, 10));
    simulation.embedded.write(DATABASE, truncation(41));
    assert_eq!(cycle(), (Verdict::Consistent, 0));
}

/// A server that grows during every check could otherwise put off the report for ever.
#[test]
fn a_refusal_of_values_is_left_to_the_next_check_only_once() {
    let simulation = Rc::new(Simulation::new(Options::default()));
    simulation.embedded.grow(DATABASE, TRANSACTIONS);
    let ledger = simulation.clone();
    let network = move |sent: &Sent<'_>| {
        if sent.call == method::TX_SCAN {
            ledger.embedded.grow(DATABASE, 1);
        }
        Delivery::After(Duration::from_millis(20))
    };
    let mut auditor = simulation.auditor(with_every_value(), network);
    let mut cycle = || verdict_and_due(&mut auditor);
    assert_eq!(cycle(), (Verdict::FirstSeen, 0));
    simulation.embedded.drop_values_before(DATABASE, 11);
    assert_eq!(cycle(), (Verdict::Consistent, 10));
    for _ in 0..3 {
        assert_eq!(cycle(), (Verdict::Unread, 10));
    }
}
