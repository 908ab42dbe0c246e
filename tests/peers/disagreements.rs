//! Disagreements: their evidence and their closing, also if the clock was wrong in the meantime.

use crate::compared::compared;
use crate::support::peers::{DATABASE, Peering, other, standing, witness};
use immuaudit::audit::Standing;
use immuaudit::peer::{InProcess, PeerPoller};

const YEAR: i64 = 365 * 86_400;

#[test]
fn a_checkpoint_from_a_file_leaves_the_evidence_of_an_open_disagreement() {
    let peering = Peering::unsigned();
    peering.disagreeing(0);
    let store = peering.sim.shared_store();
    let path = store.disagreement_path(DATABASE, "zone-b");
    let evidence = || std::fs::read(&path).expect("evidence");
    let first = evidence();
    let note = peering.note(other(peering.state(7)), None, peering.now() + 1);
    let of = compared(&peering, &note);
    assert_eq!(of.report.standing, Standing::Disagrees, "{of:?}");
    assert!(evidence() == first, "the older evidence was replaced");
    // once it is closed, the next disagreement replaces it
    peering.close_the_disagreement();
    compared(&peering, &note);
    assert!(evidence() != first, "the new evidence was not written");
}

#[test]
fn an_acknowledgement_by_a_clock_ahead_closes_nothing_that_is_found_later() {
    let peering = Peering::unsigned();
    let mut auditor = peering.disagreeing(YEAR);
    let disagreeing = other(peering.state(10));
    peering.close_the_disagreement();
    peering.confirms(disagreeing);
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(standing(&outcome), Standing::Pending, "{outcome:?}");
    peering.sim.time.step_wall_clock(-YEAR);
    peering.confirms(peering.state(10));
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(standing(&outcome), Standing::Agrees, "{outcome:?}");
    for _ in 0..3 {
        peering.confirms(disagreeing);
        let outcome = peering.cycle(&mut auditor);
        assert_eq!(standing(&outcome), Standing::Disagrees, "{outcome:?}");
    }
    peering.close_the_disagreement();
    peering.confirms(disagreeing);
    let outcome = peering.cycle(&mut auditor);
    assert_eq!(standing(&outcome), Standing::Pending, "{outcome:?}");
}

#[test]
fn a_disagreement_with_a_removed_peer_can_be_closed_after_a_clock_was_ahead() {
    let peering = Peering::unsigned();
    let mut auditor = peering.disagreeing(YEAR);
    let peers = [witness("zone-cc")];
    let source = InProcess::new(&peers, "tested", |_| Err("no connection".to_owned()));
    auditor.change_peers(PeerPoller::new(&peers, 0, Box::new(source)));
    peering.sim.time.step_wall_clock(-YEAR);
    peering.cycle(&mut auditor);
    let store = peering.sim.shared_store();
    let is_open = || {
        let records = store.load_peers(peering.sim.clock.now());
        records.iter().any(|of| of.disagreement.is_some())
    };
    assert!(is_open());
    peering.close_the_disagreement();
    peering.cycle(&mut auditor);
    assert!(!is_open());
}
