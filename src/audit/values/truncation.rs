//! Values that a retention dropped: only a proven header that records this is accepted (protocol.md §6).
//!
//! The header may be millions of transactions after the values that it explains. It is therefore searched for
//! separately, from the trusted state back and in headers alone. The search continues where it ended.

use crate::ledger::{Digest, State, TxHeader};
use crate::trust::{Searched, ValueProgress};

/// The furthest truncation that a proven header records, and the headers that were searched for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truncation {
    /// The first transaction whose values were not dropped; 0 if no truncation is known.
    pub before: u64,
    /// Runs of headers, each chained to a trusted state, the newest first.
    searched: Vec<Searched>,
}

impl Truncation {
    /// Returns the truncation that earlier readings found.
    pub fn of(progress: &ValueProgress) -> Truncation {
        Truncation {
            before: progress.truncated_before,
            searched: progress.searched.clone(),
        }
    }

    /// Stores the truncation in the progress.
    pub fn note_in(self, progress: &mut ValueProgress) {
        progress.note_truncation(self.before);
        progress.note_searched(self.searched);
    }

    /// Records a proven header. It can only concern values before its own.
    pub(super) fn note(&mut self, header: &TxHeader) {
        let before = header
            .metadata()
            .map_or(0, |metadata| metadata.truncated_tx_id);
        self.before = self.before.max(before.min(header.id()));
    }

    /// Returns whether the values of a transaction were dropped, as far as is known.
    pub(super) fn covers(&self, tx: u64) -> bool {
        tx < self.before
    }

    /// Returns the last transaction after `down_to` whose header was not searched, with its hash and the end of the
    /// run below it.
    pub(super) fn next(&self, trusted: &State, down_to: u64) -> Option<(u64, Digest, u64)> {
        let (mut at, mut hash, mut below) = (trusted.tx, trusted.hash, 0);
        for run in &self.searched {
            if run.to == at {
                (at, hash) = (run.from.saturating_sub(1), run.before);
            } else if run.to < at {
                below = run.to;
                break;
            }
        }
        (at > down_to).then_some((at, hash, below.max(down_to)))
    }

    /// Records that the headers of `from..=to` were searched.
    pub(super) fn passed(&mut self, from: u64, to: u64, before: Digest) {
        self.searched.push(Searched { from, to, before });
        self.searched.sort_by_key(|run| std::cmp::Reverse(run.to));
        // joins adjacent runs
        let mut joined: Vec<Searched> = Vec::with_capacity(self.searched.len());
        for run in self.searched.drain(..) {
            match joined.last_mut() {
                Some(above) if above.from == run.to.saturating_add(1) => {
                    (above.from, above.before) = (run.from, run.before);
                }
                _ => joined.push(run),
            }
        }
        self.searched = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> Digest {
        Digest::of(&[&number.to_be_bytes()])
    }

    fn trusted(tx: u64) -> State {
        State { tx, hash: hash(tx) }
    }

    #[test]
    fn a_search_continues_and_reads_new_headers_first() {
        let mut truncation = Truncation::default();
        assert_eq!(
            truncation.next(&trusted(100), 10),
            Some((100, hash(100), 10))
        );
        truncation.passed(60, 100, hash(59));
        assert_eq!(truncation.next(&trusted(100), 10), Some((59, hash(59), 10)));
        // the ledger has grown: search the new transactions, down to the begin of the old run
        assert_eq!(
            truncation.next(&trusted(130), 10),
            Some((130, hash(130), 100))
        );
        truncation.passed(110, 130, hash(109));
        assert_eq!(
            truncation.next(&trusted(130), 10),
            Some((109, hash(109), 100))
        );
        truncation.passed(101, 109, hash(100));
        assert_eq!(truncation.next(&trusted(130), 10), Some((59, hash(59), 10)));
        assert_eq!(truncation.searched.len(), 1);
        truncation.passed(11, 59, hash(10));
        assert_eq!(truncation.next(&trusted(130), 10), None);
        assert_eq!(truncation.next(&trusted(130), 4), Some((10, hash(10), 4)));
        assert_eq!(truncation.next(&trusted(130), 130), None);
    }
}
