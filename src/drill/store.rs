//! The data of the embedded server: databases, tokens, and the lie that is running.

use std::collections::{BTreeMap, HashMap};

use super::forge;
use super::ledger::{Lag, Ledger};
use super::lie::{Lie, LieSchedule};
use super::options::Options;
use super::sign::SigningKey;
use super::status::Status;
use super::token::{Tokens, View};
use crate::clock::Timestamp;
use crate::drill::Emulated;
use crate::ledger::{ClaimedState, State, StateShape};

/// The database that every server has.
pub(super) const DEFAULT: &str = "defaultdb";

/// The user's rights on a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// All calls.
    #[default]
    Open,
    /// The database is listed and cannot be used: the user has no permission.
    Denied,
    /// The database is listed and cannot be used: an administrator unloaded it.
    Unloaded,
}

/// One database: its ledger, and the forged one.
pub(super) struct Database {
    pub honest: Ledger,
    /// The ledger that the second user gets instead.
    pub second: Option<Ledger>,
    forged: Option<Ledger>,
    pub access: Access,
    /// Values of transactions before this one were dropped, as by retention; 0: none were.
    pub dropped_before: u64,
}

pub(super) struct Store {
    pub server: Emulated,
    pub options: Options,
    pub uuid: String,
    pub started: Timestamp,
    /// Whether the server cannot be reached.
    pub away: bool,
    pub databases: BTreeMap<String, Database>,
    pub tokens: Tokens,
    pub calls: BTreeMap<&'static str, u64>,
    other_key: Option<SigningKey>,
    schedule: Option<LieSchedule>,
    /// The number of honest responses before the lie.
    quiet: u64,
    /// The number of runs of the lie, by call.
    run_counts: HashMap<&'static str, u64>,
}

/// The lie of one response.
#[derive(Clone, Debug)]
pub(super) struct ActiveLie {
    pub schedule: LieSchedule,
    /// The number of earlier runs in this call.
    pub times: u64,
}

impl ActiveLie {
    pub fn is(this: Option<&ActiveLie>, lie: Lie) -> bool {
        this.is_some_and(|active| active.schedule.lie == lie)
    }
}

impl Store {
    pub fn new(options: Options) -> Store {
        let mut store = Store {
            server: options.server,
            uuid: options.random.word(20),
            started: options.clock.now(),
            away: false,
            databases: BTreeMap::new(),
            tokens: Tokens::new(options.random.clone()),
            calls: BTreeMap::new(),
            other_key: None,
            schedule: None,
            quiet: 0,
            run_counts: HashMap::new(),
            options,
        };
        for name in store.options.databases.clone() {
            store.create(&name);
        }
        store
    }

    pub fn create(&mut self, name: &str) {
        let honest = self.new_ledger(self.options.lag.clone());
        self.databases.insert(name.into(), Database::new(honest));
    }

    fn new_ledger(&self, lag: Lag) -> Ledger {
        let ledger = Ledger::new(self.server.header_version(), lag);
        ledger.with_clock(self.options.clock.clone())
    }

    /// Writes into the honest ledger, and into the forged one unless the lie is a frozen view. Returns the honest
    /// transaction's id.
    pub fn write(&mut self, name: &str, draft: super::NewTransaction) -> Option<u64> {
        let frozen = self
            .schedule
            .as_ref()
            .is_some_and(|t| t.lie == Lie::FrozenView);
        let database = self.databases.get_mut(name)?;
        if let (Some(forged), false) = (&mut database.forged, frozen) {
            forged.write(draft.clone());
        }
        if let Some(second) = &mut database.second {
            second.write(draft.clone());
        }
        Some(database.honest.write(draft).tx)
    }

    /// Starts the lie: immediately, or after the scheduled number of calls.
    pub fn tell(&mut self, mut schedule: LieSchedule) {
        self.be_honest();
        let of_one = [
            Lie::WithheldTransaction,
            Lie::ScanWithHoles,
            Lie::SilentTransaction,
        ];
        if schedule.tx.is_none() && of_one.contains(&schedule.lie) {
            let name = schedule.database.as_deref().unwrap_or(DEFAULT);
            schedule.tx = self.databases.get(name).map(|d| d.honest.last() / 2);
        }
        self.quiet = schedule.after;
        let lie = schedule.lie;
        for (name, database) in &mut self.databases {
            if lie.forges() && schedule.after == 0 && schedule.fits_database(name) {
                database.forged = Some(forge::forge(lie, &database.honest));
            }
        }
        if lie == Lie::OtherIdentity {
            self.uuid = self.options.random.word(20);
        }
        self.schedule = Some(schedule);
    }

    pub fn be_honest(&mut self) {
        self.schedule = None;
        self.quiet = 0;
        self.run_counts.clear();
        for database in self.databases.values_mut() {
            database.forged = None;
        }
    }

    pub fn lying(&self) -> Option<Lie> {
        self.schedule.as_ref().map(|schedule| schedule.lie)
    }

    /// Returns the lie for this call, if there is one, and counts it as run.
    pub fn lie_for(&mut self, call: &'static str, database: Option<&str>) -> Option<ActiveLie> {
        let schedule = self.schedule.as_ref()?;
        if !schedule.fits(call, database) {
            return None;
        }
        if self.quiet > 0 {
            self.quiet -= 1;
            return None;
        }
        let so_far: u64 = self.run_counts.values().sum();
        if schedule.times.is_some_and(|times| so_far >= times) {
            return None;
        }
        let times = self.run_counts.entry(call).or_default();
        *times += 1;
        Some(ActiveLie {
            schedule: schedule.clone(),
            times: *times - 1,
        })
    }

    /// Returns whether a lie about a database as a whole runs for it, whatever the call is.
    pub fn lies_about(&self, lie: Lie, database: &str) -> bool {
        let so_far: u64 = self.run_counts.values().sum();
        self.quiet == 0
            && self.schedule.as_ref().is_some_and(|schedule| {
                schedule.lie == lie
                    && schedule.fits_database(database)
                    && schedule.times.is_none_or(|times| so_far < times)
            })
    }

    /// Returns how often a lie was run in a call.
    pub fn times_run(&self, call: &str) -> u64 {
        self.run_counts.get(call).copied().unwrap_or(0)
    }

    /// Returns the ledger that a call sees under the lie.
    pub fn ledger(&mut self, name: &str, active: Option<&ActiveLie>) -> Result<&Ledger, Status> {
        let turn = self.times_run(crate::wire::method::CURRENT_STATE);
        let gone = || Status::unknown("database does not exist");
        let other = self.databases.keys().find(|other| *other != name).cloned();
        let name = match other {
            Some(other) if ActiveLie::is(active, Lie::OtherDatabaseServed) => other,
            _ => name.to_owned(),
        };
        let database = self.databases.get_mut(&name).ok_or_else(gone)?;
        Ok(match active.map(|active| active.schedule.lie) {
            _ if self.tokens.view == View::Second && database.second.is_some() => {
                database.second.as_ref().unwrap_or(&database.honest)
            }
            Some(Lie::Alternating) if turn % 2 == 0 => &database.honest,
            Some(lie) if lie.forges() => {
                let honest = &database.honest;
                database
                    .forged
                    .get_or_insert_with(|| forge::forge(lie, honest))
            }
            _ => &database.honest,
        })
    }

    /// Returns a state as this server claims it, signed if the server has a key.
    pub fn claim(&self, database: &str, state: State) -> ClaimedState {
        self.claim_as(
            self.server.state_shape(),
            database,
            state,
            self.options.key.as_ref(),
        )
    }

    /// Returns the same claim, signed by a key that no client knows.
    pub fn claim_by_other_key(&mut self, database: &str, state: State) -> ClaimedState {
        let key = self.other_key.take().or_else(SigningKey::generate);
        self.other_key = key;
        let shape = self.server.state_shape();
        self.claim_as(shape, database, state, self.other_key.as_ref())
    }

    /// Returns a claimed state of this shape.
    pub fn claim_as(
        &self,
        shape: StateShape,
        database: &str,
        state: State,
        key: Option<&SigningKey>,
    ) -> ClaimedState {
        ClaimedState {
            shape,
            database: match shape {
                StateShape::WithDatabase => database.into(),
                StateShape::WithoutDatabase => Vec::new(),
            },
            state,
            signature: key.and_then(|key| key.sign(shape, database, &state)),
        }
    }
}

impl Database {
    fn new(honest: Ledger) -> Database {
        Database {
            honest,
            second: None,
            forged: None,
            access: Access::Open,
            dropped_before: 0,
        }
    }
}
