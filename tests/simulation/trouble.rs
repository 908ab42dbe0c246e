//! What is wrong with a server or a database, and the lie that is told of it: the reasons that an auditor may have.

use std::collections::BTreeSet;
use std::time::Duration;

use immuaudit::drill::Lie;

/// A lie that is told.
#[derive(Clone, Debug)]
pub struct Told {
    pub lie: Lie,
    pub database: String,
    pub since: Duration,
    pub until: Duration,
}

impl Told {
    /// Returns whether every database is lied about, or the server as a whole.
    pub fn is_of_all(&self) -> bool {
        ["login", "databases", "identity"].contains(&self.lie.group()) && !self.is_of_a_listed_one()
    }

    /// Returns whether it is a lie about the list that is told of one database.
    fn is_of_a_listed_one(&self) -> bool {
        [Lie::Vanished, Lie::Hidden, Lie::PermissionTaken].contains(&self.lie)
    }

    pub fn is_about(&self, database: &str) -> bool {
        self.is_of_all() || self.database == database
    }

    pub fn accuses(&self) -> bool {
        let accusing = ["inconsistent", "rolled-back", "bad-signature", "bad-value"];
        let due = self.lie.due().verdicts;
        due.iter().all(|verdict| accusing.contains(verdict))
    }
}

/// What is wrong at the moment, and when it was last that anything was.
#[derive(Default)]
pub struct Trouble {
    causes: BTreeSet<&'static str>,
    ended: Option<Duration>,
}

impl Trouble {
    /// Something is wrong from now on.
    pub fn begins(&mut self, cause: &'static str) {
        self.causes.insert(cause);
    }

    pub fn ends(&mut self, cause: &'static str, now: Duration) {
        if self.causes.remove(cause) {
            self.ended = Some(now);
        }
    }

    /// Returns whether nothing is wrong, nor was since then.
    pub fn was_over(&self, since: Duration) -> bool {
        self.causes.is_empty() && self.ended.is_none_or(|ended| ended < since)
    }
}
