//! Compares another auditor's checkpoint from a file with the trusted state. The rules are those for a peer, except
//! that the checkpoint may be of any age.

use super::relation::{Found, Ours, Relation};
use super::report::PeerReport;
use super::split::Split;
use crate::audit::auditor::Auditor;
use crate::audit::check::state::{self, CheckResult};
use crate::audit::verdict::Reason;
use crate::checkpoint::KeyName;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::peer::Word;
use crate::trust::{Alarm, StoreError, TrustedState, last_proven};

/// The result of comparing a checkpoint from a file.
#[derive(Debug)]
pub struct WordCompared {
    /// The relation of the checkpoint to the trusted state.
    pub report: PeerReport,
    /// The trusted state.
    pub trusted: State,
    /// The proof that the server showed two histories.
    pub split: Option<SplitFound>,
}

/// A split view that a checkpoint from a file proves.
#[derive(Debug)]
pub struct SplitFound {
    /// The reason.
    pub reason: Reason,
    /// The alarm, if it is on the list of alarms.
    pub alarm: Option<Alarm>,
    /// The reason why the alarm or its evidence could not be written, if it could not.
    pub unwritten: Option<StoreError>,
}

impl Auditor {
    /// Compares a checkpoint with the trusted state of its database. The server is asked only if the files do not
    /// decide; if it is unreachable, the checkpoint is pending. The outer `None` means that the program is asked to
    /// end, the inner one that the database has no trusted state.
    ///
    /// # Errors
    /// The auditor's own files cannot be read.
    pub fn compare_word(
        &mut self,
        peer: &KeyName,
        database: &str,
        word: &Word,
    ) -> Option<Result<Option<WordCompared>, StoreError>> {
        self.server.begin_cycle();
        self.server.begin_transcript();
        let trusted = match self.store.load(database) {
            Ok(Some(trusted)) => trusted,
            Ok(None) => return Some(Ok(None)),
            Err(failure) => return Some(Err(failure)),
        };
        let now = self.wall_time();
        let ours = Ours {
            state: trusted.state,
            since: self.begun_by(database, trusted.since, now),
        };
        // a server that mixes up responses is asked twice, which depends on this field
        self.shape = trusted.shape.or(self.shape);
        let mut new = Relation::new(database, peer.as_str(), now);
        new.theirs = Some(word.state);
        let mut relation = new.clone();
        let until = self.now() + self.overdue_after();
        let contradiction = self.within(until, |auditor| {
            let mut found = auditor.find(&mut relation, word, ours, &mut None)?;
            if contradicts(&found) && !auditor.was_proven(database, &trusted) {
                found = match auditor.prove_now(database, ours.state)? {
                    Err(why) => Found::Unclear(why),
                    Ok(()) => {
                        // evidence contains only the responses to this comparison
                        auditor.server.begin_transcript();
                        relation = new;
                        auditor.find(&mut relation, word, ours, &mut None)?
                    }
                };
            }
            Some(auditor.apply(&mut relation, word, found, ours))
        })?;
        if trusted.since > now && word.time <= ours.since {
            relation.why = relation.why.map(|why| {
                format!(
                    "{why}, which begins at {} by a clock that was ahead; compare a later checkpoint of the peer after the next transaction is trusted here",
                    trusted.since
                )
            });
        }
        let split = contradiction.and_then(|contradiction| {
            self.record_contradiction(database, &trusted, peer, contradiction, None)
        });
        Some(Ok(Some(WordCompared {
            report: PeerReport::of(peer, &relation),
            trusted: trusted.state,
            split: split.map(|Split { reason, alarms, .. }| SplitFound {
                reason,
                alarm: alarms.reported().cloned(),
                unwritten: alarms.unwritten,
            }),
        })))
    }

    /// Returns the time by which a history had begun whose begin is dated `since`. If the date is in the future, the
    /// clock was ahead at that time: the history had begun by the first later state with a date in the past, or by the
    /// time that the comparisons with peers have noted.
    fn begun_by(&self, database: &str, since: Timestamp, now: Timestamp) -> Timestamp {
        if since <= now {
            return since;
        }
        let line = self.store.dated_line(database).unwrap_or_default();
        let accepted = line.iter().map(|dated| dated.accepted);
        let records = self.store.load_peers(now);
        let of_history = records.iter().filter(|record| record.database == database);
        let noted = of_history.filter_map(|record| record.begins);
        let noted = noted.filter(|begins| begins.dated == since);
        let by = accepted.chain(noted.map(|begins| begins.by)).min();
        by.unwrap_or(now).min(now)
    }

    /// Returns whether the server has proven the trusted state, according to the files.
    pub(super) fn was_proven(&self, database: &str, trusted: &TrustedState) -> bool {
        let outcomes = self.store.load_outcomes();
        let checked = outcomes.iter().find(|of| of.database == database);
        last_proven(trusted, checked).is_some()
    }

    /// Asks the server to prove a trusted state that it never proved. A state that only an operator gave is no
    /// evidence before that. No trusted state changes. `Err` is the reason why there is no proof; `None` means that
    /// the program is asked to end.
    pub(super) fn prove_now(&mut self, database: &str, ours: State) -> Option<Result<(), String>> {
        let params = self.params();
        let finding = state::check(&mut self.server, database, Some(ours), &params);
        let why = match finding {
            CheckResult::Same(_) | CheckResult::Extended(..) => return Some(Ok(())),
            CheckResult::Stopped => return None,
            CheckResult::Refused {
                verdict, reason, ..
            } => format!("{verdict}: {reason}"),
            CheckResult::Empty | CheckResult::First(_) => {
                "the server shows no such transaction".to_owned()
            }
        };
        Some(Err(format!(
            "the trusted state here was not proven by the last check, and the server does not prove it now: {why}"
        )))
    }
}

fn contradicts(found: &Found) -> bool {
    matches!(found, Found::Other(..) | Found::Contradiction(_))
}
