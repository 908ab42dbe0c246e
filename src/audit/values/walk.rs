//! The walk of a sweep. It rebuilds chain and main tree from the headers, in logarithmic memory. So it finds a
//! transaction that is in only one of them (protocol.md §3, *The main tree*).

use std::collections::VecDeque;

use super::finding::Corruption;
use crate::ledger::{Digest, Frontier, TxHeader};

/// The number of roots of the last trees that are remembered, for headers that name the root of an older tree.
const MAX_REMEMBERED_ROOTS: usize = 1_024;

/// The position of a walk that begins at the first transaction.
#[derive(Clone, Debug)]
pub struct Walk {
    at: u64,
    hash: Option<Digest>,
    /// The main tree; `None` after a transaction whose hash is not known.
    tree: Option<Frontier>,
    /// The roots of the last trees, the newest one last.
    roots: VecDeque<Digest>,
}

/// The relation of a header to the passed transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The transaction chains, and its tree matches the chain.
    Follows,
    /// The transaction chains, and the root of its tree is no longer known.
    TreeUnknown,
    /// The transaction contradicts the passed transactions.
    Broken(Corruption),
}

impl Default for Walk {
    fn default() -> Walk {
        Walk::restore(0, Some(Digest::OF_NOTHING), Vec::new())
    }
}

impl Walk {
    /// Restores a walk that has passed transaction `at` with this hash, from the peaks of the main tree.
    pub fn restore(at: u64, hash: Option<Digest>, peaks: Vec<Digest>) -> Walk {
        let size = match hash {
            Some(_) => at,
            None => at.saturating_sub(1), // a transaction without a known hash is not in the tree yet
        };
        let tree = Frontier::restore(size, peaks);
        let root = tree.as_ref().and_then(Frontier::root);
        Walk {
            at,
            hash,
            roots: root.into_iter().collect(),
            tree,
        }
    }

    /// Returns the last transaction that was passed.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Returns the hash of the last transaction, if it is known.
    pub fn hash(&self) -> Option<Digest> {
        self.hash
    }

    /// Returns the peaks of the main tree over the passed transactions.
    pub fn peaks(&self) -> Vec<Digest> {
        let tree = self.tree.as_ref();
        tree.map_or_else(Vec::new, |tree| tree.peaks().to_vec())
    }

    /// Passes the next transaction, by its proven header.
    pub fn pass(&mut self, header: &TxHeader) -> Step {
        let step = self.fits(header);
        self.take(header);
        step
    }

    /// Adds the next transaction, after [`Self::fits`].
    pub(super) fn take(&mut self, header: &TxHeader) {
        self.learn(*header.prev_alh());
        self.push(header.alh());
    }

    /// Passes the next transaction, about which nothing is known.
    pub fn skip(&mut self) {
        if self.hash.is_none() && self.at > 0 {
            self.tree = None;
        }
        self.hash = None;
        self.at = self.at.saturating_add(1);
    }

    /// Sets the hash of the last transaction, which the next transaction names.
    fn learn(&mut self, hash: Digest) {
        if self.hash.is_none() {
            self.hash = Some(hash);
            self.grow(&hash);
        }
    }

    fn push(&mut self, alh: Digest) {
        self.at = self.at.saturating_add(1);
        self.hash = Some(alh);
        self.grow(&alh);
    }

    fn grow(&mut self, alh: &Digest) {
        let Some(tree) = &mut self.tree else { return };
        tree.push(alh);
        if tree.size() != self.at {
            self.tree = None; // the hash of an earlier transaction is not known
            return;
        }
        self.roots.extend(tree.root());
        if self.roots.len() > MAX_REMEMBERED_ROOTS {
            self.roots.pop_front();
        }
    }

    /// Compares the next transaction with the passed ones, without passing it.
    pub(super) fn fits(&mut self, header: &TxHeader) -> Step {
        let due = *header.prev_alh();
        match self.hash {
            Some(got) if got != due => return Step::Broken(Corruption::Chain { due, got }),
            Some(_) => {}
            None => self.learn(due),
        }
        let got = *header.bl_root();
        match header.bl_tx_id() {
            0 if got == Digest::ZERO => Step::Follows,
            0 => Step::Broken(Corruption::Tree {
                due: Digest::ZERO,
                got,
            }),
            // a tree holds only earlier transactions
            size if size > self.at => Step::Broken(Corruption::Tree {
                due: self.root_of(self.at).unwrap_or(Digest::ZERO),
                got,
            }),
            size => match self.root_of(size) {
                Some(due) if due == got => Step::Follows,
                Some(due) => Step::Broken(Corruption::Tree { due, got }),
                None => Step::TreeUnknown,
            },
        }
    }

    fn root_of(&self, size: u64) -> Option<Digest> {
        self.tree.as_ref()?;
        let back = usize::try_from(self.at.checked_sub(size)?).ok()?;
        let index = self.roots.len().checked_sub(back)?.checked_sub(1)?;
        self.roots.get(index).copied()
    }
}
