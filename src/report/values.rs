//! The progress of reading a database's values, for reports.

use std::time::Duration;

use crate::audit::{DetectionProbability, Readings, detection_probability_per_day};
use crate::clock::Timestamp;
use crate::config;
use crate::ledger::State;
use crate::ranges::Ranges;
use crate::trust::{Acknowledged, SweepSummary, Unavailable, ValueProgress};

/// The progress of reading a database's values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Values {
    /// The begin of the history that was read; `None` if none was.
    pub since: Option<Timestamp>,
    /// Transactions read, some of them more than once.
    pub read: u64,
    /// The number of different transactions that were read for certain: by a sweep, or in one cycle.
    pub covered: u64,
    /// Transactions that could not be read and stay due.
    pub due: u64,
    /// All new transactions up to this one were read; `None` if no newer one waits.
    pub new_to: Option<u64>,
    /// Transactions with values that the server does not have, without a known reason.
    pub absent: u64,
    /// The number of them that an operator acknowledged.
    pub acknowledged: u64,
    /// Values that cannot be read any more.
    pub unavailable: Unavailable,
    /// The last sweep that ended.
    pub swept: Option<SweepSummary>,
    /// The current sweep: its begin, and the last transaction that it passed.
    pub sweeping: Option<(Timestamp, u64)>,
}

impl Values {
    /// Returns the values that an earlier run left.
    pub fn remembered(progress: &ValueProgress, acknowledged: &Acknowledged) -> Values {
        let left = Values {
            since: Some(progress.since),
            read: progress.read,
            ..Values::default()
        };
        left.after(progress, acknowledged)
    }

    /// Returns the values after this progress.
    pub fn after(self, progress: &ValueProgress, acknowledged: &Acknowledged) -> Values {
        let same = self.since == Some(progress.since);
        let before = if same { self } else { Values::default() };
        let absent = progress.unexplained(acknowledged).0.count();
        Values {
            since: Some(progress.since),
            read: progress.read,
            covered: before.covered.max(covered(&before, progress)),
            due: progress.due.count(),
            new_to: progress.behind_since.and(progress.new_to),
            absent,
            acknowledged: progress.absent.count().saturating_sub(absent),
            unavailable: progress.unavailable,
            swept: progress.swept,
            sweeping: progress.sweep.as_ref().map(|sweep| (sweep.began, sweep.at)),
        }
    }

    /// Returns the values without the transactions that need attention: those that could not be read, that wait, or
    /// whose values are absent.
    pub fn without_unread(self) -> Values {
        Values {
            due: 0,
            new_to: None,
            absent: 0,
            ..self
        }
    }

    /// Returns how many new transactions are not read yet, if all new ones are due.
    pub fn behind(&self, trusted: Option<State>) -> u64 {
        let trusted = trusted.map_or(0, |state| state.tx);
        self.new_to.map_or(0, |read| trusted.saturating_sub(read))
    }

    /// Returns the probability that an edit of one random value among the first `of` transactions is found within
    /// a day, if `planned` is read in each `interval`.
    pub fn chance(
        &self,
        planned: &config::Values,
        interval: Duration,
        of: u64,
        now: Timestamp,
    ) -> DetectionProbability {
        let unread = self.due.saturating_add(self.absent);
        let readings = Readings {
            swept: self.swept,
            unread: unread.saturating_add(self.acknowledged),
        };
        detection_probability_per_day(planned, interval, of, readings, now)
    }

    /// Returns the share of the ledger that was read for certain, from 0 to 1.
    pub fn share(&self, trusted: Option<State>) -> f64 {
        match trusted {
            Some(state) if state.tx > 0 => (self.covered as f64 / state.tx as f64).min(1.0),
            _ => 0.0,
        }
    }
}

/// The number of ranges of transactions in one line of text.
const MAX_LISTED_RANGES: usize = 8;

/// Returns the ranges of a set of transactions, for people. If there are many, it has the first ones, the last one
/// and the counts.
pub fn few_ranges<T: Copy + PartialEq>(ranges: &Ranges<T>) -> String {
    let mut words = ranges.words();
    if ranges.len() <= MAX_LISTED_RANGES {
        return words.collect::<Vec<_>>().join(", ");
    }
    let mut text = words
        .by_ref()
        .take(MAX_LISTED_RANGES - 1)
        .collect::<Vec<_>>()
        .join(", ");
    let last = words.last().unwrap_or_default();
    let (count, of) = (ranges.count(), ranges.len());
    text.push_str(&format!(
        ", ..., {last} ({count} transactions in {of} ranges)"
    ));
    text
}

/// Returns how many different transactions were read for certain. Samples of different cycles can contain the same
/// transactions, so they are not added up.
fn covered(before: &Values, progress: &ValueProgress) -> u64 {
    let at_once = match before.due {
        0 => progress.read.saturating_sub(before.read),
        _ => 0, // transactions that were due may have been read twice
    };
    let swept = progress.swept.map_or(0, |swept| swept.read);
    let sweeping = progress
        .sweep
        .as_ref()
        .map_or(0, |sweep| sweep.read.count());
    at_once.max(swept).max(sweeping)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Digest;
    use crate::trust::Unavailable;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(1_000_000 + seconds)
    }

    fn of(tx: u64) -> Option<State> {
        let hash = Digest::of(&[b"x"]);
        Some(State { tx, hash })
    }

    #[test]
    fn many_ranges_are_shortened_in_text_and_complete_in_json() {
        let mut ranges = Ranges::new();
        assert_eq!((few_ranges(&ranges), ranges.to_string()), <_>::default());
        for first in (10..90).step_by(10) {
            ranges.insert(first, first + 1, ());
        }
        let eight = "10-11, 20-21, 30-31, 40-41, 50-51, 60-61, 70-71, 80-81";
        assert_eq!(few_ranges(&ranges), eight);
        ranges.insert(99, 99, ());
        let nine = "10-11, 20-21, 30-31, 40-41, 50-51, 60-61, 70-71, ..., 99 (17 transactions in 9 ranges)";
        assert_eq!(few_ranges(&ranges), nine);
        assert_eq!(
            ranges.to_string(),
            "10-11 20-21 30-31 40-41 50-51 60-61 70-71 80-81 99"
        );
    }

    #[test]
    fn the_share_is_what_was_read_for_certain() {
        let mut progress = ValueProgress::new("db", at(0));
        let mut values = Values::default();
        for cycle in 1..=5 {
            progress.read = 32 * cycle;
            values = values.after(&progress, &Acknowledged::default());
            assert_eq!(values.share(of(64)), 0.5); // repeated samples do not raise it
        }
        progress.read += 64;
        values = values.after(&progress, &Acknowledged::default());
        assert_eq!((values.share(of(64)), values.share(of(128))), (1.0, 0.5));
        progress.swept = Some(SweepSummary {
            began: at(0),
            ended: at(2),
            read: 96,
            unavailable: Unavailable::default(),
            of: 128,
        });
        values = values.after(&progress, &Acknowledged::default());
        assert_eq!((values.share(of(128)), values.share(None)), (0.75, 0.0));
        // the count of an earlier run does not count as one cycle's
        let remembered = Values::remembered(&progress, &Acknowledged::default());
        assert_eq!((remembered.read, remembered.share(of(128))), (224, 0.75));
        // nothing of another history was read yet
        let values = values.after(&ValueProgress::new("db", at(9)), &Acknowledged::default());
        assert_eq!((values.read, values.share(of(128))), (0, 0.0));
    }
}
