//! One world from its start to its end: the auditor's loop, its restarts, and what happens to it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::Duration;

use immuaudit::audit::{Auditor, Cycle, Outcome, Policy, Went};
use immuaudit::config::{Secret, Signatures};
use immuaudit::drill::SigningKey;
use immuaudit::ledger::{Digest, PublicKey};
use immuaudit::random::Random as Seeded;
use immuaudit::server::{Login, Server};
use immuaudit::stop::Stop;
use immuaudit::trust::fault::Killed;
use immuaudit::trust::{Location, Store};

use crate::disk::{self, Disk};
use crate::oracle::{Broken, Oracle, Rule, Sight, broken};
use crate::place::Place;
use crate::scene::{Scene, TIMEOUT, due};
use crate::world::{Event, Signed, What, World};

/// How often the loop looks whether a paced sweep is behind.
const PACE: Duration = Duration::from_secs(30);
/// Cycles between two looks at the files.
const BETWEEN_LOOKS: u64 = 500;

/// The counts of what happened in worlds without a violation.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub worlds: u64,
    pub time: Duration,
    pub cycles: u64,
    pub calls: u64,
    pub writes: u64,
    pub lies: u64,
    pub untold: u64,
    pub accused: u64,
    pub starts: u64,
    pub kills: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.worlds += other.worlds;
        self.time += other.time;
        self.cycles += other.cycles;
        self.calls += other.calls;
        self.writes += other.writes;
        self.lies += other.lies;
        self.untold += other.untold;
        self.accused += other.accused;
        self.starts += other.starts;
        self.kills += other.kills;
    }
}

/// What came of a world.
pub struct Ran {
    pub tally: Tally,
    pub digest: Digest,
    /// What was violated, when, and the last lines of the record.
    pub violation: Option<Violation>,
}

pub struct Violation {
    pub broken: Broken,
    pub at: Duration,
    pub lines: Vec<String>,
}

/// Runs a world. `printed` is whether each line of its record is printed as it comes.
pub fn run(world: &World, printed: bool) -> Ran {
    let mut run = Run::new(world, printed);
    let ended = match panic::catch_unwind(AssertUnwindSafe(|| run.until_the_end())) {
        Ok(ended) => ended,
        Err(payload) => broken(Rule::NoPanic, text_of(payload.as_ref())),
    };
    let mut scene = run.scene.borrow_mut();
    run.tally.time = scene.now();
    run.tally.calls = scene.calls;
    run.tally.lies = scene.told;
    run.tally.untold = scene.untold;
    run.tally.writes = run.disk.steps.get();
    Ran {
        tally: run.tally.clone(),
        digest: scene.record.digest(),
        violation: ended.err().map(|broken| Violation {
            broken,
            at: scene.now(),
            lines: scene.record.lines().cloned().collect(),
        }),
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    let fixed = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or(fixed).unwrap_or_else(|| "a panic".into())
}

struct Run<'w> {
    world: &'w World,
    scene: Rc<RefCell<Scene>>,
    disk: Rc<Disk>,
    place: Place,
    copy: Option<Place>,
    oracle: Oracle,
    auditor: Option<Auditor>,
    stop: Stop,
    /// When the auditor is started again, and how long it is down after the next kill.
    starts_at: Duration,
    down: Duration,
    /// A lie that waits for the auditor to trust the last state.
    lie: Option<Event>,
    tally: Tally,
}

/// How something that the auditor did ended.
enum Ended<T> {
    Done(T),
    Killed,
}

impl<'w> Run<'w> {
    fn new(world: &'w World, printed: bool) -> Run<'w> {
        let mut scene = Scene::new(world, SigningKey::generate());
        scene.record.printed = printed;
        Run {
            world,
            disk: Disk::new(scene.time.clone()),
            scene: Rc::new(RefCell::new(scene)),
            place: in_memory(),
            copy: None,
            oracle: Oracle::new(world),
            auditor: None,
            stop: Stop::new(),
            starts_at: Duration::ZERO,
            down: Duration::ZERO,
            lie: None,
            tally: Tally {
                worlds: 1,
                ..Tally::default()
            },
        }
    }

    fn until_the_end(&mut self) -> Result<(), Broken> {
        while self.now() < self.world.length {
            self.pass()?;
            let begin = self.now();
            let next = begin + self.world.interval;
            if self.auditor.is_none() && begin >= self.starts_at {
                self.start()?;
            }
            if self.auditor.is_some() {
                self.cycle(begin)?;
            }
            if self.auditor.is_some() {
                self.sweep(next)?;
            }
            self.advance_to(next);
        }
        self.look_at_files()
    }

    fn now(&self) -> Duration {
        self.scene.borrow().now()
    }

    fn advance_to(&self, then: Duration) {
        let scene = self.scene.borrow();
        scene.time.advance(then.saturating_sub(scene.now()));
    }

    fn note(&self, line: impl std::fmt::Display) {
        self.scene.borrow_mut().note(line);
    }

    /// Lets everything happen whose time has come.
    fn pass(&mut self) -> Result<(), Broken> {
        loop {
            let event = {
                let mut scene = self.scene.borrow_mut();
                scene.end_troubles(false);
                scene.next_event(false)
            };
            let Some(event) = event else { break };
            match event.what.is_of_the_server() {
                true => self.scene.borrow_mut().happen(&event),
                false => self.happen(event)?,
            }
        }
        self.tell_lie();
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Broken> {
        self.note(&event);
        match event.what {
            What::StepClock(seconds) => {
                self.scene.borrow().time.step_wall_clock(seconds);
                self.oracle.step_clock();
            }
            What::KillAtWrite { step, down } => {
                self.disk.kill_in(step);
                self.down = down;
            }
            What::KillAtCall { call, down } => {
                self.scene.borrow().kill_in.set(Some(call));
                self.down = down;
            }
            What::StopAtCall { call, down } => {
                self.scene.borrow().stop_in.set(Some(call));
                self.down = down;
            }
            What::FullDisk(lasts) => self.disk.fill_until(self.now() + lasts),
            What::BackUp => {
                let copy = in_memory();
                disk::copy(self.place.path(), copy.path());
                self.copy = Some(copy);
            }
            What::Restore => self.restore(),
            What::Lie { ref database, .. } => {
                self.scene.borrow_mut().grow_for_a_lie(database);
                self.lie = Some(event);
            }
            What::CloseAlarms => self.close_alarms(),
            _ => unreachable!("it happens to the server"),
        }
        Ok(())
    }

    /// Tells the lie that waits, once it would be one to the auditor.
    fn tell_lie(&mut self) {
        let Some(Event {
            at,
            what:
                What::Lie {
                    lie,
                    database,
                    lasts,
                },
        }) = &self.lie
        else {
            return;
        };
        let mut scene = self.scene.borrow_mut();
        let (now, until) = (scene.now(), *at + *lasts);
        if now >= until {
            scene.untold += 1;
            scene.note("the lie is not told: the auditor was never ready for it");
        } else if scene.lie.is_none()
            && self.auditor.is_some()
            && scene.is_calm(database, now)
            && self.disk.full_until() < now
            && self.oracle.is_ready(&scene, database)
        {
            scene.tell(*lie, database, until);
            if let Some(told) = &scene.lie {
                self.oracle.lie_begins(told);
            }
        } else {
            return;
        }
        drop(scene);
        self.lie = None;
    }

    fn restore(&mut self) {
        let is_lied_to = self.scene.borrow().lie.is_some();
        // an older state may agree with the lie
        let Some(copy) = self.copy.as_ref().filter(|_| !is_lied_to) else {
            return self.note("nothing is restored");
        };
        self.auditor = None;
        disk::copy(copy.path(), self.place.path());
        let found = self.on_disk();
        let now = self.now();
        self.oracle.restore(found, now);
    }

    /// Each database's trusted state and count of open alarms.
    fn on_disk(&self) -> BTreeMap<String, (Option<immuaudit::ledger::State>, usize)> {
        let Ok(store) = Store::open_beside(&self.location()) else {
            return BTreeMap::new();
        };
        let names = store.databases().expect("the files are listed");
        let of = |name: String| {
            let trusted = store.load(&name).expect("a whole state");
            let alarms = store.open_alarms(Some(&name)).expect("whole alarms");
            (name, (trusted.map(|trusted| trusted.state), alarms.len()))
        };
        names.into_iter().map(of).collect()
    }

    fn close_alarms(&mut self) {
        let Ok(store) = Store::open_beside(&self.location()) else {
            return;
        };
        let now = self.scene.borrow().clock.now();
        for alarm in store.open_alarms(None).expect("whole alarms") {
            let id = alarm.id.clone();
            store
                .close_alarm(&id, "an operator", now)
                .expect("a closed alarm");
        }
        self.oracle.close_alarms(self.scene.borrow().lie.as_ref());
    }

    fn location(&self) -> Location {
        Location {
            dir: self.place.path().into(),
            roots: None,
            server: "simulated".into(),
        }
    }

    fn start(&mut self) -> Result<(), Broken> {
        self.stop = Stop::new();
        let location = self.location();
        let clock = self.scene.borrow().clock.clone();
        let opened = self.caught(|_| Store::open(&location, clock.now()))?;
        let store = match opened {
            Ended::Done(Ok(store)) => store,
            Ended::Done(Err(failure)) if self.disk.full_until() > self.now() => {
                self.note(format_args!("the auditor does not start: {failure}"));
                return Ok(());
            }
            Ended::Done(Err(failure)) => return broken(Rule::NoneWaits, failure),
            Ended::Killed => return Ok(()),
        };
        let server = self.server();
        self.tally.starts += 1;
        let random = Seeded::of_seed(self.world.seed.wrapping_mul(1000) + self.tally.starts);
        let auditor = Auditor::new(server, store, self.policy()).with_random(random);
        self.auditor = Some(auditor);
        self.note("the auditor starts");
        if self.tally.starts > 1 {
            let now = self.now();
            self.oracle.restart(now, self.disk.full_until() < now);
        }
        Ok(())
    }

    fn server(&self) -> Server {
        let (scene, stop) = (self.scene.clone(), self.stop.clone());
        let network = move |sent: &immuaudit::drill::Sent<'_>| {
            let mut scene = scene.borrow_mut();
            if due(&scene.stop_in) {
                scene.note("the auditor is asked to stop");
                stop.request();
            }
            scene.deliver(sent)
        };
        let login = Login {
            user: "immudb".into(),
            password: Secret::new("immudb".into()),
        };
        let scene = self.scene.borrow();
        let transport = Box::new(scene.embedded.in_process(network));
        Server::over(transport, login, TIMEOUT, self.stop.clone()).with_clock(scene.clock.clone())
    }

    fn policy(&self) -> Policy {
        let public = self.scene.borrow().embedded.public_pem();
        let key = public.filter(|_| self.world.signatures == Signed::Demanded);
        Policy {
            interval: self.world.interval,
            values: self.world.values,
            signatures: match key {
                Some(pem) => Signatures::By(PublicKey::from_pem(&pem).expect("a key")),
                None => Signatures::NotRequired,
            },
            ..Policy::of_consistency()
        }
    }

    /// Lets the auditor do something, which a kill may end.
    fn caught<T>(&mut self, work: impl FnOnce(&mut Run<'w>) -> T) -> Result<Ended<T>, Broken> {
        let disk = self.disk.clone();
        let done = panic::catch_unwind(AssertUnwindSafe(|| disk.armed(|| work(self))));
        self.disk.disarm();
        let payload = match done {
            Ok(done) => return Ok(Ended::Done(done)),
            Err(payload) => payload,
        };
        if !payload.is::<Killed>() {
            panic::resume_unwind(payload);
        }
        self.auditor = None;
        self.tally.kills += 1;
        self.starts_at = self.now() + self.down;
        self.note("the auditor was killed");
        self.find_on_disk()?;
        Ok(Ended::Killed)
    }

    /// What was trusted last, if the cycle did not come to tell it.
    fn find_on_disk(&mut self) -> Result<(), Broken> {
        for (database, (trusted, _)) in self.on_disk() {
            self.oracle.find(&self.scene.borrow(), &database, trusted)?;
        }
        Ok(())
    }

    fn cycle(&mut self, begin: Duration) -> Result<(), Broken> {
        let location = self.location();
        let mut untold = None;
        let Some(mut auditor) = self.auditor.take() else {
            return Ok(());
        };
        let ended = self.caught(|_| {
            let cycle = auditor.cycle(|outcome| {
                untold = untold.take().or_else(|| not_on_disk(&location, outcome));
            });
            (auditor, cycle)
        })?;
        if let Some(untold) = untold {
            return broken(Rule::AlarmsStay, untold);
        }
        let Ended::Done((auditor, cycle)) = ended else {
            return Ok(());
        };
        self.auditor = Some(auditor);
        self.tally.cycles += 1;
        self.tell(&cycle);
        let disk = self.disk.full_until() < begin;
        self.oracle
            .cycle(&self.scene.borrow(), &cycle, begin, disk)?;
        if self.tally.cycles % BETWEEN_LOOKS == 0 {
            self.look_at_files()?;
        }
        self.stopped()
    }

    fn stopped(&mut self) -> Result<(), Broken> {
        if self.stop.requested() {
            self.auditor = None;
            self.starts_at = self.now() + self.down;
            self.note("the auditor stopped");
            self.find_on_disk()?;
        }
        Ok(())
    }

    fn tell(&mut self, cycle: &Cycle) {
        for outcome in &cycle.outcomes {
            self.tally.accused += u64::from(outcome.opened_alarm);
            self.tell_outcome(outcome);
        }
        for trouble in cycle.troubles() {
            self.note(&trouble);
        }
    }

    fn tell_outcome(&self, outcome: &Outcome) {
        let shown = outcome.shown.map_or(0, |shown| shown.tx);
        let alarms = outcome.open_alarms;
        let why = outcome.why();
        self.note(format_args!(
            "{}: {} at {shown}, {alarms} alarms {why}",
            outcome.database, outcome.verdict
        ));
    }

    /// What is left of the interval.
    fn sweep(&mut self, next: Duration) -> Result<(), Broken> {
        while self.now() < next {
            let begin = self.now();
            let Some(mut auditor) = self.auditor.take() else {
                return Ok(());
            };
            if auditor.waits_for_the_next_cycle() {
                self.auditor = Some(auditor);
                return Ok(());
            }
            let until = self.scene.borrow().clock.instant() + (next - begin);
            let ended = self.caught(|_| {
                let slice = auditor.sweep_at_pace(until);
                (auditor, slice)
            })?;
            let Ended::Done((auditor, slice)) = ended else {
                return Ok(());
            };
            self.auditor = Some(auditor);
            if let Some(outcome) = &slice.outcome {
                self.tell_outcome(outcome);
                let scene = self.scene.borrow();
                let sight = Sight {
                    scene: &scene,
                    begin,
                    end: scene.now(),
                    disk: false, // a slice proves no state
                    is_whole: false,
                };
                self.oracle.outcome(outcome, &sight)?;
            }
            match slice.went {
                Went::On { .. } | Went::Ended(_) => {}
                Went::Idle => self.advance_to((self.now() + PACE).min(next)),
                Went::Away(_) => self.advance_to(next),
                Went::Stopped => return self.stopped(),
            }
        }
        Ok(())
    }

    /// The files are bounded, whatever happened.
    fn look_at_files(&self) -> Result<(), Broken> {
        let (files, bytes) = disk::size(self.place.path());
        let names = 1 + self.world.databases.len() as u64 + self.world.events.len() as u64;
        if files > MOST_EVIDENCE + 10 * names + 20 {
            return broken(Rule::Bounded, format!("{files} files are kept"));
        }
        if bytes > (64 << 20) + names * MOST_OF_ONE {
            return broken(Rule::Bounded, format!("{bytes} bytes are kept"));
        }
        Ok(())
    }
}

/// Files of evidence at most.
const MOST_EVIDENCE: u64 = 4000;
/// Bytes of a database's history, alarms and progress.
const MOST_OF_ONE: u64 = 4 << 20;

/// What an outcome tells of that is not on disk.
fn not_on_disk(location: &Location, outcome: &Outcome) -> Option<String> {
    let alarm = outcome.alarm.as_ref()?;
    let store = Store::open_beside(location).ok()?;
    let alarms = store.all_alarms(&outcome.database);
    let is_there = alarms.is_ok_and(|alarms| alarms.iter().any(|other| other.id == alarm.id));
    (!is_there).then(|| format!("{}: {} is not on disk", outcome.database, alarm.id))
}

/// A directory in memory, where there is one: years of writing would wait for the disk.
fn in_memory() -> Place {
    let memory = std::path::Path::new("/dev/shm");
    match memory.is_dir() {
        true => Place::under(memory),
        false => Place::new(),
    }
}
