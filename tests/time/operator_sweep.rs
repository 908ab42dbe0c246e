//! A sweep that an operator starts, over transactions that cannot be read at the first try, in simulated
//! time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::backlog::due;
use crate::support::simulated::{Simulation, taking};
use immuaudit::audit::{Auditor, Outcome, Policy, SweepStatus, Verdict};
use immuaudit::drill::{Delivery, Emulated, Lag, Lie, NewEntry, Options, Sent};
use immuaudit::trust::SweepSummary;
use immuaudit::wire::method;

const DATABASE: &str = "defaultdb";
const MINUTE: Duration = Duration::from_secs(60);
const TRANSACTIONS: u64 = 60;

/// The result of a sweep that an operator started.
#[derive(Debug)]
struct Swept {
    summary: SweepSummary,
    outcomes: Vec<Outcome>,
    due: u64,
    slices: u64,
}

/// Sweeps to the end, as `immuaudit sweep` does.
fn sweep(auditor: &mut Auditor) -> Swept {
    let (mut outcomes, mut slices) = (Vec::new(), 0);
    let summary = loop {
        let slice = auditor.sweep(DATABASE);
        slices += 1;
        assert!(slices < 10_000, "the sweep does not end");
        outcomes.extend(slice.outcome);
        match slice.status {
            SweepStatus::Completed(summary) => break summary,
            SweepStatus::InProgress { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    Swept {
        summary,
        outcomes,
        due: due(auditor),
        slices,
    }
}

/// Checks the state every minute, and reads no values on its own.
fn checked_every_minute() -> Policy {
    Policy {
        interval: MINUTE,
        ..Policy::of_consistency()
    }
}

/// There is no next cycle that could read the postponed transactions.
#[test]
fn an_operators_sweep_reads_postponed_transactions_before_it_ends() {
    for (server, lag, entries, takes) in [
        (Emulated::V1_1_0, Lag::By(3), 1, 150),
        (Emulated::V1_1_0, Lag::Batches(7), 1, 250),
        (Emulated::V1_2_4, Lag::Batches(7), 1, 900),
        (Emulated::V0_9_0, Lag::None, 1, 500),
        // the values of a large transaction are requested one by one
        (Emulated::V0_9_0, Lag::None, 200, 50),
        (Emulated::V1_1_0, Lag::By(3), 3_000, 50),
    ] {
        let what = format!("{server:?} {lag:?}, {entries} entries, {takes} ms");
        let simulation = Simulation::new(Options {
            server,
            lag,
            ..Options::default()
        });
        simulation.embedded.grow(DATABASE, 20);
        let many = (0..entries).map(|n| NewEntry::set(format!("key{n}"), "value"));
        simulation.embedded.commit(DATABASE, many.collect());
        simulation.embedded.grow(DATABASE, 20);
        let network = taking(Duration::from_millis(takes));
        let mut auditor = simulation.auditor(checked_every_minute(), network);
        auditor.cycle(|_| {});

        let swept = sweep(&mut auditor);
        assert!(swept.outcomes.is_empty(), "{what}: {:?}", swept.outcomes);
        assert_eq!((swept.summary.read, swept.summary.of), (41, 41), "{what}");
        assert_eq!(swept.due, 0, "{what}");
    }
}

/// An auditor that is slow for as long as every call takes nearly its deadline.
#[test]
fn an_operators_sweep_ends_although_proofs_take_too_long() {
    // a proof takes up to fifteen calls, which is more than an interval
    let simulation = Simulation::new(Options {
        server: Emulated::V1_1_0,
        lag: Lag::By(15),
        ..Options::default()
    });
    simulation.embedded.grow(DATABASE, 40);
    let takes = Rc::new(Cell::new(Duration::from_millis(10)));
    let delay = takes.clone();
    let network = move |_: &Sent<'_>| Delivery::After(delay.get());
    let mut auditor = simulation.auditor(checked_every_minute(), network);
    auditor.cycle(|_| {});
    takes.set(Duration::from_millis(9_900));
    let swept = sweep(&mut auditor);
    assert!(swept.due > 0);
    assert_eq!(swept.summary.read + swept.due, 40);
    let [outcome] = &swept.outcomes[..] else {
        panic!("{:?}", swept.outcomes);
    };
    assert_eq!(outcome.verdict, Verdict::Unread, "{outcome:?}");
    assert!(swept.slices < 100, "{} slices", swept.slices);
}

/// A server with long delays, on which the values of half of the ledger are missing without a reason.
#[test]
fn a_sweep_ends_although_each_call_takes_longer_than_a_slice() {
    for (lie, takes) in [
        (Lie::AbsentValues, 250),
        (Lie::AbsentValues, 900),
        (Lie::WithheldTransaction, 500),
    ] {
        let simulation = Simulation::new(Options::default());
        simulation.embedded.grow(DATABASE, TRANSACTIONS);
        let network = taking(Duration::from_millis(takes));
        let mut auditor = simulation.auditor(checked_every_minute(), network);
        auditor.cycle(|_| {});
        simulation.embedded.lie(lie);
        let swept = sweep(&mut auditor);
        assert!(swept.summary.read < TRANSACTIONS, "{lie:?}: {swept:?}");
    }
}

/// A transaction that a sweep passed unread, and that a check reads before the sweep continues, counts as read.
#[test]
fn a_transaction_that_a_check_reads_completes_an_interrupted_sweep() {
    let simulation = Simulation::new(Options {
        server: Emulated::V1_1_0,
        ..Options::default()
    });
    simulation.embedded.grow(DATABASE, TRANSACTIONS);
    let loses = Rc::new(Cell::new(false));
    let lost = loses.clone();
    let network = move |sent: &Sent<'_>| match lost.get() && sent.call != method::CURRENT_STATE {
        true => Delivery::Lost,
        false => Delivery::After(Duration::ZERO),
    };
    let mut auditor = simulation.auditor(checked_every_minute(), network);
    auditor.cycle(|_| {});
    loses.set(true);
    let is_due = |auditor: &Auditor| {
        let progress = auditor.values_read(DATABASE);
        progress.is_some_and(|progress| !progress.due.is_empty())
    };
    let slices: Vec<_> = (0..10)
        .map(|_| (auditor.sweep(DATABASE), is_due(&auditor)))
        .take_while(|(_, is_due)| !is_due)
        .collect();
    assert!(slices.len() < 10, "{slices:?}");
    drop(auditor);
    let mut auditor = simulation.auditor(checked_every_minute(), taking(Duration::ZERO));
    auditor.cycle(|_| {});
    let swept = sweep(&mut auditor);
    assert!(swept.outcomes.is_empty(), "{:?}", swept.outcomes);
    assert_eq!((swept.summary.read, swept.due), (TRANSACTIONS, 0));
}
