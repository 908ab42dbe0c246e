//! Transactions whose values are asked for by key and for which the time ended: the reading goes on at the entry that
//! it came to.

use super::finding::Why;
use crate::ledger::{Digest, TxHeader};
use crate::trust::Unavailable;

/// Transactions of a database that are remembered as read in part. When there are more, the first ones are read to
/// their end first.
const MAX_PARTIAL: usize = 16;

/// How far the values of one transaction were read by key.
#[derive(Clone, Debug)]
pub(super) struct Partial {
    tx: u64,
    /// Hash of the proven header: the entries of another one are read from the first on.
    alh: Digest,
    /// The entry to go on with, counted from 0.
    pub next: usize,
    /// Values that cannot be read any more.
    pub unavailable: Unavailable,
    /// Values that the server does not have.
    pub absent: u64,
    /// Whether a value was found to be broken. Its finding is recorded.
    pub broken: bool,
    /// Why a value did not come.
    pub withheld: Option<Why>,
}

/// The transactions of a database that were read in part.
#[derive(Clone, Debug, Default)]
pub struct Partials(Vec<Partial>);

impl Partials {
    /// Takes what is remembered of a transaction, or the beginning.
    pub(super) fn take(&mut self, header: &TxHeader) -> Partial {
        let (tx, alh) = (header.id(), header.alh());
        let known = self.0.iter().position(|partial| partial.tx == tx);
        let known = known.map(|at| self.0.remove(at));
        let known = known.filter(|partial| partial.alh == alh);
        known.unwrap_or(Partial {
            tx,
            alh,
            next: 0,
            unavailable: Unavailable::default(),
            absent: 0,
            broken: false,
            withheld: None,
        })
    }

    /// Remembers how far a transaction was read, if there is room.
    pub(super) fn keep(&mut self, partial: Partial) {
        if self.0.len() < MAX_PARTIAL && partial.next > 0 {
            self.0.push(partial);
        }
    }

    /// Forgets the transactions that are not to be read again.
    pub(super) fn retain(&mut self, is_due: impl Fn(u64) -> bool) {
        self.0.retain(|partial| is_due(partial.tx));
    }
}
