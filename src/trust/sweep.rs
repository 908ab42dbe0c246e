//! The sweep in progress, and the last one that ended.

use std::fmt;

use crate::clock::Timestamp;
use crate::ledger::Digest;
use crate::ranges::Ranges;

/// The maximum number of runs that a sweep in progress remembers as read: 16 KiB in memory.
pub(super) const MAX_READ_RANGES: usize = 1_000;

/// A sweep that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepInProgress {
    /// The trigger of the sweep.
    pub begun: SweepTrigger,
    /// The time of its begin.
    pub began: Timestamp,
    /// The last transaction that was passed.
    pub at: u64,
    /// Its hash, if it is proven.
    pub hash: Option<Digest>,
    /// The passed transactions that were read completely. The others are due, absent or corrupt.
    pub read: Ranges,
    /// Values of these that cannot be read any more.
    pub unavailable: Unavailable,
    /// The main tree over the passed transactions, as a frontier's peaks.
    pub peaks: Vec<Digest>,
}

impl SweepInProgress {
    /// Records passed transactions that were read completely. If there are too many gaps between them, the shortest
    /// runs are forgotten, so that the sweep claims too little, and never too much.
    pub fn note_read(&mut self, read: &Ranges) {
        self.read.extend(read);
        self.read.keep_longest(MAX_READ_RANGES);
    }
}

/// Whether the operator or the settings started a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepTrigger {
    /// The operator's, by `immuaudit sweep`.
    Manual,
    /// The audit's own, by `--audit-sweep`.
    Scheduled,
}

/// A sweep that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SweepSummary {
    /// The time of its begin.
    pub began: Timestamp,
    /// The time of its end.
    pub ended: Timestamp,
    /// Completely read transactions.
    pub read: u64,
    /// Values of these that cannot be read any more.
    pub unavailable: Unavailable,
    /// The number of transactions at its end.
    pub of: u64,
}

/// Values that cannot be read any more, each with the proof for it, or on a server too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Unavailable {
    /// A proven header records that values before a later transaction were dropped.
    pub truncated: u64,
    /// The entry's own, hashed expiry time has passed.
    pub expired: u64,
    /// Document entries, which come without values.
    pub documents: u64,
    /// The server's version has no call for them.
    pub unreadable: u64,
}

impl Unavailable {
    /// Returns the number of all values.
    pub fn total(&self) -> u64 {
        self.by_kind().iter().map(|(count, ..)| count).sum()
    }

    /// Adds another count.
    pub fn add(&mut self, other: Unavailable) {
        self.truncated += other.truncated;
        self.expired += other.expired;
        self.documents += other.documents;
        self.unreadable += other.unreadable;
    }

    /// Returns the counts, each with its name in a file and its name for people.
    pub fn by_kind(&self) -> [(u64, &'static str, &'static str); 4] {
        [
            (self.truncated, "truncated", "dropped by a truncation"),
            (self.expired, "expired", "expired"),
            (
                self.documents,
                "documents",
                "of documents, which no server sends",
            ),
            (
                self.unreadable,
                "unreadable",
                "that such old servers do not send",
            ),
        ]
    }
}

/// Prints the counts, such as `200 dropped by a truncation, 3 expired`; `none`.
impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (count, _, what) in self.by_kind() {
            if count > 0 {
                write!(f, "{separator}{count} {what}")?;
                separator = ", ";
            }
        }
        match self.total() {
            0 => f.write_str("none"),
            _ => Ok(()),
        }
    }
}
