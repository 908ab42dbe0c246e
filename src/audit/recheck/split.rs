//! Verifying another auditor's checkpoint as evidence of two histories.

use protobuf::Message;

use super::history::verify;
use super::{Case, EvidenceClaim, EvidenceStrength, NotReproduced};
use crate::checkpoint::{Checkpoint, SignedNote};
use crate::ledger::{Fault, State, StateShape};
use crate::trust::Answer;
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

    /// Returns for whom a checkpoint that contradicts the trusted state is a proof.
    pub(super) fn bearing_of(
        &self,
        checkpoint: &Checkpoint,
        what: &EvidenceClaim,
        is_trusted_signed: bool,
    ) -> EvidenceStrength {
        let keys = self.keys;
        let is_signed =
            !keys.is_empty() && checkpoint.verify_server(keys) == Ok(StateShape::WithDatabase);
        match (what, is_signed, is_trusted_signed) {
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
