//! A program that is stopped in the middle of a cycle: it has reported every state that it has
//! stored.

use std::cell::Cell;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::{Simulation, taking};
use crate::support::webhooks::notifying;
use immuaudit::audit::{Policy, Verdict};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Delivery, Options};
use immuaudit::notify::{Notifier, OpenAlarms};
use immuaudit::stop::Stop;
use immuaudit::wire::method;

const SAMPLE: Values = Values {
    sample: 4,
    new: NewValues::Sampled,
    sweep: None,
};

fn policy() -> Policy {
    Policy {
        values: SAMPLE,
        ..Policy::of_consistency()
    }
}

#[test]
fn a_first_use_is_reported_if_the_program_stops_during_values() {
    let simulation = Simulation::new(Options::default());
    for database in ["defaultdb", "other"] {
        if database != "defaultdb" {
            simulation.embedded.create_database(database);
        }
        simulation.embedded.grow(database, 9);
    }
    let stop = simulation.stop.clone();
    let asked = Rc::new(Cell::new(0));
    let counted = asked.clone();
    let mut auditor = simulation.auditor(policy(), move |sent| {
        if sent.call == method::TX_SCAN {
            counted.set(counted.get() + 1);
            stop.request();
        }
        Delivery::After(Duration::from_millis(1))
    });
    let mut reported = Vec::new();
    let cycle = auditor.cycle(|outcome| reported.push((outcome.database.clone(), outcome.verdict)));
    assert!(cycle.stopped && asked.get() > 0);
    let store = simulation.shared_store();
    for database in ["defaultdb", "other"] {
        if store.load(database).unwrap().is_some() {
            assert!(
                reported.contains(&(database.to_owned(), Verdict::FirstSeen)),
                "{database}: {reported:?}"
            );
        }
    }
}

/// Found by the simulation: receivers were notified of an outage and never of its end.
#[test]
fn a_stopped_cycle_keeps_the_changes_of_databases_that_it_did_not_check() {
    let mut simulation = Simulation::new(Options::default());
    simulation.embedded.grow("defaultdb", 9);
    simulation
        .auditor(policy(), taking(Duration::from_millis(1)))
        .cycle(|_| {});
    let store = simulation.shared_store();
    let sent = store.directory().join("unrecorded");
    // an earlier process ended after it had sent this change
    fs::write(&sent, "unreachable defaultdb\n").unwrap();
    let settings = notifying(Vec::new());
    for stops in [true, false] {
        simulation.stop = Stop::new();
        let (outcomes, open) = (store.load_outcomes(), OpenAlarms::default());
        let (directory, clock) = (store.directory(), &simulation.clock);
        let mut notifier =
            Notifier::start("simulated", directory, &settings, &outcomes, &open, clock);
        let mut auditor = simulation.auditor(policy(), taking(Duration::from_millis(1)));
        if stops {
            simulation.stop.request();
        }
        let cycle = auditor.cycle(|outcome| notifier.outcome(outcome));
        assert_eq!((cycle.stopped, cycle.is_recorded), (stops, true));
        notifier.cycle(&cycle);
        assert_eq!(sent.exists(), stops);
    }
}

/// The next process would report the same trouble as a change.
#[test]
fn a_transaction_that_is_unread_stays_so_if_the_program_stops_during_values() {
    let simulation = Simulation::new(Options::default());
    simulation.embedded.grow("defaultdb", 9);
    let (stop, stops) = (simulation.stop.clone(), Rc::new(Cell::new(false)));
    let asked = stops.clone();
    let mut auditor = simulation.auditor(policy(), move |sent| {
        if asked.get() && sent.call != method::CURRENT_STATE && sent.call != method::DATABASE_LIST {
            stop.request();
        }
        Delivery::After(Duration::from_millis(1))
    });
    auditor.cycle(|_| {});
    simulation.embedded.drop_values_before("defaultdb", 9);
    for stopped in [false, true] {
        stops.set(stopped);
        let cycle = auditor.cycle(|_| {});
        assert_eq!(cycle.stopped, stopped);
        assert_eq!(cycle.outcomes[0].verdict, Verdict::Unread, "{cycle:?}");
    }
}
