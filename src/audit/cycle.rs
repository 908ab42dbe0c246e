//! The result of a cycle: the outcomes of all databases, and the faults that concern none of them alone.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::age::late_after;
use super::outcome::Outcome;
use super::strangers::Strangers;
use super::verdict::{Exit, Verdict};
use crate::audit::check::listing::Impossible;
use crate::server::ServerError;
use crate::text::{counted, number};
use crate::trust::StoreError;

/// The result of one cycle.
#[derive(Debug)]
pub struct Cycle {
    /// One for each database audited or known; of the strangers among them only the first ones.
    pub outcomes: Vec<Outcome>,
    /// The databases of which nothing is trusted, those with an outcome included.
    pub strangers: Strangers,
    /// The databases of which something is or was trusted, or of which files are kept.
    pub known: BTreeSet<String>,
    /// The server did not list its databases.
    pub no_list: Option<ServerError>,
    /// The auditor's own files could not tell what is known.
    pub no_store: Option<StoreError>,
    /// Names that no database can have.
    pub impossible: Option<Impossible>,
    /// Databases listed past [`MAX_DATABASES`](super::MAX_DATABASES).
    pub too_many: usize,
    /// Entries of `--audit-databases` that select nothing, and what the server said of each as a name.
    pub selects_nothing: Vec<(String, ServerError)>,
    /// Databases without a trusted state whose turn did not come before the cycle's time was over.
    pub not_reached: usize,
    /// The program was asked to end before the cycle did.
    pub stopped: bool,
    /// How long it took.
    pub duration: Duration,
    /// The time from the begin of one cycle to that of the next.
    pub interval: Duration,
}

impl Cycle {
    pub(super) fn new() -> Cycle {
        Cycle {
            outcomes: Vec::new(),
            strangers: Strangers::default(),
            known: BTreeSet::new(),
            no_list: None,
            no_store: None,
            impossible: None,
            too_many: 0,
            selects_nothing: Vec::new(),
            not_reached: 0,
            stopped: false,
            duration: Duration::ZERO,
            interval: Duration::MAX,
        }
    }

    /// Returns whether everything that was to be audited was proven and read in time. Exit code, metrics,
    /// status page and heartbeat all go by this.
    pub fn is_complete(&self) -> bool {
        !self.stopped
            && self.troubles().next().is_none()
            && self.outcomes.iter().all(Outcome::is_complete)
    }

    /// Returns whether a database is neither trusted nor listed any more, nor has alarms: what was remembered of it can
    /// be forgotten. After a cycle that was stopped, or whose files could not tell what is known, nothing is.
    pub fn forgets(&self, database: &str) -> bool {
        !self.stopped && self.no_store.is_none() && !self.known.contains(database)
    }

    /// The exit code of a run of this cycle alone: the worst of its databases and troubles.
    pub fn exit(&self) -> Exit {
        let strangers = Some(self.strangers.exit()).filter(|_| !self.strangers.is_empty());
        let worst = self.outcomes.iter().map(Outcome::exit).max().max(strangers);
        let local = match self.no_store {
            Some(_) => Exit::Local,
            None => Exit::Good,
        };
        let whole = match self.is_complete() {
            true => Exit::Good,
            false => Exit::Incomplete,
        };
        worst.unwrap_or(Exit::Incomplete).max(local).max(whole)
    }

    /// What went wrong beside any one database.
    pub fn troubles(&self) -> impl Iterator<Item = Trouble<'_>> {
        let nothing = self.outcomes.is_empty() && self.no_list.is_none() && !self.stopped;
        // a list that was not asked for to the end, because the program ends, is no trouble
        let no_list = self.no_list.as_ref().filter(|_| !self.stopped);
        let too_many = (self.too_many > 0).then_some(self.too_many);
        let not_reached = (self.not_reached > 0).then_some(self.not_reached);
        let selects_nothing = self.selects_nothing.iter();
        let is_late = !self.stopped && self.duration > late_after(self.interval);
        let strangers = Some(&self.strangers).filter(|of| !of.unreported_are_complete());
        [
            self.no_store.as_ref().map(Trouble::NoStore),
            no_list.map(Trouble::NoList),
            self.impossible.as_ref().map(Trouble::Impossible),
            too_many.map(Trouble::TooMany),
            not_reached.map(Trouble::NotReached),
            strangers.map(Trouble::Strangers),
            is_late.then_some(Trouble::Late {
                took: self.duration,
                interval: self.interval,
            }),
            nothing.then_some(Trouble::Nothing),
        ]
        .into_iter()
        .flatten()
        .chain(selects_nothing.map(|(entry, said)| Trouble::SelectsNothing(entry, said)))
    }
}

/// What went wrong in a cycle beside any one database.
#[derive(Debug)]
pub enum Trouble<'a> {
    /// The server did not list its databases.
    NoList(&'a ServerError),
    /// The auditor's own files could not tell what is known.
    NoStore(&'a StoreError),
    /// Names that no database can have.
    Impossible(&'a Impossible),
    /// More databases than are audited; how many were left out.
    TooMany(usize),
    /// Databases without a trusted state that there was no time for; how many.
    NotReached(usize),
    /// Databases of which nothing is trusted, more of them than have an outcome each.
    Strangers(&'a Strangers),
    /// The cycle took so long that no database is proven every three intervals.
    Late {
        /// How long it took.
        took: Duration,
        /// The interval.
        interval: Duration,
    },
    /// An entry of `--audit-databases` that selects nothing, and what the server said of it as a name.
    SelectsNothing(&'a str, &'a ServerError),
    /// No database to audit at all.
    Nothing,
}

impl Trouble<'_> {
    /// Returns whether it accuses the server.
    pub fn is_tampering(&self) -> bool {
        matches!(self, Trouble::Strangers(strangers) if strangers.is_tampering())
    }

    /// What it amounts to where one database is not to blame: `unreachable`, `refused` or `malformed`.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Trouble::NoList(failure) => {
                Verdict::of_failure(failure, false).filter(|verdict| !verdict.is_tampering())
            }
            Trouble::NoStore(_)
            | Trouble::Impossible(_)
            | Trouble::TooMany(_)
            | Trouble::NotReached(_)
            | Trouble::Strangers(_)
            | Trouble::Late { .. }
            | Trouble::SelectsNothing(..)
            | Trouble::Nothing => None,
        }
    }
}

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoList(failure) => write!(f, "no list of databases: {failure}"),
            Trouble::NoStore(failure) => write!(f, "local failure: {failure}"),
            Trouble::Impossible(names) => write!(
                f,
                "the server lists {} that no database can have, the first \"{}\"",
                counted(number(names.count), "name"),
                names.first
            ),
            Trouble::TooMany(left_out) => write!(
                f,
                "the server lists more databases than are audited: {left_out} {} left out, of which nothing is trusted; to audit \
                 others than those that it lists first, name them in --audit-databases",
                if *left_out == 1 { "is" } else { "are" }
            ),
            Trouble::NotReached(count) => write!(
                f,
                "there was no time for {} of which nothing is trusted yet: the next cycles go on with them",
                counted(number(*count), "database")
            ),
            Trouble::Strangers(strangers) => write!(f, "{strangers}"),
            Trouble::Late { took, interval } => write!(
                f,
                "overdue: the cycle took {}s, and --audit-interval is {interval:?}: databases are proven less often than \
                 every three intervals; set --audit-interval to more, or --audit-sample to less",
                took.as_secs()
            ),
            Trouble::SelectsNothing(entry, said) => write!(
                f,
                "--audit-databases: \"{entry}\" selects no database that this user may see ({said}): \
                 correct it, or give the user read permission"
            ),
            Trouble::Nothing => f.write_str(
                "nothing to audit: no database is listed or known that --audit-databases selects",
            ),
        }
    }
}
