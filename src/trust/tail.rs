//! The end of a history that was read completely: the part of it that a change needs. Also the trusted state of a
//! file that was read before.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::history::{History, HistoryEntry};
use super::trusted_state::TrustedState;
use crate::ledger::Digest;
use crate::sys::Stamp;

/// The maximum number of databases whose ends of histories and trusted states are remembered: about a kilobyte
/// each. For further databases, the files are read completely at every check.
const MAX_REMEMBERED: usize = 4_000;

/// The end of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last entry.
    pub last: HistoryEntry,
    /// The last entry's sum, which covers all lines.
    pub sum: String,
    /// Bytes up to the end of the last line.
    pub length: u64,
    /// The number of entries.
    pub entries: usize,
}

/// The ends of histories, by database.
#[derive(Debug, Default)]
pub(super) struct Tails(Mutex<BTreeMap<String, Remembered>>);

/// The end of a history, and the stamp that the file had.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub stamp: Stamp,
    pub tail: Tail,
    /// The time at which the file was last read completely.
    pub read: Instant,
    /// The state file that was read last.
    pub state: Option<Parsed>,
}

/// A trusted state, and the digest of all bytes of the file that it was read from.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub digest: Digest,
    pub trusted: TrustedState,
}

impl Tail {
    /// Returns the end of a history.
    pub fn of(history: &History) -> Option<Tail> {
        Some(Tail {
            last: history.entries.last()?.clone(),
            sum: history.sum.clone(),
            length: history.length,
            entries: history.entries.len(),
        })
    }

    /// Returns the line for one more entry, and the end of the history after it.
    pub fn next(&self, entry: &HistoryEntry) -> (Vec<u8>, Tail) {
        let (line, sum) = entry.line(&self.sum, Some(&self.last));
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let tail = Tail {
            last: entry.clone(),
            sum,
            length: self.length.saturating_add(length),
            entries: self.entries.saturating_add(1),
        };
        (line.into_bytes(), tail)
    }
}

impl Tails {
    /// Returns the end of a history as it was remembered.
    pub fn get(&self, database: &str) -> Option<Remembered> {
        let tails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tails.get(database).cloned()
    }

    /// Remembers the trusted state of a state file together with the end of its history, if that is remembered.
    pub fn put_state(&self, database: &str, state: Parsed) {
        let mut tails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remembered) = tails.get_mut(database) {
            remembered.state = Some(state);
        }
    }

    /// Forgets the databases that `keeps` does not select.
    pub fn keep(&self, keeps: impl Fn(&str) -> bool) {
        let mut tails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tails.retain(|name, _| keeps(name));
    }

    /// Remembers the end of a history, or forgets it.
    pub fn put(&self, database: &str, remembered: Option<Remembered>) {
        let mut tails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match remembered {
            None => drop(tails.remove(database)),
            Some(remembered) => {
                if tails.len() < MAX_REMEMBERED || tails.contains_key(database) {
                    tails.insert(database.into(), remembered);
                }
            }
        }
    }
}
