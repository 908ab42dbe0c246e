//! The findings of reading transactions: corruption, values that cannot be read any more, and due transactions.

use std::fmt;

use crate::audit::verdict::Verdict;
use crate::config::{memory_needed, size_to_set};
use crate::ledger::{Digest, State};
use crate::server::{ServerError, ServerErrorKind};
use crate::text::Escaped;
use crate::trust::{Claim, Contradiction, Differ, Tampering};

/// A transaction, or an entry of it, that does not match the ledger's hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorruptEntry {
    /// The transaction.
    pub tx: u64,
    /// The hash, if it is proven.
    pub alh: Option<Digest>,
    /// The entry, if it is known.
    pub entry: Option<Entry>,
    /// The kind of corruption.
    pub what: Corruption,
}

/// An entry of a transaction, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The position among the transaction's entries, from 1; `None` if the entry is not one of them.
    pub position: Option<u64>,
    /// The stored key, escaped and cut.
    pub key: Escaped,
}

impl Entry {
    /// Creates the entry with this index, counted from 0.
    pub(super) fn new(index: usize, key: &[u8]) -> Entry {
        Entry {
            position: u64::try_from(index).ok().map(|index| index + 1),
            key: Escaped::of_bytes(key),
        }
    }
}

/// The kind of corruption of a transaction or entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// A value does not match the hash in its entry.
    Value { due: Digest, got: Digest },
    /// An entry's key, metadata, value's hash or place was changed: the entries hash to another root.
    Entries { due: Digest, got: Digest },
    /// An entry with its value is not among the transaction's entries.
    NoSuchEntry,
    /// The server itself reports that its data is damaged.
    Reported(ServerError),
    /// The transaction that was read is another one than the proven one.
    Header { due: Digest, got: Digest },
    /// The server sends a proof for the transaction, and the proof is invalid.
    Place(Escaped),
    /// The transaction does not follow on the one before.
    Chain { due: Digest, got: Digest },
    /// The main tree in the transaction's header has another history than the chain.
    Tree { due: Digest, got: Digest },
}

impl Corruption {
    /// Returns the kind of tampering: `inconsistent` if the history itself is contradicted, else `bad-value`.
    pub fn tampering(&self) -> Tampering {
        match self {
            Corruption::Value { .. }
            | Corruption::Entries { .. }
            | Corruption::NoSuchEntry
            | Corruption::Reported(_) => Tampering::BadValue,
            Corruption::Header { .. }
            | Corruption::Place(_)
            | Corruption::Chain { .. }
            | Corruption::Tree { .. } => Tampering::Inconsistent,
        }
    }
}

impl Corruption {
    /// Describes the corruption without details.
    pub fn words(&self) -> &'static str {
        match self {
            Corruption::Value { .. } => "a value differs",
            Corruption::Entries { .. } => "entries differ",
            Corruption::NoSuchEntry => "an entry differs",
            Corruption::Reported(_) => "the server reports damage",
            Corruption::Header { .. } => "a transaction differs from the proven one",
            Corruption::Place(_) => "a transaction does not belong to the history",
            Corruption::Chain { .. } => "the hash chain is broken",
            Corruption::Tree { .. } => "tree and chain differ",
        }
    }
}

impl Corruption {
    fn contradiction(&self) -> Contradiction {
        match self {
            Corruption::Value { .. } => Contradiction::Value,
            Corruption::Entries { .. } => Contradiction::Entries,
            Corruption::NoSuchEntry => Contradiction::NoSuchEntry,
            Corruption::Reported(_) => Contradiction::Reported,
            Corruption::Header { .. } => Contradiction::Header,
            Corruption::Place(_) => Contradiction::Place,
            Corruption::Chain { .. } => Contradiction::Chain,
            Corruption::Tree { .. } => Contradiction::Tree,
        }
    }

    fn differ(&self) -> Option<Differ> {
        match *self {
            Corruption::Value { due, got }
            | Corruption::Entries { due, got }
            | Corruption::Header { due, got }
            | Corruption::Chain { due, got }
            | Corruption::Tree { due, got } => Some(Differ { due, got }),
            Corruption::NoSuchEntry | Corruption::Reported(_) | Corruption::Place(_) => None,
        }
    }
}

impl CorruptEntry {
    /// Returns the finding that a transaction was read with the hash `got`, although the hash `due` is proven.
    pub(super) fn other_header(tx: u64, due: Digest, got: Digest) -> CorruptEntry {
        CorruptEntry {
            tx,
            alh: Some(due),
            entry: None,
            what: Corruption::Header { due, got },
        }
    }

    /// Returns the claim that evidence is verified against.
    pub fn claim(&self) -> Claim {
        Claim {
            tx: self.tx,
            what: self.what.contradiction(),
            differ: self.what.differ(),
        }
    }

    /// Returns the state of the transaction, which identifies the finding. Its hash is zero if it is not proven,
    /// because each transaction is a finding of its own.
    pub fn state(&self) -> State {
        State {
            tx: self.tx,
            hash: self.alh.unwrap_or(Digest::ZERO),
        }
    }
}

impl fmt::Display for CorruptEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differs = |f: &mut fmt::Formatter<'_>, due, got| write!(f, ": {got}, not {due}");
        f.write_str(self.what.words())?;
        write!(f, " at transaction {}", self.tx)?;
        if let Some(entry) = &self.entry {
            if let Some(position) = entry.position {
                write!(f, ", entry {position}")?;
            }
            write!(f, ", key \"{}\"", entry.key)?;
        }
        match &self.what {
            Corruption::NoSuchEntry => f.write_str(": it is not an entry of this transaction"),
            Corruption::Reported(failure) => write!(f, ": {failure}"),
            Corruption::Place(why) => write!(f, ": {why}"),
            Corruption::Value { due, got }
            | Corruption::Entries { due, got }
            | Corruption::Header { due, got }
            | Corruption::Chain { due, got }
            | Corruption::Tree { due, got } => differs(f, due, got),
        }
    }
}

/// A transaction that could not be read completely, without a proof that this is legitimate: it stays due.
#[derive(Clone, Debug)]
pub struct Unread {
    /// The transaction.
    pub tx: u64,
    /// The reason.
    pub why: UnreadReason,
}

/// The reason why a transaction could not be read.
#[derive(Clone, Debug)]
pub enum UnreadReason {
    /// The server omits the transaction, or one of its values.
    Withheld,
    /// The server refuses the transaction.
    Refused(ServerError),
    /// The server refuses its values; its header and the digests of its entries are proven.
    ValuesRefused(ServerError),
    /// The server does not send the transaction, although it responds to other calls.
    Silent(ServerError),
    /// The server refuses its values, or does not have them (`None`). A header that records a truncation may explain
    /// that and is still being searched for.
    Searching(Option<ServerError>),
    /// The response is larger than `--max-recv-msg-size`.
    TooLarge {
        /// The size of the response in bytes, if it is known.
        bytes: Option<u64>,
    },
    /// The response is invalid.
    Malformed(Escaped),
    /// The scan for the transaction has gaps, starts elsewhere or ends early.
    Scan,
    /// There was no time to read the transaction or its proof.
    Slow,
}

impl UnreadReason {
    /// Returns the verdict that the reason causes when nothing is corrupt.
    pub fn verdict(&self) -> Verdict {
        match self {
            UnreadReason::Malformed(_) | UnreadReason::Scan => Verdict::Malformed,
            UnreadReason::Withheld
            | UnreadReason::Refused(_)
            | UnreadReason::ValuesRefused(_)
            | UnreadReason::Silent(_)
            | UnreadReason::Searching(_)
            | UnreadReason::TooLarge { .. }
            | UnreadReason::Slow => Verdict::Unread,
        }
    }

    /// Returns whether the transaction itself must still be read.
    pub fn is_due(&self) -> bool {
        !matches!(self, UnreadReason::Scan)
    }

    /// Returns whether only values of the transaction must be read.
    pub fn is_of_values_only(&self) -> bool {
        matches!(
            self,
            UnreadReason::ValuesRefused(_) | UnreadReason::Searching(_)
        )
    }

    /// Returns the reason for a failed call about one transaction.
    pub(super) fn of_failure(failure: ServerError) -> UnreadReason {
        match failure.kind {
            ServerErrorKind::TooLarge => UnreadReason::TooLarge {
                bytes: failure.size_needed(),
            },
            ServerErrorKind::TxNotFound
            | ServerErrorKind::KeyNotFound
            | ServerErrorKind::IllegalState => UnreadReason::Withheld,
            ServerErrorKind::Malformed(malformed) => UnreadReason::malformed(&malformed),
            ServerErrorKind::Compressed | ServerErrorKind::NotOneMessage => {
                UnreadReason::malformed(&failure)
            }
            ServerErrorKind::Unreachable | ServerErrorKind::Deadline(_) => {
                UnreadReason::Silent(failure)
            }
            ServerErrorKind::CutShort => UnreadReason::Slow,
            _ => UnreadReason::Refused(failure),
        }
    }

    /// Returns the reason for a response that accuses immudb 0.9.0 and that a second response does not confirm.
    pub(super) fn not_shown_again() -> UnreadReason {
        UnreadReason::malformed(&"one response contradicts the ledger, but the next one does not")
    }

    /// Returns a malformed response, for this reason.
    pub(super) fn malformed(reason: &impl fmt::Display) -> UnreadReason {
        UnreadReason::Malformed(Escaped::new(&reason.to_string()))
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transaction {} ", self.tx)?;
        match &self.why {
            UnreadReason::Slow => f.write_str("could not be proven in time"),
            UnreadReason::Withheld => f.write_str("is withheld, or one of its values is"),
            UnreadReason::Refused(failure) => write!(f, "cannot be read: {failure}"),
            UnreadReason::Silent(failure) => write!(
                f,
                "is not returned, although the server responds to other calls: {failure}"
            ),
            UnreadReason::ValuesRefused(failure) => {
                write!(f, "has values that cannot be read: {failure}")
            }
            UnreadReason::Searching(failure) => {
                match failure {
                    Some(failure) => write!(f, "has values that cannot be read: {failure}"),
                    None => f.write_str("has values that the server does not have"),
                }?;
                f.write_str("; immuaudit still searches for a header that records a truncation")
            }
            UnreadReason::TooLarge { bytes: Some(bytes) } => write!(
                f,
                "is larger than --max-recv-msg-size allows: set it to {} or more, and the memory limit to {} MiB or more",
                size_to_set(*bytes),
                memory_needed(size_to_set(*bytes))
            ),
            UnreadReason::TooLarge { bytes: None } => f.write_str(
                "is larger than --max-recv-msg-size allows: raise it, and the memory limit with it",
            ),
            UnreadReason::Malformed(what) => write!(f, "is malformed: {what}"),
            UnreadReason::Scan => f.write_str("is missing or at the wrong position in a scan"),
        }
    }
}
