//! A full sweep, which reads every transaction from the first to the trusted one. It is divided into slices, after
//! each of which the program may check databases or end.

use std::time::Duration;

use super::check::note;
use super::finding::{CorruptEntry, Corruption, UnreadReason};
use super::reader::{Ended, ReadInterrupted, Reader};
use super::report::Report;
use super::slice::{Part, is_cut_off};
use super::truncation::Truncation;
use super::walk::{Step, Walk};
use crate::audit::auditor::Auditor;
use crate::audit::check::proof;
use crate::audit::outcome::Outcome;
use crate::audit::report_outcome::PendingOutcome;
use crate::audit::verdict::{Reason, Verdict};
use crate::clock::Timestamp;
use crate::ledger::{State, TxHeader};
use crate::ranges::Ranges;
use crate::server::ServerError;
use crate::trust::{
    Answer, SweepInProgress, SweepSummary, SweepTrigger, TrustedState, Unavailable, ValueProgress,
};
use crate::wire::Entries;

/// The result of a slice.
#[derive(Debug)]
pub struct Slice {
    /// The database; empty if there was nothing to do.
    pub database: String,
    /// The status of the sweep.
    pub status: SweepStatus,
    /// The findings, if there are any, which are already stored.
    pub outcome: Option<Outcome>,
}

/// The status of a sweep after a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SweepStatus {
    /// No sweep is due yet.
    NotDue,
    /// The last transaction that was passed, and the number of all.
    InProgress { at: u64, of: u64 },
    /// All transactions were passed.
    Completed(SweepSummary),
    /// The server is unavailable now.
    ServerUnavailable(ServerError),
    /// The program is asked to end.
    Stopped,
}

/// The facts that decide whether a paced sweep is due.
pub(super) struct Paced {
    /// The trusted transaction.
    pub of: u64,
    /// The last sweep that ended.
    pub swept: Option<SweepSummary>,
}

impl Auditor {
    /// Returns the databases whose state was proven in the last cycle, which can be swept.
    pub fn readable(&self) -> Vec<String> {
        self.databases.names(|database| database.readable)
    }

    /// Returns the progress of a database's value check.
    pub fn values_read(&self, database: &str) -> Option<&ValueProgress> {
        self.databases.progress(database)
    }

    /// Continues the sweep that the operator requested. A sweep that the audit itself had begun starts again, because
    /// everything must be read now.
    pub fn sweep(&mut self, database: &str) -> Slice {
        let (until, now) = (self.now() + self.overdue_after(), self.wall_time());
        self.within(until, |auditor| {
            auditor.slice(database, |_, sweep| match sweep {
                Some(sweep) if sweep.begun == SweepTrigger::Manual => Some((sweep, u64::MAX)),
                _ => Some((begin(SweepTrigger::Manual, now), u64::MAX)),
            })
        })
    }

    pub(super) fn slice(
        &mut self,
        database: &str,
        choose: impl Fn(&Paced, Option<SweepInProgress>) -> Option<(SweepInProgress, u64)>,
    ) -> Slice {
        let status = |status| Slice {
            database: database.into(),
            status,
            outcome: None,
        };
        let Ok(Some(trusted)) = self.store.load(database) else {
            return status(SweepStatus::NotDue); // the next cycle reports the failure
        };
        self.databases.of(database).sweepable = Some((trusted.state.tx, trusted.since));
        let mut progress = self.progress_of(database, trusted.since);
        let pace = Paced {
            of: trusted.state.tx,
            swept: progress.swept,
        };
        let Some((mut sweep, goal)) = choose(&pace, progress.sweep.clone()) else {
            self.databases.of(database).progress = Some(Box::new(progress));
            return status(SweepStatus::NotDue);
        };
        let part = self.read_part(database, &trusted, &progress, &mut sweep, goal);
        let Part {
            mut report,
            done,
            truncation,
            passed,
            later,
        } = part;
        // not a verdict on the ledger: the next check reports the server's failure
        let away = report.halted.take();
        let is_read =
            self.databases.of(database).late.is_empty() || sweep.begun == SweepTrigger::Scheduled;
        let failed = report.due.clone();
        report.due.extend(&later);
        // passed transactions are no longer due, except those that could not be read
        note(
            &mut progress,
            &report,
            truncation,
            &passed,
            &passed,
            self.wall_time(),
        );
        report.due = failed;
        let partials = &mut self.databases.of(database).partials;
        partials.retain(|tx| progress.due.contains(tx));
        let at = sweep.at;
        let ended = at >= trusted.state.tx && is_read;
        if ended {
            progress.sweep = None;
            progress.swept = Some(SweepSummary {
                began: sweep.began,
                ended: self.wall_time(),
                read: sweep.read.count(),
                unavailable: sweep.unavailable,
                of: trusted.state.tx,
            });
        } else {
            progress.sweep = Some(sweep);
        }
        let swept = progress.swept;
        self.databases.of(database).progress = Some(Box::new(progress));
        // alarms before progress, because passed transactions are not read again
        let outcome = self.report_of_sweep(database, &trusted, report);
        let now = self.now();
        let since = |saved| now.saturating_duration_since(saved);
        let old = self.saved.is_none_or(|saved| since(saved) > SAVE_INTERVAL);
        let stopped = is_cut_off(done);
        if ended || outcome.is_some() || stopped || old {
            self.save_progress();
            self.saved = Some(now);
        }
        let status = match (done, away, swept) {
            (Err(ReadInterrupted::Stopped), ..) => SweepStatus::Stopped,
            (Err(ReadInterrupted::ServerUnavailable), Some(failure), _) => {
                SweepStatus::ServerUnavailable(failure)
            }
            (_, _, Some(swept)) if ended => SweepStatus::Completed(swept),
            _ => SweepStatus::InProgress {
                at,
                of: trusted.state.tx,
            },
        };
        Slice {
            database: database.into(),
            status,
            outcome,
        }
    }

    fn report_of_sweep(
        &mut self,
        database: &str,
        trusted: &TrustedState,
        report: Report,
    ) -> Option<Outcome> {
        let verdict = report.verdict()?;
        let conclusion = PendingOutcome {
            values: Some(Box::new(report)),
            of_state: Some(Verdict::Consistent),
            asked: false,
            warnings: self.absent_values(database).into_iter().collect(),
            ..PendingOutcome::new(verdict, Reason::None).showing(trusted.state)
        };
        Some(self.report_outcome(database, Some(trusted), conclusion))
    }
}

/// The time between two writes of the progress of a sweep. A killed sweep repeats at most this time.
const SAVE_INTERVAL: Duration = Duration::from_secs(2);

/// Returns a sweep that has read nothing yet.
pub(super) fn begin(begun: SweepTrigger, now: Timestamp) -> SweepInProgress {
    let walk = Walk::default();
    SweepInProgress {
        begun,
        began: now,
        at: walk.at(),
        hash: walk.hash(),
        read: Ranges::new(),
        unavailable: Unavailable::default(),
        peaks: walk.peaks(),
    }
}

/// Continues the reading until the goal is reached or the time is over.
pub(super) fn read(
    mut reader: Reader<'_>,
    sweep: &mut SweepInProgress,
    goal: u64,
    stuck: Option<u64>,
) -> (Report, Result<(), ReadInterrupted>, Truncation) {
    let last = reader.trusted.tx;
    let mut walk = Walk::restore(sweep.at, sweep.hash, std::mem::take(&mut sweep.peaks));
    let mut done = Ok(());
    if stuck.is_some() {
        walk.skip();
    }
    while walk.at() < goal {
        // a full scan costs hardly more than a short one
        let headers = match reader.read_batch(walk.at() + 1, last) {
            Ok(headers) => headers,
            Err(interrupted) => {
                done = Err(interrupted);
                break;
            }
        };
        for header in headers {
            let Some(header) = header else {
                walk.skip();
                continue;
            };
            if let Err(interrupted) = pass(&mut reader, &mut walk, &header) {
                done = Err(interrupted);
            }
        }
        if done.is_err() || !reader.in_time() {
            break;
        }
    }
    sweep.note_read(&reader.report.all_read());
    sweep.unavailable.add(reader.report.unavailable);
    sweep.at = walk.at();
    sweep.hash = walk.hash();
    sweep.peaks = walk.peaks();
    reader.finish();
    (reader.report, done, reader.truncation)
}

/// Requests again the proofs of the transactions that contradict each other, as evidence. The responses with the
/// headers follow.
fn answers_that_show(reader: &mut Reader<'_>, tx: u64, what: &Corruption) -> Vec<Answer> {
    let brought = reader.answers();
    reader.server.begin_transcript();
    let before = match what {
        Corruption::Chain { .. } => tx.saturating_sub(1),
        _ => tx,
    };
    for tx in before..=tx {
        // a response that proves nothing is evidence too
        let (database, trusted) = (reader.database, reader.trusted);
        let range = reader.range;
        drop(proof::prove_membership(
            reader.server,
            database,
            tx,
            &trusted,
            Entries::Excluded,
            range,
        ));
    }
    let mut answers = reader.answers();
    answers.extend(brought);
    answers
}

/// Passes one transaction. A tree that the walk no longer knows is compared with the chain by a proof from the
/// transaction with which the tree ends. Whatever that transaction's own tree lacks is in the chain after it (steps 5
/// and 7), and that tree was passed before. Its tree is always the smaller one, so no server has an excuse not to
/// prove it.
fn pass(
    reader: &mut Reader<'_>,
    walk: &mut Walk,
    header: &TxHeader,
) -> Result<(), ReadInterrupted> {
    match walk.pass(header) {
        Step::Follows => Ok(()),
        Step::Broken(what) => {
            let shown = what.clone();
            let broken = CorruptEntry {
                tx: header.id(),
                alh: Some(header.alh()),
                entry: None,
                what,
            };
            let id = header.id();
            reader.found_by(broken, |reader| answers_that_show(reader, id, &shown));
            Ok(())
        }
        Step::TreeUnknown if !reader.in_time() => {
            reader.report.add_unread(header.id(), UnreadReason::Slow);
            Ok(())
        }
        Step::TreeUnknown => {
            reader.server.begin_transcript();
            let state = State {
                tx: header.id(),
                hash: header.alh(),
            };
            match reader.prove_membership_in(header.bl_tx_id(), &state, Entries::Excluded) {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(failure)) => {
                    let why = UnreadReason::of_failure(failure);
                    reader.report.add_unread(header.id(), why);
                    Ok(())
                }
                Err(Ended::Interrupted(interrupted)) => {
                    if interrupted != ReadInterrupted::Stopped {
                        // the walk has passed the transaction, so it is due alone
                        reader.report.add_unread(header.id(), UnreadReason::Slow);
                    }
                    Err(interrupted)
                }
                Err(ended) => reader.settle(header.id(), None, ended).map(drop),
            }
        }
    }
}
