//! The auditor of a server: its policy and its memory between cycles.

use std::time::{Duration, Instant};

use super::database::Databases;
use super::kept_list::KeptList;
use super::overdue::WallAges;
use super::policy::Policy;
use super::search_time::SearchTime;
use super::unstored::Unstored;
use super::written::Written;
use crate::audit::check::state::CheckParams;
use crate::clock::{Clock, Timestamp};
use crate::ledger::StateShape;
use crate::peer::PeerPoller;
use crate::random::Random;
use crate::server::Server;
use crate::trust::{self, Store, WITHOUT_KEY};

/// The auditor of one server.
pub struct Auditor {
    pub(super) server: Server,
    pub(super) store: Store,
    pub(super) policy: Policy,
    /// The random numbers for samples.
    pub(super) random: Random,
    /// The records of single databases.
    pub(super) databases: Databases,
    /// The shortest time limit of a cycle.
    pub(super) shortest_cycle: Duration,
    /// The time at which this run began, by both clocks.
    pub(super) started: Timestamp,
    pub(super) started_at: Instant,
    /// The number of cycles that have begun.
    pub(super) cycles: u64,
    /// The databases with files in the store, as last listed, in order.
    pub(super) known: Vec<String>,
    /// Whether the list of databases may be used for several cycles.
    pub(super) keeps_list: bool,
    /// The list that the next cycle may use.
    pub(super) kept_list: Option<KeptList>,
    /// The shape of the server's states. After a newer shape, no older one is accepted.
    pub(super) shape: Option<StateShape>,
    /// The database that the last cycle began with.
    pub(super) first: Option<String>,
    /// The untrusted database that was checked last; `None` if all of them were checked.
    pub(super) last_untrusted: Option<String>,
    /// The key for the order of untrusted databases, once a cycle has needed it. The next process continues with it.
    pub(super) place_key: Option<u64>,
    /// The number of databases with open alarms that never had a trusted state; `None` until a cycle needs it.
    pub(super) untrusted_with_alarms: Option<usize>,
    /// The database whose sweep was continued last.
    pub(super) swept_last: Option<String>,
    /// The database whose mirror was extended last.
    pub(super) mirrored_last: Option<String>,
    /// The time that this cycle has left to find rewritten transactions.
    pub(super) search_time: SearchTime,
    /// The limit of all mirrors together, in bytes; `None` if there is no mirror.
    pub(super) mirror_most: Option<u64>,
    /// The outcomes that were last stored.
    pub(super) outcomes_written: Written,
    /// The progress that was last stored.
    pub(super) progress_written: Written,
    /// The latest responses of the peers.
    pub(super) peers: PeerPoller,
    /// The records of peers that were last stored.
    pub(super) peers_written: Written,
    /// The findings that could not be stored.
    pub(super) unstored: Unstored,
    /// The time at which the progress of a sweep was last stored.
    pub(super) saved: Option<Instant>,
}

impl Auditor {
    /// Creates an auditor of `server` that trusts the states in `store`.
    pub fn new(server: Server, store: Store, policy: Policy) -> Auditor {
        let clock = server.clock().clone();
        let now = clock.now();
        let mut databases = Databases::new(clock.clone());
        let (mut last_untrusted, mut place_key) = (None, None);
        for mut record in store.load_outcomes() {
            record.clamp_to(now);
            if let Some(key) = record.last_untrusted {
                last_untrusted = Some(record.database.clone());
                place_key = (key > WITHOUT_KEY).then_some(key);
            }
            let database = record.database.clone();
            databases.of(&database).remember(record, &clock);
        }
        // an unreadable state is reported when its database is checked
        for database in store.databases().unwrap_or_default() {
            if let Ok(Some(trusted)) = store.load(&database) {
                let record = databases.of(&database);
                record.count_from(&trusted, &clock);
                if let Some(last) = &record.last {
                    store.warn_if_restored(&trusted, last);
                }
            }
        }
        for progress in store.load_progress(now) {
            let database = progress.database.clone();
            databases.of(&database).progress = Some(Box::new(progress));
        }
        Auditor {
            store: store.with_clock(clock.clone()),
            server,
            policy,
            random: Random::system(),
            databases,
            shortest_cycle: MIN_OVERDUE_TIME,
            started: now,
            started_at: clock.instant(),
            cycles: 0,
            known: Vec::new(),
            keeps_list: false,
            kept_list: None,
            shape: None,
            first: None,
            last_untrusted,
            place_key,
            untrusted_with_alarms: None,
            swept_last: None,
            mirrored_last: None,
            search_time: SearchTime::new(),
            mirror_most: None,
            outcomes_written: Written::default(),
            progress_written: Written::default(),
            peers: PeerPoller::default(),
            peers_written: Written::default(),
            unstored: Unstored::default(),
            saved: None,
        }
    }

    /// Continues with other settings between two cycles: the connection to the same server, the policy, and the limit
    /// for mirrors. The memory of the databases stays.
    pub fn change_settings(&mut self, server: Server, policy: Policy, mirror: Option<u64>) {
        self.server.take_setup_of(server);
        self.policy = policy;
        self.kept_list = None;
        self.mirror_most = mirror;
        for (name, database) in self.databases.iter_mut() {
            if !self.policy.selects(name) {
                // no check follows that could find it unreadable
                database.readable = false;
                database.to_mirror = false;
            }
        }
    }

    /// Sets the shortest time limit of a cycle, which is a minute by default, for short intervals.
    #[must_use]
    pub fn with_shortest_cycle(self, shortest_cycle: Duration) -> Auditor {
        Auditor {
            shortest_cycle,
            ..self
        }
    }

    /// Draws from `random` instead of the system's random numbers.
    #[must_use]
    pub fn with_random(self, random: Random) -> Auditor {
        Auditor { random, ..self }
    }

    /// Closes the connection to the server if the pause is long enough ([`Server::rest`]).
    pub fn rest(&mut self, pause: Duration) {
        self.server.rest(pause);
    }

    /// Reuses the list of databases for some cycles, for callers that run cycle after cycle.
    #[must_use]
    pub fn keeping_the_list(self) -> Auditor {
        Auditor {
            keeps_list: true,
            ..self
        }
    }

    /// Returns the server's clock, which the audit uses.
    pub fn clock(&self) -> &Clock {
        self.server.clock()
    }

    /// Returns the warnings about the files since the last call.
    pub fn store_warnings(&mut self) -> Vec<trust::Warning> {
        self.store.warnings()
    }

    pub(super) fn params(&self) -> CheckParams {
        CheckParams {
            signatures: self.policy.signatures.clone(),
            max_fetch: self.policy.max_fetch,
            shape: self.shape,
        }
    }

    /// Returns the monotonic time, for intervals and deadlines.
    pub(super) fn now(&self) -> Instant {
        self.server.clock().instant()
    }

    /// Returns the time of day, for people and files.
    pub(super) fn wall_time(&self) -> Timestamp {
        self.server.clock().now()
    }

    /// Returns the longest time of a single task for the operator, which is that of a cycle.
    pub(super) fn overdue_after(&self) -> Duration {
        self.policy.interval.max(self.shortest_cycle)
    }

    pub(super) fn wall_ages(&self) -> WallAges {
        WallAges {
            started: self.started,
            running: self.server.clock().since(self.started_at),
            now: self.wall_time(),
        }
    }

    /// Reads the state's shape from the files, if no server has shown one yet.
    pub(super) fn recall_shape(&mut self) {
        if self.shape.is_none() {
            let trusted = self
                .known
                .iter()
                .filter_map(|name| self.store.load(name).ok()?);
            self.shape = trusted.filter_map(|trusted| trusted.shape).max();
        }
    }

    pub(super) fn see_shape(&mut self, shape: StateShape) {
        self.shape = self.shape.max(Some(shape));
    }
}

/// The shortest time limit of a cycle, whose limit is otherwise the interval, and the time limit of one proof when two
/// servers are compared. With a minute, a short interval does not interrupt a slow server.
pub(super) const MIN_OVERDUE_TIME: Duration = Duration::from_secs(60);
