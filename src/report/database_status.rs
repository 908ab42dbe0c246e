//! The status of one database in the registry: its last check, alarms and values.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audit::{DetectionProbability, Outcome, Overdue, PeerReport, Reason, Verdict, Warning};
use crate::clock::{Clock, Timestamp};
use crate::config;
use crate::ledger::{Signature, State};
use crate::report::condition::Facts;
use crate::report::timeline::Timeline;
use crate::report::values::Values;
use crate::trust::{Alarm, Tampering};

/// The status of one database.
#[derive(Clone, Debug)]
pub struct DatabaseStatus {
    /// Its name.
    pub database: String,
    /// Whether the settings select it, so that checks of it are expected.
    pub is_audited: bool,
    /// The last verdict; `None` before the first check.
    pub verdict: Option<Verdict>,
    /// The time since when the verdict is the same; unknown for a run before this one.
    pub since: Option<Timestamp>,
    /// The reason for the verdict.
    pub why: String,
    /// The time of the last check.
    pub checked: Option<Timestamp>,
    /// The moment at which the last check of this run ended, or the row was made: times of `checked` are whole seconds.
    pub(super) moment: Instant,
    /// The time of the last check that proved the state.
    pub proven: Option<Timestamp>,
    /// The trusted state.
    pub trusted: Option<State>,
    /// The signature of the trusted state, if it is known.
    pub signature: Option<Signature>,
    /// The state that the server showed last.
    pub shown: Option<State>,
    /// The state that was trusted before the last check.
    pub previous: Option<State>,
    /// Alarms that wait for the operator.
    pub open_alarms: usize,
    /// The last open alarm.
    pub alarm: Option<String>,
    /// The known kinds of its open alarms.
    pub alarm_kinds: BTreeSet<Tampering>,
    /// Whether the database was not proven in time: in the last check, or by the moment of the snapshot.
    pub overdue: bool,
    /// The end of the last check in this run that proved the state; if none did, the time at which the row was
    /// made.
    pub(super) unproven_since: Instant,
    /// Whether values were not read in time.
    pub values_overdue: bool,
    /// The reports of the peers about it.
    pub peers: Arc<[PeerReport]>,
    /// Whether peers were not compared in time, or too few confirmed.
    pub peers_overdue: bool,
    /// Whether the state was signed before and is not signed now.
    pub signature_dropped: bool,
    /// Transactions that were proven to be part of the ledger, in this run.
    pub transactions: u64,
    /// The number of proofs that were accepted, in this run.
    pub proofs: u64,
    /// The signed checkpoint of the last state that was proven in this run, if this auditor has a key.
    pub checkpoint: Option<Arc<str>>,
    /// The progress of reading its values.
    pub values: Values,
    /// The last 24 hours.
    pub timeline: Timeline,
}

impl DatabaseStatus {
    pub(super) fn new(database: &str, now: Instant) -> DatabaseStatus {
        DatabaseStatus {
            database: database.into(),
            is_audited: true,
            verdict: None,
            since: None,
            why: String::new(),
            checked: None,
            moment: now,
            proven: None,
            trusted: None,
            signature: None,
            shown: None,
            previous: None,
            open_alarms: 0,
            alarm: None,
            alarm_kinds: BTreeSet::new(),
            overdue: false,
            unproven_since: now,
            values_overdue: false,
            peers: Arc::from([]),
            peers_overdue: false,
            signature_dropped: false,
            transactions: 0,
            proofs: 0,
            checkpoint: None,
            values: Values::default(),
            timeline: Timeline::default(),
        }
    }

    pub(super) fn take(&mut self, outcome: &Outcome, now: Timestamp, moment: Instant) {
        if self.verdict != Some(outcome.verdict) {
            self.verdict = Some(outcome.verdict);
            self.since = Some(now);
        }
        self.is_audited = true;
        self.why = outcome.why();
        self.checked = Some(now);
        self.moment = moment;
        self.shown = outcome.shown;
        self.previous = outcome.previous;
        self.open_alarms = outcome.open_alarms;
        self.overdue = outcome.overdue.is_some();
        self.values_overdue = outcome.values_overdue.is_some();
        self.peers = outcome.peers.clone().into();
        self.peers_overdue = outcome.peers_overdue.is_some();
        if is_unsigned(outcome) || outcome.is_proven() {
            // a check without a state does not show whether states are signed
            self.signature_dropped = is_unsigned(outcome);
        }
        if let Some(alarm) = &outcome.alarm {
            self.alarm = Some(alarm.id.clone());
            self.alarm_kinds.insert(alarm.kind);
        } else if outcome.open_alarms == 0 {
            self.alarm = None;
            self.alarm_kinds.clear();
        }
        if outcome.is_proven() {
            self.proven = Some(now);
            self.unproven_since = moment;
            if outcome.shown != outcome.previous {
                let tx = |state: Option<State>| state.map_or(0, |state| state.tx);
                if outcome.previous.is_some() {
                    self.transactions += tx(outcome.shown).saturating_sub(tx(outcome.previous));
                    self.proofs += 1;
                }
                self.signature.clone_from(&outcome.signature);
            }
            self.trusted = outcome.shown.filter(|state| state.tx > 0).or(self.trusted);
        } else if outcome.previous.is_some() {
            self.trusted = outcome.previous;
        }
        self.timeline
            .note(now, self.open_alarms > 0, outcome.verdict);
    }

    /// Returns the probability that an edited value is found within a day ([`Values::chance`]); `None` if the database
    /// has no trusted state or is not audited.
    pub(super) fn chance(
        &self,
        planned: &config::Values,
        interval: Duration,
        now: Timestamp,
    ) -> Option<DetectionProbability> {
        let trusted = self.trusted.filter(|_| self.is_audited)?;
        Some(self.values.chance(planned, interval, trusted.tx, now))
    }

    /// Forgets the results of checks, because no check of an unselected database replaces them. Alarms, counters and
    /// the trusted state stay.
    pub(super) fn deselect(&mut self) {
        let empty = DatabaseStatus::new(&self.database, self.moment);
        *self = DatabaseStatus {
            is_audited: false,
            checked: self.checked,
            proven: self.proven,
            trusted: self.trusted,
            signature: self.signature.take(),
            open_alarms: self.open_alarms,
            alarm: self.alarm.take(),
            alarm_kinds: std::mem::take(&mut self.alarm_kinds),
            transactions: self.transactions,
            proofs: self.proofs,
            values: self.values.without_unread(),
            timeline: self.timeline.clone(),
            ..empty
        };
    }

    /// Records the open alarms, of which other commands may have opened or closed some.
    pub(super) fn note_alarms(&mut self, open: &[Alarm]) {
        self.open_alarms = open.len();
        self.alarm_kinds = open.iter().map(|alarm| alarm.kind).collect();
        let is_open = |id: &String| open.iter().any(|alarm| alarm.id == *id);
        if !self.alarm.as_ref().is_some_and(is_open) {
            self.alarm = open.last().map(|alarm| alarm.id.clone());
        }
    }

    /// Returns the time since the last check in this run that proved the state. A database that was not checked in
    /// this run is not audited, or waits for the end of the first cycle.
    pub(super) fn unproven_for(&self, clock: &Clock) -> Option<Duration> {
        let checked = self.verdict.is_some();
        checked.then(|| clock.since(self.unproven_since))
    }

    /// Marks the database as overdue although the last check was in time: it was not proven for this long.
    pub(super) fn mark_overdue(&mut self, time: Duration) {
        self.overdue = true;
        let between = if self.why.is_empty() { "" } else { "; " };
        self.why
            .push_str(&format!("{between}{}", Overdue::Unproven(time)));
    }

    /// Returns whether the database needs immediate action.
    pub fn is_alarming(&self) -> bool {
        self.open_alarms > 0 || self.verdict.is_some_and(Verdict::is_tampering)
    }

    /// Returns the facts that decide the database's condition.
    pub fn facts(&self) -> Facts {
        Facts {
            is_audited: self.is_audited,
            is_alarming: self.is_alarming(),
            is_complete: self.is_proven() && !self.is_late() && !self.is_contradicted(),
            due: self.values.due,
            behind: self.values.behind(self.trusted),
            absent: self.values.absent,
            is_unsigned: self.signature_dropped,
        }
    }

    fn is_late(&self) -> bool {
        self.overdue || self.values_overdue || self.peers_overdue
    }

    /// Returns whether a peer's checkpoint contradicts the state that the server shows here, and an operator has
    /// not closed that.
    pub fn is_contradicted(&self) -> bool {
        self.peers.iter().any(|peer| peer.disagreement.is_some())
    }

    /// Returns whether the last check's proof was complete.
    pub fn is_proven(&self) -> bool {
        self.verdict.is_some_and(Verdict::is_proven)
    }
}

fn is_unsigned(outcome: &Outcome) -> bool {
    matches!(outcome.reason, Reason::Signature(_))
        || outcome.warnings.contains(&Warning::SignatureDropped)
}
