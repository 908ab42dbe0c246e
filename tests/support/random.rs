//! Reproducible random numbers: splitmix64 (Steele, Lea, Flood 2014), with a start value that a
//! failing test prints.

use immuaudit::ledger::Digest;

#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// Starts with `IMMUAUDIT_TEST_START` if it is set, otherwise with the test's own value, and
    /// prints it.
    pub fn new(default: u64) -> Random {
        let start = std::env::var("IMMUAUDIT_TEST_START")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default);
        println!("random numbers from IMMUAUDIT_TEST_START={start}");
        Random(start)
    }

    /// Starts with a value without printing it.
    pub fn starting_at(start: u64) -> Random {
        Random(start)
    }

    pub fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.u64() % bound
    }

    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.u64() as u8).collect()
    }

    pub fn digest(&mut self) -> Digest {
        Digest::try_from(&self.bytes(Digest::LEN)[..]).unwrap()
    }
}
