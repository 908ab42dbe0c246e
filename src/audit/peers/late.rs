//! Checkpoints that no longer confirm anything and can still contradict: old ones, and those of a stored
//! disagreement.

use super::compare::{Line, word_of};
use super::relation::{Found, Ours, Relation};
use super::split::{PeerContradiction, is_of_signed_state};
use super::standing::Standing;
use crate::audit::auditor::Auditor;
use crate::peer::Word;

impl Auditor {
    /// Checks whether a checkpoint that is too old, or too far ahead, to confirm anything contradicts the trusted
    /// state. It has a consequence only once: a repeated checkpoint does not reopen anything that an operator has
    /// closed, also after a restart. Returns `None` if the program is asked to end.
    pub(super) fn compare_late(
        &mut self,
        relation: &mut Relation,
        word: &Word,
        ours: Ours,
        line: &mut Line,
    ) -> Option<Option<PeerContradiction>> {
        let this = (word.state, word.signature.is_some(), ours.since);
        let is_due = word.state.tx <= ours.state.tx && word.time > ours.since;
        if !is_due || relation.compared == Some(this) {
            return Some(None);
        }
        if self.is_closed_by_now(relation, word) {
            relation.compared = Some(this);
            return Some(None);
        }
        let found = self.find(relation, word, ours, line)?;
        if matches!(found, Found::Unclear(_)) {
            return Some(None);
        }
        relation.compared = Some(this);
        if matches!(found, Found::Same) {
            return Some(None);
        }
        let silent = (relation.standing, relation.why.clone());
        let contradictions = self.apply(relation, word, found, ours);
        match relation.standing {
            Standing::Split | Standing::Disagrees => relation.theirs = Some(word.state),
            _ => (relation.standing, relation.why) = silent,
        }
        Some(contradictions)
    }

    /// Checks a stored disagreement against the keys of the settings, which may have changed since it was found. If
    /// the server signed the peer's state, it is a split view. Returns `None` if the program is asked to end.
    pub(super) fn signed_after_all(
        &mut self,
        relation: &mut Relation,
        ours: Ours,
        line: &mut Line,
    ) -> Option<Option<PeerContradiction>> {
        let kept = relation.record.disagreement.as_ref();
        // the checkpoint was signed before the disagreement was found
        let word = kept.and_then(|kept| word_of(&kept.note, kept.found));
        let is_due = |word: &Word| word.state.tx <= ours.state.tx && word.time > ours.since;
        let word = word.filter(|word| is_due(word) && self.is_signed_by_the_server(word));
        let Some(word) = word else {
            return Some(None);
        };
        let found = self.find(relation, &word, ours, line)?;
        if !matches!(found, Found::Other(..) | Found::Contradiction(_)) {
            return Some(None);
        }
        let contradictions = self.apply(relation, &word, found, ours);
        if contradictions.is_some() {
            relation.record.disagreement = None;
        }
        Some(contradictions)
    }

    /// Returns whether an operator closed the finding of this checkpoint after the checkpoint was made: the
    /// disagreement, or the alarm if the server signed the state. The time of a checkpoint from the future is unknown.
    fn is_closed_by_now(&self, relation: &Relation, word: &Word) -> bool {
        let (database, now) = (&relation.record.database, self.wall_time());
        if !self.is_signed_by_the_server(word) {
            let closed_to = self.acknowledged(database).disagreements_closed_to(now);
            return closed_to.is_some_and(|to| word.time <= to);
        }
        let is_ahead = word.time > now;
        let alarms = self.store.all_alarms(database).unwrap_or_default();
        alarms.iter().any(|alarm| {
            let closed = alarm.closed.as_ref();
            is_of_signed_state(alarm, word.state)
                && closed.is_some_and(|closed| is_ahead || word.time <= closed.when)
        })
    }
}
