//! Words that confirm nothing any more, and can still contradict: old ones, and those of a disagreement that is kept.

use super::compare::{Line, word_of};
use super::relation::{Found, Ours, Relation, Standing};
use super::split::Told;
use crate::audit::auditor::Auditor;
use crate::peer::Word;

impl Auditor {
    /// Looks whether a word contradicts what is trusted here that is too old, or from too far ahead, to confirm anything. The
    /// consequence is drawn once: whoever repeats the word brings nothing back that an operator has closed. `None` where the
    /// program is asked to end.
    pub(super) fn compare_late(
        &mut self,
        relation: &mut Relation,
        word: &Word,
        ours: Ours,
        line: &mut Line,
    ) -> Option<Option<Told>> {
        let this = (word.state, word.signature.is_some(), ours.since);
        let is_due = word.state.tx <= ours.state.tx && word.time > ours.since;
        if !is_due || relation.compared == Some(this) || self.is_closed_by_now(relation, word) {
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
        let told = self.apply(relation, word, found, ours);
        match relation.standing {
            Standing::Split | Standing::Disagrees => relation.theirs = Some(word.state),
            _ => (relation.standing, relation.why) = silent,
        }
        Some(told)
    }

    /// Holds a disagreement that is kept against the keys of the settings, which may be others than when it was found: what the
    /// server signed is a split. `None` where the program is asked to end.
    pub(super) fn signed_after_all(
        &mut self,
        relation: &mut Relation,
        ours: Ours,
        line: &mut Line,
    ) -> Option<Option<Told>> {
        let kept = relation.record.disagreement.as_ref();
        // it was said before it was found
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
        let told = self.apply(relation, &word, found, ours);
        if told.is_some() {
            relation.record.disagreement = None;
        }
        Some(told)
    }

    /// Returns whether an operator closed what a word alone says after it was said.
    fn is_closed_by_now(&self, relation: &Relation, word: &Word) -> bool {
        let acknowledged = self.acknowledged(&relation.record.database);
        let closed_to = acknowledged.disagreements_to;
        closed_to.is_some_and(|to| word.time <= to) && !self.is_signed_by_the_server(word)
    }
}
