//! States of a history that an operator gave up. A peer that still confirms them is no evidence against the server.

use super::relation::Relation;
use crate::audit::auditor::Auditor;
use crate::clock::Timestamp;
use crate::ledger::State;

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
        let database = &relation.record.database;
        let Ok(given_up) = self.store.given_up(database, |state| *state == theirs) else {
            return true; // the next check of the database reports why
        };
        let is_given_up = given_up.is_some();
        relation.note_given_up(theirs, since, is_given_up);
        is_given_up
    }
}
