//! Closed alarms about transactions: a closing hides nothing until the transactions of the finding were read
//! again.

use super::alarm::Alarm;
use super::store::Store;
use super::store_error::StoreError;
use crate::sys::Lock;

impl Store {
    /// Returns the closed alarms of a database that await a reading.
    ///
    /// # Errors
    /// The list of alarms is damaged, or the system refuses.
    pub fn alarms_awaiting_reading(&self, database: &str) -> Result<Vec<Alarm>, StoreError> {
        if !self.has_alarm_files(database)? {
            return Ok(Vec::new());
        }
        let _hold = self.hold(Lock::Shared)?;
        // results of searches are not read, because they concern open alarms only
        let mut alarms = self.recorded_alarms(database)?;
        alarms.retain(|alarm| alarm.awaits_reading);
        Ok(alarms)
    }

    /// Records that the transactions of these alarms were read again since the alarms were closed. An alarm that
    /// was closed again meanwhile still awaits a reading.
    ///
    /// # Errors
    /// The list of alarms is damaged or cannot be written: then the alarms await another reading.
    pub fn note_read_again(&self, database: &str, read: &[Alarm]) -> Result<(), StoreError> {
        let _hold = self.hold(Lock::Exclusive)?;
        let mut alarms = self.alarms(database)?;
        let mut noted = false;
        for alarm in alarms.iter_mut().filter(|alarm| alarm.awaits_reading) {
            let is_read = |read: &Alarm| read.id == alarm.id && read.closed == alarm.closed;
            if read.iter().any(is_read) {
                alarm.awaits_reading = false;
                noted = true;
            }
        }
        match noted {
            true => self.write_alarms(database, &alarms),
            false => Ok(()),
        }
    }
}
