//! A second auditor of the same server in another zone. The two are peers of each other and compare
//! their states with each other's checkpoints. All troubles happen to the first one. The second one
//! always runs, but its checkpoints can be late, repeated, dated by a wrong clock, or signed by its
//! next key.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use immuaudit::audit::{Auditor, Cycle, Outcome, Policy, Standing};
use immuaudit::checkpoint::{KeyName, SignerKey};
use immuaudit::clock::Clock;
use immuaudit::config::Secret;
use immuaudit::drill::{Delivery, Embedded, Sent};
use immuaudit::ledger::State;
use immuaudit::peer::{InProcess, PeerPoller, Witness};
use immuaudit::random::Random as Seeded;
use immuaudit::server::{Login, Server};
use immuaudit::stop::Stop;
use immuaudit::trust::{Location, Store};

use crate::monitoring_port::MonitoringPort;
use crate::oracle::{BrokenRule, Rule, broken};
use crate::scene::{Scene, TIMEOUT};
use crate::temp_dir::TempDir;
use crate::trouble::Trouble;
use crate::world::World;

/// The server's label, which both auditors have to use.
pub const SERVER: &str = "simulated";
/// The user of the second auditor; a server with two views shows this user the second one.
pub const SECOND_USER: &str = "second";
const FIRST: &str = "zone-a";
const SECOND: &str = "zone-b";
/// The time of a call of the second auditor.
const DELAY: Duration = Duration::from_millis(1);
/// The most intervals without trouble until two auditors find a split: a cycle in which each is
/// shown its own view, one in which each gets the other's checkpoint, and as many again.
const FOUND_WITHIN: u64 = 4;

pub struct Peers {
    auditor: Auditor,
    /// The second auditor's directory, removed when this is dropped.
    _folder: TempDir,
    clock: Clock,
    first_key: Arc<SignerKey>,
    /// The second auditor's keys, and the index of the current one.
    second_keys: [Arc<SignerKey>; 2],
    key: usize,
    /// The cycles of the first auditor for each cycle of the second, and the cycles so far.
    rests: u64,
    cycles: u64,
    first_port: MonitoringPort,
    second_port: MonitoringPort,
    /// The times until which the second auditor is unreachable, and repeats old checkpoints.
    away_until: Duration,
    repeats_until: Duration,
    /// The error of the second auditor's clock in seconds, and the time until which it lasts.
    skew: Option<(i64, Duration)>,
    trouble: Trouble,
    /// The databases of which the server shows two histories.
    splits: BTreeMap<String, SplitHistories>,
    /// The number of splits and disagreements that were found.
    pub found: u64,
}

/// Two histories of a database.
struct SplitHistories {
    since: Duration,
    /// The last common transaction.
    common: u64,
    /// Whether the server still shows both.
    is_shown: bool,
    /// The trusted state of each auditor.
    trusted: [Option<State>; 2],
    /// Whether each of them has reported it.
    found: [bool; 2],
}

/// One of the two auditors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    First,
    Second,
}

fn key(name: &str, seed: u8) -> Arc<SignerKey> {
    let name = KeyName::new(name).expect("a name");
    Arc::new(SignerKey::of_seed(name, &[seed; 32]).expect("a key"))
}

fn peer_poller(keys: &[&SignerKey], port: &MonitoringPort) -> PeerPoller {
    let keys: Vec<_> = keys.iter().map(|key| key.public().clone()).collect();
    let witness = Witness {
        name: keys[0].name.clone(),
        keys,
    };
    let peers = [witness];
    let fetch = port.fetch();
    let source = InProcess::new(&peers, SERVER, move |_| fetch());
    PeerPoller::new(&peers, 0, Box::new(source))
}

impl Peers {
    pub fn new(scene: &Scene, policy: Policy, world: &World) -> Peers {
        let folder = TempDir::in_memory();
        let now = scene.clock.now();
        let first_port = MonitoringPort::new(SERVER, now);
        let first_key = key(FIRST, 1);
        let store = Store::open(&location(&folder), now).expect("a directory");
        let auditor = Auditor::new(server(&scene.embedded, &scene.clock), store, policy)
            .with_random(Seeded::of_seed(world.seed))
            .with_peers_of(peer_poller(&[&first_key], &first_port));
        Peers {
            auditor,
            _folder: folder,
            clock: scene.clock.clone(),
            first_key,
            second_keys: [key(SECOND, 2), key(SECOND, 3)],
            key: 0,
            rests: world.peer_rests,
            cycles: 0,
            first_port,
            second_port: MonitoringPort::new(SERVER, now),
            away_until: Duration::ZERO,
            repeats_until: Duration::ZERO,
            skew: None,
            trouble: Trouble::default(),
            splits: BTreeMap::new(),
            found: 0,
        }
    }

    /// Returns the peers of the first auditor.
    pub fn of_first(&self) -> PeerPoller {
        let [old, new] = &self.second_keys;
        peer_poller(&[old, new], &self.second_port)
    }

    /// Makes the first auditor unreachable after a restart or a restore, until its next cycle.
    pub fn first_is_down(&mut self) {
        self.first_port.restart();
    }

    pub fn go_away(&mut self, until: Duration) {
        self.away_until = self.away_until.max(until);
        self.trouble.begins("away");
    }

    pub fn repeat(&mut self, until: Duration) {
        self.repeats_until = self.repeats_until.max(until);
        self.trouble.begins("repeats");
    }

    pub fn skew(&mut self, seconds: i64, until: Duration) {
        self.skew = Some((seconds, until));
        self.trouble.begins("skew");
    }

    /// Lets the second auditor sign with its next key, which the first one already knows.
    pub fn rotate(&mut self) {
        self.key = 1;
    }

    /// Records that the server shows two histories of a database from now on.
    pub fn split(&mut self, database: &str, common: u64, now: Duration) {
        let parted = SplitHistories {
            since: now,
            common,
            is_shown: true,
            trusted: [None; 2],
            found: [false; 2],
        };
        self.splits.entry(database.to_owned()).or_insert(parted);
    }

    /// Records that the server shows the first history to both again.
    pub fn heal(&mut self, database: &str) {
        if let Some(parted) = self.splits.get_mut(database) {
            parted.is_shown = false;
        }
    }

    /// Runs the cycle of the second auditor if it has one now.
    pub fn cycle(&mut self, scene: &RefCell<Scene>) -> Result<(), BrokenRule> {
        self.cycles += 1;
        if self.cycles % self.rests != 0 {
            return Ok(());
        }
        let begin = scene.borrow().now();
        self.end_troubles(begin);
        let cycle = self.auditor.cycle(|_| {});
        for outcome in &cycle.outcomes {
            self.judge(Zone::Second, outcome, &scene.borrow(), Duration::ZERO)?;
        }
        let now = scene.borrow().now();
        if now < self.repeats_until {
            return Ok(());
        }
        let skew = self.skew.map_or(0, |(seconds, _)| seconds);
        let (key, shown) = (&self.second_keys[self.key], self.clock.now().plus(skew));
        self.second_port.publish(&cycle, key, shown);
        if now < self.away_until {
            self.second_port.refuse();
        }
        Ok(())
    }

    fn end_troubles(&mut self, now: Duration) {
        if self.away_until <= now {
            self.trouble.ends("away", now);
        }
        if self.repeats_until <= now {
            self.trouble.ends("repeats", now);
        }
        if self.skew.is_some_and(|(_, until)| until <= now) {
            self.skew = None;
            self.trouble.ends("skew", now);
        }
    }

    /// Judges the cycle of the first auditor and serves its checkpoints. `since` is when it was
    /// started or restored last.
    pub fn after_cycle(
        &mut self,
        cycle: &Cycle,
        scene: &Scene,
        since: Duration,
    ) -> Result<(), BrokenRule> {
        for outcome in &cycle.outcomes {
            self.judge(Zone::First, outcome, scene, since)?;
        }
        self.first_port
            .publish(cycle, &self.first_key, self.clock.now());
        Ok(())
    }

    /// Checks that auditors of one history never contradict each other, and that a split is found
    /// in time.
    fn judge(
        &mut self,
        zone: Zone,
        outcome: &Outcome,
        scene: &Scene,
        since: Duration,
    ) -> Result<(), BrokenRule> {
        let database = &outcome.database;
        let reports_split = outcome.verdict.word() == "split-view"
            || outcome.peers.iter().any(|peer| {
                matches!(peer.standing, Standing::Split | Standing::Disagrees)
                    || peer.disagreement.is_some()
            });
        let relation = || {
            format!(
                "{zone:?} of {database}: {} {}",
                outcome.verdict,
                outcome.why()
            )
        };
        let Some(parted) = self.splits.get_mut(database) else {
            return match reports_split {
                true => broken(Rule::NeverSplit, relation()),
                false => Ok(()),
            };
        };
        let index = match zone {
            Zone::First => 0,
            Zone::Second => 1,
        };
        if outcome.is_proven() {
            parted.trusted[index] = outcome.shown;
        }
        self.found += u64::from(reports_split && !parted.found[index]);
        parted.found[index] |= reports_split;
        let now = scene.now();
        let within = u32::try_from(FOUND_WITHIN * self.rests).expect("a few");
        let within = scene.interval * within;
        let Some(calm) = now.checked_sub(within) else {
            return Ok(());
        };
        let is_due = parted.is_shown
            && parted.since.max(since) < calm
            && scene.is_calm(database, calm)
            && self.trouble.was_over(calm)
            && outcome.is_proven()
            && parted
                .trusted
                .iter()
                .all(|trusted| trusted.is_some_and(|of| of.tx > parted.common));
        // an open alarm reports it, whatever the peer serves now
        match is_due && !reports_split && outcome.open_alarms == 0 {
            true => broken(
                Rule::SplitFound,
                format!("{}, {:?}", relation(), outcome.peers),
            ),
            false => Ok(()),
        }
    }
}

fn location(folder: &TempDir) -> Location {
    Location {
        dir: folder.path().into(),
        roots: None,
        server: SERVER.into(),
    }
}

fn server(embedded: &Embedded, clock: &Clock) -> Server {
    let login = Login {
        username: SECOND_USER.into(),
        password: Secret::new("immudb".into()),
    };
    let network = |_: &Sent<'_>| Delivery::After(DELAY);
    let transport = Box::new(embedded.in_process(network));
    Server::over(transport, login, TIMEOUT, Stop::new()).with_clock(clock.clone())
}
