//! The open alarms of which this process has notified the receivers, or found them notified at its start. An alarm that
//! is not among them was opened by another command, such as `compare`.

use std::collections::{BTreeSet, HashMap};

use super::record::opening;
use crate::trust::Alarm;

/// The known openings of alarms, by database.
#[derive(Debug, Default)]
pub(super) struct KnownAlarms(HashMap<String, BTreeSet<String>>);

impl KnownAlarms {
    /// Adds alarms.
    pub fn add<'a>(&mut self, alarms: impl IntoIterator<Item = &'a Alarm>) {
        for alarm in alarms {
            let known = self.0.entry(alarm.database.clone()).or_default();
            known.insert(opening(alarm));
        }
    }

    /// Returns whether an alarm is known since it was opened.
    pub fn has(&self, alarm: &Alarm) -> bool {
        let known = self.0.get(&alarm.database);
        known.is_some_and(|known| known.contains(&opening(alarm)))
    }

    /// Forgets the alarms of a database that has no open ones.
    pub fn forget(&mut self, database: &str) {
        self.0.remove(database);
    }

    /// Takes over the open alarms of a database. Returns those that were not known.
    pub fn news(&mut self, database: &str, open: &[Alarm]) -> Vec<Alarm> {
        let news = open.iter().filter(|alarm| !self.has(alarm)).cloned();
        let news = news.collect();
        let openings = open.iter().map(opening).collect();
        self.0.insert(database.to_owned(), openings);
        news
    }
}
