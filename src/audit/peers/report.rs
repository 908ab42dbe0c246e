//! The reports on the peers of a database.

use std::fmt;

use super::due::overdue;
use super::relation::Relation;
use super::standing::Standing;
use crate::audit::auditor::Auditor;
use crate::audit::outcome::Overdue;
use crate::audit::overdue::late_after;
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

impl Auditor {
    /// Returns the reports on the peers of a database, and the overdue comparison, if there is one.
    pub(in crate::audit) fn peer_reports(
        &self,
        database: &str,
    ) -> (Vec<PeerReport>, Option<Overdue>) {
        let Some(record) = self
            .databases
            .get(database)
            .filter(|_| !self.peers.is_empty())
        else {
            return (Vec::new(), None);
        };
        let named = self.peers.names();
        let named = named.filter_map(|peer| Some((peer, record.peers.get(peer)?)));
        let reports: Vec<PeerReport> = named
            .clone()
            .map(|(peer, relation)| PeerReport::of(peer, relation))
            .collect();
        if reports.is_empty() {
            return (reports, None); // the database has no trusted state yet
        }
        let allowed = late_after(self.policy.interval);
        let (required, ages) = (self.peers.required(), self.wall_ages());
        let late = overdue(named.map(|(_, of)| &**of), required, allowed, ages);
        (reports, late)
    }
}
