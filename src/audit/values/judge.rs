//! Verifies a transaction whose hash is proven: header, entries, values (protocol.md §3 and §6). There is no I/O, and
//! the time comes from the caller.

use super::finding::{CorruptEntry, Corruption, Entry, UnreadReason};
use crate::ledger::{Digest, Fault, GetEntry, Reason, TxEntry, TxHeader, verify_entries};
use crate::text::Escaped;
use crate::trust::Unavailable;
use crate::wire::Tx;

/// The result of verifying a transaction with its values.
#[derive(Debug)]
pub enum Judged {
    /// All entries match the ledger, and so do all values except the listed ones.
    Complete(Completed),
    /// There are fewer entries than in the header, so the digests must be requested.
    Incomplete,
    /// The transaction itself is corrupt.
    Broken(CorruptEntry),
    /// The response is invalid.
    Malformed(UnreadReason),
}

impl Judged {
    /// Returns whether all entries and values came and match the ledger.
    pub fn is_faultless(&self) -> bool {
        matches!(
            self,
            Judged::Complete(of) if of.missing.is_empty() && of.absent == 0 && of.broken.is_empty()
        )
    }
}

/// Verifies a transaction with raw values against its proven hash.
pub fn judge(alh: &Digest, tx: &Tx) -> Judged {
    let header = &tx.header;
    if let Err(judged) = same_header(alh, header) {
        return judged;
    }
    let sent = u64::try_from(tx.entries.len()).unwrap_or(u64::MAX);
    if sent < u64::from(header.nentries()) {
        return Judged::Incomplete;
    }
    if let Err(judged) = same_entries(alh, tx) {
        return judged;
    }
    let mut completed = Completed::default();
    for (index, entry) in tx.entries.iter().enumerate() {
        completed.add(index, value(alh, header, index, entry));
    }
    Judged::Complete(completed)
}

/// The missing and the corrupt values of a transaction whose entries all match the ledger.
#[derive(Debug, Default)]
pub struct Completed {
    /// The entries (index from 0) without their values, if the ledger shows no reason for this.
    pub missing: Vec<usize>,
    /// The number of values that the server says it does not have.
    pub absent: u64,
    /// The first values and entries that do not match the ledger.
    pub broken: Vec<CorruptEntry>,
    /// The number of further ones.
    pub more_broken: u64,
    /// The values that the server need not send.
    pub unavailable: Unavailable,
}

/// The number of corrupt values of one transaction that are named; a reading does not record more findings.
const MAX_BROKEN: usize = 16;

impl Completed {
    fn add_broken(&mut self, broken: CorruptEntry) {
        match self.broken.len() < MAX_BROKEN {
            true => self.broken.push(broken),
            false => self.more_broken = self.more_broken.saturating_add(1),
        }
    }

    /// Adds the value of an entry.
    fn add(&mut self, index: usize, value: Value) {
        match value {
            Value::Held => {}
            Value::Missing => self.missing.push(index),
            Value::Absent => self.absent += 1,
            Value::Broken(broken) => self.add_broken(broken),
        }
    }
}

/// Verifies `digests`, all entries of the proven transaction without values, against its hash. Then verifies the
/// entries of `raw` against `digests`. `now` is in unix seconds.
pub fn complete(
    alh: &Digest,
    digests: &Tx,
    raw: &[TxEntry],
    now: i64,
) -> Result<Completed, Judged> {
    same_header(alh, &digests.header)?;
    same_entries(alh, digests)?;
    let header = &digests.header;
    let mut completed = Completed::default();
    let mut sent = raw.iter().peekable();
    for (index, entry) in digests.entries.iter().enumerate() {
        let same = |raw: &&TxEntry| {
            raw.key == entry.key && raw.h_value == entry.h_value && raw.metadata == entry.metadata
        };
        if let Some(raw) = sent.next_if(same) {
            completed.add(index, value(alh, header, index, raw));
        } else if entry.key.first() == Some(&DOCUMENT) {
            completed.unavailable.documents += 1;
        } else if has_expired(entry, now) {
            completed.unavailable.expired += 1;
        } else if entry.h_value != Digest::OF_NOTHING {
            match entry.claimed_length {
                0 => completed.absent += 1,
                _ => completed.missing.push(index),
            }
        }
    }
    // the remaining entries match no entry of the ledger
    for raw in sent {
        completed.add_broken(CorruptEntry {
            tx: header.id(),
            alh: Some(*alh),
            entry: Some(Entry {
                position: None,
                key: Escaped::of_bytes(&raw.key),
            }),
            what: Corruption::NoSuchEntry,
        });
    }
    Ok(completed)
}

/// Verifies a value that was requested by its key (`Get`, protocol.md §6). `entry`, with this index from 0, is the
/// ledger's. Returns the corruption, if there is any.
pub fn judge_by_key(
    header: &TxHeader,
    index: usize,
    entry: &TxEntry,
    got: &GetEntry,
) -> Option<CorruptEntry> {
    let hash = got.stored_value_hash();
    if got.stored_key() == entry.key && hash == entry.h_value {
        return None;
    }
    Some(CorruptEntry {
        tx: header.id(),
        alh: Some(header.alh()),
        entry: Some(Entry::new(index, &entry.key)),
        what: Corruption::Value {
            due: entry.h_value,
            got: hash,
        },
    })
}

/// The kind byte of document entries (protocol.md §2), whose values are never sent.
const DOCUMENT: u8 = 3;
/// The time that a server's clock may be ahead of this one, in seconds.
const CLOCKS_APART: i64 = 60;

fn has_expired(entry: &TxEntry, now: i64) -> bool {
    let metadata = entry.metadata.as_ref();
    metadata
        .and_then(|metadata| metadata.expires_at)
        .is_some_and(|at| at <= now.saturating_add(CLOCKS_APART))
}

enum Value {
    Held,
    /// The value was not sent. On the wire it is like an empty value, whose hash differs from that of the entry.
    Missing,
    /// The value was not sent, and the server gives its length as zero. A server that got the transaction without
    /// values has none, such as a replica of a truncated one (protocol.md §6).
    Absent,
    Broken(CorruptEntry),
}

fn value(alh: &Digest, header: &TxHeader, index: usize, entry: &TxEntry) -> Value {
    let got = Digest::of(&[&entry.value]);
    if got == entry.h_value {
        Value::Held
    } else if entry.value.is_empty() && entry.claimed_length == 0 {
        Value::Absent
    } else if entry.value.is_empty() {
        Value::Missing
    } else {
        Value::Broken(CorruptEntry {
            tx: header.id(),
            alh: Some(*alh),
            entry: Some(Entry::new(index, &entry.key)),
            what: Corruption::Value {
                due: entry.h_value,
                got,
            },
        })
    }
}

fn same_header(alh: &Digest, header: &TxHeader) -> Result<(), Judged> {
    let got = header.alh();
    if got == *alh {
        return Ok(());
    }
    Err(Judged::Broken(CorruptEntry {
        tx: header.id(),
        alh: Some(*alh),
        entry: None,
        what: Corruption::Header { due: *alh, got },
    }))
}

fn same_entries(alh: &Digest, tx: &Tx) -> Result<(), Judged> {
    let Err(refusal) = verify_entries(&tx.header, &tx.entries) else {
        return Ok(());
    };
    Err(match (refusal.fault(), &refusal.reason) {
        (Fault::Inconsistent, Reason::Differs { due, got, .. }) => Judged::Broken(CorruptEntry {
            tx: tx.header.id(),
            alh: Some(*alh),
            // the root covers all entries together, so only a single entry can be named
            entry: match tx.entries.as_slice() {
                [entry] => Some(Entry::new(0, &entry.key)),
                _ => None,
            },
            what: Corruption::Entries {
                due: *due,
                got: *got,
            },
        }),
        _ => Judged::Malformed(UnreadReason::malformed(&refusal)),
    })
}
