//! Proofs over RFC 6962-shaped trees, with the strict lengths of protocol.md §4.
//!
//! Leaves count from 1 here, as transactions do. A correct server always sends exactly the number of terms that
//! the two sizes determine, so any other number is malformed before anything is hashed.

use super::digest::{Digest, Term};
use super::refusal::{At, Reason, Refusal};

/// A tree of `size` leaves and its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Number of leaves.
    pub size: u64,
    /// Root hash.
    pub root: Digest,
}

/// The side of the running hash on which a term of an audit path is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The path from a leaf up to the root (RFC 9162 §2.1.3.2 without its hashes): yields the side of each term. It
/// has at most 64 levels.
#[derive(Clone)]
struct Path {
    node: u64,
    last: u64,
}

impl Path {
    /// Starts at the leaf with index `node` (from 0) in a tree whose last leaf has index `last`.
    fn new(node: u64, last: u64) -> Path {
        Path { node, last }
    }

    /// Starts at the first node of a consistency proof: the largest complete subtree at the end of the old tree
    /// (RFC 9162 §2.1.4.2, step 3). `node` and `last` are the indices of the last leaves of the old and the new tree.
    fn from_old_tree(mut node: u64, mut last: u64) -> Path {
        while node & 1 == 1 {
            node >>= 1;
            last >>= 1;
        }
        Path { node, last }
    }

    fn length(&self) -> u64 {
        self.clone()
            .fold(0, |count: u64, _| count.saturating_add(1))
    }
}

impl Iterator for Path {
    type Item = Side;

    fn next(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // an odd node at the end of a level moves up unchanged
            while self.node & 1 == 0 && self.node != 0 {
                self.node >>= 1;
                self.last >>= 1;
            }
            Side::Left
        } else {
            Side::Right
        };
        self.node >>= 1;
        self.last >>= 1;
        Some(side)
    }
}

/// An inclusion proof with a correct form: as many digests as position and size determine.
pub(super) struct Inclusion {
    at: At,
    what: &'static str,
    path: Path,
    terms: Vec<Digest>,
}

impl Inclusion {
    /// Checks the form of a proof that leaf `position` (from 1) is in a tree of `size` leaves
    /// (protocol.md §4, *inclusion*).
    pub fn new(
        at: At,
        what: &'static str,
        position: u64,
        size: u64,
        terms: &[Term],
    ) -> Result<Inclusion, Refusal> {
        let (Some(index), Some(last)) = (position.checked_sub(1), size.checked_sub(1)) else {
            return at.refuse(Reason::Absent("leaf in an empty tree"));
        };
        if index > last {
            return at.refuse(Reason::Range {
                what: "a leaf's position",
                value: i128::from(position),
            });
        }
        let path = Path::new(index, last);
        let terms = at.digests(what, path.length(), terms)?;
        Ok(Inclusion {
            at,
            what,
            path,
            terms,
        })
    }

    /// Verifies that the leaf over `data` leads to `root` (RFC 9162 §2.1.3.2). The hashed bytes of leaves and of
    /// inner nodes differ in the first byte, so no inner node is accepted as a transaction.
    pub fn verify(self, data: &Digest, root: &Digest) -> Result<(), Refusal> {
        let leaf = Digest::leaf(data);
        let got = self
            .path
            .zip(&self.terms)
            .fold(leaf, |hash, (side, term)| match side {
                Side::Left => Digest::node(term, &hash),
                Side::Right => Digest::node(&hash, term),
            });
        self.at.same(self.what, root, &got)
    }
}

/// Verifies that `new` extends `old` (protocol.md §4, *consistency*; RFC 9162 §2.1.4.2, except that the first term
/// is always the start node). The caller ensures `0 < old.size <= new.size`.
pub(super) fn verify_consistency(
    at: At,
    old: &Tree,
    new: &Tree,
    terms: &[Term],
) -> Result<(), Refusal> {
    let what = "consistency terms";
    if old.size == new.size {
        return verify_same_tree(at, old, new, terms);
    }
    let path = Path::from_old_tree(old.size.saturating_sub(1), new.size.saturating_sub(1));
    let terms = at.digests(what, path.length().saturating_add(1), terms)?;
    let Some((start, rest)) = terms.split_first() else {
        return at.refuse(Reason::Absent(what));
    };
    let (old_root, new_root) = path
        .zip(rest)
        .fold((*start, *start), |(old, new), (side, term)| match side {
            Side::Left => (Digest::node(term, &old), Digest::node(term, &new)),
            Side::Right => (old, Digest::node(&new, term)),
        });
    at.same("the source's tree root", &old.root, &old_root)?;
    at.same("the target's tree root", &new.root, &new_root)
}

/// Verifies that trees of the same size are the same tree. Servers send the root's two children, the right one
/// first, and nothing if there is only one leaf (protocol.md §4, *consistency*, i = j).
fn verify_same_tree(at: At, old: &Tree, new: &Tree, terms: &[Term]) -> Result<(), Refusal> {
    let due = if new.size > 1 { 2 } else { 0 };
    let terms = at.digests("consistency terms", due, terms)?;
    at.same("the target's tree root", &old.root, &new.root)?;
    match terms.as_slice() {
        [right, left] => at.same("the tree's root", &new.root, &Digest::node(left, right)),
        _ => Ok(()),
    }
}

/// A tree that grows leaf by leaf, in logarithmic memory.
///
/// Used for the entries of a transaction (protocol.md §3, *eH*) and for the main tree.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees from left to right: one per bit set in `size`.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// Creates a tree without leaves.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// Restores a frontier from [`Frontier::peaks`]; `None` if `size` requires another number of peaks.
    pub fn restore(size: u64, peaks: Vec<Digest>) -> Option<Frontier> {
        (u64::from(size.count_ones()) == u64::try_from(peaks.len()).ok()?)
            .then_some(Frontier { size, peaks })
    }

    /// Appends the leaf over `data`.
    pub fn push(&mut self, data: &Digest) {
        let mut hash = Digest::leaf(data);
        let mut full = self.size;
        while full & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = Digest::node(&left, &hash);
            }
            full >>= 1;
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the roots of the complete subtrees, from left to right.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Returns the root; `None` if there is no leaf.
    pub fn root(&self) -> Option<Digest> {
        let (last, rest) = self.peaks.split_last()?;
        Some(
            rest.iter()
                .rev()
                .fold(*last, |right, left| Digest::node(left, &right)),
        )
    }
}
