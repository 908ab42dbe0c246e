//! The number, the results and the durations of calls, for metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::server_error::ServerError;
use crate::clock::Clock;
use crate::histogram::Histogram;
use crate::wire::method;

/// Upper bounds in seconds: a local server responds within the first, and the last is a deadline.
const BOUNDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Calls that every audit makes sooner or later. They are counted from the start, so that the first failure of one
/// is an increase.
const KNOWN: [&str; 7] = [
    method::LOGIN,
    method::DATABASE_LIST,
    method::USE_DATABASE,
    method::CURRENT_STATE,
    method::VERIFIABLE_TX_BY_ID,
    method::TX_BY_ID,
    method::TX_SCAN,
];

/// The count of calls. Clones share it.
#[derive(Clone, Debug)]
pub struct Calls {
    counted: Arc<Mutex<Counted>>,
    clock: Clock,
}

/// The counts until now.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Durations by the call's name.
    pub durations: BTreeMap<&'static str, Histogram>,
    /// Calls that failed, by the call's name.
    pub failures: BTreeMap<&'static str, u64>,
    /// The time at which a call was last counted; at first, the start of counting.
    pub last: Instant,
}

impl Calls {
    /// Starts to count now, by `clock`.
    pub fn new(clock: Clock) -> Calls {
        let known = || KNOWN.iter().map(|name| method::short(name));
        let empty = |name| (name, Histogram::new(BOUNDS));
        let counted = Counted {
            durations: known().map(empty).collect(),
            failures: known().map(|name| (name, 0)).collect(),
            last: clock.instant(),
        };
        Calls {
            counted: Arc::new(Mutex::new(counted)),
            clock,
        }
    }

    /// Returns the clock that measures the calls.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

impl Counted {
    /// Returns the number of all calls.
    pub fn total(&self) -> u64 {
        self.durations.values().map(Histogram::count).sum()
    }
}

impl Calls {
    /// Counts a call, `name` with its path, whose response came this long after its start.
    pub(super) fn count<T>(
        &self,
        name: &'static str,
        duration: Duration,
        answer: &Result<T, ServerError>,
    ) {
        let (call, now) = (method::short(name), self.clock.instant());
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let durations = &mut counted.durations;
        let histogram = durations
            .entry(call)
            .or_insert_with(|| Histogram::new(BOUNDS));
        histogram.observe(duration);
        let failures = counted.failures.entry(call).or_default();
        *failures += u64::from(answer.is_err());
        counted.last = now;
    }

    /// Returns the counts until now.
    pub fn counted(&self) -> Counted {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.clone()
    }
}
