//! Draws the sample of a cycle: windows of consecutive transactions, by random numbers that the server cannot predict.

use std::collections::BTreeSet;

use crate::random::Random;

/// The length of a window in transactions. Each window takes one scan and one proof, so longer windows take fewer
/// calls, which are most of a sample's cost. But they find neighbouring edits less often, because more of these are in
/// one window: docs/values.md.
const MAX_WINDOW_TXS: u64 = 16;

/// Draws `count` different transactions of 1..=`last`, all with the same probability, or all transactions if there
/// are no more. They are in windows of [`MAX_WINDOW_TXS`] neighbours or one fewer. Returns the first and the last one
/// of each window, in order. `None` if the system has no randomness.
pub fn sample_windows(random: &Random, count: u64, last: u64) -> Option<Vec<(u64, u64)>> {
    let windows = count.div_ceil(MAX_WINDOW_TXS);
    if windows == 0 || last == 0 {
        return Some(Vec::new());
    }
    let Some(left_out) = last.checked_sub(count).filter(|left_out| *left_out > 0) else {
        return Some(vec![(1, last)]);
    };
    // Place the windows and the gaps between them on a circle of all transactions. Every arrangement is equally likely,
    // and the circle is turned by a random number, so every transaction has the same chance to be in a window.
    let mut borders =
        sample(random, windows - 1, left_out.saturating_add(windows - 1))?.into_iter();
    let mut first = random.below(last)? + 1;
    let (mut sampled, mut border_before) = (Vec::new(), 0);
    for window in 0..windows {
        let length = count / windows + u64::from(window < count % windows);
        let end = turned(first, length - 1, last);
        if end < first {
            sampled.extend([(first, last), (1, end)]);
        } else {
            sampled.push((first, end));
        }
        let border = borders.next().unwrap_or(border_before + 1);
        first = turned(end, border - border_before, last);
        border_before = border;
    }
    sampled.sort_unstable();
    Some(sampled)
}

/// Returns the transaction `by` places after `tx`; the first one follows the last one. `by` is at most `last`.
fn turned(tx: u64, by: u64, last: u64) -> u64 {
    match tx.checked_sub(last.saturating_sub(by)) {
        Some(further) if further > 0 => further,
        _ => tx.saturating_add(by),
    }
}

/// Draws `count` different numbers of 1..=`last`, each set of them with the same probability; all of them if there
/// are no more. `None` if the system has no randomness.
fn sample(random: &Random, count: u64, last: u64) -> Option<BTreeSet<u64>> {
    if count >= last {
        return Some((1..=last).collect());
    }
    // Floyd's algorithm: a set of `count` numbers in `count` draws
    let mut sampled = BTreeSet::new();
    for top in (last - count + 1)..=last {
        let number = random.below(top)? + 1;
        if !sampled.insert(number) {
            sampled.insert(top);
        }
    }
    Some(sampled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws a sample and checks that it has each transaction only once.
    fn sampled(random: &Random, count: u64, last: u64) -> Vec<u64> {
        let windows = sample_windows(random, count, last).unwrap();
        let sampled: Vec<u64> = windows
            .iter()
            .flat_map(|(first, end)| *first..=*end)
            .collect();
        let once: BTreeSet<u64> = sampled.iter().copied().collect();
        assert_eq!(once.len(), sampled.len(), "{windows:?}");
        assert!(once.iter().all(|tx| (1..=last).contains(tx)), "{windows:?}");
        sampled
    }

    #[test]
    fn every_transaction_is_drawn_as_often_as_any_other() {
        let random = Random::of_seed(21);
        for (count, last) in [(3, 10), (9, 10), (17, 40), (32, 33)] {
            let rounds = 20_000;
            let mut times = vec![0u64; usize::try_from(last).unwrap()];
            for _ in 0..rounds {
                let sampled = sampled(&random, count, last);
                assert_eq!(sampled.len() as u64, count);
                for tx in sampled {
                    times[usize::try_from(tx - 1).unwrap()] += 1;
                }
            }
            // five standard deviations around the expected count
            let (due, probability) = (rounds * count / last, count as f64 / last as f64);
            let off = 5.0 * (rounds as f64 * probability * (1.0 - probability)).sqrt();
            for (index, times) in times.iter().enumerate() {
                assert!(
                    (*times as f64 - due as f64).abs() < off,
                    "{} of {due}: transaction {} of {last}",
                    times,
                    index + 1
                );
            }
        }
    }

    #[test]
    fn windows_are_of_neighbours_and_lie_anywhere() {
        let random = Random::of_seed(21);
        let mut distances = BTreeSet::new();
        for _ in 0..1000 {
            let windows = sample_windows(&random, 32, 1_000_000).unwrap();
            assert!((2..=3).contains(&windows.len()), "{windows:?}"); // one window more if one continues at 1
            assert!(
                windows
                    .iter()
                    .all(|(first, end)| end - first < MAX_WINDOW_TXS)
            );
            distances.extend(windows.windows(2).map(|pair| pair[1].0 - pair[0].1));
        }
        assert!(distances.len() > 500, "{}", distances.len());
    }

    #[test]
    fn more_than_there_are_is_all_of_them() {
        let sample = |count, last| sample_windows(&Random::system(), count, last).unwrap();
        assert_eq!(sample(9, 4), [(1, 4)]);
        assert_eq!(sample(4, 4), [(1, 4)]);
        assert_eq!(sample(0, 4), []);
        assert_eq!(sample(4, 0), []);
    }

    #[test]
    fn the_largest_numbers_are_no_exception() {
        let windows = sample_windows(&Random::of_seed(7), 32, u64::MAX).unwrap();
        let sampled: u64 = windows.iter().map(|(first, end)| end - first + 1).sum();
        assert_eq!(sampled, 32);
    }
}
