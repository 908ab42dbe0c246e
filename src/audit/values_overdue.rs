//! Decides whether the reading of a database's values is overdue.

use std::time::Duration;

use super::auditor::Auditor;
use super::outcome::Overdue;
use super::overdue::{WallAges, allowed_without_proof, allowed_without_sweep};
use crate::clock::Timestamp;
use crate::config::NewValues;
use crate::trust::{TrustedState, ValueProgress};

/// The settings for reading values.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// `--audit-interval`.
    interval: Duration,
    /// `--audit-sweep`.
    sweep: Option<Duration>,
    /// `--audit-verify-values`.
    new: NewValues,
}

impl Pace {
    /// Returns the overdue reading of a database's values, if there is one.
    fn overdue(
        &self,
        progress: &ValueProgress,
        trusted_tx: u64,
        ages: WallAges,
    ) -> Option<Overdue> {
        let late = |since: Option<Timestamp>| {
            let allowed = allowed_without_proof(self.interval);
            since.map(|at| ages.of(at)).filter(|age| *age > allowed)
        };
        if let Some(time) = late(progress.due_since()) {
            return Some(Overdue::Unread(time));
        }
        let behind = progress.behind_since.filter(|_| self.new == NewValues::All);
        if let Some(time) = late(behind) {
            let read = progress.new_to.unwrap_or(trusted_tx);
            return Some(Overdue::Behind {
                transactions: trusted_tx.saturating_sub(read),
                time,
            });
        }
        if let Some(time) = late(progress.cut_since) {
            return Some(Overdue::Cut(time));
        }
        let ended = progress.swept.map(|swept| swept.ended);
        let unswept = ages.of(ended.max(progress.sweep_asked)?);
        let allowed = allowed_without_sweep(self.sweep?, self.interval);
        (unswept > allowed).then_some(Overdue::Unswept(unswept))
    }
}

impl Auditor {
    /// Returns the overdue reading of a database's values, if there is one. Records when a paced sweep was first
    /// requested, so that a sweep becomes overdue even if every run is a process of its own. `trusted` is the trusted
    /// state; if it is not known, it is loaded.
    pub(super) fn values_overdue(
        &mut self,
        database: &str,
        trusted: Option<&TrustedState>,
    ) -> Option<Overdue> {
        let loaded = match trusted {
            Some(_) => None,
            None => self.store.load(database).ok().flatten(),
        };
        let trusted = trusted.or(loaded.as_ref())?;
        if self.policy.values.sweep.is_some() {
            let mut progress = self.progress_of(database, trusted.since);
            progress.sweep_asked.get_or_insert(self.wall_time());
            self.databases.of(database).progress = Some(Box::new(progress));
        }
        let progress = self.databases.progress(database)?;
        let pace = Pace {
            interval: self.policy.interval,
            sweep: self.policy.values.sweep,
            new: self.policy.values.new,
        };
        pace.overdue(progress, trusted.state.tx, self.wall_ages())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::{Due, SweepSummary, Unavailable};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(1_000_000 + seconds)
    }

    fn due(since: u64) -> Due {
        Due {
            since: at(since),
            values_only: false,
        }
    }

    fn pace(sweep: Option<u64>) -> Pace {
        Pace {
            interval: Duration::from_secs(10),
            sweep: sweep.map(Duration::from_secs),
            new: NewValues::All,
        }
    }

    /// Returns the ages after these seconds, by both clocks.
    fn after(seconds: u64) -> WallAges {
        WallAges {
            started: at(0),
            running: Duration::from_secs(seconds),
            now: at(seconds),
        }
    }

    #[test]
    fn values_are_overdue_after_twice_a_sweeps_time_or_three_intervals() {
        let mut progress = ValueProgress::new("db", at(0));
        let overdue = |progress: &ValueProgress, sweep: Option<u64>, seconds| {
            pace(sweep).overdue(progress, 20, after(seconds))
        };
        assert_eq!(overdue(&progress, Some(100), 10_000), None); // the sweep was not requested yet
        progress.sweep_asked = Some(at(0));
        assert_eq!(overdue(&progress, Some(100), 200), None);
        assert_eq!(overdue(&progress, Some(1), 30), None); // three intervals of 10 seconds
        assert!(overdue(&progress, Some(1), 31).is_some());
        let unswept = |seconds| Some(Overdue::Unswept(Duration::from_secs(seconds)));
        assert_eq!(overdue(&progress, Some(100), 201), unswept(201));
        progress.swept = Some(SweepSummary {
            began: at(100),
            ended: at(150),
            read: 1,
            unavailable: Unavailable::default(),
            of: 1,
        });
        assert_eq!(overdue(&progress, Some(100), 350), None);
        assert_eq!(overdue(&progress, Some(100), 351), unswept(201));
        assert_eq!(overdue(&progress, None, 10_000), None);
        progress.new_to = Some(13);
        progress.behind_since = Some(at(5));
        assert_eq!(overdue(&progress, None, 35), None);
        let behind = Overdue::Behind {
            transactions: 7,
            time: Duration::from_secs(31),
        };
        assert_eq!(overdue(&progress, None, 36), Some(behind));
        progress.due.insert(7, 9, due(1));
        let unread = Overdue::Unread(Duration::from_secs(31));
        assert_eq!(overdue(&progress, None, 32), Some(unread));
    }

    #[test]
    fn a_clock_that_jumped_ahead_and_back_keeps_nothing_young() {
        let mut progress = ValueProgress::new("db", at(0));
        progress.due.insert(7, 9, due(1_000_000));
        progress.behind_since = Some(at(1_000_000));
        progress.clamp_to(at(100));
        let overdue = |seconds| pace(None).overdue(&progress, 20, after(seconds));
        assert_eq!(overdue(130), None);
        assert!(overdue(131).is_some());
    }
}
