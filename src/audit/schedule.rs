//! One cycle: which databases are checked, in what order and with how much time, whatever becomes of the
//! others.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::auditor::{Auditor, LOCATING};
use super::cycle::Cycle;
use super::database::Turn;
use super::listing::{self, Listing};
use super::outcome::Outcome;
use super::turn::{Checked, Proven};
use super::verdict::Reason;
use crate::ledger::StateShape;
use crate::server::{Failure, Kind};
use crate::wire::Entries;

/// Databases whose calls are begun together, so that a distant server is not waited for one by one.
const TOGETHER: usize = 16;
/// The least share of a cycle for databases without a trusted state.
const UNTRUSTED_SHARE: Duration = Duration::from_secs(1);
/// Reading values has this part of a cycle's time at least, however long the states took.
const READING_SHARE: u32 = 4;
/// The server's own database, which no list names (protocol.md §1).
const SYSTEM_DATABASE: &str = "systemdb";

impl Auditor {
    /// Checks every database once; each outcome is told as soon as it stands. First the states of all
    /// databases of which something is trusted, then values of these, then what is new on the list: so none waits for
    /// another's trouble, and trust never waits for names.
    pub fn cycle(&mut self, mut tell: impl FnMut(&Outcome)) -> Cycle {
        let begin = Instant::now();
        self.cycles += 1;
        self.server.begin_cycle();
        self.server.begin_transcript();
        self.locating = LOCATING;
        for (_, database) in self.databases.iter_mut() {
            database.not_now = false;
        }
        let mut cycle = Cycle::new();
        match self.store.databases() {
            Ok(known) => self.known = known,
            Err(failure) => cycle.no_store = Some(failure), // what was known goes on to be
        }
        self.recall_shape();
        let known = self.known();
        let listing = self.list(&known, &mut cycle);
        cycle.impossible.clone_from(&listing.impossible);
        cycle.too_many = listing.too_many;
        let mut round = Round {
            begin,
            away: cycle.no_list.clone().filter(nobody_there),
            silent: 0,
            tell: &mut tell,
            cycle,
        };
        if self.check_all(&listing, &known, &mut round).is_none() {
            round.cycle.stopped = true;
        }
        let mut cycle = round.cycle;
        cycle.duration = begin.elapsed();
        for (_, database) in self.databases.iter_mut() {
            database.to_mirror = database.readable;
        }
        self.forget_strangers(&cycle, &known);
        self.save_outcomes(&cycle, &known);
        self.save_progress_if_due();
        cycle
    }

    /// Returns the databases of which something is trusted or was, in order: those of which files are kept, those with
    /// a pin, and those whose files are gone though they were trusted before, which is a local failure and no first
    /// sight.
    fn known(&self) -> BTreeSet<String> {
        let pinned = self.policy.pins.iter().map(|pin| pin.database.clone());
        let trusted_before = self.databases.names(|database| database.trusted_before);
        let known = self.known.iter().cloned();
        known.chain(pinned).chain(trusted_before).collect()
    }

    /// Asks for the list, and sorts it.
    fn list(&mut self, known: &BTreeSet<String>, cycle: &mut Cycle) -> Listing {
        let policy = self.policy.clone();
        let pinned = |name: &str| policy.pins.iter().any(|pin| pin.database == name);
        let selects = |name: &str| policy.databases.selects(name) || pinned(name);
        if self.may_ask_together() {
            let first = self.first.take().filter(|name| selects(name));
            self.server.begin_round(first.as_deref());
        }
        let mut listing = match self.server.databases() {
            Ok(names) => listing::sort(&names, known, selects),
            Err(failure) => {
                // what is known is tried all the same, unless nobody is there
                cycle.no_list = Some(failure);
                let listed = known.iter().filter(|name| selects(name));
                return Listing {
                    listed: listed.cloned().collect(),
                    ..Listing::default()
                };
            }
        };
        let listed: BTreeSet<&str> = listing.listed.iter().map(String::as_str).collect();
        for (name, database) in self.databases.iter_mut() {
            database.unlisted &= !listed.contains(name);
        }
        for entry in policy.databases.entries() {
            let selected = |names: &[String]| names.iter().any(|name| name.starts_with(entry));
            if selected(&listing.listed) || selected(&listing.missing) {
                continue;
            }
            // a database that no list names, such as systemdb, can be audited all the same
            match self.server.open(entry) {
                Ok(()) => {
                    self.databases.of(entry).unlisted = true;
                    listing.listed.push(entry.clone());
                }
                Err(failure) => cycle.selects_nothing.push((entry.clone(), failure)),
            }
        }
        // one that was never listed is not hidden
        let unlisted = |name: &String| {
            let record = self.databases.get(name);
            name == SYSTEM_DATABASE || record.is_some_and(|record| record.unlisted)
        };
        let missing = std::mem::take(&mut listing.missing);
        let (never_listed, missing) = missing.into_iter().partition(unlisted);
        listing.missing = missing;
        listing.listed.extend::<Vec<String>>(never_listed);
        listing
    }

    fn check_all(
        &mut self,
        listing: &Listing,
        known: &BTreeSet<String>,
        round: &mut Round<'_>,
    ) -> Option<()> {
        let listed = listing
            .listed
            .iter()
            .map(|name| (name.as_str(), Listed::Yes));
        let missing = listing
            .missing
            .iter()
            .map(|name| (name.as_str(), Listed::No));
        let (mut trusted, mut untrusted): (Vec<_>, Vec<_>) = listed
            .chain(missing)
            .partition(|(name, _)| known.contains(*name));
        // stable: else the list's order
        trusted.sort_by_key(|(name, _)| {
            let record = self.databases.get(name);
            record.map(|record| (record.slow, record.turn.checked, record.checked_before))
        });
        let first = trusted.first().or(untrusted.first());
        self.first = first.map(|(name, _)| (*name).to_owned());
        let allowed = self.policy.interval.max(self.shortest_cycle);
        let proven = self.check_states(&trusted, round.begin + allowed, round)?;
        // slow states must not leave values without any time
        let until = (round.begin + allowed).max(Instant::now() + allowed / READING_SHARE);
        self.read_all(proven, until, round)?;
        // what is new has what is left of the interval, and a moment at least
        let until = round.begin + self.policy.interval;
        let until = until.max(Instant::now() + UNTRUSTED_SHARE);
        if let Some(last) = &self.last_untrusted {
            let next = untrusted.iter().position(|(name, _)| name == last);
            let count = untrusted.len().max(1);
            untrusted.rotate_left(next.map_or(0, |at| (at + 1) % count));
        }
        let count = untrusted.len();
        let proven = self.check_new(&untrusted, until, round)?;
        round.cycle.not_reached = count.saturating_sub(proven.reached);
        self.read_all(proven.proven, until.max(round.begin + allowed), round)
    }

    /// Checks the states of databases of which something is trusted.
    fn check_states(
        &mut self,
        names: &[(&str, Listed)],
        until: Instant,
        round: &mut Round<'_>,
    ) -> Option<Vec<Proven>> {
        let mut proven = Vec::new();
        for (at, &(name, listed)) in names.iter().enumerate() {
            // one has its turn, however long the list took
            if at > 0 && Instant::now() >= until && round.away.is_none() {
                let outcome = self.not_reached(name);
                round.tell(outcome);
                continue;
            }
            if at % TOGETHER == 0 && round.away.is_none() {
                self.look_ahead(names.iter().skip(at).take(TOGETHER));
            }
            self.databases.of(name).turn.checked = self.cycles;
            proven.extend(self.check_one(name, listed, round)?);
        }
        Some(proven)
    }

    /// Checks databases of which nothing is trusted, as long as there is time.
    fn check_new(
        &mut self,
        names: &[(&str, Listed)],
        until: Instant,
        round: &mut Round<'_>,
    ) -> Option<New> {
        let mut new = New::default();
        for (at, &(name, listed)) in names.iter().enumerate() {
            if at > 0 && Instant::now() >= until && round.away.is_none() {
                break;
            }
            if at % TOGETHER == 0 && round.away.is_none() {
                self.look_ahead(names.iter().skip(at).take(TOGETHER));
            }
            new.proven.extend(self.check_one(name, listed, round)?);
            new.reached += 1;
            self.last_untrusted = Some(name.to_owned());
        }
        Some(new)
    }

    fn check_one(
        &mut self,
        name: &str,
        listed: Listed,
        round: &mut Round<'_>,
    ) -> Option<Option<Proven>> {
        let begin = Instant::now();
        let checked = match (&round.away, listed) {
            (Some(away), _) => self.not_tried(name, away.clone())?.into(),
            (None, Listed::Yes) => self.check_listed(name)?,
            (None, Listed::No) => self.check_unlisted(name)?,
        };
        match checked {
            Checked::Proven(mut proven) => {
                round.silent = 0;
                proven.took = begin.elapsed();
                Some(Some(*proven))
            }
            Checked::Done(mut outcome) => {
                outcome.duration = begin.elapsed();
                round.silent = match &outcome.reason {
                    Reason::Failure(failure) if is_silent(failure) => round.silent + 1,
                    _ => 0,
                };
                if round.silent == 3 && round.away.is_none() {
                    // is it these databases, or the server?
                    round.silent = 0;
                    round.away = self.server.databases().err().filter(is_silent);
                }
                round.tell(*outcome);
                Some(None)
            }
        }
    }

    /// Reads values of the databases whose states are proven, each for its share of the time that is left.
    fn read_all(
        &mut self,
        mut proven: Vec<Proven>,
        until: Instant,
        round: &mut Round<'_>,
    ) -> Option<()> {
        proven.sort_by_key(|proven| self.turn(&proven.database).read); // stable
        let mut waiting = u32::try_from(proven.len()).unwrap_or(u32::MAX);
        for proven in proven {
            let now = Instant::now();
            let share = until.saturating_duration_since(now) / waiting.max(1);
            waiting = waiting.saturating_sub(1);
            let (name, took) = (proven.database.clone(), proven.took);
            if !share.is_zero() {
                self.databases.of(&name).turn.read = self.cycles;
            }
            let mut outcome = self.read_beside(proven, now + share)?;
            outcome.duration = took + now.elapsed();
            round.tell(outcome);
        }
        Some(())
    }

    fn turn(&self, database: &str) -> Turn {
        self.databases
            .get(database)
            .map_or(Turn::default(), |of| of.turn)
    }

    /// Begins the calls that checking these databases will most likely make. Nothing is decided here:
    /// what turns out otherwise is asked when it is needed.
    fn look_ahead<'a>(&mut self, names: impl Iterator<Item = &'a (&'a str, Listed)>) {
        let slow = |name: &str| self.databases.get(name).is_some_and(|of| of.slow);
        let listed = names.filter(|(name, listed)| matches!(listed, Listed::Yes) && !slow(name));
        let databases: Vec<&str> = listed.map(|(name, _)| *name).collect();
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

    /// Forgets databases that are neither known nor listed any more, nor entries of `--audit-databases`, which are
    /// opened in every cycle although no list names them.
    fn forget_strangers(&mut self, cycle: &Cycle, known: &BTreeSet<String>) {
        let outcomes = cycle.outcomes.iter();
        let told: BTreeSet<&str> = outcomes.map(|outcome| outcome.database.as_str()).collect();
        let entries = self.policy.databases.entries();
        let keeps = |name: &str| {
            known.contains(name) || told.contains(name) || entries.iter().any(|entry| entry == name)
        };
        self.server.keep_credentials(keeps);
        self.databases.retain(keeps);
    }
}

/// One cycle under way.
struct Round<'a> {
    begin: Instant,
    /// Why no database is asked for any more.
    away: Option<Failure>,
    /// Databases in a row of which nothing came.
    silent: u32,
    tell: &'a mut dyn FnMut(&Outcome),
    cycle: Cycle,
}

impl Round<'_> {
    fn tell(&mut self, outcome: Outcome) {
        (self.tell)(&outcome);
        self.cycle.outcomes.push(outcome);
    }
}

/// What came of databases of which nothing was trusted.
#[derive(Default)]
struct New {
    proven: Vec<Proven>,
    reached: usize,
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
        // if the login fails, the tokens of the databases may still work
        Kind::Unreachable => true,
        // a server that hangs at its list alone may well answer for its databases
        Kind::Deadline(_) => failure.call == "Login",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::audit::policy::Policy;
    use crate::config::{FirstSight, Secret};
    use crate::drill::{Embedded, Options};
    use crate::server::{Endpoint, Login, Server};
    use crate::stop::Stop;
    use crate::trust::{Location, Store};

    fn auditor(embedded: &Embedded, dir: PathBuf) -> Auditor {
        let endpoint = Endpoint::on_loopback(embedded.port());
        let login = Login {
            user: "immudb".into(),
            password: Secret::new("immudb".into()),
        };
        let server = Server::new(endpoint, login, Duration::from_secs(10), Stop::new());
        let location = Location {
            dir,
            roots: None,
            server: "tested".into(),
        };
        let store = Store::open(&location, crate::clock::now()).unwrap();
        let policy = Policy {
            first_sight: FirstSight::Refused, // so that they stay strangers
            ..Policy::of_consistency()
        };
        Auditor::new(server.unwrap(), store, policy)
    }

    #[test]
    fn a_name_that_is_neither_trusted_nor_listed_any_more_leaves_no_record() {
        let embedded = Embedded::start(Options::default()).unwrap();
        embedded.grow("defaultdb", 1);
        let dir = std::env::temp_dir().join(format!("immuaudit-strangers-{}", std::process::id()));
        let mut auditor = auditor(&embedded, dir.clone());
        for cycle in 0..3 {
            let names: Vec<String> = (0..5).map(|i| format!("fresh-{cycle}-{i}")).collect();
            for name in &names {
                embedded.create_database(name);
                embedded.grow(name, 1);
            }
            auditor.cycle(|_| {});
            let records: Vec<&str> = auditor.databases.iter().map(|(name, _)| name).collect();
            assert_eq!(records.len(), 6, "{records:?}");
            names.iter().for_each(|name| embedded.drop_database(name));
        }
        auditor.cycle(|_| {});
        assert_eq!(auditor.databases.names(|_| true), ["defaultdb"]);
        drop(auditor);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
