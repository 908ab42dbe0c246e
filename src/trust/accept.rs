//! Accepting an alarm: the operator's word, which closes one finding and may change what is trusted.

use super::alarm::{self, Alarm, Closed};
use super::failure::LocalFailure;
use super::fault::Kind;
use super::files;
use super::finding::Tampering;
use super::history::Change;
use super::record::Record;
use super::store::{Hold, Store};
use super::text::cut;
use super::trusted::{How, Trusted};
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::sys::Lock;

/// What accepting an alarm did beside closing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// The state that the finding showed is trusted now.
    Adopted(Trusted),
    /// Nothing is trusted now, since the finding showed nothing: the next sight is a first one. What was trusted.
    Forgotten(State),
    /// Nothing: the finding is of a kind that says nothing about the trusted state.
    Closed,
    /// Nothing: what is trusted now is not what was trusted then. A state proven to extend it has replaced it, or
    /// another alarm was accepted.
    Overtaken,
}

/// What came of accepting an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What it did to what is trusted.
    pub acceptance: Acceptance,
    /// Other findings against the same trusted state, closed with it: a server that rewrote history
    /// and went on writing shows a new state at every check.
    pub closed_with_it: Vec<String>,
}

impl Store {
    /// Closes one open alarm. For `inconsistent` and `rolled-back` the state that the finding showed is adopted, and
    /// never another; where it showed none, or an empty database, what was trusted is forgotten.
    ///
    /// # Errors
    /// No such alarm is open, or it cannot be written: then it stays open.
    pub fn accept(
        &self,
        database: &str,
        alarm_id: &str,
        who: &str,
        now: Timestamp,
    ) -> Result<Accepted, LocalFailure> {
        let hold = self.hold(Lock::Exclusive)?;
        let mut alarms = self.alarms(database)?;
        let open = |alarm: &&mut Alarm| alarm.is_open() && alarm.id == alarm_id;
        let Some(alarm) = alarms.iter_mut().find(open) else {
            return Err(LocalFailure::NoAlarm {
                database: database.into(),
                alarm: alarm_id.into(),
                open: alarms
                    .iter()
                    .filter(|alarm| alarm.is_open())
                    .map(|alarm| alarm.id.clone())
                    .collect(),
            });
        };
        let acceptance = if is_about_history(alarm.kind) {
            self.adopt(&hold, alarm, now)?
        } else {
            Acceptance::Closed
        };
        let accepted = alarm.clone();
        let moved = matches!(
            acceptance,
            Acceptance::Adopted(_) | Acceptance::Forgotten(_)
        );
        let mut closed_with_it = Vec::new();
        for alarm in alarms.iter_mut().filter(|alarm| alarm.is_open()) {
            let itself = alarm.id == accepted.id;
            let with_it =
                moved && is_about_history(alarm.kind) && alarm.trusted == accepted.trusted;
            if !itself && with_it {
                closed_with_it.push(alarm.id.clone());
            }
            if itself || with_it {
                alarm.closed = Some(Closed {
                    who: cut(who, 200),
                    when: now,
                });
            }
        }
        let file = alarm::render(self.server(), database, &alarms);
        files::replace(Kind::Alarms, &self.alarms_path(database), &file)?;
        Ok(Accepted {
            acceptance,
            closed_with_it,
        })
    }

    /// All alarms of a database with who closed which, in the order in which they were raised.
    ///
    /// # Errors
    /// The list is damaged, or the system refuses.
    pub fn all_alarms(&self, database: &str) -> Result<Vec<Alarm>, LocalFailure> {
        let _hold = self.hold(Lock::Shared)?;
        self.alarms(database)
    }

    fn adopt(
        &self,
        hold: &Hold,
        alarm: &Alarm,
        now: Timestamp,
    ) -> Result<Acceptance, LocalFailure> {
        let record = self.settled(hold, &alarm.database)?;
        let shown = alarm.shown.filter(|state| state.tx > 0);
        if let Some(done) = done_before(alarm, &record, shown) {
            return Ok(done);
        }
        let before = match &record.trusted {
            Some(trusted) if Some(trusted.state) == alarm.trusted => trusted.clone(),
            _ => return Ok(Acceptance::Overtaken),
        };
        let Some(shown) = shown else {
            let change = Change::Forgotten {
                alarm: alarm.id.clone(),
            };
            self.forget(hold, &record, &before, change, now)?;
            return Ok(Acceptance::Forgotten(before.state));
        };
        if shown == before.state {
            return Ok(Acceptance::Closed); // a hidden database that shows what is trusted
        }
        let adopted = Trusted {
            database: alarm.database.clone(),
            state: shown,
            shape: None,
            signature: None,
            uuid: before.uuid,
            since: now,
            accepted: now,
            how: How::Adopted {
                alarm: alarm.id.clone(),
            },
        };
        let adopted = self.accept_state(hold, &record, adopted)?;
        Ok(Acceptance::Adopted(adopted))
    }
}

/// Does a finding of this kind say which state the server shows instead of the trusted one?
fn is_about_history(kind: Tampering) -> bool {
    matches!(kind, Tampering::Inconsistent | Tampering::RolledBack)
}

/// What an earlier run did, that was killed before it could close the alarm.
fn done_before(alarm: &Alarm, record: &Record, shown: Option<State>) -> Option<Acceptance> {
    match (&record.trusted, shown) {
        (Some(trusted), Some(shown)) if trusted.state == shown => {
            let how = How::Adopted {
                alarm: alarm.id.clone(),
            };
            (trusted.how == how).then(|| Acceptance::Adopted(trusted.clone()))
        }
        (None, None) => {
            let last = record.history.as_ref()?.entries.last()?;
            Some(Acceptance::Forgotten(last.state))
        }
        _ => None,
    }
}
