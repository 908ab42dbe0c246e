//! The time of a cycle, and the share of each piece of work. A call ends at the earliest of several deadlines: its
//! own, that of its piece of work, and those of the work around that piece.

use std::time::{Duration, Instant};

use super::auditor::Auditor;

/// The shortest time for a check, and for all untrusted databases: enough for one or two calls.
const MIN_TIME: Duration = Duration::from_secs(1);
/// The least number of shortest times in a cycle; in short cycles, the shortest time is shorter.
const MIN_TIMES_PER_CYCLE: u32 = 8;
/// The list of databases may take one part in this number of a cycle. Trusted databases are also checked without it.
const LIST_PART: u32 = 4;
/// States may take this many quarters of the time of their databases, so that values always have some time.
const STATES_QUARTERS: u32 = 3;
/// Slow databases have at least one part in this number of the time that the others took.
const SLOW_PART: u32 = 8;
/// The longest time that a call may take past the end of its budget when values or the headers for a mirror are read.
/// Without it, the last call of each database would be interrupted, and the connection with it.
pub(super) const MAX_CALL_OVERRUN: Duration = Duration::from_millis(400);

/// The time of one cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    begin: Instant,
    /// The time from the begin of a cycle to the begin of the next one.
    interval: Duration,
    /// The longest time of the cycle: an interval, and at least a minute.
    allowed: Duration,
}

/// The time of some databases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The end of the time for checking states.
    pub states: Instant,
    /// The end of the time for reading values.
    pub values: Instant,
    /// The time that one database has while others wait: a check that takes longer is slow.
    pub share: Duration,
}

impl Budget {
    /// Returns the budget of a cycle that begins now.
    pub fn new(begin: Instant, interval: Duration, shortest: Duration) -> Budget {
        Budget {
            begin,
            interval,
            allowed: interval.max(shortest),
        }
    }

    /// Returns the end of the time for the list of databases.
    pub fn list(&self) -> Instant {
        self.begin + self.allowed / LIST_PART
    }

    /// Returns the shortest time with which a check may begin.
    pub fn moment(&self) -> Duration {
        MIN_TIME.min(self.allowed / MIN_TIMES_PER_CYCLE)
    }

    /// Returns the time of `count` trusted databases. Some time is left for untrusted databases, and a part for slow
    /// ones.
    pub fn trusted(&self, now: Instant, count: usize, slow: usize) -> Window {
        let end = match slow {
            0 => self.end(),
            _ => self.begin + self.allowed * (SLOW_PART - 1) / SLOW_PART,
        };
        self.window(now, end, count)
    }

    /// Returns the time of slow trusted databases. If `others` were checked before, their next check is late by an
    /// interval at most, or by little more than their own checks took.
    pub fn slow(&self, now: Instant, count: usize, others: usize) -> Window {
        let taken = now.saturating_duration_since(self.begin) / SLOW_PART;
        let end = match others {
            0 => self.end(),
            _ => (self.begin + self.interval)
                .checked_sub(self.moment())
                .unwrap_or(now)
                .min(self.end()),
        };
        let end = end.max(now + self.moment().max(taken));
        Window {
            // the share of all databases: with a larger share, a slow database would not be found slow again
            share: self.window(self.begin, end, count + others).share,
            ..self.window(now, end, count)
        }
    }

    /// Returns the time of untrusted databases: the rest of the interval, and at least the shortest time.
    pub fn untrusted(&self, now: Instant, count: usize) -> Window {
        let end = (self.begin + self.interval).max(now + self.moment());
        Window {
            states: end,
            values: end.max(self.begin + self.allowed),
            ..self.window(now, end, count)
        }
    }

    fn end(&self) -> Instant {
        self.begin + (self.allowed - self.moment())
    }

    fn window(&self, now: Instant, end: Instant, count: usize) -> Window {
        let time = end.saturating_duration_since(now);
        let states = time * STATES_QUARTERS / 4;
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        Window {
            states: now + states,
            values: end,
            share: self.moment().max(states / count),
        }
    }

    /// Returns the end of the time for one of several databases that were not slow: its share, or half of the rest of
    /// the interval. The others wait for their turn or for the next cycle.
    pub fn turn(&self, now: Instant, window: &Window) -> Instant {
        let interval = (self.begin + self.interval).saturating_duration_since(now);
        window.states.min(now + window.share.max(interval / 2))
    }
}

impl Auditor {
    /// Runs `work`, in which no call lasts past `until`.
    pub(super) fn within<T>(&mut self, until: Instant, work: impl FnOnce(&mut Auditor) -> T) -> T {
        let before = self.server.limit(until);
        let done = work(self);
        self.server.restore(before);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn budget(interval: u64) -> (Instant, Budget) {
        let begin = Instant::now();
        let interval = Duration::from_secs(interval);
        (begin, Budget::new(begin, interval, MINUTE))
    }

    #[test]
    fn states_leave_values_a_quarter_and_trusted_databases_leave_a_moment_for_new_ones() {
        let (begin, budget) = budget(60);
        let window = budget.trusted(begin, 1, 0);
        let of = |until: Instant| until.saturating_duration_since(begin).as_secs_f64();
        assert!((of(window.states) / of(window.values) - 0.75).abs() < 0.001);
        assert!((of(window.values) - 59.0).abs() < 0.001);
    }

    #[test]
    fn a_slow_database_gets_what_the_others_leave_of_the_interval_and_a_moment_at_least() {
        for (interval, taken, expected) in [(60, 10, 59), (10, 1, 9), (1, 0, 1), (1, 40, 45)] {
            let (begin, budget) = budget(interval);
            let now = begin + Duration::from_secs(taken);
            let window = budget.slow(now, 1, 9);
            let end = window.values.saturating_duration_since(begin);
            assert_eq!(end.as_secs(), expected, "{interval} {taken}");
        }
        // no database waits
        let (begin, budget) = budget(1);
        let window = budget.slow(begin, 3, 0);
        assert_eq!(window.values, begin + Duration::from_secs(59));
    }
}
