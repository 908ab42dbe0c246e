//! A world: the setup of the server and the auditor, and all events, drawn from a seed. An event is
//! self-contained, so that a world with fewer events is a world too.

use std::fmt;
use std::time::Duration;

use immuaudit::config::Values;
use immuaudit::drill::{AuditorSetup, Emulated, Lag, Lie, Lifetime};

use crate::draft::Draft;

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// The setup and the events of one simulated server and its auditor.
#[derive(Clone, Debug)]
pub struct World {
    pub seed: u64,
    /// The simulated time of the world.
    pub length: Duration,
    /// The time between the begins of two cycles.
    pub interval: Duration,
    pub server: Emulated,
    pub lag: Lag,
    pub token_lifetime: Lifetime,
    pub signatures: Signed,
    /// The databases in addition to `defaultdb`.
    pub databases: Vec<String>,
    pub values: Values,
    /// The shortest and the longest time of a call without trouble.
    pub delay: (Duration, Duration),
    /// The names of the receivers of notifications.
    pub receivers: Vec<String>,
    /// Whether there is a second auditor, and the two are peers of each other.
    pub has_a_peer: bool,
    /// The number of cycles of the first auditor for each cycle of the second.
    pub peer_rests: u64,
    /// Whether a new process runs each cycle, as under cron with `--once`.
    pub is_once: bool,
    /// The events in the order of time.
    pub events: Vec<Event>,
}

/// The signatures of a server's states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Not at all.
    No,
    /// With a key that the auditor does not know.
    Yes,
    /// With the key that the auditor requires.
    Demanded,
}

#[derive(Clone, Debug)]
pub struct Event {
    /// The time since the start.
    pub at: Duration,
    pub what: EventKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Transactions are written, each with this many entries of this many bytes.
    Grow {
        database: String,
        transactions: u64,
        entries: u64,
        bytes: usize,
    },
    Create(String),
    Unload(String),
    Load(String),
    /// The auditor's user loses its permission.
    Deny(String),
    Allow(String),
    /// The first half of the values is dropped, and the ledger records it.
    Truncate(String),
    /// The values are lost without a record: a replica of a truncated server has only their
    /// digests.
    LoseValues(String),
    /// The database is deleted for good, which must cause an alarm.
    Delete(String),
    /// The server is down for a while, and has lost every token when it comes back.
    Restart(Duration),
    /// The data directory is moved: another identity, the same history.
    Move,
    /// The user has a different password for a while.
    OtherPassword(Duration),
    /// Calls get lost, are cut, and take long.
    Storm {
        lasts: Duration,
        /// Of a thousand calls.
        lost: u64,
        /// Of a thousand calls.
        cut: u64,
        longest: Duration,
    },
    /// Each call of one database takes this long.
    Slow {
        database: String,
        takes: Duration,
        lasts: Duration,
    },
    /// The wall clock of the auditor's machine is stepped by these seconds.
    StepClock(i64),
    /// The auditor is killed at a write step, and started again.
    KillAtWrite {
        step: u64,
        down: Duration,
    },
    /// The auditor is killed at a call.
    KillAtCall {
        call: u64,
        down: Duration,
    },
    /// The auditor is asked to stop at a call.
    StopAtCall {
        call: u64,
        down: Duration,
    },
    /// The auditor's disk is full.
    FullDisk(Duration),
    /// The auditor's directory is copied.
    BackUp,
    /// The copy replaces the directory.
    Restore,
    /// The server lies, about this database if the lie is about one.
    Lie {
        lie: Lie,
        database: String,
        lasts: Duration,
    },
    /// An operator closes every alarm.
    CloseAlarms,
    /// A receiver of notifications is added, and the auditor is restarted.
    AddReceiver(String),
    /// A receiver is removed, and the auditor is restarted.
    RemoveReceiver(String),
    /// A receiver refuses notifications, and may ask for a pause.
    Refuse {
        receiver: String,
        lasts: Duration,
        retry_after: Option<Duration>,
    },
    /// The server shows the second auditor another history of a database from now on.
    Split(String),
    /// The second auditor asks a replica, in which a database lags from now on.
    LagBehind(String),
    /// The server shows both auditors the first history again.
    Heal(String),
    /// The second auditor's checkpoints are not reachable.
    PeerAway(Duration),
    /// The second auditor repeats old checkpoints.
    PeerRepeats(Duration),
    /// The clock for the second auditor's checkpoints is wrong by this many seconds.
    PeerClock(i64, Duration),
    /// The second auditor signs with its next key.
    PeerKey,
}

impl EventKind {
    /// Returns whether the event happens only to the server, at any time; other events happen
    /// between two cycles.
    pub fn is_of_the_server(&self) -> bool {
        !matches!(
            self,
            EventKind::StepClock(_)
                | EventKind::KillAtWrite { .. }
                | EventKind::KillAtCall { .. }
                | EventKind::StopAtCall { .. }
                | EventKind::FullDisk(_)
                | EventKind::BackUp
                | EventKind::Restore
                | EventKind::Lie { .. }
                | EventKind::CloseAlarms
                | EventKind::AddReceiver(_)
                | EventKind::RemoveReceiver(_)
                | EventKind::Refuse { .. }
                | EventKind::Split(_)
                | EventKind::LagBehind(_)
                | EventKind::Heal(_)
                | EventKind::PeerAway(_)
                | EventKind::PeerRepeats(_)
                | EventKind::PeerClock(..)
                | EventKind::PeerKey
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", Moment(self.at), self.what)
    }
}

/// A simulated time in readable form: days, hours, minutes and seconds since the start.
pub struct Moment(pub Duration);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        write!(
            f,
            "{:3}d{:02}:{:02}:{:02}.{:03}",
            seconds / 86_400,
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            self.0.subsec_millis()
        )
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} days, a cycle every {} s, immudb {}, lag {:?}, tokens {:?}, signed {:?}, {} databases, \
             values {:?}, calls of {:?} to {:?}, {} receivers, {} peers, {}{} events",
            self.seed,
            self.length.as_secs() / 86_400,
            self.interval.as_secs(),
            self.server.name(),
            self.lag,
            self.token_lifetime,
            self.signatures,
            self.databases.len() + 1,
            self.values,
            self.delay.0,
            self.delay.1,
            self.receivers.len(),
            u8::from(self.has_a_peer),
            if self.is_once {
                "a process for each cycle, "
            } else {
                ""
            },
            self.events.len()
        )
    }
}

/// Lies that simulated worlds leave out, because their answers are so large that the run would
/// simulate little else.
const TOO_LARGE: [Lie; 6] = [
    Lie::HugeReply,
    Lie::GzipBomb,
    Lie::ManyNames,
    Lie::FreshNames,
    Lie::ManyParts,
    Lie::ManyEntries,
];

impl World {
    /// Draws a world.
    pub fn of_seed(seed: u64) -> World {
        Draft::new(seed, false).world(seed)
    }

    /// Draws a world of a year, with one or two databases that are checked every five minutes.
    pub fn of_a_year(seed: u64) -> World {
        Draft::new(seed, true).world(seed)
    }

    /// Returns how many databases are created later.
    pub fn created(&self) -> usize {
        let created = |event: &&Event| matches!(event.what, EventKind::Create(_));
        self.events.iter().filter(created).count()
    }

    /// Returns whether this is a world of `of_a_year`. Another world lasts as long only with rarer
    /// cycles.
    pub fn is_long(&self) -> bool {
        self.length > DAY * 100 && self.interval < HOUR
    }

    /// Returns the same world with only these events.
    pub fn with_events(&self, events: Vec<Event>) -> World {
        World {
            events,
            ..self.clone()
        }
    }

    /// Returns the names of all databases that exist at the start.
    pub fn first_databases(&self) -> Vec<String> {
        let default = std::iter::once("defaultdb".to_owned());
        default.chain(self.databases.iter().cloned()).collect()
    }

    /// Returns whether the server of this world can use a lie, and whether the auditor can detect
    /// it.
    pub fn supports_lie(&self, lie: Lie) -> bool {
        let newest = self.server == Emulated::V1_11_1;
        let plain = newest && self.lag == lie.options().lag;
        let right_key = match lie {
            Lie::SignatureDropped => self.signatures == Signed::Yes,
            // with the required key it causes an alarm: the signature is for the other database
            Lie::OtherDatabase => self.signatures != Signed::Demanded,
            _ => lie.auditor() != AuditorSetup::WithKey || self.signatures == Signed::Demanded,
        };
        let two = lie != Lie::OtherDatabaseServed || !self.databases.is_empty();
        let of_one = lie != Lie::ForkInOneDatabase;
        plain
            && right_key
            && two
            && of_one
            && lie.auditor() != AuditorSetup::New
            && !TOO_LARGE.contains(&lie)
    }
}
