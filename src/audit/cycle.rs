//! The result of a cycle: the outcomes of all databases, and the errors that do not belong to a single database.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::outcome::Outcome;
use super::overdue::late_after;
use super::untrusted_databases::UntrustedDatabases;
use super::verdict::{Exit, Verdict};
use crate::audit::check::listing::Impossible;
use crate::server::ServerError;
use crate::text::{counted, number};
use crate::trust::StoreError;

/// The result of one cycle.
#[derive(Debug)]
pub struct Cycle {
    /// The outcomes of all audited and known databases, but only of the first untrusted ones.
    pub outcomes: Vec<Outcome>,
    /// The untrusted databases, including those with an outcome.
    pub untrusted: UntrustedDatabases,
    /// The databases that are or were trusted, or that have files in the store.
    pub known: BTreeSet<String>,
    /// The reason why the server did not list its databases.
    pub list_error: Option<ServerError>,
    /// The reason why the known databases could not be read from the auditor's own files.
    pub store_error: Option<StoreError>,
    /// Names that no database can have.
    pub impossible: Option<Impossible>,
    /// Databases listed past [`MAX_DATABASES`](super::MAX_DATABASES).
    pub skipped_databases: usize,
    /// Entries of `--audit-databases` that select nothing, with the server's response to each as a name.
    pub selects_nothing: Vec<(String, ServerError)>,
    /// The number of untrusted databases for which the cycle had no time.
    pub not_reached: usize,
    /// Whether the program was asked to end before the end of the cycle.
    pub stopped: bool,
    /// Whether the last verdicts are on disk.
    pub is_recorded: bool,
    /// The duration of the cycle.
    pub duration: Duration,
    /// The time from the begin of one cycle to that of the next.
    pub interval: Duration,
}

impl Cycle {
    pub(super) fn new() -> Cycle {
        Cycle {
            outcomes: Vec::new(),
            untrusted: UntrustedDatabases::default(),
            known: BTreeSet::new(),
            list_error: None,
            store_error: None,
            impossible: None,
            skipped_databases: 0,
            selects_nothing: Vec::new(),
            not_reached: 0,
            stopped: false,
            is_recorded: false,
            duration: Duration::ZERO,
            interval: Duration::MAX,
        }
    }

    /// Returns whether everything due was proven and read in time. Exit code, metrics, status page and heartbeat all
    /// use this.
    pub fn is_complete(&self) -> bool {
        !self.stopped
            && self.errors().next().is_none()
            && self.outcomes.iter().all(Outcome::is_complete)
    }

    /// Returns whether the records of a database can be forgotten, because it is not trusted, not listed and has no
    /// alarms. After a cycle that was stopped, or whose files were unreadable, nothing is forgotten.
    pub fn forgets(&self, database: &str) -> bool {
        !self.stopped && self.store_error.is_none() && !self.known.contains(database)
    }

    /// Returns the exit code of a run of this cycle alone: the worst of its databases and errors.
    pub fn exit(&self) -> Exit {
        let untrusted = Some(self.untrusted.exit()).filter(|_| !self.untrusted.is_empty());
        let worst = self.outcomes.iter().map(Outcome::exit).max().max(untrusted);
        let local = match self.store_error {
            Some(_) => Exit::Local,
            None => Exit::Good,
        };
        let whole = match self.is_complete() {
            true => Exit::Good,
            false => Exit::Incomplete,
        };
        worst.unwrap_or(Exit::Incomplete).max(local).max(whole)
    }

    /// Returns the errors that do not belong to a single database.
    pub fn errors(&self) -> impl Iterator<Item = CycleError<'_>> {
        let nothing = self.outcomes.is_empty() && self.list_error.is_none() && !self.stopped;
        // a list that was interrupted because the program ends is no error
        let list_error = self.list_error.as_ref().filter(|_| !self.stopped);
        let skipped_databases = (self.skipped_databases > 0).then_some(self.skipped_databases);
        let not_reached = (self.not_reached > 0).then_some(self.not_reached);
        let selects_nothing = self.selects_nothing.iter();
        let is_late = !self.stopped && self.duration > late_after(self.interval);
        let untrusted = Some(&self.untrusted).filter(|of| !of.unreported_are_complete());
        [
            self.store_error.as_ref().map(CycleError::NoStore),
            list_error.map(CycleError::NoList),
            self.impossible.as_ref().map(CycleError::Impossible),
            skipped_databases.map(CycleError::TooMany),
            not_reached.map(CycleError::NotReached),
            untrusted.map(CycleError::Untrusted),
            is_late.then_some(CycleError::Late {
                took: self.duration,
                interval: self.interval,
            }),
            nothing.then_some(CycleError::Nothing),
        ]
        .into_iter()
        .flatten()
        .chain(selects_nothing.map(|(entry, said)| CycleError::SelectsNothing(entry, said)))
    }
}

/// A problem of a cycle that does not concern a single database.
#[derive(Debug)]
pub enum CycleError<'a> {
    /// The server did not list its databases.
    NoList(&'a ServerError),
    /// The known databases could not be read from the auditor's own files.
    NoStore(&'a StoreError),
    /// Names that no database can have.
    Impossible(&'a Impossible),
    /// There are more databases than are audited; the number of skipped ones.
    TooMany(usize),
    /// The number of untrusted databases for which there was no time.
    NotReached(usize),
    /// Untrusted databases, more of them than have an outcome each.
    Untrusted(&'a UntrustedDatabases),
    /// The cycle took so long that no database is proven every three intervals.
    Late {
        /// The duration of the cycle.
        took: Duration,
        /// The interval.
        interval: Duration,
    },
    /// An entry of `--audit-databases` that selects nothing, and the server's response to it as a name.
    SelectsNothing(&'a str, &'a ServerError),
    /// No database to audit at all.
    Nothing,
}

impl CycleError<'_> {
    /// Returns whether the error accuses the server.
    pub fn is_tampering(&self) -> bool {
        matches!(self, CycleError::Untrusted(untrusted) if untrusted.is_tampering())
    }

    /// Returns the verdict if no single database is the cause: `unreachable`, `refused` or `malformed`.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            CycleError::NoList(failure) => {
                Verdict::of_failure(failure, false).filter(|verdict| !verdict.is_tampering())
            }
            CycleError::NoStore(_)
            | CycleError::Impossible(_)
            | CycleError::TooMany(_)
            | CycleError::NotReached(_)
            | CycleError::Untrusted(_)
            | CycleError::Late { .. }
            | CycleError::SelectsNothing(..)
            | CycleError::Nothing => None,
        }
    }
}

impl std::error::Error for CycleError<'_> {}

impl fmt::Display for CycleError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CycleError::NoList(failure) => {
                write!(f, "the list of databases could not be read: {failure}")
            }
            CycleError::NoStore(failure) => write!(f, "local failure: {failure}"),
            CycleError::Impossible(names) => write!(
                f,
                "the server lists {} that no database can have, such as \"{}\"",
                counted(number(names.count), "name"),
                names.first
            ),
            CycleError::TooMany(left_out) => write!(
                f,
                "the server lists more databases than the limit: {left_out} {} left out (without a trusted state); the first listed ones are audited; to choose others, name them in --audit-databases",
                if *left_out == 1 { "is" } else { "are" }
            ),
            CycleError::NotReached(count) => write!(
                f,
                "there was no time for {} without a trusted state: the next cycles check them",
                counted(number(*count), "database")
            ),
            CycleError::Untrusted(untrusted) => write!(f, "{untrusted}"),
            CycleError::Late { took, interval } => write!(
                f,
                "overdue: the cycle took {}s with an --audit-interval of {interval:?}, so databases are proven less often than every three intervals; increase --audit-interval, or reduce --audit-sample",
                took.as_secs()
            ),
            CycleError::SelectsNothing(entry, said) => write!(
                f,
                "--audit-databases: \"{entry}\" selects no database that this user may see ({said}): \
                 correct it, or give the user read permission"
            ),
            CycleError::Nothing => f.write_str(
                "nothing to audit: --audit-databases selects no listed or known database",
            ),
        }
    }
}
