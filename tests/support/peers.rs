//! Peers of an auditor without a network; the test sets the peer's response.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use immuaudit::audit::{Auditor, Exit, Outcome, Policy, Standing};
use immuaudit::checkpoint::{Checkpoint, KeyName, Origin, SignerKey, cosigned};
use immuaudit::config::Signatures;
use immuaudit::drill::{Delivery, Ledger, NewEntry, Options, Sent};
use immuaudit::ledger::{Digest, PublicKey, Signature, State};
use immuaudit::peer::{InProcess, PeerPoller, Witness};
use immuaudit::trust::Acknowledgement;
use immuaudit::wire::method;

use super::simulated::Simulation;

pub const DATABASE: &str = "defaultdb";
/// The time between two cycles.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// Returns the private key of the peer with this name.
pub fn signer(name: &str) -> SignerKey {
    let seed = [name.len() as u8; 32];
    SignerKey::of_seed(KeyName::new(name).expect("a name"), &seed).expect("a key")
}

pub fn witness(name: &str) -> Witness {
    let key = signer(name).public().clone();
    Witness {
        name: key.name.clone(),
        keys: vec![key],
    }
}

type ServedResponse = Rc<RefCell<Result<Vec<u8>, String>>>;

/// A ledger, an auditor of it, and one peer.
pub struct Peering {
    pub sim: Rc<Simulation>,
    served_response: ServedResponse,
    pub policy: Policy,
    pub required: usize,
}

impl Peering {
    /// Returns a ledger of ten transactions that signs its states with a key that the auditor
    /// knows.
    pub fn signed() -> Peering {
        let mut peering = Peering::new(Options::default().signed());
        let pem = peering.sim.embedded.public_pem().expect("a key");
        let keys = PublicKey::from_pem(&pem).expect("a key");
        peering.policy.signatures = Signatures::By(keys);
        peering
    }

    /// Returns a ledger of ten transactions that signs nothing.
    pub fn unsigned() -> Peering {
        Peering::new(Options::default())
    }

    pub fn new(options: Options) -> Peering {
        let sim = Simulation::new(options);
        sim.embedded.grow(DATABASE, 10);
        Peering {
            sim: Rc::new(sim),
            served_response: Rc::new(RefCell::new(Err("it was not asked".to_owned()))),
            policy: Policy {
                interval: INTERVAL,
                ..Policy::of_consistency()
            },
            required: 0,
        }
    }

    /// Returns the auditor; after a drop it is the same auditor after a restart.
    pub fn auditor(&self) -> Auditor {
        self.auditor_over(|_| Delivery::After(Duration::ZERO))
    }

    pub fn auditor_over(&self, network: impl FnMut(&Sent<'_>) -> Delivery + 'static) -> Auditor {
        let auditor = self.sim.auditor(self.policy.clone(), network);
        auditor.with_peers_of(self.peer_poller())
    }

    /// Returns the peer `zone-b`, whose response the test has set.
    pub fn peer_poller(&self) -> PeerPoller {
        let peers = [witness("zone-b")];
        let served_response = self.served_response.clone();
        let source = InProcess::new(&peers, "tested", move |_| served_response.borrow().clone());
        PeerPoller::new(&peers, self.required, Box::new(source))
    }

    /// Lets the peer serve these bytes from now on.
    pub fn serves(&self, bytes: impl Into<Vec<u8>>) {
        *self.served_response.borrow_mut() = Ok(bytes.into());
    }

    /// Makes the peer unreachable from now on.
    pub fn is_down(&self) {
        *self.served_response.borrow_mut() = Err("no connection".to_owned());
    }

    /// Lets the peer confirm a state one second from now, which is later than everything so far.
    pub fn confirms(&self, state: State) {
        self.serves(self.note(state, None, self.now() + 1));
    }

    /// Lets the peer confirm a state that the server signed.
    pub fn confirms_signed(&self, (state, signature): (State, Signature)) {
        self.serves(self.note(state, Some(signature), self.now() + 1));
    }

    /// Returns a checkpoint of the peer.
    pub fn note(&self, state: State, signature: Option<Signature>, time: u64) -> String {
        note_by(
            &signer("zone-b"),
            ("tested", DATABASE),
            state,
            signature,
            time,
        )
    }

    pub fn now(&self) -> u64 {
        self.sim.clock.now().unix()
    }

    /// Returns the state of the ledger at a transaction.
    pub fn state(&self, tx: u64) -> State {
        self.sim.embedded.state_at(DATABASE, tx).expect("a state")
    }

    /// Returns another history with the first `shared` transactions of this one and `length` in
    /// all.
    pub fn fork(&self, shared: u64, length: u64) -> Ledger {
        let mut ledger = self.sim.embedded.ledger(DATABASE).expect("a ledger");
        ledger.truncate(shared);
        while ledger.last() < length {
            ledger.commit(vec![NewEntry::set("forged", ledger.last().to_string())]);
        }
        ledger
    }

    /// Returns the last state of this ledger with the server's signature.
    pub fn signed_state(&self, ledger: Ledger) -> (State, Signature) {
        let embedded = &self.sim.embedded;
        let honest = embedded.ledger(DATABASE).expect("a ledger");
        embedded.put_ledger(DATABASE, ledger);
        let mut server = self.sim.server(|_| Delivery::After(Duration::ZERO));
        let claimed = server.state(DATABASE).expect("a state");
        embedded.put_ledger(DATABASE, honest);
        (claimed.state, claimed.signature.expect("a signature"))
    }

    /// Runs one cycle an interval after the last one and returns the outcome of the database.
    pub fn cycle(&self, auditor: &mut Auditor) -> Outcome {
        self.sim.time.advance(INTERVAL);
        let mut cycle = auditor.cycle(|_| {});
        let index = cycle.outcomes.iter().position(|of| of.database == DATABASE);
        cycle.outcomes.remove(index.expect("an outcome"))
    }

    /// Returns an auditor whose peer disagrees. Before the disagreement, the wall clock is stepped by this many
    /// seconds.
    pub fn disagreeing(&self, step: i64) -> Auditor {
        let mut auditor = self.auditor();
        self.cycle(&mut auditor);
        self.sim.time.step_wall_clock(step);
        self.confirms(other(self.state(10)));
        let outcome = self.cycle(&mut auditor);
        assert_eq!(standing(&outcome), Standing::Disagrees);
        auditor
    }

    /// Acknowledges the disagreement, as an operator does.
    pub fn close_the_disagreement(&self) {
        let change = Acknowledgement {
            disagreement: true,
            ..Acknowledgement::default()
        };
        let store = self.sim.shared_store();
        let closed = store.acknowledge(DATABASE, change, "kim", self.sim.clock.now());
        closed.expect("a file");
    }

    /// Returns how many proofs the server was asked for since the last call of this function.
    pub fn proofs(&self) -> u64 {
        let calls = self.sim.embedded.calls();
        self.sim.embedded.reset_calls();
        calls.get(method::VERIFIABLE_TX_BY_ID).copied().unwrap_or(0)
    }
}

/// Returns the standing of the only peer.
#[track_caller]
pub fn standing(outcome: &Outcome) -> Standing {
    let [peer] = outcome.peers.as_slice() else {
        panic!("{:?}", outcome.peers);
    };
    peer.standing
}

/// Checks that the exit code is good and that the only peer has the expected standing.
#[track_caller]
pub fn is_well(outcome: &Outcome, expected: Standing) {
    assert_eq!(standing(outcome), expected, "{:?}", outcome.peers);
    assert_eq!(outcome.exit(), Exit::Good, "{outcome:?}");
    assert_eq!(outcome.open_alarms, 0);
}

/// Returns a state of the same transaction with another hash.
pub fn other(state: State) -> State {
    State {
        hash: Digest::of(&[b"another history"]),
        ..state
    }
}

/// Returns a checkpoint by any key, for any server and database.
pub fn note_by(
    key: &SignerKey,
    (server, database): (&str, &str),
    state: State,
    signature: Option<Signature>,
    time: u64,
) -> String {
    let checkpoint = Checkpoint {
        origin: Origin {
            server: server.into(),
            database: database.into(),
        },
        state,
        signature,
    };
    cosigned(&checkpoint, key, time).to_string()
}
