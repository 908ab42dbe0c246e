//! The status registry: the shared state behind metrics, probes and the status page. The audit writes the status of
//! each database after its check. A reader takes a snapshot of shared pointers, so neither waits long for the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::checkpoint::checkpoint;
use super::database_status::DatabaseStatus;
use super::peers::PeerFetched;
use super::receiver_stats::{ReceiverStats, ReceiverStatsSnapshot};
use super::untrusted::Untrusted;
use crate::audit::{Cycle, CycleError, Exit, Outcome, late_after};
use crate::checkpoint::SignerKey;
use crate::clock::Timestamp;
use crate::config;
use crate::histogram::Histogram;
use crate::report::values::Values;
use crate::server::{Calls, Counted};
use crate::trust::{Acknowledged, Alarm, OutcomeRecord, TrustedState, ValueProgress};

/// Upper bounds of a cycle's duration, in seconds.
const CYCLES: &[f64] = &[
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

/// The identity of a server that sends none, or of which nothing was proven yet.
pub(super) const UNKNOWN_IDENTITY: &str = "unknown";

/// Words for checks without a verdict on the ledger.
pub const ERRORS: [&str; 5] = [
    "malformed",
    "refused",
    "unreachable",
    "unprovable",
    "local-failure",
];

/// Facts about this instance that change only with its settings.
#[derive(Clone, Debug)]
pub struct InstanceInfo {
    /// The server's configured name.
    pub server: String,
    /// The server's address, as `host:port`.
    pub address: String,
    /// Time from one cycle to the next.
    pub interval: Duration,
    /// The settings for the reading of values.
    pub values: config::Values,
    /// Deadline of each call.
    pub call_timeout: Duration,
    /// SHA-256 of the effective settings.
    pub config: String,
    /// The start of the program.
    pub started: Timestamp,
}

/// The status of the server as a whole.
#[derive(Clone, Debug)]
pub struct ServerStatus {
    /// The identity of the first trusted state: one series, whatever the server sends. `None` before a state is proven.
    pub identity: Option<String>,
    /// The number of cycles that ended.
    pub cycles: u64,
    /// The number of cycles that took longer than an interval.
    pub overruns: u64,
    /// The end of the last cycle.
    pub ended: Option<Timestamp>,
    /// The last cycle in which everything was proven.
    pub complete: Option<Timestamp>,
    /// The result of the last cycle.
    pub exit: Option<Exit>,
    /// A fault that concerns all databases: no list, no files.
    pub trouble: Option<String>,
    /// Entries of `--audit-databases` that selected no database in the last cycle.
    pub selects_nothing: usize,
    /// Whether everything was proven and read in time in the last cycle.
    pub last_complete: bool,
    /// The durations of cycles.
    pub durations: Histogram,
    /// The untrusted databases, all together.
    pub untrusted: Untrusted,
    /// Checks without a verdict on the ledger, by kind.
    pub errors: BTreeMap<&'static str, u64>,
}

/// The status of everything at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The time of day at this moment.
    pub at: Timestamp,
    /// The facts that only change with the settings.
    pub instance: Arc<InstanceInfo>,
    /// Each database that has or had a trusted state, or has alarms.
    pub databases: BTreeMap<Arc<str>, Arc<DatabaseStatus>>,
    /// The server as a whole.
    pub server: ServerStatus,
    /// Calls to the server.
    pub calls: Counted,
    /// The notifications of each receiver.
    pub notifications: Vec<ReceiverStatsSnapshot>,
    /// Heartbeats, if there are any.
    pub heartbeat: Option<ReceiverStatsSnapshot>,
    /// The time of each peer's last response.
    pub peers: Vec<PeerFetched>,
    /// The time for which the loop has made no progress.
    pub stalled: Duration,
}

/// The shared status of the audit. Clones share it.
#[derive(Clone)]
pub struct StatusRegistry(Arc<Shared>);

struct Shared {
    instance: Mutex<Arc<InstanceInfo>>,
    signer: Mutex<Option<Arc<SignerKey>>>,
    calls: Calls,
    written: Mutex<Written>,
    notifications: Mutex<Vec<ReceiverStats>>,
    heartbeat: Mutex<Option<ReceiverStats>>,
}

struct Written {
    databases: BTreeMap<Arc<str>, Arc<DatabaseStatus>>,
    server: ServerStatus,
    peers: Vec<PeerFetched>,
    progress: Instant,
}

impl StatusRegistry {
    /// Returns a registry without databases.
    pub fn new(about: InstanceInfo, calls: Calls) -> StatusRegistry {
        let progress = calls.clock().instant();
        let errors = ERRORS.iter().map(|kind| (*kind, 0)).collect();
        StatusRegistry(Arc::new(Shared {
            instance: Mutex::new(Arc::new(about)),
            signer: Mutex::default(),
            calls,
            written: Mutex::new(Written {
                databases: BTreeMap::new(),
                server: ServerStatus {
                    identity: None,
                    cycles: 0,
                    overruns: 0,
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
                peers: Vec::new(),
                progress,
            }),
            notifications: Mutex::default(),
            heartbeat: Mutex::default(),
        }))
    }

    /// Takes over the facts of new settings. The program has not started again.
    pub fn change_settings(&self, about: InstanceInfo) {
        let mut instance = lock(&self.0.instance);
        let started = instance.started;
        *instance = Arc::new(InstanceInfo { started, ..about });
    }

    fn about(&self) -> Arc<InstanceInfo> {
        lock(&self.0.instance).clone()
    }

    /// Restores the status of a database from an earlier run, so that every known series is there from the start.
    pub fn restore(
        &self,
        database: &str,
        trusted: Option<&TrustedState>,
        open_alarms: usize,
        last: Option<&OutcomeRecord>,
    ) {
        let mut row = DatabaseStatus::new(database, self.0.calls.clock().instant());
        row.trusted = trusted.map(|trusted| trusted.state);
        row.signature = trusted.and_then(|trusted| trusted.signature.clone());
        row.open_alarms = open_alarms;
        row.checked = last.map(|last| last.checked);
        row.proven = last.and_then(|last| last.proven);
        let mut written = self.written();
        if written.server.identity.is_none() {
            written.server.identity = trusted.and_then(|trusted| trusted.uuid.clone());
        }
        written.databases.insert(database.into(), Arc::new(row));
    }

    /// Records which databases the settings select. Of the others, only the alarms count from now on.
    pub fn select(&self, selects: impl Fn(&str) -> bool) {
        for (database, row) in &mut self.written().databases {
            match selects(database) {
                true if row.is_audited => {}
                true => Arc::make_mut(row).is_audited = true,
                false => Arc::make_mut(row).deselect(),
            }
        }
    }

    /// Returns the databases that the settings do not select, with the number of their open alarms, which no check
    /// publishes.
    pub fn unselected(&self) -> Vec<(Arc<str>, usize)> {
        let written = self.written();
        let unselected = written.databases.iter().filter(|(_, row)| !row.is_audited);
        let counted = unselected.map(|(name, row)| (name.clone(), row.open_alarms));
        counted.collect()
    }

    /// Takes over the open alarms of a database, also those that another run or command opened.
    pub fn publish_alarms(&self, database: &str, open: &[Alarm]) {
        if let Some(row) = self.written().databases.get_mut(database) {
            Arc::make_mut(row).note_alarms(open);
        }
    }

    /// Takes over the receivers' counts.
    pub fn register_receivers(&self, receivers: Vec<ReceiverStats>) {
        *lock(&self.0.notifications) = receivers;
    }

    /// Takes over the time of each peer's last response.
    pub fn publish_peers(&self, peers: Vec<PeerFetched>) {
        self.written().peers = peers;
    }

    /// Takes over the heartbeat's counts.
    pub fn register_heartbeat(&self, heartbeat: Option<ReceiverStats>) {
        *lock(&self.0.heartbeat) = heartbeat;
    }

    /// Signs a checkpoint of each state that is proven from now on. Checkpoints by another key are discarded.
    pub fn sign_by(&self, signer: Option<Arc<SignerKey>>) {
        let before = std::mem::replace(&mut *lock(&self.0.signer), signer.clone());
        if before == signer {
            return;
        }
        let mut written = self.written();
        let signed = written.databases.values_mut();
        for row in signed.filter(|row| row.checkpoint.is_some()) {
            Arc::make_mut(row).checkpoint = None;
        }
    }

    /// Publishes a database's check. An untrusted database has no status of its own.
    pub fn publish(&self, outcome: &Outcome) {
        let now = self.0.calls.clock().now();
        let moment = self.0.calls.clock().instant();
        let mut written = self.written();
        written.progress = moment;
        if outcome.is_untrusted {
            return;
        }
        let before = written.databases.get(outcome.database.as_str()).cloned();
        if outcome.is_gone() && before.is_none() {
            return; // the end of the cycle would remove it again
        }
        let mut row = match before {
            Some(row) => DatabaseStatus::clone(&row),
            None => DatabaseStatus::new(&outcome.database, moment),
        };
        row.take(outcome, now, moment);
        if outcome.asked && outcome.is_proven() {
            let signer = lock(&self.0.signer).clone();
            let proven = outcome.shown.filter(|state| state.tx > 0);
            row.checkpoint = signer.zip(proven).map(|(key, state)| {
                let about = self.about();
                let names = (about.server.as_str(), outcome.database.as_str());
                // the time at which the check began, because values are read after the state was verified
                let seconds = i64::try_from(outcome.duration.as_secs()).unwrap_or(i64::MAX);
                let at = now.plus(seconds.saturating_neg());
                checkpoint(names, state, outcome.signature.as_ref(), &key, at).into()
            });
        }
        if let Some(errors) = written.server.errors.get_mut(outcome.verdict.word()) {
            *errors += 1;
        }
        written
            .databases
            .insert(outcome.database.as_str().into(), Arc::new(row));
    }

    /// Restores how far an earlier run read a database's values.
    pub fn restore_values(&self, progress: &ValueProgress, acknowledged: &Acknowledged) {
        self.values(&progress.database, |_| {
            Values::remembered(progress, acknowledged)
        });
    }

    /// Publishes how far a database's values were read, and which of them an operator acknowledged.
    pub fn publish_values(&self, progress: &ValueProgress, acknowledged: &Acknowledged) {
        self.values(&progress.database, |before| {
            before.after(progress, acknowledged)
        });
    }

    fn values(&self, database: &str, change: impl FnOnce(Values) -> Values) {
        let mut written = self.written();
        if let Some(row) = written.databases.get_mut(database) {
            let values = change(row.values);
            Arc::make_mut(row).values = values;
        }
    }

    /// Publishes the end of a cycle, and the server's identity. Removes rows of databases that neither the server
    /// nor the files know any more.
    pub fn publish_cycle(&self, cycle: &Cycle, identity: Option<&str>) {
        let now = self.0.calls.clock().now();
        let mut written = self.written();
        let whole = &mut written.server;
        if whole.identity.is_none() && cycle.outcomes.iter().any(Outcome::is_proven) {
            whole.identity = Some(identity.unwrap_or(UNKNOWN_IDENTITY).to_owned());
        }
        whole.cycles += 1;
        whole.overruns += u64::from(cycle.duration > self.about().interval);
        whole.ended = Some(now);
        whole.exit = Some(cycle.exit());
        let untrusted = Untrusted::of(cycle);
        for (word, count) in &untrusted.by_verdict {
            if let Some(errors) = whole.errors.get_mut(word) {
                *errors += count;
            }
        }
        whole.untrusted = untrusted;
        let troubles = cycle.errors();
        let troubles: Vec<String> = troubles
            .filter(|trouble| !matches!(trouble, CycleError::Untrusted(_)))
            .map(|trouble| trouble.to_string())
            .collect();
        whole.trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
        whole.durations.observe(cycle.duration);
        whole.selects_nothing = cycle.selects_nothing.len();
        whole.last_complete = cycle.is_complete();
        if whole.last_complete {
            whole.complete = Some(now);
        }
        written
            .databases
            .retain(|database, _| !cycle.forgets(database));
        written.progress = self.0.calls.clock().instant();
    }

    /// Returns whether checkpoints are signed.
    pub fn signs(&self) -> bool {
        lock(&self.0.signer).is_some()
    }

    /// Returns the status of everything at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let calls = self.0.calls.counted();
        let clock = self.0.calls.clock();
        let notifications = lock(&self.0.notifications)
            .iter()
            .map(|receiver| receiver.counts(clock))
            .collect();
        let heartbeat = lock(&self.0.heartbeat)
            .as_ref()
            .map(|receiver| receiver.counts(clock));
        let written = self.written();
        let stalled = clock.since(written.progress.max(calls.last));
        let mut rows = written.databases.clone();
        let allowed = late_after(self.about().interval);
        for row in rows.values_mut() {
            let late = row.unproven_for(clock).filter(|time| *time > allowed);
            if let (Some(time), false) = (late, row.overdue) {
                Arc::make_mut(row).mark_overdue(time);
            }
        }
        Snapshot {
            at: clock.now(),
            instance: self.about(),
            databases: rows,
            server: written.server.clone(),
            calls,
            notifications,
            heartbeat,
            peers: written.peers.clone(),
            stalled,
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        lock(&self.0.written)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // the data is valid after each statement, so another thread's panic does not damage it
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
