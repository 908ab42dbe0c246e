//! The main tree of a single transaction, compared with the chain by a proof. The walk of a sweep compares the trees
//! that it still knows; the others are proven here, and so are those of transactions that a sweep could not read.

use super::finding::{CorruptEntry, Corruption, UnreadReason};
use super::reader::{Ended, ReadInterrupted, Reader};
use crate::ledger::{Digest, State, TxHeader};
use crate::ranges::Ranges;
use crate::wire::Entries;

impl Reader<'_> {
    /// Reads one transaction alone, and compares its main tree with the chain.
    pub(super) fn read_with_tree(&mut self, tx: u64) -> Result<(), ReadInterrupted> {
        if let Some(header) = self.read_one(tx)?.header() {
            return self.prove_tree(&header);
        }
        if !self.report.due.contains(tx) {
            self.report.add_proven_tree(tx); // a finding
        }
        Ok(())
    }

    /// Compares the main tree of a transaction with the chain, by a proof from E, the last transaction in that tree.
    /// The proof also compares E's own tree, and shows that the transactions after E's tree are in the chain (steps 5
    /// and 7). E's tree is always the smaller one, so no server has an excuse not to prove it. Without the proof the
    /// transaction is due until its tree is proven.
    pub(super) fn prove_tree(&mut self, header: &TxHeader) -> Result<(), ReadInterrupted> {
        let (tx, size) = (header.id(), header.bl_tx_id());
        if size == 0 && *header.bl_root() == Digest::ZERO {
            self.report.add_proven_tree(tx);
            return Ok(());
        }
        if size == 0 || size >= tx {
            // a tree holds only earlier transactions
            self.report.add_proven_tree(tx);
            self.found(CorruptEntry {
                tx,
                alh: Some(header.alh()),
                entry: None,
                what: Corruption::Tree {
                    due: Digest::ZERO,
                    got: *header.bl_root(),
                },
            });
            return Ok(());
        }
        self.server.begin_transcript();
        let state = State {
            tx,
            hash: header.alh(),
        };
        match self.prove_membership_in(size, &state, Entries::Excluded) {
            Ok(Ok(_)) => self.report.add_proven_tree(tx),
            Ok(Err(failure)) => self.tree_is_unproven(tx, UnreadReason::of_failure(failure)),
            Err(Ended::Interrupted(interrupted)) => {
                self.tree_is_unproven(tx, UnreadReason::Slow);
                return Err(interrupted);
            }
            Err(Ended::Unread(why)) => self.tree_is_unproven(tx, why),
            Err(ended) => {
                // a finding
                self.report.add_proven_tree(tx);
                self.settle(size, None, ended)?;
            }
        }
        Ok(())
    }

    /// Makes a transaction due whose tree is not proven.
    pub(super) fn tree_is_unproven(&mut self, tx: u64, why: UnreadReason) {
        self.report.add_unread(tx, why);
        self.report.add_unproven_tree(tx);
    }
}

/// Returns the last transaction of the run from `next` up to `last` that is before the first one in `trees`, which is
/// read alone. `next` itself is not in `trees`.
pub(super) fn last_before_any(trees: &Ranges, next: u64, last: u64) -> u64 {
    let first = trees
        .iter()
        .map(|(first, _, ())| first)
        .find(|first| *first > next);
    first.map_or(last, |first| last.min(first.saturating_sub(1)))
}
