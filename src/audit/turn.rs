//! The check of one database in a cycle: from its name to its verdict.

use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::outcome::{Outcome, Warning};
use super::report_outcome::PendingOutcome;
use super::verdict::{Reason, Verdict};
use crate::audit::check::state;
use crate::clock::Timestamp;
use crate::config::NewValues;
use crate::ledger::State;
use crate::ranges::Ranges;
use crate::server::{ServerError, ServerErrorKind};
use crate::trust::{Acknowledged, StoreError, Tampering, TrustedState, ValueProgress};

/// The result of checking a state.
pub(super) enum Checked {
    /// The check has ended, and its outcome is reported.
    Done(Box<Outcome>),
    /// The state is proven, so values can be read.
    Proven(Box<Proven>),
}

impl From<Outcome> for Checked {
    fn from(outcome: Outcome) -> Checked {
        Checked::Done(Box::new(outcome))
    }
}

/// The way in which the check of a state ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The server answered.
    Well,
    /// A call ran into its own deadline.
    Late,
    /// There was no connection.
    Unreachable,
    /// The time of the check was over, which is no information about the server.
    CutShort,
}

impl Checked {
    /// Returns the way in which the check ended.
    pub fn ended(&self) -> Ended {
        let Checked::Done(outcome) = self else {
            return Ended::Well;
        };
        match &outcome.reason {
            Reason::TookTooLong => Ended::CutShort,
            Reason::Failure(failure) => match failure.kind {
                ServerErrorKind::Deadline(_) => Ended::Late,
                ServerErrorKind::Unreachable => Ended::Unreachable,
                _ => Ended::Well,
            },
            _ => Ended::Well,
        }
    }
}

/// A database whose state was proven, before its values are read.
pub(super) struct Proven {
    pub database: String,
    /// The trusted state before the check.
    trusted: Option<TrustedState>,
    conclusion: PendingOutcome,
    /// The proven state.
    state: State,
    /// The time since which the line of proofs is unbroken.
    since: Timestamp,
    /// The duration of the check.
    pub took: Duration,
}

impl Auditor {
    /// Checks the state of a listed database up to its proof; `None` if the program is asked to end.
    pub(super) fn check_listed(&mut self, database: &str) -> Option<Checked> {
        self.server.begin_transcript();
        self.databases.of(database).readable = false;
        let trusted = match self.trusted(database) {
            Ok(trusted) => trusted,
            Err(failure) => return Some(self.local_failure(database, failure).into()),
        };
        let state = trusted.as_ref().map(|trusted| trusted.state);
        let params = self.params();
        let finding = state::check(&mut self.server, database, state, &params);
        let finding = self.excuse_lag_behind_a_pin(database, trusted.as_ref(), finding);
        let conclusion = self.apply_check(database, trusted.as_ref(), finding)?;
        let conclusion = self.with_pins(database, trusted.as_ref(), conclusion)?;
        let conclusion = self.with_peers(database, conclusion)?;
        let to_read = self.to_read(database, trusted.as_ref(), &conclusion);
        let Some((state, since)) = to_read else {
            let outcome = self.report_outcome(database, trusted.as_ref(), conclusion);
            return Some(outcome.into());
        };
        if !self.wants_values(database) {
            self.databases.of(database).readable = true;
            let outcome = self.report_outcome(database, trusted.as_ref(), conclusion);
            return Some(outcome.into());
        }
        Some(Checked::Proven(Box::new(Proven {
            database: database.into(),
            trusted,
            conclusion,
            state,
            since,
            took: Duration::ZERO,
        })))
    }

    /// Returns the proven state against which values are read, and the time since which its line of proofs is
    /// unbroken.
    fn to_read(
        &self,
        database: &str,
        before: Option<&TrustedState>,
        conclusion: &PendingOutcome,
    ) -> Option<(State, Timestamp)> {
        let shown = match (conclusion.verdict, conclusion.shown) {
            (Verdict::FirstSeen | Verdict::Consistent, Some(shown)) => shown,
            _ => return None,
        };
        let since = match before {
            Some(before) => before.since,
            None => self.store.load(database).ok()??.since, // the next check reports the failure
        };
        Some((shown, since))
    }

    /// Returns whether values of a database must be read, or earlier readings reported.
    fn wants_values(&self, database: &str) -> bool {
        let values = &self.policy.values;
        let left =
            |progress: &ValueProgress| !progress.due.is_empty() || !progress.absent.is_empty();
        values.sample > 0
            || values.new == NewValues::All
            || self.databases.progress(database).is_some_and(left)
            || self.awaits_reading(database)
    }

    /// Reads values of a database whose state is proven, up to `until`. The result does not invalidate the proof.
    /// A `None` with the outcome means that the program was asked to end. The outcome has the results of earlier
    /// readings even then, so that the verdict does not change.
    pub(super) fn read_values_until(
        &mut self,
        proven: Proven,
        until: Instant,
    ) -> (Outcome, Option<()>) {
        let Proven {
            database,
            trusted,
            conclusion,
            state,
            since,
            took: _,
        } = proven;
        let (report, is_stopped) =
            self.read_values(&database, state, trusted.as_ref(), since, until);
        self.databases.of(&database).readable |= !is_stopped;
        let mut conclusion = conclusion;
        conclusion.warnings.extend(self.absent_values(&database));
        if report.left.cut > 0 && !is_stopped {
            conclusion.warnings.push(Warning::SampleCut {
                transactions: report.left.cut,
            });
        }
        if report.left.behind > 0 && !is_stopped {
            conclusion.warnings.push(Warning::Behind {
                transactions: report.left.behind,
            });
        }
        if let Some(verdict) = report.verdict() {
            conclusion = PendingOutcome {
                of_state: Some(conclusion.verdict),
                verdict,
                values: Some(Box::new(report)),
                ..conclusion
            };
        }
        let outcome = self.report_outcome(&database, trusted.as_ref(), conclusion);
        (outcome, (!is_stopped).then_some(()))
    }

    /// Warns about values that the server does not have, without a reason in the ledger or an acknowledgement.
    pub(super) fn absent_values(&self, database: &str) -> Option<Warning> {
        let (absent, dropped) = self.unexplained(database)?;
        Some(Warning::ValuesAbsent {
            transactions: absent.count(),
            first: absent.first()?,
            last: absent.last()?,
            dropped: dropped.count(),
        })
    }

    /// Returns the transactions with absent values that nothing explains, and those of them that had been read
    /// whole before.
    pub fn unexplained(&self, database: &str) -> Option<(Ranges, Ranges)> {
        let progress = self.databases.progress(database)?;
        Some(progress.unexplained(&self.acknowledged(database)))
    }

    /// Returns the acknowledgements for a database; none if they cannot be read.
    pub fn acknowledged(&self, database: &str) -> Acknowledged {
        self.store.acknowledged(database).unwrap_or_default()
    }

    /// Returns the trusted state of a database; if there is none, or if it is damaged, a pin.
    fn trusted(&mut self, database: &str) -> Result<Option<TrustedState>, StoreError> {
        let loaded = match self.store.load(database) {
            Ok(Some(trusted)) => return Ok(Some(trusted)),
            Ok(None) if self.databases.of(database).trusted_before => {
                self.store.nothing_lost(database).map(|()| None)
            }
            loaded => loaded,
        };
        if !self.policy.pins.iter().any(|pin| pin.database == database) {
            return loaded;
        }
        // there is no state, or a damaged or lost one, so the operator's pin is the begin
        let now = self.wall_time();
        let mut failed = None;
        for pin in self.pins_to_begin_with(database, loaded.is_err()) {
            match self.store.pin(database, pin, now) {
                Ok(trusted) => {
                    if trusted.accepted == now {
                        self.note_begin(database, loaded.is_err());
                    }
                    return Ok(Some(trusted));
                }
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        failed.map_or(loaded, Err)
    }

    /// Checks whether a database that the server does not list is gone or hidden. Only a database with a trusted
    /// state can vanish.
    pub(super) fn check_unlisted(&mut self, database: &str) -> Option<Checked> {
        self.server.begin_transcript_with_list();
        self.databases.of(database).readable = false;
        let trusted = match self.trusted(database) {
            Ok(Some(trusted)) => trusted,
            Ok(None) => {
                let gone = PendingOutcome::new(Verdict::Empty, Reason::Unlisted);
                return Some(self.report_outcome(database, None, gone).into());
            }
            Err(failure) => return Some(self.local_failure(database, failure).into()),
        };
        let rolled_back = Verdict::Tampered(Tampering::RolledBack);
        let conclusion = match self.server.open(database) {
            Ok(()) => match self.server.databases() {
                Ok(list) if list.leaves_out(database) => self.check_hidden(database, &trusted)?,
                // the database was restored after the list was read, or the server has no list
                Ok(_) => return self.check_listed(database),
                Err(failure) => {
                    let verdict = Verdict::of_failure(&failure, false)?;
                    PendingOutcome::new(verdict, Reason::of_failure(failure))
                }
            },
            Err(failure) => match Verdict::of_failure(&failure, true)? {
                verdict if verdict == rolled_back => PendingOutcome::new(verdict, Reason::Vanished),
                verdict => PendingOutcome::new(verdict, Reason::of_failure(failure)),
            },
        };
        Some(
            self.report_outcome(database, Some(&trusted), conclusion)
                .into(),
        )
    }

    /// Checks a hidden database like any other; the verdict of that check counts if it is worse.
    fn check_hidden(&mut self, database: &str, trusted: &TrustedState) -> Option<PendingOutcome> {
        let params = self.params();
        let finding = state::check(&mut self.server, database, Some(trusted.state), &params);
        let conclusion = self.apply_check(database, Some(trusted), finding)?;
        Some(if conclusion.verdict.is_tampering() {
            conclusion
        } else {
            PendingOutcome {
                verdict: Verdict::Tampered(Tampering::RolledBack),
                reason: Reason::Hidden,
                // the database still exists, so the alarm names a state and offers none to adopt
                shown: conclusion.shown.or(Some(trusted.state)),
                ..conclusion
            }
        })
    }

    /// Reports a database that is not checked, because the server is unavailable.
    pub(super) fn not_tried(&mut self, database: &str, away: ServerError) -> Option<Outcome> {
        let verdict = Verdict::of_failure(&away, false)?;
        let trusted = self.store.load(database).ok().flatten();
        let conclusion = PendingOutcome::new(verdict, Reason::Failure(away));
        Some(self.report_outcome(database, trusted.as_ref(), conclusion))
    }

    /// Reports a database for which the cycle had no time.
    pub(super) fn not_reached(&mut self, database: &str) -> Outcome {
        let trusted = self.store.load(database).ok().flatten();
        let conclusion = PendingOutcome::new(Verdict::Unreachable, Reason::NotReached);
        self.report_outcome(database, trusted.as_ref(), conclusion)
    }
}
