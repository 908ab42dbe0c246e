//! Verifies claims about a state: another history, fewer transactions, a hidden database.

use protobuf::Message;

use super::{Case, EvidenceClaim, NotReproduced};
use crate::ledger::{self, ClaimedState, Fault, Parts, Refusal, State};
use crate::trust::Tampering;
use crate::wire::{self, VerifiableTx, proto};

impl Case<'_> {
    /// Returns the state of the finding from the server's response.
    pub(super) fn claimed(&self) -> Result<ClaimedState, NotReproduced> {
        let shown = self.evidence.finding.shown;
        let mut unreadable = None;
        for (_, reply) in self.replies("CurrentState") {
            match wire::state(reply) {
                Ok(claimed) if Some(claimed.state) == shown => return Ok(claimed),
                Ok(_) => {}
                Err(malformed) => unreadable = Some(malformed),
            }
        }
        Err(match unreadable {
            Some(malformed) => NotReproduced::Unreadable(malformed),
            None => NotReproduced::Absent("response with the state that the file names"),
        })
    }

    pub(super) fn shows_another_history(&self) -> Result<EvidenceClaim, NotReproduced> {
        let trusted = self.trusted()?.state;
        let shown = match self.evidence.finding.kind {
            // the state that another auditor signed replaces the server's response
            Tampering::SplitView => self.evidence.finding.shown,
            _ => Some(self.claimed()?.state),
        };
        let shown = shown.ok_or(NotReproduced::Absent("state from the server"))?;
        if shown.tx == trusted.tx {
            return match shown.hash == trusted.hash {
                true => Err(NotReproduced::Holds),
                false => Ok(EvidenceClaim::TwoHashes { tx: shown.tx }),
            };
        }
        let (source, target) = match shown.tx < trusted.tx {
            true => (shown, trusted),
            false => (trusted, shown),
        };
        self.refused(&source, &target)
            .map(EvidenceClaim::RefusedProof)
    }

    /// Returns the refusal of the recorded proof of this pair, verified with the recorded parts of the proof.
    fn refused(&self, source: &State, target: &State) -> Result<Refusal, NotReproduced> {
        let parts = self.parts(target.tx);
        let mut proof = None;
        for (request, reply) in self.replies("VerifiableTxById") {
            let asked = proto::VerifiableTxRequest::parse_from_bytes(request).ok();
            let of_pair = |asked: &proto::VerifiableTxRequest| {
                asked.tx == target.tx && asked.prove_since_tx == source.tx
            };
            if asked.as_ref().is_some_and(of_pair) {
                proof = Some(wire::verifiable_tx(reply).map_err(NotReproduced::Unreadable)?);
            }
        }
        let verified = match &proof {
            Some(proof) => verify(source, target, proof, target.tx, &parts),
            None if !parts.headers.is_empty() => {
                ledger::excuse(source, target, &parts.headers).map(drop)
            }
            None => return Err(NotReproduced::Absent("proof between the two states")),
        };
        match verified {
            Err(refusal) if refusal.fault() == Fault::Inconsistent => Ok(refusal),
            Err(refusal) => Err(NotReproduced::Unreadable(refusal.into())),
            Ok(()) => Err(NotReproduced::Holds),
        }
    }

    pub(super) fn shows_less(&self) -> Result<EvidenceClaim, NotReproduced> {
        let trusted = self.trusted()?.state;
        let nothing_older = if self.evidence.finding.shown.is_some() {
            match self.claimed() {
                Ok(shown) if shown.state.tx < trusted.tx => {
                    return Ok(EvidenceClaim::OlderState {
                        trusted: trusted.tx,
                        shown: shown.state.tx,
                    });
                }
                Ok(_) => NotReproduced::Holds,
                Err(absent) => absent,
            }
        } else if let Some(word) = self.errors().last() {
            return Ok(EvidenceClaim::OwnWord(word));
        } else {
            NotReproduced::Absent("list without the database")
        };
        // a hidden database may have as many transactions as before
        let name = self.evidence.finding.database.as_bytes();
        for (_, reply) in self.replies("DatabaseList") {
            let names = wire::database_list(reply).map_err(NotReproduced::Unreadable)?;
            if !names.iter().any(|listed| listed == name) {
                return Ok(EvidenceClaim::NotListed);
            }
        }
        Err(nothing_older)
    }

    pub(super) fn shows_a_bad_signature(&self) -> Result<EvidenceClaim, NotReproduced> {
        let claimed = self.claimed()?;
        if claimed.signature.is_some() && self.keys.is_empty() {
            return Err(NotReproduced::NoKey);
        }
        let database = &self.evidence.finding.database;
        match claimed.verify_signature(database, self.keys) {
            Err(bad) => Ok(EvidenceClaim::BadSignature(bad)),
            Ok(()) => Err(NotReproduced::Holds),
        }
    }
}

/// Verifies a recorded proof of a pair again; `asked` is the transaction that came with it.
pub(super) fn verify(
    source: &State,
    target: &State,
    proof: &VerifiableTx,
    asked: u64,
    parts: &Parts,
) -> Result<(), Refusal> {
    match (
        ledger::verify(source, target, &proof.proof, parts),
        &proof.tx,
    ) {
        (Err(refusal), _) if !matches!(refusal.reason, ledger::Reason::TreeShrinks { .. }) => {
            Err(refusal)
        }
        (Err(_), _) => ledger::excuse(source, target, &parts.headers).map(drop),
        (Ok(_), Some(tx)) => proof.proof.verify_answer(asked, &tx.header),
        (Ok(_), None) => Ok(()),
    }
}
