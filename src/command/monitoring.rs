//! Monitoring and notifications of a command: fills the status registry, starts the HTTP thread and the delivery
//! workers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use log::Level;

use super::setup::{self, CommandError};
use crate::audit::{Auditor, Cycle, Outcome};
use crate::clock::{self, Clock};
use crate::config::{CompatMode, Effective, RunMode, Settings, Verbosity};
use crate::ledger::Digest;
use crate::monitor;
use crate::notify::{Notifier, OpenAlarms};
use crate::report::{
    Event, InstanceInfo, PeerFetched, Prefix, StatusRegistry, log_decision, log_peer, print_error,
    status_line,
};
use crate::server::{Endpoint, Security, Server};
use crate::text::counted_with;
use crate::trust::{Alarm, AlarmsStamp, Store, StoreError};

/// The consumers of outcomes and cycles: registry, HTTP thread and notifications.
pub struct Monitoring {
    server: String,
    registry: StatusRegistry,
    notifier: RefCell<Notifier>,
    fetched: RefCell<Vec<PeerFetched>>,
    /// The IDs of the open alarms of each database, as they were last read.
    open: RefCell<BTreeMap<String, BTreeSet<String>>>,
    /// The stamps of the alarms of databases that the settings do not select, as they were last read.
    read: RefCell<BTreeMap<Arc<str>, AlarmsStamp>>,
}

/// Fills the registry from the files, and serves it unless the audit ends by itself.
pub fn start(
    settings: &Settings,
    effective: &Effective,
    store: &mut Store,
    server: &Server,
) -> Result<Monitoring, CommandError> {
    let registry = StatusRegistry::new(about(settings, effective), server.calls());
    registry.sign_by(settings.monitoring.signer.clone());
    remember(&registry, store, settings)?;
    let (outcomes, open) = (store.load_outcomes(), open_alarms(store)?);
    let notifier = Notifier::start(
        &settings.server.name,
        store.directory(),
        &settings.monitoring,
        &outcomes,
        &open,
        &Clock::system(),
    );
    registry.register_receivers(notifier.receivers());
    registry.register_heartbeat(notifier.heartbeat());
    // started after the receivers are registered, so that the first page has them
    if let (RunMode::UntilStopped, Some(listen)) =
        (settings.audit.run_mode, &settings.monitoring.listen)
    {
        let address = monitor::start(listen, registry.clone(), prefix(settings.compat_mode))?;
        log::info!("metrics and status page on http://{address}/");
    }
    Ok(Monitoring {
        server: settings.server.name.clone(),
        registry,
        notifier: RefCell::new(notifier),
        fetched: RefCell::default(),
        open: RefCell::new(ids(&open.alarms)),
        read: RefCell::default(),
    })
}

impl Monitoring {
    /// Continues with other settings. Receivers start again if their settings changed: their waiting notifications are
    /// written to disk before, and each delivery that has begun is waited for.
    pub fn change_settings(
        &self,
        before: &Settings,
        settings: &Settings,
        effective: &Effective,
    ) -> Result<(), CommandError> {
        let mut files = None;
        if before.monitoring != settings.monitoring {
            let store = Store::open_shared(&setup::location(settings))?;
            files = Some((open_alarms(&store)?, store));
        }
        // no step from here on can fail, so that the settings are used as a whole or not at all
        self.registry.change_settings(about(settings, effective));
        self.registry.sign_by(settings.monitoring.signer.clone());
        self.registry
            .select(|database| setup::is_audited(settings, database));
        let Some((open, store)) = files else {
            return Ok(());
        };
        let mut notifier = self.notifier.borrow_mut();
        notifier.flush(); // stores the notifications that wait for the end of a cycle
        notifier.close();
        *notifier = Notifier::start(
            &settings.server.name,
            store.directory(),
            &settings.monitoring,
            &store.load_outcomes(),
            &open,
            &Clock::system(),
        );
        self.registry.register_receivers(notifier.receivers());
        self.registry.register_heartbeat(notifier.heartbeat());
        Ok(())
    }

    /// Publishes the outcome of a database's check.
    pub fn outcome(&self, outcome: &Outcome) {
        self.registry.publish(outcome);
        self.notifier.borrow_mut().outcome(outcome);
    }

    /// Notifies of the outcomes of a cycle before they are stored.
    pub fn checked(&self, cycle: &Cycle) {
        self.notifier.borrow_mut().checked(cycle);
    }

    /// Publishes the open alarms of the databases of a cycle, and of those that the settings do not select. Another
    /// command, such as `compare`, may have opened some: the receivers are notified of those. Logs which ones were closed
    /// or adopted. Of an unselected database without open alarms, the files are read only if they have changed.
    pub fn alarms(&self, auditor: &Auditor, cycle: &Cycle) {
        for outcome in cycle.outcomes.iter().filter(|of| !of.is_untrusted) {
            let had_alarms = || self.open.borrow().contains_key(&outcome.database);
            if outcome.open_alarms > 0 || had_alarms() {
                self.read_alarms(auditor, &outcome.database);
            }
        }
        let before = self.read.take();
        let mut read = BTreeMap::new();
        for (database, open) in self.registry.unselected() {
            let stamp = auditor.alarms_stamp(&database);
            let is_same = open == 0 && before.get(&database) == Some(&stamp);
            if is_same || self.read_alarms(auditor, &database) {
                read.insert(database, stamp);
            }
        }
        self.read.replace(read);
    }

    /// Publishes the open alarms of a database, and returns whether they could be read. A list that cannot be read was
    /// reported with the outcome, or keeps its count.
    fn read_alarms(&self, auditor: &Auditor, database: &str) -> bool {
        let Ok(open) = auditor.open_alarms(database) else {
            return false;
        };
        self.registry.publish_alarms(database, &open);
        self.notifier.borrow_mut().open_alarms(database, &open);
        self.log_decisions(auditor, database, &open);
        true
    }

    /// Logs the operator's decisions about the alarms of a database that are no longer open.
    fn log_decisions(&self, auditor: &Auditor, database: &str, open: &[Alarm]) {
        let mut known = self.open.borrow_mut();
        let mut gone = known.remove(database).unwrap_or_default();
        for alarm in open {
            gone.remove(&alarm.id);
        }
        known.extend(ids(open));
        if gone.is_empty() {
            return;
        }
        let all = auditor.all_alarms(database).unwrap_or_default();
        for id in &gone {
            let alarm = all.iter().find(|alarm| &alarm.id == id);
            let decided = alarm.and_then(|alarm| alarm.closed.as_ref());
            log_decision(&self.server, database, id, decided);
        }
    }

    /// Publishes the end of a cycle.
    pub fn cycle(&self, cycle: &Cycle, identity: Option<&str>) {
        self.registry.publish_cycle(cycle, identity);
        self.notifier.borrow_mut().cycle(cycle);
    }

    /// Returns the status in one line.
    pub fn status_line(&self) -> String {
        status_line(&self.registry.snapshot())
    }

    /// Publishes when each peer last responded. Logs a peer that no longer responds, or responds again.
    pub fn peers(&self, auditor: &Auditor, server: &str) {
        let all = auditor.peers().all();
        let fetched: Vec<PeerFetched> = all
            .map(|(peer, latest)| PeerFetched {
                peer: peer.as_str().to_owned(),
                fetched: latest.fetched,
                failure: latest.failure.clone(),
            })
            .collect();
        let before = self.fetched.replace(fetched.clone());
        for peer in &fetched {
            let before = before.iter().find(|of| of.peer == peer.peer);
            let failed = before.is_some_and(|of| of.failure.is_some());
            if failed != peer.failure.is_some() {
                log_peer(server, peer);
            }
        }
        self.registry.publish_peers(fetched);
    }

    /// Publishes the progress of a database's value check.
    pub fn values(&self, auditor: &Auditor, database: &str) {
        if let Some(progress) = auditor.values_read(database) {
            let acknowledged = auditor.acknowledged(database);
            self.registry.publish_values(progress, &acknowledged);
        }
    }

    /// Ends the deliveries of a program that does its work once, and reports the receivers with waiting
    /// notifications. The report goes to the log, or to standard error if `--quiet` switches the log off.
    pub fn close(&self, settings: &Settings) {
        let server = &settings.server.name;
        for undone in self.notifier.borrow().close() {
            let waiting = counted_with(undone.count, "notification", ["waits", "wait"]);
            let why = undone
                .why
                .as_deref()
                .unwrap_or("there was no time for an attempt");
            let text = format!(
                "{waiting} for receiver {}: {why}; the next run tries again",
                undone.receiver
            );
            match settings.report.verbosity {
                Verbosity::Quiet => print_error(&format!("{server}: {text}")),
                Verbosity::Normal => Event::new(Level::Warn, text).text("server", server).log(),
            }
        }
    }

    /// Stores the notifications that are not on disk yet, before a program ends that runs until it is stopped.
    pub fn stop(&self) {
        self.notifier.borrow().store_or_log();
    }

    /// Waits for one attempt for each notification, in a program that does its work once.
    pub fn flush(&self) {
        self.notifier.borrow_mut().flush();
    }
}

/// Returns the IDs of alarms by database.
fn ids(alarms: &[Alarm]) -> BTreeMap<String, BTreeSet<String>> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for alarm in alarms {
        let of_database = ids.entry(alarm.database.clone()).or_default();
        of_database.insert(alarm.id.clone());
    }
    ids
}

/// Returns the open alarms of all databases. A list that cannot be read is reported by the audit.
fn open_alarms(store: &Store) -> Result<OpenAlarms, StoreError> {
    let mut open = OpenAlarms {
        alarms: Vec::new(),
        are_all: true,
    };
    for database in store.databases()? {
        match store.open_alarms(Some(&database)) {
            Ok(alarms) => open.alarms.extend(alarms),
            Err(_) => open.are_all = false,
        }
    }
    Ok(open)
}

fn prefix(compat_mode: CompatMode) -> Prefix {
    match compat_mode {
        CompatMode::Immuclient => Prefix::Immuclient,
        CompatMode::Immugw => Prefix::Immugw,
    }
}

fn about(settings: &Settings, effective: &Effective) -> InstanceInfo {
    let server = &settings.server;
    let endpoint = Endpoint {
        address: server.address.clone(),
        port: server.port,
        security: Security::Plaintext,
        max_answer: server.max_recv_msg_size,
    };
    InstanceInfo {
        server: server.name.clone(),
        address: endpoint.authority(),
        interval: settings.audit.interval,
        values: settings.audit.values,
        call_timeout: server.call_timeout,
        config: Digest::of(&[effective.to_toml().as_bytes()]).to_string(),
        started: clock::now(),
    }
}

/// Restores the status of every database from its files. The audit itself reports what cannot be read.
fn remember(
    registry: &StatusRegistry,
    store: &Store,
    settings: &Settings,
) -> Result<(), StoreError> {
    let outcomes = store.load_outcomes();
    for database in store.databases()? {
        let trusted = store.load(&database).ok().flatten();
        let alarms = store.open_alarms(Some(&database));
        let count = alarms.as_ref().map_or(1, Vec::len);
        let last = outcomes.iter().find(|outcome| outcome.database == database);
        registry.restore(&database, trusted.as_ref(), count, last);
        if let Ok(alarms) = &alarms {
            registry.publish_alarms(&database, alarms);
        }
    }
    for progress in store.load_progress(clock::now()) {
        let acknowledged = store.acknowledged(&progress.database).unwrap_or_default();
        registry.restore_values(&progress, &acknowledged);
    }
    registry.select(|database| setup::is_audited(settings, database));
    Ok(())
}
