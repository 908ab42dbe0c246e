//! What is told of a peer and a database.

use std::fmt;

use super::relation::{Relation, Standing};
use crate::checkpoint::KeyName;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::text::Escaped;
use crate::trust::{Agreed, Disagreement};

/// What is told of a peer and a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReport {
    /// The peer.
    pub peer: KeyName,
    /// How its last word stands to what is trusted here.
    pub standing: Standing,
    /// Why it is silent or could not be compared.
    pub why: Option<String>,
    /// Its state.
    pub theirs: Option<State>,
    /// The last state in which both agree, and when the peer confirmed it.
    pub agreed: Option<Agreed>,
    /// Since when a word waits to be compared.
    pub waiting: Option<Timestamp>,
    /// Its word that contradicts what the server shows here, until an operator closes it.
    pub disagreement: Option<Disagreement>,
}

impl PeerReport {
    pub(super) fn of(peer: &KeyName, relation: &Relation) -> PeerReport {
        let record = &relation.record;
        PeerReport {
            peer: peer.clone(),
            standing: match (relation.standing, &record.disagreement) {
                (Standing::Split, _) => Standing::Split,
                (_, Some(_)) => Standing::Disagrees,
                (standing, None) => standing,
            },
            why: relation.why.clone(),
            theirs: relation.theirs,
            agreed: record.agreed,
            waiting: record.waiting.as_ref().map(|waiting| waiting.since),
            disagreement: record.disagreement.clone(),
        }
    }
}

/// A disagreement in words; empty without one.
impl fmt::Display for PeerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(disagreement) = &self.disagreement else {
            return Ok(());
        };
        let Disagreement { theirs, here, .. } = disagreement;
        write!(
            f,
            "disagreement: {} says that transaction {} has hash {}, and here it has {}; either the server showed it \
             another history, or {} is wrong: nothing but its word speaks against the server",
            Escaped::new(self.peer.as_str()),
            theirs.tx,
            theirs.hash,
            here.hash,
            Escaped::new(self.peer.as_str()),
        )?;
        match self.agreed {
            Some(agreed) if agreed.state.tx < theirs.tx => {
                write!(
                    f,
                    "; the two agreed last on transaction {}",
                    agreed.state.tx
                )
            }
            _ => Ok(()),
        }
    }
}
