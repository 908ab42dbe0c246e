//! Findings that cannot be stored when they are made. They count as open alarms and are stored later, even if the
//! server shows the trusted history again.

use std::time::Duration;

use crate::support::blocked::Blocked;
use crate::support::simulated::Simulation;
use immuaudit::audit::{Auditor, Exit, Outcome, Policy};
use immuaudit::drill::{Delivery, Options, Sent};
use immuaudit::trust::read_evidence;

const DATABASE: &str = "defaultdb";

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
