//! The searches of several databases in a cycle, which share a limited time. In simulated time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::Simulation;
use immuaudit::audit::{Auditor, Exit, Outcome, Policy};
use immuaudit::config::DatabaseFilter;
use immuaudit::drill::{Delivery, NewEntry, Options, Sent};
use immuaudit::wire::method;

const NAMES: [&str; 4] = ["a", "b", "c", "z"];
const INTERVAL: Duration = Duration::from_secs(60);
const QUICK: Duration = Duration::from_millis(10);

/// The number of proofs that were requested of each database in a cycle.
type Asked = Rc<RefCell<BTreeMap<String, u32>>>;

fn cycle(
    simulation: &Simulation,
    auditor: &mut Auditor,
    asked: &Asked,
) -> BTreeMap<String, Outcome> {
    simulation.time.advance(INTERVAL);
    asked.borrow_mut().clear();
    let outcomes = auditor.cycle(|_| {}).outcomes.into_iter();
    outcomes.map(|of| (of.database.clone(), of)).collect()
}

#[test]
fn a_rewrite_is_located_although_other_searches_use_up_the_time_of_each_cycle() {
    let simulation = Simulation::new(Options::default().with_databases(&NAMES));
    let embedded = &simulation.embedded;
    let asked = Asked::default();
    let counted = asked.clone();
    // the first proof in a cycle is that of the check
    let network = move |sent: &Sent<'_>| {
        let Some(name) = sent
            .database
            .filter(|_| sent.call == method::VERIFIABLE_TX_BY_ID)
        else {
            return Delivery::After(QUICK);
        };
        let mut counted = counted.borrow_mut();
        let count = counted.entry(name.to_owned()).or_default();
        *count += 1;
        match *count > 1 && name != "z" {
            true => Delivery::Lost,
            false => Delivery::After(QUICK),
        }
    };
    let policy = Policy {
        databases: DatabaseFilter::new(NAMES.map(str::to_owned).to_vec()),
        interval: INTERVAL,
        ..Policy::of_consistency()
    };
    let mut auditor = simulation.auditor(policy, network);
    for _ in 0..2 {
        NAMES.iter().for_each(|name| embedded.grow(name, 1));
        let outcomes = cycle(&simulation, &mut auditor, &asked);
        assert!(
            outcomes.values().all(|of| of.exit() == Exit::Good),
            "{outcomes:?}"
        );
    }
    for name in NAMES {
        let mut forged = embedded.ledger(name).expect("a ledger");
        forged.truncate(1);
        for number in 0..4 {
            forged.commit(vec![NewEntry::set(format!("key/{number}"), "forged")]);
        }
        embedded.put_ledger(name, forged);
    }
    let outcomes = cycle(&simulation, &mut auditor, &asked);
    for (name, outcome) in &outcomes {
        assert_eq!(outcome.verdict.word(), "inconsistent", "{outcome:?}");
        let window = outcome.window.as_ref();
        let is_undecided = window.is_some_and(|window| !window.undecided.is_empty());
        assert_eq!(is_undecided, name != "z", "{outcome:?}");
    }
    assert!(outcomes["z"].window.is_none(), "there was no time left");
    for number in 0..3 {
        let outcomes = cycle(&simulation, &mut auditor, &asked);
        let window = outcomes["z"].window.as_ref().expect("a range");
        let ends = (window.intact.map(|of| of.tx), window.broken.map(|of| of.tx));
        assert_eq!(ends, (Some(1), Some(2)), "{number}: {window}");
        // the others are searched again after it
        let others = NAMES
            .iter()
            .filter(|name| outcomes[**name].window.is_some());
        assert_eq!(
            others.count(),
            if number == 0 { 1 } else { 4 },
            "{outcomes:?}"
        );
    }
}
