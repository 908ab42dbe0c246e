//! One cycle: which databases are checked, in what order and with how much time, whatever becomes of the
//! others.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::auditor::{Auditor, LOCATING};
use super::budget::{Budget, GRACE, Window};
use super::cycle::Cycle;
use super::database::Turn;
use super::outcome::Outcome;
use super::turn::{Checked, Ended, Proven};
use super::verdict::Verdict;
use crate::audit::check::listing::{self, Listing};
use crate::ledger::StateShape;
use crate::server::{Failure, Kind, Peeked};
use crate::wire::Entries;

/// Databases whose calls are begun together, so that a distant server is not waited for one by one.
const TOGETHER: usize = 16;
/// Databases in a row of which nothing comes before the server is asked whether it is there at all.
const SILENT: u32 = 3;
/// The server's own database, which no list names (protocol.md §1).
const SYSTEM_DATABASE: &str = "systemdb";

impl Auditor {
    /// Checks every database once; each outcome is told as soon as it stands. First the states of databases of which
    /// something is trusted, then values of these, then those of them that were slow, then what is new on the list: so
    /// none waits for another's trouble, and trust never waits for names.
    pub fn cycle(&mut self, mut tell: impl FnMut(&Outcome)) -> Cycle {
        let begin = self.now();
        let budget = Budget::new(begin, self.policy.interval, self.shortest_cycle);
        self.cycles += 1;
        self.server.begin_cycle();
        self.server.begin_transcript();
        self.locating = LOCATING;
        self.strangers_with_alarms = None;
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
        self.begin_round();
        let listing = self.within(budget.list(), |auditor| auditor.list(&known, &mut cycle));
        cycle.impossible.clone_from(&listing.impossible);
        cycle.too_many = listing.too_many;
        let mut round = Round {
            budget,
            away: None,
            silent: 0,
            known: &known,
            tell: &mut tell,
            cycle,
        };
        if self.check_all(&listing, &known, &mut round).is_none() {
            round.cycle.stopped = true;
        }
        let mut cycle = round.cycle;
        cycle.duration = self.server.clock().since(begin);
        for (_, database) in self.databases.iter_mut() {
            database.to_mirror = database.readable;
        }
        self.forget_strangers(&cycle, &known);
        self.save_outcomes(&cycle, &known);
        self.save_progress_if_due();
        let outcomes = cycle.outcomes.iter();
        let taken = outcomes.filter(|outcome| !outcome.is_stranger);
        cycle.known = known;
        cycle
            .known
            .extend(taken.map(|outcome| outcome.database.clone()));
        for outcome in cycle.outcomes.iter().filter(|outcome| outcome.is_gone()) {
            cycle.known.remove(&outcome.database);
        }
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

    /// Begins the first calls of a cycle. They outlast the time for the list, since one is no part of it.
    fn begin_round(&mut self) {
        let first = self.first.take();
        if self.may_ask_together() {
            let first = first.filter(|name| self.policy.selects(name));
            self.server.begin_round(first.as_deref());
        }
    }

    /// Asks for the list, and sorts it.
    fn list(&mut self, known: &BTreeSet<String>, cycle: &mut Cycle) -> Listing {
        let policy = self.policy.clone();
        let selects = |name: &str| policy.selects(name);
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
                Err(failure) if failure.kind == Kind::CutShort => cycle.not_reached += 1,
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
        let listed = listing.listed.iter().map(|name| (name, Listed::Yes));
        let missing = listing.missing.iter().map(|name| (name, Listed::No));
        let named = listed.chain(missing);
        let named = named.map(|(name, listed)| Named { name, listed });
        let (mut trusted, mut untrusted): (Vec<_>, Vec<_>) =
            named.partition(|named| known.contains(named.name));
        // stable: else the list's order
        trusted.sort_by_key(|named| {
            let record = self.databases.get(named.name);
            record.map(|record| (record.turn.checked, record.checked_before))
        });
        let (slow, trusted): (Vec<_>, Vec<_>) = trusted
            .into_iter()
            .partition(|named| self.is_slow(named.name));
        if let Some(last) = &self.last_untrusted {
            let next = untrusted.iter().position(|named| named.name == last);
            let count = untrusted.len().max(1);
            untrusted.rotate_left(next.map_or(0, |at| (at + 1) % count));
        }
        let mut all = trusted.iter().chain(&slow).chain(&untrusted);
        self.first = all.next().map(|named| named.name.to_owned());

        let (budget, others) = (round.budget, trusted.len());
        let window = budget.trusted(self.now(), others, slow.len());
        self.check_group(Group::Trusted, trusted, window, round)?;
        let window = budget.slow(self.now(), slow.len(), others);
        self.check_group(Group::Slow, slow, window, round)?;
        let window = budget.untrusted(self.now(), untrusted.len());
        self.check_group(Group::Untrusted, untrusted, window, round)
    }

    /// Checks the states of some databases and reads their values, each within its time.
    fn check_group(
        &mut self,
        group: Group,
        names: Vec<Named<'_>>,
        window: Window,
        round: &mut Round<'_>,
    ) -> Option<()> {
        let proven = self.within(window.states, |auditor| {
            auditor.check_states(group, names, &window, round)
        })?;
        self.within(window.values + GRACE, |auditor| {
            auditor.read_all(proven, window.values, round)
        })
    }

    /// Checks the states of some databases. One has its turn, however little time there is; those whose turn does not
    /// come are told.
    fn check_states(
        &mut self,
        group: Group,
        names: Vec<Named<'_>>,
        window: &Window,
        round: &mut Round<'_>,
    ) -> Option<Vec<Proven>> {
        let moment = round.budget.moment();
        let has_others = names.len() > 1;
        let mut waiting = VecDeque::from(names);
        let mut late = VecDeque::new();
        let mut proven = Vec::new();
        let (mut is_first, mut asked) = (true, 0usize);
        loop {
            if asked == 0 && group != Group::Slow && round.away.is_none() {
                let batch = waiting.drain(..waiting.len().min(TOGETHER)).collect();
                let (answered, silent) = self.look_ahead(batch, moment);
                asked = answered.len();
                answered
                    .into_iter()
                    .rev()
                    .for_each(|named| waiting.push_front(named));
                late.extend(silent); // they keep none of the others waiting
            }
            let Some(named) = waiting.pop_front().or_else(|| late.pop_front()) else {
                return Some(proven);
            };
            asked = asked.saturating_sub(1);
            let now = self.now();
            let enough = match group {
                Group::Trusted | Group::Slow => now + moment <= window.states,
                Group::Untrusted => now < window.states,
            };
            if !is_first && !enough && round.away.is_none() {
                let left = [named].into_iter().chain(waiting).chain(late);
                self.tell_not_reached(group, left, round);
                return Some(proven);
            }
            let until = match has_others && group != Group::Slow {
                true => round.budget.turn(now, window),
                false => window.states,
            };
            let checked = self.within(until, |auditor| {
                auditor.check_one(named, window.share, is_first, round)
            });
            proven.extend(checked?);
            if group == Group::Untrusted {
                self.last_untrusted = Some(named.name.to_owned());
            }
            is_first = false;
        }
    }

    fn tell_not_reached<'a>(
        &mut self,
        group: Group,
        left: impl Iterator<Item = Named<'a>>,
        round: &mut Round<'_>,
    ) {
        for named in left {
            match group {
                Group::Untrusted => round.cycle.not_reached += 1,
                Group::Trusted | Group::Slow => {
                    let outcome = self.not_reached(named.name);
                    round.tell(outcome);
                }
            }
        }
    }

    /// Checks the state of one database. It was slow if it took more than its `share`, and had a full turn if it came to
    /// an end or was the first.
    fn check_one(
        &mut self,
        named: Named<'_>,
        share: Duration,
        is_first: bool,
        round: &mut Round<'_>,
    ) -> Option<Option<Proven>> {
        let (begin, locating) = (self.now(), self.locating);
        let name = named.name;
        let checked = match (&round.away, named.listed) {
            (Some(away), _) => {
                let outcome = self.not_tried(name, away.clone())?;
                round.tell(outcome);
                return Some(None);
            }
            (None, Listed::Yes) => self.check_listed(name)?,
            (None, Listed::No) => self.check_unlisted(name)?,
        };
        let took = self.server.clock().since(begin);
        let checking = took.saturating_sub(locating.saturating_sub(self.locating));
        let ended = checked.ended();
        let cycle = self.cycles;
        let record = self.databases.of(name);
        record.slow = match ended {
            Ended::Late => true,
            Ended::CutShort => record.slow || checking >= share,
            Ended::Unreachable | Ended::Well => checking > share,
        };
        if is_first || ended != Ended::CutShort {
            record.turn.checked = cycle;
        }
        round.silent = match ended {
            Ended::Late | Ended::Unreachable => round.silent + 1,
            Ended::CutShort => round.silent,
            Ended::Well => 0,
        };
        match checked {
            Checked::Proven(mut proven) => {
                proven.took = took;
                Some(Some(*proven))
            }
            Checked::Done(mut outcome) => {
                outcome.duration = took;
                self.look_whether_away(round);
                if !round.tell(*outcome) {
                    self.databases.forget(name);
                }
                Some(None)
            }
        }
    }

    /// Decides whether a server of which nothing comes is away: it is if its list does not come either.
    fn look_whether_away(&mut self, round: &mut Round<'_>) {
        if round.silent < SILENT {
            return;
        }
        round.silent = 0;
        let no_list = round.cycle.no_list.clone().filter(is_silent);
        round.away = no_list.or_else(|| self.server.databases().err().filter(is_silent));
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
            let now = self.now();
            let share = until.saturating_duration_since(now) / waiting.max(1);
            waiting = waiting.saturating_sub(1);
            if !share.is_zero() {
                self.databases.of(&proven.database).turn.read = self.cycles;
            }
            let (took, until) = (proven.took, now + share);
            let mut outcome =
                self.within(until + GRACE, |auditor| auditor.read_beside(proven, until))?;
            outcome.duration = took + self.server.clock().since(now);
            round.tell(outcome);
        }
        Some(())
    }

    fn is_slow(&self, database: &str) -> bool {
        let record = self.databases.get(database);
        record.is_some_and(|record| record.slow)
    }

    fn turn(&self, database: &str) -> Turn {
        self.databases
            .get(database)
            .map_or(Turn::default(), |of| of.turn)
    }

    /// Begins the calls that checking these databases will most likely make. Nothing is decided here:
    /// what turns out otherwise is asked when it is needed. Returns those that are to be checked now, and those whose
    /// state has not come within a moment.
    fn look_ahead<'a>(
        &mut self,
        batch: Vec<Named<'a>>,
        moment: Duration,
    ) -> (Vec<Named<'a>>, Vec<Named<'a>>) {
        let listed = batch.iter().filter(|named| named.listed == Listed::Yes);
        let names: Vec<&str> = listed.map(|named| named.name).collect();
        if names.len() < 2 || !self.may_ask_together() {
            return (batch, Vec::new());
        }
        let until = self.now() + moment;
        self.server.begin_states(names.iter().copied(), until);
        let mut late = BTreeSet::new();
        for database in names {
            let shown = match self.server.peek_state(database, until) {
                Peeked::State(shown) => shown,
                Peeked::NotYet => {
                    late.insert(database);
                    continue;
                }
                Peeked::Nothing => continue,
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
        if late.len() == batch.len() {
            return (batch, Vec::new()); // the server is as slow with all of them
        }
        batch
            .into_iter()
            .partition(|named| !late.contains(named.name))
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
        // files that cannot be listed do not tell what is trusted, but values are only read of trusted databases
        let unlisted = cycle.no_store.is_some();
        self.databases
            .retain(|name, record| keeps(name) || (unlisted && record.progress.is_some()));
    }
}

/// One cycle under way.
struct Round<'a> {
    budget: Budget,
    /// Why no database is asked for any more.
    away: Option<Failure>,
    /// Databases in a row of which nothing came.
    silent: u32,
    /// The databases of which something is or was trusted.
    known: &'a BTreeSet<String>,
    tell: &'a mut dyn FnMut(&Outcome),
    cycle: Cycle,
}

impl Round<'_> {
    /// Tells an outcome, or only counts it if there are many strangers. Returns whether it was told.
    fn tell(&mut self, mut outcome: Outcome) -> bool {
        let is_known = self.known.contains(&outcome.database);
        // the files may not have told what is known
        let is_taken = outcome.state_verdict() == Verdict::FirstSeen
            || outcome.previous.is_some()
            || outcome.alarm.is_some()
            || outcome.open_alarms > 0;
        outcome.is_stranger = !is_known && !is_taken;
        let told = match outcome.is_stranger {
            true => self.cycle.strangers.count(outcome),
            false => Some(outcome),
        };
        let Some(outcome) = told else {
            return false;
        };
        (self.tell)(&outcome);
        self.cycle.outcomes.push(outcome);
        true
    }
}

/// Databases that are checked one after the other, in one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Something is trusted of them.
    Trusted,
    /// The same, and their last check was slow.
    Slow,
    /// Nothing is trusted of them.
    Untrusted,
}

/// A database of a cycle.
#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    listed: Listed,
}

/// Does the server list the database?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    Yes,
    No,
}

/// Did nothing come?
fn is_silent(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Unreachable | Kind::Deadline(_))
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
