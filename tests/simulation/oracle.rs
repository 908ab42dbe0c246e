//! What must hold after every cycle, whatever happened. The oracle knows what the auditor cannot: the honest ledgers, what
//! was wrong and when, and which lie is told.

use std::collections::BTreeMap;
use std::time::Duration;

use immuaudit::audit::{Cycle, Outcome, Verdict};
use immuaudit::drill::{Emulated, Lag};
use immuaudit::ledger::State;

use crate::rules::{TAMPERING, is_honest, lied_to, overdue, read_in_time};
use crate::scene::{Scene, TIMEOUT};
use crate::trouble::Told;
use crate::world::{MINUTE, World};

/// A rule that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub rule: Rule,
    pub how: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// An honest ledger is never accused.
    NeverAccused,
    /// A state that contradicts what was shown is accused, an edited value too, in the first cycle that can see it.
    Accused,
    /// A trusted database is proven in time or overdue, never neither and never both.
    ProvenOrOverdue,
    /// Values that nothing keeps from being read are read in time.
    ReadInTime,
    /// A cycle ends in time.
    EndsInTime,
    /// A database that nothing is wrong with is proven, whatever is wrong with another.
    NoneWaits,
    /// A trusted state is replaced by a proof or an operator alone, and is what the ledger really was.
    TrustByProof,
    /// What is kept is bounded.
    Bounded,
    /// An alarm is on disk before it is told, and stays open until an operator closes it.
    AlarmsStay,
    /// Each receiver is notified once of each alarm, and of none before it is on disk.
    Notified,
    /// A cycle is complete only if everything was proven in time, and nothing is overdue.
    NeverWell,
    /// Auditors of one history do not speak against each other.
    NeverSplit,
    /// Two auditors that were shown two histories know it in time.
    SplitFound,
    /// The program does not panic.
    NoPanic,
}

pub fn broken<T>(rule: Rule, how: impl ToString) -> Result<T, Broken> {
    let how = how.to_string();
    Err(Broken { rule, how })
}

/// Intervals without any trouble after which nothing may be left of it.
const SETTLED: u32 = 5;
/// Calls that reading a transaction takes: its proof, and its values where they do not come with it.
const CALLS: u32 = 2;
/// Calls that an old server's proof takes besides: a header and a part for each transaction that its tree lags behind.
const CALLS_FOR_PARTS: u32 = 2 * 7;
/// The part of a cycle that due transactions have at least, of what their database has.
const PART_FOR_DUE: u32 = 2;
/// Databases of which a server of average speed can be asked everything in an interval.
const FEW: usize = 6;

#[derive(Default)]
pub struct Oracle {
    interval: Duration,
    unsteady: bool,
    /// Whether the wall clock was stepped since the ages were last written down.
    stepped: bool,
    /// Whether the auditor was restarted since.
    recounts: bool,
    /// Whether the disk was full since the ages were last written down.
    unwritten: bool,
    /// When the auditor was started last.
    started: Duration,
    /// Whether everything that is to be read of this world fits into an interval.
    values_are_read: bool,
    /// The time in which a due transaction is read, while nothing is wrong: all may be due after hours of trouble.
    time_for_one: Duration,
    known: BTreeMap<String, Known>,
}

/// What is known of a database.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// As it is on disk.
    pub trusted: Option<State>,
    /// The begin and the end of the cycle in which it was proven last, or seen first.
    pub proven: (Duration, Duration),
    /// When the auditor was restarted and may have begun to count anew, since the last proof.
    pub counts_since: Option<Duration>,
    /// Whether the auditor was restarted with a time of the last proof that is older, because the disk was full.
    pub is_misdated: bool,
    /// Whether a lie was told that is to be accused, and no operator closed the alarms since.
    may_accuse: bool,
    /// Whether the lie that is told now was accused.
    pub caught: bool,
    /// Whether an alarm is open.
    alarm: bool,
    /// Whether it was proven in the last cycle.
    good: bool,
}

impl Known {
    /// Takes a trusted state that is there: it has to be one of the honest ledger, and not older than the last one.
    fn found(&mut self, scene: &Scene, database: &str, found: Option<State>) -> Result<(), Broken> {
        if found == self.trusted {
            return Ok(());
        }
        let Some(found) = found else {
            let lost = format!("{database}: {:?} is lost", self.trusted);
            return broken(Rule::TrustByProof, lost);
        };
        if self.trusted.is_some_and(|trusted| trusted.tx > found.tx) {
            let back = format!(
                "{database}: {:?} was replaced by the older {found}",
                self.trusted
            );
            return broken(Rule::TrustByProof, back);
        }
        is_honest(scene, database, found)?;
        self.trusted = Some(found);
        Ok(())
    }
}

impl Oracle {
    pub fn new(world: &World) -> Oracle {
        Oracle {
            interval: world.interval,
            unsteady: world.lag != Lag::None,
            stepped: false,
            recounts: false,
            unwritten: false,
            started: Duration::ZERO,
            values_are_read: world.databases.len() < FEW && world.server >= Emulated::V1_2_4,
            time_for_one: time_for_one(world),
            known: BTreeMap::new(),
        }
    }

    /// The wall clock of the auditor's machine was stepped: a restart may take the age of a proof for another one.
    pub fn step_clock(&mut self) {
        self.stepped = true;
    }

    /// The auditor's disk is full: the time of a proof is not written down.
    pub fn fill_disk(&mut self) {
        self.unwritten = true;
    }

    /// The auditor was restarted. Without a stepped clock it goes on to count, and after one it counts from now on, which
    /// it writes down at the end of a cycle.
    pub fn restart(&mut self, now: Duration) {
        self.recounts = self.stepped;
        self.started = now;
        for known in self.known.values_mut() {
            known.is_misdated |= self.unwritten;
        }
        for known in self.known.values_mut().filter(|_| self.stepped) {
            known.counts_since = Some(now);
        }
    }

    /// Takes a trusted state from the disk, after a cycle that did not come to its end. Whether it was proven in that cycle
    /// is not known.
    pub fn find(
        &mut self,
        scene: &Scene,
        database: &str,
        found: Option<State>,
    ) -> Result<(), Broken> {
        let known = self.known.entry(database.to_owned()).or_default();
        known.found(scene, database, found)?;
        known.proven.1 = scene.now();
        Ok(())
    }

    /// The auditor's directory was replaced by a copy, in which these are the trusted states and the counts of open alarms.
    pub fn restore(&mut self, found: BTreeMap<String, (Option<State>, usize)>, now: Duration) {
        self.known.clear();
        self.started = now;
        for (database, (trusted, alarms)) in found {
            let known = Known {
                trusted,
                proven: (now, now),
                counts_since: Some(now),
                may_accuse: alarms > 0,
                alarm: alarms > 0,
                ..Known::default()
            };
            self.known.insert(database, known);
        }
    }

    /// Returns when the auditor was started or restored last.
    pub fn started(&self) -> Duration {
        self.started
    }

    /// An operator closed all alarms.
    pub fn close_alarms(&mut self, told: Option<&Told>) {
        for (database, known) in &mut self.known {
            let lied = told.is_some_and(|told| told.is_about(database));
            known.alarm = false;
            known.may_accuse &= lied;
        }
    }

    /// Returns whether a lie of this database would be told to an auditor that trusts its last state.
    pub fn is_ready(&self, scene: &Scene, database: &str) -> bool {
        let last = scene.embedded.state(database);
        self.known
            .get(database)
            .is_some_and(|known| known.good && known.trusted == last && last.is_some())
    }

    pub fn lie_begins(&mut self, told: &Told) {
        let any = told.lie.due().verdicts.iter();
        let mut any = any.filter(|word| TAMPERING.contains(word));
        let may_accuse = any.next().is_some();
        for (database, known) in &mut self.known {
            if told.is_about(database) {
                known.may_accuse |= may_accuse;
                known.caught = false;
            }
        }
    }

    /// Judges a cycle that began at `begin`. `disk` is whether the auditor's disk had room all the while.
    pub fn cycle(
        &mut self,
        scene: &Scene,
        cycle: &Cycle,
        begin: Duration,
        disk: bool,
    ) -> Result<(), Broken> {
        let end = scene.now();
        let limit = self.interval.max(MINUTE) + TIMEOUT;
        if end - begin > limit {
            let took = format!("a cycle took {:?}, its limit is {limit:?}", end - begin);
            return broken(Rule::EndsInTime, took);
        }
        if cycle.untrusted.is_tampering() && scene.lie.is_none() {
            return broken(Rule::NeverAccused, &cycle.untrusted);
        }
        for outcome in &cycle.outcomes {
            let sight = Sight {
                scene,
                begin,
                end,
                disk,
                is_whole: !cycle.stopped,
            };
            self.outcome(outcome, &sight)?;
        }
        if cycle.stopped {
            return Ok(());
        }
        self.unwritten &= !disk;
        if self.recounts && disk {
            (self.stepped, self.recounts) = (false, false);
        }
        for (database, known) in &mut self.known {
            let found = cycle
                .outcomes
                .iter()
                .find(|outcome| outcome.database == *database);
            known.good = found.is_some_and(|outcome| outcome.is_complete());
            if known.trusted.is_some() && found.is_none() {
                let silent = format!("{database} is trusted, and nothing is said of it");
                return broken(Rule::ProvenOrOverdue, silent);
            }
            if cycle.is_complete() && known.trusted.is_some() && known.proven.1 != end {
                let early = format!("the cycle is complete without a proof of {database}");
                return broken(Rule::NeverWell, early);
            }
        }
        let late = |outcome: &&Outcome| outcome.overdue.or(outcome.values_overdue).is_some();
        match cycle.outcomes.iter().find(late) {
            Some(late) if cycle.is_complete() => {
                let (database, why) = (&late.database, late.why());
                broken(
                    Rule::NeverWell,
                    format!("the cycle is complete, and {database} {why}"),
                )
            }
            _ => Ok(()),
        }
    }

    /// Judges an outcome.
    pub fn outcome(&mut self, outcome: &Outcome, sight: &Sight<'_>) -> Result<(), Broken> {
        let Sight {
            scene, begin, end, ..
        } = *sight;
        let database = &outcome.database;
        let lie = scene.lie.as_ref().filter(|told| told.is_about(database));
        let known = self.known.entry(database.clone()).or_insert_with(|| Known {
            proven: (begin, end),
            ..Known::default()
        });
        let said = || format!("{database}: {} {}", outcome.verdict, outcome.why());
        let accused = outcome.verdict.is_tampering();
        let deleted = scene.deleted.get(database);
        let is_deleted = deleted.is_some();
        let is_split = scene.split.contains(database);
        known.may_accuse |= is_deleted || is_split;
        if accused && (lie.is_none() && !is_deleted && !is_split || !known.may_accuse) {
            return broken(Rule::NeverAccused, said());
        }
        if outcome.open_alarms > 0 && !known.may_accuse {
            let open = format!("{database}: an alarm is open");
            return broken(Rule::NeverAccused, open);
        }
        // a hidden database is accused, and its history goes on to be proven
        if outcome.previous.is_some() {
            known.found(scene, database, outcome.previous)?;
        }
        if outcome.is_proven() {
            if let Some(shown) = outcome.shown.filter(|shown| shown.tx > 0) {
                is_honest(scene, database, shown)?;
                known.trusted = Some(shown);
            }
            known.proven = (begin, end);
        }
        overdue(known, outcome, self.interval, sight)?;
        if accused && outcome.unwritten.is_none() {
            known.alarm = true;
        }
        if known.alarm && outcome.open_alarms == 0 {
            return broken(
                Rule::AlarmsStay,
                format!("{database}: no alarm is open any more"),
            );
        }
        if accused && outcome.unwritten.is_some() && sight.disk {
            return broken(Rule::AlarmsStay, format!("{}, unwritten", said()));
        }
        if is_deleted {
            let calm = scene.is_calm(database, begin) && sight.disk && sight.is_whole;
            let before = deleted.is_some_and(|at| *at < begin);
            let is_due = before && calm && scene.lie.is_none() && known.trusted.is_some();
            return match is_due && !accused {
                true => broken(Rule::Accused, format!("{}, and it is deleted", said())),
                false => Ok(()),
            };
        }
        // some lies make names up
        let exists = scene.embedded.state(database).is_some();
        let calm = exists && scene.is_calm(database, begin) && sight.disk && sight.is_whole;
        match lie.filter(|told| told.since <= begin) {
            Some(told) => lied_to(known, outcome, told, calm),
            None if lie.is_some() || !calm => Ok(()),
            None => {
                let unprovable = self.unsteady && outcome.verdict == Verdict::Unprovable;
                if known.trusted.is_some() && !outcome.is_proven() && !unprovable {
                    return broken(Rule::NoneWaits, said());
                }
                // values are read of a proven state alone
                let is_read = self.values_are_read && !unprovable;
                match is_read && self.is_settled(scene, database, begin) {
                    true => read_in_time(outcome),
                    false => Ok(()),
                }
            }
        }
    }

    /// Judges what a slice of a paced sweep found: a verdict that the next cycle takes back is news for every receiver.
    pub fn slice(&self, outcome: &Outcome, scene: &Scene, begin: Duration) -> Result<(), Broken> {
        let lie = scene.lie.as_ref();
        let is_lied_to = lie.is_some_and(|told| told.is_about(&outcome.database));
        match !is_lied_to && self.is_settled(scene, &outcome.database, begin) {
            true => read_in_time(outcome),
            false => Ok(()),
        }
    }

    /// Returns whether nothing was wrong with a database for as long as everything of it takes to be read.
    fn is_settled(&self, scene: &Scene, database: &str, begin: Duration) -> bool {
        let all = scene.embedded.state(database).map_or(0, |state| state.tx);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        let settling = self.interval * SETTLED + self.time_for_one * all;
        let may_accuse = self
            .known
            .get(database)
            .is_some_and(|known| known.may_accuse);
        let settled = begin.checked_sub(settling);
        settled.is_some_and(|since| {
            self.started <= since && scene.is_calm(database, since) && !may_accuse
        })
    }
}

fn time_for_one(world: &World) -> Duration {
    let calls = match world.server {
        Emulated::V1_11_1 | Emulated::WithoutLogin => CALLS,
        _ => CALLS + CALLS_FOR_PARTS,
    };
    let databases = u32::try_from(world.databases.len() + 1).unwrap_or(u32::MAX);
    world.delay.1 * calls * databases * PART_FOR_DUE
}

/// What a judgement goes by beside an outcome.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    pub scene: &'a Scene,
    pub begin: Duration,
    pub end: Duration,
    /// Whether the auditor's disk had room.
    pub disk: bool,
    /// Whether the cycle was not stopped.
    pub is_whole: bool,
}
