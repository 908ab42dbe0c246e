//! Bisects where two histories of one ledger fork. Another auditor's accepted states are compared with this server's
//! proofs.

use std::collections::BTreeMap;

use crate::audit::auditor::Auditor;
use crate::audit::locate::answer;
use crate::ledger::State;
use crate::locate::{Probe, bisect, max_probes};
use crate::text::Escaped;

/// The states of another auditor between which two histories fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The last state that is proven to belong to this auditor's history, too; `None` if there is none.
    pub same: Option<State>,
    /// The first state that does not belong to this auditor's history.
    pub other: State,
    /// The number of states between the two about which the server proved nothing.
    pub unknown: usize,
}

impl Auditor {
    /// Bisects where a history forks from the one of `trusted`, to which `other` does not belong. A stored state of
    /// the local history needs no call; for any other transaction the server proves the state that its history has
    /// there.
    pub(super) fn parting(
        &mut self,
        database: &str,
        trusted: State,
        ours: &BTreeMap<u64, State>,
        theirs: &[State],
        other: State,
    ) -> Parting {
        let is_before = |state: &&State| state.tx < other.tx && state.tx <= trusted.tx;
        let theirs: BTreeMap<u64, State> = theirs
            .iter()
            .filter(is_before)
            .map(|state| (state.tx, *state))
            .collect();
        let row: Vec<State> = theirs.into_values().collect();
        let at = |index: u64| {
            usize::try_from(index)
                .ok()
                .and_then(|at| row.get(at))
                .copied()
        };
        let among = u64::try_from(row.len()).unwrap_or(u64::MAX);
        let range = self.policy.max_fetch;
        let server = &mut self.server;
        let found = bisect(0..among, max_probes(among), |index| {
            let Some(state) = at(index) else {
                return Probe::Aborted(Escaped::default());
            };
            if let Some(ours) = ours.get(&state.tx) {
                return Probe::of_hashes(&state.hash, &ours.hash);
            }
            // `None` means that the program is asked to end
            answer(server, database, &state, &trusted, range)
                .unwrap_or_else(|| Probe::Aborted(Escaped::default()))
        });
        Parting {
            same: found.holds.and_then(at),
            other: found.broken.and_then(at).unwrap_or(other),
            unknown: found.unknown.len(),
        }
    }
}
