//! The differences between two histories of one database.

use crate::ledger::State;
use crate::locate::Window;
use crate::text::Escaped;

/// The differences between the first and the second server's history.
#[derive(Debug)]
pub struct Differences {
    /// The first server's state.
    pub ours: State,
    /// The second server's state.
    pub theirs: State,
    /// The part of the trusted history that the second server has; `None` if there is no trusted state.
    pub holds: Option<Window>,
    /// The last transaction that is proven to be the same on both servers.
    pub same: u64,
    /// The first transaction that is proven to differ.
    pub first: Option<u64>,
    /// Transactions whose entries differ, the first [`MAX_LISTED_TXS`] of them.
    pub differing: Vec<Differing>,
    /// The number of further transactions whose entries differ.
    pub more: u64,
    /// The number of transactions with the same entries that differ only because an earlier transaction differs.
    pub rechained: u64,
    /// The number of transactions that differ only in entries that the other history has in another transaction.
    pub moved: u64,
    /// The last transaction whose entries were compared.
    pub compared: u64,
    /// The reason why the list is not proven, if it is not.
    pub unproven: Option<Escaped>,
}

/// A transaction whose entries differ.
#[derive(Debug)]
pub struct Differing {
    /// The id.
    pub tx: u64,
    /// The time of writing that the first server claims, in unix seconds.
    pub ours: i64,
    /// The time of writing that the second server claims.
    pub theirs: i64,
    /// Keys that differ, the first [`MAX_LISTED_KEYS`] of them; none if only their order differs.
    pub changes: Vec<Change>,
    /// The number of further keys.
    pub more: usize,
}

/// The kind of difference of a key on the first server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// Only the first server has the key.
    Added,
    /// Only the second server has the key.
    Removed,
    /// The value or the metadata of the key differs.
    Changed,
}

/// A key that differs.
#[derive(Debug)]
pub struct Change {
    /// The kind of the difference.
    pub how: KeyChange,
    /// The key, without its kind byte if it is a plain key.
    pub key: Escaped,
    /// The second server's value, if it was requested and received.
    pub theirs: Option<Escaped>,
    /// The first server's value.
    pub ours: Option<Escaped>,
}

/// The limit of transactions whose different keys are listed, so that a report stays readable. The others are counted.
pub const MAX_LISTED_TXS: usize = 100;
/// The limit of listed keys of one transaction, so that a report stays readable. The others are counted.
pub const MAX_LISTED_KEYS: usize = 20;
