//! Which transactions a cycle draws: uniformly, by random numbers that the server cannot predict.

use std::collections::BTreeSet;

use crate::random::Random;

/// Draws `count` different transactions of 1..=`last`, each set of them as likely as any other;
/// all of them where there are no more. `None` where the system has no randomness to give.
pub fn draw(random: &Random, count: u64, last: u64) -> Option<BTreeSet<u64>> {
    if count >= last {
        return Some((1..=last).collect());
    }
    // Floyd's: a set of `count` in as many draws
    let mut drawn = BTreeSet::new();
    for top in (last - count + 1)..=last {
        let tx = random.below(top)? + 1;
        if !drawn.insert(tx) {
            drawn.insert(top);
        }
    }
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transaction_is_drawn_about_as_often_as_any_other() {
        let (rounds, mut times) = (20_000, [0u32; 10]);
        for _ in 0..rounds {
            let drawn = draw(&Random::system(), 3, 10).unwrap();
            assert_eq!(drawn.len(), 3);
            for tx in drawn {
                times[usize::try_from(tx - 1).unwrap()] += 1;
            }
        }
        // 6,000 each, standard deviation 65
        assert!(
            times.iter().all(|times| (5_500..6_500).contains(times)),
            "{times:?}"
        );
    }

    #[test]
    fn more_than_there_are_is_all_of_them() {
        let draw = |count, last| draw(&Random::system(), count, last).unwrap();
        assert_eq!(draw(9, 4), BTreeSet::from([1, 2, 3, 4]));
        assert_eq!(draw(4, 4), BTreeSet::from([1, 2, 3, 4]));
        assert_eq!(draw(0, 4), BTreeSet::new());
        assert_eq!(draw(4, 0), BTreeSet::new());
    }
}
