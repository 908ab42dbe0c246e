//! Those who watch and are notified: the board is filled, the HTTP thread reads it, couriers deliver.

use std::cell::RefCell;

use super::open::{self, Failed};
use crate::audit::{Auditor, Cycle, Outcome};
use crate::clock;
use crate::config::{Effective, Persona, Repeat, Settings};
use crate::ledger::Digest;
use crate::monitor;
use crate::notify::Notifier;
use crate::report::{About, Board, Prefix};
use crate::server::{Endpoint, Security, Server};
use crate::trust::{LocalFailure, Store};

/// What each outcome and each cycle is told to.
pub struct Watch {
    board: Board,
    notifier: RefCell<Notifier>,
}

/// Puts on the board what the files know; serves it, where the audit does not end by itself.
pub fn start(
    settings: &Settings,
    effective: &Effective,
    store: &mut Store,
    server: &Server,
) -> Result<Watch, Failed> {
    let board = Board::new(about(settings, effective), server.calls());
    remember(&board, store, settings)?;
    if let (Repeat::UntilStopped, Some(listen)) =
        (settings.audit.repeat, &settings.watch.monitoring)
    {
        let address = monitor::start(listen, board.clone(), prefix(settings.persona))?;
        log::info!("metrics and status page on http://{address}/");
    }
    let outcomes = store.load_outcomes();
    let notifier = Notifier::start(
        &settings.server.name,
        store.directory(),
        &settings.watch,
        &outcomes,
    );
    board.watch_receivers(notifier.receivers());
    board.watch_heartbeat(notifier.heartbeat());
    Ok(Watch {
        board,
        notifier: RefCell::new(notifier),
    })
}

impl Watch {
    /// A database's check.
    pub fn outcome(&self, outcome: &Outcome) {
        self.board.publish(outcome);
        self.notifier.borrow_mut().outcome(outcome);
    }

    /// A cycle's end.
    pub fn cycle(&self, cycle: &Cycle, identity: Option<&str>) {
        self.board.publish_cycle(cycle, identity);
        self.notifier.borrow_mut().cycle(cycle);
    }

    /// How far a database's values were read.
    pub fn values(&self, auditor: &Auditor, database: &str) {
        if let Some(progress) = auditor.values_read(database) {
            let acknowledged = auditor.acknowledged(database);
            self.board.publish_values(progress, &acknowledged);
        }
    }

    /// Before a program ends that does its work once: one try for each notification.
    pub fn flush(&self) {
        self.notifier.borrow().flush();
    }
}

fn prefix(persona: Persona) -> Prefix {
    match persona {
        Persona::Immuclient => Prefix::Immuclient,
        Persona::Immugw => Prefix::Immugw,
    }
}

fn about(settings: &Settings, effective: &Effective) -> About {
    let server = &settings.server;
    let endpoint = Endpoint {
        address: server.address.clone(),
        port: server.port,
        security: Security::Plaintext,
        max_answer: server.max_recv_msg_size,
    };
    About {
        server: server.name.clone(),
        address: endpoint.authority(),
        interval: settings.audit.interval,
        values: settings.audit.values,
        call_timeout: server.call_timeout,
        config: Digest::of(&[effective.to_toml().as_bytes()]).to_string(),
        started: clock::now(),
    }
}

/// What cannot be read is told by the audit itself.
fn remember(board: &Board, store: &Store, settings: &Settings) -> Result<(), LocalFailure> {
    let outcomes = store.load_outcomes();
    for database in store.databases()? {
        let trusted = store.load(&database).ok().flatten();
        let alarms = store.open_alarms(Some(&database));
        let count = alarms.as_ref().map_or(1, Vec::len);
        let last = outcomes.iter().find(|outcome| outcome.database == database);
        board.remember(&database, trusted.as_ref(), count, last);
        if !open::is_audited(settings, &database) {
            board.note_unselected(&database);
        }
        for alarm in alarms.iter().flatten() {
            board.remember_alarm(&database, alarm.kind);
        }
    }
    for progress in store.load_progress(clock::now()) {
        let acknowledged = store.acknowledged(&progress.database).unwrap_or_default();
        board.remember_values(&progress, &acknowledged);
    }
    Ok(())
}
