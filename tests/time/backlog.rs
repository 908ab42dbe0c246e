//! Transactions that stay unread for a while, because calls are slow or values were dropped, in simulated time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::support::simulated::{Simulation, taking};
use crate::support::value_scene::truncation;
use immuaudit::audit::{Auditor, Outcome, Policy, SweepStatus, Verdict};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Delivery, Emulated, Lag, Lie, LieSchedule, NewEntry, Options, Sent};
use immuaudit::trust::SweepSummary;
use immuaudit::wire::method;

const DATABASE: &str = "defaultdb";
const MINUTE: Duration = Duration::from_secs(60);
const TRANSACTIONS: u64 = 60;

/// Returns how many transactions are due.
fn due(auditor: &Auditor) -> u64 {
    let progress = auditor.values_read(DATABASE);
    progress.map_or(0, |progress| progress.due.count())
}

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

/// Returns a policy whose sample has every transaction.
fn with_every_transaction() -> Policy {
    Policy {
        values: Values {
            sample: u64::MAX,
            ..Values::NONE
        },
        ..Policy::of_consistency()
    }
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

/// Found by the simulation: the header that records the truncation is after the trusted state, which is replaced only
/// by a check.
#[test]
fn a_paced_sweep_leaves_values_that_were_dropped_since_the_last_check_to_the_next_one() {
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
fn a_paced_sweep_that_an_operator_began_leaves_dropped_values_to_the_next_check_too() {
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
/// reports the refusal at once.
#[test]
fn a_check_leaves_values_that_were_dropped_since_it_read_the_state_to_the_next_one() {
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
    let mut auditor = simulation.auditor(with_every_transaction(), network);
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
    let mut auditor = simulation.auditor(with_every_transaction(), network);
    let mut cycle = || verdict_and_due(&mut auditor);
    assert_eq!(cycle(), (Verdict::FirstSeen, 0));
    simulation.embedded.drop_values_before(DATABASE, 11);
    assert_eq!(cycle(), (Verdict::Consistent, 10));
    for _ in 0..3 {
        assert_eq!(cycle(), (Verdict::Unread, 10));
    }
}

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

/// There is no next cycle that could read what was left over.
#[test]
fn a_sweep_by_an_operator_reads_what_had_no_time_before_it_ends() {
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
fn a_sweep_by_an_operator_ends_although_some_transactions_cannot_be_proven_in_time() {
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
fn a_check_that_reads_what_an_interrupted_sweep_could_not_read_completes_it() {
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

/// An alarm that was closed after half of a transaction was read: the values before are read again, too,
/// since one of them caused the alarm.
#[test]
fn a_partly_read_transaction_is_read_from_its_first_value_once_its_alarm_is_closed() {
    const VALUES: u64 = 5_000;
    let simulation = Simulation::new(Options {
        server: Emulated::V1_1_0,
        ..Options::default()
    });
    simulation.embedded.grow(DATABASE, 5);
    let policy = Policy {
        values: Values {
            new: NewValues::All,
            ..Values::NONE
        },
        ..checked_every_minute()
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
