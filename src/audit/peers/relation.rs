//! The memory of a peer and a database, and its changes, without I/O or clock.

use std::cmp::Ordering;
use std::sync::Arc;

use super::standing::Standing;
use crate::audit::verdict::Reason;
use crate::clock::Timestamp;
use crate::ledger::{Digest, State};
use crate::peer::Word;
use crate::trust::{Agreed, Begins, Behind, Disagreement, PeerRecord, Waiting};

/// The trusted state with which the checkpoints of peers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ours {
    /// The trusted state, proven in this check.
    pub state: State,
    /// The time since which its history is trusted without a break.
    pub since: Timestamp,
}

/// The local history's content at the id of a peer's state.
#[derive(Debug)]
pub(super) enum Found {
    /// The same state.
    Same,
    /// Another hash, and whether a response in this check proves this hash.
    Other(Digest, ByAnswer),
    /// The server also showed the peer's state to this auditor, and it contradicts the trusted state.
    Contradiction(Reason),
    /// The comparison was not possible, for this reason.
    Unclear(String),
}

/// Whether a response of the server in this check proves the content of the local history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) enum ByAnswer {
    Yes,
    No,
}

/// A comparison with a final result.
#[derive(Clone, Copy, Debug)]
struct Settled {
    theirs: State,
    ours: State,
    /// The time since which the history of `ours` is trusted. The result is not valid for another history.
    since: Timestamp,
    /// The local hash, if the peer's hash differs.
    other: Option<Digest>,
}

/// The peer's notes in a record.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    waiting: Option<Waiting>,
    disagreement: Option<Disagreement>,
}

impl Notes {
    pub fn of(record: &PeerRecord) -> Notes {
        Notes {
            waiting: record.waiting.clone(),
            disagreement: record.disagreement.clone(),
        }
    }
}

/// The memory of a peer and a database.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Relation {
    /// The record on disk.
    pub record: PeerRecord,
    pub standing: Standing,
    /// The reason why the peer is silent or its checkpoint could not be compared.
    pub why: Option<String>,
    /// The peer's state that was compared last.
    pub theirs: Option<State>,
    settled: Option<Settled>,
    /// The state whose contradiction already had its consequence, whether it had a signature, and the time since
    /// which the compared history was trusted.
    pub(super) compared: Option<(State, bool, Timestamp)>,
    /// A state, the time since which the present history is trusted, and whether the state is of a history that was
    /// given up. The history on disk has this fact, but is long, and a peer may repeat its state in every check.
    given_up: Option<(State, Timestamp, bool)>,
}

impl Relation {
    /// Begins to wait for a peer's checkpoint of a database.
    pub fn new(database: &str, peer: &str, now: Timestamp) -> Relation {
        Relation::remembered(PeerRecord {
            database: database.to_owned(),
            peer: peer.to_owned(),
            since: now,
            agreed: None,
            behind: None,
            waiting: None,
            disagreement: None,
            acknowledged: None,
            begins: None,
        })
    }

    /// Restores a relation from an earlier run.
    pub fn remembered(record: PeerRecord) -> Relation {
        Relation {
            standing: match record.disagreement {
                Some(_) => Standing::Disagrees,
                None => Standing::Silent,
            },
            why: None,
            theirs: None,
            settled: None,
            given_up: None,
            compared: None,
            record,
        }
    }

    /// Returns the time since which a history is trusted whose date is `since`. If the date is in the future, returns
    /// the time at which this was noticed: the history had begun by then.
    pub(super) fn began(&mut self, since: Timestamp, now: Timestamp) -> Timestamp {
        if since <= now {
            self.record.begins = None;
            return since;
        }
        let noticed = self.record.begins.filter(|begins| begins.dated == since);
        let by = noticed.map_or(now, |begins| begins.by.min(now));
        self.record.begins = Some(Begins { dated: since, by });
        by
    }

    /// Records whether a state is of a history that was given up.
    pub(super) fn note_given_up(&mut self, theirs: State, since: Timestamp, is_given_up: bool) {
        self.given_up = Some((theirs, since, is_given_up));
    }

    /// Returns whether a state is of a history that was given up; `None` if this was not read since the present
    /// history began.
    pub(super) fn is_given_up(&self, theirs: State, since: Timestamp) -> Option<bool> {
        let noted = self.given_up;
        let noted = noted.filter(|(state, began, _)| (*state, *began) == (theirs, since));
        noted.map(|(_, _, is_given_up)| is_given_up)
    }

    /// Returns the known result for a state, without a call. A state that was found in the history of an earlier
    /// trusted state is also in that of a later one.
    pub(super) fn known(&self, theirs: State, ours: State, since: Timestamp) -> Option<Found> {
        if theirs.tx == ours.tx {
            return Some(match theirs.hash == ours.hash {
                true => Found::Same,
                false => Found::Other(ours.hash, ByAnswer::No),
            });
        }
        let agreed = self.record.agreed.as_ref();
        let agreed = agreed.filter(|of| of.in_history && of.state == theirs && of.time >= since);
        if agreed.is_some_and(|of| of.state.tx < ours.tx) {
            return Some(Found::Same);
        }
        let settled = self.settled.as_ref();
        let settled = settled.filter(|of| of.theirs == theirs && of.since == since)?;
        let holds = settled.ours == ours || settled.theirs.tx < settled.ours.tx;
        holds.then_some(match settled.other {
            Some(hash) => Found::Other(hash, ByAnswer::No),
            None => Found::Same,
        })
    }

    /// Records a result, so that it is not requested again.
    pub(super) fn settle(&mut self, theirs: State, ours: State, since: Timestamp, found: &Found) {
        let other = match found {
            Found::Same => None,
            Found::Other(hash, _) => Some(*hash),
            Found::Contradiction(_) | Found::Unclear(_) => return,
        };
        self.settled = Some(Settled {
            theirs,
            ours,
            since,
            other,
        });
    }

    /// Records that a checkpoint agrees. Its time is the peer's, but never in the future.
    pub(super) fn agree(&mut self, word: &Word, ours: Ours, now: Timestamp) {
        let time = word.time.min(now);
        let before = self.record.agreed;
        // checkpoints may be compared in another order than that of their times
        if before.is_none_or(|before| (before.time, before.state.tx) <= (time, word.state.tx)) {
            self.record.agreed = Some(Agreed {
                state: word.state,
                time,
                in_history: word.state.tx <= ours.state.tx,
            });
        }
        self.record.behind = match self.record.behind {
            _ if word.state.tx >= ours.state.tx => None,
            // a transaction of a history that was given up is not expected any more
            Some(behind) if word.state.tx < behind.tx && behind.since >= ours.since => Some(behind),
            _ => Some(Behind {
                tx: ours.state.tx,
                since: now,
            }),
        };
        self.record.acknowledged = None; // a later disagreement is another one
        self.standing = match word.state.tx.cmp(&ours.state.tx) {
            Ordering::Less => Standing::Behind,
            Ordering::Equal => Standing::Agrees,
            Ordering::Greater => Standing::Ahead,
        };
        self.why = None;
    }

    /// Replaces times in the future by the present time. They are from a clock that was ahead, and until then nothing
    /// would become overdue or be closed.
    pub(super) fn put_right(&mut self, now: Timestamp) {
        let PeerRecord {
            since,
            agreed,
            behind,
            waiting,
            disagreement,
            acknowledged,
            ..
        } = &mut self.record;
        let times = [
            acknowledged.as_mut(),
            Some(since),
            agreed.as_mut().map(|of| &mut of.time),
            behind.as_mut().map(|of| &mut of.since),
            disagreement.as_mut().map(|of| &mut of.found),
        ];
        let of_waiting = waiting
            .as_mut()
            .map(|of| [&mut of.time, &mut of.since])
            .into_iter()
            .flatten();
        for time in times.into_iter().flatten().chain(of_waiting) {
            *time = (*time).min(now);
        }
    }

    /// Records that a checkpoint could not be compared. The oldest such checkpoint is stored until it can be.
    pub(super) fn wait(&mut self, word: &Word, why: String, now: Timestamp) {
        self.standing = Standing::Pending;
        self.why = Some(why);
        self.record.waiting.get_or_insert_with(|| Waiting {
            note: Arc::clone(&word.note),
            time: word.time.min(now),
            since: now,
        });
    }

    /// Restores the notes from before a comparison whose result is not stored, so that the next check compares them
    /// again, also after a restart. A checkpoint that contradicts the trusted state waits until then.
    pub(super) fn restore(&mut self, notes: Notes, word: Option<&Word>, now: Timestamp) {
        let record = &mut self.record;
        if notes.waiting.is_some() {
            record.waiting = notes.waiting;
        }
        if notes.disagreement.is_some() {
            record.disagreement = notes.disagreement;
        }
        if let Some(word) = word {
            record.waiting.get_or_insert_with(|| Waiting {
                note: Arc::clone(&word.note),
                time: word.time,
                since: now,
            });
        }
        self.compared = None;
    }

    /// Records that the peer has no checkpoint that counts.
    pub(super) fn fall_silent(&mut self, why: String) {
        self.standing = Standing::Silent;
        self.why = Some(why);
    }

    /// Records that a checkpoint contradicts the local server, and that an operator has acknowledged that.
    pub(super) fn disagree_as_acknowledged(&mut self, at: Timestamp) {
        self.standing = Standing::Pending;
        self.why = Some(format!(
            "its checkpoint contradicts the server, as an operator acknowledged at {at}"
        ));
    }

    /// Records that a checkpoint contradicts the local server. The first one is stored.
    pub(super) fn disagree(&mut self, word: &Word, here: Digest, ours: State, now: Timestamp) {
        self.standing = Standing::Disagrees;
        self.why = None;
        let here = State {
            tx: word.state.tx,
            hash: here,
        };
        self.record
            .disagreement
            .get_or_insert_with(|| Disagreement {
                theirs: word.state,
                here,
                trusted: ours,
                found: now,
                note: Arc::clone(&word.note),
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(tx: u64) -> State {
        State {
            tx,
            hash: Digest::of(&[&tx.to_be_bytes()]),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    #[test]
    fn an_agreement_counts_only_for_the_history_trusted_then() {
        let mut relation = Relation::new("db", "zone-b", at(1));
        let agreed = |in_history| Agreed {
            state: state(5),
            time: at(100),
            in_history,
        };
        relation.record.agreed = Some(agreed(true));
        let is_same = |relation: &Relation, since| {
            let known = relation.known(state(5), state(9), at(since));
            assert!(matches!(known, Some(Found::Same) | None), "{known:?}");
            known.is_some()
        };
        assert!(is_same(&relation, 50) && is_same(&relation, 100));
        assert!(
            !is_same(&relation, 101),
            "the trusted history began again since"
        );
        // a state that was ahead may belong to another history
        relation.record.agreed = Some(agreed(false));
        assert!(!is_same(&relation, 50));
    }

    #[test]
    fn a_settled_comparison_counts_only_for_the_same_history() {
        let mut relation = Relation::new("db", "zone-b", at(1));
        relation.settle(state(5), state(9), at(50), &Found::Same);
        let known = |ours, since| relation.known(state(5), state(ours), at(since)).is_some();
        assert!(known(9, 50) && known(12, 50));
        assert!(!known(9, 51), "of another history");
        let mut ahead = Relation::new("db", "zone-b", at(1));
        ahead.settle(state(20), state(9), at(50), &Found::Same);
        let known = |ours| ahead.known(state(20), state(ours), at(50)).is_some();
        assert!(known(9) && !known(12), "a later state may be another one's");
    }
}
