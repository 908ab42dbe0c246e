//! Checkpoints of peers that are early, late or waiting, or of a history that was given up. None is
//! forgotten, and none of them alone causes an alarm.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::support::peers::{DATABASE, INTERVAL, Peering, is_well, other, standing, witness};
use immuaudit::audit::{Auditor, Exit, Outcome, Standing};
use immuaudit::config::Signatures;
use immuaudit::drill::{Delivery, Ledger, Options, Sent};
use immuaudit::ledger::State;
use immuaudit::peer::{Answer, InProcess, PeerPoller, Source};
use immuaudit::wire::method;

const DAY: i64 = 86_400;

#[track_caller]
fn is_a_split(outcome: &Outcome) {
    assert_eq!(outcome.verdict.word(), "split-view", "{outcome:?}");
    assert_eq!((outcome.exit(), outcome.open_alarms), (Exit::Tampered, 1));
}

#[test]
fn a_state_ahead_counts_as_shared_only_after_the_ledger_reached_it() {
    for restarted in [false, true] {
        let peering = Peering::unsigned();
        let forged = peering.fork(10, 12);
        let ahead = forged.state_at(12).expect("a state");
        // proofs come from this history
        let shown: Rc<RefCell<Option<Ledger>>> = Rc::default();
        let over = || {
            let (sim, shown) = (peering.sim.clone(), shown.clone());
            move |sent: &Sent<'_>| {
                let other = shown.borrow().clone();
                if let Some(other) = other.filter(|_| sent.call == method::VERIFIABLE_TX_BY_ID) {
                    sim.embedded.put_ledger(DATABASE, other);
                }
                Delivery::After(Duration::ZERO)
            }
        };
        let mut auditor = peering.auditor_over(over());
        let honest = peering.sim.embedded.ledger(DATABASE).expect("a ledger");
        peering.is_down();
        peering.cycle(&mut auditor);
        *shown.borrow_mut() = Some(forged);
        peering.confirms(ahead);
        is_well(&peering.cycle(&mut auditor), Standing::Ahead);
        *shown.borrow_mut() = None;
        peering.sim.embedded.put_ledger(DATABASE, honest);
        peering.sim.embedded.grow(DATABASE, 4);
        if restarted {
            drop(auditor);
            auditor = peering.auditor_over(over());
        }
        peering.confirms(ahead); // the peer still has the state of the fork
        let outcome = peering.cycle(&mut auditor);
        assert_eq!(standing(&outcome), Standing::Disagrees, "{restarted}");
    }
}

#[test]
fn a_waiting_checkpoint_is_compared_if_the_peers_clock_is_ahead() {
    let peering = Peering::signed();
    let mut auditor = peering.auditor();
    let (state, signature) = peering.signed_state(peering.fork(10, 15));
    peering.cycle(&mut auditor);
    let ahead = peering.now() + INTERVAL.as_secs() + 200;
    peering.serves(peering.note(state, Some(signature), ahead));
    is_well(&peering.cycle(&mut auditor), Standing::Pending);
    peering.sim.embedded.grow(DATABASE, 10);
    peering.confirms(peering.state(20)); // an honest state of this history
    is_a_split(&peering.cycle(&mut auditor));
}

#[test]
fn a_waiting_checkpoint_is_dropped_with_its_history_or_on_request() {
    for acknowledged in [false, true] {
        let peering = Peering::unsigned();
        let mut auditor = peering.auditor();
        peering.cycle(&mut auditor);
        // a transaction that this server never gets
        peering.confirms(other(State {
            tx: 1 << 63,
            ..peering.state(10)
        }));
        is_well(&peering.cycle(&mut auditor), Standing::Pending);
        peering.serves(""); // the peer does not repeat the checkpoint
        let outcome = peering.cycle(&mut auditor);
        assert!(outcome.peers[0].waiting.is_some(), "{outcome:?}");
        match acknowledged {
            true => peering.close_the_disagreement(),
            false => {
                let (store, now) = (peering.sim.shared_store(), peering.sim.clock.now());
                store.distrust(DATABASE, now).expect("files");
            }
        }
        let outcome = peering.cycle(&mut auditor);
        assert!(outcome.peers[0].waiting.is_none(), "{outcome:?}");
        // the next checkpoint that cannot be compared waits again
        peering.confirms(peering.fork(10, 30).state_at(30).expect("a state"));
        let outcome = peering.cycle(&mut auditor);
        assert!(outcome.peers[0].waiting.is_some(), "{outcome:?}");
    }
}

#[test]
fn a_disagreement_that_was_found_while_the_clock_was_ahead_can_be_closed() {
    let peering = Peering::unsigned();
    let mut auditor = peering.disagreeing(DAY);
    peering.sim.time.step_wall_clock(-DAY);
    peering.serves("");
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(standing(&outcome), Standing::Disagrees);
    peering.close_the_disagreement();
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
}

#[test]
fn a_history_first_used_with_a_clock_ahead_is_compared_later() {
    for restarted in [false, true] {
        let peering = Peering::signed();
        let forked = peering.signed_state(peering.fork(5, 10));
        peering.sim.time.step_wall_clock(DAY);
        let mut auditor = peering.auditor();
        peering.is_down();
        peering.cycle(&mut auditor);
        peering.sim.time.step_wall_clock(-DAY);
        // the checkpoint may be from before the first check
        peering.confirms_signed(forked.clone());
        is_well(&peering.cycle(&mut auditor), Standing::Pending);
        if restarted {
            drop(auditor);
            auditor = peering.auditor();
        }
        peering.confirms_signed(forked);
        is_a_split(&peering.cycle(&mut auditor));
    }
}

#[test]
fn a_history_that_was_given_up_is_no_split_if_a_peer_confirms_it() {
    let peering = Peering::signed();
    let mut auditor = peering.auditor();
    let forked = peering.signed_state(peering.fork(10, 10));
    let never_seen = peering.signed_state(peering.fork(4, 10));
    peering.is_down();
    peering.cycle(&mut auditor);
    let replaced = peering.fork(5, 12);
    peering.sim.embedded.put_ledger(DATABASE, replaced);
    let outcome = peering.cycle(&mut auditor);
    let alarm = outcome.alarm.expect("an alarm");
    let (store, now) = (peering.sim.shared_store(), peering.sim.clock.now());
    store.adopt(&alarm.id, "kim", now).expect("adopted");
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
    peering.confirms_signed(forked.clone());
    let outcome = peering.cycle(&mut auditor);
    is_well(&outcome, Standing::Pending);
    let why = outcome.peers[0].why.clone().unwrap_or_default();
    assert!(why.contains("was given up"), "{why}");
    peering.confirms(forked.0); // without the signature as well
    is_well(&peering.cycle(&mut auditor), Standing::Pending);
    peering.confirms_signed(never_seen);
    is_a_split(&peering.cycle(&mut auditor));
}

/// Returns an auditor that has proven two states, and whose peer was unavailable for a long time.
fn long_without_a_peer() -> (Peering, Auditor) {
    let peering = Peering::signed();
    let mut auditor = peering.auditor();
    peering.is_down();
    peering.cycle(&mut auditor);
    peering.sim.embedded.grow(DATABASE, 10);
    peering.cycle(&mut auditor);
    peering.sim.time.advance(20 * INTERVAL);
    (peering, auditor)
}

#[test]
fn an_old_checkpoint_confirms_nothing_and_contradicts_once() {
    let (peering, mut auditor) = long_without_a_peer();
    let (state, signature) = peering.signed_state(peering.fork(5, 15));
    let old = peering.now() - 600;
    // the server is asked once about a state that the stored history cannot confirm
    peering.serves(peering.note(peering.state(15), None, old));
    peering.proofs();
    for _ in 0..3 {
        let outcome = peering.cycle(&mut auditor);
        is_well(&outcome, Standing::Silent);
        assert_eq!(outcome.peers[0].agreed, None);
    }
    assert_eq!(peering.proofs(), 1);
    // without the server's signature the contradiction stays until an operator acknowledges it
    peering.serves(peering.note(other(state), None, old));
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(standing(&outcome), Standing::Disagrees);
    peering.close_the_disagreement();
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
    drop(auditor);
    let mut auditor = peering.auditor();
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
    // a checkpoint from before the trusted history
    let before = peering.note(state, Some(signature.clone()), old - 3_600);
    peering.serves(before);
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
    peering.serves(peering.note(state, Some(signature), old));
    is_a_split(&peering.cycle(&mut auditor));
}

#[test]
fn a_checkpoint_from_the_future_contradicts_if_the_server_signed_it() {
    let peering = Peering::signed();
    let mut auditor = peering.auditor();
    let (state, signature) = peering.signed_state(peering.fork(5, 10));
    peering.is_down();
    peering.cycle(&mut auditor);
    let ahead = peering.now() + 3_600;
    peering.serves(peering.note(state, None, ahead));
    is_well(&peering.cycle(&mut auditor), Standing::Silent);
    peering.serves(peering.note(state, Some(signature), ahead));
    is_a_split(&peering.cycle(&mut auditor));
}

#[test]
fn a_disagreement_becomes_a_split_view_when_the_servers_key_is_known() {
    let mut peering = Peering::signed();
    let forked = peering.signed_state(peering.fork(5, 10));
    let keys = std::mem::replace(&mut peering.policy.signatures, Signatures::NotRequired);
    let mut auditor = peering.auditor();
    peering.cycle(&mut auditor);
    peering.confirms_signed(forked);
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(standing(&outcome), Standing::Disagrees);
    peering.is_down();
    drop(auditor);
    peering.policy.signatures = keys;
    let mut auditor = peering.auditor();
    let outcome = peering.cycle(&mut auditor);
    is_a_split(&outcome);
    assert!(outcome.peers[0].disagreement.is_none());
    // without a key of the server it stays a disagreement
    let mut peering = Peering::new(Options::default().signed());
    peering.policy.signatures = Signatures::NotRequired;
    let forked = peering.signed_state(peering.fork(5, 10));
    let mut auditor = peering.auditor();
    peering.cycle(&mut auditor);
    peering.confirms_signed(forked);
    peering.cycle(&mut auditor);
    peering.is_down();
    drop(auditor);
    let mut auditor = peering.auditor();
    assert_eq!(standing(&peering.cycle(&mut auditor)), Standing::Disagrees);
}

#[test]
fn an_old_checkpoint_of_a_closed_alarm_opens_no_alarm_after_a_restart() {
    let (peering, mut auditor) = long_without_a_peer();
    let (state, signature) = peering.signed_state(peering.fork(5, 15));
    let old = peering.now() - 600;
    peering.serves(peering.note(state, Some(signature.clone()), old));
    let outcome = peering.cycle(&mut auditor);
    is_a_split(&outcome);
    let (store, now) = (peering.sim.shared_store(), peering.sim.clock.now());
    let alarm = outcome.alarm.expect("an alarm").id;
    store.close_alarm(&alarm, "kim", now).expect("closed");
    for _ in 0..2 {
        // the trusted state is different, so the same contradiction would be a different finding
        peering.sim.embedded.grow(DATABASE, 1);
        drop(auditor);
        auditor = peering.auditor();
        for _ in 0..2 {
            is_well(&peering.cycle(&mut auditor), Standing::Silent);
        }
    }
    // the peer confirms the state again after the closing
    peering.confirms_signed((state, signature.clone()));
    is_a_split(&peering.cycle(&mut auditor));
    // a closed alarm hides no other state
    let store = peering.sim.shared_store();
    let closed = store.close_alarms_of(DATABASE, "kim", peering.sim.clock.now());
    assert_eq!(closed.expect("closed").len(), 1);
    let forked = peering.signed_state(peering.fork(5, 14));
    peering.serves(peering.note(forked.0, Some(forked.1), old));
    is_a_split(&peering.cycle(&mut auditor));
}

/// A peer whose response to a request comes only after the next one, except if the auditor waits for it.
struct Late {
    peer: InProcess,
    coming: Vec<Answer>,
    arrived: Vec<Answer>,
}

impl Source for Late {
    fn ask(&mut self) {
        self.arrived.append(&mut self.coming);
        self.peer.ask();
        self.coming = self.peer.take();
    }

    fn take(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.arrived)
    }

    fn wait(&mut self, _until: Instant) {
        self.arrived.append(&mut self.coming);
    }
}

#[test]
fn a_confirmation_that_comes_late_after_a_downtime_is_not_overdue() {
    let peering = Peering::unsigned();
    let response: Rc<RefCell<String>> = Rc::default();
    let confirms = || {
        let note = peering.note(peering.state(10), None, peering.now() + 1);
        *response.borrow_mut() = note;
    };
    let peers = || {
        let (names, response) = ([witness("zone-b")], response.clone());
        let peer = InProcess::new(&names, "tested", move |_| {
            Ok(response.borrow().clone().into())
        });
        let (coming, arrived) = (Vec::new(), Vec::new());
        let late = Late {
            peer,
            coming,
            arrived,
        };
        PeerPoller::new(&names, 1, Box::new(late))
    };
    let network = |_: &Sent<'_>| Delivery::After(Duration::ZERO);
    let started = || {
        let auditor = peering.sim.auditor(peering.policy.clone(), network);
        auditor.with_peers_of(peers())
    };
    let mut auditor = started();
    for _ in 0..3 {
        confirms();
        is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    }
    drop(auditor);
    peering.sim.time.advance(10 * INTERVAL);
    let mut auditor = started();
    confirms();
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
    // peers that a reload brings back
    auditor.change_peers(PeerPoller::default());
    peering.sim.time.advance(10 * INTERVAL);
    auditor.change_peers(peers());
    confirms();
    is_well(&peering.cycle(&mut auditor), Standing::Agrees);
}

/// A peer is usually some transactions behind on a busy server. It need not reach transactions that were given up.
#[test]
fn a_peer_need_not_confirm_a_history_that_was_given_up() {
    let mut peering = Peering::unsigned();
    peering.required = 1;
    let mut auditor = peering.auditor();
    peering.sim.embedded.grow(DATABASE, 90);
    peering.confirms(peering.state(90));
    is_well(&peering.cycle(&mut auditor), Standing::Behind);
    let shorter = peering.fork(40, 40);
    peering.sim.embedded.put_ledger(DATABASE, shorter);
    let (store, now) = (peering.sim.shared_store(), peering.sim.clock.now());
    store.distrust(DATABASE, now).expect("files");
    for last in [45, 50, 55, 60, 65, 70] {
        peering.sim.embedded.grow(DATABASE, 5);
        peering.confirms(peering.state(last - 2));
        let outcome = peering.cycle(&mut auditor);
        assert!(outcome.peers_overdue.is_none(), "{last}: {outcome:?}");
        is_well(&outcome, Standing::Behind);
    }
}
