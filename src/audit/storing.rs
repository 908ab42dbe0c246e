//! Storing findings. Each cycle tries again to store those that could not be stored, and they count as open alarms
//! until then.

use super::auditor::Auditor;
use super::unstored::{self, UnstoredFinding};
use crate::trust::{Alarm, AlarmsStamp, Finding, Raised, StoreError};

impl Auditor {
    /// Writes evidence of a finding and opens its alarm. A finding that cannot be stored is kept in memory.
    pub(super) fn record_finding(&mut self, finding: Finding) -> Raised {
        let (now, cycle) = (self.wall_time(), self.cycles);
        self.unstored.record(&self.store, finding, now, cycle)
    }

    /// Returns whether the finding is on disk: its alarm is listed, or its evidence counts as an open alarm.
    pub(super) fn is_stored(&self, raised: &Raised) -> bool {
        unstored::is_stored(&self.store, raised)
    }

    /// Tries to store the findings of a database that were not tried in this cycle. Returns the reason why one of them
    /// is still not stored.
    pub(super) fn store_unstored(&mut self, database: &str) -> Option<StoreError> {
        let cycle = self.cycles;
        let is_due = |of: &UnstoredFinding| of.alarm.database == database && of.tried != cycle;
        self.unstored.retry(&self.store, cycle, is_due)
    }

    /// Tries to store the findings of databases that have no outcome in this cycle. If the program is asked to end,
    /// tries once more to store all findings.
    pub(super) fn store_other_unstored(&mut self, stopped: bool) {
        let cycle = self.cycles;
        let is_due = |of: &UnstoredFinding| stopped || of.tried != cycle;
        if let Some(failure) = self.unstored.retry(&self.store, cycle, is_due) {
            log::warn!(reason:% = failure; "a finding could not be stored");
        }
    }

    /// Returns the number of open alarms of a database: those on disk, and those of findings that are not stored. A
    /// list that cannot be read may contain all of them.
    pub(super) fn count_with_unstored(
        &self,
        database: &str,
        open: Result<&[Alarm], &StoreError>,
    ) -> usize {
        let unstored = |open| self.unstored.alarms(database, open).count();
        match open {
            Ok(open) => open.len() + unstored(open),
            Err(failure) => usize::from(failure.hides_alarms()).max(unstored(&[])),
        }
    }

    /// Returns the open alarms of a database, of which other commands may have opened some, and the alarms of its
    /// findings that are not stored.
    ///
    /// # Errors
    /// The list of alarms cannot be read; the check of the database reports that too.
    pub fn open_alarms(&self, database: &str) -> Result<Vec<Alarm>, StoreError> {
        let mut open = self.store.open_alarms(Some(database))?;
        let unstored: Vec<Alarm> = self.unstored.alarms(database, &open).cloned().collect();
        open.extend(unstored);
        Ok(open)
    }

    /// Returns all stored alarms of a database, also closed ones.
    ///
    /// # Errors
    /// The list of alarms cannot be read.
    pub fn all_alarms(&self, database: &str) -> Result<Vec<Alarm>, StoreError> {
        self.store.all_alarms(database)
    }

    /// Returns the stamp of a database's alarms on disk.
    pub fn alarms_stamp(&self, database: &str) -> AlarmsStamp {
        self.store.alarms_stamp(database)
    }
}
