//! Random numbers: the system's, or those of a seed, so that a test draws the same ones again. Keys and signatures
//! always have the system's randomness; only numbers that a test may predict are drawn here.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom, SystemRandom};

/// A source of random numbers. Clones of a seeded source continue the same sequence.
#[derive(Clone, Debug, Default)]
pub struct Random {
    /// The seed; absent for the system's random numbers.
    seeded: Option<Arc<Seeded>>,
}

#[derive(Debug)]
struct Seeded {
    seed: u64,
    /// Blocks drawn so far.
    blocks: AtomicU64,
}

impl Random {
    /// Returns the system's random numbers, which cannot be predicted.
    pub fn system() -> Random {
        Random::default()
    }

    /// Returns the random numbers of a seed: the same numbers for the same seed, on every machine.
    pub fn of_seed(seed: u64) -> Random {
        let blocks = AtomicU64::new(0);
        Random {
            seeded: Some(Arc::new(Seeded { seed, blocks })),
        }
    }

    /// Fills `bytes`; `None` if the system has no randomness.
    pub fn fill(&self, bytes: &mut [u8]) -> Option<()> {
        match &self.seeded {
            None => SystemRandom::new().fill(bytes).ok(),
            Some(seeded) => {
                for (byte, drawn) in bytes.iter_mut().zip(seeded.bytes()) {
                    *byte = drawn;
                }
                Some(())
            }
        }
    }

    /// Draws a number below `bound`, each with the same probability; `None` if there is none, or if the system has
    /// no randomness.
    pub fn below(&self, bound: u64) -> Option<u64> {
        // numbers from the last multiple of the bound on are drawn again, because they would favour small results
        let whole = u64::MAX - u64::MAX.checked_rem(bound)?;
        loop {
            let mut bytes = [0; 8];
            self.fill(&mut bytes)?;
            let number = u64::from_le_bytes(bytes);
            if number < whole {
                return number.checked_rem(bound);
            }
        }
    }

    /// Draws a word of this many lower-case letters and digits, in the form of an identity. Without randomness it
    /// consists of zeros, because it is a name and not a secret.
    pub fn word(&self, length: usize) -> String {
        const DIGITS: &str = "0123456789abcdefghijklmnopqrstuv";
        let mut bytes = vec![0; length];
        let _ = self.fill(&mut bytes);
        let digit = |byte: u8| DIGITS.chars().nth(usize::from(byte % 32));
        bytes.into_iter().filter_map(digit).collect()
    }
}

impl Seeded {
    /// Returns random bytes: SHA-256 over the seed and a block number, one block after the other.
    fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        std::iter::repeat_with(|| {
            let block = self.blocks.fetch_add(1, Ordering::Relaxed);
            let mut context = Context::new(&SHA256);
            context.update(&self.seed.to_le_bytes());
            context.update(&block.to_le_bytes());
            context.finish()
        })
        .flat_map(|digest| digest.as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(random: &Random) -> Vec<u64> {
        (0..100).map(|_| random.below(1000).unwrap()).collect()
    }

    #[test]
    fn a_seed_draws_the_same_numbers_each_time_and_another_seed_others() {
        let [first, again, other] = [1, 1, 2].map(|seed| drawn(&Random::of_seed(seed)));
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_eq!(first[..4], [252, 33, 900, 30], "SHA-256 of seed and count");
    }

    #[test]
    fn clones_of_a_seeded_one_never_draw_the_same_numbers() {
        let random = Random::of_seed(1);
        let clone = random.clone();
        assert_ne!(drawn(&random), drawn(&clone));
    }

    #[test]
    fn numbers_below_a_bound_are_drawn_alike() {
        for random in [Random::system(), Random::of_seed(7)] {
            let mut times = [0u32; 10];
            for _ in 0..20_000 {
                times[usize::try_from(random.below(10).unwrap()).unwrap()] += 1;
            }
            // 2,000 each, standard deviation 42
            assert!(
                times.iter().all(|times| (1_750..2_250).contains(times)),
                "{times:?}"
            );
            assert_eq!(random.below(1), Some(0));
            assert_eq!(random.below(0), None);
        }
    }
}
