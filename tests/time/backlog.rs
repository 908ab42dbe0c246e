//! Transactions that stay unread for a while, because calls are slow, in simulated time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::{Simulation, taking};
use immuaudit::audit::{Auditor, Policy, SweepStatus, Verdict};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Delivery, Emulated, Lag, Lie, LieSchedule, NewEntry, Options, Sent};
use immuaudit::wire::method;

const DATABASE: &str = "defaultdb";
const MINUTE: Duration = Duration::from_secs(60);
const TRANSACTIONS: u64 = 60;

/// Returns how many transactions are due.
pub fn due(auditor: &Auditor) -> u64 {
    let progress = auditor.values_read(DATABASE);
    progress.map_or(0, |progress| progress.due.count())
}

/// Found by the simulation, whose rule demanded that all of them are read within five intervals.
/// With such a server one transaction takes a dozen successive calls, and hundreds may be due.
#[test]
fn a_backlog_of_slow_calls_is_read_once_calls_are_quick_again() {
    let simulation = Simulation::new(Options {
        server: Emulated::V1_2_4,
        lag: Lag::Batches(7),
        ..Options::default()
    });
    simulation.embedded.grow(DATABASE, TRANSACTIONS);
    let takes = Rc::new(Cell::new(Duration::from_millis(250)));
    let delay = takes.clone();
    let network = move |_: &Sent<'_>| Delivery::After(delay.get());
    let policy = Policy {
        interval: MINUTE,
        values: Values {
            sample: 1,
            new: NewValues::All,
            sweep: None,
        },
        ..Policy::of_consistency()
    };
    let mut auditor = simulation.auditor(policy, network);
    let mut minute = || {
        let begin = simulation.time.passed();
        let cycle = auditor.cycle(|_| {});
        let took = simulation.time.passed() - begin;
        simulation.time.advance(MINUTE.saturating_sub(took));
        (cycle.outcomes[0].verdict, due(&auditor))
    };
    minute();
    takes.set(Duration::from_millis(9_900));
    let left = (0..5 * 60).map(|_| minute().1).max().unwrap_or_default();
    assert!(left > TRANSACTIONS / 2, "{left} were due");
    takes.set(Duration::from_millis(250));
    // reading values may take half of a cycle, and a transaction takes four seconds at most
    let cycles = (0..15).find(|_| minute().1 == 0);
    assert!(cycles.is_some(), "some are still due");
    assert_eq!(minute(), (Verdict::Consistent, 0));
}

/// Found by the simulation: the verdict was `unread` after every slice and `consistent` after every
/// cycle. Each receiver was notified of both, 39,000 times in two weeks.
#[test]
fn a_paced_sweep_whose_slices_are_too_short_for_a_proof_changes_no_verdict() {
    let simulation = Simulation::new(Options {
        server: Emulated::V1_1_0,
        lag: Lag::By(3),
        ..Options::default()
    });
    let policy = Policy {
        interval: MINUTE,
        values: Values {
            sample: 1,
            new: NewValues::All,
            sweep: Some(60 * MINUTE),
        },
        ..Policy::of_consistency()
    };
    let mut auditor = simulation.auditor(policy, taking(Duration::from_millis(150)));
    simulation.embedded.grow(DATABASE, 40);
    let (mut sweeps, mut left) = (0, 0);
    for number in 0..200 {
        let begin = simulation.time.passed();
        let cycle = auditor.cycle(|_| {});
        let outcome = &cycle.outcomes[0];
        assert!(outcome.verdict.is_proven(), "{number}: {outcome:?}");
        assert_eq!(outcome.values_overdue, None, "{number}");
        let until = simulation.clock.instant() + MINUTE - (simulation.time.passed() - begin);
        loop {
            let slice = auditor.sweep_at_pace(until);
            assert!(slice.outcome.is_none(), "{number}: {slice:?}");
            match slice.status {
                SweepStatus::Completed(_) => sweeps += 1,
                SweepStatus::InProgress { .. } => {}
                _ => break,
            }
        }
        left += due(&auditor);
        let rest = MINUTE.saturating_sub(simulation.time.passed() - begin);
        simulation.time.advance(rest);
    }
    assert!(sweeps >= 2, "{sweeps} sweeps");
    assert!(left > 0, "no slice was too short for a proof");
}

/// An alarm that was closed after half of a transaction was read: the values before are read again, too,
/// since one of them caused the alarm.
#[test]
fn a_closed_alarm_restarts_the_reading_of_its_transaction() {
    const VALUES: u64 = 5_000;
    let simulation = Simulation::new(Options {
        server: Emulated::V1_1_0,
        ..Options::default()
    });
    simulation.embedded.grow(DATABASE, 5);
    let policy = Policy {
        interval: MINUTE,
        values: Values {
            new: NewValues::All,
            ..Values::NONE
        },
        ..Policy::of_consistency()
    };
    let mut auditor = simulation.auditor(policy, taking(Duration::from_millis(20)));
    let mut minute = || {
        let mut cycle = auditor.cycle(|_| {});
        simulation.time.advance(MINUTE);
        cycle.outcomes.remove(0)
    };
    minute();
    let many = (0..VALUES).map(|n| NewEntry::set(format!("key{n}"), "value"));
    let tx = simulation.embedded.commit(DATABASE, many.collect());
    let lie = LieSchedule::from(Lie::EditedValue).in_call(method::GET);
    simulation
        .embedded
        .lie(lie.about(tx.expect("a transaction")).times(1));
    let found = minute();
    assert!(found.verdict.is_tampering(), "{found:?}");
    assert!(found.values.is_some_and(|values| values.left.due == 1));
    let closed =
        simulation
            .shared_store()
            .close_alarms_of(DATABASE, "operator", simulation.clock.now());
    assert_eq!(closed.map(|closed| closed.len()), Ok(1));
    simulation.embedded.reset_calls();
    let is_read = (0..20).any(|_| minute().verdict == Verdict::Consistent);
    assert!(is_read);
    let calls = simulation.embedded.calls();
    let read = calls.get(method::GET).copied().unwrap_or_default();
    assert!(read >= VALUES, "{read}");
}
