//! The results of reading some transactions.

use std::fmt;

use super::finding::{CorruptEntry, Unread, UnreadReason};
use super::record::Alarms;
use crate::audit::verdict::Verdict;
use crate::clock::Timestamp;
use crate::ranges::Ranges;
use crate::server::ServerError;
use crate::trust::Unavailable;

/// The number of findings that one reading records, each with its own alarm. One more alarm counts the rest.
const MAX_FINDINGS: usize = 16;
/// The number of corrupt transactions, and of unread ones, that the reason of a verdict names.
const MAX_NAMED_IN_REASON: usize = 3;

/// The number of unread transactions that are stored one by one, in one reading; the rest is counted.
const MAX_LISTED_UNREAD: usize = 16;

/// The size of the largest value that immudb accepts by default, in bytes.
const LARGEST_VALUE: u64 = 32 << 20;

/// The results of reading some transactions.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The number of times that transactions were read completely.
    pub read: u64,
    /// The transactions that were read completely.
    pub whole: Ranges,
    /// The transactions that were read except for values that cannot be read any more.
    partly: Ranges,
    /// The first `MAX_FINDINGS` findings.
    pub broken: Vec<CorruptEntry>,
    /// The number of further findings.
    pub more_broken: u64,
    /// The transactions of all findings.
    pub found_in: Ranges,
    /// The number of repeated findings.
    pub found_again: u64,
    /// The alarms of the findings.
    pub alarms: Alarms,
    /// The first transactions that could not be read, with the reasons.
    pub unread: Vec<Unread>,
    /// The size of the largest response that was too large, in bytes, if an error has it.
    pub largest: Option<u64>,
    /// Whether an unread transaction that is not listed is malformed.
    pub more_malformed: bool,
    /// The unread transactions that must be read again.
    pub due: Ranges,
    /// The due transactions of which only values are missing.
    pub due_values: Ranges,
    /// The due transactions for which there was no time.
    slow: Ranges,
    /// The transactions whose main trees were compared with the chain.
    pub(super) proven_trees: Ranges,
    /// The due transactions that a sweep passed, or that were read alone, without comparing their main trees with the
    /// chain.
    pub(super) unproven_trees: Ranges,
    /// Transactions with values that the server does not have (protocol.md §6).
    pub absent: Ranges,
    /// Values that cannot be read any more.
    pub unavailable: Unavailable,
    /// The call that ended the reading before its time.
    pub halted: Option<ServerError>,
    /// The transactions that are unread at the end, from this reading and earlier ones.
    pub left: Left,
}

/// The transactions of a database that wait to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The number of transactions that could not be read.
    pub due: u64,
    /// The time since which the oldest of them is due.
    pub due_since: Option<Timestamp>,
    /// The number of transactions of this cycle's sample for which there was no time.
    pub cut: u64,
    /// The number of new transactions that are not read yet, if all new ones are due.
    pub behind: u64,
    /// The time since which there are such transactions.
    pub behind_since: Option<Timestamp>,
}

impl Report {
    /// Returns the verdict that the report causes, if any.
    pub fn verdict(&self) -> Option<Verdict> {
        let kinds = self.broken.iter().map(|broken| broken.what.tampering());
        if let Some(kind) = kinds.min() {
            return Some(Verdict::Tampered(kind)); // inconsistent before bad-value
        }
        let malformed = |unread: &Unread| unread.why.verdict() == Verdict::Malformed;
        if self.more_malformed || self.unread.iter().any(malformed) {
            return Some(Verdict::Malformed);
        }
        let unread = self.left.due > 0 || !self.due.is_empty() || self.halted.is_some();
        unread.then_some(Verdict::Unread)
    }

    /// Returns the number of findings, including repeated ones.
    pub(super) fn findings(&self) -> u64 {
        self.broken.len() as u64 + self.more_broken + self.found_again
    }

    /// Counts a read transaction. The transaction was read completely if nothing of it was `unavailable`.
    pub(super) fn read(&mut self, tx: u64, unavailable: Unavailable) {
        self.read += 1;
        match unavailable.total() {
            0 => self.whole.insert(tx, tx, ()),
            _ => self.partly.insert(tx, tx, ()),
        }
    }

    /// Adds a transaction that could not be read. A new reason replaces the stored one if the transaction is due.
    pub(super) fn add_unread(&mut self, tx: u64, why: UnreadReason) {
        if let UnreadReason::TooLarge { bytes } = why {
            self.largest = self.largest.max(bytes);
        }
        if why.is_due() {
            if self.whole.contains(tx) || self.partly.contains(tx) {
                // its values were read, but its tree is not proven: it must be read again
                self.whole.remove(tx, tx);
                self.partly.remove(tx, tx);
                self.read = self.read.saturating_sub(1);
            }
            self.due.insert(tx, tx, ());
            match why {
                UnreadReason::Slow => self.slow.insert(tx, tx, ()),
                _ => self.slow.remove(tx, tx),
            }
            match why.is_of_values_only() {
                true => self.due_values.insert(tx, tx, ()),
                false => self.due_values.remove(tx, tx),
            }
        }
        let kept = self.unread.len();
        match self.unread.iter_mut().find(|unread| unread.tx == tx) {
            Some(unread) if why.is_due() => unread.why = why,
            Some(_) => {}
            None if kept < MAX_LISTED_UNREAD => self.unread.push(Unread { tx, why }),
            None => self.more_malformed |= why.verdict() == Verdict::Malformed,
        }
    }

    /// Adds a transaction whose main tree was compared with the chain.
    pub(super) fn add_proven_tree(&mut self, tx: u64) {
        self.proven_trees.insert(tx, tx, ());
        self.unproven_trees.remove(tx, tx);
    }

    /// Adds a due transaction whose main tree was not compared with the chain.
    pub(super) fn add_unproven_tree(&mut self, tx: u64) {
        self.unproven_trees.insert(tx, tx, ());
        self.proven_trees.remove(tx, tx);
    }

    /// Adds transactions that were not requested, because there was no time.
    pub(super) fn add_late(&mut self, first: u64, last: u64) {
        self.due.insert(first, last, ());
        self.slow.insert(first, last, ());
    }

    /// Returns the number of transactions for which there was no time.
    pub(super) fn late(&self) -> u64 {
        self.slow.count()
    }

    /// Returns the transactions that were read, including those with values that cannot be read any more.
    pub(super) fn all_read(&self) -> Ranges {
        let mut read = self.whole.clone();
        read.extend(&self.partly);
        read
    }

    /// Removes the transactions for which there was no time, so that the others decide the verdict.
    pub(super) fn take_slow(&mut self) -> Ranges {
        let slow = std::mem::take(&mut self.slow);
        self.leave_out(&slow);
        slow
    }

    /// Removes transactions that are read again `later`, so that the others decide the verdict.
    pub(super) fn leave_out(&mut self, later: &Ranges) {
        self.due.subtract(later);
        self.unread.retain(|unread| !later.contains(unread.tx));
    }

    /// Removes values that a truncation before this transaction explains, which was found in the meantime.
    pub(super) fn explain(&mut self, before: u64) {
        let Some(last) = before.checked_sub(1) else {
            return;
        };
        let mut covered = self.due_values.clone();
        covered.remove_after(last);
        self.due.subtract(&covered);
        self.due_values.subtract(&covered);
        self.absent.remove(0, last);
        self.unread
            .retain(|unread| unread.tx > last || !unread.why.is_of_values_only());
    }

    /// Sets the size of every transaction that was too large to the size of the responses for it. A response that is
    /// more than twice as large as `most` says nothing about the size.
    pub(super) fn note_largest(&mut self, most: u64) {
        let says_none =
            |unread: &Unread| matches!(unread.why, UnreadReason::TooLarge { bytes: None });
        if self.unread.iter().any(says_none) {
            let least = most.saturating_mul(2).max(LARGEST_VALUE);
            self.largest = self.largest.max(Some(least));
        }
        for unread in &mut self.unread {
            if let UnreadReason::TooLarge { bytes } = &mut unread.why {
                *bytes = self.largest;
            }
        }
    }

    /// Sorts the report in the order of the ledger.
    pub(super) fn sorted(mut self) -> Report {
        self.broken.sort_by_key(|broken| broken.tx);
        self.unread.sort_by_key(|unread| unread.tx);
        self
    }

    /// Adds a finding. Returns whether it must be recorded: it is new, and within the limit.
    pub(super) fn add_finding(&mut self, broken: &CorruptEntry) -> bool {
        self.found_in.insert(broken.tx, broken.tx, ());
        if self.knows(broken) {
            self.found_again += 1;
            return false;
        }
        if self.broken.len() >= MAX_FINDINGS {
            self.more_broken += 1;
            return false;
        }
        self.broken.push(broken.clone());
        true
    }

    /// Returns whether the same corruption of the same transaction was already found. A scan finds a broken link, and
    /// so does the walk of a sweep.
    fn knows(&self, broken: &CorruptEntry) -> bool {
        self.broken.contains(broken)
    }
}

/// Formats the reason of the verdict: the listed findings, and the number of the others.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let shown = self.broken.iter().take(MAX_NAMED_IN_REASON);
        for broken in shown.clone() {
            write!(f, "{separator}{broken}")?;
            separator = "; ";
        }
        let hidden = (self.broken.len() - shown.len()) as u64 + self.more_broken;
        if hidden > 0 {
            write!(f, "{separator}and {hidden} more corrupt ones")?;
        }
        let named = self.unread.iter().take(MAX_NAMED_IN_REASON);
        for unread in named.clone() {
            write!(f, "{separator}{unread}")?;
            separator = "; ";
        }
        let named = u64::try_from(named.filter(|unread| unread.why.is_due()).count());
        let hidden = self.left.due.max(self.due.count());
        let hidden = hidden.saturating_sub(named.unwrap_or_default());
        if hidden > 0 {
            let more = if separator.is_empty() { "" } else { "and " };
            let more_of = if separator.is_empty() { "" } else { "more " };
            let s = if hidden == 1 { "" } else { "s" };
            write!(
                f,
                "{separator}{more}{hidden} {more_of}transaction{s} could not be read yet"
            )?;
            separator = "; ";
        }
        if let Some(failure) = &self.halted {
            write!(f, "{separator}reading values ended early: {failure}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::values::finding::Corruption;

    #[test]
    fn a_finding_that_is_made_again_is_counted_and_not_recorded_again() {
        let broken = |tx| CorruptEntry {
            tx,
            alh: None,
            entry: None,
            what: Corruption::NoSuchEntry,
        };
        let mut report = Report::default();
        for (tx, is_recorded) in [(7, true), (7, false), (8, true), (7, false)] {
            assert_eq!(report.add_finding(&broken(tx)), is_recorded, "{tx}");
        }
        assert_eq!((report.broken.len(), report.findings()), (2, 4));
        let flood = 9..9 + 2 * MAX_FINDINGS as u64;
        let recorded = flood.filter(|tx| report.add_finding(&broken(*tx))).count();
        assert_eq!(recorded, MAX_FINDINGS - 2);
        assert!(!report.add_finding(&broken(7)), "known in a flood too");
        assert_eq!(report.more_broken, MAX_FINDINGS as u64 + 2);
    }
}
