//! The time of the last write of a file. It decides when a change of only times and counts is written.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// The time between two writes if only times and counts have changed. Each write syncs the disk, which takes longer
/// than a check.
const MIN_WRITE_INTERVAL: Duration = Duration::from_secs(10);

/// The last write: its time, and a hash of the facts that count.
#[derive(Debug, Default)]
pub(super) struct Written(Option<(Instant, u64)>);

impl Written {
    /// Returns whether the same facts were stored recently.
    pub fn is_fresh(&self, facts: &Facts, now: Instant) -> bool {
        self.is_as_fresh(facts, now, MIN_WRITE_INTERVAL)
    }

    /// Returns whether the same facts were stored within a time.
    pub fn is_as_fresh(&self, facts: &Facts, now: Instant, rarely: Duration) -> bool {
        self.0.is_some_and(|(when, written)| {
            now.saturating_duration_since(when) < rarely && written == facts.hash()
        })
    }

    /// Records that these facts were stored.
    pub fn note(&mut self, facts: &Facts, now: Instant) {
        self.0 = Some((now, facts.hash()));
    }
}

/// A hash of the facts that count. It decides only when to write.
#[derive(Default)]
pub(super) struct Facts(DefaultHasher);

impl Facts {
    /// Adds a fact.
    pub fn add(&mut self, fact: impl Hash) {
        fact.hash(&mut self.0);
    }

    fn hash(&self) -> u64 {
        self.0.finish()
    }
}
