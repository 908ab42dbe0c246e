//! A transaction whose main tree has another history than the chain. A server that delays or refuses the proof of the
//! tree cannot hide it: the transaction is found, or it stays due. In simulated time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::support::simulated::Simulation;
use crate::support::value_scene::DB;
use crate::versions::{changed, ledger};
use immuaudit::audit::{Auditor, Policy, SweepStatus, Verdict};
use immuaudit::config::Values;
use immuaudit::drill::{Delivery, Lag, Ledger, NewTransaction, Options, Sent};
use immuaudit::ledger::Digest;
use immuaudit::trust::Tampering;
use immuaudit::wire::method;

const MINUTE: Duration = Duration::from_secs(60);
const INCONSISTENT: Verdict = Verdict::Tampered(Tampering::Inconsistent);

/// Returns a ledger whose last transaction, 1,601, has an old tree, which the walk of a sweep has forgotten. If it is
/// `forged`, transaction 450 of that tree differs from the chain.
fn with_old_tree(forged: bool) -> Ledger {
    let mut ledger = ledger(Lag::None, 1_600);
    if forged {
        let of_chain = &ledger.tx(450).expect("transaction 450").header;
        let header = changed(of_chain, |fields| fields.eh = Digest::of(&[b"other"]));
        ledger.hold(header);
    }
    ledger.write(NewTransaction {
        tree_size: Some(500),
        ..NewTransaction::default()
    });
    ledger
}

fn policy() -> Policy {
    Policy {
        interval: 60 * MINUTE,
        values: Values {
            sweep: Some(60 * MINUTE),
            ..Values::NONE
        },
        ..Policy::of_consistency()
    }
}

/// Returns a network on which each scan takes this time, and proofs get lost while `loses_proofs` is set.
fn network(
    scan: Duration,
    loses_proofs: &Rc<Cell<bool>>,
) -> impl FnMut(&Sent<'_>) -> Delivery + 'static {
    let loses = loses_proofs.clone();
    move |sent: &Sent<'_>| match sent.call {
        method::TX_SCAN => Delivery::After(scan),
        method::VERIFIABLE_TX_BY_ID if loses.get() => Delivery::Lost,
        _ => Delivery::After(Duration::ZERO),
    }
}

/// An auditor with a paced sweep, and a network on which scans take a time and proofs may get lost.
struct Scene {
    simulation: Simulation,
    auditor: Auditor,
    loses_proofs: Rc<Cell<bool>>,
}

impl Scene {
    fn new(forged: bool, scan: Duration) -> Scene {
        let simulation = Simulation::new(Options::default());
        simulation.embedded.put_ledger(DB, with_old_tree(forged));
        let loses_proofs = Rc::new(Cell::new(false));
        let network = network(scan, &loses_proofs);
        let mut auditor = simulation.auditor(policy(), network);
        let cycle = auditor.cycle(|_| {});
        assert!(cycle.outcomes[0].verdict.is_proven(), "{cycle:?}");
        Scene {
            simulation,
            auditor,
            loses_proofs,
        }
    }

    /// Runs a paced sweep to its end, and returns the verdicts of its slices. If `late` is set, proofs get lost while
    /// the last third is read.
    fn sweep_at_pace(&mut self, late: bool) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for _ in 0..10_000 {
            let until = self.simulation.clock.instant() + 60 * MINUTE;
            let slice = self.auditor.sweep_at_pace(until);
            verdicts.extend(slice.outcome.map(|outcome| outcome.verdict));
            match slice.status {
                SweepStatus::Completed(_) => return verdicts,
                SweepStatus::InProgress { at, .. } => {
                    self.loses_proofs.set(late && at > 1_000);
                }
                SweepStatus::NotDue => self.simulation.time.advance(MINUTE),
                other => panic!("{other:?}"),
            }
        }
        panic!("the sweep does not end");
    }
}

/// Returns whether transaction 1,601 is due.
fn is_due(auditor: &Auditor) -> bool {
    let progress = auditor.values_read(DB);
    progress.is_some_and(|progress| progress.due.contains(1_601))
}

#[test]
fn a_paced_sweep_with_scans_longer_than_a_slice_proves_a_tree() {
    for forged in [true, false] {
        let mut scene = Scene::new(forged, Duration::from_millis(500));
        let verdicts = scene.sweep_at_pace(false);
        assert_eq!(verdicts.contains(&INCONSISTENT), forged, "{verdicts:?}");
        assert!(!is_due(&scene.auditor));
    }
}

#[test]
fn an_operators_sweep_with_scans_longer_than_a_slice_proves_a_tree() {
    for forged in [true, false] {
        let mut scene = Scene::new(forged, Duration::from_millis(500));
        let mut verdicts = Vec::new();
        loop {
            let slice = scene.auditor.sweep(DB);
            verdicts.extend(slice.outcome.map(|outcome| outcome.verdict));
            match slice.status {
                SweepStatus::Completed(_) => break,
                SweepStatus::InProgress { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(verdicts.contains(&INCONSISTENT), forged, "{verdicts:?}");
        assert!(!is_due(&scene.auditor));
    }
}

/// A scan would accept transaction 500, with which the tree ends, by its link to the next one.
#[test]
fn a_closed_alarm_about_a_tree_is_open_again_if_the_tree_still_differs() {
    let mut scene = Scene::new(true, Duration::ZERO);
    let verdicts = scene.sweep_at_pace(false);
    assert!(verdicts.contains(&INCONSISTENT), "{verdicts:?}");
    let simulation = &scene.simulation;
    for _ in 0..2 {
        let store = simulation.shared_store();
        let closed = store.close_alarms_of(DB, "operator", simulation.clock.now());
        assert!(!closed.expect("files").is_empty());
        drop(store);
        simulation.time.advance(60 * MINUTE);
        let cycle = scene.auditor.cycle(|_| {});
        assert_eq!(cycle.outcomes[0].verdict, INCONSISTENT, "{cycle:?}");
        assert!(cycle.outcomes[0].open_alarms > 0, "{cycle:?}");
    }
    let cycle = scene.auditor.cycle(|_| {});
    assert_eq!(cycle.outcomes[0].verdict, Verdict::Consistent, "{cycle:?}");
}

/// The next checks can read the transaction and its values, and prove its position; only its tree was not proven.
#[test]
fn a_transaction_whose_tree_could_not_be_proven_is_due_until_it_is() {
    for forged in [true, false] {
        let mut scene = Scene::new(forged, Duration::from_millis(250));
        let verdicts = scene.sweep_at_pace(true);
        assert!(!verdicts.contains(&INCONSISTENT), "{verdicts:?}");
        assert!(is_due(&scene.auditor));
        let Scene {
            simulation,
            auditor,
            loses_proofs,
        } = scene;
        drop(auditor); // a restart changes nothing
        let network = network(Duration::from_millis(250), &loses_proofs);
        let mut auditor = simulation.auditor(policy(), network);
        let mut cycle = |loses| {
            loses_proofs.set(loses);
            simulation.time.advance(60 * MINUTE);
            let cycle = auditor.cycle(|_| {});
            (cycle.outcomes[0].verdict, is_due(&auditor))
        };
        assert_eq!(cycle(true), (Verdict::Unread, true));
        let verdict = match forged {
            true => INCONSISTENT,
            false => Verdict::Consistent,
        };
        assert_eq!(cycle(false), (verdict, false));
    }
}
