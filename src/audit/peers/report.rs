//! The report on a peer and a database.

use std::fmt;

use super::relation::Relation;
use super::standing::Standing;
use crate::checkpoint::KeyName;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::text::Escaped;
use crate::trust::{Agreed, Disagreement};

/// The report on a peer and a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReport {
    /// The peer.
    pub peer: KeyName,
    /// The relation of its last checkpoint to the trusted state.
    pub standing: Standing,
    /// The reason why the peer is silent or its checkpoint could not be compared.
    pub why: Option<String>,
    /// The peer's state.
    pub theirs: Option<State>,
    /// The last state on which both agree, and the time at which the peer confirmed it.
    pub agreed: Option<Agreed>,
    /// The time since which a checkpoint waits to be compared.
    pub waiting: Option<Timestamp>,
    /// Its checkpoint that contradicts the local server, until an operator closes the disagreement.
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
            "disagreement: {} says that transaction {} has hash {}, but here it has {}; either the server showed it another history, or {} is wrong: only its checkpoint contradicts the server",
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
                    "; the last transaction on which both agreed is {}",
                    agreed.state.tx
                )
            }
            _ => Ok(()),
        }
    }
}
