//! Verifying another auditor's checkpoint or states as evidence of two histories.

use protobuf::Message;

use super::history::verify;
use super::{Case, EvidenceClaim, EvidenceStrength, NotReproduced};
use crate::checkpoint::{Checkpoint, SignedNote};
use crate::ledger::{ClaimedState, Fault, State, StateShape};
use crate::trust::{Answer, shown_states};
use crate::wire::{self, VerifiableTx, proto};

impl Case<'_> {
    /// Returns the recorded checkpoint of the finding's state; `None` if the file has none.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        let finding = &self.evidence.finding;
        let notes = self.replies(Answer::CHECKPOINT);
        let mut checkpoints = notes.filter_map(|(_, note)| {
            let note = SignedNote::read(note).ok()?;
            Checkpoint::read(note.text()).ok()
        });
        checkpoints.find(|checkpoint| {
            let origin = &checkpoint.origin;
            Some(checkpoint.state) == finding.shown
                && origin.database == finding.database
                && origin.server == self.evidence.server
        })
    }

    /// Checks whether another auditor's state contradicts the history of the trusted state.
    pub(super) fn shows_a_split(&self, theirs: State) -> Result<EvidenceClaim, NotReproduced> {
        let trusted = self.trusted()?.state;
        if theirs.tx == trusted.tx {
            return match theirs.hash == trusted.hash {
                true => Err(NotReproduced::Holds),
                false => Ok(EvidenceClaim::TwoHashes { tx: theirs.tx }),
            };
        }
        let proof = self.proof_of_other_state(theirs, trusted)?;
        let here = proof.tx.as_ref().map(|tx| tx.header.alh());
        let here = here.ok_or(NotReproduced::Absent("transaction in the response"))?;
        let shown = State {
            hash: here,
            ..theirs
        };
        let (source, target) = match theirs.tx < trusted.tx {
            true => (shown, trusted),
            false => (trusted, shown),
        };
        let parts = self.parts(target.tx);
        match verify(&source, &target, &proof, theirs.tx, &parts) {
            Ok(()) if here == theirs.hash => Err(NotReproduced::Holds),
            Ok(()) => Ok(EvidenceClaim::OtherHere {
                tx: theirs.tx,
                here,
                there: theirs.hash,
            }),
            Err(refusal) if here == theirs.hash && refusal.fault() == Fault::Inconsistent => {
                Ok(EvidenceClaim::RefusedProof(refusal))
            }
            Err(refusal) => Err(NotReproduced::Unreadable(refusal.into())),
        }
    }

    /// Returns the recorded response for the transaction of another auditor's state.
    fn proof_of_other_state(
        &self,
        theirs: State,
        trusted: State,
    ) -> Result<VerifiableTx, NotReproduced> {
        let mut found = Err(NotReproduced::Absent("proof between the two states"));
        for (request, reply) in self.replies("VerifiableTxById") {
            let asked = proto::VerifiableTxRequest::parse_from_bytes(request).ok();
            let of_pair = |asked: &proto::VerifiableTxRequest| {
                asked.tx == theirs.tx && asked.prove_since_tx == trusted.tx
            };
            if asked.as_ref().is_some_and(of_pair) {
                found = wire::verifiable_tx(reply).map_err(NotReproduced::Unreadable);
            }
        }
        found
    }

    /// Checks whether another auditor's state, which came without a checkpoint, contradicts the history of the
    /// trusted state.
    pub(super) fn shows_a_claimed_split(&self) -> Result<EvidenceClaim, NotReproduced> {
        let theirs = self.evidence.finding.shown;
        let theirs = theirs.ok_or(NotReproduced::Absent("state of another auditor"))?;
        match self.shows_a_split(theirs) {
            // version 0.1.0 requested the proof between the two states only
            Err(NotReproduced::Absent(_)) => self.shows_another_history(),
            shown => shown,
        }
    }

    /// Returns the other auditor's state with the server's signature, from the recorded `/states`; `None` if the file
    /// has none.
    fn claimed_elsewhere(&self) -> Option<ClaimedState> {
        let finding = &self.evidence.finding;
        let mut states = self.replies(Answer::STATES);
        let (_, reply) = states.next()?;
        let shown = shown_states(reply)?.into_iter();
        let mut of_database = shown.filter(|of| of.database == finding.database);
        let claimed = of_database.find_map(|of| of.claimed());
        claimed.filter(|claimed| Some(claimed.state) == finding.shown)
    }

    /// Returns whether the server signed the other auditor's state, by a known key.
    fn is_signed_elsewhere(&self) -> bool {
        let (keys, database) = (self.keys, &self.evidence.finding.database);
        match self.checkpoint() {
            _ if keys.is_empty() => false,
            Some(checkpoint) => checkpoint.verify_server(keys) == Ok(StateShape::WithDatabase),
            None => self
                .claimed_elsewhere()
                .is_some_and(|claimed| claimed.verify_signature(database, keys).is_ok()),
        }
    }

    /// Returns for whom another auditor's state that contradicts the trusted state is a proof.
    pub(super) fn bearing_of_split(
        &self,
        what: &EvidenceClaim,
        is_trusted_signed: bool,
    ) -> EvidenceStrength {
        match (what, self.is_signed_elsewhere(), is_trusted_signed) {
            (EvidenceClaim::TwoHashes { .. } | EvidenceClaim::OtherHere { .. }, true, true) => {
                EvidenceStrength::Proof
            }
            (EvidenceClaim::TwoHashes { .. } | EvidenceClaim::OtherHere { .. }, true, false) => {
                EvidenceStrength::SignedElsewhere
            }
            (EvidenceClaim::RefusedProof(_), true, true) => EvidenceStrength::SignedStates,
            (EvidenceClaim::RefusedProof(_), ..) => EvidenceStrength::AuditorsWord,
            _ => EvidenceStrength::Witnesses,
        }
    }
}
