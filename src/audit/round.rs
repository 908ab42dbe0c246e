//! The turns of databases in a cycle. Each group of databases is checked within its time, one database after the
//! other, while the calls for the next ones are already sent. Values are read in the time that is left.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::budget::{Budget, MAX_CALL_OVERRUN, Window};
use super::cycle::Cycle;
use super::database::Turn;
use super::outcome::{Outcome, Overdue};
use super::turn::{Checked, Ended, Proven};
use super::verdict::Verdict;
use crate::ledger::StateShape;
use crate::server::{Peeked, ServerError, ServerErrorKind};
use crate::wire::Entries;

/// The number of databases whose calls are started concurrently, so that the delay of a distant server does not add
/// up: at first, and at most. A state and a proof of each may wait, and each response may take 64 KiB of memory. A state
/// that was late stays until it is too old to be used.
const MIN_BATCH: usize = 16;
const MAX_BATCH: usize = 64;
/// The longest time that a batch should take. It is much shorter than the time for which a prefetched response is
/// used.
const BATCH_TIME: Duration = Duration::from_secs(1);
/// The number of consecutive databases without a response after which the auditor checks whether the server is
/// reachable.
const MAX_SILENT_DATABASES: u32 = 3;

impl Auditor {
    /// Checks the states of some databases and reads their values, each within its time.
    pub(super) fn check_group(
        &mut self,
        group: Group,
        names: Vec<Named<'_>>,
        window: Window,
        round: &mut Round<'_>,
    ) -> Option<()> {
        let mut proven = Vec::new();
        let checked = self.within(window.states, |auditor| {
            auditor.check_states(group, names, &window, round, &mut proven)
        });
        // proven states are on disk, so they are reported even if the program is asked to end
        let read = self.within(window.values + MAX_CALL_OVERRUN, |auditor| {
            auditor.read_all(proven, window.values, round)
        });
        checked.and(read)
    }

    /// Checks the states of some databases. At least one database gets its turn, even if there is little time.
    /// Databases without a turn are reported. Databases whose values can be read are added to `proven`.
    fn check_states(
        &mut self,
        group: Group,
        names: Vec<Named<'_>>,
        window: &Window,
        round: &mut Round<'_>,
        proven: &mut Vec<Proven>,
    ) -> Option<()> {
        let moment = round.budget.moment();
        let has_others = names.len() > 1;
        let mut waiting = VecDeque::from(names);
        let mut late = VecDeque::new();
        let (mut is_first, mut asked) = (true, 0usize);
        let (mut size, mut begun) = (MIN_BATCH, None);
        loop {
            if asked == 0 && group != Group::Slow && round.away.is_none() {
                let now = self.now();
                if let Some(before) = begun.replace(now) {
                    size = next_batch(size, now.saturating_duration_since(before));
                }
                let batch = waiting.drain(..waiting.len().min(size)).collect();
                let (mut next, silent) = self.look_ahead(batch, moment);
                match group {
                    // there may be too many untrusted databases to wait for all of them
                    Group::Untrusted => next.extend(silent),
                    // a silent database must not delay the others
                    Group::Trusted | Group::Slow => late.extend(silent),
                }
                asked = next.len();
                let next = next.into_iter().rev();
                next.for_each(|named| waiting.push_front(named));
            }
            let Some(named) = waiting.pop_front().or_else(|| late.pop_front()) else {
                if group == Group::Untrusted && round.away.is_none() {
                    self.last_untrusted = None; // all of them were checked
                }
                return Some(());
            };
            asked = asked.saturating_sub(1);
            let now = self.now();
            let enough = match group {
                Group::Trusted | Group::Slow => now + moment <= window.states,
                Group::Untrusted => now < window.states,
            };
            if !is_first && !enough && round.away.is_none() {
                for late in &late {
                    // slow databases have their own time at the end
                    self.databases.of(late.name).slow = true;
                }
                let left = [named].into_iter().chain(waiting).chain(late);
                self.report_not_reached(group, left, round);
                return Some(());
            }
            let until = match has_others && group != Group::Slow {
                true => round.budget.turn(now, window),
                false => window.states,
            };
            let checked = self.within(until, |auditor| {
                auditor.check_one(named, window.share, is_first, round)
            });
            proven.extend(checked?);
            if group == Group::Untrusted && round.away.is_none() {
                self.last_untrusted = Some(named.name.to_owned());
            }
            is_first = false;
        }
    }

    fn report_not_reached<'a>(
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
                    round.on_outcome(outcome);
                }
            }
        }
    }

    /// Checks the state of one database. It was slow if it took more than its `share`, and had a full turn if it came
    /// to an end or was the first.
    fn check_one(
        &mut self,
        named: Named<'_>,
        share: Duration,
        is_first: bool,
        round: &mut Round<'_>,
    ) -> Option<Option<Proven>> {
        let (begin, before) = (self.now(), self.search_time.left());
        let name = named.name;
        let checked = match (&round.away, named.listed) {
            (Some(away), _) => {
                let outcome = self.not_tried(name, away.clone())?;
                round.on_outcome(outcome);
                return Some(None);
            }
            (None, Listed::Yes) => self.check_listed(name)?,
            (None, Listed::No) => self.check_unlisted(name)?,
        };
        let took = self.server.clock().since(begin);
        let searching = before.saturating_sub(self.search_time.left());
        let checking = took.saturating_sub(searching);
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
                if !round.on_outcome(*outcome) {
                    self.databases.forget(name);
                }
                Some(None)
            }
        }
    }

    /// Checks whether a silent server is unavailable: this is so if its list does not come either.
    fn look_whether_away(&mut self, round: &mut Round<'_>) {
        if round.silent < MAX_SILENT_DATABASES {
            return;
        }
        round.silent = 0;
        let list_error = round.cycle.list_error.clone().filter(is_silent);
        round.away = list_error.or_else(|| self.server.databases().err().filter(is_silent));
    }

    /// Reads values of the databases whose states are proven, each for its share of the time that is left. All of
    /// them are reported, even if the program is asked to end.
    fn read_all(
        &mut self,
        mut proven: Vec<Proven>,
        until: Instant,
        round: &mut Round<'_>,
    ) -> Option<()> {
        proven.sort_by_key(|proven| self.turn(&proven.database).read); // a stable sort keeps the order of the checks
        let mut waiting = u32::try_from(proven.len()).unwrap_or(u32::MAX);
        let mut stopped = false;
        for proven in proven {
            let now = self.now();
            let share = until.saturating_duration_since(now) / waiting.max(1);
            waiting = waiting.saturating_sub(1);
            if !share.is_zero() {
                self.databases.of(&proven.database).turn.read = self.cycles;
            }
            let (took, until) = (proven.took, now + share);
            let (mut outcome, read) = self.within(until + MAX_CALL_OVERRUN, |auditor| {
                auditor.read_values_until(proven, until)
            });
            stopped |= read.is_none();
            outcome.duration = took + self.server.clock().since(now);
            round.on_outcome(outcome);
        }
        (!stopped).then_some(())
    }

    pub(super) fn is_slow(&self, database: &str) -> bool {
        let record = self.databases.get(database);
        record.is_some_and(|record| record.slow)
    }

    fn turn(&self, database: &str) -> Turn {
        self.databases
            .get(database)
            .map_or(Turn::default(), |of| of.turn)
    }

    /// Sends the calls that checking these databases will most likely make. They decide nothing: other calls are made
    /// when they are needed. Returns the databases to check now, and those whose state has not come within a moment.
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
        let until = self.server.prefetch_states(names.iter().copied(), until);
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
                        .prefetch_verifiable_tx(database, tx, since, Entries::Excluded);
                }
                Ok(None) if shown.tx > 0 => {
                    self.server
                        .prefetch_tx(database, shown.tx, Entries::Excluded);
                }
                _ => {}
            }
        }
        if late.len() == batch.len() {
            return (batch, Vec::new()); // the server is slow for every database
        }
        batch
            .into_iter()
            .partition(|named| !late.contains(named.name))
    }

    /// Returns whether calls may be concurrent: immudb 0.9.0 mixes up the responses to concurrent calls.
    pub(super) fn may_ask_together(&self) -> bool {
        self.shape == Some(StateShape::WithDatabase)
    }
}

/// Returns the number of databases of a batch after one of `size` databases that took this time.
fn next_batch(size: usize, took: Duration) -> usize {
    if took > BATCH_TIME {
        MIN_BATCH
    } else if took > BATCH_TIME / 2 {
        size
    } else {
        size.saturating_mul(2).min(MAX_BATCH)
    }
}

/// The progress of the present cycle.
pub(super) struct Round<'a> {
    pub budget: Budget,
    /// The error of an unavailable server, after which no further database is checked.
    pub away: Option<ServerError>,
    /// The number of consecutive databases without a response.
    pub silent: u32,
    /// The databases that are or were trusted.
    pub known: &'a BTreeSet<String>,
    pub on_outcome: &'a mut dyn FnMut(&Outcome),
    pub cycle: Cycle,
}

impl Round<'_> {
    /// Reports an outcome, or only counts it if there are many untrusted databases. Returns whether it was reported.
    fn on_outcome(&mut self, mut outcome: Outcome) -> bool {
        let is_known = self.known.contains(&outcome.database);
        // the files may be unreadable, so the outcome decides as well
        let is_taken = outcome.state_verdict() == Verdict::FirstSeen
            || outcome.previous.is_some()
            || outcome.alarm.is_some()
            || outcome.open_alarms > 0;
        outcome.is_untrusted = !is_known && !is_taken;
        if outcome.is_untrusted && matches!(outcome.overdue, Some(Overdue::Unproven(_))) {
            outcome.overdue = None; // no earlier proof exists that could become overdue
        }
        let reported = match outcome.is_untrusted {
            true => self.cycle.untrusted.count(outcome),
            false => Some(outcome),
        };
        let Some(outcome) = reported else {
            return false;
        };
        (self.on_outcome)(&outcome);
        self.cycle.outcomes.push(outcome);
        true
    }
}

/// A group of databases with one time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Databases with a trusted state.
    Trusted,
    /// Trusted databases whose last check was slow.
    Slow,
    /// Databases without a trusted state.
    Untrusted,
}

/// A database of a cycle.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub name: &'a str,
    pub listed: Listed,
}

/// Whether the server lists the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    Yes,
    No,
}

/// Returns whether the server sent no response.
fn is_silent(failure: &ServerError) -> bool {
    matches!(
        failure.kind,
        ServerErrorKind::Unreachable | ServerErrorKind::Deadline(_)
    )
}
