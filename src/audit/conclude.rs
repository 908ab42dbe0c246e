//! From a conclusion to the outcome that is told: tampering is evidence and alarm before it is said.

use std::time::Duration;

use super::auditor::Auditor;
use super::capture;
use super::outcome::{Outcome, Warning};
use super::values::Report;
use super::verdict::{Reason, Verdict};
use crate::clock;
use crate::ledger::{Signature, State};
use crate::server::Kind;
use crate::trust::{self, Alarm, Claim, LocalFailure, Raised, Tampering, Trusted};

/// A verdict on its way to an outcome.
pub(super) struct Conclusion {
    pub(super) verdict: Verdict,
    /// The verdict on the state, if `verdict` is about transactions or values that were read.
    pub(super) of_state: Option<Verdict>,
    pub(super) reason: Reason,
    pub(super) shown: Option<State>,
    pub(super) warnings: Vec<Warning>,
    pub(super) grew: bool,
    pub(super) signature: Option<Signature>,
}

impl Conclusion {
    pub(super) fn new(verdict: Verdict, reason: Reason) -> Conclusion {
        Conclusion {
            verdict,
            of_state: None,
            reason,
            shown: None,
            warnings: Vec::new(),
            grew: false,
            signature: None,
        }
    }

    pub(super) fn local(failure: LocalFailure) -> Conclusion {
        Conclusion::new(Verdict::LocalFailure, Reason::Local(failure))
    }

    pub(super) fn showing(self, state: State) -> Conclusion {
        Conclusion {
            shown: Some(state),
            ..self
        }
    }
}

/// The alarms of one check.
struct Found {
    /// The alarm that is reported: one that the check opened, if there is one.
    alarm: Option<Alarm>,
    /// Whether the check opened an alarm.
    opened: bool,
    /// Why one of the alarms, or its evidence, could not be written.
    unwritten: Option<LocalFailure>,
}

impl Found {
    fn of(mut raised: Vec<Raised>) -> Found {
        let opened = raised.iter().any(|raised| raised.opened);
        let unwritten = raised.iter_mut().find_map(|raised| raised.unwritten.take());
        // an alarm that is not listed can be neither closed nor adopted
        raised.retain(|raised| raised.is_listed);
        raised.sort_by_key(|raised| !raised.opened); // stable: the first one that was opened
        Found {
            alarm: raised.into_iter().next().map(|raised| raised.alarm),
            opened,
            unwritten,
        }
    }
}

impl Auditor {
    /// Makes an outcome of a conclusion; tampering is written down as evidence and alarm.
    pub(super) fn conclude(
        &mut self,
        database: &str,
        trusted: Option<&Trusted>,
        conclusion: Conclusion,
    ) -> Outcome {
        let Conclusion {
            verdict,
            of_state,
            mut reason,
            shown,
            warnings,
            grew,
            signature,
        } = conclusion;
        let found = self.raise_what_accuses(database, verdict, &mut reason, trusted, shown);
        let Found {
            mut alarm,
            opened,
            unwritten,
        } = found;
        let state = of_state.unwrap_or(verdict);
        let proven = shown.filter(|_| state.is_proven());
        let (open_alarms, unread) = self.count_open_alarms(database, proven);
        let unwritten = unwritten.or(unread);
        let record = self.databases.of(database);
        if state.is_proven() {
            record.trusted_before |= shown.is_some_and(|shown| shown.tx > 0);
            record.age.proven(grew || state == Verdict::FirstSeen);
        }
        record.slow = match &reason {
            Reason::Failure(failure) => matches!(failure.kind, Kind::Deadline(_)),
            Reason::TookTooLong => true,
            _ => false,
        };
        let overdue = record
            .age
            .overdue(self.policy.interval, self.policy.expect_growth);
        let window = self.window_at_alarm(verdict, &reason, trusted, shown, alarm.as_ref());
        if let (Some(alarm), Some(window)) = (&mut alarm, &window) {
            let stands = window.stands.map_or(0, |stands| stands.tx);
            alarm.shares(Some(window.shown), stands);
        }
        Outcome {
            database: database.into(),
            verdict,
            of_state,
            reason,
            window,
            shown,
            previous: trusted.map(|trusted| trusted.state),
            signature,
            previous_signature: trusted.and_then(|trusted| trusted.signature.clone()),
            alarm,
            opened_alarm: opened,
            unwritten,
            open_alarms,
            overdue,
            values_overdue: self.values_overdue(database),
            warnings,
            duration: Duration::ZERO,
        }
    }

    fn raise_what_accuses(
        &self,
        database: &str,
        verdict: Verdict,
        reason: &mut Reason,
        trusted: Option<&Trusted>,
        shown: Option<State>,
    ) -> Found {
        match (verdict, reason) {
            (Verdict::Tampered(kind), Reason::Values(report)) => {
                self.raise_values(database, kind, report, trusted, shown)
            }
            (Verdict::Tampered(kind), reason) => {
                Found::of(vec![self.raise(database, kind, reason, trusted, shown)])
            }
            _ => Found::of(Vec::new()),
        }
    }

    /// Counts the open alarms, and notes on those about the history that the server showed the trusted history again if
    /// this check proved a state. An alarm whose list is damaged counts as open; a list that the system refuses to read
    /// is only a local failure.
    fn count_open_alarms(
        &self,
        database: &str,
        proven: Option<State>,
    ) -> (usize, Option<LocalFailure>) {
        let alarms = match self.store.open_alarms(Some(database)) {
            Ok(alarms) => alarms,
            Err(failure) => return (usize::from(failure.hides_alarms()), Some(failure)),
        };
        let unwritten = proven
            .filter(|_| alarms.iter().any(Alarm::may_be_shown_again))
            .and_then(|shown| {
                let noted = self.store.note_shown_again(database, shown, clock::now());
                noted.err()
            });
        (alarms.len(), unwritten)
    }

    fn raise(
        &self,
        database: &str,
        kind: Tampering,
        reason: &Reason,
        trusted: Option<&Trusted>,
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
        self.store.record_finding(&finding, clock::now())
    }

    /// An alarm for each broken transaction, known by it alone, so that finding it again in another
    /// cycle is no new finding; and one for a flood.
    fn raise_values(
        &self,
        database: &str,
        kind: Tampering,
        report: &mut Report,
        trusted: Option<&Trusted>,
        proven: Option<State>,
    ) -> Found {
        let uuid = self.identity();
        let trusted = self.read_against(database, trusted, proven);
        let finding = |kind, reason, shown, claim: Option<Claim>, answers| trust::Finding {
            database: database.into(),
            kind,
            reason,
            trusted: claim.and(trusted.clone()),
            claim,
            shown,
            uuid: uuid.clone(),
            identity_changed: false,
            answers,
        };
        let now = clock::now();
        let mut raised = Vec::new();
        for shows in &mut report.broken {
            let broken = &shows.broken;
            let answers = std::mem::take(&mut shows.answers);
            let (kind, reason) = (broken.what.tampering(), broken.to_string());
            let (shown, claim) = (Some(broken.state()), Some(broken.claim()));
            let finding = finding(kind, reason, shown, claim, answers);
            raised.push(self.store.record_finding(&finding, now));
        }
        if report.more_broken > 0 || raised.is_empty() {
            let reason = format!("more transactions are broken: {}", report.more_broken);
            let finding = finding(kind, reason, None, None, Vec::new());
            raised.push(self.store.record_finding(&finding, now));
        }
        Found::of(raised)
    }

    /// Returns the trusted state that transactions were read against: the stored one, which was proven just now.
    fn read_against(
        &self,
        database: &str,
        before: Option<&Trusted>,
        proven: Option<State>,
    ) -> Option<Trusted> {
        let state = proven?;
        let stored = self.store.load(database).ok().flatten();
        let stored = stored.filter(|trusted| trusted.state == state);
        stored.or_else(|| {
            before.map(|before| Trusted {
                state,
                signature: None,
                ..before.clone()
            })
        })
    }

    pub(super) fn local_failure(&mut self, database: &str, failure: LocalFailure) -> Outcome {
        self.conclude(database, None, Conclusion::local(failure))
    }
}
