//! The troubles of a server or a database, and the current lie: the possible reasons of an
//! auditor's verdict.

use std::collections::BTreeSet;
use std::time::Duration;

use immuaudit::drill::Lie;

/// The current lie.
#[derive(Clone, Debug)]
pub struct CurrentLie {
    pub lie: Lie,
    pub database: String,
    pub since: Duration,
    pub until: Duration,
}

impl CurrentLie {
    /// Returns whether the lie is about every database or the whole server.
    pub fn is_of_all(&self) -> bool {
        self.lie.is_server_wide() || self.lie.group() == "identity"
    }

    pub fn is_about(&self, database: &str) -> bool {
        self.is_of_all() || self.database == database
    }

    pub fn is_tampering_lie(&self) -> bool {
        let accusing = ["inconsistent", "rolled-back", "bad-signature", "bad-value"];
        let due = self.lie.due().verdicts;
        due.iter().all(|verdict| accusing.contains(verdict))
    }
}

/// The current troubles, and when the last one ended.
#[derive(Default)]
pub struct Trouble {
    causes: BTreeSet<&'static str>,
    ended: Option<Duration>,
}

impl Trouble {
    /// Starts a trouble.
    pub fn begins(&mut self, cause: &'static str) {
        self.causes.insert(cause);
    }

    pub fn ends(&mut self, cause: &'static str, now: Duration) {
        if self.causes.remove(cause) {
            self.ended = Some(now);
        }
    }

    /// Returns whether there is no trouble now and was none since then.
    pub fn was_over(&self, since: Duration) -> bool {
        self.causes.is_empty() && self.ended.is_none_or(|ended| ended < since)
    }
}
