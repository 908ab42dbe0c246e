//! The differences between two histories of one database.

use crate::ledger::State;
use crate::locate::Window;
use crate::text::Escaped;

/// How a second server's history differs.
#[derive(Debug)]
pub struct Differences {
    /// What the first server shows.
    pub ours: State,
    /// What the second one shows.
    pub theirs: State,
    /// What of the trusted history the second one holds; `None` where nothing is trusted.
    pub holds: Option<Window>,
    /// The last transaction that is proven to be the same on both.
    pub same: u64,
    /// The first one that is proven not to be.
    pub first: Option<u64>,
    /// Transactions whose entries differ, the first [`MAX_LISTED_TXS`] of them.
    pub differing: Vec<Differing>,
    /// Further ones.
    pub more: u64,
    /// Transactions of the same entries that only follow on others.
    pub rechained: u64,
    /// Transactions in which nothing but entries differ that stand in another one there.
    pub moved: u64,
    /// The last transaction whose entries were held against each other.
    pub compared: u64,
    /// Why what is listed is not proven, where it is not.
    pub unproven: Option<Escaped>,
}

/// A transaction whose entries differ.
#[derive(Debug)]
pub struct Differing {
    /// Its id.
    pub tx: u64,
    /// When the first server claims that it was written, in unix seconds.
    pub ours: i64,
    /// When the second one does.
    pub theirs: i64,
    /// Keys that differ, the first [`MAX_LISTED_KEYS`] of them; none where it is their order alone.
    pub changes: Vec<Change>,
    /// Further ones.
    pub more: usize,
}

/// The kind of difference of a key on the first server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// It is not there on the second.
    Added,
    /// It is there on the second alone.
    Removed,
    /// It has another value, or other metadata.
    Changed,
}

/// A key that differs.
#[derive(Debug)]
pub struct Change {
    /// How.
    pub how: KeyChange,
    /// The key, without its kind byte where it is a plain one.
    pub key: Escaped,
    /// What the second server has, where it was asked for and came.
    pub theirs: Option<Escaped>,
    /// What the first one has.
    pub ours: Option<Escaped>,
}

/// The number of transactions whose different keys are listed.
pub const MAX_LISTED_TXS: usize = 100;
/// The number of keys that are listed of one transaction.
pub const MAX_LISTED_KEYS: usize = 20;
