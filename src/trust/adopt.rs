//! The operator's decision on an alarm: closing keeps the trusted state, adopting replaces it by the state
//! that the evidence names.

use super::alarm::{self, Alarm, Closed};
use super::failpoint::FileKind;
use super::files;
use super::history::Change;
use super::record::Record;
use super::store::{Hold, Store};
use super::store_error::StoreError;
use super::trusted_state::{TrustOrigin, TrustedState};
use crate::clock::Timestamp;
use crate::ledger::{Digest, State};
use crate::sys::Lock;

/// Changes that adopting an alarm makes to the trusted state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// The state that the evidence names becomes the trusted one.
    Replace {
        /// The trusted state that is given up.
        given_up: Box<TrustedState>,
        /// The state that is adopted.
        adopted: State,
    },
    /// No state is trusted any more: the database vanished or is empty.
    Forget {
        /// The trusted state that is given up.
        given_up: Box<TrustedState>,
    },
    /// An earlier run was killed after it changed the trusted state and before it closed the alarm.
    Done,
    /// The trusted state is no longer the one that the alarm is about: a state that extends it has replaced it,
    /// or another command changed it.
    Overtaken {
        /// The present trusted state.
        trusted: Option<State>,
    },
    /// The alarm names no other state: `bad-value`, `bad-signature`, `split-view`, or a hidden database.
    Nothing,
}

/// The result of adopting an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The trusted state from now on; `None`: the next state is trusted on first use.
    pub trusted: Option<TrustedState>,
    /// Other alarms against the same given-up state, which are closed too: a server that rewrote history
    /// and went on writing shows another state at every check.
    pub also_closed: Vec<String>,
}

impl Store {
    /// Closes an alarm and keeps the trusted state. Other alarms stay open. An alarm that is closed already is
    /// returned as it is.
    ///
    /// # Errors
    /// No alarm has this ID, or the list of alarms cannot be written: then the alarm stays open.
    pub fn close_alarm(&self, id: &str, who: &str, now: Timestamp) -> Result<Alarm, StoreError> {
        let database = self.alarm(id)?.database;
        let _hold = self.hold(Lock::Exclusive)?;
        let mut alarms = self.alarms(&database)?;
        let at = position(&alarms, id);
        let Some(alarm) = at.and_then(|at| alarms.get_mut(at)) else {
            return Err(self.no_alarm(id, &alarms));
        };
        if !alarm.is_open() {
            return Ok(alarm.clone());
        }
        alarm.close(Closed::by(who, now));
        let closed = alarm.clone();
        self.write_alarms(&database, &alarms)?;
        Ok(closed)
    }

    /// Closes every open alarm of a database, keeps the trusted state, and returns these alarms.
    ///
    /// # Errors
    /// The list of alarms is damaged or cannot be written: then all alarms stay as they are.
    pub fn close_alarms_of(
        &self,
        database: &str,
        who: &str,
        now: Timestamp,
    ) -> Result<Vec<Alarm>, StoreError> {
        let _hold = self.hold(Lock::Exclusive)?;
        let mut alarms = self.alarms(database)?;
        let mut closed = Vec::new();
        for alarm in alarms.iter_mut().filter(|alarm| alarm.is_open()) {
            alarm.close(Closed::by(who, now));
            closed.push(alarm.clone());
        }
        if !closed.is_empty() {
            self.write_alarms(database, &alarms)?;
        }
        Ok(closed)
    }

    /// Records that the server showed the trusted history, in state `shown`, after the open alarms about that
    /// history were last found. The order of the checks decides, not a clock.
    ///
    /// # Errors
    /// The list of alarms is damaged or cannot be written.
    pub fn note_shown_again(
        &self,
        database: &str,
        shown: State,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _hold = self.hold(Lock::Exclusive)?;
        let mut alarms = self.alarms(database)?;
        let line = self.record(database)?.dated_line();
        let has_proven = |state: State| line.iter().any(|dated| dated.state == state);
        let mut noted = false;
        if has_proven(shown) {
            for alarm in alarms.iter_mut().filter(|alarm| alarm.may_be_shown_again()) {
                if alarm.trusted.is_some_and(has_proven) {
                    alarm.shown_again = Some(now);
                    noted = true;
                }
            }
        }
        match noted {
            true => self.write_alarms(database, &alarms),
            false => Ok(()),
        }
    }

    /// Returns the time at which the server showed the trusted history again after an alarm was last found; `None` also
    /// if the trusted state of the alarm was given up since.
    pub fn shown_again(&self, alarm: &Alarm) -> Option<Timestamp> {
        let (time, trusted) = (alarm.shown_again?, alarm.trusted?);
        let record = self.record(&alarm.database).ok()?;
        record.has_proven(trusted).then_some(time)
    }

    /// Adopts an open alarm of kind `inconsistent` or `rolled-back`: the state that the evidence names becomes
    /// the trusted one, never another state. If the database vanished or is empty, no state is trusted any more.
    ///
    /// # Errors
    /// No such alarm is open, there is nothing to adopt, the trusted state was replaced since, or a file cannot
    /// be written: then the alarm stays open.
    pub fn adopt(&self, id: &str, who: &str, now: Timestamp) -> Result<Adopted, StoreError> {
        let database = self.alarm(id)?.database;
        let hold = self.hold(Lock::Exclusive)?;
        let mut alarms = self.alarms(&database)?;
        let found = position(&alarms, id).and_then(|at| alarms.get(at));
        let Some(adopted) = found.filter(|alarm| alarm.is_open()).cloned() else {
            return Err(self.no_alarm(id, &alarms));
        };
        let trusted = self.apply(&hold, &adopted, now)?;
        let mut also_closed = Vec::new();
        for alarm in alarms.iter_mut().filter(|alarm| alarm.is_open()) {
            if alarm.id != adopted.id {
                if !alarm.is_about_history() || alarm.trusted != adopted.trusted {
                    continue;
                }
                also_closed.push(alarm.id.clone());
            }
            alarm.closed = Some(Closed::by_adoption(who, now));
        }
        self.write_alarms(&database, &alarms)?;
        Ok(Adopted {
            trusted,
            also_closed,
        })
    }

    /// Returns the changes that adopting an alarm makes.
    ///
    /// # Errors
    /// The files of the trusted state are damaged.
    pub fn adoption(&self, alarm: &Alarm) -> Result<Adoption, StoreError> {
        let _hold = self.hold(Lock::Shared)?;
        Ok(adoption(alarm, &self.record(&alarm.database)?))
    }

    /// Returns the alarm with this ID, open or closed, of whichever database. If two databases have alarms with
    /// the same ID, an open one is returned first.
    ///
    /// # Errors
    /// No alarm has this ID, or a list of alarms is damaged.
    pub fn alarm(&self, id: &str) -> Result<Alarm, StoreError> {
        let mut all = Vec::new();
        let mut unread = None;
        for database in self.databases()? {
            match self.all_alarms(&database) {
                Ok(alarms) => all.extend(alarms),
                Err(failure) => unread = Some(failure),
            }
        }
        match (position(&all, id).and_then(|at| all.get(at)), unread) {
            (Some(alarm), _) => Ok(alarm.clone()),
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(self.no_alarm(id, &all)),
        }
    }

    /// Returns all alarms of a database, also closed ones, in the order in which they were raised.
    ///
    /// # Errors
    /// The list is damaged, or the system refuses.
    pub fn all_alarms(&self, database: &str) -> Result<Vec<Alarm>, StoreError> {
        let _hold = self.hold(Lock::Shared)?;
        self.alarms(database)
    }

    fn no_alarm(&self, id: &str, known: &[Alarm]) -> StoreError {
        let open = known.iter().filter(|alarm| alarm.is_open());
        StoreError::NoAlarm {
            server: self.server().into(),
            alarm: id.into(),
            closed: known.iter().any(|alarm| alarm.id == id),
            open: open
                .map(|alarm| (alarm.id.clone(), alarm.kind, alarm.database.clone()))
                .collect(),
        }
    }

    pub(super) fn write_alarms(&self, database: &str, alarms: &[Alarm]) -> Result<(), StoreError> {
        let file = alarm::render(self.server(), database, alarms);
        files::replace(FileKind::Alarms, &self.alarms_path(database), &file)?;
        // what a reader would parse: `render` writes every field, and `parse` reads each as it was
        self.parsed_alarms
            .put(database, Digest::of(&[&file]), alarms);
        Ok(())
    }

    /// Makes the changes of an alarm's adoption to the trusted state.
    fn apply(
        &self,
        hold: &Hold,
        alarm: &Alarm,
        now: Timestamp,
    ) -> Result<Option<TrustedState>, StoreError> {
        let record = self.settled(hold, &alarm.database)?;
        match adoption(alarm, &record) {
            Adoption::Replace { given_up, adopted } => {
                let adopted = TrustedState {
                    database: alarm.database.clone(),
                    state: adopted,
                    shape: None,
                    signature: None,
                    last_signed: given_up.last_signed,
                    uuid: given_up.uuid,
                    since: now,
                    accepted: now,
                    how: TrustOrigin::Adopted {
                        alarm: alarm.id.clone(),
                    },
                };
                self.accept_state(hold, record.tail(), adopted).map(Some)
            }
            Adoption::Forget { given_up } => {
                let change = forgotten_by(alarm);
                self.forget(hold, record.tail(), &given_up, change, now)?;
                Ok(None)
            }
            Adoption::Done => Ok(record.trusted),
            Adoption::Overtaken { trusted } => Err(StoreError::Overtaken {
                database: alarm.database.clone(),
                alarm: alarm.id.clone(),
                then: alarm.trusted,
                now: trusted,
            }),
            Adoption::Nothing => Err(StoreError::NothingToAdopt {
                alarm: alarm.id.clone(),
                kind: alarm.kind,
            }),
        }
    }
}

/// Returns the position of the alarm with this ID, an open one first.
fn position(alarms: &[Alarm], id: &str) -> Option<usize> {
    let is = |alarm: &Alarm| alarm.id == id;
    let open = alarms.iter().position(|alarm| is(alarm) && alarm.is_open());
    open.or_else(|| alarms.iter().position(is))
}

fn adoption(alarm: &Alarm, record: &Record) -> Adoption {
    if !alarm.can_be_adopted() {
        return Adoption::Nothing;
    }
    if done_before(alarm, record) {
        return Adoption::Done;
    }
    let given_up = match &record.trusted {
        Some(trusted) if Some(trusted.state) == alarm.trusted => Box::new(trusted.clone()),
        other => {
            let trusted = other.as_ref().map(|trusted| trusted.state);
            return Adoption::Overtaken { trusted };
        }
    };
    match alarm.named() {
        Some(adopted) => Adoption::Replace { given_up, adopted },
        None => Adoption::Forget { given_up },
    }
}

/// Returns whether an earlier run changed the trusted state for this alarm and was killed before it could close
/// the alarm.
fn done_before(alarm: &Alarm, record: &Record) -> bool {
    match &record.trusted {
        Some(trusted) => {
            let how = TrustOrigin::Adopted {
                alarm: alarm.id.clone(),
            };
            trusted.how == how && Some(trusted.state) == alarm.shown
        }
        None => {
            let history = record.history.as_ref();
            let last = history.and_then(|history| history.entries.last());
            last.is_some_and(|last| last.change == forgotten_by(alarm))
        }
    }
}

fn forgotten_by(alarm: &Alarm) -> Change {
    Change::Forgotten {
        alarm: alarm.id.clone(),
    }
}
