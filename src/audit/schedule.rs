//! One cycle: the choice of databases, their order and their time. No database affects the others.

use std::collections::BTreeSet;
use std::time::Instant;

use super::auditor::Auditor;
use super::budget::Budget;
use super::cycle::Cycle;
use super::kept_list::KeptList;
use super::outcome::Outcome;
use super::peers::MAX_WAIT_FOR_PEERS;
use super::round::{Group, Listed, Named, Round};
use super::verdict::Exit;
use crate::audit::check::listing::{self, Listing};
use crate::server::{Peeked, ServerErrorKind};

/// The server's own database, which no list names (protocol.md §1).
const SYSTEM_DATABASE: &str = "systemdb";

impl Auditor {
    /// Checks every database once and reports each outcome immediately. The order is: the states of trusted databases,
    /// their values, slow trusted databases, and new ones. So a slow or new database delays no other.
    pub fn cycle(&mut self, on_outcome: impl FnMut(&Outcome)) -> Cycle {
        self.cycle_and(on_outcome, |_| {})
    }

    /// Runs a cycle and calls `checked` with all outcomes before they are stored. If the process is killed in
    /// between, nothing goes unreported, because the next process compares with the stored outcomes.
    pub fn cycle_and(
        &mut self,
        mut on_outcome: impl FnMut(&Outcome),
        checked: impl FnOnce(&Cycle),
    ) -> Cycle {
        let begin = self.now();
        let budget = Budget::new(begin, self.policy.interval, self.shortest_cycle);
        self.cycles += 1;
        self.server.begin_cycle();
        self.server.begin_transcript();
        self.search_time.begin_cycle();
        self.untrusted_with_alarms = None;
        for (_, database) in self.databases.iter_mut() {
            database.not_now = false;
            database.sweepable = None;
        }
        let mut cycle = Cycle::new();
        match self.store.databases() {
            Ok(known) => self.known = known,
            Err(failure) => cycle.store_error = Some(failure), // the databases known before stay known
        }
        self.recall_shape();
        let known = self.known();
        let is_usable = self.may_reuse_list(&known);
        let first = self.begin_round(!is_usable);
        self.collect_responses(); // responses of peers since the last cycle
        self.peers.ask();
        let kept = match is_usable {
            true => self.kept_listing(first.as_deref(), budget.list()),
            false => None,
        };
        let asked = kept.is_none().then_some(begin);
        let listing = match kept {
            Some(listing) => listing,
            None => self.within(budget.list(), |auditor| auditor.list(&known, &mut cycle)),
        };
        if self.peers.waits_now() {
            let until = self.now() + MAX_WAIT_FOR_PEERS;
            self.peers.wait(until.min(budget.list()));
        }
        cycle.impossible.clone_from(&listing.impossible);
        cycle.skipped_databases = listing.skipped_databases;
        let mut round = Round {
            budget,
            away: None,
            silent: 0,
            known: &known,
            on_outcome: &mut on_outcome,
            cycle,
        };
        if self.check_all(&listing, &known, &mut round).is_none() {
            round.cycle.stopped = true;
        }
        let mut cycle = round.cycle;
        cycle.duration = self.server.clock().since(begin);
        cycle.interval = self.policy.interval;
        for (_, database) in self.databases.iter_mut() {
            database.to_mirror = database.readable;
        }
        self.keep_list(listing, asked, &known, &cycle);
        self.forget_removed_databases(&cycle, &known);
        checked(&cycle);
        cycle.is_recorded = self.save_outcomes(&cycle, &known);
        self.save_progress_if_due();
        self.store_other_unstored(cycle.stopped);
        self.save_peers(&cycle);
        let outcomes = cycle.outcomes.iter();
        let taken = outcomes.filter(|outcome| !outcome.is_untrusted);
        cycle.known = known;
        cycle
            .known
            .extend(taken.map(|outcome| outcome.database.clone()));
        for outcome in cycle.outcomes.iter().filter(|outcome| outcome.is_gone()) {
            cycle.known.remove(&outcome.database);
        }
        cycle
    }

    /// Returns the databases that are or were trusted, in order. These are databases with files, databases with a
    /// pin, and databases whose files are gone although they were trusted before. The last case is a local failure
    /// and not a first use.
    fn known(&self) -> BTreeSet<String> {
        let pinned = self.policy.pins.iter().map(|pin| pin.database.clone());
        let trusted_before = self.databases.names(|database| database.trusted_before);
        let known = self.known.iter().cloned();
        known.chain(pinned).chain(trusted_before).collect()
    }

    /// Sends the first calls of a cycle, and also the call for the list if it is due. They may take longer than the
    /// time for the list, because one of them is no part of it. Returns the database whose state was requested.
    fn begin_round(&mut self, asks_list: bool) -> Option<String> {
        let first = self.first.take();
        if !self.may_ask_together() {
            return None;
        }
        let first = first.filter(|name| self.policy.selects(name));
        if asks_list {
            self.server.prefetch_list();
        }
        if let Some(first) = &first {
            self.server.prefetch_state(first);
        }
        first
    }

    /// Returns whether this cycle may use the list of an earlier one.
    fn may_reuse_list(&self, known: &BTreeSet<String>) -> bool {
        let now = self.now();
        let kept = self.kept_list.as_ref();
        kept.is_some_and(|kept| kept.is_usable(known, now))
    }

    /// Returns the list of an earlier cycle, if the server responds for its `first` database; otherwise the list
    /// itself will show the error. Does not wait past `until`.
    fn kept_listing(&mut self, first: Option<&str>, until: Instant) -> Option<Listing> {
        let state = self.server.peek_state(first?, until);
        let is_shown = matches!(state, Peeked::State(_));
        self.kept_list
            .as_mut()
            .filter(|_| is_shown)
            .map(KeptList::listing)
    }

    /// Stores a list that was requested at `asked`, or keeps the stored one, if the cycle found nothing to report.
    fn keep_list(
        &mut self,
        listing: Listing,
        asked: Option<Instant>,
        known: &BTreeSet<String>,
        cycle: &Cycle,
    ) {
        let is_good = self.keeps_list && cycle.is_complete() && cycle.exit() == Exit::Good;
        if !is_good {
            self.kept_list = None;
        } else if let Some(asked) = asked {
            self.kept_list = KeptList::of(listing, known, asked);
        }
    }

    /// Requests the list, and sorts it.
    fn list(&mut self, known: &BTreeSet<String>, cycle: &mut Cycle) -> Listing {
        let policy = self.policy.clone();
        let selects = |name: &str| policy.selects(name);
        let mut listing = match self.server.databases() {
            Ok(list) => listing::sort(&list.names(), known, selects),
            Err(failure) => {
                // check the known databases anyway, unless the server is unavailable
                cycle.list_error = Some(failure);
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
            // a database that is in no list, such as systemdb, can still be audited
            match self.server.open(entry) {
                Ok(()) => {
                    self.databases.of(entry).unlisted = true;
                    listing.listed.push(entry.clone());
                }
                Err(failure) if failure.kind == ServerErrorKind::CutShort => cycle.not_reached += 1,
                Err(failure) => cycle.selects_nothing.push((entry.clone(), failure)),
            }
        }
        // a database that was never listed is not hidden
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
        // a stable sort keeps the list's order among equals
        trusted.sort_by_key(|named| {
            let record = self.databases.get(named.name);
            record.map(|record| (record.turn.checked, record.checked_before))
        });
        let (slow, trusted): (Vec<_>, Vec<_>) = trusted
            .into_iter()
            .partition(|named| self.is_slow(named.name));
        self.rotate(&mut untrusted);
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

    /// Forgets databases that are neither known nor listed any more. Entries of `--audit-databases` stay, because
    /// they are opened in every cycle although no list names them.
    fn forget_removed_databases(&mut self, cycle: &Cycle, known: &BTreeSet<String>) {
        let outcomes = cycle.outcomes.iter();
        let reported: BTreeSet<&str> = outcomes.map(|outcome| outcome.database.as_str()).collect();
        let entries = self.policy.databases.entries();
        let keeps = |name: &str| {
            known.contains(name)
                || reported.contains(name)
                || entries.iter().any(|entry| entry == name)
        };
        self.server.keep_credentials(keeps);
        self.store.keep_remembered(keeps);
        // if the files cannot be listed, a database whose values were read still counts as trusted
        let unlisted = cycle.store_error.is_some();
        self.databases
            .retain(|name, record| keeps(name) || (unlisted && record.progress.is_some()));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::audit::policy::Policy;
    use crate::config::{FirstUse, Secret};
    use crate::drill::{Embedded, Options};
    use crate::server::{Endpoint, Login, Server};
    use crate::stop::Stop;
    use crate::trust::{Location, Store};

    pub(in crate::audit) fn auditor(embedded: &Embedded, dir: PathBuf) -> Auditor {
        let endpoint = Endpoint::on_loopback(embedded.port());
        let login = Login {
            username: "immudb".into(),
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
            first_use: FirstUse::Refuse, // so that the databases stay untrusted
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
