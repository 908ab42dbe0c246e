//! The records of peers on disk: their last agreement, waiting checkpoints and disagreements.

use std::time::Duration;

use super::relation::Relation;
use crate::audit::auditor::Auditor;
use crate::audit::cycle::Cycle;
use crate::audit::written::Facts;
use crate::checkpoint::KeyName;
use crate::peer::{PeerPoller, ROUND_TIMEOUT};
use crate::text::Escaped;
use crate::trust::PeerRecord;

/// The time limit of waiting for the peers, in a run of a single cycle and in a first cycle: one round over all of
/// them.
pub(in crate::audit) const MAX_WAIT_FOR_PEERS: Duration = ROUND_TIMEOUT;

impl Auditor {
    /// Compares with these peers from now on.
    #[must_use]
    pub fn with_peers_of(mut self, peers: PeerPoller) -> Auditor {
        self.change_peers(peers);
        self
    }

    /// Compares with other peers from now on. Keeps the records of the peers that stay, and the open disagreements of
    /// the others, which only an operator closes.
    pub fn change_peers(&mut self, peers: PeerPoller) {
        let was_empty = self.peers.is_empty();
        self.peers = peers;
        let names: Vec<KeyName> = self.peers.names().cloned().collect();
        for (_, database) in self.databases.iter_mut() {
            database
                .peers
                .retain(|name, relation| is_kept(&names, name, &relation.record));
        }
        if !was_empty || names.is_empty() {
            return;
        }
        for record in self.store.take_up_peers(self.wall_time()) {
            let Some(name) = KeyName::new(&record.peer) else {
                continue;
            };
            if is_kept(&names, &name, &record) {
                let database = self.databases.of(&record.database);
                let remembered = || Box::new(Relation::remembered(record));
                database.peers.entry(name).or_insert_with(remembered);
            }
        }
    }

    /// Returns the latest response of each peer.
    pub fn peers(&self) -> &PeerPoller {
        &self.peers
    }

    /// Stores the results of comparing with peers, if they changed or the times on disk are old.
    pub(in crate::audit) fn save_peers(&mut self, cycle: &Cycle) {
        if self.peers.is_empty() {
            return;
        }
        let databases = &self.databases;
        self.peers.retain(|name| databases.get(name).is_some());
        self.close_disagreements_of_others();
        self.write_missing_evidence();
        let mut facts = Facts::default();
        for (name, database) in self.databases.iter() {
            for (peer, relation) in &database.peers {
                let record = &relation.record;
                facts.add((name, peer, record.since));
                facts.add(record.agreed.map(|agreed| agreed.state));
                facts.add(record.behind.map(|behind| behind.tx));
                facts.add(record.waiting.as_ref().map(|waiting| waiting.time));
                facts.add(record.disagreement.as_ref().map(|of| of.found));
                facts.add(record.acknowledged);
            }
        }
        // the last cycle always writes; otherwise times may be old, because overdue is three intervals
        let rarely = match cycle.stopped {
            true => Duration::ZERO,
            false => self.policy.interval,
        };
        let now = self.now();
        if self.peers_written.is_as_fresh(&facts, now, rarely) {
            return;
        }
        if self.write_peers() {
            self.peers_written.note(&facts, now);
        }
    }

    /// Stores the results of comparing with peers. Returns whether they are stored.
    pub(super) fn write_peers(&self) -> bool {
        if self.peers.is_empty() {
            return false; // the stored file is not of this run
        }
        let databases = self.databases.iter();
        let relations = databases.flat_map(|(_, database)| database.peers.values());
        let written = self
            .store
            .save_peers(relations.map(|relation| &relation.record));
        if let Err(failure) = &written {
            log::warn!(reason:% = failure; "the results of the comparisons with peers could not be written");
        }
        written.is_ok()
    }

    /// Forgets disagreements of peers that are not named any more, once an operator closed them.
    fn close_disagreements_of_others(&mut self) {
        let names: Vec<KeyName> = self.peers.names().cloned().collect();
        let (store, now) = (&self.store, self.wall_time());
        for (database, of) in self.databases.iter_mut() {
            of.peers.retain(|name, relation| {
                if names.contains(name) {
                    return true;
                }
                relation.put_right(now); // only the checkpoints of named peers are compared
                relation.record.disagreement.as_ref().is_some_and(|open| {
                    let acknowledged = store.acknowledged(database).unwrap_or_default();
                    let closed_to = acknowledged.disagreements_closed_to(now);
                    closed_to.is_none_or(|to| open.found > to)
                })
            });
        }
    }
}

/// Returns whether a record is kept after a change to these peers, and logs a record that is not.
fn is_kept(names: &[KeyName], name: &KeyName, record: &PeerRecord) -> bool {
    let is_kept = names.contains(name) || record.disagreement.is_some();
    if !is_kept {
        let (peer, database) = (Escaped::new(&record.peer), Escaped::new(&record.database));
        log::info!(peer:%, database:%; "the results of the comparisons with a peer were removed, because the peer is not configured any more");
    }
    is_kept
}
