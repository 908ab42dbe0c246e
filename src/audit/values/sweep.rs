//! A full sweep, which reads every transaction from the first to the trusted one. It is divided into slices, after
//! each of which the program may check databases or end.

use std::time::Duration;

use super::check::note;
use super::reader::ReadInterrupted;
use super::report::Report;
use super::slice::{Part, is_cut_off};
use super::walk::Walk;
use crate::audit::auditor::Auditor;
use crate::audit::outcome::Outcome;
use crate::audit::report_outcome::PendingOutcome;
use crate::audit::verdict::{Reason, Verdict};
use crate::clock::Timestamp;
use crate::ranges::Ranges;
use crate::server::ServerError;
use crate::trust::{
    SweepInProgress, SweepSummary, SweepTrigger, TrustedState, Unavailable, ValueProgress,
};

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
            auditor.slice(database, SweepTrigger::Manual, |_, sweep| match sweep {
                Some(sweep) if sweep.begun == SweepTrigger::Manual => Some((sweep, u64::MAX)),
                _ => Some((begin(SweepTrigger::Manual, now), u64::MAX)),
            })
        })
    }

    /// Reads a slice of the sweep that is chosen. `by` is the caller: no cycle follows the `sweep`
    /// command, also if a cycle began that sweep.
    pub(super) fn slice(
        &mut self,
        database: &str,
        by: SweepTrigger,
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
        let part = self.read_part(database, &trusted, &progress, &mut sweep, goal, by);
        let Part {
            mut report,
            done,
            truncation,
            passed,
            later,
        } = part;
        // not a verdict on the ledger: the next check reports the server's failure
        let away = report.halted.take();
        let is_read = self.databases.of(database).late.is_empty() || by == SweepTrigger::Scheduled;
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
        if ended || stopped {
            self.store_other_unstored(true); // a sweep by an operator is not followed by a cycle
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
