//! The run of one world: the auditor's loop, its restarts, and its troubles.

use std::any::Any;
use std::cell::RefCell;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::Duration;

use immuaudit::audit::{Auditor, Cycle, Outcome, SweepStatus};
use immuaudit::drill::SigningKey;
use immuaudit::ledger::Digest;
use immuaudit::server::{MAX_REPLY, MAX_TRANSCRIPT};
use immuaudit::stop::Stop;
use immuaudit::trust::Location;

use crate::disk::{self, Disk};
use crate::machine::WorkEnd;
use crate::meter;
use crate::oracle::{BrokenRule, Circumstances, Oracle, Rule, broken};
use crate::peers::Peers;
use crate::receivers::Receivers;
use crate::scene::Scene;
use crate::tally::Tally;
use crate::temp_dir::TempDir;
use crate::world::{Event, World};

/// The time between two checks whether a paced sweep is late.
const SWEEP_CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// The longest time for which a paced sweep continues after the one cycle of a process.
const SWEEP_ONCE: Duration = Duration::from_secs(30);
/// The number of cycles between two checks of the files.
const CYCLES_BETWEEN_CHECKS: u64 = 500;

/// The result of a world.
pub struct WorldResult {
    pub tally: Tally,
    pub digest: Digest,
    /// The broken rule, its time, and the last lines of the record.
    pub violation: Option<Violation>,
}

pub struct Violation {
    pub broken: BrokenRule,
    pub at: Duration,
    pub lines: Vec<String>,
}

/// Runs a world. `printed` is whether each line of its record is printed immediately.
pub fn run(world: &World, printed: bool) -> WorldResult {
    let mut run = Run::new(world, printed);
    let ended = match panic::catch_unwind(AssertUnwindSafe(|| run.until_the_end())) {
        Ok(ended) => ended,
        Err(payload) => broken(Rule::NoPanic, text_of(payload.as_ref())),
    };
    let mut scene = run.scene.borrow_mut();
    run.tally.time = scene.now();
    run.tally.calls = scene.calls;
    run.tally.lies = scene.lies_begun;
    run.tally.untold = scene.untold;
    run.tally.notified = run.receivers.taken;
    run.tally.splits = run.peers.as_ref().map_or(0, |peers| peers.found);
    run.tally.writes = run.disk.steps.get();
    WorldResult {
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

pub struct Run<'w> {
    pub world: &'w World,
    pub scene: Rc<RefCell<Scene>>,
    pub disk: Rc<Disk>,
    pub folder: TempDir,
    pub copy: Option<TempDir>,
    pub oracle: Oracle,
    pub auditor: Option<Auditor>,
    pub stop: Stop,
    /// The time of the next start of the auditor, and the time that it is down after the next kill.
    pub starts_at: Duration,
    pub down: Duration,
    /// A lie that waits until the auditor trusts the last state.
    pub lie: Option<Event>,
    pub receivers: Receivers,
    /// The second auditor, and the checkpoints of both.
    pub peers: Option<Peers>,
    pub tally: Tally,
}

impl<'w> Run<'w> {
    fn new(world: &'w World, printed: bool) -> Run<'w> {
        let mut scene = Scene::new(world, SigningKey::generate());
        scene.record.printed = printed;
        let mut run = Run {
            world,
            disk: Disk::new(scene.time.clone()),
            scene: Rc::new(RefCell::new(scene)),
            folder: TempDir::in_memory(),
            copy: None,
            oracle: Oracle::new(world),
            auditor: None,
            stop: Stop::new(),
            starts_at: Duration::ZERO,
            down: Duration::ZERO,
            lie: None,
            receivers: Receivers::new(&world.receivers),
            peers: None,
            tally: Tally {
                worlds: 1,
                ..Tally::default()
            },
        };
        if world.has_a_peer {
            let policy = run.policy();
            let peers = Peers::new(&run.scene.borrow(), policy, world);
            run.peers = Some(peers);
        }
        run
    }

    fn until_the_end(&mut self) -> Result<(), BrokenRule> {
        while self.now() < self.world.length {
            self.pass()?;
            if let Some(peers) = &mut self.peers {
                peers.cycle(&self.scene)?;
            }
            let begin = self.now();
            let next = begin + self.world.interval;
            if self.auditor.is_none() && begin >= self.starts_at {
                self.start()?;
            }
            if self.auditor.is_some() {
                self.cycle(begin)?;
            }
            if self.auditor.is_some() {
                let until = match self.world.is_once {
                    true => next.min(self.now() + SWEEP_ONCE),
                    false => next,
                };
                self.sweep(until)?;
            }
            if self.world.is_once {
                self.auditor = None;
                self.receivers.stop();
            }
            self.advance_to(next);
        }
        self.check_memory()?;
        self.check_files()
    }

    pub fn now(&self) -> Duration {
        self.scene.borrow().now()
    }

    fn advance_to(&self, then: Duration) {
        let scene = self.scene.borrow();
        scene.time.advance(then.saturating_sub(scene.now()));
    }

    /// Adds a line to the record, without the directory, which differs in each run.
    pub fn note(&self, line: impl std::fmt::Display) {
        let directory = self.folder.path().display().to_string();
        let line = line.to_string().replace(&directory, "DIRECTORY");
        self.scene.borrow_mut().note(line);
    }

    /// Runs all events whose time has come.
    fn pass(&mut self) -> Result<(), BrokenRule> {
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
        self.start_lie();
        Ok(())
    }

    fn cycle(&mut self, begin: Duration) -> Result<(), BrokenRule> {
        let location = self.location();
        let mut untold = None;
        let Some(mut auditor) = self.auditor.take() else {
            return Ok(());
        };
        let disk = self.disk.full_until() < begin;
        let ended = self.caught(|run| {
            let receivers = RefCell::new(&mut run.receivers);
            let note_results = |outcome: &Outcome| {
                untold = untold.take().or_else(|| not_on_disk(&location, outcome));
                receivers.borrow_mut().outcome(outcome, &location);
            };
            let cycle =
                auditor.cycle_and(note_results, |cycle| receivers.borrow_mut().checked(cycle));
            let alarming = cycle.outcomes.iter().filter(|of| of.open_alarms > 0);
            for of in alarming.filter(|of| !of.is_untrusted) {
                if let Ok(open) = auditor.open_alarms(&of.database) {
                    receivers.borrow_mut().open_alarms(&of.database, &open);
                }
            }
            receivers.borrow_mut().cycle(&cycle, !disk);
            (auditor, cycle)
        })?;
        if let Some(untold) = untold {
            return broken(Rule::AlarmsStay, untold);
        }
        let WorkEnd::Done((auditor, cycle)) = ended else {
            return Ok(());
        };
        self.auditor = Some(auditor);
        self.tally.cycles += 1;
        self.note_results(&cycle);
        self.oracle
            .cycle(&self.scene.borrow(), &cycle, begin, disk)?;
        if let Some(peers) = &mut self.peers {
            let since = self.oracle.started();
            peers.after_cycle(&cycle, &self.scene.borrow(), since)?;
        }
        self.notify(&cycle, disk)?;
        if self.tally.cycles % CYCLES_BETWEEN_CHECKS == 0 {
            self.check_files()?;
        }
        self.stopped()
    }

    /// Judges the notifications after a cycle, and lets the receivers accept them.
    fn notify(&mut self, cycle: &Cycle, disk: bool) -> Result<(), BrokenRule> {
        if !self.receivers.has_receivers() {
            return Ok(());
        }
        if disk && cycle.outcomes.iter().any(|of| !of.opened.is_empty()) {
            self.judge_notified()?;
        }
        let (now, location) = (self.now(), self.location());
        self.receivers.step(now, &location)?;
        match cycle.stopped || !disk {
            true => Ok(()),
            false => {
                let clock = &self.scene.borrow().clock;
                self.receivers.judge_verdicts(cycle, clock)
            }
        }
    }

    fn note_results(&mut self, cycle: &Cycle) {
        for outcome in &cycle.outcomes {
            self.tally.accused += u64::from(!outcome.opened.is_empty());
            self.note_one_outcome(outcome);
        }
        for trouble in cycle.errors() {
            self.note(&trouble);
        }
    }

    fn note_one_outcome(&self, outcome: &Outcome) {
        let shown = outcome.shown.map_or(0, |shown| shown.tx);
        let alarms = outcome.open_alarms;
        let why = outcome.why();
        self.note(format_args!(
            "{}: {} at {shown}, {alarms} alarms {why}",
            outcome.database, outcome.verdict
        ));
    }

    /// Sweeps during the rest of the interval.
    fn sweep(&mut self, next: Duration) -> Result<(), BrokenRule> {
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
            let location = self.location();
            let ended = self.caught(|run| {
                let slice = auditor.sweep_at_pace(until);
                if let Some(outcome) = &slice.outcome {
                    run.receivers.outcome(outcome, &location);
                }
                (auditor, slice)
            })?;
            let WorkEnd::Done((auditor, slice)) = ended else {
                return Ok(());
            };
            self.auditor = Some(auditor);
            if let Some(outcome) = &slice.outcome {
                self.note_one_outcome(outcome);
                let scene = self.scene.borrow();
                let sight = Circumstances {
                    scene: &scene,
                    begin,
                    end: scene.now(),
                    disk: false, // a slice proves no state
                    is_unstopped: false,
                };
                self.oracle.outcome(outcome, &sight)?;
                self.oracle.slice(outcome, &scene, begin)?;
                drop(scene);
                let disk = self.disk.full_until() < begin;
                if disk && self.receivers.has_receivers() && !outcome.opened.is_empty() {
                    self.judge_notified()?;
                }
            }
            match slice.status {
                SweepStatus::InProgress { .. } | SweepStatus::Completed(_) => {}
                SweepStatus::NotDue => {
                    self.advance_to((self.now() + SWEEP_CHECK_INTERVAL).min(next))
                }
                SweepStatus::ServerUnavailable(_) => self.advance_to(next),
                SweepStatus::Stopped => return self.stopped(),
            }
        }
        Ok(())
    }

    /// Checks that the auditor's memory is limited, by the bytes that are freed when it ends.
    fn check_memory(&mut self) -> Result<(), BrokenRule> {
        let ((), of_auditor) = meter::freed(|| self.auditor = None);
        let ((), of_notifier) = meter::freed(|| self.receivers.stop());
        self.tally.memory = of_auditor + of_notifier;
        let names = 1 + self.world.databases.len() + self.world.created();
        let most = MAX_MEMORY + names * MAX_MEMORY_OF_ONE;
        match of_auditor + of_notifier > most {
            true => broken(
                Rule::Bounded,
                format!(
                    "{of_auditor} and {of_notifier} bytes are remembered of {names} databases, and not {most}"
                ),
            ),
            false => Ok(()),
        }
    }

    /// Checks that the files are limited.
    fn check_files(&self) -> Result<(), BrokenRule> {
        let (files, bytes) = disk::size(self.folder.path());
        let names = 1 + self.world.databases.len() as u64 + self.world.events.len() as u64;
        if files > MAX_EVIDENCE_FILES + 10 * names + 20 {
            return broken(Rule::Bounded, format!("{files} files are kept"));
        }
        if bytes > (64 << 20) + names * MAX_DATABASE_BYTES {
            return broken(Rule::Bounded, format!("{bytes} bytes are kept"));
        }
        Ok(())
    }
}

/// The most bytes of memory of the auditor and its pending notifications, without and for each
/// database. They include the exchanges of the last check, as evidence would store them.
const MAX_MEMORY: usize = MAX_TRANSCRIPT + MAX_REPLY + (64 << 10);
const MAX_MEMORY_OF_ONE: usize = 16 << 10;
/// The most files of evidence.
const MAX_EVIDENCE_FILES: u64 = 4000;
/// The most bytes of a database's history, alarms and progress.
const MAX_DATABASE_BYTES: u64 = 4 << 20;

/// Returns a message if the alarm of an outcome is not on disk: neither in the list nor with evidence
/// alone. Other rules parse the files, less often.
fn not_on_disk(location: &Location, outcome: &Outcome) -> Option<String> {
    let alarm = outcome.alarm.as_ref()?;
    let is_there = alarm.evidence.exists() || {
        let of_database = alarm.evidence.parent()?.file_name()?.to_str()?;
        let home = location.dir.join(&location.server);
        let list = fs::read_to_string(home.join(format!("{of_database}.alarms")));
        list.is_ok_and(|list| list.contains(&alarm.id))
    };
    (!is_there).then(|| format!("{}: {} is not on disk", outcome.database, alarm.id))
}
