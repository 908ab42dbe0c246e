//! The result of a verification in words.

use std::fmt;

use super::{EvidenceClaim, EvidenceStrength, NotReproduced};
use crate::audit::verdict::Reason;
use crate::trust::{Claim, Contradiction};

fn part_of_history(tx: u64) -> String {
    format!("transaction {tx} is proven to be part of the trusted history")
}

/// A claim's particulars in words.
struct Found<'a>(&'a Claim);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.what {
            Contradiction::Value => {
                "a value was sent that hashes to another hash than its entry has"
            }
            Contradiction::Entries => "its entries hash to another root than its header has",
            Contradiction::NoSuchEntry => "an entry was sent that is not among its entries",
            Contradiction::Reported => "the server reports it as damaged",
            Contradiction::Header => "another header was shown in its place",
            Contradiction::Place => "the proof of its place was refused",
            Contradiction::Chain => "the transaction before it has another hash than it names",
            Contradiction::Tree => {
                "the main tree that it was written over has another root than the chain of the \
                 transactions read so far gives"
            }
        })?;
        match &self.0.differ {
            Some(differ) => write!(f, " ({}, not {})", differ.got, differ.due),
            None => Ok(()),
        }
    }
}

impl fmt::Display for EvidenceClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvidenceClaim::TwoHashes { tx } => write!(f, "{}", Reason::OtherHash { tx: *tx }),
            EvidenceClaim::OtherHere { tx, here, there } => write!(
                f,
                "transaction {tx} is proven to have hash {here} here, and has hash {there} in the checkpoint of another auditor"
            ),
            EvidenceClaim::RefusedProof(refusal) => {
                write!(f, "the recorded proof is refused: {refusal}")
            }
            EvidenceClaim::OlderState { trusted, shown } => write!(
                f,
                "transaction {trusted} was shown before, then no more than {shown}"
            ),
            EvidenceClaim::NotListed => f.write_str("the database is not listed any more"),
            EvidenceClaim::OwnWord(word) => write!(f, "the server says so itself: {word}"),
            EvidenceClaim::BadSignature(bad) => write!(f, "{bad}"),
            EvidenceClaim::Contents(claim) => {
                write!(f, "{}; yet {}", part_of_history(claim.tx), Found(claim))
            }
            EvidenceClaim::OtherHeader { tx, due, got } => write!(
                f,
                "transaction {tx} is proven to have hash {due}, and was shown with hash {got}"
            ),
            EvidenceClaim::BrokenChain { tx, due, got } => write!(
                f,
                "transactions {} and {tx} are both proven to be part of the trusted history; the first has hash \
                 {got}, and {tx} names {due} as the hash of the transaction before it",
                tx.saturating_sub(1)
            ),
            EvidenceClaim::RootOfNoTree { tx } => write!(
                f,
                "{}; its main tree has no transactions, and a root all the same",
                part_of_history(*tx)
            ),
            EvidenceClaim::OnRecord(claim) => write!(
                f,
                "{}; this auditor's record, which the file does not show, is that {}",
                part_of_history(claim.tx),
                Found(claim)
            ),
        }
    }
}

impl fmt::Display for EvidenceStrength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EvidenceStrength::Proof => {
                "proof against the server: two states that exclude each other bear its signature"
            }
            EvidenceStrength::TwoHistoriesInOne => {
                "proof against the server: a state that bears its signature commits to two histories"
            }
            EvidenceStrength::SignedStates => {
                "both states bear the server's signature, so it did show both; their order, and what \
                 was sent beside them, rest on this auditor's record"
            }
            EvidenceStrength::SignedElsewhere => {
                "what the other auditor was shown bears the server's signature; what was shown here rests on this auditor's record"
            }
            EvidenceStrength::Witnesses => {
                "a disagreement: it convinces only those who trust this auditor and the one that signed the checkpoint; no known \
                 key of the server signed it, so the server may never have shown it"
            }
            EvidenceStrength::AuditorsWord => "it convinces only those who trust this auditor: no two states signed by a known key are in it",
        })
    }
}

impl fmt::Display for NotReproduced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotReproduced::Absent(what) => write!(f, "there is no {what} in the file"),
            NotReproduced::Holds => f.write_str("the recorded answers show nothing wrong"),
            NotReproduced::Unreadable(malformed) => {
                write!(f, "the recorded answer cannot be read: {malformed}")
            }
            NotReproduced::Count => f.write_str(
                "it counts findings past the first ones, and holds no answers: see the other files",
            ),
            NotReproduced::NoKey => f.write_str(
                "the signature cannot be checked without the key: give --server-signing-pub-key",
            ),
        }
    }
}
