//! States of a history that an operator gave up. A peer that still confirms them is no evidence against the server.

use super::relation::Relation;
use crate::audit::auditor::Auditor;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::trust::HistoryEntry;

impl Auditor {
    /// Returns whether a state was trusted before the present history began, at `since`. If that cannot be read, the
    /// state may have been trusted.
    pub(super) fn is_given_up(
        &self,
        relation: &mut Relation,
        theirs: State,
        since: Timestamp,
    ) -> bool {
        if let Some(is_given_up) = relation.is_given_up(theirs, since) {
            return is_given_up;
        }
        let Ok(entries) = self.store.history(&relation.record.database) else {
            return true; // the next check of the database reports why
        };
        let begin = entries.iter().rposition(HistoryEntry::is_a_beginning);
        let mut before = entries.iter().take(begin.unwrap_or(0));
        let is_given_up = before.any(|entry| entry.state == theirs);
        relation.note_given_up(theirs, since, is_given_up);
        is_given_up
    }
}
