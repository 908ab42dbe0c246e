//! Findings that cannot be stored when they are made. They count as open alarms and are stored later, even if the
//! server shows the trusted history again.

use std::time::Duration;

use crate::support::blocked::Blocked;
use crate::support::simulated::{Simulation, with_every_value};
use immuaudit::audit::{Auditor, Exit, Outcome, Policy, SweepStatus};
use immuaudit::drill::{Delivery, Lie, Options, Sent};
use immuaudit::trust::read_evidence;

const DATABASE: &str = "defaultdb";

fn without_delay(_: &Sent<'_>) -> Delivery {
    Delivery::After(Duration::ZERO)
}

fn cycle(simulation: &Simulation, auditor: &mut Auditor) -> Outcome {
    simulation.time.advance(Duration::from_secs(60));
    auditor.cycle(|_| {}).outcomes.remove(0)
}

#[test]
fn a_rollback_that_could_not_be_stored_stays_an_alarm_after_the_server_recovers() {
    let simulation = Simulation::new(Options::default());
    simulation.embedded.grow(DATABASE, 10);
    let network = |_: &Sent<'_>| Delivery::After(Duration::ZERO);
    let mut auditor = simulation.auditor(Policy::of_consistency(), network);
    assert_eq!(cycle(&simulation, &mut auditor).exit(), Exit::Good);
    let honest = simulation.embedded.ledger(DATABASE).expect("a ledger");
    let mut older = honest.clone();
    older.truncate(5);
    let blocked = Blocked::new(&simulation.shared_store(), DATABASE);
    simulation.embedded.put_ledger(DATABASE, older);
    for _ in 0..2 {
        let outcome = cycle(&simulation, &mut auditor);
        assert_eq!(outcome.verdict.word(), "rolled-back", "{outcome:?}");
        assert_eq!((outcome.opened.len(), outcome.open_alarms), (1, 1));
        assert!(outcome.unwritten.is_some() && outcome.alarm.is_none());
    }
    simulation.embedded.put_ledger(DATABASE, honest);
    let outcome = cycle(&simulation, &mut auditor);
    assert_eq!(outcome.verdict.word(), "consistent", "{outcome:?}");
    assert_eq!((outcome.exit(), outcome.open_alarms), (Exit::Tampered, 1));
    assert!(outcome.unwritten.is_some(), "{outcome:?}");
    let waiting = auditor.open_alarms(DATABASE).expect("alarms");
    assert_eq!(waiting.len(), 1);
    drop(blocked);
    for _ in 0..2 {
        let outcome = cycle(&simulation, &mut auditor);
        assert_eq!((outcome.exit(), outcome.open_alarms), (Exit::Tampered, 1));
        assert!(outcome.unwritten.is_none(), "{outcome:?}");
    }
    let store = simulation.shared_store();
    let stored = store.open_alarms(Some(DATABASE)).expect("alarms");
    let opened = |alarm: &immuaudit::trust::Alarm| (alarm.id.clone(), alarm.opened());
    assert!(
        stored.iter().map(opened).eq(waiting.iter().map(opened)),
        "{stored:?}"
    );
    // the responses of the cycle that found it
    let evidence = read_evidence(&stored[0].evidence).expect("a file");
    assert!(!evidence.answers.is_empty());
    drop(auditor);
    let mut auditor = simulation.auditor(Policy::of_consistency(), network);
    assert_eq!(
        cycle(&simulation, &mut auditor).open_alarms,
        1,
        "after a restart"
    );
}

/// The values are read by a cycle, or by an operator's sweep, whose findings no later reading repeats.
#[test]
fn corrupt_values_that_could_not_be_stored_stay_alarms_after_the_server_recovers() {
    for by_sweep in [false, true] {
        let simulation = Simulation::new(Options::default());
        simulation.embedded.grow(DATABASE, 3);
        let policy = match by_sweep {
            true => Policy::of_consistency(),
            false => with_every_value(),
        };
        let mut auditor = simulation.auditor(policy, without_delay);
        assert_eq!(cycle(&simulation, &mut auditor).exit(), Exit::Good);
        let blocked = Blocked::new(&simulation.shared_store(), DATABASE);
        simulation.embedded.lie(Lie::EditedValue);
        let found = match by_sweep {
            true => sweep(&mut auditor),
            false => vec![cycle(&simulation, &mut auditor)],
        };
        let opened: usize = found.iter().map(|outcome| outcome.opened.len()).sum();
        assert_eq!(opened, 3, "{found:?}");
        let last = found.last().expect("an outcome");
        assert_eq!(last.verdict.word(), "bad-value", "{last:?}");
        assert_eq!(last.open_alarms, 3, "{last:?}");
        assert!(last.unwritten.is_some() && last.alarm.is_none(), "{last:?}");
        simulation.embedded.be_honest();
        let outcome = cycle(&simulation, &mut auditor);
        assert_eq!(outcome.verdict.word(), "consistent", "{outcome:?}");
        assert_eq!((outcome.exit(), outcome.open_alarms), (Exit::Tampered, 3));
        assert!(outcome.unwritten.is_some(), "{outcome:?}");
        drop(blocked);
        let outcome = cycle(&simulation, &mut auditor);
        assert_eq!((outcome.exit(), outcome.open_alarms), (Exit::Tampered, 3));
        assert!(outcome.unwritten.is_none(), "{outcome:?}");
        let store = simulation.shared_store();
        let stored = store.open_alarms(Some(DATABASE)).expect("alarms");
        assert_eq!(stored.len(), 3, "{stored:?}");
        for alarm in stored {
            let evidence = read_evidence(&alarm.evidence).expect("a file");
            assert!(!evidence.answers.is_empty(), "{evidence:?}");
        }
    }
}

/// Runs a complete sweep and returns the reported outcomes.
fn sweep(auditor: &mut Auditor) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    loop {
        let slice = auditor.sweep(DATABASE);
        outcomes.extend(slice.outcome);
        match slice.status {
            SweepStatus::Completed(_) => return outcomes,
            SweepStatus::InProgress { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn many_corrupt_values_do_not_displace_a_rollback_that_could_not_be_stored() {
    let simulation = Simulation::new(Options::default());
    simulation.embedded.grow(DATABASE, 20);
    let mut auditor = simulation.auditor(with_every_value(), without_delay);
    assert_eq!(cycle(&simulation, &mut auditor).exit(), Exit::Good);
    let honest = simulation.embedded.ledger(DATABASE).expect("a ledger");
    let mut older = honest.clone();
    older.truncate(5);
    let blocked = Blocked::new(&simulation.shared_store(), DATABASE);
    simulation.embedded.lie(Lie::EditedValue);
    let outcome = cycle(&simulation, &mut auditor);
    assert_eq!(outcome.verdict.word(), "bad-value", "{outcome:?}");
    let kept = outcome.open_alarms;
    assert!((1..outcome.opened.len()).contains(&kept), "{outcome:?}");
    simulation.embedded.be_honest();
    simulation.embedded.put_ledger(DATABASE, older);
    let outcome = cycle(&simulation, &mut auditor);
    assert_eq!(outcome.verdict.word(), "rolled-back", "{outcome:?}");
    assert_eq!(outcome.open_alarms, kept, "{outcome:?}");
    simulation.embedded.put_ledger(DATABASE, honest);
    drop(blocked);
    let outcome = cycle(&simulation, &mut auditor);
    assert_eq!(outcome.open_alarms, kept, "{outcome:?}");
    let store = simulation.shared_store();
    let stored = store.open_alarms(Some(DATABASE)).expect("alarms");
    let kinds: Vec<&str> = stored.iter().map(|alarm| alarm.kind.word()).collect();
    assert!(kinds.contains(&"rolled-back"), "{kinds:?}");
    assert!(kinds.contains(&"bad-value"), "{kinds:?}");
}
