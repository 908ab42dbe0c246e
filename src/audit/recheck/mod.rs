//! Offline verification of evidence: whether its claim follows from the recorded responses, and for whom it is a
//! proof.
//!
//! Reading order: this file (the results), `history` (a state against the trusted one), `read` (proofs of single
//! transactions), `split` (the checkpoint of another auditor), `transaction` (claims about one transaction), `words`.

mod history;
mod read;
mod split;
mod transaction;
mod words;

use protobuf::Message;

use crate::ledger::{BadSignature, ClaimedState, Digest, Parts, PublicKey, Refusal, StateShape};
use crate::trust::{Answer, Claim, Evidence, Shortened, Tampering, TrustedState};
use crate::wire::{self, proto};

/// The result of verifying evidence.
#[derive(Debug)]
pub enum Rechecked {
    /// The responses prove the claim.
    Shown {
        /// The claim that the responses prove.
        what: EvidenceClaim,
        /// The people whom the evidence convinces.
        bearing: EvidenceStrength,
    },
    /// The responses alone do not prove the claim.
    NotReproduced(NotReproduced),
}

/// The claim that the responses of a finding support.
#[derive(Debug)]
pub enum EvidenceClaim {
    /// The same transaction with two hashes.
    TwoHashes { tx: u64 },
    /// A transaction that is proven to have one hash in the trusted history, and has another in a checkpoint of another
    /// auditor.
    OtherHere {
        tx: u64,
        here: Digest,
        there: Digest,
    },
    /// A proof against the trusted state that is refused.
    RefusedProof(Refusal),
    /// A state older than the trusted one.
    OlderState { trusted: u64, shown: u64 },
    /// A list of databases without this one.
    NotListed,
    /// A response in which the server itself reports that the database is gone, or that its data is damaged.
    OwnWord(String),
    /// A state that is not signed as configured.
    BadSignature(BadSignature),
    /// A transaction of the trusted history with entries or values other than those in its header.
    Contents(Claim),
    /// A transaction that is proven to have one hash and was shown with another.
    OtherHeader { tx: u64, due: Digest, got: Digest },
    /// A transaction of the trusted history whose header names a hash for the transaction before it that differs from
    /// the proven one.
    BrokenChain { tx: u64, due: Digest, got: Digest },
    /// A transaction that has a main tree's root although its main tree is empty.
    RootOfNoTree { tx: u64 },
    /// A transaction of the trusted history; the rest of the claim is the auditor's record.
    OnRecord(Claim),
}

/// The people whom the evidence convinces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceStrength {
    /// Anybody with the server's public key: two states that the server signed exclude each other.
    Proof,
    /// Anybody with the server's public key: a state that the server signed commits to two histories.
    TwoHistoriesInOne,
    /// Both states are signed by the server's key, so the server showed both. Their order, and the server's other
    /// responses, are the auditor's record.
    SignedStates,
    /// Anybody who has the server's public key and trusts this auditor: the other auditor's state has the server's
    /// signature, and the local state is this auditor's record.
    SignedElsewhere,
    /// Only people who trust this auditor and the signer of the checkpoint: no response proves that the server showed
    /// the state.
    Witnesses,
    /// Only people who trust this auditor.
    AuditorsWord,
}

/// The reason why the recorded responses alone do not prove the claim.
#[derive(Debug)]
pub enum NotReproduced {
    /// A response that would prove it is not in the file.
    Absent(&'static str),
    /// The response is there, and shows no corruption.
    Holds,
    /// The response is there and cannot be read.
    Unreadable(wire::Malformed),
    /// A signature cannot be checked without the key.
    NoKey,
    /// The finding counts further findings, which have no responses of their own.
    Count,
}

/// Verifies evidence; `keys` are the server's, if they are known.
pub fn recheck(evidence: &Evidence, keys: &[PublicKey]) -> Rechecked {
    let case = Case { evidence, keys };
    match case.shows() {
        Ok(what) => Rechecked::Shown {
            bearing: case.bearing(&what),
            what,
        },
        Err(not_shown) => Rechecked::NotReproduced(not_shown),
    }
}

struct Case<'a> {
    evidence: &'a Evidence,
    keys: &'a [PublicKey],
}

impl Case<'_> {
    fn shows(&self) -> Result<EvidenceClaim, NotReproduced> {
        let finding = &self.evidence.finding;
        if let Some(claim) = &finding.claim {
            return self.shows_claim(claim);
        }
        match finding.kind {
            Tampering::Inconsistent | Tampering::RolledBack | Tampering::BadValue
                if self.evidence.answers.is_empty() && finding.shown.is_none() =>
            {
                Err(NotReproduced::Count)
            }
            Tampering::SplitView => match self.checkpoint() {
                Some(checkpoint) => self.shows_a_split(checkpoint.state),
                None => self.shows_a_claimed_split(),
            },
            Tampering::Inconsistent => self.shows_another_history(),
            Tampering::RolledBack => self.shows_less(),
            Tampering::BadSignature => self.shows_a_bad_signature(),
            // only a state is read; the server itself reports that it cannot read it
            Tampering::BadValue => self.own_word(),
        }
    }

    /// Returns the responses that are not cut.
    fn answers(&self) -> impl Iterator<Item = &Answer> {
        let whole = self.evidence.answers.iter();
        whole.filter(|answer| !matches!(answer.shortened, Some(Shortened::Cut(_))))
    }

    /// Returns requests and replies of one method; errors are left out.
    fn replies(&self, call: &str) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.answers()
            .filter(move |answer| answer.call == call)
            .filter_map(|answer| Some((&answer.request[..], &answer.reply.as_ref().ok()?[..])))
    }

    fn errors(&self) -> impl Iterator<Item = String> {
        self.answers()
            .filter_map(|answer| answer.reply.as_ref().err().cloned())
    }

    /// Returns the last error that the server answered with.
    fn own_word(&self) -> Result<EvidenceClaim, NotReproduced> {
        let word = self.errors().last();
        word.map(EvidenceClaim::OwnWord)
            .ok_or(NotReproduced::Absent(
                "error in which the server reports damage",
            ))
    }

    fn trusted(&self) -> Result<&TrustedState, NotReproduced> {
        let trusted = self.evidence.finding.trusted.as_ref();
        trusted.ok_or(NotReproduced::Absent("trusted state"))
    }

    /// Returns the recorded parts that a proof up to `target` needs: headers and inclusion proofs.
    fn parts(&self, target: u64) -> Parts {
        let mut parts = Parts::default();
        for (request, reply) in self.replies("VerifiableTxById") {
            let asked = proto::VerifiableTxRequest::parse_from_bytes(request).ok();
            let asked = asked.filter(|asked| asked.tx == target);
            if let (Some(asked), Ok(part)) = (asked, wire::verifiable_tx(reply)) {
                let inclusion = part.proof.inclusion;
                parts.inclusions.insert(asked.prove_since_tx, inclusion);
            }
        }
        for (request, reply) in self.replies("TxById") {
            let asked = proto::TxRequest::parse_from_bytes(request).ok();
            if let (Some(asked), Ok(tx)) = (asked, wire::tx(reply)) {
                parts.headers.insert(asked.tx, tx.header);
            }
        }
        parts
    }

    fn bearing(&self, what: &EvidenceClaim) -> EvidenceStrength {
        let finding = &self.evidence.finding;
        let Some(trusted) = &finding.trusted else {
            return EvidenceStrength::AuditorsWord;
        };
        let trusted = ClaimedState {
            shape: trusted.shape.unwrap_or(StateShape::WithDatabase),
            database: finding.database.clone().into(),
            state: trusted.state,
            signature: trusted.signature.clone(),
        };
        let signed_for_any = |state: &ClaimedState| {
            let signed = state.verify_signature(&finding.database, self.keys);
            signed.is_ok()
        };
        // the signature of 0.9.0 does not cover the database, so two such states can be of two databases
        let signed =
            |state: &ClaimedState| state.shape == StateShape::WithDatabase && signed_for_any(state);
        if finding.kind == Tampering::SplitView {
            return self.bearing_of_split(what, signed(&trusted));
        }
        if matches!(what, EvidenceClaim::BrokenChain { .. }) && signed_for_any(&trusted) {
            // the contradiction is within one state, whatever its database
            return EvidenceStrength::TwoHistoriesInOne;
        }
        if !signed(&trusted) {
            return EvidenceStrength::AuditorsWord;
        }
        match (self.claimed().is_ok_and(|claimed| signed(&claimed)), what) {
            (true, EvidenceClaim::TwoHashes { .. }) => EvidenceStrength::Proof,
            (true, _) if finding.claim.is_none() => EvidenceStrength::SignedStates,
            _ => EvidenceStrength::AuditorsWord,
        }
    }
}
