//! The states of the present history that were trusted last. They are in memory because a peer is usually one or two
//! cycles late, and the history on disk is long.

use std::collections::VecDeque;

use super::relation::Ours;
use crate::ledger::Digest;

/// The limit of states: one for each interval until a checkpoint is too old, and some more.
const MAX_STATES: usize = 8;

/// The last trusted states of a database, each of the same history.
#[derive(Debug, Default)]
pub(in crate::audit) struct Recent(VecDeque<Ours>);

impl Recent {
    /// Remembers a trusted state, and forgets those of another history.
    pub(super) fn note(&mut self, ours: Ours) {
        self.0.retain(|of| of.since == ours.since);
        if self.0.back() == Some(&ours) {
            return;
        }
        if self.0.len() >= MAX_STATES {
            self.0.pop_front();
        }
        self.0.push_back(ours);
    }

    /// Returns the hash of a transaction in the history that the state is of, if it is remembered.
    pub(super) fn hash_at(&self, tx: u64, ours: Ours) -> Option<Digest> {
        let mut of_history = self.0.iter().filter(|of| of.since == ours.since);
        let found = of_history.find(|of| of.state.tx == tx)?;
        Some(found.state.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ledger::State;

    fn ours(tx: u64, since: u64) -> Ours {
        let hash = Digest::of(&[&tx.to_be_bytes(), &since.to_be_bytes()]);
        Ours {
            state: State { tx, hash },
            since: Timestamp::from_unix(since),
        }
    }

    #[test]
    fn the_last_states_of_one_history_are_remembered_and_none_of_another() {
        let mut recent = Recent::default();
        for tx in 1..=20 {
            recent.note(ours(tx, 5));
            recent.note(ours(tx, 5));
        }
        assert_eq!(recent.0.len(), MAX_STATES);
        let now = ours(20, 5);
        assert_eq!(recent.hash_at(19, now), Some(ours(19, 5).state.hash));
        assert_eq!(recent.hash_at(12, now), None);
        assert_eq!(recent.hash_at(19, ours(20, 6)), None);
        recent.note(ours(7, 6));
        assert_eq!(recent.hash_at(7, ours(7, 6)), Some(ours(7, 6).state.hash));
        assert_eq!(recent.hash_at(19, now), None);
    }
}
