//! A world: how the server and the auditor are set up, and everything that happens to them, drawn from a seed. An event
//! says all that it needs, so that a world with fewer of them is a world too.

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
    /// Simulated time.
    pub length: Duration,
    /// From one cycle's begin to the next one's.
    pub interval: Duration,
    pub server: Emulated,
    pub lag: Lag,
    pub token_lifetime: Lifetime,
    pub signatures: Signed,
    /// Beside `defaultdb`.
    pub databases: Vec<String>,
    pub values: Values,
    /// The shortest and the longest time of a call in good weather.
    pub delay: (Duration, Duration),
    /// The names of the receivers of notifications.
    pub receivers: Vec<String>,
    /// Whether a second auditor is there, and the two are each other's peers.
    pub has_a_peer: bool,
    /// Cycles of the first auditor for one of the second.
    pub peer_rests: u64,
    /// In the order of time.
    pub events: Vec<Event>,
}

/// What a server's states are signed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// By nothing.
    No,
    /// By a key that the auditor does not know.
    Yes,
    /// By the key that the auditor demands.
    Demanded,
}

#[derive(Clone, Debug)]
pub struct Event {
    /// Since the start.
    pub at: Duration,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Transactions are written, each with so many entries of so many bytes.
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
    /// The first half of the values is dropped, which the ledger records.
    Truncate(String),
    /// The database is deleted for good, which has to be accused.
    Delete(String),
    /// The server is away for a while, and has forgotten every token when it comes back.
    Restart(Duration),
    /// The data directory is moved: another identity, the same history.
    Move,
    /// The user's password is another one for a while.
    OtherPassword(Duration),
    /// Calls get lost, are cut and take long.
    Storm {
        lasts: Duration,
        /// Of a thousand calls.
        lost: u64,
        /// Of a thousand calls.
        cut: u64,
        longest: Duration,
    },
    /// Each call of one database takes so long.
    Slow {
        database: String,
        takes: Duration,
        lasts: Duration,
    },
    /// The wall clock of the auditor's machine is stepped by these seconds.
    StepClock(i64),
    /// The auditor is killed at a step of writing, and started again.
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
    /// The copy takes the directory's place.
    Restore,
    /// The server tells a lie; of the one database, if it is of one.
    Lie {
        lie: Lie,
        database: String,
        lasts: Duration,
    },
    /// An operator closes every alarm.
    CloseAlarms,
    /// A receiver of notifications is added, and the auditor started again.
    AddReceiver(String),
    /// One is removed, and the auditor started again.
    RemoveReceiver(String),
    /// One refuses what comes, and may say for how long it is to be left alone.
    Refuse {
        receiver: String,
        lasts: Duration,
        retry_after: Option<Duration>,
    },
    /// The server shows the second auditor another history of a database from now on.
    Split(String),
    /// It shows both the first one again.
    Heal(String),
    /// The second auditor cannot be asked for its checkpoints.
    PeerAway(Duration),
    /// It repeats what it served before.
    PeerRepeats(Duration),
    /// The clock that its checkpoints are dated by is wrong by so many seconds.
    PeerClock(i64, Duration),
    /// It signs with its next key.
    PeerKey,
}

impl What {
    /// Returns whether it happens to the server alone, at any moment; everything else happens between two cycles.
    pub fn is_of_the_server(&self) -> bool {
        !matches!(
            self,
            What::StepClock(_)
                | What::KillAtWrite { .. }
                | What::KillAtCall { .. }
                | What::StopAtCall { .. }
                | What::FullDisk(_)
                | What::BackUp
                | What::Restore
                | What::Lie { .. }
                | What::CloseAlarms
                | What::AddReceiver(_)
                | What::RemoveReceiver(_)
                | What::Refuse { .. }
                | What::Split(_)
                | What::Heal(_)
                | What::PeerAway(_)
                | What::PeerRepeats(_)
                | What::PeerClock(..)
                | What::PeerKey
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", Moment(self.at), self.what)
    }
}

/// A simulated time for people: days, hours, minutes and seconds since the start.
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
             values {:?}, calls of {:?} to {:?}, {} receivers, {} peers, {} events",
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
            self.events.len()
        )
    }
}

/// Lies that a simulated world leaves out: their answers are so large that nothing else would be simulated.
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
        Draft::new(seed).world(seed)
    }

    /// The same with these events alone.
    pub fn with_events(&self, events: Vec<Event>) -> World {
        World {
            events,
            ..self.clone()
        }
    }

    /// The names of all databases that were there at the start.
    pub fn first_databases(&self) -> Vec<String> {
        let default = std::iter::once("defaultdb".to_owned());
        default.chain(self.databases.iter().cloned()).collect()
    }

    /// Returns whether the server of this world can tell a lie, and the auditor see it.
    pub fn can_tell(&self, lie: Lie) -> bool {
        let newest = self.server == Emulated::V1_11_1;
        let plain = newest && self.lag == lie.options().lag;
        let right_key = match lie {
            Lie::SignatureDropped => self.signatures == Signed::Yes,
            // it is accused then: the signature is of the other database
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
