//! What is overdue: not proven for three intervals, or without growth for longer than expected.
//!
//! Ages are kept by the monotone clock; the wall clock only carries them over a restart.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::outcome::Overdue;
use crate::clock::{self, Timestamp};
use crate::config::NewValues;
use crate::trust::Progress;

/// Intervals that a database may go unproven, and a transaction unread.
const PATIENCE: u32 = 3;
/// Times of `--audit-sweep` that may pass without the end of a sweep.
const SWEEPS: u32 = 2;

/// When each database was last proven, and when it last grew.
#[derive(Debug)]
pub struct Ages {
    allowed: Duration,
    growth: Option<Duration>,
    databases: HashMap<String, Age>,
}

#[derive(Clone, Copy, Debug)]
struct Age {
    proven: Since,
    grown: Since,
}

/// A moment that may lie before the monotone clock began.
#[derive(Clone, Copy, Debug)]
struct Since {
    at: Instant,
    earlier: Duration,
}

impl Since {
    fn now() -> Since {
        Since::ago(Duration::ZERO)
    }

    fn ago(earlier: Duration) -> Since {
        Since {
            at: Instant::now(),
            earlier,
        }
    }

    fn elapsed(self) -> Duration {
        self.at.elapsed().saturating_add(self.earlier)
    }
}

impl Ages {
    /// Overdue after three `interval`s, or after `growth` without a new transaction.
    pub fn new(interval: Duration, growth: Option<Duration>) -> Ages {
        Ages {
            allowed: allowed_without_proof(interval),
            growth,
            databases: HashMap::new(),
        }
    }

    /// What an earlier run knew, if this one does not know better yet.
    pub fn remember(&mut self, database: &str, proven: Duration, grown: Duration) {
        self.databases.entry(database.into()).or_insert(Age {
            proven: Since::ago(proven),
            grown: Since::ago(grown),
        });
    }

    /// The database was proven just now, and `grew` says whether it had a new transaction.
    pub fn proven(&mut self, database: &str, grew: bool) {
        let age = self.age(database);
        age.proven = Since::now();
        if grew {
            age.grown = Since::now();
        }
    }

    /// Is it overdue? A database that was never seen counts from its first mention.
    pub fn overdue(&mut self, database: &str) -> Option<Overdue> {
        let (allowed, growth) = (self.allowed, self.growth);
        let age = self.age(database);
        let (unproven, frozen) = (age.proven.elapsed(), age.grown.elapsed());
        if unproven > allowed {
            Some(Overdue::Unproven(unproven))
        } else if growth.is_some_and(|growth| frozen > growth) {
            Some(Overdue::Frozen(frozen))
        } else {
            None
        }
    }

    /// Forgets what `keeps` does not name.
    pub fn keep(&mut self, keeps: impl Fn(&str) -> bool) {
        self.databases.retain(|name, _| keeps(name));
    }

    fn age(&mut self, database: &str) -> &mut Age {
        self.databases.entry(database.into()).or_insert(Age {
            proven: Since::now(),
            grown: Since::now(),
        })
    }
}

/// The age of times that were taken by the wall clock. While the program runs no age grows faster than the monotone
/// clock, so that a wall clock that is put forward ages nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct WallAges {
    /// When the program began, by the wall clock.
    started: Timestamp,
    /// The time since it began.
    running: Duration,
    now: Timestamp,
}

impl WallAges {
    /// Returns how long ago a time was.
    pub fn of(self, at: Timestamp) -> Duration {
        let most = self.started.since(at).saturating_add(self.running);
        // times have whole seconds, so that a running time is one short at most
        self.now.since(at).min(most + Duration::from_secs(1))
    }
}

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

/// Returns the time that a database may go unproven.
pub fn allowed_without_proof(interval: Duration) -> Duration {
    interval.saturating_mul(PATIENCE)
}

/// Returns the time that may pass without the end of a sweep. A job under cron sweeps only when it runs, so three
/// intervals are allowed at least.
pub(super) fn allowed_without_sweep(sweep: Duration, interval: Duration) -> Duration {
    let checks = allowed_without_proof(interval);
    sweep.saturating_mul(SWEEPS).max(checks)
}

impl Pace {
    /// Returns what of a database's values was not read in time.
    fn overdue(&self, progress: &Progress, trusted_tx: u64, ages: WallAges) -> Option<Overdue> {
        let late = |since: Option<Timestamp>| {
            let patience = self.interval.saturating_mul(PATIENCE);
            since.map(|at| ages.of(at)).filter(|age| *age > patience)
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
    /// Returns what of a database's values was not read in time. Records when a paced sweep was first asked for, so
    /// that a sweep becomes overdue although every run is a process of its own.
    pub(super) fn values_overdue(&mut self, database: &str) -> Option<Overdue> {
        let trusted = self.store.load(database).ok().flatten()?;
        if self.policy.values.sweep.is_some() {
            let mut progress = self.progress_of(database, trusted.since);
            progress.sweep_asked.get_or_insert_with(clock::now);
            self.progress.insert(database.into(), progress);
        }
        let progress = self.progress.get(database)?;
        let pace = Pace {
            interval: self.policy.interval,
            sweep: self.policy.values.sweep,
            new: self.policy.values.new,
        };
        pace.overdue(progress, trusted.state.tx, self.wall_ages())
    }

    pub(super) fn wall_ages(&self) -> WallAges {
        WallAges {
            started: self.started,
            running: self.started_at.elapsed(),
            now: clock::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::{Due, Swept, Unavailable};

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

    /// After so many seconds, by both clocks.
    fn after(seconds: u64) -> WallAges {
        WallAges {
            started: at(0),
            running: Duration::from_secs(seconds),
            now: at(seconds),
        }
    }

    #[test]
    fn a_wall_clock_that_is_put_forward_ages_nothing() {
        let jumped = WallAges {
            now: at(1_000_000),
            ..after(20)
        };
        assert_eq!(jumped.of(at(10)), Duration::from_secs(21));
        assert_eq!(jumped.of(at(999_995)), Duration::from_secs(5));
        // what was old when the program began stays so
        let ages = WallAges {
            started: at(500),
            now: at(520),
            ..after(20)
        };
        assert_eq!(ages.of(at(100)), Duration::from_secs(420));
        assert_eq!(ages.of(at(600)), Duration::ZERO);
    }

    #[test]
    fn values_are_overdue_after_twice_a_sweeps_time_or_three_intervals() {
        let mut progress = Progress::new("db", at(0));
        let overdue = |progress: &Progress, sweep: Option<u64>, seconds| {
            pace(sweep).overdue(progress, 20, after(seconds))
        };
        assert_eq!(overdue(&progress, Some(100), 10_000), None); // not asked for yet
        progress.sweep_asked = Some(at(0));
        assert_eq!(overdue(&progress, Some(100), 200), None);
        assert_eq!(overdue(&progress, Some(1), 30), None); // three intervals of 10 seconds
        assert!(overdue(&progress, Some(1), 31).is_some());
        let unswept = |seconds| Some(Overdue::Unswept(Duration::from_secs(seconds)));
        assert_eq!(overdue(&progress, Some(100), 201), unswept(201));
        progress.swept = Some(Swept {
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
        let mut progress = Progress::new("db", at(0));
        progress.due.insert(7, 9, due(1_000_000));
        progress.behind_since = Some(at(1_000_000));
        progress.clamp_to(at(100));
        let overdue = |seconds| pace(None).overdue(&progress, 20, after(seconds));
        assert_eq!(overdue(130), None);
        assert!(overdue(131).is_some());
    }

    const INTERVAL: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn three_intervals_without_a_proof_are_overdue_and_a_proof_ends_it() {
        let mut ages = Ages::new(INTERVAL, None);
        ages.remember("new", 2 * INTERVAL, HOUR);
        ages.remember("old", 4 * INTERVAL, HOUR);
        assert_eq!(ages.overdue("new"), None);
        assert!(matches!(ages.overdue("old"), Some(Overdue::Unproven(_))));
        ages.proven("old", false);
        assert_eq!(ages.overdue("old"), None);
        assert_eq!(ages.overdue("never seen"), None);
    }

    #[test]
    fn a_view_frozen_for_longer_than_expected_is_overdue_though_proven() {
        let mut ages = Ages::new(INTERVAL, Some(HOUR));
        ages.remember("frozen", Duration::ZERO, 2 * HOUR);
        ages.proven("frozen", false);
        assert!(matches!(ages.overdue("frozen"), Some(Overdue::Frozen(_))));
        ages.proven("frozen", true);
        assert_eq!(ages.overdue("frozen"), None);
    }
}
