//! Several contradictions in one check: none hides another.

use std::time::Duration;

use crate::support::peers::{
    DATABASE, INTERVAL, Peering, is_well, note_by, signer, standing, witness,
};
use immuaudit::audit::{Exit, Standing};
use immuaudit::checkpoint::KeyName;
use immuaudit::drill::{Delivery, Sent};
use immuaudit::peer::{InProcess, PeerPoller};

#[test]
fn a_claim_of_a_waiting_checkpoint_hides_no_signed_contradiction() {
    let peering = Peering::signed();
    let mut auditor = peering.auditor();
    peering.is_down();
    peering.cycle(&mut auditor);
    peering.sim.time.advance(20 * INTERVAL);
    let (state, signature) = peering.signed_state(peering.fork(5, 10));
    // a checkpoint without the server's signature waits until the server reaches its transaction
    peering.confirms(peering.fork(5, 15).state_at(15).expect("a state"));
    is_well(&peering.cycle(&mut auditor), Standing::Pending);
    peering.sim.embedded.grow(DATABASE, 10);
    // the last checkpoint has the signature, and is too old to be compared more than once
    let old = peering.now() - 600;
    peering.serves(peering.note(state, Some(signature), old));
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(outcome.verdict.word(), "split-view", "{outcome:?}");
    assert_eq!((outcome.exit(), outcome.open_alarms), (Exit::Tampered, 1));
    assert_eq!(standing(&outcome), Standing::Split);
    assert!(outcome.peers[0].disagreement.is_some(), "{outcome:?}");
}

#[test]
fn split_views_of_two_peers_in_one_check_open_two_reported_alarms() {
    let peering = Peering::signed();
    let time = peering.now() + 2 * INTERVAL.as_secs();
    let note = |peer: &str, shared| {
        let (state, signature) = peering.signed_state(peering.fork(shared, 10));
        let of = ("tested", DATABASE);
        note_by(&signer(peer), of, state, Some(signature), time)
    };
    let notes = [note("zone-b", 5), note("zone-cc", 4)];
    let peers = ["zone-b", "zone-cc"].map(witness);
    let source = InProcess::new(&peers, "tested", move |peer: &KeyName| {
        let is_first = peer.as_str() == "zone-b";
        Ok(notes[usize::from(!is_first)].clone().into_bytes())
    });
    let network = |_: &Sent<'_>| Delivery::After(Duration::ZERO);
    let auditor = peering.sim.auditor(peering.policy.clone(), network);
    let poller = PeerPoller::new(&peers, 0, Box::new(source));
    let mut auditor = auditor.with_peers_of(poller);
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(outcome.verdict.word(), "split-view", "{outcome:?}");
    assert_eq!(outcome.open_alarms, 2, "{outcome:?}");
    // each opened alarm is notified
    let opened: Vec<&str> = outcome.opened.iter().map(|of| of.reason.as_str()).collect();
    for peer in ["zone-b ", "zone-cc "] {
        assert!(opened.iter().any(|of| of.contains(peer)), "{opened:?}");
    }
    // the next check opens no further one
    let outcome = peering.cycle(&mut auditor);
    assert_eq!((outcome.opened.len(), outcome.open_alarms), (0, 2));
}
