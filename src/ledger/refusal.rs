//! The reason why a proof is refused: the step that failed, the transaction, and the fault.

use std::fmt;
use std::ops::RangeInclusive;

use super::digest::{Digest, Term};

/// The step that refused, with its section of protocol.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// §2, §3: a transaction header is valid.
    Header,
    /// §2: the response contains the requested data.
    Answer,
    /// §4, step 1: ids of the proof's headers.
    Ids,
    /// §4, step 2: the headers hash to the trusted and the claimed Alh.
    Alh,
    /// §4, step 3: the source is in the target's tree.
    Inclusion,
    /// §4, step 4: the target's tree extends the source's.
    Consistency,
    /// §4, step 5: `targetBlTxAlh` is the last leaf of the target's tree.
    LastInclusion,
    /// §4, step 6: the linear chain leads to the target.
    LinearProof,
    /// §4, step 7: the part of the old chain that the new tree took in is in that tree (CVE-2022-36111).
    LinearAdvance,
    /// §4, step 8: the part that the new tree took in leads to the source.
    OnwardLink,
    /// §4: an honest old server's excuse that it cannot prove this pair.
    Excuse,
    /// §3: the entries of a transaction hash to its `eH`.
    Entries,
    /// §6: an entry's value hashes to its `hValue`.
    Value,
    /// §5: the state's signature.
    Signature,
}

/// The kind of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The response is invalid or incomplete; it proves nothing about the history.
    Malformed,
    /// The response has the right form, but two hashes that must be equal differ: the server shows another history,
    /// or other data than its hashes.
    Inconsistent,
}

/// The fault, with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A part that this step needs is absent.
    Absent(&'static str),
    /// A digest has another length than 32 bytes.
    DigestLength { what: &'static str, bytes: usize },
    /// Another number of items than the sizes determine.
    Count {
        what: &'static str,
        due: u64,
        got: u64,
    },
    /// Another id than the requested one.
    Id {
        what: &'static str,
        due: u64,
        got: u64,
    },
    /// An impossible number.
    Range { what: &'static str, value: i128 },
    /// A header version that this program does not know; the server may be newer.
    UnknownVersion(i32),
    /// The source's tree is larger than the target's: no proof exists (see [`super::excuse()`]).
    TreeShrinks { source: u64, target: u64 },
    /// The server sent less than the step needs; these parts decide it (see [`super::Parts`]).
    PartsNeeded(Wanted),
    /// Two hashes that must be equal are not.
    Differs {
        what: &'static str,
        due: Digest,
        got: Digest,
    },
}

/// Parts to fetch if a server's response alone does not settle a step (protocol.md §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Headers, by `TxById`.
    pub headers: RangeInclusive<u64>,
    /// Inclusion proofs of these transactions in the target's tree; empty if none is needed.
    pub inclusions: RangeInclusive<u64>,
}

/// The failure of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The first step that failed.
    pub step: Step,
    /// The transaction at which it failed.
    pub tx: u64,
    /// The fault.
    pub reason: Reason,
}

impl Refusal {
    /// Returns the kind of the failure. The caller handles [`Reason::PartsNeeded`] and [`Reason::TreeShrinks`] first,
    /// because honest old servers cause both.
    pub fn fault(&self) -> Fault {
        match self.reason {
            Reason::Differs { .. } => Fault::Inconsistent,
            _ => Fault::Malformed,
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at transaction {}: {}",
            self.step, self.tx, self.reason
        )
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Header => "header",
            Step::Answer => "answer",
            Step::Ids => "ids",
            Step::Alh => "transaction hash",
            Step::Inclusion => "inclusion proof",
            Step::Consistency => "consistency proof",
            Step::LastInclusion => "last inclusion proof",
            Step::LinearProof => "linear proof",
            Step::LinearAdvance => "linear advance proof",
            Step::OnwardLink => "onward link",
            Step::Excuse => "excuse",
            Step::Entries => "entries",
            Step::Value => "value",
            Step::Signature => "signature",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Absent(what) => write!(f, "no {what}"),
            Reason::DigestLength { what, bytes } => {
                write!(f, "{what} has {bytes} bytes, not {}", Digest::LEN)
            }
            Reason::Count { what, due, got } => write!(f, "{got} {what}, not {due}"),
            Reason::Id { what, due, got } => write!(f, "{what} is {got}, not {due}"),
            Reason::Range { what, value } => write!(f, "{what} cannot be {value}"),
            Reason::UnknownVersion(version) => write!(
                f,
                "header version {version} is unknown, perhaps of a newer server: update immuaudit"
            ),
            Reason::TreeShrinks { source, target } => write!(
                f,
                "the tree shrinks from {source} to {target} transactions, which no proof allows"
            ),
            Reason::PartsNeeded(wanted) => write!(
                f,
                "the response lacks a part: headers {} to {} would complete the proof",
                wanted.headers.start(),
                wanted.headers.end()
            ),
            Reason::Differs { what, due, got } => write!(f, "{what} is {got}, not {due}"),
        }
    }
}

/// Creates refusals of one step at one transaction; every step consists of the checks below.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub step: Step,
    pub tx: u64,
}

impl At {
    pub fn refuse<T>(self, reason: Reason) -> Result<T, Refusal> {
        Err(Refusal {
            step: self.step,
            tx: self.tx,
            reason,
        })
    }

    /// Returns the digest in a term, or a refusal that names it.
    pub fn digest(self, what: &'static str, term: &Term) -> Result<Digest, Refusal> {
        term.digest()
            .or_else(|bad| self.refuse(Reason::DigestLength { what, bytes: bad.0 }))
    }

    /// Returns all terms as digests; their number must be exactly `due`.
    pub fn digests(
        self,
        what: &'static str,
        due: u64,
        terms: &[Term],
    ) -> Result<Vec<Digest>, Refusal> {
        self.count(what, due, terms.len())?;
        let mut digests = Vec::with_capacity(terms.len()); // collecting into a Result would allocate several times
        for term in terms {
            digests.push(self.digest(what, term)?);
        }
        Ok(digests)
    }

    pub fn count(self, what: &'static str, due: u64, got: usize) -> Result<(), Refusal> {
        let got = u64::try_from(got).unwrap_or(u64::MAX);
        if got == due {
            Ok(())
        } else {
            self.refuse(Reason::Count { what, due, got })
        }
    }

    pub fn id(self, what: &'static str, due: u64, got: u64) -> Result<(), Refusal> {
        if got == due {
            Ok(())
        } else {
            self.refuse(Reason::Id { what, due, got })
        }
    }

    pub fn same(self, what: &'static str, due: &Digest, got: &Digest) -> Result<(), Refusal> {
        if got == due {
            Ok(())
        } else {
            self.refuse(Reason::Differs {
                what,
                due: *due,
                got: *got,
            })
        }
    }
}
