//! Formats the result of a verification.

use std::fmt;

use super::{EvidenceClaim, EvidenceStrength, NotReproduced};
use crate::audit::verdict::Reason;
use crate::trust::{Claim, Contradiction};

fn part_of_history(tx: u64) -> String {
    format!("transaction {tx} is proven to be part of the trusted history")
}

/// Formats the details of a claim.
struct Found<'a>(&'a Claim);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.what {
            Contradiction::Value => "the hash of a sent value differs from the hash in its entry",
            Contradiction::Entries => "the root of its entries differs from the root in its header",
            Contradiction::NoSuchEntry => "a sent entry is not one of its entries",
            Contradiction::Reported => "the server reports it as corrupt",
            Contradiction::Header => "another header was sent for it",
            Contradiction::Place => "the proof that it is part of the history was refused",
            Contradiction::Chain => {
                "the transaction before it has another hash than its header names"
            }
            Contradiction::Tree => {
                "the main tree in its header has another root than the transactions that were read"
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
                "transaction {tx} is proven to have hash {here} here, but has hash {there} in the state of another auditor"
            ),
            EvidenceClaim::RefusedProof(refusal) => {
                write!(f, "the recorded proof is refused: {refusal}")
            }
            EvidenceClaim::OlderState { trusted, shown } => write!(
                f,
                "transaction {trusted} was shown before, and later only transactions up to {shown}"
            ),
            EvidenceClaim::NotListed => f.write_str("the database is not listed any more"),
            EvidenceClaim::OwnWord(word) => write!(f, "the server itself reports it: {word}"),
            EvidenceClaim::BadSignature(bad) => write!(f, "{bad}"),
            EvidenceClaim::Contents(claim) => {
                write!(f, "{}, but {}", part_of_history(claim.tx), Found(claim))
            }
            EvidenceClaim::OtherHeader { tx, due, got } => write!(
                f,
                "transaction {tx} is proven to have hash {due}, but was shown with hash {got}"
            ),
            EvidenceClaim::BrokenChain { tx, due, got } => write!(
                f,
                "transactions {} and {tx} are both proven to be part of the trusted history; the first has hash {got}, but {tx} names {due} as the hash of the transaction before it",
                tx.saturating_sub(1)
            ),
            EvidenceClaim::RootOfNoTree { tx } => write!(
                f,
                "{}; its main tree has no transactions, but a root",
                part_of_history(*tx)
            ),
            EvidenceClaim::OnRecord(claim) => write!(
                f,
                "{}; this auditor recorded, without a proof in the file, that {}",
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
                "proof against the server: it signed two states that exclude each other"
            }
            EvidenceStrength::TwoHistoriesInOne => {
                "proof against the server: it signed a state that commits to two histories"
            }
            EvidenceStrength::SignedStates => {
                "the server signed both states, so it showed both; only this auditor's record proves their order and the other data"
            }
            EvidenceStrength::SignedElsewhere => {
                "the server signed the state of the other auditor; only this auditor's record proves the state that was shown here"
            }
            EvidenceStrength::Witnesses => {
                "a disagreement: it convinces only people who trust this auditor and the other auditor; no known key of the server signed the other auditor's state, so the server may never have shown it"
            }
            EvidenceStrength::AuditorsWord => "it convinces only people who trust this auditor, because the file does not have two states that a known key signed",
        })
    }
}

impl fmt::Display for NotReproduced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotReproduced::Absent(what) => write!(f, "there is no {what} in the file"),
            NotReproduced::Holds => f.write_str("the recorded responses contain no error"),
            NotReproduced::Unreadable(malformed) => {
                write!(f, "the recorded response cannot be read: {malformed}")
            }
            NotReproduced::Count => f.write_str(
                "it only counts further findings and has no responses: see the other evidence files",
            ),
            NotReproduced::NoKey => f.write_str(
                "the signature cannot be verified without the key: give --server-signing-pub-key",
            ),
        }
    }
}
