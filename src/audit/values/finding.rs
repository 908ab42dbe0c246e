//! What reading transactions finds: what is broken, what cannot be read any more, what stays due.

use std::fmt;

use crate::audit::verdict::{Reason, Verdict};
use crate::clock::Timestamp;
use crate::ledger::{Digest, Refusal, State};
use crate::ranges::Ranges;
use crate::server::{Failure, Kind};
use crate::text::Shown;
use crate::trust::{Answer, Claim, Contradiction, Differ, Tampering, Unavailable};
use crate::wire::Malformed;

/// A transaction, or one entry of it, that is not what the ledger's hashes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The transaction.
    pub tx: u64,
    /// Its hash, where that is proven.
    pub alh: Option<Digest>,
    /// The entry, where it is known which.
    pub entry: Option<Entry>,
    /// What is wrong with it.
    pub what: What,
}

/// An entry of a transaction, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts from 1; `None`: it has no place among the transaction's.
    pub position: Option<u64>,
    /// As stored, escaped and cut.
    pub key: Shown,
}

impl Entry {
    /// The entry with this index, from 0.
    pub(super) fn new(index: usize, key: &[u8]) -> Entry {
        Entry {
            position: u64::try_from(index).ok().map(|index| index + 1),
            key: Shown::of_bytes(key),
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A value does not hash to what its entry says.
    Value { due: Digest, got: Digest },
    /// An entry's key, metadata, value's hash or place was changed: the entries hash to another root.
    Entries { due: Digest, got: Digest },
    /// An entry with its value is not among the transaction's entries.
    NoSuchEntry,
    /// The server itself says that what it stores is damaged.
    Reported(Failure),
    /// What is read as the transaction is another one than the proven.
    Header { due: Digest, got: Digest },
    /// The server proves the transaction's place, and the proof does not hold.
    Place(Shown),
    /// The transaction does not follow on the one before.
    Chain { due: Digest, got: Digest },
    /// The main tree that the transaction was written over holds another history than the chain.
    Tree { due: Digest, got: Digest },
}

impl What {
    /// The kind of tampering: what contradicts the history as such is no mere value.
    pub fn tampering(&self) -> Tampering {
        match self {
            What::Value { .. } | What::Entries { .. } | What::NoSuchEntry | What::Reported(_) => {
                Tampering::Value
            }
            What::Header { .. } | What::Place(_) | What::Chain { .. } | What::Tree { .. } => {
                Tampering::Inconsistent
            }
        }
    }
}

impl What {
    /// In words, without the particulars.
    pub fn words(&self) -> &'static str {
        match self {
            What::Value { .. } => "a value differs",
            What::Entries { .. } => "entries differ",
            What::NoSuchEntry => "an entry differs",
            What::Reported(_) => "the server reports damage",
            What::Header { .. } => "another transaction is read than is proven",
            What::Place(_) => "a transaction does not belong to the history",
            What::Chain { .. } => "the chain is broken",
            What::Tree { .. } => "tree and chain differ",
        }
    }
}

impl What {
    fn contradiction(&self) -> Contradiction {
        match self {
            What::Value { .. } => Contradiction::Value,
            What::Entries { .. } => Contradiction::Entries,
            What::NoSuchEntry => Contradiction::NoSuchEntry,
            What::Reported(_) => Contradiction::Reported,
            What::Header { .. } => Contradiction::Header,
            What::Place(_) => Contradiction::Place,
            What::Chain { .. } => Contradiction::Chain,
            What::Tree { .. } => Contradiction::Tree,
        }
    }

    fn differ(&self) -> Option<Differ> {
        match *self {
            What::Value { due, got }
            | What::Entries { due, got }
            | What::Header { due, got }
            | What::Chain { due, got }
            | What::Tree { due, got } => Some(Differ { due, got }),
            What::NoSuchEntry | What::Reported(_) | What::Place(_) => None,
        }
    }
}

impl Broken {
    /// Returns the claim that evidence is verified against.
    pub fn claim(&self) -> Claim {
        Claim {
            tx: self.tx,
            what: self.what.contradiction(),
            differ: self.what.differ(),
        }
    }

    /// The transaction's state, which the finding is known by: its hash is zero where it is not
    /// proven, since each transaction is a finding of its own.
    pub fn state(&self) -> State {
        State {
            tx: self.tx,
            hash: self.alh.unwrap_or(Digest::ZERO),
        }
    }
}

impl fmt::Display for Broken {
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
            What::NoSuchEntry => f.write_str(": it is not among the transaction's"),
            What::Reported(failure) => write!(f, ": {failure}"),
            What::Place(why) => write!(f, ": {why}"),
            What::Value { due, got }
            | What::Entries { due, got }
            | What::Header { due, got }
            | What::Chain { due, got }
            | What::Tree { due, got } => differs(f, due, got),
        }
    }
}

/// A transaction that could not be read whole, without a proof that it need not be: it stays due.
#[derive(Clone, Debug)]
pub struct Unread {
    /// The transaction.
    pub tx: u64,
    /// Why not.
    pub why: Why,
}

/// Why a transaction could not be read.
#[derive(Clone, Debug)]
pub enum Why {
    /// The server leaves it, or a value of it, out.
    Withheld,
    /// The server refuses it.
    Refused(Failure),
    /// It does not come, though the server answers otherwise.
    Silent(Failure),
    /// The server refuses its values. A header that records a truncation may explain that and is still
    /// being searched for.
    Searching(Failure),
    /// It is larger than `--max-recv-msg-size`.
    TooLarge {
        /// Bytes that the answer has, where that is known.
        bytes: Option<u64>,
    },
    /// The answer is none that an honest server sends.
    Malformed(Shown),
    /// The scan that it was to come in has holes, starts elsewhere or ends early.
    Scan,
    /// The proof of its place took too long to fetch.
    Slow,
}

impl Why {
    /// The verdict that it amounts to when nothing is broken.
    pub fn verdict(&self) -> Verdict {
        match self {
            Why::Malformed(_) | Why::Scan => Verdict::Malformed,
            Why::Withheld
            | Why::Refused(_)
            | Why::Silent(_)
            | Why::Searching(_)
            | Why::TooLarge { .. }
            | Why::Slow => Verdict::Unread,
        }
    }

    /// Returns whether the transaction itself is still to be read.
    pub fn is_due(&self) -> bool {
        !matches!(self, Why::Scan)
    }

    /// Sorts a call that failed about one transaction.
    pub(super) fn of_failure(failure: Failure) -> Why {
        match failure.kind {
            Kind::TooLarge => Why::TooLarge {
                bytes: failure.size_needed(),
            },
            Kind::TxNotFound | Kind::KeyNotFound | Kind::IllegalState => Why::Withheld,
            Kind::Malformed(malformed) => Why::of_malformed(&malformed),
            Kind::Compressed | Kind::NotOneMessage => {
                Why::Malformed(Shown::new(&failure.to_string()))
            }
            Kind::Unreachable | Kind::Deadline(_) => Why::Silent(failure),
            _ => Why::Refused(failure),
        }
    }

    pub(super) fn of_refusal(refusal: &Refusal) -> Why {
        Why::Malformed(Shown::new(&refusal.to_string()))
    }

    fn of_malformed(malformed: &Malformed) -> Why {
        Why::Malformed(Shown::new(&malformed.to_string()))
    }

    pub(super) fn of_reason(reason: &Reason) -> Why {
        Why::Malformed(Shown::new(&reason.to_string()))
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transaction {} ", self.tx)?;
        match &self.why {
            Why::Slow => f.write_str("could not be proven in time"),
            Why::Withheld => f.write_str("is withheld, or a value of it"),
            Why::Refused(failure) => write!(f, "cannot be read: {failure}"),
            Why::Silent(failure) => write!(f, "does not come: {failure}"),
            Why::Searching(failure) => write!(
                f,
                "cannot be read: {failure}; the header that would record a truncation is being \
                 searched for"
            ),
            Why::TooLarge { bytes: Some(bytes) } => write!(
                f,
                "is larger than --max-recv-msg-size allows: set it to {bytes} or more"
            ),
            Why::TooLarge { bytes: None } => {
                f.write_str("is larger than --max-recv-msg-size allows: raise it")
            }
            Why::Malformed(what) => write!(f, "is malformed: {what}"),
            Why::Scan => f.write_str("is not where it should be in a scan"),
        }
    }
}

/// A finding and what was asked and answered for it.
#[derive(Clone, Debug)]
pub struct Shows {
    /// What is broken.
    pub broken: Broken,
    /// The answers that show it.
    pub answers: Vec<Answer>,
}

/// Findings kept with their answers in one go; the rest is counted.
pub const KEPT: usize = 16;
/// Transactions named that stay due, in one go.
const NAMED: usize = 3;

/// Transactions kept by name that could not be read, in one go; the rest is counted.
const KEPT_UNREAD: usize = 16;

/// What reading some transactions found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Transactions read whole, how often.
    pub read: u64,
    /// The same transactions, each once.
    pub whole: Ranges,
    /// Findings, the first `KEPT` of them.
    pub broken: Vec<Shows>,
    /// Findings past these.
    pub more_broken: u64,
    /// How often one of these was found again.
    pub found_again: u64,
    /// Transactions that could not be read, the first of them and why.
    pub unread: Vec<Unread>,
    /// The worst that any of them amounts to.
    pub unread_verdict: Option<Verdict>,
    /// All of them that are to be read again.
    pub due: Ranges,
    /// Transactions with values that the server does not have (protocol.md §6).
    pub absent: Ranges,
    /// Values that cannot be read any more.
    pub unavailable: Unavailable,
    /// The call that ended the reading before its time.
    pub halted: Option<Failure>,
    /// What has not been read at the end, this time's and what earlier times left.
    pub left: Left,
}

/// What of a database waits to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Transactions that could not be read.
    pub due: u64,
    /// Since when the oldest of them.
    pub due_since: Option<Timestamp>,
    /// New transactions that were not reached yet, when all new ones are to be read.
    pub behind: u64,
    /// Since when there are any.
    pub behind_since: Option<Timestamp>,
}

impl Report {
    /// The verdict that it amounts to, if any.
    pub fn verdict(&self) -> Option<Verdict> {
        let kinds = self
            .broken
            .iter()
            .map(|shows| shows.broken.what.tampering());
        if let Some(kind) = kinds.min() {
            return Some(Verdict::Tampered(kind)); // inconsistent before value
        }
        let unread = self.left.due > 0 || self.halted.is_some();
        self.unread_verdict.or(unread.then_some(Verdict::Unread))
    }

    /// Returns how many findings were made, those that were found again included.
    pub(super) fn findings(&self) -> u64 {
        self.broken.len() as u64 + self.more_broken + self.found_again
    }

    pub(super) fn read_whole(&mut self, tx: u64) {
        self.read += 1;
        self.whole.insert(tx, tx, ());
    }

    /// Adds a transaction that could not be read; the reason that says most of it stays.
    pub(super) fn add_unread(&mut self, tx: u64, why: Why) {
        let verdict = why.verdict();
        if self.unread_verdict != Some(Verdict::Malformed) {
            self.unread_verdict = Some(verdict);
        }
        if why.is_due() {
            self.due.insert(tx, tx, ());
        }
        let kept = self.unread.len();
        match self.unread.iter_mut().find(|unread| unread.tx == tx) {
            Some(unread) if why.is_due() => unread.why = why,
            None if kept < KEPT_UNREAD => self.unread.push(Unread { tx, why }),
            _ => {}
        }
    }

    /// Leaves out what a truncation of values before this transaction explains, found meanwhile.
    pub(super) fn explain(&mut self, before: u64) {
        let Some(last) = before.checked_sub(1) else {
            return;
        };
        self.due.remove(0, last);
        self.absent.remove(0, last);
        self.unread
            .retain(|unread| unread.tx > last || unread.why.verdict() == Verdict::Malformed);
        if self.due.is_empty() && self.unread_verdict == Some(Verdict::Unread) {
            self.unread_verdict = None;
        }
    }

    /// In the order of the ledger.
    pub(super) fn sorted(mut self) -> Report {
        self.broken.sort_by_key(|shows| shows.broken.tx);
        self.unread.sort_by_key(|unread| unread.tx);
        self
    }

    /// Adds what reading more found.
    pub(super) fn absorb(&mut self, more: Report) {
        self.read += more.read;
        self.whole.extend(&more.whole);
        self.absent.extend(&more.absent);
        self.due.extend(&more.due);
        more.broken.into_iter().for_each(|shows| self.found(shows));
        self.more_broken += more.more_broken;
        self.found_again += more.found_again;
        for unread in more.unread {
            self.add_unread(unread.tx, unread.why);
        }
        self.unavailable.add(more.unavailable);
        self.halted = more.halted.or(self.halted.take());
    }

    pub(super) fn found(&mut self, shows: Shows) {
        if self.knows(&shows.broken) {
            self.found_again += 1;
        } else if self.has_room() {
            self.broken.push(shows);
        } else {
            self.more_broken += 1;
        }
    }

    /// Returns whether a further finding is kept with its answers.
    pub(super) fn has_room(&self) -> bool {
        self.broken.len() < KEPT
    }

    /// Returns whether the same fault of the same transaction was found before: a scan finds a broken link, and so
    /// does the walk of a sweep.
    fn knows(&self, broken: &Broken) -> bool {
        self.broken.iter().any(|known| known.broken == *broken)
    }
}

/// The verdict's reason: every finding, a flood summed up.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let shown = self.broken.iter().take(NAMED);
        for shows in shown.clone() {
            write!(f, "{separator}{}", shows.broken)?;
            separator = "; ";
        }
        let hidden = (self.broken.len() - shown.len()) as u64 + self.more_broken;
        if hidden > 0 {
            write!(f, "{separator}and {hidden} more that are broken")?;
        }
        let named = self.unread.iter().take(NAMED);
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
