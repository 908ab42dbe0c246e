//! The stamp of a database's alarms: while it stays the same, no command has opened, closed or removed one.

use std::fs;
use std::time::SystemTime;

use super::store::Store;
use crate::sys::{self, Stamp};

/// The identity of a database's list of alarms, and the last change among the files of its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmsStamp {
    list: Option<Stamp>,
    evidence: Option<SystemTime>,
}

impl Store {
    /// Returns the stamp of a database's alarms, for which no file is read.
    pub fn alarms_stamp(&self, database: &str) -> AlarmsStamp {
        let evidence = fs::metadata(self.evidence_directory(database));
        AlarmsStamp {
            list: sys::stamp(&self.alarms_path(database)),
            evidence: evidence.and_then(|found| found.modified()).ok(),
        }
    }
}
