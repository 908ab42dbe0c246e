//! Ages: the time since a database was last proven, and the time since an event that the wall clock recorded.
//!
//! The age of a database is measured by the monotonic clock. The age of a stored time is measured by the wall clock,
//! and limited by the monotonic clock (`WallAges`).

use std::time::{Duration, Instant};

use super::outcome::Overdue;
use crate::clock::Timestamp;

/// The number of intervals after which an unproven database or an unread transaction is overdue.
const OVERDUE_INTERVALS: u32 = 3;
/// The number of `--audit-sweep` periods after which a sweep that has not ended is overdue.
const OVERDUE_SWEEPS: u32 = 2;

/// The times at which a database was last proven and last grew. Both count from its first mention until then.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverdueTracker {
    proven: EarlierInstant,
    grown: EarlierInstant,
}

/// An instant that may precede the start of the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct EarlierInstant {
    at: Instant,
    earlier: Duration,
}

impl EarlierInstant {
    fn elapsed(self, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.at);
        elapsed.saturating_add(self.earlier)
    }
}

impl OverdueTracker {
    /// Creates a tracker whose times count from now on.
    pub fn new(now: Instant) -> OverdueTracker {
        OverdueTracker::ago(now, Duration::ZERO, Duration::ZERO)
    }

    /// Creates the tracker of a database that was last proven and last grew these durations ago.
    pub fn ago(now: Instant, proven: Duration, grown: Duration) -> OverdueTracker {
        let ago = |earlier| EarlierInstant { at: now, earlier };
        OverdueTracker {
            proven: ago(proven),
            grown: ago(grown),
        }
    }

    /// Records that the database was proven just now. `grew` is whether it had a new transaction.
    pub fn proven(&mut self, now: Instant, grew: bool) {
        self.proven = EarlierInstant {
            at: now,
            earlier: Duration::ZERO,
        };
        if grew {
            self.grown = self.proven;
        }
    }

    /// Returns the time for which the database has not been proven.
    pub fn unproven(&self, now: Instant) -> Duration {
        self.proven.elapsed(now)
    }

    /// Returns [`Overdue::Unproven`] after three intervals without a proof, and [`Overdue::Frozen`] after a longer time
    /// than `growth` without a new transaction.
    pub fn overdue(
        &self,
        now: Instant,
        interval: Duration,
        growth: Option<Duration>,
    ) -> Option<Overdue> {
        let (unproven, frozen) = (self.unproven(now), self.grown.elapsed(now));
        if unproven > allowed_without_proof(interval) {
            Some(Overdue::Unproven(unproven))
        } else if growth.is_some_and(|growth| frozen > growth) {
            Some(Overdue::Frozen(frozen))
        } else {
            None
        }
    }
}

/// Returns the time that a database may go unproven, and a transaction unread.
pub fn allowed_without_proof(interval: Duration) -> Duration {
    interval.saturating_mul(OVERDUE_INTERVALS)
}

/// The shortest time without a proof, and of a cycle, after which either is late. A busy machine takes a few seconds
/// now and then.
const MIN_LATE_AFTER: Duration = Duration::from_secs(10);

/// Returns the time between two proofs after which a database is late, although its check found nothing.
pub fn late_after(interval: Duration) -> Duration {
    allowed_without_proof(interval).max(MIN_LATE_AFTER)
}

/// Returns the time that may pass without the end of a sweep. A job under cron sweeps only when it runs, so three
/// intervals are allowed at least.
pub(super) fn allowed_without_sweep(sweep: Duration, interval: Duration) -> Duration {
    let checks = allowed_without_proof(interval);
    sweep.saturating_mul(OVERDUE_SWEEPS).max(checks)
}

/// The ages of times from the wall clock. While the program runs, no age grows faster than the monotonic clock. So a
/// wall clock that is set forward makes nothing overdue.
#[derive(Clone, Copy, Debug)]
pub(super) struct WallAges {
    /// The time at which the program began, by the wall clock.
    pub started: Timestamp,
    /// The time since it began.
    pub running: Duration,
    /// The time of day.
    pub now: Timestamp,
}

impl WallAges {
    /// Returns the time that has passed since `at`.
    pub fn of(self, at: Timestamp) -> Duration {
        let most = self.started.since(at).saturating_add(self.running);
        // times have whole seconds, so the measured time is too short by at most one
        self.now.since(at).min(most + Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(1_000_000 + seconds)
    }

    #[test]
    fn a_wall_clock_that_is_put_forward_ages_nothing() {
        let ages = |started, now| WallAges {
            started: at(started),
            running: Duration::from_secs(20),
            now: at(now),
        };
        let jumped = ages(0, 1_000_000);
        assert_eq!(jumped.of(at(10)), Duration::from_secs(21));
        assert_eq!(jumped.of(at(999_995)), Duration::from_secs(5));
        // an age from before the program began is not limited
        let ages = ages(500, 520);
        assert_eq!(ages.of(at(100)), Duration::from_secs(420));
        assert_eq!(ages.of(at(600)), Duration::ZERO);
    }

    const INTERVAL: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn three_intervals_without_a_proof_are_overdue_and_a_proof_ends_it() {
        let now = Instant::now();
        let overdue = |age: &OverdueTracker| age.overdue(now, INTERVAL, None);
        assert_eq!(overdue(&OverdueTracker::ago(now, 3 * INTERVAL, HOUR)), None);
        let mut old = OverdueTracker::ago(now, 4 * INTERVAL, HOUR);
        assert_eq!(overdue(&old), Some(Overdue::Unproven(4 * INTERVAL)));
        old.proven(now, false);
        assert_eq!(overdue(&old), None);
        let mut age = OverdueTracker::new(now);
        assert_eq!(overdue(&age), None, "never proven");
        age.proven(now, true);
        let later = now + 4 * INTERVAL;
        let unproven = Some(Overdue::Unproven(4 * INTERVAL));
        assert_eq!(age.overdue(later, INTERVAL, None), unproven);
    }

    #[test]
    fn a_view_frozen_for_longer_than_expected_is_overdue_though_proven() {
        let now = Instant::now();
        let mut age = OverdueTracker::ago(now, Duration::ZERO, 2 * HOUR);
        age.proven(now, false);
        let overdue = |age: &OverdueTracker| age.overdue(now, INTERVAL, Some(HOUR));
        assert_eq!(overdue(&age), Some(Overdue::Frozen(2 * HOUR)));
        age.proven(now, true);
        assert_eq!(overdue(&age), None);
    }
}
