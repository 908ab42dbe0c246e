//! What is overdue: not proven for three intervals, or without growth for longer than expected.
//!
//! Ages are kept by the monotone clock; the wall clock only carries them over a restart.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::audit::verdict::Overdue;

/// Intervals that a database may go unproven.
const PATIENCE: u32 = 3;

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
            allowed: interval.saturating_mul(PATIENCE),
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

#[cfg(test)]
mod tests {
    use super::*;

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
