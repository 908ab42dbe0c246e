//! Split views that cannot be stored when they are found. They are stored later, also after a restart.

use crate::support::blocked::Blocked;
use crate::support::peers::{DATABASE, INTERVAL, Peering, is_well, standing};
use immuaudit::audit::{Exit, Standing};

/// The checkpoint whose contradiction cannot be stored.
#[derive(Clone, Copy, Debug)]
enum Note {
    /// It waited until the server reached its transaction.
    Waiting,
    /// It confirms the present state.
    Fresh,
    /// It is too old to confirm anything.
    Old,
}

#[test]
fn a_split_view_that_healed_is_stored_when_the_files_can_be_written_again() {
    for note in [Note::Waiting, Note::Fresh, Note::Old] {
        for restarted in [false, true] {
            let peering = Peering::signed();
            let mut auditor = peering.auditor();
            let length = match note {
                Note::Waiting => 15,
                Note::Fresh | Note::Old => 10,
            };
            let forked = peering.signed_state(peering.fork(5, length));
            peering.is_down();
            peering.cycle(&mut auditor);
            let mut blocked = Some(Blocked::new(&peering.sim.shared_store(), DATABASE));
            match note {
                Note::Waiting => {
                    peering.confirms_signed(forked);
                    is_well(&peering.cycle(&mut auditor), Standing::Pending);
                    peering.sim.embedded.grow(DATABASE, 10);
                    peering.confirms(peering.sim.embedded.state(DATABASE).expect("a state"));
                }
                Note::Fresh => peering.confirms_signed(forked),
                Note::Old => {
                    peering.sim.time.advance(20 * INTERVAL);
                    let old = peering.now() - 600;
                    peering.serves(peering.note(forked.0, Some(forked.1), old));
                }
            }
            let outcome = peering.cycle(&mut auditor);
            let case = format!("{note:?} {restarted}: {outcome:?}");
            assert_eq!(outcome.verdict.word(), "split-view", "{case}");
            assert_eq!(outcome.open_alarms, 1, "{case}");
            assert!(outcome.unwritten.is_some(), "{case}");
            if restarted {
                drop((blocked.take(), auditor));
                auditor = peering.auditor();
            }
            // the server and the peer agree from now on
            for _ in 0..2 {
                peering.confirms(peering.sim.embedded.state(DATABASE).expect("a state"));
                let outcome = peering.cycle(&mut auditor);
                let case = format!("{note:?} {restarted}: {outcome:?}");
                assert_eq!(outcome.verdict.word(), "split-view", "{case}");
                assert_eq!(
                    (outcome.exit(), outcome.open_alarms),
                    (Exit::Tampered, 1),
                    "{case}"
                );
                if blocked.take().is_none() {
                    assert!(outcome.unwritten.is_none(), "{case}");
                    assert!(outcome.alarm.expect("an alarm").evidence.exists());
                    break;
                }
            }
            peering.confirms(peering.sim.embedded.state(DATABASE).expect("a state"));
            let outcome = peering.cycle(&mut auditor);
            assert_eq!(outcome.verdict.word(), "consistent", "{outcome:?}");
            assert_eq!(
                (standing(&outcome), outcome.open_alarms),
                (Standing::Agrees, 1)
            );
            assert!(outcome.peers[0].waiting.is_none(), "{outcome:?}");
        }
    }
}
