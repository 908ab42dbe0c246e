//! Creates the outcome that is reported. Evidence and alarm are written before tampering is reported.

use std::time::Duration;

use super::auditor::Auditor;
use super::capture;
use super::outcome::{Outcome, Warning};
use super::peers::Split;
use super::values::{Alarms, Report};
use super::verdict::{Reason, Verdict};
use crate::ledger::{Signature, State};
use crate::trust::{self, Alarm, Raised, StoreError, Tampering, TrustedState};

/// A verdict whose evidence and alarm are not written yet.
pub(super) struct PendingOutcome {
    pub(super) verdict: Verdict,
    /// The verdict on the state, if `verdict` is about transactions or values that were read.
    pub(super) of_state: Option<Verdict>,
    pub(super) reason: Reason,
    /// The result of reading transactions and values, if it is the verdict.
    pub(super) values: Option<Box<Report>>,
    pub(super) shown: Option<State>,
    pub(super) warnings: Vec<Warning>,
    pub(super) grew: bool,
    pub(super) signature: Option<Signature>,
    /// Whether the server's state was requested.
    pub(super) asked: bool,
    /// The proof that another auditor was shown another history.
    pub(super) split: Option<Box<Split>>,
}

impl PendingOutcome {
    pub(super) fn new(verdict: Verdict, reason: Reason) -> PendingOutcome {
        PendingOutcome {
            verdict,
            of_state: None,
            reason,
            values: None,
            shown: None,
            warnings: Vec::new(),
            grew: false,
            signature: None,
            asked: true,
            split: None,
        }
    }

    pub(super) fn local(failure: StoreError) -> PendingOutcome {
        PendingOutcome::new(Verdict::LocalFailure, Reason::Local(failure))
    }

    pub(super) fn showing(self, state: State) -> PendingOutcome {
        PendingOutcome {
            shown: Some(state),
            ..self
        }
    }
}

impl Auditor {
    /// Creates the outcome of a check; tampering is stored as evidence and alarm.
    pub(super) fn report_outcome(
        &mut self,
        database: &str,
        trusted: Option<&TrustedState>,
        conclusion: PendingOutcome,
    ) -> Outcome {
        let PendingOutcome {
            verdict,
            of_state,
            reason,
            mut values,
            shown,
            warnings,
            grew,
            signature,
            asked,
            split,
        } = conclusion;
        let is_split = split.is_some();
        let (mut verdict, mut of_state, mut reason, of_split) = match split.map(|split| *split) {
            Some(Split { reason, alarms, .. }) if !verdict.is_tampering() => {
                let of_state = of_state.or(Some(verdict));
                let verdict = Verdict::Tampered(Tampering::SplitView);
                (verdict, of_state, reason, Some(alarms))
            }
            Some(Split { alarms, .. }) => (verdict, of_state, reason, Some(alarms)),
            None => (verdict, of_state, reason, None),
        };
        let mut alarms = match (verdict, &mut values) {
            // alarms about values are recorded while they are read
            (_, Some(report)) => std::mem::take(&mut report.alarms),
            (Verdict::Tampered(Tampering::SplitView), None) if is_split => Alarms::default(),
            (Verdict::Tampered(kind), None) if self.may_raise(database, trusted) => {
                let raised = self.raise(database, kind, &reason, trusted, shown);
                Alarms::of(raised)
            }
            (_, None) => Alarms::default(),
        };
        if let Some(of_split) = of_split {
            alarms.join(of_split);
        }
        if let Some(changed) = alarms.take_given_up() {
            // nothing is known about the new state before the next check
            (verdict, of_state) = (Verdict::LocalFailure, None);
            (reason, values) = (Reason::Local(changed), None);
        }
        let mut alarm = alarms.reported().cloned();
        let state = of_state.unwrap_or(verdict);
        let proven = shown.filter(|_| state.is_proven());
        let still_unstored = self.store_unstored(database);
        let (open_alarms, unreadable_alarms, not_noted) = self.count_open_alarms(database, proven);
        let unwritten = alarms.unwritten.or(still_unstored).or(not_noted);
        // an alarm cannot be added to a list that cannot be read: that is one failure
        let unwritten = unwritten.filter(|failure| unreadable_alarms.as_ref() != Some(failure));
        let now = self.now();
        let record = self.databases.of(database);
        if state.is_proven() {
            record.trusted_before |= shown.is_some_and(|shown| shown.tx > 0);
            record.age.proven(now, grew || state == Verdict::FirstSeen);
        }
        let overdue = record
            .age
            .overdue(now, self.policy.interval, self.policy.max_idle);
        // a hidden database is only missing from the list; its history is not rewritten
        let about_state = values.is_none() && !is_split && !matches!(reason, Reason::Hidden);
        let window = self.window_at_alarm(verdict, about_state, trusted, shown, alarm.as_ref());
        if let (Some(alarm), Some(window)) = (&mut alarm, &window) {
            let intact = window.intact.map_or(0, |intact| intact.tx);
            alarm.shares(Some(window.shown), intact);
        }
        let (peers, peers_overdue) = self.peer_reports(database);
        Outcome {
            database: database.into(),
            verdict,
            of_state,
            reason,
            values,
            window,
            shown,
            previous: trusted.map(|trusted| trusted.state),
            signature,
            previous_signature: trusted.and_then(|trusted| trusted.signature.clone()),
            alarm,
            opened: alarms.opened,
            unwritten,
            unreadable_alarms,
            open_alarms,
            overdue,
            values_overdue: self.values_overdue(database, trusted.filter(|_| !grew)),
            peers,
            peers_overdue,
            warnings,
            duration: Duration::ZERO,
            is_untrusted: false,
            asked,
        }
    }

    /// Counts the open alarms, and the findings that are not stored. If this check proved a state, alarms about the
    /// history also get a note that the server showed the trusted history again. An alarm whose list is damaged counts
    /// as open; a list that the system refuses to read is only a local failure. Also returns the reason why the list
    /// cannot be read, and the reason why the note cannot be written.
    fn count_open_alarms(
        &self,
        database: &str,
        proven: Option<State>,
    ) -> (usize, Option<StoreError>, Option<StoreError>) {
        let alarms = match self.store.open_alarms(Some(database)) {
            Ok(alarms) => alarms,
            Err(failure) => {
                let count = self.count_with_unstored(database, Err(&failure));
                return (count, Some(failure), None);
            }
        };
        let unwritten = proven
            .filter(|_| alarms.iter().any(Alarm::may_be_shown_again))
            .and_then(|shown| {
                let noted = self
                    .store
                    .note_shown_again(database, shown, self.wall_time());
                noted.err()
            });
        let count = self.count_with_unstored(database, Ok(&alarms));
        (count, None, unwritten)
    }

    /// Stores a finding with the recorded responses as evidence, and opens its alarm.
    pub(super) fn raise(
        &mut self,
        database: &str,
        kind: Tampering,
        reason: &Reason,
        trusted: Option<&TrustedState>,
        shown: Option<State>,
    ) -> Raised {
        let uuid = self.identity();
        let answers = capture::answers(self.server.transcript());
        let recorded = trusted.and_then(|trusted| trusted.uuid.as_ref());
        let finding = trust::Finding {
            database: database.into(),
            kind,
            reason: reason.to_string(),
            trusted: trusted.cloned(),
            claim: None,
            shown,
            identity_changed: recorded.is_some() && recorded != uuid.as_ref(),
            uuid,
            answers,
        };
        self.record_finding(finding)
    }

    pub(super) fn local_failure(&mut self, database: &str, failure: StoreError) -> Outcome {
        self.report_outcome(database, None, PendingOutcome::local(failure))
    }
}
