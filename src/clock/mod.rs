//! The time of day, for people and files, and the monotonic time, for intervals and deadlines. All code that needs
//! the time has a [`Clock`], so that a test can use simulated time.

#![forbid(unsafe_code)]

mod simulated;
mod timestamp;

use std::time::{Duration, Instant, SystemTime};

pub use simulated::SimulatedTime;
pub use timestamp::Timestamp;

use crate::stop::Stop;

/// The environment variable that names a file with the seconds by which the clock is wrong. Only builds with the
/// feature `fault-points` use it. They read the file each time that the time is needed.
pub const VARIABLE: &str = "IMMUAUDIT_CLOCK_OFF_BY";

/// The system's clocks, or simulated ones. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// The simulated time; `None` for the system's clocks.
    simulated: Option<SimulatedTime>,
}

impl Clock {
    /// Returns the system's clocks.
    pub fn system() -> Clock {
        Clock::default()
    }

    /// Returns whether time moves only when code waits. If so, a separate thread would wait for ever.
    pub fn is_simulated(&self) -> bool {
        self.simulated.is_some()
    }

    /// Returns the time of day. It may be wrong and may be set back, so no interval and no deadline is measured by it.
    pub fn now(&self) -> Timestamp {
        match &self.simulated {
            None => stepped(Timestamp::from(SystemTime::now())),
            Some(time) => time.time_of_day(),
        }
    }

    /// Returns the monotonic time, for intervals and deadlines.
    pub fn instant(&self) -> Instant {
        match &self.simulated {
            None => Instant::now(),
            Some(time) => time.instant(),
        }
    }

    /// Returns the time since `earlier`; zero if that is later.
    pub fn since(&self, earlier: Instant) -> Duration {
        self.instant().saturating_duration_since(earlier)
    }

    /// Returns the time until `later`; zero if that has passed.
    pub fn until(&self, later: Instant) -> Duration {
        later.saturating_duration_since(self.instant())
    }

    /// Sleeps for a time, and no longer than until a stop or a reload is requested. Simulated time moves on instead.
    pub fn sleep(&self, time: Duration, stop: &Stop) {
        self.sleep_until(self.instant() + time, stop);
    }

    /// Sleeps until `end`, as [`Clock::sleep`] does.
    pub fn sleep_until(&self, end: Instant, stop: &Stop) {
        while !stop.requested() && !stop.reload_requested() {
            let left = self.until(end);
            if left.is_zero() {
                return;
            }
            match &self.simulated {
                None => stop.wait(left),
                Some(time) => return time.advance(left),
            }
        }
    }
}

/// Returns the time of day by the system's clock.
pub fn now() -> Timestamp {
    Clock::system().now()
}

#[cfg(feature = "fault-points")]
fn stepped(now: Timestamp) -> Timestamp {
    let file = std::env::var_os(VARIABLE).map(std::fs::read_to_string);
    let text = file.and_then(Result::ok).unwrap_or_default();
    let off: i64 = text.trim().parse().unwrap_or(0);
    now.plus(off)
}

#[cfg(not(feature = "fault-points"))]
fn stepped(now: Timestamp) -> Timestamp {
    now
}
