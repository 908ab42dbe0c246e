//! Transactions that stay unread for a while because calls are slow, in simulated time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::{Simulation, taking};
use immuaudit::audit::{Policy, SweepStatus, Verdict};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Delivery, Emulated, Lag, Options, Sent};

const DATABASE: &str = "defaultdb";
const MINUTE: Duration = Duration::from_secs(60);
const TRANSACTIONS: u64 = 60;

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
        let progress = auditor.values_read(DATABASE);
        let due = progress.map_or(0, |progress| progress.due.count());
        (cycle.outcomes[0].verdict, due)
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
        let progress = auditor.values_read(DATABASE);
        left += progress.map_or(0, |progress| progress.due.count());
        let rest = MINUTE.saturating_sub(simulation.time.passed() - begin);
        simulation.time.advance(rest);
    }
    assert!(sweeps >= 2, "{sweeps} sweeps");
    assert!(left > 0, "no slice was too short for a proof");
}
