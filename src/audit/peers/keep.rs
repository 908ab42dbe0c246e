//! What is kept on disk of the peers: when they agreed last, which words wait, and who disagrees.

use std::time::Duration;

use super::relation::Relation;
use crate::audit::auditor::Auditor;
use crate::audit::cycle::Cycle;
use crate::audit::written::Facts;
use crate::checkpoint::KeyName;
use crate::peer::{Hearing, ROUND};

/// How long a run that has one cycle alone waits for its peers: a round over all of them.
pub(in crate::audit) const ONCE: Duration = ROUND;

impl Auditor {
    /// Compares with these peers from now on.
    #[must_use]
    pub fn with_peers_of(mut self, peers: Hearing) -> Auditor {
        self.change_peers(peers);
        self
    }

    /// Compares with other peers from now on. What is remembered of those that stay is kept.
    pub fn change_peers(&mut self, peers: Hearing) {
        let was_empty = self.peers.is_empty();
        self.peers = peers;
        let names: Vec<KeyName> = self.peers.names().cloned().collect();
        for (_, database) in self.databases.iter_mut() {
            database.peers.retain(|name, _| names.contains(name));
        }
        if !was_empty || names.is_empty() {
            return;
        }
        for record in self.store.take_up_peers(self.wall_time()) {
            let name = names.iter().find(|name| name.as_str() == record.peer);
            if let Some(name) = name {
                let database = self.databases.of(&record.database);
                let name = name.clone();
                database.peers.insert(name, Relation::remembered(record));
            }
        }
    }

    /// What each peer said last.
    pub fn peers(&self) -> &Hearing {
        &self.peers
    }

    /// Writes down how the words of peers compared, if it changed or the times on disk are old.
    pub(in crate::audit) fn save_peers(&mut self, cycle: &Cycle) {
        if self.peers.is_empty() {
            return;
        }
        let databases = &self.databases;
        self.peers.retain(|name| databases.get(name).is_some());
        let mut facts = Facts::default();
        for (name, database) in self.databases.iter() {
            for (peer, relation) in &database.peers {
                let record = &relation.record;
                facts.add((name, peer, record.since));
                facts.add(record.agreed.map(|agreed| agreed.state));
                facts.add(record.behind.map(|behind| behind.tx));
                facts.add(record.waiting.as_ref().map(|waiting| waiting.time));
                facts.add(record.disagreement.as_ref().map(|of| of.found));
            }
        }
        // a run that ends writes always; times are only needed to tell what is overdue after three intervals
        let rarely = match cycle.stopped {
            true => Duration::ZERO,
            false => self.policy.interval,
        };
        let now = self.now();
        if self.peers_written.is_as_fresh(&facts, now, rarely) {
            return;
        }
        let relations = self
            .databases
            .iter()
            .flat_map(|(_, database)| database.peers.values());
        match self
            .store
            .save_peers(relations.map(|relation| &relation.record))
        {
            Ok(()) => self.peers_written.note(&facts, now),
            Err(failure) => {
                log::warn!(reason:% = failure; "how the words of peers compared could not be written");
            }
        }
    }
}
