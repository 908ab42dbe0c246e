//! The auditor of a server: its policy, its memory between cycles, and how both are set up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::check::Demands;
use super::due::Ages;
use super::keep::Kept;
use super::locate;
use super::policy::Policy;
use super::values::Scan;
use crate::clock::{self, Timestamp};
use crate::ledger::StateShape;
use crate::locate::Window;
use crate::server::Server;
use crate::trust::{self, Mirror, OutcomeRecord, Progress, Store};

/// Audits one server.
pub struct Auditor {
    pub(super) server: Server,
    pub(super) store: Store,
    pub(super) policy: Policy,
    pub(super) ages: Ages,
    /// The shortest time limit of a cycle, and of fetching a proof's parts.
    pub(super) shortest_cycle: Duration,
    /// When this run began, by both clocks.
    pub(super) started: Timestamp,
    pub(super) started_at: Instant,
    /// Cycles begun.
    pub(super) cycles: u64,
    /// The database that the last cycle began with.
    pub(super) first: Option<String>,
    /// Databases whose last check ran into a deadline: they go last.
    pub(super) slow: BTreeSet<String>,
    /// In which cycle each database had its turn last.
    pub(super) turns: BTreeMap<String, Turn>,
    /// When each database had its turn before this run began.
    pub(super) turns_before: BTreeMap<String, Timestamp>,
    /// The last listed database without a trusted state that had its turn.
    pub(super) last_untrusted: Option<String>,
    /// Databases of which files are kept, as they were last listed.
    pub(super) known: Vec<String>,
    /// Databases that are audited though the server never listed them.
    pub(super) unlisted: BTreeSet<String>,
    /// Databases whose damaged or lost files were replaced by a pin.
    pub(super) repaired: BTreeSet<String>,
    /// Pins held against the trusted state in this run.
    pub(super) pins_held: BTreeSet<usize>,
    /// The state's shape over all databases: a newer one is never left again.
    pub(super) shape: Option<StateShape>,
    /// Databases of which something was trusted when this run began.
    pub(super) trusted_before: BTreeSet<String>,
    /// How far the values of each database were read.
    pub(super) progress: BTreeMap<String, Progress>,
    /// What each database's scans allow.
    pub(super) scans: BTreeMap<String, Scan>,
    /// Databases whose state was proven in the last check: a sweep goes on with these.
    pub(super) readable: BTreeSet<String>,
    /// Those of them whose sweep waits for the next cycle.
    pub(super) not_now: BTreeSet<String>,
    /// By database: the transaction at which slices of a sweep ran out of time, and the number of these slices.
    pub(super) late_slices: BTreeMap<String, (u64, u32)>,
    /// The database that a paced sweep went on with last.
    pub(super) swept_last: Option<String>,
    /// What is on disk of the last verdicts and of the progress.
    pub(super) kept: Kept,
    /// When the progress of a sweep was last written down.
    pub(super) saved: Option<Instant>,
    /// Where each database was found to be rewritten last.
    pub(super) windows: BTreeMap<String, Window>,
    /// What is left to this cycle for finding that.
    pub(super) locating: Duration,
    /// Bytes that mirrors may take; `None`: none is kept.
    pub(super) mirror_most: Option<u64>,
    /// Mirrors that are being added to.
    pub(super) mirrors: BTreeMap<String, Mirror>,
    /// Databases whose mirror is to be looked after before the next cycle.
    pub(super) to_mirror: BTreeSet<String>,
    /// The database whose mirror was added to last.
    pub(super) mirrored_last: Option<String>,
    /// What was said of those that could not be.
    pub(super) unmirrored: BTreeMap<String, String>,
}

/// In which cycle a database had its turn last; 0: in none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// Its state was checked.
    pub checked: u64,
    /// There was time to read of it.
    pub read: u64,
}

impl Auditor {
    /// An auditor of `server` that believes what is in `store`.
    pub fn new(server: Server, store: Store, policy: Policy) -> Auditor {
        let mut ages = Ages::new(policy.interval, policy.expect_growth);
        let now = clock::now();
        let mut outcomes = store.load_outcomes();
        for record in &mut outcomes {
            record.clamp_to(now);
            if let Some(proven) = record.proven {
                ages.remember(
                    &record.database,
                    now.since(proven),
                    now.since(record.grown.unwrap_or(proven)),
                );
            }
        }
        let names = |select: fn(&OutcomeRecord) -> bool| -> BTreeSet<String> {
            let selected = outcomes.iter().filter(|record| select(record));
            selected.map(|record| record.database.clone()).collect()
        };
        let trusted_before = names(OutcomeRecord::was_trusted);
        let unlisted = names(|record| !record.listed);
        let slow = names(|record| record.slow);
        let last_untrusted = names(|record| record.last_untrusted);
        let turns_before = outcomes.iter().map(|of| (of.database.clone(), of.checked));
        let turns_before = turns_before.collect();
        let progress = store.load_progress(now).into_iter();
        Auditor {
            progress: progress.map(|of| (of.database.clone(), of)).collect(),
            scans: BTreeMap::new(),
            kept: Kept::new(outcomes),
            shortest_cycle: MIN_PATIENCE,
            started: now,
            started_at: Instant::now(),
            cycles: 0,
            turns: BTreeMap::new(),
            turns_before,
            last_untrusted: last_untrusted.into_iter().next(),
            known: Vec::new(),
            unlisted,
            trusted_before,
            readable: BTreeSet::new(),
            not_now: BTreeSet::new(),
            late_slices: BTreeMap::new(),
            swept_last: None,
            saved: None,
            windows: BTreeMap::new(),
            locating: locate::A_CYCLE,
            mirror_most: None,
            mirrors: BTreeMap::new(),
            to_mirror: BTreeSet::new(),
            mirrored_last: None,
            unmirrored: BTreeMap::new(),
            server,
            store,
            policy,
            ages,
            first: None,
            slow,
            repaired: BTreeSet::new(),
            pins_held: BTreeSet::new(),
            shape: None,
        }
    }

    /// Gives a cycle at least this time in place of a minute, however short the interval is.
    #[must_use]
    pub fn with_shortest_cycle(self, shortest_cycle: Duration) -> Auditor {
        Auditor {
            shortest_cycle,
            ..self
        }
    }

    /// Faults of the files since the last call.
    pub fn store_warnings(&mut self) -> Vec<trust::Warning> {
        self.store.warnings()
    }

    pub(super) fn demands(&self) -> Demands {
        Demands {
            signatures: self.policy.signatures.clone(),
            max_range: self.policy.max_range,
            patience: self.policy.interval.max(self.shortest_cycle),
            shape: self.shape,
        }
    }

    pub(super) fn recall_shape(&mut self, known: &[String]) {
        if self.shape.is_none() {
            for database in known {
                if let Ok(Some(shape)) = self.store.load(database).map(|t| t.and_then(|t| t.shape))
                {
                    self.see_shape(shape);
                }
            }
        }
    }

    pub(super) fn see_shape(&mut self, shape: StateShape) {
        self.shape = self.shape.max(Some(shape));
    }
}

/// A cycle, and fetching a proof's parts, may take as long as an interval, but no less than this.
pub(super) const MIN_PATIENCE: Duration = Duration::from_secs(60);
