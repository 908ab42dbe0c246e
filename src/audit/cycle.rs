//! One cycle: every database that is listed or known, in order, whatever becomes of the others.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::check;
use super::databases::{self, Impossible, Listing};
use super::locate;
use super::verdict::{Exit, Outcome, Reason, Verdict};
use crate::ledger::StateShape;
use crate::server::{Failure, Kind};
use crate::trust::LocalFailure;
use crate::wire::Entries;

/// Databases whose calls are begun together, so that a distant server is not waited for one by one.
const TOGETHER: usize = 16;

/// The result of one cycle.
#[derive(Debug)]
pub struct Cycle {
    /// One for each database audited or known.
    pub outcomes: Vec<Outcome>,
    /// The server did not list its databases.
    pub no_list: Option<Failure>,
    /// The auditor's own files could not tell what is known.
    pub no_store: Option<LocalFailure>,
    /// Names that no database can have.
    pub impossible: Option<Impossible>,
    /// Databases listed past [`MAX_DATABASES`](databases::MAX_DATABASES).
    pub too_many: usize,
    /// The program was asked to end before the cycle did.
    pub stopped: bool,
    /// How long it took.
    pub duration: Duration,
}

impl Cycle {
    /// How a run of this cycle alone should end: the worst counts, and nothing audited is not good.
    pub fn exit(&self) -> Exit {
        let worst = self.outcomes.iter().map(Outcome::exit).max();
        let local = match self.no_store {
            Some(_) => Exit::Local,
            None => Exit::Good,
        };
        let incomplete = self.stopped
            || self.no_list.is_some()
            || self.impossible.is_some()
            || self.too_many > 0;
        let list = if incomplete {
            Exit::Incomplete
        } else {
            Exit::Good
        };
        worst.unwrap_or(Exit::Incomplete).max(local).max(list)
    }

    /// What went wrong beside any one database.
    pub fn troubles(&self) -> impl Iterator<Item = Trouble<'_>> {
        let nothing = self.outcomes.is_empty() && self.no_list.is_none() && !self.stopped;
        let too_many = (self.too_many > 0).then_some(self.too_many);
        [
            self.no_store.as_ref().map(Trouble::NoStore),
            self.no_list.as_ref().map(Trouble::NoList),
            self.impossible.as_ref().map(Trouble::Impossible),
            too_many.map(Trouble::TooMany),
            nothing.then_some(Trouble::Nothing),
        ]
        .into_iter()
        .flatten()
    }
}

/// What went wrong in a cycle beside any one database.
#[derive(Debug)]
pub enum Trouble<'a> {
    /// The server did not list its databases.
    NoList(&'a Failure),
    /// The auditor's own files could not tell what is known.
    NoStore(&'a LocalFailure),
    /// Names that no database can have.
    Impossible(&'a Impossible),
    /// More databases than are audited; how many were left out.
    TooMany(usize),
    /// No database to audit at all.
    Nothing,
}

impl Trouble<'_> {
    /// What it amounts to where one database is not to blame: `unreachable`, `refused` or `malformed`.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Trouble::NoList(failure) => {
                check::sort(failure, false).filter(|verdict| !verdict.is_tampering())
            }
            Trouble::NoStore(_)
            | Trouble::Impossible(_)
            | Trouble::TooMany(_)
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
                "the server lists {} names that no database can have, the first \"{}\"",
                names.count, names.first
            ),
            Trouble::TooMany(left_out) => write!(
                f,
                "the server lists more databases than are audited: {left_out} are left out"
            ),
            Trouble::Nothing => f.write_str(
                "nothing to audit: no database is listed or known that --audit-databases selects",
            ),
        }
    }
}

impl Auditor {
    /// Checks every database once; each outcome is told as soon as it stands.
    pub fn cycle(&mut self, mut tell: impl FnMut(&Outcome)) -> Cycle {
        let begin = Instant::now();
        self.server.begin_cycle();
        self.server.begin_transcript();
        self.locating = locate::A_CYCLE;
        let mut cycle = Cycle {
            outcomes: Vec::new(),
            no_list: None,
            no_store: None,
            impossible: None,
            too_many: 0,
            stopped: false,
            duration: Duration::ZERO,
        };
        let known = match self.store.databases() {
            Ok(known) => known,
            Err(failure) => {
                cycle.no_store = Some(failure);
                Vec::new()
            }
        };
        self.recall_shape(&known);
        let policy = self.policy.clone();
        let pinned = |name: &str| policy.pins.iter().any(|pin| pin.database == name);
        let selects = |name: &str| policy.databases.selects(name) || pinned(name);
        let mut known = known;
        known.extend(policy.pins.iter().map(|pin| pin.database.clone()));
        known.sort();
        known.dedup();
        if self.may_ask_together() {
            let first = self.first.take().filter(|name| selects(name));
            self.server.begin_round(first.as_deref());
        }
        let listing = match self.server.databases() {
            Ok(names) => databases::sort(&names, &known, selects),
            Err(failure) => {
                // what is known is tried all the same, unless nobody is there
                let listed = known.iter().filter(|name| selects(name));
                let listing = Listing {
                    listed: listed.cloned().collect(),
                    ..Listing::default()
                };
                cycle.no_list = Some(failure);
                listing
            }
        };
        cycle.impossible.clone_from(&listing.impossible);
        cycle.too_many = listing.too_many;
        self.check_all(&listing, &mut cycle, &mut tell);
        cycle.duration = begin.elapsed();
        self.to_mirror.clone_from(&self.readable);
        self.save_outcomes(&cycle, &known);
        self.save_progress_if_due();
        self.forget_strangers(&cycle, &known);
        cycle
    }

    fn check_all(&mut self, listing: &Listing, cycle: &mut Cycle, tell: &mut impl FnMut(&Outcome)) {
        let listed = listing.listed.iter().map(|name| (name, Listed::Yes));
        let missing = listing.missing.iter().map(|name| (name, Listed::No));
        let mut names: Vec<(&String, Listed)> = listed.chain(missing).collect();
        names.sort_by_key(|(name, _)| self.slow.contains(*name)); // stable: else the list's order
        let mut away = cycle.no_list.clone().filter(nobody_there);
        let mut unreached = 0;
        self.first = names.first().map(|(name, _)| (*name).clone());
        for (at, &(name, listed)) in names.iter().enumerate() {
            if at % TOGETHER == 0 && away.is_none() {
                self.look_ahead(names.iter().skip(at).take(TOGETHER));
            }
            let begin = Instant::now();
            let checked = match (&away, listed) {
                (Some(away), _) => self.not_tried(name, away.clone()),
                (None, Listed::Yes) => self.check_listed(name),
                (None, Listed::No) => self.check_unlisted(name),
            };
            let Some(mut outcome) = checked else {
                cycle.stopped = true;
                return;
            };
            outcome.duration = begin.elapsed();
            unreached = match &outcome.reason {
                Reason::Failure(failure) if is_silent(failure) => unreached + 1,
                _ => 0,
            };
            if unreached == 3 && away.is_none() {
                // is it these databases, or the server?
                unreached = 0;
                away = self.server.databases().err().filter(is_silent);
            }
            tell(&outcome);
            cycle.outcomes.push(outcome);
        }
    }

    /// Begins the calls that checking these databases will most likely make. Nothing is decided here:
    /// what turns out otherwise is asked when it is needed.
    fn look_ahead<'a>(&mut self, names: impl Iterator<Item = &'a (&'a String, Listed)>) {
        let listed = names
            .filter(|(name, listed)| matches!(listed, Listed::Yes) && !self.slow.contains(*name));
        let databases: Vec<&str> = listed.map(|(name, _)| name.as_str()).collect();
        if databases.len() < 2 || !self.may_ask_together() {
            return;
        }
        self.server.begin_states(databases.iter().copied());
        for database in databases {
            let Some(shown) = self.server.peek_state(database) else {
                continue;
            };
            match self.store.load(database) {
                Ok(Some(trusted)) if trusted.state.tx < shown.tx => {
                    let (tx, since) = (shown.tx, trusted.state.tx);
                    self.server
                        .begin_verifiable_tx(database, tx, since, Entries::Excluded);
                }
                Ok(None) if shown.tx > 0 => {
                    self.server.begin_tx(database, shown.tx, Entries::Excluded);
                }
                _ => {}
            }
        }
    }

    /// A 0.9.0 mixes up what it answers to several calls at once.
    fn may_ask_together(&self) -> bool {
        self.shape == Some(StateShape::WithDatabase)
    }

    /// What is kept in memory of names that are neither known nor listed any more.
    fn forget_strangers(&mut self, cycle: &Cycle, known: &[String]) {
        let listed = cycle
            .outcomes
            .iter()
            .map(|outcome| outcome.database.as_str());
        let kept: BTreeSet<&str> = known.iter().map(String::as_str).chain(listed).collect();
        self.server.keep_credentials(|name| kept.contains(name));
        self.ages.keep(|name| kept.contains(name));
        self.scans.retain(|name, _| kept.contains(name.as_str()));
        self.progress.retain(|name, _| kept.contains(name.as_str()));
        self.windows.retain(|name, _| kept.contains(name.as_str()));
        self.mirrors.retain(|name, _| kept.contains(name.as_str()));
    }
}

/// Does the server list the database?
#[derive(Clone, Copy)]
enum Listed {
    Yes,
    No,
}

/// Did nothing come?
fn is_silent(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Unreachable | Kind::Deadline(_))
}

/// Does the failure concern the server, not what was asked?
fn nobody_there(failure: &Failure) -> bool {
    match failure.kind {
        Kind::Unreachable | Kind::BadLogin => true,
        // a server that hangs at its list alone may well answer for its databases
        Kind::Deadline(_) => failure.call == "Login",
        _ => false,
    }
}
