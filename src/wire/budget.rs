//! A limit for the cost of decoding a response, checked before the memory is used.
//!
//! Two bytes on the wire can become an object of hundreds of bytes in memory, so a 4 MB response could take
//! hundreds of megabytes. The memory for a response is counted here first.

use super::malformed::Malformed;

/// The memory that every response may take, in bytes.
const MIN_BUDGET_BYTES: usize = 1 << 20;
/// The memory that each byte of a response may take in addition, in bytes. The shortest entries of correct servers,
/// of 40 bytes each, take 2.7 times that in memory.
const GROWTH: usize = 3;

/// The memory that decoding one response may still take.
pub(super) struct Budget {
    message: &'static str,
    left: usize,
}

impl Budget {
    /// Creates the budget for a response of this kind and length: 1 MiB, and three times its length.
    pub fn new(message: &'static str, length: usize) -> Budget {
        Budget {
            message,
            left: length
                .saturating_mul(GROWTH)
                .saturating_add(MIN_BUDGET_BYTES),
        }
    }

    /// Spends this many bytes.
    ///
    /// # Errors
    /// More than the budget has left.
    pub fn spend(&mut self, bytes: usize) -> Result<(), Malformed> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Malformed::OverBudget {
                message: self.message,
            }),
        }
    }

    /// Returns a list with a capacity of exactly this many `T`, so that it is never moved to a larger place.
    ///
    /// # Errors
    /// More than the budget has left.
    pub fn list<T>(&mut self, length: usize) -> Result<Vec<T>, Malformed> {
        self.spend(length.saturating_mul(size_of::<T>()))?;
        Ok(Vec::with_capacity(length))
    }

    /// Returns a copy of the bytes.
    ///
    /// # Errors
    /// More than the budget has left.
    pub fn copy(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        self.spend(bytes.len())?;
        Ok(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_over_the_budget_is_refused_before_decoding() {
        let mut budget = Budget::new("Tx", 1000);
        let over = Err(Malformed::OverBudget { message: "Tx" });
        assert_eq!(budget.list::<[u8; 1 << 20]>(usize::MAX >> 19), over);
        assert_eq!(budget.spend(MIN_BUDGET_BYTES + 3000), Ok(()));
        assert_eq!(
            budget.copy(&[7]),
            Err(Malformed::OverBudget { message: "Tx" })
        );
    }
}
