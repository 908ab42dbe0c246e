//! The cost of peers: with peers that agree, a cycle makes no additional call to the server.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::support::peers::{INTERVAL, note_by, signer, witness};
use crate::support::simulated::Simulation;
use immuaudit::audit::{Auditor, Cycle, Exit, Policy, Standing};
use immuaudit::checkpoint::{KeyName, print_list};
use immuaudit::drill::{Delivery, Options};
use immuaudit::peer::{InProcess, PeerPoller};

const DATABASES: usize = 100;

fn names() -> Vec<String> {
    (0..DATABASES).map(|number| format!("db{number}")).collect()
}

fn simulation() -> Rc<Simulation> {
    let names = names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sim = Simulation::new(Options::default().with_databases(&names));
    Rc::new(sim)
}

fn auditor(sim: &Simulation) -> Auditor {
    let policy = Policy {
        interval: INTERVAL,
        ..Policy::of_consistency()
    };
    sim.auditor(policy, |_| Delivery::After(Duration::ZERO))
}

/// Runs a cycle in which every database has grown, and returns the cycle and its calls.
fn cycle(sim: &Simulation, auditor: &mut Auditor) -> (Cycle, BTreeMap<&'static str, u64>) {
    for name in names() {
        sim.embedded.grow(&name, 3);
    }
    sim.time.advance(INTERVAL);
    sim.embedded.reset_calls();
    let cycle = auditor.cycle(|_| {});
    (cycle, sim.embedded.calls())
}

#[test]
fn two_peers_that_agree_on_a_hundred_databases_cost_two_requests_and_no_call() {
    let alone = simulation();
    let mut without = auditor(&alone);
    let sim = simulation();
    let peers = [witness("zone-b"), witness("zone-cc")];
    let (requests, bytes) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    // each peer serves the states that were trusted in the previous cycle
    let served: Rc<RefCell<BTreeMap<String, u64>>> = Rc::default();
    let (of, count, size, to_serve) =
        (sim.clone(), requests.clone(), bytes.clone(), served.clone());
    let source = InProcess::new(&peers, "tested", move |peer: &KeyName| {
        count.set(count.get() + 1);
        let notes: Vec<String> = to_serve
            .borrow()
            .iter()
            .filter_map(|(name, tx)| {
                let state = of.embedded.state_at(name, *tx)?;
                let origin = ("tested", name.as_str());
                let now = of.clock.now().unix();
                Some(note_by(&signer(peer.as_str()), origin, state, None, now))
            })
            .collect();
        let text = print_list(notes.iter().map(String::as_str));
        size.set(text.len());
        Ok(text.into_bytes())
    });
    let mut with = auditor(&sim).with_peers_of(PeerPoller::new(&peers, 2, Box::new(source)));
    for round in 0..4 {
        requests.set(0);
        let (_, expected) = cycle(&alone, &mut without);
        let (found, calls) = cycle(&sim, &mut with);
        assert_eq!(calls, expected, "round {round}");
        assert_eq!(requests.get(), 2, "round {round}");
        assert_eq!(found.exit(), Exit::Good, "round {round}");
        if round > 0 {
            let standings = found.outcomes.iter().flat_map(|of| &of.peers);
            let behind = standings.filter(|peer| peer.standing == Standing::Behind);
            assert_eq!(behind.count(), 2 * DATABASES, "round {round}");
        }
        for name in names() {
            let last = sim.embedded.state(&name).expect("a state").tx;
            served.borrow_mut().insert(name, last);
        }
    }
    println!("{} bytes a peer and cycle", bytes.get());
    assert!(bytes.get() < 40_000, "{}", bytes.get());
}
