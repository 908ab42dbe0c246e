//! The auditor's machine: starts, kills and stops of the program, a full disk, clock steps,
//! restored directories, and an operator who closes alarms.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};

use immuaudit::audit::{Auditor, Policy};
use immuaudit::config::{Secret, Signatures};
use immuaudit::drill::{Sent, Split};
use immuaudit::ledger::{PublicKey, State};
use immuaudit::random::Random as Seeded;
use immuaudit::server::{Login, Server};
use immuaudit::stop::Stop;
use immuaudit::trust::failpoint::Killed;
use immuaudit::trust::{Location, Store, StoreError};

use crate::disk;
use crate::oracle::{BrokenRule, Rule, broken};
use crate::run::Run;
use crate::scene::{TIMEOUT, due};
use crate::temp_dir::TempDir;
use crate::world::{Event, EventKind, Signed};

/// The end of a piece of work of the auditor.
pub enum WorkEnd<T> {
    Done(T),
    Killed,
}

impl<'w> Run<'w> {
    pub fn happen(&mut self, event: Event) -> Result<(), BrokenRule> {
        self.note(&event);
        match event.what {
            EventKind::StepClock(seconds) => {
                self.scene.borrow().time.step_wall_clock(seconds);
                self.oracle.step_clock();
            }
            EventKind::KillAtWrite { step, down } => {
                self.disk.kill_in(step);
                self.down = down;
            }
            EventKind::KillAtCall { call, down } => {
                self.scene.borrow().kill_in.set(Some(call));
                self.down = down;
            }
            EventKind::StopAtCall { call, down } => {
                self.scene.borrow().stop_in.set(Some(call));
                self.down = down;
            }
            EventKind::FullDisk(lasts) => {
                self.disk.fill_until(self.now() + lasts);
                self.oracle.fill_disk();
                self.receivers.may_lose();
            }
            EventKind::BackUp => {
                let copy = TempDir::in_memory();
                disk::copy(self.folder.path(), copy.path());
                self.copy = Some(copy);
            }
            EventKind::Restore => self.restore(),
            EventKind::Lie { ref database, .. } => {
                self.scene.borrow_mut().grow_for_a_lie(database);
                self.lie = Some(event);
            }
            EventKind::CloseAlarms => self.close_alarms(),
            EventKind::AddReceiver(name) => {
                self.receivers.add(name);
                self.auditor = None;
            }
            EventKind::RemoveReceiver(name) => {
                self.receivers.remove(&name);
                self.auditor = None;
            }
            EventKind::Refuse {
                receiver,
                lasts,
                retry_after,
            } => {
                let until = self.now() + lasts;
                self.receivers.refuse(&receiver, until, retry_after);
            }
            _ => self.happen_to_peers(event.what),
        }
        Ok(())
    }

    fn happen_to_peers(&mut self, what: EventKind) {
        let now = self.now();
        let Some(peers) = &mut self.peers else { return };
        let mut scene = self.scene.borrow_mut();
        match what {
            EventKind::Split(database) => {
                if let Some(state) = scene.embedded.state(&database) {
                    scene.embedded.split(&database, Split::FromNowOn);
                    peers.split(&database, state.tx, now);
                    scene.split.insert(database);
                }
            }
            EventKind::LagBehind(database) => scene.embedded.lag_behind(&database),
            EventKind::Heal(database) => {
                scene.embedded.heal(&database);
                peers.heal(&database);
            }
            EventKind::PeerAway(lasts) => peers.go_away(now + lasts),
            EventKind::PeerRepeats(lasts) => peers.repeat(now + lasts),
            EventKind::PeerClock(seconds, lasts) => peers.skew(seconds, now + lasts),
            EventKind::PeerKey => peers.rotate(),
            _ => unreachable!("it happens to the server"),
        }
    }

    /// Starts the pending lie as soon as the auditor could detect it.
    pub fn start_lie(&mut self) {
        let Some(Event {
            at,
            what:
                EventKind::Lie {
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
            scene.note("the lie does not begin: the auditor was never ready for it");
        } else if scene.lie.is_none()
            && self.auditor.is_some()
            && scene.is_calm(database, now)
            && self.disk.full_until() < now
            && self.oracle.is_ready(&scene, database)
        {
            scene.begin_lie(*lie, database, until);
            if let Some(lie) = &scene.lie {
                self.oracle.lie_begins(lie);
            }
        } else {
            return;
        }
        drop(scene);
        self.lie = None;
    }

    fn restore(&mut self) {
        let is_lied_to = self.scene.borrow().lie.is_some();
        // a restored older state may agree with the lie
        let Some(copy) = self.copy.as_ref().filter(|_| !is_lied_to) else {
            return self.note("nothing is restored");
        };
        self.auditor = None;
        disk::copy(copy.path(), self.folder.path());
        self.receivers.restore();
        let found = self.on_disk();
        let now = self.now();
        self.oracle.restore(found, now);
    }

    /// Returns each database's trusted state and number of open alarms.
    fn on_disk(&self) -> BTreeMap<String, (Option<State>, usize)> {
        let Ok(store) = Store::open_shared(&self.location()) else {
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
        let Ok(store) = Store::open_shared(&self.location()) else {
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

    pub fn location(&self) -> Location {
        Location {
            dir: self.folder.path().into(),
            roots: None,
            server: "simulated".into(),
        }
    }

    pub fn start(&mut self) -> Result<(), BrokenRule> {
        self.stop = Stop::new();
        let location = self.location();
        let clock = self.scene.borrow().clock.clone();
        let opened = self.caught(|run| {
            let store = Store::open(&location, clock.now())?;
            run.receivers.start(&store, &clock);
            Ok::<_, StoreError>(store)
        })?;
        let store = match opened {
            WorkEnd::Done(Ok(store)) => store,
            WorkEnd::Done(Err(failure)) if self.disk.full_until() > self.now() => {
                self.note(format_args!("the auditor does not start: {failure}"));
                return Ok(());
            }
            WorkEnd::Done(Err(failure)) => return broken(Rule::NoneWaits, failure),
            WorkEnd::Killed => return Ok(()),
        };
        let server = self.server();
        self.tally.starts += 1;
        let random = Seeded::of_seed(self.world.seed.wrapping_mul(1000) + self.tally.starts);
        let mut auditor = Auditor::new(server, store, self.policy()).with_random(random);
        if let Some(peers) = &mut self.peers {
            peers.first_is_down();
            auditor = auditor.with_peers_of(peers.of_first());
        }
        self.auditor = Some(auditor);
        self.note("the auditor starts");
        if self.receivers.has_receivers() && self.disk.full_until() < self.now() {
            self.judge_notified()?;
        }
        if self.tally.starts > 1 {
            let now = self.now();
            self.oracle.restart(now);
        }
        Ok(())
    }

    /// Judges the notifications of the receivers.
    pub fn judge_notified(&mut self) -> Result<(), BrokenRule> {
        let location = self.location();
        let store = Store::open_shared(&location).expect("the files are there");
        let alarms = store.open_alarms(None).expect("whole alarms");
        self.receivers.judge(&location, &alarms)
    }

    fn server(&self) -> Server {
        let (scene, stop) = (self.scene.clone(), self.stop.clone());
        let network = move |sent: &Sent<'_>| {
            let mut scene = scene.borrow_mut();
            if due(&scene.stop_in) {
                scene.note("the auditor is asked to stop");
                stop.request();
            }
            scene.deliver(sent)
        };
        let login = Login {
            username: "immudb".into(),
            password: Secret::new("immudb".into()),
        };
        let scene = self.scene.borrow();
        let transport = Box::new(scene.embedded.in_process(network));
        Server::over(transport, login, TIMEOUT, self.stop.clone()).with_clock(scene.clock.clone())
    }

    pub fn policy(&self) -> Policy {
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

    /// Runs work of the auditor, which a kill may end.
    pub fn caught<T>(
        &mut self,
        work: impl FnOnce(&mut Run<'w>) -> T,
    ) -> Result<WorkEnd<T>, BrokenRule> {
        let disk = self.disk.clone();
        let done = panic::catch_unwind(AssertUnwindSafe(|| disk.armed(|| work(self))));
        self.disk.disarm();
        let payload = match done {
            Ok(done) => return Ok(WorkEnd::Done(done)),
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
        Ok(WorkEnd::Killed)
    }

    /// Reads the trusted states from disk, because the cycle may have ended before it reported
    /// them.
    fn find_on_disk(&mut self) -> Result<(), BrokenRule> {
        for (database, (trusted, _)) in self.on_disk() {
            self.oracle.find(&self.scene.borrow(), &database, trusted)?;
        }
        Ok(())
    }

    pub fn stopped(&mut self) -> Result<(), BrokenRule> {
        if self.stop.requested() {
            self.auditor = None;
            self.starts_at = self.now() + self.down;
            self.note("the auditor stopped");
            self.find_on_disk()?;
        }
        Ok(())
    }
}
