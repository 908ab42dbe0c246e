//! Compares the checkpoints of all peers for one database with the state that was proven just now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::relation::{ByAnswer, Found, Notes, Ours, Relation};
use super::split::PeerContradiction;
use super::standing::Standing;
use crate::audit::auditor::Auditor;
use crate::audit::check::other_state::{OtherStateResult, other_state};
use crate::audit::overdue::late_after;
use crate::audit::report_outcome::PendingOutcome;
use crate::audit::verdict::{Reason, Verdict};
use crate::checkpoint::{Checkpoint, KeyName, SignedNote};
use crate::clock::Timestamp;
use crate::ledger::{Digest, State, StateShape};
use crate::peer::{Age, Word};
use crate::trust::{PeerRecord, Waiting};

/// The transactions and hashes of the local trusted history, read when they are first needed.
pub(super) type Line = Option<Result<BTreeMap<u64, Digest>, String>>;

impl Auditor {
    /// Adds the peers' checkpoints to the result of a database's check. Only a state that was proven just now is
    /// compared with theirs. Returns `None` if the program is asked to end.
    pub(in crate::audit) fn with_peers(
        &mut self,
        database: &str,
        mut conclusion: PendingOutcome,
    ) -> Option<PendingOutcome> {
        if self.peers.is_empty() {
            return Some(conclusion);
        }
        let proven = match (conclusion.verdict, conclusion.shown) {
            (Verdict::FirstSeen | Verdict::Consistent, Some(shown)) => shown,
            _ => return Some(conclusion),
        };
        let trusted = self.store.load(database).ok().flatten();
        // if the file cannot be read now, the next check reports why
        let Some(trusted) = trusted.filter(|trusted| trusted.state == proven) else {
            return Some(conclusion);
        };
        let ours = Ours {
            state: trusted.state,
            since: trusted.since,
        };
        self.databases.of(database).recent.note(ours);
        self.collect_responses();
        let heard: Vec<(KeyName, Option<Word>, String)> = self
            .peers
            .all()
            .map(|(peer, latest)| {
                let word = latest.words.get(database).cloned();
                (peer.clone(), word, latest.why_nothing())
            })
            .collect();
        let mut line: Line = None;
        for (peer, word, why_nothing) in heard {
            let now = self.wall_time();
            let peers = &mut self.databases.of(database).peers;
            let mut relation = peers
                .remove(&peer)
                .unwrap_or_else(|| Box::new(Relation::new(database, peer.as_str(), now)));
            let notes = Notes::of(&relation.record);
            let contradictions =
                self.compare_words(&mut relation, word, why_nothing, ours, &mut line);
            if contradictions.is_none() {
                relation.restore(notes.clone(), None, now); // a contradiction may be found and not reported
            }
            let agreed = relation.record.agreed.map(|agreed| agreed.state.tx);
            self.databases
                .of(database)
                .peers
                .insert(peer.clone(), relation);
            for contradiction in contradictions? {
                let word = contradiction.word().clone();
                let split =
                    self.record_contradiction(database, &trusted, &peer, contradiction, agreed);
                let Some(split) = split else { continue };
                let relation = self.databases.of(database).peers.get_mut(&peer);
                if let Some(relation) = relation.filter(|_| !split.is_stored) {
                    relation.restore(notes.clone(), Some(&word), now);
                }
                match &mut conclusion.split {
                    Some(first) => first.join(split),
                    none => *none = Some(Box::new(split)),
                }
            }
        }
        Some(conclusion)
    }

    /// Takes over the responses of the peers so far. The cycle forgets checkpoints of unknown databases at its end.
    pub(in crate::audit) fn collect_responses(&mut self) {
        let now = self.wall_time();
        self.peers.take_in(now);
    }

    /// Compares the checkpoints of one peer: the waiting one, then the last one. Returns each proof or claim that the
    /// server showed two histories; `None` if the program is asked to end.
    fn compare_words(
        &mut self,
        relation: &mut Relation,
        word: Option<Word>,
        why_nothing: String,
        ours: Ours,
        line: &mut Line,
    ) -> Option<Vec<PeerContradiction>> {
        let now = self.wall_time();
        relation.put_right(now);
        let ours = Ours {
            since: relation.began(ours.since, now),
            ..ours
        };
        self.drop_closed(relation, ours.since);
        let mut contradictions = Vec::new();
        // a checkpoint that the server has not reached yet keeps waiting; the peer's last checkpoint is compared
        let waiting = relation.record.waiting.as_ref().and_then(waiting_word);
        if let Some(waiting) = waiting {
            if waiting.state.tx <= ours.state.tx {
                let found = self.find(relation, &waiting, ours, line)?;
                if !matches!(found, Found::Unclear(_)) {
                    relation.record.waiting = None;
                    contradictions.extend(self.apply(relation, &waiting, found, ours));
                }
            }
        } else {
            relation.record.waiting = None;
        }
        contradictions.extend(self.signed_after_all(relation, ours, line)?);
        // a waiting checkpoint from before the trusted history contradicts nothing, so another may take its place
        let waiting = &mut relation.record.waiting;
        waiting.take_if(|waiting| waiting.time <= ours.since);
        let allowed = late_after(self.policy.interval);
        let Some(word) = word else {
            relation.fall_silent(why_nothing);
            return Some(contradictions);
        };
        match word.age(now, allowed) {
            Age::Stale(old) => {
                relation.fall_silent(format!("its last checkpoint is {}s old", old.as_secs()));
                contradictions.extend(self.compare_late(relation, &word, ours, line)?);
                return Some(contradictions);
            }
            Age::Future(ahead) => {
                let ahead = ahead.as_secs();
                relation.fall_silent(format!(
                    "its clock, or this host's clock, is wrong: its checkpoint is {ahead}s ahead"
                ));
                if self.is_signed_by_the_server(&word) {
                    contradictions.extend(self.compare_late(relation, &word, ours, line)?);
                }
                return Some(contradictions);
            }
            Age::Fresh => {}
        }
        relation.theirs = Some(word.state);
        let found = self.find(relation, &word, ours, line)?;
        if !matches!(found, Found::Unclear(_)) {
            relation.compared = Some((word.state, word.signature.is_some(), ours.since));
        }
        contradictions.extend(self.apply(relation, &word, found, ours));
        Some(contradictions)
    }

    /// Forgets the disagreement that an operator acknowledged, and a waiting checkpoint if it was waiting at that time.
    /// The acknowledgement holds until the peer agrees again, or until another history is trusted here.
    fn drop_closed(&self, relation: &mut Relation, since: Timestamp) {
        let PeerRecord {
            database,
            waiting,
            disagreement,
            acknowledged,
            ..
        } = &mut relation.record;
        acknowledged.take_if(|at| *at < since);
        if waiting.is_none() && disagreement.is_none() {
            return;
        }
        let facts = self.acknowledged(database);
        let closed_to = facts.disagreements_closed_to(self.wall_time());
        let is_closed = |since: Timestamp| closed_to.is_some_and(|to| since <= to);
        if disagreement.take_if(|of| is_closed(of.found)).is_some() {
            *acknowledged = closed_to;
        }
        waiting.take_if(|of| is_closed(of.since));
    }

    /// Finds the local history's transaction at the id of a peer's state. Asks the server only if the memory and the
    /// stored history do not decide, or to get evidence: an alarm's file must prove the contradiction.
    pub(super) fn find(
        &mut self,
        relation: &mut Relation,
        word: &Word,
        ours: Ours,
        line: &mut Line,
    ) -> Option<Found> {
        let theirs = word.state;
        let database = relation.record.database.clone();
        let known = relation.known(theirs, ours.state, ours.since);
        let known = known.or_else(|| self.in_history(&database, theirs, ours, line));
        let found = match known {
            Some(Found::Other(here, _))
                if theirs.tx != ours.state.tx && self.is_to_be_shown(relation, word, ours) =>
            {
                match self.ask_server_about(&database, theirs, ours)? {
                    Found::Unclear(_) | Found::Same => Found::Other(here, ByAnswer::No),
                    found => found,
                }
            }
            Some(found) => found,
            None => self.ask_server_about(&database, theirs, ours)?,
        };
        relation.settle(theirs, ours.state, ours.since, &found);
        Some(found)
    }

    /// Searches the recently trusted states for a state, then the history on disk; `None` if neither has its
    /// transaction.
    fn in_history(
        &self,
        database: &str,
        theirs: State,
        ours: Ours,
        line: &mut Line,
    ) -> Option<Found> {
        if theirs.tx > ours.state.tx {
            return None;
        }
        let held = |here: Digest| match here == theirs.hash {
            true => Found::Same,
            false => Found::Other(here, ByAnswer::No),
        };
        let recent = self.databases.get(database).map(|of| &of.recent);
        if let Some(here) = recent.and_then(|recent| recent.hash_at(theirs.tx, ours)) {
            return Some(held(here));
        }
        let line = line.get_or_insert_with(|| {
            let states = self.store.proven_line(database);
            let states = states.map_err(|failure| failure.to_string())?;
            Ok(states
                .into_iter()
                .map(|state| (state.tx, state.hash))
                .collect())
        });
        match line {
            Err(why) => Some(Found::Unclear(why.clone())),
            Ok(line) => line.get(&theirs.tx).copied().map(held),
        }
    }

    /// Asks the server. immudb 0.9.0 mixes up the responses to concurrent clients, so its response counts only if it
    /// comes twice in a row.
    pub(super) fn ask_server_about(
        &mut self,
        database: &str,
        theirs: State,
        ours: Ours,
    ) -> Option<Found> {
        let range = self.policy.max_fetch;
        // a server whose version is not known yet may be a 0.9.0
        let mut again = self.shape != Some(StateShape::WithDatabase);
        loop {
            let shown = other_state(&mut self.server, database, &theirs, &ours.state, range);
            let found = match shown {
                OtherStateResult::Proven(hash) if hash == theirs.hash => Found::Same,
                OtherStateResult::Proven(hash) => Found::Other(hash, ByAnswer::Yes),
                OtherStateResult::Contradicts(reason) => Found::Contradiction(reason),
                OtherStateResult::Unknown(reason) => Found::Unclear(not_yet(&reason, theirs)),
                OtherStateResult::Stopped => return None,
            };
            match found {
                Found::Other(..) | Found::Contradiction(_) if again => again = false,
                found => return Some(found),
            }
        }
    }

    /// Applies a result to the relation.
    pub(super) fn apply(
        &self,
        relation: &mut Relation,
        word: &Word,
        found: Found,
        ours: Ours,
    ) -> Option<PeerContradiction> {
        let now = self.wall_time();
        match found {
            Found::Same => {
                relation.agree(word, ours, now);
                None
            }
            Found::Unclear(why) => {
                relation.wait(word, why, now);
                None
            }
            Found::Contradiction(reason) => {
                relation.standing = Standing::Split;
                relation.why = None;
                Some(PeerContradiction::Shown(word.clone(), reason))
            }
            // an operator gave up the older history, so a difference is expected
            Found::Other(..) if word.time <= ours.since => {
                relation.standing = Standing::Pending;
                let why = "its checkpoint is older than the trusted history here";
                relation.why = Some(why.to_owned());
                None
            }
            Found::Other(..) if self.is_given_up(relation, word.state, ours.since) => {
                relation.standing = Standing::Pending;
                let why =
                    "its state belongs to a history that was trusted here before, and was given up";
                relation.why = Some(why.to_owned());
                None
            }
            Found::Other(here, by) if self.is_signed_by_the_server(word) => {
                relation.standing = Standing::Split;
                relation.why = None;
                Some(PeerContradiction::Signed(word.clone(), here, by))
            }
            Found::Other(here, by) => {
                if let Some(at) = relation.record.acknowledged {
                    relation.disagree_as_acknowledged(at);
                    return None;
                }
                let is_new = relation.record.disagreement.is_none();
                relation.disagree(word, here, ours.state, now);
                is_new.then(|| PeerContradiction::Claimed(word.clone(), here, by))
            }
        }
    }

    /// Returns whether a contradiction needs a proof in a file, because it becomes an alarm or is new.
    fn is_to_be_shown(&self, relation: &Relation, word: &Word, ours: Ours) -> bool {
        word.time > ours.since
            && relation.is_given_up(word.state, ours.since) != Some(true)
            && ((relation.record.disagreement.is_none() && relation.record.acknowledged.is_none())
                || self.is_signed_by_the_server(word))
    }

    /// Returns whether the server signed a peer's state for this very database, by a key of the settings. A key that
    /// only the peer names proves nothing.
    pub(super) fn is_signed_by_the_server(&self, word: &Word) -> bool {
        let keys = self.policy.signatures.keys();
        let note = SignedNote::read(word.note.as_bytes()).ok();
        let checkpoint = note.and_then(|note| Checkpoint::read(note.text()).ok());
        !keys.is_empty()
            && checkpoint.is_some_and(|of| of.verify_server(keys) == Ok(StateShape::WithDatabase))
    }
}

/// Returns the checkpoint of a stored note that waits to be compared.
fn waiting_word(waiting: &Waiting) -> Option<Word> {
    word_of(&waiting.note, waiting.time)
}

/// Reads the checkpoint of a stored note, which was made by `time`.
pub(super) fn word_of(note: &Arc<str>, time: Timestamp) -> Option<Word> {
    let signed = SignedNote::read(note.as_bytes()).ok()?;
    let checkpoint = Checkpoint::read(signed.text()).ok()?;
    Some(Word {
        state: checkpoint.state,
        time,
        signature: checkpoint.signature,
        note: Arc::clone(note),
    })
}

fn not_yet(reason: &Reason, theirs: State) -> String {
    format!(
        "the server does not prove its transaction {}: {reason}",
        theirs.tx
    )
}
