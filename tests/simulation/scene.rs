//! The server of a world and its network, in their current condition.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use immuaudit::clock::{Clock, SimulatedTime, Timestamp};
use immuaudit::drill::{
    Access, Delivery, Embedded, Lie, LieSchedule, NewEntry, NewTransaction, Options, Sent,
    SigningKey,
};
use immuaudit::ledger::TxMetadata;
use immuaudit::random::Random as Seeded;
use immuaudit::trust::failpoint;

use crate::peers::SECOND_USER;
use crate::random::Random;
use crate::record::Record;
use crate::trouble::{CurrentLie, Trouble};
use crate::world::{Event, EventKind, Signed, World};

/// The begin of simulated time: 2027-01-15T08:00:00Z.
const START: u64 = 1_800_000_000;
/// The deadline of a call.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const PASSWORD: &str = "immudb";
/// The number of transactions that are written when a lie begins, unless the lie forges transactions itself.
const LIE_GROWTH: u64 = 5;
/// The fewest transactions that a ledger needs for a lie.
const MIN_LEDGER: u64 = 12;

pub struct Scene {
    pub time: SimulatedTime,
    pub clock: Clock,
    pub embedded: Embedded,
    pub record: Record,
    pub calls: u64,
    pub untold: u64,
    pub lies_begun: u64,
    events: VecDeque<Event>,
    random: Random,
    delay: (Duration, Duration),
    weather: Option<Weather>,
    slow: BTreeMap<String, (Duration, Duration)>,
    /// The time at which the server runs again.
    away_until: Option<Duration>,
    /// The time at which the password is valid again.
    other_password_until: Option<Duration>,
    pub lie: Option<CurrentLie>,
    /// The number of calls until the auditor is killed or stopped.
    pub kill_in: Cell<Option<u64>>,
    pub stop_in: Cell<Option<u64>>,
    /// The deleted databases, and when they were deleted.
    pub deleted: BTreeMap<String, Duration>,
    /// The time at which each database got its first transaction.
    pub first_transactions: BTreeMap<String, Duration>,
    /// The databases of which two histories were shown.
    pub split: BTreeSet<String>,
    /// The time between the begins of two cycles.
    pub interval: Duration,
    /// The troubles of the whole server.
    troubled: Trouble,
    /// The troubles of each database.
    troubles: BTreeMap<String, Trouble>,
}

struct Weather {
    until: Duration,
    lost: u64,
    cut: u64,
    longest: Duration,
}

impl Scene {
    pub fn new(world: &World, key: Option<SigningKey>) -> Scene {
        let time = SimulatedTime::starting_at(Timestamp::from_unix(START));
        let clock = time.clock();
        let embedded = Embedded::without_socket(Options {
            databases: world.first_databases(),
            key: key.filter(|_| world.signatures != Signed::No),
            server: world.server,
            lag: world.lag.clone(),
            token_lifetime: world.token_lifetime,
            session_lifetime: world.token_lifetime,
            clock: clock.clone(),
            random: Seeded::of_seed(world.seed),
            second_user: world.has_a_peer.then(|| SECOND_USER.to_owned()),
            ..Options::default()
        });
        Scene {
            time,
            clock,
            embedded,
            record: Record::default(),
            calls: 0,
            untold: 0,
            lies_begun: 0,
            events: world.events.iter().cloned().collect(),
            random: Random::starting_at(world.seed ^ 0x0e70_0000),
            delay: world.delay,
            weather: None,
            slow: BTreeMap::new(),
            away_until: None,
            other_password_until: None,
            lie: None,
            kill_in: Cell::default(),
            stop_in: Cell::default(),
            deleted: BTreeMap::new(),
            first_transactions: BTreeMap::new(),
            split: BTreeSet::new(),
            interval: world.interval,
            troubled: Trouble::default(),
            troubles: BTreeMap::new(),
        }
    }

    pub fn now(&self) -> Duration {
        self.time.passed()
    }

    pub fn note(&mut self, line: impl std::fmt::Display) {
        self.record.note(self.time.passed(), line);
    }

    /// Takes the next event whose time has come. During a cycle only events of the server may
    /// happen.
    pub fn next_event(&mut self, in_a_cycle: bool) -> Option<Event> {
        let next = self.events.front()?;
        let due = next.at <= self.now() && (!in_a_cycle || next.what.is_of_the_server());
        due.then(|| self.events.pop_front()).flatten()
    }

    /// Returns the fate of a call.
    pub fn deliver(&mut self, sent: &Sent<'_>) -> Delivery {
        self.pass();
        self.calls += 1;
        if due(&self.kill_in) {
            self.note("the auditor is killed at a call");
            failpoint::kill();
        }
        let delivery = self.delivery(sent);
        let call = sent.call.rsplit('/').next().unwrap_or_default();
        let database = sent.database.unwrap_or("-");
        self.note(format_args!("  {call} {database} {delivery:?}"));
        delivery
    }

    fn delivery(&mut self, sent: &Sent<'_>) -> Delivery {
        let slow = sent.database.and_then(|database| self.slow.get(database));
        if let Some((takes, _)) = slow {
            return Delivery::After(*takes);
        }
        let (shortest, longest) = match &self.weather {
            Some(weather) => {
                let (lost, cut, longest) = (weather.lost, weather.cut, weather.longest);
                let fate = self.random.below(1000);
                if fate < lost {
                    return Delivery::Lost;
                }
                if fate < lost + cut {
                    return Delivery::Cut(self.delay.1);
                }
                (self.delay.0, longest)
            }
            None => self.delay,
        };
        let between = u64::try_from((longest - shortest).as_micros()).expect("a simulated time");
        let more = match self.weather {
            // most calls during a storm are quick
            Some(_) if self.random.below(10) > 0 => 0,
            _ => self.random.below(between.max(1)),
        };
        Delivery::After(shortest + Duration::from_micros(more))
    }

    /// Runs the events of the server while the auditor waits for an answer.
    fn pass(&mut self) {
        self.end_troubles(true);
        while let Some(event) = self.next_event(true) {
            self.happen(&event);
        }
    }

    /// Runs an event of the server.
    pub fn happen(&mut self, event: &Event) {
        self.note(event);
        let now = self.now();
        match &event.what {
            EventKind::Grow {
                database,
                transactions,
                entries,
                bytes,
            } if !self.is_written_behind(database) => {
                for _ in 0..*transactions {
                    self.write(database, *entries, *bytes);
                }
                if self.embedded.state(database).is_some() {
                    let first = &mut self.first_transactions;
                    first.entry(database.clone()).or_insert(now);
                }
            }
            EventKind::Grow { .. } => {}
            EventKind::Create(name) if self.embedded.state(name).is_none() => {
                self.embedded.create_database(name);
            }
            EventKind::Create(_) => {}
            EventKind::Unload(name) => self.set_access(name, Access::Unloaded),
            EventKind::Deny(name) => self.set_access(name, Access::Denied),
            EventKind::Load(name) | EventKind::Allow(name) => self.set_access(name, Access::Open),
            EventKind::Truncate(name) => self.truncate(name),
            EventKind::LoseValues(name) => {
                self.embedded
                    .lie(LieSchedule::from(Lie::AbsentValues).of(name));
            }
            EventKind::Restart(time) => {
                self.embedded.stop();
                self.away_until = Some(now + *time);
                self.troubled.begins("away");
            }
            EventKind::Delete(name) => {
                self.embedded.drop_database(name);
                self.deleted.insert(name.clone(), now);
                self.trouble(name).ends("access", now);
            }
            EventKind::Move => self.embedded.change_uuid(),
            EventKind::OtherPassword(time) => {
                self.embedded.set_password("another one");
                self.embedded.forget_tokens();
                self.other_password_until = Some(now + *time);
                self.troubled.begins("password");
            }
            EventKind::Storm {
                lasts,
                lost,
                cut,
                longest,
            } => {
                self.weather = Some(Weather {
                    until: now + *lasts,
                    lost: *lost,
                    cut: *cut,
                    longest: (*longest).max(self.delay.1),
                });
                self.troubled.begins("storm");
            }
            EventKind::Slow {
                database,
                takes,
                lasts,
            } => {
                self.slow.insert(database.clone(), (*takes, now + *lasts));
                self.trouble(database).begins("slow");
            }
            _ => unreachable!("it happens to the auditor"),
        }
    }

    /// Returns whether the last transaction follows another history. The next one would have a tree
    /// with both histories, and would be consistent with the trusted state (protocol.md §4).
    fn is_written_behind(&self, database: &str) -> bool {
        let lie = self.lie.as_ref();
        lie.is_some_and(|lie| lie.lie == Lie::WrittenBehindAnother && lie.is_about(database))
    }

    fn set_access(&mut self, name: &str, access: Access) {
        if self.deleted.contains_key(name) {
            return;
        }
        self.embedded.set_access(name, access);
        let now = self.now();
        let trouble = self.trouble(name);
        match access {
            Access::Open => trouble.ends("access", now),
            Access::Denied | Access::Unloaded => {
                trouble.begins("access");
            }
        }
    }

    fn trouble(&mut self, database: &str) -> &mut Trouble {
        self.troubles.entry(database.to_owned()).or_default()
    }

    fn write(&mut self, database: &str, entries: u64, bytes: usize) {
        let number = self.random.u64();
        let value = "v".repeat(bytes);
        let entry = |entry| NewEntry::set(format!("key/{number}/{entry}"), &value);
        let entries = (0..entries).map(entry).collect();
        self.embedded.commit(database, entries);
    }

    fn truncate(&mut self, database: &str) {
        let Some(state) = self.embedded.state(database).filter(|state| state.tx > 3) else {
            return;
        };
        let before = state.tx / 2;
        self.embedded.write(
            database,
            NewTransaction {
                entries: vec![NewEntry::set("truncated", "")],
                metadata: Some(TxMetadata {
                    truncated_tx_id: before,
                    ..TxMetadata::default()
                }),
                ..NewTransaction::default()
            },
        );
        self.embedded.drop_values_before(database, before);
    }

    /// Ends troubles whose time is over.
    pub fn end_troubles(&mut self, in_a_cycle: bool) {
        let now = self.now();
        let over = |until: &mut Option<Duration>| until.is_some_and(|until| until <= now);
        if over(&mut self.away_until) {
            self.away_until = None;
            self.embedded.restart().expect("no socket");
            self.note("the server is back");
            self.troubled.ends("away", now);
        }
        if over(&mut self.other_password_until) {
            self.other_password_until = None;
            self.embedded.set_password(PASSWORD);
            self.note("the password is right again");
            self.troubled.ends("password", now);
        }
        if self
            .weather
            .as_ref()
            .is_some_and(|weather| weather.until <= now)
        {
            self.weather = None;
            self.note("the storm is over");
            self.troubled.ends("storm", now);
        }
        let ended = |(_, (_, until)): &(&String, &(Duration, Duration))| *until <= now;
        let slow: Vec<String> = self
            .slow
            .iter()
            .filter(ended)
            .map(|slow| slow.0.clone())
            .collect();
        for name in slow {
            self.slow.remove(&name);
            self.note(format_args!("{name} is slow no more"));
            self.trouble(&name).ends("slow", now);
        }
        if !in_a_cycle && self.lie.as_ref().is_some_and(|lie| lie.until <= now) {
            self.embedded.be_honest();
            self.note("the lie has ended");
            if let Some(lie) = self.lie.take() {
                self.trouble(&lie.database).ends("lie", now);
                self.troubled.ends("lie", now);
            }
        }
    }

    /// Writes the transactions that a ledger needs for a lie.
    pub fn grow_for_a_lie(&mut self, database: &str) {
        while self
            .embedded
            .state(database)
            .is_some_and(|state| state.tx < MIN_LEDGER)
        {
            self.write(database, 1, 10);
        }
    }

    /// Starts a lie that lasts until then.
    pub fn begin_lie(&mut self, lie: Lie, database: &str, until: Duration) {
        if !lie.forges() {
            for _ in 0..LIE_GROWTH {
                self.write(database, 1, 10);
            }
        }
        if lie.needs_new_login() {
            self.embedded.forget_tokens();
        }
        let current = CurrentLie {
            lie,
            database: database.to_owned(),
            since: self.now(),
            until,
        };
        let schedule = LieSchedule::from(lie);
        self.embedded.lie(match current.is_of_all() {
            true => schedule,
            false => schedule.of(database),
        });
        self.note(format_args!(
            "the server lies of {database}: {}",
            lie.name()
        ));
        self.lies_begun += 1;
        self.lie = Some(current);
    }

    /// Returns whether the server and this database were without trouble since then.
    pub fn is_calm(&self, database: &str, since: Duration) -> bool {
        let of_database = self.troubles.get(database);
        let mut all = std::iter::once(&self.troubled).chain(of_database);
        all.all(|trouble| trouble.was_over(since))
    }
}

/// Counts down, and returns whether the count was zero.
pub fn due(count: &Cell<Option<u64>>) -> bool {
    match count.get() {
        Some(0) => {
            count.set(None);
            true
        }
        Some(left) => {
            count.set(Some(left - 1));
            false
        }
        None => false,
    }
}
