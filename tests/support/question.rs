//! A question to the ledger, and what answers it by chance.

use immuaudit::ledger::{DualProof, Fault, Parts, State, Term, verify};

use super::random::Random;

/// One question to the ledger.
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

    /// The transaction that the refusal names.
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

/// A digest, or now and then bytes that are none.
pub fn random_term(random: &mut Random) -> Term {
    match random.below(8) {
        0 => Term::from(&random.bytes(31)[..]),
        _ => random.digest().into(),
    }
}
