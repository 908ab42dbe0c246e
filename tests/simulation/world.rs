//! A world: how the server and the auditor are set up, and everything that happens to them, drawn from a seed. An event
//! says all that it needs, so that a world with fewer of them is a world too.

use std::fmt;
use std::time::Duration;

use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Auditor, Emulated, Lag, Lie, Lifetime};

use crate::random::Random;

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
             values {:?}, calls of {:?} to {:?}, {} events",
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
        Draft {
            random: Random::starting_at(seed ^ 0x5eed_0000),
            events: Vec::new(),
        }
        .world(seed)
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
            _ => lie.auditor() != Auditor::WithKey || self.signatures == Signed::Demanded,
        };
        let two = lie != Lie::OtherDatabaseServed || !self.databases.is_empty();
        let of_one = lie != Lie::ForkInOneDatabase;
        plain
            && right_key
            && two
            && of_one
            && lie.auditor() != Auditor::New
            && !TOO_LARGE.contains(&lie)
    }
}

struct Draft {
    random: Random,
    events: Vec<Event>,
}

impl Draft {
    fn world(mut self, seed: u64) -> World {
        let length = DAY * self.among(&[2, 3, 5, 8, 14]);
        let interval = self.among(&[MINUTE * 5, MINUTE * 5, MINUTE * 5, MINUTE, HOUR]);
        let server = self.among(&[
            Emulated::V1_11_1,
            Emulated::V1_11_1,
            Emulated::V1_11_1,
            Emulated::V1_11_1,
            Emulated::V1_2_4,
            Emulated::V1_1_0,
            Emulated::V0_9_2,
            Emulated::V0_9_0,
            Emulated::WithoutLogin,
        ]);
        let lag = match server {
            Emulated::V1_11_1 if self.one_in(4) => Lag::By(5),
            Emulated::V1_11_1 | Emulated::WithoutLogin => Lag::None,
            _ => self.among(&[Lag::Batches(7), Lag::Unsteady, Lag::By(3)]),
        };
        let count = self.among(&[1, 1, 2, 3, 5, 8, 20, 50]);
        let few = count <= 5;
        let mut world = World {
            seed,
            length: if few { length } else { DAY },
            interval,
            server,
            lag,
            token_lifetime: self.among(&[
                Lifetime::Unlimited,
                Lifetime::Time(MINUTE),
                Lifetime::Time(HOUR),
                Lifetime::Time(DAY),
            ]),
            signatures: self.among(&[Signed::No, Signed::No, Signed::Yes, Signed::Demanded]),
            databases: (1..count).map(|number| format!("db{number:02}")).collect(),
            values: Values {
                sample: self.among(&[0, 1, 4]),
                new: NewValues::All,
                sweep: self.among(&[None, None, Some(DAY), Some(DAY * 7)]),
            },
            delay: self.among(&[
                (Duration::from_millis(1), Duration::from_millis(3)),
                (Duration::from_millis(20), Duration::from_millis(30)),
                (Duration::from_millis(80), Duration::from_millis(250)),
            ]),
            events: Vec::new(),
        };
        if world.signatures != Signed::No && server < Emulated::V1_1_0 {
            world.signatures = Signed::No;
        }
        self.growth(&world);
        self.troubles(&world);
        if !self.one_in(3) {
            self.lies(&world);
        }
        self.events.sort_by_key(|event| event.at);
        world.events = self.events;
        world
    }

    fn growth(&mut self, world: &World) {
        for database in world.first_databases() {
            let pause = self.among(&[HOUR, HOUR * 6, DAY, DAY * 5]);
            let mut at = self.within(HOUR);
            // databases that stop, and databases that stay empty
            let end = match self.random.below(6) {
                0 => Duration::ZERO,
                1 => world.length / 2,
                _ => world.length,
            };
            while at < end {
                let bytes = self.among(&[0, 10, 10, 100, 5000]);
                // an old server's values are read entry by entry
                let most = if world.server < Emulated::V1_2_4 {
                    3
                } else {
                    6
                };
                let what = What::Grow {
                    database: database.clone(),
                    transactions: self.among(&[1, 1, 2, 5, 20, 60]),
                    entries: self.among(&[1, 1, 1, 2, 7, 40][..most]),
                    bytes,
                };
                self.add(at, what);
                at += pause / 4 + self.within(pause);
            }
        }
    }

    /// Everything that is nobody's lie.
    fn troubles(&mut self, world: &World) {
        let calm = self.one_in(4);
        let count = if calm { 0 } else { 3 + self.random.below(25) };
        for number in 0..count {
            let at = self.within(world.length);
            let database = self.database(world);
            let lasts = self.lasts();
            let down = self.among(&[Duration::ZERO, Duration::from_secs(3), HOUR, DAY]);
            let what = match self.random.below(17) {
                0 => What::Create(format!("new{number:02}")),
                1 => {
                    self.add(at + lasts, What::Load(database.clone()));
                    What::Unload(database)
                }
                2 => {
                    self.add(at + lasts, What::Allow(database.clone()));
                    What::Deny(database)
                }
                3 if world.server >= Emulated::V1_2_4 => What::Truncate(database),
                3 | 4 => What::Restart(self.among(&[Duration::ZERO, MINUTE, HOUR])),
                5 => What::Move,
                6 => What::OtherPassword(lasts),
                7 | 8 => What::Storm {
                    lasts,
                    lost: self.among(&[0, 5, 100, 1000]),
                    cut: self.among(&[0, 5, 100, 1000]),
                    longest: self.among(&[MINUTE, Duration::from_secs(1), Duration::from_secs(11)]),
                },
                9 | 10 => What::Slow {
                    database,
                    takes: self.among(&[
                        Duration::from_secs(1),
                        Duration::from_secs(4),
                        Duration::from_millis(9_900),
                    ]),
                    lasts,
                },
                11 => What::StepClock(self.among(&[
                    -1, 1, -60, 3600, -3600, 86_400, -86_400, 2_592_000, -2_592_000,
                ])),
                12 | 13 => What::KillAtWrite {
                    step: self.random.below(60),
                    down,
                },
                14 => What::KillAtCall {
                    call: self.random.below(20),
                    down,
                },
                15 => What::StopAtCall {
                    call: self.random.below(20),
                    down,
                },
                _ if self.one_in(2) => What::FullDisk(lasts),
                _ => {
                    self.add(at + lasts, What::Restore);
                    What::BackUp
                }
            };
            self.add(at, what);
        }
    }

    fn lies(&mut self, world: &World) {
        let mut at = world.length / 4 + self.within(world.length / 2);
        for _ in 0..1 + self.random.below(3) {
            let lies: Vec<Lie> = Lie::ALL
                .iter()
                .copied()
                .filter(|lie| world.can_tell(*lie))
                .collect();
            if lies.is_empty() {
                return;
            }
            let lasts = self.lasts().max(world.interval * 4);
            let lie = self.among(&lies);
            let database = self.database(world);
            self.add(
                at,
                What::Lie {
                    lie,
                    database,
                    lasts,
                },
            );
            at += lasts + world.interval * 4;
            if self.one_in(2) {
                self.add(at, What::CloseAlarms);
            }
            at += self.within(DAY);
        }
    }

    fn database(&mut self, world: &World) -> String {
        self.among(&world.first_databases())
    }

    fn lasts(&mut self) -> Duration {
        self.among(&[MINUTE, MINUTE * 10, HOUR, HOUR * 5, DAY])
    }

    fn add(&mut self, at: Duration, what: What) {
        self.events.push(Event { at, what });
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.random.below(count) == 0
    }

    fn among<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.random.index(of.len())].clone()
    }

    fn within(&mut self, time: Duration) -> Duration {
        let milliseconds = u64::try_from(time.as_millis()).expect("a simulated time");
        Duration::from_millis(self.random.below(milliseconds.max(1)))
    }
}
