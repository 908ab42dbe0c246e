//! A tree that can prove its content: the honest counterpart of `ledger`'s verification, in the forms of
//! protocol.md §4 (*Tree proofs*). Leaves count from 1.

use crate::ledger::Digest;

/// An RFC 6962-shaped tree that stores every complete subtree's root.
#[derive(Clone, Debug, Default)]
pub struct MerkleTree {
    /// `levels[k][i]`: root over the 2^k leaves from index `i * 2^k` on.
    levels: Vec<Vec<Digest>>,
}

impl MerkleTree {
    /// Builds a tree over the leaves of these data.
    pub fn over(data: impl IntoIterator<Item = Digest>) -> MerkleTree {
        let mut tree = MerkleTree::default();
        for data in data {
            tree.push(&data);
        }
        tree
    }

    /// Appends the leaf over `data`.
    pub fn push(&mut self, data: &Digest) {
        let mut hash = Digest::leaf(data);
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(hash);
            let [.., left, right] = nodes.as_slice() else {
                return;
            };
            if nodes.len() % 2 == 1 {
                return;
            }
            hash = Digest::node(left, right);
            level += 1;
        }
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Returns the root over the first `size` leaves; for no leaves 32 zero bytes, as in headers (protocol.md §3).
    /// A size past the tree's own counts as the tree's size.
    pub fn root(&self, size: u64) -> Digest {
        match size.min(self.size()) {
            0 => Digest::ZERO,
            size => self.node(0, size),
        }
    }

    /// Returns the terms that prove leaf `position` in the tree of the first `size` leaves (RFC 9162 §2.1.3.1);
    /// none if the leaf is not in it.
    pub fn inclusion(&self, position: u64, size: u64) -> Vec<Digest> {
        let mut terms = Vec::new();
        if (1..=size).contains(&position) && size <= self.size() {
            self.path(position - 1, 0, size, &mut terms);
        }
        terms
    }

    /// Returns the terms that prove that the first `new` leaves extend the first `old` ones: as RFC 9162 §2.1.4.1,
    /// but the first term is always the start node. For a tree and itself, the terms are the root's two children,
    /// the right one first (protocol.md §4).
    pub fn consistency(&self, old: u64, new: u64) -> Vec<Digest> {
        let mut terms = Vec::new();
        if old == 0 || old > new || new > self.size() {
            return terms;
        }
        if old < new {
            self.subproof(old, 0, new, &mut terms);
        } else if new > 1 {
            let split = largest_power_below(new);
            terms.push(self.node(split, new));
            terms.push(self.node(0, split));
        }
        terms
    }

    /// Returns the root over leaves `from..to` (indices from 0), which start a subtree of their own.
    fn node(&self, from: u64, to: u64) -> Digest {
        let width = to - from;
        if width.is_power_of_two() {
            let level = width.trailing_zeros();
            return self.levels[level as usize][(from >> level) as usize];
        }
        let split = from + largest_power_below(width);
        Digest::node(&self.node(from, split), &self.node(split, to))
    }

    fn path(&self, leaf: u64, from: u64, to: u64, terms: &mut Vec<Digest>) {
        if to - from == 1 {
            return;
        }
        let split = from + largest_power_below(to - from);
        if leaf < split {
            self.path(leaf, from, split, terms);
            terms.push(self.node(split, to));
        } else {
            self.path(leaf, split, to, terms);
            terms.push(self.node(from, split));
        }
    }

    fn subproof(&self, old: u64, from: u64, to: u64, terms: &mut Vec<Digest>) {
        if old == to {
            terms.push(self.node(from, to));
            return;
        }
        let split = from + largest_power_below(to - from);
        if old <= split {
            self.subproof(old, from, split, terms);
            terms.push(self.node(split, to));
        } else {
            self.subproof(old, split, to, terms);
            terms.push(self.node(from, split));
        }
    }
}

/// Returns the largest power of two below `n`, at which a tree of `n` > 1 leaves is split (RFC 9162 §2.1.1).
fn largest_power_below(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Frontier;

    fn data(i: u64) -> Digest {
        Digest::of(&[&i.to_be_bytes()])
    }

    fn joined(terms: &[Digest]) -> (usize, Digest) {
        let bytes: Vec<&[u8]> = terms.iter().map(|t| &t.as_bytes()[..]).collect();
        (terms.len(), Digest::of(&bytes))
    }

    #[test]
    fn roots_are_those_of_the_frontier() {
        let tree = MerkleTree::over((1..=200).map(data));
        let mut frontier = Frontier::new();
        assert_eq!(tree.root(0), Digest::ZERO);
        for size in 1..=200 {
            frontier.push(&data(size));
            assert_eq!(Some(tree.root(size)), frontier.root(), "{size}");
        }
    }

    #[test]
    fn roots_and_proofs_are_those_of_a_real_server() {
        let tree = MerkleTree::over((1..=70).map(data));
        let text = include_str!("../../tests/vectors/tree.txt");
        let mut seen = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |i: usize| words[i].parse::<u64>().unwrap();
            let proof = match words[0] {
                "root" => {
                    assert_eq!(tree.root(number(1)).to_string(), words[2], "{line}");
                    seen += 1;
                    continue;
                }
                "inclusion" => tree.inclusion(number(1), number(2)),
                "consistency" => tree.consistency(number(1), number(2)),
                other => panic!("{other}"),
            };
            let (count, hash) = joined(&proof);
            assert_eq!(count as u64, number(3), "{line}");
            if count > 0 {
                assert_eq!(hash.to_string(), words[4], "{line}");
            }
            seen += 1;
        }
        assert!(seen > 2000, "{seen}");
    }
}
