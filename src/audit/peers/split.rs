//! The server showed two histories: what shows it becomes evidence and an alarm before it is told.

use std::sync::Arc;

use crate::audit::auditor::Auditor;
use crate::audit::capture;
use crate::audit::values::Alarms;
use crate::audit::verdict::{Reason, SplitBy};
use crate::checkpoint::KeyName;
use crate::ledger::{Digest, State};
use crate::peer::Word;
use crate::trust::{Answer, Finding, Raised, Tampering, Trusted};

/// What a signed checkpoint of another auditor is called in evidence.
const NOTE: &str = "checkpoint of another auditor";

/// What shows that the server showed two histories.
pub(super) enum Told {
    /// The server's signature is on the peer's state, and this transaction has this hash here.
    ByItsSignature(Word, Digest),
    /// The server showed the peer's state here too.
    ByItsAnswer(Word, Reason),
}

/// A split on its way to an outcome.
pub(in crate::audit) struct Split {
    pub reason: Reason,
    pub alarms: Alarms,
}

impl Auditor {
    /// Writes down that the server showed two histories. An open alarm of that kind is enough: its evidence stays, and a
    /// history that goes on on both sides opens no further one.
    pub(super) fn split(
        &self,
        database: &str,
        trusted: &Trusted,
        peer: &KeyName,
        told: Told,
    ) -> Split {
        let (word, against, by) = match told {
            // the trusted history itself has this transaction, or the server proved that it has
            Told::ByItsSignature(word, here) => {
                let against = match trusted.state.tx == word.state.tx {
                    true => trusted.clone(),
                    false => self.trusted_at(database, trusted, word.state.tx, here),
                };
                (word, against, SplitBy::Signature { here })
            }
            Told::ByItsAnswer(word, why) => (word, trusted.clone(), SplitBy::Answer(Box::new(why))),
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
                let finding = self.finding_of_split(database, against, &word, &reason);
                self.store.record_finding(&finding, self.wall_time())
            }
        };
        Split {
            reason,
            alarms: Alarms::of(raised),
        }
    }

    /// Returns the trusted state as it was at a transaction of its history, if the history on disk has it: then the two
    /// states exclude each other without a proof.
    fn trusted_at(&self, database: &str, trusted: &Trusted, tx: u64, here: Digest) -> Trusted {
        let state = State { tx, hash: here };
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
        reason: &Reason,
    ) -> Finding {
        let mut answers = capture::answers(self.server.transcript());
        answers.push(Answer {
            call: NOTE.into(),
            request: Vec::new(),
            reply: Ok(Arc::new(word.note.as_bytes().to_vec())),
            shortened: None,
        });
        Finding {
            database: database.into(),
            kind: Tampering::SplitView,
            reason: reason.to_string(),
            trusted: Some(trusted),
            claim: None,
            shown: Some(word.state),
            uuid: self.identity(),
            identity_changed: false,
            answers,
        }
    }
}
