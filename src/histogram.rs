//! A histogram of durations, with buckets as in Prometheus.

#![forbid(unsafe_code)]

use std::time::Duration;

/// Durations counted by upper bounds, in seconds and ascending. A duration above all bounds is in no bucket.
#[derive(Clone, Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: Duration,
    count: u64,
}

impl Histogram {
    /// Creates an empty histogram with these bounds.
    pub fn new(bounds: &'static [f64]) -> Histogram {
        Histogram {
            bounds,
            counts: vec![0; bounds.len()],
            sum: Duration::ZERO,
            count: 0,
        }
    }

    /// Counts a duration.
    pub fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.sum = self.sum.saturating_add(duration);
        self.count += 1;
        let bucket = self.bounds.iter().position(|bound| seconds <= *bound);
        if let Some(count) = bucket.and_then(|bucket| self.counts.get_mut(bucket)) {
            *count += 1;
        }
    }

    /// Returns each bound with the number of durations that are not above it.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut below = 0;
        self.bounds
            .iter()
            .zip(&self.counts)
            .map(move |(bound, count)| {
                below += count;
                (*bound, below)
            })
    }

    /// Returns the sum of all durations in seconds.
    pub fn sum(&self) -> f64 {
        self.sum.as_secs_f64()
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_all_that_is_not_above_its_bound() {
        let mut histogram = Histogram::new(&[0.01, 0.1]);
        for millis in [1, 10, 50, 5000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets, [(0.01, 2), (0.1, 3)]);
        assert_eq!((histogram.count(), histogram.sum()), (4, 5.061));
    }
}
