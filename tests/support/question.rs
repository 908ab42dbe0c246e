//! A proof to verify with the ledger, and random terms.

use immuaudit::ledger::{DualProof, Fault, Parts, State, Term, verify};

use super::random::Random;

/// A proof of one state from another, with its parts.
#[derive(Clone)]
pub struct Question {
    pub source: State,
    pub target: State,
    pub proof: DualProof,
    pub parts: Parts,
}

impl Question {
    pub fn holds(&self) -> bool {
        verify(&self.source, &self.target, &self.proof, &self.parts).is_ok()
    }

    pub fn fault(&self) -> Option<Fault> {
        let refused = verify(&self.source, &self.target, &self.proof, &self.parts).err()?;
        Some(refused.fault())
    }

    /// Returns the transaction in the refusal.
    pub fn refused_at(&self) -> Option<u64> {
        let refused = verify(&self.source, &self.target, &self.proof, &self.parts).err()?;
        Some(refused.tx)
    }

    pub fn changed(&self, change: impl FnOnce(&mut Question)) -> Question {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }
}

/// Returns a random digest, or sometimes bytes of the wrong length.
pub fn random_term(random: &mut Random) -> Term {
    match random.below(8) {
        0 => Term::from(&random.bytes(31)[..]),
        _ => random.digest().into(),
    }
}
