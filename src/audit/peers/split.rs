//! Split views: evidence and an alarm are stored before a split view is reported.

use std::sync::Arc;

use super::relation::ByAnswer;
use crate::audit::auditor::Auditor;
use crate::audit::capture;
use crate::audit::values::Alarms;
use crate::audit::verdict::{Reason, SPLIT_SHOWN, SPLIT_SIGNED, SplitBy, name_of};
use crate::checkpoint::KeyName;
use crate::ledger::{Digest, State};
use crate::peer::Word;
use crate::trust::{Alarm, Answer, Finding, Raised, Tampering, TrustedState};

/// The contradiction to the trusted state.
pub(super) enum PeerContradiction {
    /// The peer's state has the server's signature, and the local history has this hash for the transaction.
    Signed(Word, Digest, ByAnswer),
    /// The server also showed the peer's state to this auditor.
    Shown(Word, Reason),
    /// The peer's checkpoint alone contradicts the trusted state; this was found for the first time.
    Claimed(Word, Digest, ByAnswer),
}

/// A split view, before its outcome is reported.
pub(in crate::audit) struct Split {
    pub reason: Reason,
    pub alarms: Alarms,
    /// Whether the finding is on disk.
    pub is_stored: bool,
}

impl Split {
    /// Adds the alarms of a further split view, which are reported after these.
    pub(super) fn join(&mut self, further: Split) {
        self.alarms.join(further.alarms);
        self.is_stored &= further.is_stored;
    }
}

/// The reason in the evidence of a disagreement.
const DISAGREEMENT_REASON: &str =
    "disagreement: only the other auditor's checkpoint contradicts the server";

impl PeerContradiction {
    /// Returns the peer's checkpoint.
    pub(super) fn word(&self) -> &Word {
        match self {
            PeerContradiction::Signed(word, ..)
            | PeerContradiction::Shown(word, _)
            | PeerContradiction::Claimed(word, ..) => word,
        }
    }
}

impl Auditor {
    /// Stores that the server showed two histories, or that a peer claims it. An open alarm of the same peer with as
    /// strong a proof is enough: its evidence stays, and growing histories open no further alarm. So a database has
    /// two open alarms of a peer at most.
    pub(super) fn record_contradiction(
        &mut self,
        database: &str,
        trusted: &TrustedState,
        peer: &KeyName,
        contradiction: PeerContradiction,
        agreed: Option<u64>,
    ) -> Option<Split> {
        let (word, against, by) = match contradiction {
            PeerContradiction::Signed(word, here, by) => {
                let against = self.contrasted(trusted, word.state.tx, here, by);
                (word, against, SplitBy::Signature { here })
            }
            PeerContradiction::Shown(word, why) => {
                (word, trusted.clone(), SplitBy::Answer(Box::new(why)))
            }
            PeerContradiction::Claimed(word, here, by) => {
                let against = self.contrasted(trusted, word.state.tx, here, by);
                // write first: a killed program must not forget a reported claim
                self.write_peers();
                let answers = capture::answers(self.server.transcript());
                let of = (word.state, &*word.note);
                let finding =
                    self.finding_of_split(against, of, DISAGREEMENT_REASON.to_owned(), answers);
                let (peer, now) = (peer.as_str(), self.wall_time());
                let kept = match self.peers.is_empty() {
                    // a checkpoint from a file has no record
                    true => self.store.keep_unrecorded_disagreement(&finding, peer, now),
                    false => self.store.keep_disagreement(&finding, peer, now),
                };
                if let Err(failure) = kept {
                    log::warn!(reason:% = failure; "the evidence of a disagreement could not be written");
                }
                return None;
            }
        };
        let reason = Reason::SplitView {
            peer: Some(peer.clone()),
            theirs: word.state,
            by,
            agreed: agreed.filter(|tx| *tx < word.state.tx),
        };
        let open = self.store.open_alarms(Some(database)).unwrap_or_default();
        let open = open
            .into_iter()
            .find(|alarm| is_enough(alarm, Some(peer), &reason));
        let raised = match open {
            Some(alarm) => Raised::already_open(alarm),
            None => {
                let is_of = |alarm: &Alarm| alarm.database == database;
                let unstored =
                    |alarm: &Alarm| is_of(alarm) && is_enough(alarm, Some(peer), &reason);
                // the responses of an earlier cycle may not come again
                let finding = self.unstored.find(unstored).cloned();
                let finding = finding.unwrap_or_else(|| {
                    let answers = capture::answers(self.server.transcript());
                    let of = (word.state, &*word.note);
                    self.finding_of_split(against, of, reason.to_string(), answers)
                });
                self.record_finding(finding)
            }
        };
        Some(Split {
            reason,
            is_stored: self.is_stored(&raised),
            alarms: Alarms::of(raised),
        })
    }

    /// Writes the missing evidence files of open disagreements, which could not be written when they were found. The
    /// responses of that time are gone; the local state at the id of the peer's state is evidence on its own.
    pub(super) fn write_missing_evidence(&self) {
        let databases = self.databases.iter();
        for (database, relation) in
            databases.flat_map(|(name, of)| of.peers.values().map(move |peer| (name, peer)))
        {
            let peer = relation.record.peer.as_str();
            let Some(disagreement) = &relation.record.disagreement else {
                continue;
            };
            let path = self.store.disagreement_path(database, peer);
            let is_missing = path.try_exists().is_ok_and(|exists| !exists);
            let trusted = match is_missing {
                true => self.store.load(database).ok().flatten(),
                false => None,
            };
            let Some(trusted) = trusted else { continue };
            let against = trusted.replaced_by(disagreement.here);
            let of = (disagreement.theirs, &*disagreement.note);
            let reason = DISAGREEMENT_REASON.to_owned();
            let finding = self.finding_of_split(against, of, reason, Vec::new());
            let kept = self
                .store
                .keep_disagreement(&finding, peer, disagreement.found);
            if let Err(failure) = kept {
                log::warn!(reason:% = failure; "the evidence of a disagreement could not be written");
            }
        }
    }

    /// Returns the state that the evidence contrasts with another auditor's, which is of transaction `tx`. Without a
    /// response that proves the local hash `here`, it is the accepted state of the same transaction: the two contradict
    /// each other without a proof.
    pub(in crate::audit) fn contrasted(
        &self,
        trusted: &TrustedState,
        tx: u64,
        here: Digest,
        by: ByAnswer,
    ) -> TrustedState {
        let state = State { tx, hash: here };
        if by == ByAnswer::Yes || trusted.state == state {
            return trusted.clone();
        }
        let line = self.store.proven_line(&trusted.database);
        match line.unwrap_or_default().contains(&state) {
            true => trusted.replaced_by(state),
            false => trusted.clone(),
        }
    }

    fn finding_of_split(
        &self,
        trusted: TrustedState,
        (theirs, note): (State, &str),
        reason: String,
        mut answers: Vec<Answer>,
    ) -> Finding {
        answers.push(Answer {
            call: Answer::CHECKPOINT.into(),
            request: Vec::new(),
            reply: Ok(Arc::new(note.as_bytes().to_vec())),
            shortened: None,
        });
        Finding {
            uuid: self.identity(),
            ..split_view(trusted, theirs, reason, answers)
        }
    }
}

/// Returns the finding that the server showed another auditor the state `theirs`, which contradicts the trusted one.
pub(in crate::audit) fn split_view(
    trusted: TrustedState,
    theirs: State,
    reason: String,
    answers: Vec<Answer>,
) -> Finding {
    Finding {
        database: trusted.database.clone(),
        kind: Tampering::SplitView,
        reason,
        trusted: Some(trusted),
        claim: None,
        shown: Some(theirs),
        uuid: None,
        identity_changed: false,
        answers,
    }
}

/// Returns whether an alarm is about this state, which the server signed for a peer.
pub(super) fn is_of_signed_state(alarm: &Alarm, theirs: State) -> bool {
    alarm.kind == Tampering::SplitView
        && alarm.shown == Some(theirs)
        && alarm.reason.starts_with(SPLIT_SIGNED)
}

/// Returns whether an open alarm covers a split view: it is of the same peer (`None`: of an unnamed auditor) or the
/// same state, and its evidence is as strong. A pin, or a peer's state without the server's signature, opens a weaker
/// alarm.
pub(in crate::audit) fn is_enough(alarm: &Alarm, peer: Option<&KeyName>, reason: &Reason) -> bool {
    let Reason::SplitView { theirs, by, .. } = reason else {
        return false;
    };
    let begin = format!(": {} has transaction ", name_of(peer));
    let is_of = |how: &str| {
        let behind = alarm.reason.strip_prefix(how);
        behind.is_some_and(|rest| rest.starts_with(&begin) || alarm.shown == Some(*theirs))
    };
    let is_as_strong = match by {
        SplitBy::Signature { .. } => is_of(SPLIT_SIGNED),
        SplitBy::Answer(_) => is_of(SPLIT_SIGNED) || is_of(SPLIT_SHOWN),
    };
    alarm.kind == Tampering::SplitView && is_as_strong
}
