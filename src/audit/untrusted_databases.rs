//! Untrusted databases, which are counted together. A server can list thousands of names, and different ones in every
//! list. Therefore none of them is remembered, and only a few in a cycle are reported one by one.

use std::collections::BTreeMap;
use std::fmt;

use super::auditor::Auditor;
use super::outcome::Outcome;
use super::verdict::{Exit, Verdict};
use crate::text::{Escaped, counted, counted_with};
use crate::trust::TrustedState;

/// The number of untrusted databases that a cycle reports one by one: a server of an ordinary size has fewer.
pub const MAX_REPORTED_UNTRUSTED: usize = 16;
/// The number of untrusted databases that may have open alarms, so that a server cannot open an alarm for every
/// invented name. Findings of the others are counted.
const MAX_WITH_ALARMS: usize = 16;
/// The number of names of untrusted databases in one line, as examples.
const MAX_LISTED_NAMES: usize = 3;

/// The databases of a cycle that had no trusted state before it and got none in it.
#[derive(Debug, Default)]
pub struct UntrustedDatabases {
    by_verdict: BTreeMap<Verdict, usize>,
    /// The first databases that could not be trusted on first use. `why` is the reason of the first of them.
    unproven: Vec<String>,
    why: String,
    count: usize,
    /// The number of databases that were reported one by one.
    reported: usize,
    /// The number of the others that were not complete.
    incomplete: usize,
    exit: Option<Exit>,
    /// The untrusted database that was checked last, if it was not reported. The next process continues after it.
    pub(super) last: Option<Box<Outcome>>,
}

impl UntrustedDatabases {
    /// Counts an untrusted database. Returns its outcome if it gets a report of its own.
    pub(super) fn count(&mut self, outcome: Outcome) -> Option<Outcome> {
        self.count += 1;
        *self.by_verdict.entry(outcome.verdict).or_default() += 1;
        self.exit = self.exit.max(Some(outcome.exit()));
        let is_unproven = !outcome.verdict.is_proven();
        if is_unproven && self.unproven.is_empty() {
            self.why = outcome.why();
        }
        if is_unproven && self.unproven.len() < MAX_REPORTED_UNTRUSTED {
            self.unproven.push(outcome.database.clone());
        }
        if self.reported < MAX_REPORTED_UNTRUSTED {
            self.reported += 1;
            return Some(outcome);
        }
        self.incomplete += usize::from(!outcome.is_complete());
        self.last = Some(Box::new(outcome));
        None
    }

    /// Returns the number of untrusted databases.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there are no untrusted databases.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the number of databases that were not reported one by one.
    pub fn unreported(&self) -> usize {
        self.count.saturating_sub(self.reported)
    }

    /// Returns the number of untrusted databases by verdict.
    pub fn by_verdict(&self) -> impl Iterator<Item = (Verdict, usize)> + '_ {
        self.by_verdict
            .iter()
            .map(|(verdict, count)| (*verdict, *count))
    }

    /// Returns the number of databases that could not be trusted: all but the empty ones.
    pub fn unproven(&self) -> usize {
        let unproven = self
            .by_verdict()
            .filter(|(verdict, _)| !verdict.is_proven());
        unproven.map(|(_, count)| count).sum()
    }

    /// Returns the first databases that could not be trusted on first use, [`MAX_REPORTED_UNTRUSTED`] at most.
    pub fn unproven_names(&self) -> &[String] {
        &self.unproven
    }

    /// Returns whether one of them accuses the server.
    pub fn is_tampering(&self) -> bool {
        self.by_verdict().any(|(verdict, _)| verdict.is_tampering())
    }

    /// Returns whether everything could be checked of those that were not reported one by one.
    pub(super) fn unreported_are_complete(&self) -> bool {
        self.incomplete == 0
    }

    /// Returns the exit code of the worst of them.
    pub(super) fn exit(&self) -> Exit {
        self.exit.unwrap_or(Exit::Good)
    }
}

impl fmt::Display for UntrustedDatabases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = u64::try_from(self.count).unwrap_or(u64::MAX);
        if self
            .by_verdict
            .keys()
            .all(|verdict| *verdict == Verdict::Empty)
        {
            return write!(
                f,
                "{} no transactions yet",
                counted_with(count, "listed database", ["has", "have"])
            );
        }
        write!(
            f,
            "{} without a trusted state (",
            counted(count, "database")
        )?;
        for (at, (verdict, count)) in self.by_verdict().enumerate() {
            let between = if at == 0 { "" } else { ", " };
            write!(f, "{between}{count} {verdict}")?;
        }
        f.write_str(")")?;
        for (at, name) in self.unproven.iter().take(MAX_LISTED_NAMES).enumerate() {
            let between = if at == 0 { ", such as " } else { ", " };
            write!(f, "{between}\"{}\"", Escaped::new(name))?;
        }
        match self.why.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.why),
        }
    }
}

impl Auditor {
    /// Returns whether a finding of a database may be stored as an alarm. This is always so if the database was
    /// trusted or has files. Of the others, only a limited number may have open alarms.
    pub(super) fn may_raise(&mut self, database: &str, trusted: Option<&TrustedState>) -> bool {
        let is_known = trusted.is_some() || self.was_trusted(database);
        if is_known || self.has_files(database) {
            return true;
        }
        let with_alarms = match self.untrusted_with_alarms {
            Some(count) => count,
            None => self.count_untrusted_with_alarms(),
        };
        let may = with_alarms < MAX_WITH_ALARMS;
        self.untrusted_with_alarms = Some(with_alarms + usize::from(may));
        may
    }

    fn count_untrusted_with_alarms(&self) -> usize {
        let nothing = |name: &str| matches!(self.store.load(name), Ok(None));
        let known = self.known.iter().map(String::as_str);
        let untrusted = known.filter(|name| !self.was_trusted(name) && nothing(name));
        let open = |name: &str| match self.store.open_alarms(Some(name)) {
            Ok(alarms) => !alarms.is_empty(),
            Err(failure) => failure.hides_alarms(),
        };
        untrusted.filter(|name| open(name)).count()
    }

    fn has_files(&self, database: &str) -> bool {
        let known = &self.known; // sorted
        known
            .binary_search_by(|name| name.as_str().cmp(database))
            .is_ok()
    }

    fn was_trusted(&self, database: &str) -> bool {
        let record = self.databases.get(database);
        record.is_some_and(|record| record.trusted_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_counted_and_few_are_reported_and_named() {
        let mut untrusted = UntrustedDatabases::default();
        let mut reported = 0;
        for number in 0..9_000 {
            let verdict = match number % 3 {
                0 => Verdict::Empty,
                _ => Verdict::Refused,
            };
            let outcome = Outcome::sample(&format!("n\"{number}"), verdict);
            reported += usize::from(untrusted.count(outcome).is_some());
        }
        assert_eq!(reported, MAX_REPORTED_UNTRUSTED);
        let counts = (
            untrusted.len(),
            untrusted.unproven(),
            untrusted.unreported(),
        );
        assert_eq!(counts, (9_000, 6_000, 9_000 - MAX_REPORTED_UNTRUSTED));
        assert_eq!(untrusted.unproven_names().len(), MAX_REPORTED_UNTRUSTED);
        assert!(!untrusted.unreported_are_complete());
        assert_eq!(untrusted.exit(), Exit::Incomplete);
        assert_eq!(
            untrusted.to_string(),
            "9000 databases without a trusted state (3000 empty, 6000 refused), such as \"n\\\"1\", \"n\\\"2\", \
             \"n\\\"4\""
        );
    }

    #[test]
    fn further_empty_databases_are_no_problem() {
        let mut untrusted = UntrustedDatabases::default();
        for number in 0..100 {
            let verdict = match number {
                0 => Verdict::Refused,
                _ => Verdict::Empty,
            };
            untrusted.count(Outcome::sample(&number.to_string(), verdict));
        }
        assert!(untrusted.unreported_are_complete());
        assert_eq!(untrusted.exit(), Exit::Incomplete); // the verdict of the first database
    }
}
