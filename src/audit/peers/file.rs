//! Another auditor's checkpoint that came in a file, against what is trusted here: the same rules as for a peer, but that it
//! may be of any age.

use super::compare::Ours;
use super::relation::Relation;
use super::report::PeerReport;
use super::split::Split;
use crate::audit::auditor::Auditor;
use crate::audit::verdict::Reason;
use crate::checkpoint::KeyName;
use crate::ledger::State;
use crate::peer::Word;
use crate::trust::{Alarm, LocalFailure};

/// What comparing a checkpoint of a file came to.
#[derive(Debug)]
pub struct WordCompared {
    /// How it stands to what is trusted here.
    pub report: PeerReport,
    /// What is trusted here.
    pub trusted: State,
    /// What shows that the server showed two histories, and the alarm.
    pub split: Option<(Reason, Option<Alarm>)>,
}

impl Auditor {
    /// Holds a checkpoint against what is trusted of its database. The server is only asked if the files do not tell; where
    /// it cannot be reached, the checkpoint is pending. `None` around it where the program is asked to end, and within if
    /// nothing is trusted of the database.
    ///
    /// # Errors
    /// The auditor's own files cannot be read.
    pub fn compare_word(
        &mut self,
        peer: &KeyName,
        database: &str,
        word: &Word,
    ) -> Option<Result<Option<WordCompared>, LocalFailure>> {
        self.server.begin_cycle();
        self.server.begin_transcript();
        let trusted = match self.store.load(database) {
            Ok(Some(trusted)) => trusted,
            Ok(None) => return Some(Ok(None)),
            Err(failure) => return Some(Err(failure)),
        };
        let ours = Ours {
            state: trusted.state,
            since: trusted.since,
        };
        let mut relation = Relation::new(database, peer.as_str(), self.wall_time());
        relation.theirs = Some(word.state);
        let until = self.now() + self.patience();
        let told = self.within(until, |auditor| {
            let found = auditor.find(&mut relation, word, ours, &mut None)?;
            Some(auditor.apply(&mut relation, word, found, ours))
        })?;
        let split = told.and_then(|told| self.tell_of_peer(database, &trusted, peer, told));
        Some(Ok(Some(WordCompared {
            report: PeerReport::of(peer, &relation),
            trusted: trusted.state,
            split: split.map(|Split { reason, alarms }| (reason, alarms.reported().cloned())),
        })))
    }
}
