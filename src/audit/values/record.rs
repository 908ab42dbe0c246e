//! Records findings. Each becomes evidence and an alarm immediately, so that a killed process loses none. Memory holds
//! one finding at a time, and those that could not be stored.

use super::finding::CorruptEntry;
use crate::audit::unstored::Unstored;
use crate::ledger::State;
use crate::trust::{
    self, Alarm, Answer, Claim, Raised, Store, StoreError, Tampering, TrustedState,
};

/// Writes the findings of one reading to disk.
pub struct Recorder<'a> {
    /// The store of evidence and alarms.
    pub store: &'a Store,
    /// The findings that could not be stored, to which this reading adds its own.
    pub(in crate::audit) unstored: &'a mut Unstored,
    /// The present cycle.
    pub cycle: u64,
    /// The database that is read.
    pub database: &'a str,
    /// The state that was trusted before this check.
    pub before: Option<TrustedState>,
    /// The state that transactions are read against. It was proven just now.
    pub proven: State,
}

impl Recorder<'_> {
    /// Returns the trusted state that transactions are read against, from the store if it is there. It is only needed
    /// for a finding, so a reading without one does not load it.
    fn trusted(&self) -> Option<TrustedState> {
        let stored = self.store.load(self.database).ok().flatten();
        let stored = stored.filter(|trusted| trusted.state == self.proven);
        let replaced = |before: &TrustedState| before.replaced_by(self.proven);
        stored.or_else(|| self.before.as_ref().map(replaced))
    }

    /// Stores evidence and alarm of a corrupt transaction. The transaction alone identifies the finding, so the same
    /// finding in another cycle is not new. `uuid` is the identity that the server claims.
    pub(super) fn record(
        &mut self,
        broken: &CorruptEntry,
        uuid: Option<String>,
        answers: Vec<Answer>,
    ) -> Raised {
        let finding = trust::Finding {
            trusted: self.trusted(),
            claim: Some(broken.claim()),
            shown: Some(broken.state()),
            answers,
            ..self.finding(broken.what.tampering(), broken.to_string(), uuid)
        };
        self.write(finding)
    }

    /// Writes one alarm for all findings past those that are recorded.
    pub(super) fn record_flood(
        &mut self,
        kind: Tampering,
        more: u64,
        uuid: Option<String>,
    ) -> Raised {
        let reason = format!("more transactions are corrupt: {more}");
        self.write(self.finding(kind, reason, uuid))
    }

    fn write(&mut self, finding: trust::Finding) -> Raised {
        let now = self.store.clock().now();
        self.unstored.record(self.store, finding, now, self.cycle)
    }

    fn finding(&self, kind: Tampering, reason: String, uuid: Option<String>) -> trust::Finding {
        trust::Finding {
            database: self.database.into(),
            kind,
            reason,
            trusted: None,
            claim: None::<Claim>,
            shown: None,
            uuid,
            identity_changed: false,
            answers: Vec::new(),
        }
    }
}

/// The alarms of one check.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    /// The alarm that is reported, and the transaction that it is about.
    reported: Option<(Rank, Alarm)>,
    /// The alarms that the check opened: one for each finding that is recorded, and one for the rest.
    pub opened: Vec<Alarm>,
    /// The reason why one of the alarms, or its evidence, could not be written.
    pub unwritten: Option<StoreError>,
}

/// The order of alarms in reports: first the ones that the check opened, then by transaction.
type Rank = (bool, u64);

impl Alarms {
    /// Creates the alarms of a check with one finding, which is about the state.
    pub(in crate::audit) fn of(raised: Raised) -> Alarms {
        let mut alarms = Alarms::default();
        alarms.add(raised, 0);
        alarms
    }

    /// Adds the alarm of a finding about this transaction.
    pub(super) fn add(&mut self, raised: Raised, tx: u64) {
        if raised.opened {
            self.opened.push(raised.alarm.clone());
        }
        self.unwritten = self.unwritten.take().or(raised.unwritten);
        // an operator can neither close nor adopt an alarm that is not listed
        if !raised.is_listed {
            return;
        }
        let rank = (!raised.opened, tx);
        // at the limit of alarms, a new one replaces the last, which may be the reported one
        let displaces = raised.opened && raised.alarm.displaced > 0;
        match &self.reported {
            Some((reported, _)) if *reported <= rank && !displaces => {}
            _ => self.reported = Some((rank, raised.alarm)),
        }
    }

    /// Adds the alarms of another finding, which are reported after these.
    pub(in crate::audit) fn join(&mut self, other: Alarms) {
        self.opened.extend(other.opened);
        self.unwritten = self.unwritten.take().or(other.unwritten);
        self.reported = self.reported.take().or(other.reported);
    }

    /// Takes the failure to open an alarm about a trusted state that was given up during the check, if there is no
    /// other alarm.
    pub(in crate::audit) fn take_given_up(&mut self) -> Option<StoreError> {
        let is_given_up = matches!(self.unwritten, Some(StoreError::Changed { .. }));
        match is_given_up && self.reported.is_none() && self.opened.is_empty() {
            true => self.unwritten.take(),
            false => None,
        }
    }

    /// Returns the alarm to report: an alarm that the check opened, if there is one, of the first transaction.
    pub fn reported(&self) -> Option<&Alarm> {
        self.reported.as_ref().map(|(_, alarm)| alarm)
    }
}
