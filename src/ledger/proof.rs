//! Dual proofs as servers send them, and the parts that are fetched in addition (protocol.md §2, §4).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::digest::Term;
use super::header::TxHeader;
use super::refusal::{At, Reason, Refusal, Step, Wanted};

/// A dual proof as a server sends it: a step checks terms and parts when it uses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DualProof {
    /// Header of the smaller transaction.
    pub source: Option<TxHeader>,
    /// Header of the larger transaction.
    pub target: Option<TxHeader>,
    /// The terms for step 3.
    pub inclusion: Vec<Term>,
    /// The terms for step 4.
    pub consistency: Vec<Term>,
    /// Alh of the last transaction in the target's tree, for step 5.
    pub target_bl_tx_alh: Term,
    /// The terms for step 5.
    pub last_inclusion: Vec<Term>,
    /// The proof for step 6.
    pub linear: Option<LinearProof>,
    /// The proof of step 7; servers before 1.4 send none.
    pub linear_advance: Option<LinearAdvance>,
}

/// A part of the chain of Alhs, from one transaction to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearProof {
    /// The transaction at which it starts.
    pub source_tx: u64,
    /// The transaction at which it ends.
    pub target_tx: u64,
    /// The first Alh, then the inner hash of each transaction after it.
    pub terms: Vec<Term>,
}

/// The part of the chain after the source's tree that the target's tree took in, and proofs that it is in that tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearAdvance {
    /// As in [`LinearProof::terms`].
    pub linear: Vec<Term>,
    /// One audit path for each transaction but the last.
    pub inclusions: Vec<Vec<Term>>,
}

/// The parts that the auditor fetched in addition to the proof, by transaction id (protocol.md §4). None of them
/// is trusted: each is checked like the proof's own parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Headers by `TxById`.
    pub headers: BTreeMap<u64, TxHeader>,
    /// `inclusionProof` of `VerifiableTxById{tx: target, proveSinceTx: id}`.
    pub inclusions: BTreeMap<u64, Vec<Term>>,
}

impl DualProof {
    /// Verifies that the proof covers the response's transaction: the header of the requested transaction is the
    /// proof's source or target, Alh for Alh (protocol.md §2, *VerifiableTxById*). Without this check, entries
    /// could be read from a transaction that the proof does not cover.
    ///
    /// # Errors
    /// [`Step::Answer`].
    pub fn verify_answer(&self, asked: u64, header: &TxHeader) -> Result<(), Refusal> {
        let at = At {
            step: Step::Answer,
            tx: asked,
        };
        at.id("the response's transaction", asked, header.id())?;
        let of_proof = [&self.target, &self.source]
            .into_iter()
            .flatten()
            .find(|proof| proof.id() == asked);
        match of_proof {
            Some(proof) => at.same("the response's transaction", &proof.alh(), &header.alh()),
            None => at.refuse(Reason::Absent(
                "header of the requested transaction in the proof",
            )),
        }
    }
}

impl Parts {
    /// Returns the headers of `ids`, each with its own id; if one is absent, returns a refusal that lists the
    /// `wanted` parts.
    pub(super) fn chain(
        &self,
        at: At,
        ids: RangeInclusive<u64>,
        wanted: &Wanted,
    ) -> Result<Vec<&TxHeader>, Refusal> {
        let mut headers = Vec::new();
        for id in ids {
            let Some(header) = self.headers.get(&id) else {
                return at.refuse(Reason::PartsNeeded(wanted.clone()));
            };
            At { tx: id, ..at }.id("the header's id", id, header.id())?;
            headers.push(header);
        }
        Ok(headers)
    }
}
