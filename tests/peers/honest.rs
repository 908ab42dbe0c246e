//! Two auditors that compare their states, one of a server and one of its replica: honest growth
//! causes no disagreement and no alarm.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::support::peers::{DATABASE, INTERVAL, note_by, signer, witness};
use crate::support::simulated::Simulation;
use immuaudit::audit::{Auditor, Exit, Outcome, Policy, Standing};
use immuaudit::config::{NewValues, Signatures, Values};
use immuaudit::drill::{Delivery, Lag, Options};
use immuaudit::ledger::PublicKey;
use immuaudit::peer::{InProcess, PeerPoller};
use immuaudit::random::Random;

const CYCLES: u64 = 1_000;
/// The most cycles by which the replica is behind; a comparison is overdue after three intervals.
const MAX_LAG: u64 = 2;

/// A server, its auditor, and the checkpoint that the auditor serves.
struct Side {
    sim: Simulation,
    name: &'static str,
    checkpoint: Rc<RefCell<Result<Vec<u8>, String>>>,
    standings: BTreeMap<Standing, u64>,
    /// The number of peers that must confirm the trusted state.
    required: usize,
}

impl Side {
    fn new(name: &'static str, options: &Options) -> Side {
        // with an unsteady lag there may be four unprovable steps in a row, which is longer than
        // the limit for confirmations
        let required = usize::from(options.lag == Lag::None);
        Side {
            sim: Simulation::new(options.clone()),
            name,
            checkpoint: Rc::new(RefCell::new(Err("it serves nothing yet".to_owned()))),
            standings: BTreeMap::new(),
            required,
        }
    }

    fn auditor(&self, other: &Side, policy: &Policy) -> Auditor {
        let auditor = self
            .sim
            .auditor(policy.clone(), |_| Delivery::After(Duration::ZERO));
        let peers = [witness(other.name)];
        let checkpoint = other.checkpoint.clone();
        let source = InProcess::new(&peers, "tested", move |_| checkpoint.borrow().clone());
        auditor.with_peers_of(PeerPoller::new(&peers, self.required, Box::new(source)))
    }

    /// Runs a cycle and signs the state that it proved.
    fn cycle(&mut self, auditor: &mut Auditor) -> Outcome {
        self.sim.time.advance(INTERVAL);
        let outcome = auditor.cycle(|_| {}).outcomes.remove(0);
        assert_eq!(outcome.database, DATABASE);
        let state = outcome.shown.expect("a state");
        let now = self.sim.clock.now().unix();
        let of = ("tested", DATABASE);
        let note = note_by(
            &signer(self.name),
            of,
            state,
            outcome.signature.clone(),
            now,
        );
        *self.checkpoint.borrow_mut() = Ok(note.into_bytes());
        for peer in &outcome.peers {
            *self.standings.entry(peer.standing).or_default() += 1;
        }
        outcome
    }
}

fn policy(pem: &str) -> Policy {
    Policy {
        interval: INTERVAL,
        signatures: Signatures::By(PublicKey::from_pem(pem).expect("a key")),
        values: Values {
            sample: 8,
            new: NewValues::All,
            sweep: None,
        },
        ..Policy::of_consistency()
    }
}

#[test]
fn a_thousand_honest_cycles_with_lag_and_restarts_cause_no_split() {
    let random = Random::of_seed(20);
    let below = |bound| random.below(bound).expect("a number");
    for lag in [Lag::None, Lag::Unsteady] {
        let options = Options {
            lag: lag.clone(),
            ..Options::default()
        }
        .signed();
        let mut primary = Side::new("zone-a", &options);
        let mut replica = Side::new("zone-bb", &options);
        primary.sim.embedded.grow(DATABASE, 20);
        let pem = primary.sim.embedded.public_pem().expect("a key");
        let policy = policy(&pem);
        let mut ends = vec![20];
        let mut both = None;
        for cycle in 0..CYCLES {
            primary.sim.embedded.grow(DATABASE, below(4));
            let last = primary.sim.embedded.state(DATABASE).expect("a state").tx;
            ends.push(last);
            // the replica has the primary's state of now or of some cycles ago, and never goes back
            let behind = usize::try_from(below(MAX_LAG + 1)).expect("small");
            let has = replica.sim.embedded.state(DATABASE).expect("a state").tx;
            let end = ends[(ends.len() - 1).saturating_sub(behind)].max(has);
            let mut copy = primary.sim.embedded.ledger(DATABASE).expect("a ledger");
            copy.truncate(end);
            replica.sim.embedded.put_ledger(DATABASE, copy);
            if cycle % 97 == 50 {
                let dropped = last / 2;
                primary.sim.embedded.drop_values_before(DATABASE, dropped);
                replica.sim.embedded.drop_values_before(DATABASE, dropped);
            }
            match below(60) {
                0 => primary.sim.embedded.forget_tokens(),
                1 => replica.sim.embedded.change_uuid(),
                // both auditors are restarted
                2 => both = None,
                _ => {}
            }
            let (first, second) = both.get_or_insert_with(|| {
                (
                    primary.auditor(&replica, &policy),
                    replica.auditor(&primary, &policy),
                )
            });
            for (side, auditor) in [(&mut primary, first), (&mut replica, second)] {
                let outcome = side.cycle(auditor);
                assert_eq!(outcome.open_alarms, 0, "{cycle}: {outcome:?}");
                assert!(outcome.exit() <= Exit::Incomplete, "{cycle}: {outcome:?}");
                let overdue = outcome.peers_overdue.is_some() && side.required > 0;
                assert!(!overdue, "{cycle}: {outcome:?}");
            }
        }
        for side in [&primary, &replica] {
            for accusing in [Standing::Disagrees, Standing::Split] {
                assert_eq!(side.standings.get(&accusing), None, "{:?}", side.standings);
            }
            // the replica's auditor waits with a state of the primary until the replica has that
            // transaction
            let waits = side.standings.get(&Standing::Pending).copied().unwrap_or(0);
            assert!(
                (waits == 0) == (side.name == primary.name),
                "{:?}",
                side.standings
            );
            let silent = side.standings.get(&Standing::Silent).copied().unwrap_or(0);
            assert!(silent < CYCLES / 10, "{:?}", side.standings);
        }
    }
}
