//! Due transactions: those that could not be read and are to be read again, in the order of the retries.

use crate::clock::Timestamp;
use crate::ranges::Ranges;

/// The time since when a transaction is due, and the part of it that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Due {
    /// The time since when it is due.
    pub since: Timestamp,
    /// Whether only its values are due: its header and the digests of its entries are proven.
    pub values_only: bool,
}

impl Due {
    /// Returns the combination of two transactions that are due, for a response that covers both.
    pub(super) fn join(self, other: Due) -> Due {
        Due {
            since: self.since.min(other.since),
            values_only: self.values_only && other.values_only,
        }
    }
}

/// A due transaction by its place in the order of retries: the oldest first, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retried {
    /// The time since when it is due.
    pub since: Timestamp,
    /// The transaction.
    pub tx: u64,
}

/// Neighbours that have been due since the same time and for the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueRun {
    /// The first transaction.
    pub first: u64,
    /// The last transaction.
    pub last: u64,
    /// The reason.
    pub due: Due,
}

impl DueRun {
    /// Returns the first run of `due` after this place in the order of retries, or the very first.
    pub fn behind(due: &Ranges<Due>, place: Option<Retried>) -> Option<DueRun> {
        let runs = due.iter().filter_map(|(first, last, due)| {
            let first = match place {
                Some(place) if due.since < place.since => return None,
                Some(place) if due.since == place.since => first.max(place.tx.checked_add(1)?),
                _ => first,
            };
            (first <= last).then_some(DueRun { first, last, due })
        });
        runs.min_by_key(DueRun::begin)
    }

    /// Returns the part of the run up to this place in the order of retries, if there is one.
    #[must_use]
    pub fn up_to(self, place: Retried) -> Option<DueRun> {
        let last = match self.due.since == place.since {
            true => self.last.min(place.tx),
            false => self.last,
        };
        (self.begin() <= place).then_some(DueRun { last, ..self })
    }

    /// Returns the place of one of the transactions in the order of retries.
    pub fn at(&self, tx: u64) -> Retried {
        Retried {
            since: self.due.since,
            tx,
        }
    }

    /// Returns the place of the first transaction.
    pub fn begin(&self) -> Retried {
        self.at(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    #[test]
    fn the_oldest_come_first_and_each_once_before_any_comes_again() {
        let mut due = Ranges::new();
        for (first, last, since) in [(1, 3, 20), (7, 9, 10), (20, 20, 10), (30, 31, 5)] {
            let since = at(since);
            let values_only = false;
            due.insert(first, last, Due { since, values_only });
        }
        let (mut place, mut order) = (None, Vec::new());
        while let Some(run) = DueRun::behind(&due, place) {
            order.push((run.first, run.last));
            place = Some(run.at(run.last));
        }
        assert_eq!(order, [(30, 31), (7, 9), (20, 20), (1, 3)]);
        let eight = Retried {
            since: at(10),
            tx: 8,
        };
        let run = DueRun::behind(&due, Some(eight)).unwrap();
        assert_eq!((run.first, run.last), (9, 9));
        let first = DueRun::behind(&due, None).unwrap();
        assert_eq!(first.up_to(eight), Some(first));
        let second = DueRun::behind(&due, Some(first.at(31))).unwrap();
        assert_eq!(second.up_to(eight).map(|run| run.last), Some(8));
        assert_eq!(run.up_to(eight), None);
    }
}
