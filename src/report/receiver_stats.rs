//! Counts of the notifications to one receiver, for metrics and the status page.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;

/// The counts of one receiver. Clones share them.
#[derive(Clone, Debug)]
pub struct ReceiverStats {
    name: Arc<str>,
    tally: Arc<Mutex<Tally>>,
}

#[derive(Debug, Default)]
struct Tally {
    pending: u64,
    sent: u64,
    failed: u64,
    dropped: u64,
    oldest: Option<Instant>,
}

/// The counts of one receiver at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverStatsSnapshot {
    /// The receiver, without the secret parts of its URL.
    pub receiver: String,
    /// Notifications that are not delivered yet.
    pub pending: u64,
    /// Delivered notifications.
    pub sent: u64,
    /// Failed tries.
    pub failed: u64,
    /// Notifications that were given up or folded.
    pub dropped: u64,
    /// The age of the oldest notification that is not delivered yet.
    pub oldest: Duration,
}

impl ReceiverStats {
    /// Returns the counts of a new receiver.
    pub fn new(name: &str) -> ReceiverStats {
        ReceiverStats {
            name: name.into(),
            tally: Arc::default(),
        }
    }

    /// Returns the name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Records the waiting notifications.
    pub fn waiting(&self, pending: usize, oldest: Option<Instant>) {
        self.change(|tally| {
            tally.pending = pending as u64;
            tally.oldest = oldest;
        });
    }

    /// Records a delivered notification.
    pub fn sent(&self) {
        self.change(|tally| tally.sent += 1);
    }

    /// Records a failed delivery.
    pub fn failed(&self) {
        self.change(|tally| tally.failed += 1);
    }

    /// Records notifications that were given up or folded.
    pub fn dropped(&self, count: usize) {
        self.change(|tally| tally.dropped += count as u64);
    }

    /// Returns the counts so far, by the clock that timed the waiting notifications.
    pub fn counts(&self, clock: &Clock) -> ReceiverStatsSnapshot {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        ReceiverStatsSnapshot {
            receiver: self.name.to_string(),
            pending: tally.pending,
            sent: tally.sent,
            failed: tally.failed,
            dropped: tally.dropped,
            oldest: tally.oldest.map_or(Duration::ZERO, |at| clock.since(at)),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
