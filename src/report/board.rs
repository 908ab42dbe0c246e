//! The board: what those who watch are shown. The audit writes a row after each database; who reads
//! takes a snapshot of shared rows, so neither waits for the other longer than a few pointers take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::receivers::{Counts, Receiver};
use super::untrusted::Untrusted;
use crate::audit::{Cycle, Exit, Outcome, Reason, Trouble, Verdict, Warning};
use crate::clock::Timestamp;
use crate::histogram::Histogram;
use crate::ledger::{Signature, State};
use crate::report::timeline::Timeline;
use crate::report::values::Values;
use crate::server::{Calls, Counted};
use crate::trust::{Acknowledged, OutcomeRecord, Progress, Trusted};

/// Upper bounds of a cycle's duration, in seconds.
const CYCLES: &[f64] = &[
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

/// Words for checks that came to no verdict on the ledger.
pub const ERRORS: [&str; 5] = [
    "malformed",
    "refused",
    "unreachable",
    "unprovable",
    "local-failure",
];

/// What does not change while the program runs.
#[derive(Clone, Debug)]
pub struct About {
    /// The server's configured name.
    pub server: String,
    /// Where it is, as `host:port`.
    pub address: String,
    /// Time from one cycle to the next.
    pub interval: Duration,
    /// Time in which every value is to be read once, where that is asked for.
    pub sweep: Option<Duration>,
    /// Deadline of each call.
    pub call_timeout: Duration,
    /// SHA-256 of the effective settings.
    pub config: String,
    /// When the program began.
    pub started: Timestamp,
}

/// One database.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub database: String,
    /// The last verdict; `None` before the first check.
    pub verdict: Option<Verdict>,
    /// Since when it is that; unknown of a run before this one.
    pub since: Option<Timestamp>,
    /// Why.
    pub why: String,
    /// The last check.
    pub checked: Option<Timestamp>,
    /// The last check whose proof held.
    pub proven: Option<Timestamp>,
    /// What is trusted.
    pub trusted: Option<State>,
    /// What the trusted state was signed with, where that is known.
    pub signature: Option<Signature>,
    /// What the server showed last.
    pub shown: Option<State>,
    /// What was trusted before the last check.
    pub previous: Option<State>,
    /// Alarms that wait for the operator.
    pub open_alarms: usize,
    /// The last of them.
    pub alarm: Option<String>,
    /// Not proven in time.
    pub overdue: bool,
    /// Values not read in time.
    pub values_overdue: bool,
    /// The state was signed before and is not now.
    pub signature_dropped: bool,
    /// Transactions proven to be part of the ledger, in this run.
    pub transactions: u64,
    /// Proofs that held, in this run.
    pub proofs: u64,
    /// How much of its values was read.
    pub values: Values,
    /// The last 24 hours.
    pub timeline: Timeline,
}

/// What is known of the server as a whole.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The identity that the first trusted state came with: one series, whatever the server sends.
    pub identity: Option<String>,
    /// Cycles ended.
    pub cycles: u64,
    /// The last cycle's end.
    pub ended: Option<Timestamp>,
    /// The last cycle in which everything was proven.
    pub complete: Option<Timestamp>,
    /// How the last cycle ended.
    pub exit: Option<Exit>,
    /// What stands above every database: no list, no files.
    pub trouble: Option<String>,
    /// Entries of `--audit-databases` that selected nothing in the last cycle.
    pub selects_nothing: usize,
    /// Whether everything was proven and read in time in the last cycle.
    pub last_complete: bool,
    /// How long cycles took.
    pub durations: Histogram,
    /// The databases of which nothing is trusted, all together.
    pub untrusted: Untrusted,
    /// Checks without a verdict on the ledger, by kind.
    pub errors: BTreeMap<&'static str, u64>,
}

/// Everything at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What does not change.
    pub about: Arc<About>,
    /// Each database of which something is or was trusted, or that has alarms.
    pub rows: BTreeMap<Arc<str>, Arc<Row>>,
    /// The server as a whole.
    pub whole: Whole,
    /// Calls to the server.
    pub calls: Counted,
    /// Notifications, receiver by receiver.
    pub notifications: Vec<Counts>,
    /// Since when the loop has made no progress.
    pub stalled: Duration,
}

/// The board. Clones share it.
#[derive(Clone)]
pub struct Board(Arc<Shared>);

struct Shared {
    about: Arc<About>,
    calls: Calls,
    written: Mutex<Written>,
    notifications: Mutex<Vec<Receiver>>,
}

struct Written {
    rows: BTreeMap<Arc<str>, Arc<Row>>,
    whole: Whole,
    progress: Instant,
}

impl Board {
    /// A board without rows.
    pub fn new(about: About, calls: Calls) -> Board {
        let progress = calls.clock().instant();
        let errors = ERRORS.iter().map(|kind| (*kind, 0)).collect();
        Board(Arc::new(Shared {
            about: Arc::new(about),
            calls,
            written: Mutex::new(Written {
                rows: BTreeMap::new(),
                whole: Whole {
                    identity: None,
                    cycles: 0,
                    ended: None,
                    complete: None,
                    exit: None,
                    trouble: None,
                    selects_nothing: 0,
                    last_complete: false,
                    durations: Histogram::new(CYCLES),
                    untrusted: Untrusted::default(),
                    errors,
                },
                progress,
            }),
            notifications: Mutex::default(),
        }))
    }

    /// What an earlier run left: a row each, so that every known series is there from the start.
    pub fn remember(
        &self,
        database: &str,
        trusted: Option<&Trusted>,
        open_alarms: usize,
        last: Option<&OutcomeRecord>,
    ) {
        let mut row = Row::new(database);
        row.trusted = trusted.map(|trusted| trusted.state);
        row.signature = trusted.and_then(|trusted| trusted.signature.clone());
        row.open_alarms = open_alarms;
        row.checked = last.map(|last| last.checked);
        row.proven = last.and_then(|last| last.proven);
        let mut written = self.written();
        if written.whole.identity.is_none() {
            written.whole.identity = trusted.and_then(|trusted| trusted.uuid.clone());
        }
        written.rows.insert(database.into(), Arc::new(row));
    }

    /// Who is notified, for their counts.
    pub fn watch_receivers(&self, receivers: Vec<Receiver>) {
        *lock(&self.0.notifications) = receivers;
    }

    /// A database's check. One of which nothing is trusted has no row.
    pub fn publish(&self, outcome: &Outcome) {
        let now = self.0.calls.clock().now();
        let mut written = self.written();
        written.progress = self.0.calls.clock().instant();
        if outcome.is_stranger {
            return;
        }
        let before = written.rows.get(outcome.database.as_str()).cloned();
        let mut row = before.map_or_else(|| Row::new(&outcome.database), |row| Row::clone(&row));
        row.take(outcome, now);
        if let Some(errors) = written.whole.errors.get_mut(outcome.verdict.word()) {
            *errors += 1;
        }
        written
            .rows
            .insert(outcome.database.as_str().into(), Arc::new(row));
    }

    /// How far an earlier run read a database's values.
    pub fn remember_values(&self, progress: &Progress, acknowledged: &Acknowledged) {
        self.values(&progress.database, |_| {
            Values::remembered(progress, acknowledged)
        });
    }

    /// How far a database's values were read, and what an operator acknowledged of them.
    pub fn publish_values(&self, progress: &Progress, acknowledged: &Acknowledged) {
        self.values(&progress.database, |before| {
            before.after(progress, acknowledged)
        });
    }

    fn values(&self, database: &str, change: impl FnOnce(Values) -> Values) {
        let mut written = self.written();
        if let Some(row) = written.rows.get_mut(database) {
            let values = change(row.values);
            Arc::make_mut(row).values = values;
        }
    }

    /// A cycle's end, and who the server says it is. Rows of databases that neither the server nor the files know any more
    /// are removed.
    pub fn publish_cycle(&self, cycle: &Cycle, identity: Option<&str>) {
        let now = self.0.calls.clock().now();
        let mut written = self.written();
        let whole = &mut written.whole;
        if whole.identity.is_none() && cycle.outcomes.iter().any(Outcome::is_proven) {
            whole.identity = Some(identity.unwrap_or("unknown").to_owned());
        }
        whole.cycles += 1;
        whole.ended = Some(now);
        whole.exit = Some(cycle.exit());
        let untrusted = Untrusted::of(cycle);
        for (word, count) in &untrusted.by_verdict {
            if let Some(errors) = whole.errors.get_mut(word) {
                *errors += count;
            }
        }
        whole.untrusted = untrusted;
        let troubles = cycle.troubles();
        let troubles: Vec<String> = troubles
            .filter(|trouble| !matches!(trouble, Trouble::Strangers(_)))
            .map(|trouble| trouble.to_string())
            .collect();
        whole.trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
        whole.durations.observe(cycle.duration);
        whole.selects_nothing = cycle.selects_nothing.len();
        whole.last_complete = cycle.is_complete();
        if whole.last_complete {
            whole.complete = Some(now);
        }
        written.rows.retain(|database, _| !cycle.forgets(database));
        written.progress = self.0.calls.clock().instant();
    }

    /// Everything at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let calls = self.0.calls.counted();
        let notifications = lock(&self.0.notifications)
            .iter()
            .map(|r| r.counts())
            .collect();
        let written = self.written();
        let stalled = self.0.calls.clock().since(written.progress.max(calls.last));
        Snapshot {
            about: self.0.about.clone(),
            rows: written.rows.clone(),
            whole: written.whole.clone(),
            calls,
            notifications,
            stalled,
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        lock(&self.0.written)
    }
}

impl Row {
    fn new(database: &str) -> Row {
        Row {
            database: database.into(),
            verdict: None,
            since: None,
            why: String::new(),
            checked: None,
            proven: None,
            trusted: None,
            signature: None,
            shown: None,
            previous: None,
            open_alarms: 0,
            alarm: None,
            overdue: false,
            values_overdue: false,
            signature_dropped: false,
            transactions: 0,
            proofs: 0,
            values: Values::default(),
            timeline: Timeline::default(),
        }
    }

    fn take(&mut self, outcome: &Outcome, now: Timestamp) {
        if self.verdict != Some(outcome.verdict) {
            self.verdict = Some(outcome.verdict);
            self.since = Some(now);
        }
        self.why = outcome.why();
        self.checked = Some(now);
        self.shown = outcome.shown;
        self.previous = outcome.previous;
        self.open_alarms = outcome.open_alarms;
        self.overdue = outcome.overdue.is_some();
        self.values_overdue = outcome.values_overdue.is_some();
        if is_unsigned(outcome) || outcome.is_proven() {
            // a check that saw no state says nothing about its signature
            self.signature_dropped = is_unsigned(outcome);
        }
        if let Some(alarm) = &outcome.alarm {
            self.alarm = Some(alarm.id.clone());
        } else if outcome.open_alarms == 0 {
            self.alarm = None;
        }
        if outcome.is_proven() {
            self.proven = Some(now);
            if outcome.shown != outcome.previous {
                let tx = |state: Option<State>| state.map_or(0, |state| state.tx);
                if outcome.previous.is_some() {
                    self.transactions += tx(outcome.shown).saturating_sub(tx(outcome.previous));
                    self.proofs += 1;
                }
                self.signature.clone_from(&outcome.signature);
            }
            self.trusted = outcome.shown.filter(|state| state.tx > 0).or(self.trusted);
        } else if outcome.previous.is_some() {
            self.trusted = outcome.previous;
        }
        self.timeline
            .note(now, self.open_alarms > 0, outcome.verdict);
    }

    /// Is something to be done about it at once?
    pub fn is_alarming(&self) -> bool {
        self.open_alarms > 0 || self.verdict.is_some_and(Verdict::is_tampering)
    }

    /// Is everything proven and read in time?
    pub fn is_well(&self) -> bool {
        self.is_proven() && !self.overdue && !self.values_overdue
    }

    /// Was the last check's proof complete?
    pub fn is_proven(&self) -> bool {
        self.verdict.is_some_and(Verdict::is_proven)
    }
}

fn is_unsigned(outcome: &Outcome) -> bool {
    matches!(outcome.reason, Reason::Signature(_))
        || outcome.warnings.contains(&Warning::SignatureDropped)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // what is behind it is whole after each line, whoever panicked
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
