//! The rules that must hold after every cycle. Unlike the auditor, the oracle knows the honest
//! ledgers, all troubles and their times, and the current lie.

use std::collections::BTreeMap;
use std::time::Duration;

use immuaudit::audit::{Cycle, Outcome, Verdict};
use immuaudit::drill::{Emulated, Lag};
use immuaudit::ledger::State;

use crate::rules::{TAMPERING, is_honest, lied_to, overdue, read_in_time};
use crate::scene::{Scene, TIMEOUT};
use crate::trouble::CurrentLie;
use crate::world::{MINUTE, World};

/// A broken rule and its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    pub rule: Rule,
    pub description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// An honest ledger never causes an alarm.
    NeverAccused,
    /// A contradicting state or an edited value causes an alarm in the first cycle that can see it.
    Accused,
    /// A trusted database is either proven in time or overdue.
    ProvenOrOverdue,
    /// Values are read in time if nothing prevents it.
    ReadInTime,
    /// A cycle ends in time.
    EndsInTime,
    /// A database without trouble is proven, whatever the trouble of another one.
    NoneWaits,
    /// Only a proof or an operator replaces a trusted state, and it is always a state of the honest
    /// ledger.
    TrustByProof,
    /// Stored data is limited.
    Bounded,
    /// An alarm is on disk before it is reported, and stays open until an operator closes it.
    AlarmsStay,
    /// Each receiver is notified once of each alarm, and only after the alarm is on disk.
    Notified,
    /// A cycle is complete only if everything was proven in time and nothing is overdue.
    NeverWell,
    /// Auditors of one history never contradict each other.
    NeverSplit,
    /// Two auditors that were shown two histories find that out in time.
    SplitFound,
    /// The program does not panic.
    NoPanic,
}

pub fn broken<T>(rule: Rule, description: impl ToString) -> Result<T, BrokenRule> {
    let description = description.to_string();
    Err(BrokenRule { rule, description })
}

/// The number of intervals without trouble after which no effect of it may remain.
const SETTLED: u32 = 5;
/// The calls that a transaction takes: its proof, and its values if they do not come with it.
const CALLS: u32 = 2;
/// The additional calls that an old server's proof takes: a header and a part for each transaction that
/// its tree lags.
const CALLS_FOR_OLD_PROOF: u32 = 2 * 7;
/// The divisor for the share of a database's time in a cycle that due transactions get at least.
const DUE_SHARE_DIVISOR: u32 = 2;
/// A server of average speed can answer all calls about fewer databases than this in an interval.
const FEW_DATABASES: usize = 6;

#[derive(Default)]
pub struct Oracle {
    interval: Duration,
    /// Whether a new process runs each cycle.
    is_once: bool,
    unsteady: bool,
    /// Whether the wall clock was stepped since the times of the proofs were stored last.
    stepped: bool,
    /// Whether the auditor was restarted after the step.
    recounts: bool,
    /// Whether the disk was full since the times of the proofs were stored last.
    unwritten: bool,
    /// The time of the last start of the auditor.
    started: Duration,
    /// Whether all values of this world can be read within an interval.
    values_are_read: bool,
    /// The time for reading a due transaction without trouble; after hours of trouble all may be
    /// due.
    time_for_one: Duration,
    /// Whether the server lists its databases only in a session of `defaultdb`.
    lists_in_default: bool,
    known: BTreeMap<String, DatabaseRecord>,
}

/// The oracle's knowledge of a database.
#[derive(Clone, Debug, Default)]
pub struct DatabaseRecord {
    /// The trusted state on disk.
    pub trusted: Option<State>,
    /// The begin and the end of the cycle of the last proof or the first check.
    pub proven: (Duration, Duration),
    /// The time of a restart since the last proof, from which the auditor may count.
    pub counts_since: Option<Duration>,
    /// Whether the auditor was restarted with an older time of the last proof, because the disk was
    /// full.
    pub is_misdated: bool,
    /// Whether there was a lie that must cause an alarm, and the alarms were not closed since.
    may_accuse: bool,
    /// Whether the current lie has caused an alarm.
    pub caught: bool,
    /// Whether a finding of this process was not stored in its last check.
    is_unstored: bool,
    /// Whether an alarm is open.
    alarm: bool,
    /// Whether the last cycle proved it.
    good: bool,
}

impl DatabaseRecord {
    /// Takes a trusted state from the auditor and checks that it belongs to the honest ledger and
    /// is not older than the last one.
    fn found(
        &mut self,
        scene: &Scene,
        database: &str,
        found: Option<State>,
    ) -> Result<(), BrokenRule> {
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
            is_once: world.is_once,
            unsteady: matches!(world.lag, Lag::Unsteady | Lag::Batches(_)),
            stepped: false,
            recounts: false,
            unwritten: false,
            started: Duration::ZERO,
            values_are_read: world.databases.len() < FEW_DATABASES
                && world.server >= Emulated::V1_2_4,
            time_for_one: time_for_one(world),
            lists_in_default: world.server == Emulated::WithoutLogin,
            known: BTreeMap::new(),
        }
    }

    /// Records a step of the wall clock: a restart may then take a wrong age of a proof.
    pub fn step_clock(&mut self) {
        self.stepped = true;
    }

    /// Records a full disk: the times of proofs are not stored.
    pub fn fill_disk(&mut self) {
        self.unwritten = true;
    }

    /// Records a restart. After a step of the clock the auditor counts from the restart on, and
    /// stores that at the end of a cycle; otherwise it continues to count.
    pub fn restart(&mut self, now: Duration) {
        self.recounts = self.stepped;
        if !self.is_once {
            self.started = now;
        }
        for known in self.known.values_mut() {
            known.is_misdated |= self.unwritten;
        }
        for known in self.known.values_mut().filter(|_| self.stepped) {
            known.counts_since = Some(now);
        }
    }

    /// Takes a trusted state from disk after an unfinished cycle. It is unknown whether that cycle
    /// proved the state.
    pub fn find(
        &mut self,
        scene: &Scene,
        database: &str,
        found: Option<State>,
    ) -> Result<(), BrokenRule> {
        let known = self.known.entry(database.to_owned()).or_default();
        known.found(scene, database, found)?;
        known.proven.1 = scene.now();
        Ok(())
    }

    /// Records that the auditor's directory was replaced by a copy with these trusted states and
    /// numbers of open alarms.
    pub fn restore(&mut self, found: BTreeMap<String, (Option<State>, usize)>, now: Duration) {
        self.known.clear();
        self.started = now;
        for (database, (trusted, alarms)) in found {
            let known = DatabaseRecord {
                trusted,
                proven: (now, now),
                counts_since: Some(now),
                may_accuse: alarms > 0,
                alarm: alarms > 0,
                ..DatabaseRecord::default()
            };
            self.known.insert(database, known);
        }
    }

    /// Returns when the auditor was started or restored last.
    pub fn started(&self) -> Duration {
        self.started
    }

    /// Records that an operator closed all alarms.
    pub fn close_alarms(&mut self, lie: Option<&CurrentLie>) {
        for (database, known) in &mut self.known {
            let lied = lie.is_some_and(|lie| lie.is_about(database));
            known.alarm = false;
            // a finding that is not on disk yet cannot be closed
            known.may_accuse &= lied || known.is_unstored;
        }
    }

    /// Returns whether an auditor that trusts the last state of this database could detect a lie.
    pub fn is_ready(&self, scene: &Scene, database: &str) -> bool {
        let last = scene.embedded.state(database);
        self.known
            .get(database)
            .is_some_and(|known| known.good && known.trusted == last && last.is_some())
    }

    pub fn lie_begins(&mut self, lie: &CurrentLie) {
        let any = lie.lie.due().verdicts.iter();
        let mut any = any.filter(|word| TAMPERING.contains(word));
        let may_accuse = any.next().is_some();
        for (database, known) in &mut self.known {
            if lie.is_about(database) {
                known.may_accuse |= may_accuse;
                known.caught = false;
            }
        }
    }

    /// Judges a cycle that began at `begin`. `disk` is whether the disk had space during the cycle.
    pub fn cycle(
        &mut self,
        scene: &Scene,
        cycle: &Cycle,
        begin: Duration,
        disk: bool,
    ) -> Result<(), BrokenRule> {
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
            let sight = Circumstances {
                scene,
                begin,
                end,
                disk,
                is_unstopped: !cycle.stopped,
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
        self.new_databases(scene, begin, disk)?;
        for (database, known) in &mut self.known {
            let found = cycle
                .outcomes
                .iter()
                .find(|outcome| outcome.database == *database);
            known.good = found.is_some_and(|outcome| outcome.is_complete());
            if known.trusted.is_some() && found.is_none() {
                let silent = format!("{database} is trusted, and was not reported");
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

    /// Judges that each database with transactions is trusted as soon as nothing prevents it.
    fn new_databases(&self, scene: &Scene, begin: Duration, disk: bool) -> Result<(), BrokenRule> {
        let has_default = !scene.deleted.contains_key("defaultdb");
        let is_listed =
            !self.lists_in_default || has_default && self.is_settled(scene, "defaultdb", begin);
        if scene.lie.is_some() || !disk || !is_listed {
            return Ok(());
        }
        for (database, first) in &scene.first_transactions {
            let known = self.known.get(database);
            let is_trusted = known.is_some_and(|known| known.trusted.is_some());
            let is_new = *first + self.interval * SETTLED >= begin;
            let is_excused = is_trusted || is_new || scene.deleted.contains_key(database);
            if !is_excused && self.is_settled(scene, database, begin) {
                return broken(Rule::NoneWaits, format!("{database} is not trusted yet"));
            }
        }
        Ok(())
    }

    /// Judges an outcome.
    pub fn outcome(
        &mut self,
        outcome: &Outcome,
        sight: &Circumstances<'_>,
    ) -> Result<(), BrokenRule> {
        let Circumstances {
            scene, begin, end, ..
        } = *sight;
        let database = &outcome.database;
        let lie = scene.lie.as_ref().filter(|lie| lie.is_about(database));
        let known = self
            .known
            .entry(database.clone())
            .or_insert_with(|| DatabaseRecord {
                proven: (begin, end),
                ..DatabaseRecord::default()
            });
        let description = || format!("{database}: {} {}", outcome.verdict, outcome.why());
        let accused = outcome.verdict.is_tampering();
        let deleted = scene.deleted.get(database);
        let is_deleted = deleted.is_some();
        let is_split = scene.split.contains(database);
        known.may_accuse |= is_deleted || is_split;
        if accused && (lie.is_none() && !is_deleted && !is_split || !known.may_accuse) {
            return broken(Rule::NeverAccused, description());
        }
        if outcome.open_alarms > 0 && !known.may_accuse {
            let open = format!("{database}: an alarm is open");
            return broken(Rule::NeverAccused, open);
        }
        // a hidden database causes an alarm, and its history is still proven
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
        known.is_unstored = outcome.unwritten.is_some() && (accused || known.is_unstored);
        if known.alarm && outcome.open_alarms == 0 {
            return broken(
                Rule::AlarmsStay,
                format!("{database}: no alarm is open any more"),
            );
        }
        if accused && outcome.unwritten.is_some() && sight.disk {
            return broken(Rule::AlarmsStay, format!("{}, unwritten", description()));
        }
        if is_deleted {
            let calm = scene.is_calm(database, begin) && sight.disk && sight.is_unstopped;
            let before = deleted.is_some_and(|at| *at < begin);
            let is_due = before && calm && scene.lie.is_none() && known.trusted.is_some();
            return match is_due && !accused {
                true => broken(
                    Rule::Accused,
                    format!("{}, and it is deleted", description()),
                ),
                false => Ok(()),
            };
        }
        // some lies invent database names
        let exists = scene.embedded.state(database).is_some();
        let calm = exists && scene.is_calm(database, begin) && sight.disk && sight.is_unstopped;
        match lie.filter(|lie| lie.since <= begin) {
            Some(lie) => lied_to(known, outcome, lie, calm),
            None if lie.is_some() || !calm => Ok(()),
            None => {
                let unprovable = self.unsteady && outcome.verdict == Verdict::Unprovable;
                if known.trusted.is_some() && !outcome.is_proven() && !unprovable {
                    return broken(Rule::NoneWaits, description());
                }
                // only values of a proven state are read
                let is_read = self.values_are_read && !unprovable;
                match is_read && self.is_settled(scene, database, begin) {
                    true => read_in_time(outcome),
                    false => Ok(()),
                }
            }
        }
    }

    /// Judges a finding of a slice of a paced sweep: a verdict that the next cycle reverts would
    /// notify every receiver.
    pub fn slice(
        &self,
        outcome: &Outcome,
        scene: &Scene,
        begin: Duration,
    ) -> Result<(), BrokenRule> {
        let lie = scene.lie.as_ref();
        let is_lied_to = lie.is_some_and(|lie| lie.is_about(&outcome.database));
        match !is_lied_to && self.is_settled(scene, &outcome.database, begin) {
            true => read_in_time(outcome),
            false => Ok(()),
        }
    }

    /// Returns whether a database was without trouble for as long as reading all of it takes.
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
        _ => CALLS + CALLS_FOR_OLD_PROOF,
    };
    let databases = u32::try_from(world.databases.len() + 1).unwrap_or(u32::MAX);
    world.delay.1 * calls * databases * DUE_SHARE_DIVISOR
}

/// The circumstances of an outcome.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    pub scene: &'a Scene,
    pub begin: Duration,
    pub end: Duration,
    /// Whether the auditor's disk had space.
    pub disk: bool,
    /// Whether the cycle was not stopped.
    pub is_unstopped: bool,
}
