//! The probability that an edit is detected, by the amount of values that are read.

use std::fmt;
use std::time::Duration;

use crate::audit::overdue::allowed_without_sweep;
use crate::clock::Timestamp;
use crate::config::Values;
use crate::trust::{SweepSummary, ValueProgress};

/// The probability that an edit is detected, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct DetectionProbability(pub f64);

/// The earlier readings of a database's values that the probability depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Readings {
    /// The last sweep that ended.
    pub swept: Option<SweepSummary>,
    /// The number of transactions that cannot be read, or not with all values.
    pub unread: u64,
}

impl Readings {
    /// Returns the readings of a database's progress; none if there is no progress.
    pub fn of(progress: Option<&ValueProgress>) -> Readings {
        progress.map_or_else(Readings::default, |progress| Readings {
            swept: progress.swept,
            unread: (progress.due.count()).saturating_add(progress.absent.count()),
        })
    }
}

const DAY: f64 = 86_400.0;

/// Returns the probability that an edit of one random value among `transactions` is detected within a day. It
/// includes the sample of each `interval`, the sweep, and the earlier readings.
pub fn detection_probability_per_day(
    values: &Values,
    interval: Duration,
    transactions: u64,
    readings: Readings,
    now: Timestamp,
) -> DetectionProbability {
    if transactions == 0 {
        return DetectionProbability(0.0);
    }
    #[allow(clippy::cast_precision_loss)] // the result is for display only
    let part = |count: u64| (count as f64 / transactions as f64).min(1.0);
    let drawn = part(values.sample);
    let cycles = DAY / interval.as_secs_f64().max(0.001);
    let unseen_by_samples = (1.0 - drawn).powf(cycles);
    let period = values.sweep.and_then(|sweep| {
        let swept = readings.swept?;
        sweep_takes(&swept, sweep, interval, now)
    });
    let swept = period.map_or(0.0, |period| {
        (DAY / period.as_secs_f64().max(0.001)).min(1.0)
    });
    let found = 1.0 - unseen_by_samples * (1.0 - swept);
    // no edit is detected in a transaction that cannot be read, or not with its values
    DetectionProbability(found * (1.0 - part(readings.unread)))
}

/// Returns the expected time of a paced sweep, which is that of the last completed one. Returns `None` if that one
/// ended too long ago to count.
fn sweep_takes(
    swept: &SweepSummary,
    sweep: Duration,
    interval: Duration,
    now: Timestamp,
) -> Option<Duration> {
    let recent = now.since(swept.ended) <= allowed_without_sweep(sweep, interval);
    recent.then(|| sweep.max(swept.ended.since(swept.began)))
}

/// Formats a percentage that is never higher than the probability.
impl fmt::Display for DetectionProbability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        if self.0 >= 1.0 {
            f.write_str("100%")
        } else if percent >= 99.9 {
            f.write_str("over 99.9%")
        } else if percent >= 0.1 || percent <= 0.0 {
            write!(f, "{percent:.1}%")
        } else {
            f.write_str("under 0.1%")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NewValues;
    use crate::trust::{Due, Unavailable};

    const INTERVAL: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(1_000_000 + seconds)
    }

    /// Returns the progress after a sweep that took `took` seconds and ended at `ended`.
    fn swept(ended: u64, took: u64) -> ValueProgress {
        let mut progress = ValueProgress::new("db", at(0));
        progress.swept = Some(SweepSummary {
            began: at(ended - took),
            ended: at(ended),
            read: 1_000,
            unavailable: Unavailable::default(),
            of: 1_000,
        });
        progress
    }

    fn chance_at(sweep: u64, progress: &ValueProgress, now: u64) -> String {
        let values = Values {
            sample: 0,
            new: NewValues::Sampled,
            sweep: Some(Duration::from_secs(sweep)),
        };
        detection_probability_per_day(
            &values,
            INTERVAL,
            1_000,
            Readings::of(Some(progress)),
            at(now),
        )
        .to_string()
    }

    #[test]
    fn a_sweep_counts_once_it_has_ended_and_as_long_as_it_ends_in_its_time() {
        let day = 86_400;
        assert_eq!(chance_at(day, &ValueProgress::new("db", at(0)), 10), "0.0%");
        let fresh = swept(day, day);
        assert_eq!(chance_at(day, &fresh, 3 * day), "100%");
        assert_eq!(chance_at(day, &fresh, 3 * day + 1), "0.0%");
        // a sweep that is slower than its period counts with its real duration
        assert_eq!(chance_at(day, &swept(4 * day, 4 * day), 4 * day), "25.0%");
        // a sweep that took one second under cron counts with the time between two runs
        assert_eq!(chance_at(1, &swept(day, 0), day + 900), "100%");
        assert_eq!(chance_at(1, &swept(day, 0), day + 901), "0.0%");
    }

    #[test]
    fn transactions_that_are_due_or_absent_are_found_by_no_reading() {
        let mut progress = swept(86_400, 0);
        let due = Due {
            since: at(0),
            values_only: false,
        };
        progress.due.insert(1, 100, due);
        assert_eq!(chance_at(86_400, &progress, 86_400), "90.0%");
        progress.absent.insert(101, 200, ());
        assert_eq!(chance_at(86_400, &progress, 86_400), "80.0%");
        progress.due.remove(1, 100);
        progress.absent.remove(102, 200);
        assert_eq!(chance_at(86_400, &progress, 86_400), "over 99.9%");
    }

    fn probability(sample: u64, sweep: Option<u64>, transactions: u64) -> String {
        let values = Values {
            sample,
            new: NewValues::Sampled,
            sweep: sweep.map(Duration::from_secs),
        };
        let progress = swept(86_400, 0);
        let now = at(86_400);
        detection_probability_per_day(
            &values,
            INTERVAL,
            transactions,
            Readings::of(Some(&progress)),
            now,
        )
        .to_string()
    }

    #[test]
    fn the_chance_is_that_of_the_samples_of_a_day_and_of_the_sweep() {
        assert_eq!(probability(32, None, 32), "100%");
        assert_eq!(probability(32, None, 20), "100%");
        assert_eq!(probability(0, None, 1000), "0.0%");
        // 1 - (1 - 32/1e6)^288
        assert_eq!(probability(32, None, 1_000_000), "0.9%");
        assert_eq!(probability(32, None, 1_000), "over 99.9%");
        assert_eq!(probability(1, None, 1_000_000_000), "under 0.1%");
        assert_eq!(probability(0, Some(86_400), 1_000_000), "100%");
        assert_eq!(probability(0, Some(2 * 86_400), 1_000_000), "50.0%");
        assert_eq!(probability(32, None, 0), "0.0%");
    }
}
