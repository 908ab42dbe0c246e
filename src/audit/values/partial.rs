//! Partly read transactions: their values are requested by key, and there was no time for all. The next reading
//! continues at the entry that the last one reached.

use super::finding::UnreadReason;
use crate::ledger::{Digest, TxHeader};
use crate::trust::Unavailable;

/// The number of partly read transactions that are remembered of a database. Each is retried in turn, so a few are
/// enough. If there are more, the first ones are completed first, and the others begin again until then.
const MAX_PARTIAL: usize = 16;

/// The progress of reading the values of one transaction by key.
#[derive(Clone, Debug)]
pub(super) struct Partial {
    tx: u64,
    /// The hash of the proven header. If another header is proven later, the reading begins with the first entry.
    alh: Digest,
    /// The next entry to read, counted from 0.
    pub next: usize,
    /// Values that cannot be read any more.
    pub unavailable: Unavailable,
    /// Values that the server does not have.
    pub absent: u64,
    /// Whether a corrupt value was found, which is already recorded.
    pub broken: bool,
    /// The reason why a value did not come.
    pub withheld: Option<UnreadReason>,
}

impl Partial {
    /// Creates the progress of a transaction of which nothing is read.
    fn new(tx: u64, alh: Digest) -> Partial {
        Partial {
            tx,
            alh,
            next: 0,
            unavailable: Unavailable::default(),
            absent: 0,
            broken: false,
            withheld: None,
        }
    }
}

/// The transactions of a database that were read in part.
#[derive(Clone, Debug, Default)]
pub struct Partials(Vec<Partial>);

impl Partials {
    /// Takes the remembered progress of a transaction, or a new one.
    pub(super) fn take(&mut self, header: &TxHeader) -> Partial {
        self.take_of(header.id(), header.alh())
    }

    fn take_of(&mut self, tx: u64, alh: Digest) -> Partial {
        let known = self.0.iter().position(|partial| partial.tx == tx);
        let known = known.map(|at| self.0.remove(at));
        let known = known.filter(|partial| partial.alh == alh);
        known.unwrap_or_else(|| Partial::new(tx, alh))
    }

    /// Remembers the progress of a transaction, unless nothing of it was read, or `MAX_PARTIAL` transactions are
    /// remembered already.
    pub(super) fn keep(&mut self, partial: Partial) {
        if self.0.len() < MAX_PARTIAL && partial.next > 0 {
            self.0.push(partial);
        }
    }

    /// Returns the number of entries that were reached, of all remembered transactions.
    pub(super) fn reached(&self) -> usize {
        self.0.iter().map(|partial| partial.next).sum()
    }

    /// Forgets the transactions that are no longer due.
    pub(super) fn retain(&mut self, is_due: impl Fn(u64) -> bool) {
        self.0.retain(|partial| is_due(partial.tx));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tx: u64, alh: Digest, next: usize) -> Partial {
        Partial {
            next,
            ..Partial::new(tx, alh)
        }
    }

    #[test]
    fn a_partial_reading_continues_only_in_the_same_history() {
        let (one, other) = (Digest::of(&[b"1"]), Digest::of(&[b"2"]));
        let mut partials = Partials::default();
        partials.keep(at(5, one, 7));
        partials.keep(at(6, one, 8));
        assert_eq!(partials.take_of(6, one).next, 8);
        assert_eq!(partials.take_of(6, one).next, 0);
        assert_eq!(partials.take_of(5, other).next, 0);
        assert_eq!(partials.take_of(5, one).next, 0);
    }

    #[test]
    fn the_first_ones_are_remembered_until_they_are_no_longer_due() {
        let alh = Digest::of(&[b"1"]);
        let mut partials = Partials::default();
        for tx in 1..=100 {
            partials.keep(at(tx, alh, 1));
        }
        assert_eq!(partials.0.len(), MAX_PARTIAL);
        assert_eq!(partials.take_of(1, alh).next, 1);
        partials.retain(|tx| tx == 2);
        assert_eq!(partials.0.len(), 1);
        assert_eq!(partials.take_of(2, alh).next, 1);
    }
}
