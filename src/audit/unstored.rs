//! Findings that could not be stored: neither the list of alarms nor an evidence file has them, for example because the
//! disk is full. The server may show the trusted history again in the next cycle, so the finding and its responses stay
//! in memory.

use crate::clock::Timestamp;
use crate::trust::{Alarm, Finding};

/// The limit of findings in memory. Each has responses of up to a megabyte.
pub(super) const MAX_UNSTORED: usize = 8;

/// The findings that could not be stored, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Unstored(pub Vec<UnstoredFinding>);

/// A finding that could not be stored.
#[derive(Debug)]
pub(super) struct UnstoredFinding {
    pub finding: Finding,
    pub alarm: Alarm,
    /// The time at which it was made.
    pub found: Timestamp,
    /// The cycle of the last attempt to store it.
    pub tried: u64,
}

impl Unstored {
    /// Returns the first finding whose alarm `is` selects.
    pub fn find(&self, is: impl Fn(&Alarm) -> bool) -> Option<&Finding> {
        let found = self.0.iter().find(|of| is(&of.alarm));
        found.map(|of| &of.finding)
    }

    /// Returns the alarms of the findings of a database that are not among its `open` ones.
    pub fn alarms<'a>(
        &'a self,
        database: &'a str,
        open: &'a [Alarm],
    ) -> impl Iterator<Item = &'a Alarm> {
        let alarms = self.0.iter().map(|of| &of.alarm);
        let is_new = |alarm: &Alarm| open.iter().all(|open| open.id != alarm.id);
        alarms.filter(move |alarm| alarm.database == database && is_new(alarm))
    }
}
