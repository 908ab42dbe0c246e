//! Simulated time, which moves only if a test waits or moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Clock, Timestamp};

/// Simulated time: a monotonic clock, and a wall clock that a test can set wrong. Clones share the time.
#[derive(Clone, Debug)]
pub struct SimulatedTime(Arc<Time>);

#[derive(Debug)]
struct Time {
    /// The monotonic clock at the start.
    base: Instant,
    /// The wall clock at the start.
    start: Timestamp,
    /// Nanoseconds since the start: up to 584 years.
    passed: AtomicU64,
    /// Seconds by which the wall clock was stepped.
    stepped: AtomicI64,
}

impl SimulatedTime {
    /// Returns a time that begins at `start`.
    pub fn starting_at(start: Timestamp) -> SimulatedTime {
        SimulatedTime(Arc::new(Time {
            base: Instant::now(),
            start,
            passed: AtomicU64::new(0),
            stepped: AtomicI64::new(0),
        }))
    }

    /// Returns a clock with this time.
    pub fn clock(&self) -> Clock {
        Clock {
            simulated: Some(self.clone()),
        }
    }

    /// Moves both clocks on.
    pub fn advance(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let add = |passed: u64| Some(passed.saturating_add(nanoseconds));
        let _ = (self.0.passed).fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Steps the wall clock alone, as an administrator, a time server or a suspended machine does.
    pub fn step_wall_clock(&self, seconds: i64) {
        let add = |stepped: i64| Some(stepped.saturating_add(seconds));
        let _ = (self.0.stepped).fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Returns the time since the start, by the monotonic clock.
    pub fn passed(&self) -> Duration {
        Duration::from_nanos(self.0.passed.load(Ordering::Relaxed))
    }

    pub(super) fn instant(&self) -> Instant {
        self.0.base + self.passed()
    }

    pub(super) fn time_of_day(&self) -> Timestamp {
        let passed = i64::try_from(self.passed().as_secs()).unwrap_or(i64::MAX);
        let stepped = self.0.stepped.load(Ordering::Relaxed);
        self.0.start.plus(passed.saturating_add(stepped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::Stop;

    const START: u64 = 1_800_000_000;

    fn time() -> SimulatedTime {
        SimulatedTime::starting_at(Timestamp::from_unix(START))
    }

    #[test]
    fn sleeping_moves_both_clocks_and_waits_for_nothing() {
        let time = time();
        let clock = time.clock();
        let begin = clock.instant();
        clock.sleep(Duration::from_millis(31_536_000_500), &Stop::new());
        assert_eq!(clock.since(begin), Duration::from_millis(31_536_000_500));
        assert_eq!(clock.now().unix(), START + 31_536_000);
        clock.sleep_until(begin, &Stop::new());
        assert_eq!(time.passed(), clock.since(begin), "it never goes back");
    }

    #[test]
    fn the_wall_clock_is_stepped_without_the_monotone_one() {
        let time = time();
        let (clock, other) = (time.clock(), time.clock());
        let begin = clock.instant();
        for (step, shown) in [(-60, START - 60), (3600, START + 3540)] {
            time.step_wall_clock(step);
            assert_eq!(other.now().unix(), shown);
            assert_eq!(other.instant(), begin);
        }
        time.step_wall_clock(i64::MIN);
        assert_eq!(clock.now().unix(), 0);
    }

    #[test]
    fn a_stop_request_ends_every_sleep() {
        let (time, stop) = (time(), Stop::new());
        stop.request();
        time.clock().sleep(Duration::from_secs(1), &stop);
        assert_eq!(time.passed(), Duration::ZERO);
        let begin = Instant::now();
        Clock::system().sleep(Duration::from_secs(60), &stop);
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
}
