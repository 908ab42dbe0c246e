//! Values that a retention dropped: believed only of a proven header that records it
//! (protocol.md §6).
//!
//! The header may lie millions of transactions behind the values that it explains. So it is searched for on
//! its own, from the trusted state back, headers alone, and the search goes on where it ended.

use std::collections::BTreeMap;

use super::reader::{Ended, Halt, Reader};
use crate::ledger::{Digest, State, TxHeader};
use crate::server::{Kind, Scanned};
use crate::trust::{Progress, Searched};
use crate::wire::Entries;

/// The furthest truncation that a proven header records, and the headers that were looked through for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truncation {
    /// Values of transactions before this one were dropped; 0: of none.
    pub before: u64,
    /// Runs of headers, each chained to a trusted state, the newest first.
    searched: Vec<Searched>,
}

/// Whether a proven header records that a transaction's values were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    Yes,
    No,
    /// The search is not over, or the server does not show the headers.
    Unknown,
}

/// How long to search before something is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// As long as the reading may take; one that comes back comes back for the rest of it.
    Whole,
    /// For [`MAX_CALLS_SHORT`]: what accuses does not wait longer.
    Short,
}

impl Truncation {
    /// Returns what earlier readings learnt.
    pub fn of(progress: &Progress) -> Truncation {
        Truncation {
            before: progress.truncated_before,
            searched: progress.searched.clone(),
        }
    }

    /// Writes down what was learnt.
    pub fn note_in(self, progress: &mut Progress) {
        progress.note_truncation(self.before);
        progress.note_searched(self.searched);
    }

    /// Takes note of a header: a proven one. It can only tell of values before its own.
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

    /// Returns the last transaction behind `down_to` whose header was not looked at, with its hash, and
    /// where the run below it ends.
    fn next(&self, trusted: &State, down_to: u64) -> Option<(u64, Digest, u64)> {
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

    /// Notes that the headers of `from..=to` were looked through.
    fn passed(&mut self, from: u64, to: u64, before: Digest) {
        self.searched.push(Searched { from, to, before });
        self.searched.sort_by_key(|run| std::cmp::Reverse(run.to));
        // a run that reaches the one below it is one with it
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

/// Headers that one call asks for.
const HEADERS: u32 = 1_000;
/// Calls that one reading spends on the search at most: so many thousand headers.
const MAX_CALLS: u32 = 1_000;
/// The same when what accuses waits for it.
const MAX_CALLS_SHORT: u32 = 64;

impl Reader<'_> {
    /// Searches the headers behind transaction `tx` for one that records that its values were dropped, as
    /// long as there is time.
    pub(super) fn is_truncated(&mut self, tx: u64, search: Search) -> Result<Recorded, Ended> {
        let whole = search == Search::Whole && self.comes_back;
        let most = match search {
            Search::Whole => MAX_CALLS,
            Search::Short => MAX_CALLS_SHORT,
        };
        loop {
            if self.truncation.covers(tx) {
                return Ok(Recorded::Yes);
            }
            let Some((last, hash, below)) = self.truncation.next(&self.trusted, tx) else {
                return Ok(Recorded::No);
            };
            match whole {
                true if !self.in_time() => return Err(Halt::Late.into()),
                false if self.searches >= most || !self.in_time() => {
                    return Ok(Recorded::Unknown);
                }
                _ => {}
            }
            self.searches += 1;
            if !self.search(last, hash, below)? {
                return Ok(Recorded::Unknown);
            }
        }
    }

    /// Looks through the headers of one call, up to `last` of this hash and down to behind `below`;
    /// returns whether the server showed any that chain.
    fn search(&mut self, last: u64, hash: Digest, below: u64) -> Result<bool, Ended> {
        let most = u64::from(self.scan.most().min(HEADERS));
        let first = last
            .saturating_sub(most.saturating_sub(1))
            .max(below.saturating_add(1));
        let limit = last.saturating_sub(first).saturating_add(1);
        let limit = u32::try_from(limit).unwrap_or(HEADERS);
        let scan = self
            .server
            .tx_scan(self.database, first, limit, Entries::Excluded)
            .and_then(Scanned::decode);
        let list = match scan {
            Ok(list) => list,
            Err(failure) if failure.kind == Kind::LimitExceeded && limit > 1 => {
                self.scan.limit_exceeded(limit);
                return Ok(true); // with fewer the next time
            }
            Err(failure) => {
                self.still_there(failure)?;
                return Ok(false);
            }
        };
        let headers: BTreeMap<u64, TxHeader> = list
            .into_iter()
            .filter_map(Result::ok)
            .map(|tx| (tx.header.id(), tx.header))
            .collect();
        let (mut due, mut from) = (hash, None);
        for id in (first..=last).rev() {
            match headers.get(&id) {
                Some(header) if header.alh() == due => {
                    self.truncation.note(header);
                    due = *header.prev_alh();
                    from = Some(id);
                }
                _ => break, // a header that does not chain proves nothing
            }
        }
        if let Some(from) = from {
            self.truncation.passed(from, last, due);
        }
        Ok(from.is_some())
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
    fn a_search_goes_on_where_it_ended_and_looks_at_new_headers_first() {
        let mut truncation = Truncation::default();
        assert_eq!(
            truncation.next(&trusted(100), 10),
            Some((100, hash(100), 10))
        );
        truncation.passed(60, 100, hash(59));
        assert_eq!(truncation.next(&trusted(100), 10), Some((59, hash(59), 10)));
        // the ledger has grown: the new ones, and no further than where the old run begins
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
