//! The result of a verification in words.

use std::fmt;

use super::{Bearing, NotShown, Shows};
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

impl fmt::Display for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shows::TwoHashes { tx } => write!(f, "{}", Reason::OtherHash { tx: *tx }),
            Shows::OtherHere { tx, here, there } => write!(
                f,
                "transaction {tx} is proven to have hash {here} here, but has hash {there} in the checkpoint of another auditor"
            ),
            Shows::RefusedProof(refusal) => write!(f, "the recorded proof is refused: {refusal}"),
            Shows::OlderState { trusted, shown } => write!(
                f,
                "transaction {trusted} was shown before, and later only transactions up to {shown}"
            ),
            Shows::NotListed => f.write_str("the database is not listed any more"),
            Shows::OwnWord(word) => write!(f, "the server itself reports it: {word}"),
            Shows::BadSignature(bad) => write!(f, "{bad}"),
            Shows::Contents(claim) => {
                write!(f, "{}, but {}", part_of_history(claim.tx), Found(claim))
            }
            Shows::OtherHeader { tx, due, got } => write!(
                f,
                "transaction {tx} is proven to have hash {due}, but was shown with hash {got}"
            ),
            Shows::BrokenChain { tx, due, got } => write!(
                f,
                "transactions {} and {tx} are both proven to be part of the trusted history; the first has hash {got}, but {tx} names {due} as the hash of the transaction before it",
                tx.saturating_sub(1)
            ),
            Shows::RootOfNoTree { tx } => write!(
                f,
                "{}; its main tree has no transactions, but a root",
                part_of_history(*tx)
            ),
            Shows::OnRecord(claim) => write!(
                f,
                "{}; this auditor recorded, without a proof in the file, that {}",
                part_of_history(claim.tx),
                Found(claim)
            ),
        }
    }
}

impl fmt::Display for Bearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bearing::Proof => {
                "proof against the server: it signed two states that exclude each other"
            }
            Bearing::TwoHistoriesInOne => {
                "proof against the server: it signed a state that commits to two histories"
            }
            Bearing::SignedStates => {
                "the server signed both states, so it showed both; only this auditor's record proves their order and the other data"
            }
            Bearing::SignedElsewhere => {
                "the server signed the state of the other auditor; only this auditor's record proves the state that was shown here"
            }
            Bearing::Witnesses => {
                "a disagreement: it convinces only people who trust this auditor and the auditor that signed the checkpoint; no known key of the server signed it, so the server may never have shown it"
            }
            Bearing::AuditorsWord => "it convinces only people who trust this auditor, because the file does not have two states that a known key signed",
        })
    }
}

impl fmt::Display for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotShown::Absent(what) => write!(f, "there is no {what} in the file"),
            NotShown::Holds => f.write_str("the recorded responses contain no error"),
            NotShown::Unreadable(malformed) => {
                write!(f, "the recorded response cannot be read: {malformed}")
            }
            NotShown::Count => f.write_str(
                "it only counts further findings and has no responses: see the other evidence files",
            ),
            NotShown::NoKey => f.write_str(
                "the signature cannot be verified without the key: give --server-signing-pub-key",
            ),
        }
    }
}
