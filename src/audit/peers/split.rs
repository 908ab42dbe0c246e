//! The server showed two histories: what shows it becomes evidence and an alarm before it is told.

use std::sync::Arc;

use super::relation::ByAnswer;
use crate::audit::auditor::Auditor;
use crate::audit::capture;
use crate::audit::values::Alarms;
use crate::audit::verdict::{Reason, SplitBy};
use crate::checkpoint::KeyName;
use crate::ledger::{Digest, State};
use crate::peer::Word;
use crate::trust::{Answer, Finding, Raised, Tampering, Trusted};

/// What contradicts what is trusted here.
pub(super) enum Told {
    /// The server's signature is on the peer's state, and this transaction has this hash here.
    Signed(Word, Digest, ByAnswer),
    /// The server showed the peer's state here too.
    Shown(Word, Reason),
    /// The peer's word alone, found for the first time.
    Said(Word, Digest, ByAnswer),
}

/// A split on its way to an outcome.
pub(in crate::audit) struct Split {
    pub reason: Reason,
    pub alarms: Alarms,
}

impl Auditor {
    /// Writes down that the server showed two histories, or that a peer says so. An open alarm of that kind is enough: its
    /// evidence stays, and a history that goes on on both sides opens no further one.
    pub(super) fn tell_of_peer(
        &self,
        database: &str,
        trusted: &Trusted,
        peer: &KeyName,
        told: Told,
    ) -> Option<Split> {
        let (word, against, by) = match told {
            Told::Signed(word, here, by) => {
                let against = self.against(database, trusted, word.state.tx, here, by);
                (word, against, SplitBy::Signature { here })
            }
            Told::Shown(word, why) => (word, trusted.clone(), SplitBy::Answer(Box::new(why))),
            Told::Said(word, here, by) => {
                let against = self.against(database, trusted, word.state.tx, here, by);
                let reason =
                    "disagreement: nothing but the other auditor's word speaks against the server";
                let finding = self.finding_of_split(database, against, &word, reason.to_owned());
                let kept = self
                    .store
                    .keep_disagreement(&finding, peer.as_str(), self.wall_time());
                if let Err(failure) = kept {
                    log::warn!(reason:% = failure; "the evidence of a disagreement could not be written");
                }
                return None;
            }
        };
        let reason = Reason::SplitView {
            peer: peer.clone(),
            theirs: word.state,
            by,
        };
        let open = self.store.open_alarms(Some(database)).unwrap_or_default();
        let open = open
            .into_iter()
            .find(|alarm| alarm.kind == Tampering::SplitView);
        let raised = match open {
            Some(alarm) => Raised {
                alarm,
                is_listed: true,
                opened: false,
                unwritten: None,
            },
            None => {
                let finding = self.finding_of_split(database, against, &word, reason.to_string());
                self.store.record_finding(&finding, self.wall_time())
            }
        };
        Some(Split {
            reason,
            alarms: Alarms::of(raised),
        })
    }

    /// Returns the state that the file is to hold the peer's against. Without an answer that proves what the history here
    /// has, it is the state of the same transaction that was accepted here: the two exclude each other without a proof.
    fn against(
        &self,
        database: &str,
        trusted: &Trusted,
        tx: u64,
        here: Digest,
        by: ByAnswer,
    ) -> Trusted {
        let state = State { tx, hash: here };
        if by == ByAnswer::Yes || trusted.state == state {
            return trusted.clone();
        }
        let line = self.store.proven_line(database).unwrap_or_default();
        match line.contains(&state) {
            true => Trusted {
                state,
                signature: None, // the history does not keep it
                ..trusted.clone()
            },
            false => trusted.clone(),
        }
    }

    fn finding_of_split(
        &self,
        database: &str,
        trusted: Trusted,
        word: &Word,
        reason: String,
    ) -> Finding {
        let mut answers = capture::answers(self.server.transcript());
        answers.push(Answer {
            call: Answer::CHECKPOINT.into(),
            request: Vec::new(),
            reply: Ok(Arc::new(word.note.as_bytes().to_vec())),
            shortened: None,
        });
        Finding {
            database: database.into(),
            kind: Tampering::SplitView,
            reason,
            trusted: Some(trusted),
            claim: None,
            shown: Some(word.state),
            uuid: self.identity(),
            identity_changed: false,
            answers,
        }
    }
}
