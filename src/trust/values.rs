//! The progress of reading each database's values: the values read, due and absent.

use super::acknowledged::Acknowledged;
use super::due::{Due, DueRun, Retried};
use super::sweep::{SweepInProgress, SweepSummary, Unavailable};
use crate::clock::Timestamp;
use crate::ledger::Digest;
use crate::ranges::Ranges;

/// The maximum number of ranges of due transactions of a database: 16 KiB in memory. Beyond it neighbours are
/// joined, so that a transaction is read once too often rather than forgotten.
const MAX_DUE_RANGES: usize = 1_000;
/// The maximum number of ranges of transactions with absent values of a database. Beyond it neighbours are joined.
const MAX_ABSENT_RANGES: usize = 1_000;
/// The maximum number of ranges of broken transactions of a database. Beyond it neighbours are joined, so some are
/// read needlessly after an alarm is closed.
const MAX_BROKEN_RANGES: usize = 1_000;
/// The maximum number of ranges of completely read transactions of a database. Beyond it the shortest are
/// forgotten.
const MAX_COMPLETE_RANGES: usize = 64;
/// The maximum number of ranges of searched headers of a database. Beyond it the oldest are searched again.
const MAX_SEARCHED: usize = 8;

/// The progress of reading one database's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueProgress {
    /// The database.
    pub database: String,
    /// The begin of its history: the facts below belong to that history.
    pub since: Timestamp,
    /// All transactions that were new up to this one were read.
    pub new_to: Option<u64>,
    /// The time since when newer transactions wait to be read.
    pub behind_since: Option<Timestamp>,
    /// The time since when cycles had no time for their complete sample.
    pub cut_since: Option<Timestamp>,
    /// The transaction at which the next reading of all transactions of a cycle begins; 0: at the first.
    pub read_from: u64,
    /// Transactions read, some of them more than once.
    pub read: u64,
    /// Transactions to read again because they could not be read.
    pub due: Ranges<Due>,
    /// The due transactions whose main trees are not compared with the chain. They stay due until their trees are
    /// proven, however often their values are read.
    pub unproven_trees: Ranges,
    /// The due transaction that was retried last: those after it in the order of age come first.
    pub retried: Option<Retried>,
    /// The begin of the round of retries. Transactions that became due later wait for the next round; otherwise
    /// the oldest would never be retried again if more and more become due.
    pub round_began: Option<Timestamp>,
    /// Transactions with values that the server says it does not have, without a reason in the ledger (protocol.md
    /// §6).
    pub absent: Ranges,
    /// Transactions of these that had been read completely before.
    pub dropped: Ranges,
    /// Transactions that were found broken when they were last read.
    pub broken: Ranges,
    /// Transactions that were read completely in a run, by a sweep or as new ones.
    pub whole: Ranges,
    /// Values of these that cannot be read any more.
    pub unavailable: Unavailable,
    /// Values before this transaction were dropped, as a proven header records; 0: none.
    pub truncated_before: u64,
    /// Headers that were searched for such a record, the newest first.
    pub searched: Vec<Searched>,
    /// The current sweep.
    pub sweep: Option<SweepInProgress>,
    /// The last sweep that ended.
    pub swept: Option<SweepSummary>,
    /// The time at which a run first requested a paced sweep of this history.
    pub sweep_asked: Option<Timestamp>,
}

/// A run of proven headers that were searched for a truncation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searched {
    /// The first transaction of the run.
    pub from: u64,
    /// The last transaction.
    pub to: u64,
    /// Hash of the transaction before the first, as its header names it.
    pub before: Digest,
}

impl ValueProgress {
    /// Creates the progress of a history of which nothing was read yet.
    pub fn new(database: &str, since: Timestamp) -> ValueProgress {
        ValueProgress {
            database: database.into(),
            since,
            new_to: None,
            behind_since: None,
            cut_since: None,
            read_from: 0,
            read: 0,
            due: Ranges::new(),
            unproven_trees: Ranges::new(),
            retried: None,
            round_began: None,
            absent: Ranges::new(),
            dropped: Ranges::new(),
            broken: Ranges::new(),
            whole: Ranges::new(),
            unavailable: Unavailable::default(),
            truncated_before: 0,
            searched: Vec::new(),
            sweep: None,
            swept: None,
            sweep_asked: None,
        }
    }

    /// Returns the time since when the longest due transaction is due.
    pub fn due_since(&self) -> Option<Timestamp> {
        self.due.iter().map(|(_, _, due)| due.since).min()
    }

    /// Returns the first due transactions after this place in the order of retries, or the very first.
    pub fn due_behind(&self, place: Option<Retried>) -> Option<DueRun> {
        DueRun::behind(&self.due, place)
    }

    /// Returns the transactions with absent values that nothing explains, and those of them that had been read
    /// completely before. An acknowledgement explains transactions up to its limit, except for one that was read
    /// completely and has only been absent since then.
    pub fn unexplained(&self, acknowledged: &Acknowledged) -> (Ranges, Ranges) {
        let (mut absent, mut dropped) = (self.absent.clone(), self.dropped.clone());
        if acknowledged.since == Some(self.since) {
            let mut known = acknowledged.dropped.clone();
            known.remove_after(acknowledged.absent_to);
            dropped.subtract(&known);
            absent.remove(0, acknowledged.absent_to);
            absent.extend(&dropped);
        }
        (absent, dropped)
    }

    /// Replaces times in the future by now, because a clock that was ahead must not keep a record young forever.
    pub fn clamp_to(&mut self, now: Timestamp) {
        if self.due.iter().any(|(_, _, due)| due.since > now) {
            self.due.retag(|due| Due {
                since: due.since.min(now),
                ..due
            });
        }
        for time in [
            self.behind_since.as_mut(),
            self.cut_since.as_mut(),
            self.round_began.as_mut(),
            self.sweep_asked.as_mut(),
            self.sweep.as_mut().map(|sweep| &mut sweep.began),
        ]
        .into_iter()
        .flatten()
        {
            *time = (*time).min(now);
        }
        if let Some(swept) = &mut self.swept {
            swept.began = swept.began.min(now);
            swept.ended = swept.ended.min(now);
        }
    }

    /// Makes transactions due. A transaction that is already due keeps its time.
    pub fn make_due(&mut self, transactions: &Ranges, now: Timestamp) {
        for (first, last, ()) in transactions.iter() {
            let (since, values_only) = (now, false);
            self.due.insert(first, last, Due { since, values_only });
        }
        self.due.join_closest(MAX_DUE_RANGES, Due::join);
    }

    /// Records whose trees were compared with the chain, and whose were not.
    pub fn note_trees(&mut self, proven: &Ranges, unproven: &Ranges) {
        self.unproven_trees.subtract(proven);
        self.unproven_trees.extend(unproven);
        self.unproven_trees
            .join_closest(MAX_DUE_RANGES, |(), ()| ());
    }

    /// Records which of the transactions that were `tried` could not be read; of those in `values_only`, only the
    /// values could not. A transaction whose tree is unproven stays due. A transaction that was due before and still is
    /// keeps its time.
    pub fn note_due(
        &mut self,
        tried: &Ranges,
        unread: &Ranges,
        values_only: &Ranges,
        now: Timestamp,
    ) {
        let (mut unread, mut values_only) = (unread.clone(), values_only.clone());
        unread.extend(&self.unproven_trees);
        values_only.subtract(&self.unproven_trees);
        let before = self.due.common(&unread);
        self.due.subtract(tried);
        self.due.subtract(&unread);
        let due = |since, values_only| Due { since, values_only };
        for (these, values_only) in [(values_only, true), (unread, false)] {
            let still = before.common(&these);
            for (first, last, before) in still.iter() {
                self.due.insert(first, last, due(before.since, values_only));
            }
            for (first, last, ()) in these.iter() {
                self.due.insert(first, last, due(now, values_only));
            }
        }
        self.due.join_closest(MAX_DUE_RANGES, Due::join);
    }

    /// Records transactions whose values the server does not have.
    pub fn note_absent(&mut self, absent: &Ranges) {
        self.absent.extend(absent);
        self.dropped.extend(&self.whole.common(absent));
        self.absent.join_closest(MAX_ABSENT_RANGES, |(), ()| ());
        self.dropped.join_closest(MAX_ABSENT_RANGES, |(), ()| ());
    }

    /// Records transactions that were read completely. If the sweep in progress has passed them, they are no gap of it,
    /// unless their trees are unproven.
    pub fn note_read(&mut self, read: &Ranges) {
        if let Some(sweep) = &mut self.sweep {
            let mut read = read.clone();
            read.remove_after(sweep.at);
            read.subtract(&self.unproven_trees);
            sweep.note_read(&read);
        }
    }

    /// Records the transactions that were found broken; others that were `read` are no longer broken.
    pub fn note_broken(&mut self, read: &Ranges, broken: &Ranges) {
        self.broken.subtract(read);
        self.broken.extend(broken);
        self.broken.join_closest(MAX_BROKEN_RANGES, |(), ()| ());
    }

    /// Records transactions that were read completely; a `run` of neighbours is stored as such.
    pub fn note_complete(&mut self, whole: &Ranges, run: bool) {
        self.absent.subtract(whole);
        self.dropped.subtract(whole);
        if run {
            self.whole.extend(whole);
        }
        self.whole.keep_longest(MAX_COMPLETE_RANGES);
    }

    /// Records that a proven header contains a truncation of values before this transaction. Values that it covers
    /// are no longer due, and absent for a known reason. A transaction that is due for more than its values stays
    /// due.
    pub fn note_truncation(&mut self, before: u64) {
        if before <= self.truncated_before {
            return;
        }
        self.truncated_before = before;
        if let Some(last) = before.checked_sub(1) {
            let covered: Vec<(u64, u64)> = self
                .due
                .iter()
                .filter(|(first, _, due)| *first <= last && due.values_only)
                .map(|(first, end, _)| (first, end.min(last)))
                .collect();
            for (first, last) in covered {
                self.due.remove(first, last);
            }
            self.absent.remove(0, last);
            self.dropped.remove(0, last);
        }
    }

    /// Limits each list to this many ranges.
    pub fn bound(&mut self, most: usize) {
        self.due.join_closest(most, Due::join);
        self.unproven_trees.join_closest(most, |(), ()| ());
        self.absent.join_closest(most, |(), ()| ());
        self.dropped.join_closest(most, |(), ()| ());
        self.broken.join_closest(most, |(), ()| ());
        self.whole.keep_longest(most);
        if let Some(sweep) = &mut self.sweep {
            sweep.read.keep_longest(most);
        }
    }

    /// Records the headers that were searched, the newest first.
    pub fn note_searched(&mut self, mut searched: Vec<Searched>) {
        searched.truncate(MAX_SEARCHED);
        self.searched = searched;
    }
}

#[cfg(test)]
mod tests {
    use super::super::sweep::{MAX_READ_RANGES, SweepTrigger};
    use super::*;

    fn ranges(text: &str) -> Ranges {
        text.parse().unwrap()
    }

    fn sweep_at(at: u64, read: &str) -> ValueProgress {
        let began = Timestamp::from_unix(1_795_319_313);
        ValueProgress {
            sweep: Some(SweepInProgress {
                begun: SweepTrigger::Manual,
                began,
                at,
                hash: None,
                read: ranges(read),
                unavailable: Unavailable::default(),
                peaks: Vec::new(),
            }),
            ..ValueProgress::new("db", began)
        }
    }

    #[test]
    fn a_sweep_counts_each_transaction_once_and_none_that_it_has_not_passed() {
        let mut progress = sweep_at(50, "1-6 8-49");
        for (read, count) in [("18-21", 48), ("50-60", 49), ("7", 50), ("1-50", 50)] {
            progress.note_read(&ranges(read));
            let sweep = progress.sweep.as_ref().unwrap();
            assert_eq!(sweep.read.count(), count, "{read}");
        }
    }

    #[test]
    fn a_sweep_with_too_many_gaps_claims_too_little() {
        let mut progress = sweep_at(u64::MAX, "");
        for tx in 1..=2 * MAX_READ_RANGES as u64 {
            progress.note_read(&ranges(&format!("{}", 2 * tx)));
        }
        let sweep = progress.sweep.as_ref().unwrap();
        assert_eq!(sweep.read.count(), MAX_READ_RANGES as u64);
    }

    /// A scan or a sample reads the transaction without its tree.
    #[test]
    fn a_transaction_whose_tree_is_unproven_stays_due_and_unswept_although_it_is_read() {
        let mut progress = sweep_at(9, "1-6 8 9");
        let (none, seven) = (Ranges::new(), ranges("7"));
        let read = |progress: &mut ValueProgress| {
            progress.note_read(&seven);
            progress.note_due(&seven, &none, &none, Timestamp::from_unix(2_000_000_000));
            let swept = progress.sweep.as_ref().unwrap().read.count();
            (progress.due.count(), swept)
        };
        progress.note_trees(&none, &seven);
        assert_eq!(read(&mut progress), (1, 8));
        progress.note_trees(&seven, &none);
        assert_eq!(read(&mut progress), (0, 9));
    }
}
