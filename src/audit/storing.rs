//! Storing findings. Each cycle tries again to store those that could not be stored, and they count as open alarms until
//! then.

use super::auditor::Auditor;
use super::unstored::{MAX_UNSTORED, UnstoredFinding};
use crate::trust::{Alarm, AlarmsStamp, Finding, Raised, StoreError};

impl Auditor {
    /// Writes evidence of a finding and opens its alarm. A finding that cannot be stored is kept in memory.
    pub(super) fn record_finding(&mut self, finding: Finding) -> Raised {
        let now = self.wall_time();
        let raised = self.store.record_finding(&finding, now);
        if self.is_stored(&raised) {
            self.unstored.0.retain(|of| of.alarm.id != raised.alarm.id);
            return raised;
        }
        let tried = self.cycles;
        let unstored = &mut self.unstored.0;
        let known = unstored
            .iter()
            .position(|of| of.alarm.id == raised.alarm.id);
        if let Some(known) = known.and_then(|at| unstored.get_mut(at)) {
            known.tried = tried;
        } else if unstored.len() < MAX_UNSTORED {
            unstored.push(UnstoredFinding {
                finding,
                alarm: raised.alarm.clone(),
                found: now,
                tried,
            });
        } else {
            log::warn!(database:% = raised.alarm.database, alarm:% = raised.alarm.id; "a finding could neither be stored nor kept in memory: too many findings wait to be stored");
        }
        raised
    }

    /// Returns whether the finding is on disk: its alarm is listed, or its evidence counts as an open alarm.
    pub(super) fn is_stored(&self, raised: &Raised) -> bool {
        match &raised.unwritten {
            None => true,
            Some(_) if raised.is_listed => true,
            // another command changes the files: to read them would wait as long again
            Some(StoreError::Busy { .. }) => false,
            Some(_) => {
                let alarm = &raised.alarm;
                let open = self.store.open_alarms(Some(&alarm.database));
                open.is_ok_and(|open| open.iter().any(|open| open.id == alarm.id))
            }
        }
    }

    /// Tries to store the findings of a database that were not tried in this cycle. Returns the reason why one of them
    /// is still not stored.
    pub(super) fn store_unstored(&mut self, database: &str) -> Option<StoreError> {
        let cycle = self.cycles;
        self.try_to_store(|of| of.alarm.database == database && of.tried != cycle)
    }

    /// Tries to store the findings of databases that have no outcome in this cycle. If the program is asked to end, tries
    /// once more to store all findings.
    pub(super) fn store_other_unstored(&mut self, stopped: bool) {
        let now = self.cycles;
        if let Some(failure) = self.try_to_store(|of| stopped || of.tried != now) {
            log::warn!(reason:% = failure; "a finding could not be stored");
        }
    }

    fn try_to_store(&mut self, is_due: impl Fn(&UnstoredFinding) -> bool) -> Option<StoreError> {
        if self.unstored.0.is_empty() {
            return None;
        }
        let mut first_failure = None;
        let mut is_busy = false;
        for mut of in std::mem::take(&mut self.unstored.0) {
            if is_due(&of) && !is_busy {
                of.tried = self.cycles;
                let raised = self.store.record_finding(&of.finding, of.found);
                if self.is_stored(&raised) {
                    continue;
                }
                is_busy = matches!(raised.unwritten, Some(StoreError::Busy { .. }));
                first_failure = first_failure.or(raised.unwritten);
            }
            self.unstored.0.push(of);
        }
        first_failure
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

    /// Returns the stamp of a database's alarms on disk.
    pub fn alarms_stamp(&self, database: &str) -> AlarmsStamp {
        self.store.alarms_stamp(database)
    }
}
