//! The random draw of a world: its setup, the growth of its databases, its troubles, and its lies.

use std::time::Duration;

use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Emulated, Lag, Lie, Lifetime};

use crate::random::Random;
use crate::world::{DAY, Event, EventKind, HOUR, MINUTE, Signed, World};

/// The length of a long world.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// The factor by which a long world has more events.
const EVENT_FACTOR: u64 = 12;

/// The usual time between two cycles.
const USUAL_INTERVAL: Duration = Duration::from_secs(300);

/// The number of times that the ledger grows around a split.
const SPLIT_GROWTHS: u32 = 40;

/// A world that is being drawn.
pub struct Draft {
    random: Random,
    events: Vec<Event>,
    /// Whether it is a long world: a year of one or two databases.
    long: bool,
}

impl Draft {
    pub fn new(seed: u64, long: bool) -> Draft {
        Draft {
            random: Random::starting_at(seed ^ 0x5eed_0000),
            events: Vec::new(),
            long,
        }
    }

    pub fn world(mut self, seed: u64) -> World {
        let interval = match self.long {
            true => USUAL_INTERVAL,
            false => self.interval(),
        };
        // a world with rarer cycles lasts longer, so that it has as many of them
        let times = times_as_rare(interval);
        let length = (DAY * self.among(&[2, 3, 5, 8, 14]) * times).min(YEAR * 2);
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
        let count = match self.long {
            true => self.among(&[1, 1, 2]),
            false => self.among(&[1, 1, 1, 1, 2, 2, 2, 3, 3, 5, 8, 20, 50]),
        };
        let few = count <= 5;
        let mut world = World {
            seed,
            length: match few {
                true if self.long => YEAR,
                true => length,
                false => DAY * times,
            },
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
                sweep: self.sweep(interval),
            },
            delay: self.among(&[
                (Duration::from_millis(1), Duration::from_millis(3)),
                (Duration::from_millis(20), Duration::from_millis(30)),
                (Duration::from_millis(80), Duration::from_millis(250)),
            ]),
            receivers: Vec::new(),
            has_a_peer: few && self.one_in(6),
            peer_rests: self.among(&[1, 2]),
            is_once: false,
            events: Vec::new(),
        };
        world.is_once = !world.has_a_peer && self.one_in(8);
        // if the calls do not fit into an interval, nothing can be judged about delays between
        // databases
        if count >= 20 && interval == MINUTE {
            world.delay = (Duration::from_millis(1), Duration::from_millis(3));
        }
        if world.signatures != Signed::No && server < Emulated::V1_1_0 {
            world.signatures = Signed::No;
        }
        self.growth(&world);
        self.troubles(&world);
        match world.has_a_peer {
            true => self.peers(&world),
            false if world.server >= Emulated::V1_2_4 && self.one_in(16) => {
                // a replica of a truncated server, which is no tampering
                let (at, database) = (self.within(world.length), self.database(&world));
                self.add(at, EventKind::LoseValues(database));
            }
            false if !self.one_in(3) => self.lies(&world),
            false => {}
        }
        self.receivers(&mut world);
        self.losses(&world);
        self.events.sort_by_key(|event| event.at);
        world.events = self.events;
        world
    }

    /// Draws the time between two cycles. Most worlds have cycles of five minutes, like most
    /// servers; some are like a crontab with a line for each hour, or for each quarter of a day.
    fn interval(&mut self) -> Duration {
        match self.random.below(16) {
            0 | 1 => MINUTE,
            2..=4 => HOUR,
            5 => HOUR * 6,
            _ => USUAL_INTERVAL,
        }
    }

    /// Draws the time in which a paced sweep reads the whole history. Rare cycles have mostly long
    /// sweeps, so that a world reads its history about as often as others do.
    fn sweep(&mut self, interval: Duration) -> Option<Duration> {
        let days = match interval >= HOUR {
            true => self.among(&[0, 0, 0, 1, 7, 7, 30, 30]),
            false => self.among(&[0, 0, 1, 7]),
        };
        (days > 0).then_some(DAY * days)
    }

    fn growth(&mut self, world: &World) {
        for database in world.first_databases() {
            let pause = match self.long {
                true => self.among(&[HOUR * 6, DAY, DAY * 5, DAY * 40]),
                false => {
                    let pause = self.among(&[HOUR, HOUR * 6, DAY, DAY * 5]);
                    pause * times_as_rare(world.interval)
                }
            };
            let mut at = self.within(HOUR);
            // some databases stop growing, and some stay empty
            let end = match self.random.below(6) {
                0 => Duration::ZERO,
                1 => world.length / 2,
                _ => world.length,
            };
            while at < end {
                let bytes = self.among(&[0, 10, 10, 100, 5000]);
                // values of an old server are read entry by entry
                let most = if world.server < Emulated::V1_2_4 {
                    3
                } else {
                    6
                };
                let what = EventKind::Grow {
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

    /// Draws all troubles except for lies.
    fn troubles(&mut self, world: &World) {
        let calm = self.one_in(4);
        let count = if calm { 0 } else { 3 + self.random.below(25) };
        let count = count * self.times();
        let mut at = Duration::ZERO;
        for number in 0..count {
            at = self.after(at, world);
            let database = self.database(world);
            let lasts = self.lasts(world);
            let down = self.among(&[Duration::ZERO, Duration::from_secs(3), HOUR, DAY]);
            let what = match self.random.below(17) {
                0 => {
                    let database = format!("new{number:02}");
                    if self.one_in(2) {
                        self.first_use_and_outage(world, at, &database);
                    }
                    EventKind::Create(database)
                }
                1 => {
                    self.add(at + lasts, EventKind::Load(database.clone()));
                    EventKind::Unload(database)
                }
                2 => {
                    self.add(at + lasts, EventKind::Allow(database.clone()));
                    EventKind::Deny(database)
                }
                3 if world.server >= Emulated::V1_2_4 => EventKind::Truncate(database),
                3 => EventKind::Restart(self.among(&[Duration::ZERO, MINUTE, HOUR])),
                4 => {
                    let lasts = self.among(&[MINUTE, HOUR, HOUR * 5]);
                    self.outage(at, lasts);
                    EventKind::Restart(lasts)
                }
                5 => EventKind::Move,
                6 => EventKind::OtherPassword(lasts),
                7 | 8 => EventKind::Storm {
                    lasts,
                    lost: self.among(&[0, 5, 100, 1000]),
                    cut: self.among(&[0, 5, 100, 1000]),
                    longest: self.among(&[MINUTE, Duration::from_secs(1), Duration::from_secs(11)]),
                },
                9 | 10 => EventKind::Slow {
                    database,
                    takes: self.among(&[
                        Duration::from_secs(1),
                        Duration::from_secs(4),
                        Duration::from_millis(9_900),
                    ]),
                    lasts,
                },
                11 => EventKind::StepClock(self.among(&[
                    -1, 1, -60, 3600, -3600, 86_400, -86_400, 2_592_000, -2_592_000,
                ])),
                12 | 13 => EventKind::KillAtWrite {
                    step: self.random.below(60),
                    down,
                },
                14 => EventKind::KillAtCall {
                    call: self.random.below(20),
                    down,
                },
                15 => EventKind::StopAtCall {
                    call: self.random.below(20),
                    down,
                },
                _ if self.one_in(2) => EventKind::FullDisk(lasts),
                _ => {
                    self.add(at + lasts, EventKind::Restore);
                    EventKind::BackUp
                }
            };
            self.add(at, what);
        }
    }

    /// Draws the time of the next trouble. Most troubles follow soon after another one, because that is where faults
    /// are.
    fn after(&mut self, last: Duration, world: &World) -> Duration {
        match self.one_in(3) {
            true => self.within(world.length),
            false => (last + self.within(world.interval * 3)).min(world.length),
        }
    }

    /// Draws a power failure: the auditor fails too, and starts again before the server does.
    fn outage(&mut self, at: Duration, lasts: Duration) {
        let kill = EventKind::KillAtWrite {
            step: self.random.below(60),
            down: lasts / 2,
        };
        self.add(at, kill);
    }

    /// Draws a power failure near the first check of a database.
    fn first_use_and_outage(&mut self, world: &World, at: Duration, database: &str) {
        let grow = EventKind::Grow {
            database: database.to_owned(),
            transactions: 1 + self.random.below(3),
            entries: 1,
            bytes: 10,
        };
        self.add(at + Duration::from_millis(1), grow);
        let lasts = world.interval * 20;
        self.outage(at + Duration::from_millis(2), lasts);
        self.add(at + world.interval, EventKind::Restart(lasts));
    }

    fn lies(&mut self, world: &World) {
        let mut at = world.length / 4 + self.within(world.length / 2);
        for _ in 0..(1 + self.random.below(6)) * self.times() {
            let lies: Vec<Lie> = Lie::ALL
                .iter()
                .copied()
                .filter(|lie| world.supports_lie(*lie))
                .collect();
            if lies.is_empty() {
                return;
            }
            let lasts = self
                .among(&[MINUTE * 20, HOUR, HOUR * 5])
                .max(world.interval * 4);
            let lie = self.among(&lies);
            let database = self.database(world);
            self.add(
                at,
                EventKind::Lie {
                    lie,
                    database,
                    lasts,
                },
            );
            if self.one_in(3) {
                // the cause lasts, so the alarm must open again
                let closes = at + world.interval + self.within(lasts);
                self.add(closes, EventKind::CloseAlarms);
            }
            at += lasts + world.interval * 4;
            if self.one_in(2) {
                self.add(at, EventKind::CloseAlarms);
            }
            at += self.within(HOUR * 12);
        }
    }

    /// Draws the troubles of a peer, and in every second world a split.
    fn peers(&mut self, world: &World) {
        for _ in 0..self.random.below(8) * self.times() {
            let lasts = self.lasts(world);
            let what = match self.random.below(5) {
                0 | 1 => EventKind::PeerAway(lasts),
                2 => EventKind::PeerRepeats(lasts),
                3 => EventKind::PeerClock(
                    self.among(&[-60, 60, -600, 600, 86_400, -86_400, 2_592_000, -2_592_000]),
                    lasts,
                ),
                _ => EventKind::PeerKey,
            };
            let at = self.within(world.length);
            self.add(at, what);
        }
        if self.one_in(2) {
            return self.lags(world);
        }
        let (at, database) = (self.within(world.length), self.database(world));
        // the ledger grows around the split, so that the two auditors are usually at different
        // transactions
        let begin = at.saturating_sub(world.interval * SPLIT_GROWTHS / 2);
        for number in 0..SPLIT_GROWTHS {
            let what = EventKind::Grow {
                database: database.clone(),
                transactions: 1 + self.random.below(3),
                entries: 1,
                bytes: 10,
            };
            self.add(begin + world.interval * number * 3 / 4, what);
        }
        self.add(at, EventKind::Split(database.clone()));
        if self.one_in(2) {
            let heals = at + self.among(&[MINUTE, MINUTE * 20, HOUR * 5, DAY]);
            self.add(heals, EventKind::Heal(database));
        }
    }

    /// Lets the second auditor ask a replica that sometimes lags.
    fn lags(&mut self, world: &World) {
        let database = self.database(world);
        let mut at = self.within(world.length / 4);
        while at < world.length {
            let lasts = self.lasts(world);
            self.add(at, EventKind::LagBehind(database.clone()));
            self.add(at + lasts, EventKind::Heal(database.clone()));
            at += lasts + self.within(DAY * 3);
        }
    }

    fn receivers(&mut self, world: &mut World) {
        let count = self.among(&[0, 0, 1, 2, 3]);
        world.receivers = (0..count)
            .map(|number| format!("receiver{number}"))
            .collect();
        if count == 0 {
            return;
        }
        for _ in 0..self.random.below(6) * self.times() {
            let trouble = match self.events.len() {
                0 => Duration::ZERO,
                count => self.events[self.random.index(count)].at,
            };
            let at = self.after(trouble, world);
            let receiver = format!("receiver{}", self.random.below(4));
            let what = match self.random.below(6) {
                0 => EventKind::AddReceiver(receiver),
                1 => EventKind::RemoveReceiver(receiver),
                _ => EventKind::Refuse {
                    receiver,
                    lasts: self.lasts(world),
                    retry_after: self.among(&[None, Some(MINUTE), Some(HOUR * 2)]),
                },
            };
            self.add(at, what);
        }
    }

    fn losses(&mut self, world: &World) {
        if self.one_in(4) && world.server >= Emulated::V1_2_4 {
            // truncated before the first check
            let database = self.database(world);
            let grow = EventKind::Grow {
                database: database.clone(),
                transactions: 20,
                entries: 2,
                bytes: 10,
            };
            self.add(Duration::ZERO, grow);
            self.add(Duration::ZERO, EventKind::Truncate(database));
        }
        if !world.has_a_peer && self.one_in(6) {
            let (at, database) = (self.within(world.length), self.database(world));
            self.add(at, EventKind::Delete(database));
        }
    }

    /// Returns how many times as many events there are.
    fn times(&self) -> u64 {
        match self.long {
            true => EVENT_FACTOR,
            false => 1,
        }
    }

    fn database(&mut self, world: &World) -> String {
        self.among(&world.first_databases())
    }

    fn lasts(&mut self, world: &World) -> Duration {
        let (one, two) = (world.interval, world.interval * 2);
        self.among(&[one, two, MINUTE, MINUTE * 10, HOUR, HOUR * 5, DAY])
    }

    fn add(&mut self, at: Duration, what: EventKind) {
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

/// Returns how many times longer than usual an interval is; at least 1.
fn times_as_rare(interval: Duration) -> u32 {
    let times = interval.as_secs() / USUAL_INTERVAL.as_secs();
    u32::try_from(times).unwrap_or(u32::MAX).max(1)
}
