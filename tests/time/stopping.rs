//! A program that is stopped in the middle of a cycle: it has reported every state that it has
//! stored.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::Simulation;
use immuaudit::audit::{Policy, Verdict};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Delivery, Options};
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
        if sent.call == method::VERIFIABLE_TX_BY_ID {
            counted.set(counted.get() + 1);
            stop.request();
        }
        Delivery::After(Duration::from_millis(1))
    });
    let mut told = Vec::new();
    let cycle = auditor.cycle(|outcome| told.push((outcome.database.clone(), outcome.verdict)));
    assert!(cycle.stopped && asked.get() > 0);
    let store = simulation.shared_store();
    for database in ["defaultdb", "other"] {
        if store.load(database).unwrap().is_some() {
            assert!(
                told.contains(&(database.to_owned(), Verdict::FirstSeen)),
                "{database}: {told:?}"
            );
        }
    }
}
