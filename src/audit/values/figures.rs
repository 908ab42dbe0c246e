//! How much is read, in the one figure that counts: the chance that an edit is found.

use std::fmt;
use std::time::Duration;

use crate::config::Values;

/// A probability, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Chance(pub f64);

const DAY: f64 = 86_400.0;

/// The chance that an edit of one random value among `transactions` is found within a day of
/// running, by the sample of each `interval` and by the sweep.
pub fn chance_per_day(values: &Values, interval: Duration, transactions: u64) -> Chance {
    if transactions == 0 {
        return Chance(0.0);
    }
    #[allow(clippy::cast_precision_loss)] // a figure for people
    let drawn = (values.sample as f64 / transactions as f64).min(1.0);
    let cycles = DAY / interval.as_secs_f64().max(0.001);
    let unseen_by_samples = (1.0 - drawn).powf(cycles);
    let swept = values.sweep.map_or(0.0, |period| {
        (DAY / period.as_secs_f64().max(0.001)).min(1.0)
    });
    Chance(1.0 - unseen_by_samples * (1.0 - swept))
}

/// As a percentage that never promises more than there is.
impl fmt::Display for Chance {
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

    fn chance(sample: u64, sweep: Option<u64>, transactions: u64) -> String {
        let values = Values {
            sample,
            new: NewValues::Sampled,
            sweep: sweep.map(Duration::from_secs),
        };
        chance_per_day(&values, Duration::from_secs(300), transactions).to_string()
    }

    #[test]
    fn the_chance_is_that_of_the_samples_of_a_day_and_of_the_sweep() {
        assert_eq!(chance(32, None, 32), "100%");
        assert_eq!(chance(32, None, 20), "100%");
        assert_eq!(chance(0, None, 1000), "0.0%");
        // 1 - (1 - 32/1e6)^288
        assert_eq!(chance(32, None, 1_000_000), "0.9%");
        assert_eq!(chance(32, None, 1_000), "over 99.9%");
        assert_eq!(chance(1, None, 1_000_000_000), "under 0.1%");
        assert_eq!(chance(0, Some(86_400), 1_000_000), "100%");
        assert_eq!(chance(0, Some(2 * 86_400), 1_000_000), "50.0%");
        assert_eq!(chance(32, None, 0), "0.0%");
    }
}
