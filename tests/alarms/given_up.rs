//! A trusted state that an operator gives up while a check runs.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::Simulation;
use immuaudit::audit::{Auditor, Exit, Outcome, Policy};
use immuaudit::drill::{Delivery, NewEntry, Options, Sent};
use immuaudit::wire::method;

const DATABASE: &str = "defaultdb";

fn cycle(simulation: &Simulation, auditor: &mut Auditor) -> Outcome {
    simulation.time.advance(Duration::from_secs(60));
    auditor.cycle(|_| {}).outcomes.remove(0)
}

/// Gives up the trusted state as `alarm adopt` does, or as `alarm close` and `states forget` do.
fn give_up(simulation: &Simulation, is_adopted: bool) {
    let (store, now) = (simulation.shared_store(), simulation.clock.now());
    let open = store.open_alarms(Some(DATABASE)).expect("alarms");
    let id = &open.first().expect("an open alarm").id;
    if is_adopted {
        store.adopt(id, "kim", now).expect("an adoption");
    } else {
        store.close_alarm(id, "kim", now).expect("a closed alarm");
        store.distrust(DATABASE, now).expect("no trusted state");
    }
}

#[test]
fn a_check_against_a_given_up_state_opens_no_alarm_and_proves_nothing() {
    for (is_adopted, more) in [(true, 0), (true, 2), (false, 0), (false, 2)] {
        let simulation = Rc::new(Simulation::new(Options::default()));
        simulation.embedded.grow(DATABASE, 10);
        let is_due = Rc::new(Cell::new(false));
        let (operator, due) = (simulation.clone(), is_due.clone());
        let network = move |sent: &Sent<'_>| {
            if sent.call == method::VERIFIABLE_TX_BY_ID && due.take() {
                give_up(&operator, is_adopted);
            }
            Delivery::After(Duration::ZERO)
        };
        let mut auditor = simulation.auditor(Policy::of_consistency(), network);
        assert_eq!(cycle(&simulation, &mut auditor).exit(), Exit::Good);
        let mut forged = simulation.embedded.ledger(DATABASE).expect("a ledger");
        forged.truncate(5);
        for number in 5..12 {
            forged.commit(vec![NewEntry::set(format!("key/{number}"), "forged")]);
        }
        simulation.embedded.put_ledger(DATABASE, forged);
        let outcome = cycle(&simulation, &mut auditor);
        assert_eq!(outcome.verdict.word(), "inconsistent", "{outcome:?}");
        assert_eq!((outcome.opened.len(), outcome.open_alarms), (1, 1));

        simulation.embedded.grow(DATABASE, more);
        is_due.set(true);
        let outcome = cycle(&simulation, &mut auditor);
        let case = format!("{is_adopted} {more}: {outcome:?}");
        assert!(!is_due.get(), "{case}");
        assert_eq!(outcome.verdict.word(), "local-failure", "{case}");
        assert_eq!(outcome.exit(), Exit::Local, "{case}");
        assert!(outcome.why().contains("another command changed"), "{case}");
        assert!(
            outcome.alarm.is_none() && outcome.opened.is_empty(),
            "{case}"
        );
        assert_eq!(outcome.open_alarms, 0, "{case}");
        assert!(outcome.unwritten.is_none(), "{case}");
        let outcome = cycle(&simulation, &mut auditor);
        let expected = match is_adopted {
            true => "consistent",
            false => "first-seen",
        };
        assert_eq!(outcome.verdict.word(), expected, "{outcome:?}");
        assert_eq!((outcome.exit(), outcome.open_alarms), (Exit::Good, 0));
        let alarms = simulation.shared_store().all_alarms(DATABASE);
        assert_eq!(alarms.expect("alarms").len(), 1);
    }
}
