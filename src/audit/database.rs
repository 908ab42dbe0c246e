//! The record of one database: the auditor's memory of the database between two cycles. All records are in one map,
//! and only this file removes any.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::overdue::OverdueTracker;
use super::peers::{Recent, Relation};
use super::values::{Partials, Scan};
use crate::checkpoint::KeyName;
use crate::clock::{Clock, Timestamp};
use crate::ledger::State;
use crate::locate::Window;
use crate::ranges::Ranges;
use crate::trust::{Mirror, OutcomeRecord, TrustedState, ValueProgress};

/// The auditor's memory of one database between two cycles. The large parts are boxed: most records of a
/// server that lists many names have none of them.
#[derive(Debug)]
pub(super) struct Database {
    /// The times at which its state was last proven, and at which it last grew.
    pub age: OverdueTracker,
    /// The last verdict, as stored on disk.
    pub last: Option<Box<OutcomeRecord>>,
    /// The cycles in which it last had its turns.
    pub turn: Turn,
    /// The time at which its state was last checked before this run began.
    pub checked_before: Option<Timestamp>,
    /// Whether its last check ran into a deadline; if so, it is checked last.
    pub slow: bool,
    /// Whether a state was ever trusted, in this run or in an earlier one.
    pub trusted_before: bool,
    /// Whether it is audited although the server never listed it.
    pub unlisted: bool,
    /// Whether damaged or lost files were replaced by a pin.
    pub repaired: bool,
    /// The pins that were proven in this run, each with the begin of the unbroken line of proofs that it was compared
    /// with.
    pub compared_pins: Vec<(State, Timestamp)>,
    /// The progress of the value check.
    pub progress: Option<Box<ValueProgress>>,
    /// The size of the next scan.
    pub scan: Scan,
    /// The transactions whose values were read in part.
    pub partials: Partials,
    /// Whether the state was proven in the last check, so that a sweep may continue.
    pub readable: bool,
    /// Whether its sweep waits for the next cycle.
    pub not_now: bool,
    /// The trusted transaction, and since when its history is the same one, if a sweep read them since the last cycle.
    pub sweepable: Option<(u64, Timestamp)>,
    /// The transaction at which slices of a sweep ran out of time, and the number of these slices.
    pub late_slices: Option<(u64, u32)>,
    /// The closings of alarms that awaited a reading in the last cycle: the alarm's id, and how often it was raised by
    /// then.
    pub awaited: BTreeSet<(String, u64)>,
    /// The transactions for which the slices of an operator's sweep had no time.
    pub late: Ranges,
    /// The range in which the history was last found to be rewritten.
    pub window: Option<Box<Window>>,
    /// The mirror, while its file is open.
    pub mirror: Option<Box<Mirror>>,
    /// Whether the mirror must be extended before the next cycle.
    pub to_mirror: bool,
    /// The message that was logged when the mirror could not be extended.
    pub unmirrored: Option<String>,
    /// The results of comparing the checkpoints of each peer.
    pub peers: BTreeMap<KeyName, Box<Relation>>, // boxed: a map node has eleven slots, but there are few peers
    /// The states that were trusted last, to compare the checkpoints of peers with them.
    pub recent: Recent,
}

/// The cycles in which a database last had its turns; 0 if there was none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// The cycle in which the state was last checked.
    pub checked: u64,
    /// The last cycle that had time to read values.
    pub read: u64,
    /// The last cycle that had time to find rewritten transactions.
    pub searched: u64,
}

impl Database {
    /// Creates an empty record, whose age counts from now on.
    fn new(now: Instant) -> Database {
        Database {
            age: OverdueTracker::new(now),
            last: None,
            turn: Turn::default(),
            checked_before: None,
            slow: false,
            trusted_before: false,
            unlisted: false,
            repaired: false,
            compared_pins: Vec::new(),
            progress: None,
            scan: Scan::default(),
            partials: Partials::default(),
            readable: false,
            not_now: false,
            sweepable: None,
            late_slices: None,
            awaited: BTreeSet::new(),
            late: Ranges::new(),
            window: None,
            mirror: None,
            to_mirror: false,
            unmirrored: None,
            peers: BTreeMap::new(),
            recent: Recent::default(),
        }
    }

    /// Restores the record that an earlier run stored.
    pub fn remember(&mut self, record: OutcomeRecord, clock: &Clock) {
        if let Some(proven) = record.unproven_from() {
            let (now, grown) = (clock.now(), record.grown.unwrap_or(proven));
            self.age = OverdueTracker::ago(clock.instant(), now.since(proven), now.since(grown));
        }
        self.trusted_before = record.was_trusted();
        self.unlisted = !record.listed;
        self.slow = record.slow;
        self.checked_before = Some(record.checked);
        self.last = Some(Box::new(record));
    }

    /// Starts the overdue time at the acceptance of the trusted state if the last verdict does not include that
    /// state. An earlier run that was killed during a cycle may have stored the state alone.
    pub fn count_from(&mut self, trusted: &TrustedState, clock: &Clock) {
        let is_known = self.trusted_tx() == Some(trusted.state.tx);
        let last = self.last.as_deref();
        let proven = last.and_then(OutcomeRecord::unproven_from);
        // if the wall clock was set back, the time of acceptance would seem later than the last proof
        if is_known && proven.is_some() {
            return;
        }
        let accepted = trusted.accepted;
        let ago = clock.now().since(accepted.max(proven.unwrap_or(accepted)));
        self.age = OverdueTracker::ago(clock.instant(), ago, ago);
    }

    /// Returns the last transaction that was proven or trusted on first use.
    pub fn trusted_tx(&self) -> Option<u64> {
        self.last.as_ref()?.trusted_tx
    }
}

/// The records of all databases, by name.
#[derive(Debug)]
pub(super) struct Databases {
    records: BTreeMap<String, Database>,
    /// The clock for the age of new records.
    clock: Clock,
}

impl Databases {
    /// Creates an empty map.
    pub fn new(clock: Clock) -> Databases {
        Databases {
            records: BTreeMap::new(),
            clock,
        }
    }

    /// Returns a database's record, if there is one.
    pub fn get(&self, name: &str) -> Option<&Database> {
        self.records.get(name)
    }

    /// Returns a database's record; creates it if there is none.
    pub fn of(&mut self, name: &str) -> &mut Database {
        self.records
            .entry(name.to_owned())
            .or_insert_with(|| Database::new(self.clock.instant()))
    }

    /// Returns the progress of a database's value check.
    pub fn progress(&self, name: &str) -> Option<&ValueProgress> {
        self.get(name)?.progress.as_deref()
    }

    /// Returns all records in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Database)> + Clone {
        self.records
            .iter()
            .map(|(name, record)| (name.as_str(), record))
    }

    /// Returns all records in the order of their names, mutably.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Database)> {
        let records = self.records.iter_mut();
        records.map(|(name, record)| (name.as_str(), record))
    }

    /// Returns the names of the databases that `select` chooses, in order.
    pub fn names(&self, select: impl Fn(&Database) -> bool) -> Vec<String> {
        let selected = self.records.iter().filter(|(_, record)| select(record));
        selected.map(|(name, _)| name.clone()).collect()
    }

    /// Forgets a database, except if its values were read: then it was trusted, whatever the files contain now.
    pub fn forget(&mut self, name: &str) {
        if self.progress(name).is_none() {
            self.records.remove(name);
        }
    }

    /// Forgets the databases that `keeps` does not select.
    pub fn retain(&mut self, keeps: impl Fn(&str, &Database) -> bool) {
        self.records.retain(|name, record| keeps(name, record));
    }
}
