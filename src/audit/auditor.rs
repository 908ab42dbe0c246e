//! One database: what is trusted of it, what the check found, and what is written down of that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::check::{self, Demands, Finding};
use super::due::Ages;
use super::keep::Kept;
use super::locate;
use super::policy::Policy;
use super::values::{Report, Scan};
use super::verdict::{Outcome, Reason, Verdict, Warning};
use crate::clock;
use crate::config::FirstSight;
use crate::ledger::{ClaimedState, Proven, Signature, State, StateShape};
use crate::locate::Window;
use crate::server::{Exchange, Failure, Kind, Server};
use crate::text::Shown;
use crate::trust::{
    self, Alarm, How, LocalFailure, Mirror, Progress, Seen, Store, Tampering, Timestamp, Trusted,
};

/// Audits one server.
pub struct Auditor {
    pub(super) server: Server,
    pub(super) store: Store,
    pub(super) policy: Policy,
    pub(super) ages: Ages,
    /// Databases whose last check ran into a deadline: they go last.
    pub(super) slow: BTreeSet<String>,
    /// Pins held against the trusted state in this run.
    pub(super) pins_held: BTreeSet<usize>,
    /// The state's shape over all databases: a newer one is never left again.
    pub(super) shape: Option<StateShape>,
    /// Databases of which something was trusted when this run began.
    pub(super) audited_before: BTreeSet<String>,
    /// How far the values of each database were read.
    pub(super) progress: BTreeMap<String, Progress>,
    /// What each database's scans allow.
    pub(super) scans: BTreeMap<String, Scan>,
    /// Databases whose state was proven in the last check: a sweep goes on with these.
    pub(super) readable: BTreeSet<String>,
    /// What is on disk of the last verdicts and of the progress.
    pub(super) kept: Kept,
    /// When the progress of a sweep was last written down.
    pub(super) saved: Option<Instant>,
    /// Where each database was found to be rewritten last.
    pub(super) windows: BTreeMap<String, Window>,
    /// What is left to this cycle for finding that.
    pub(super) locating: Duration,
    /// Bytes that mirrors may take; `None`: none is kept.
    pub(super) mirror_most: Option<u64>,
    /// Mirrors that are being added to.
    pub(super) mirrors: BTreeMap<String, Mirror>,
    /// Databases whose mirror is to be looked after before the next cycle.
    pub(super) to_mirror: BTreeSet<String>,
    /// What was said of those that could not be.
    pub(super) unmirrored: BTreeMap<String, String>,
}

impl Auditor {
    /// An auditor of `server` that believes what is in `store`.
    pub fn new(server: Server, store: Store, policy: Policy) -> Auditor {
        let mut ages = Ages::new(policy.interval, policy.expect_growth);
        let now = clock::now();
        let outcomes = store.load_outcomes();
        for record in &outcomes {
            let age = |at: Timestamp| Duration::from_secs(now.unix().saturating_sub(at.unix()));
            if let Some(proven) = record.proven {
                ages.remember(
                    &record.database,
                    age(proven),
                    age(record.grown.unwrap_or(proven)),
                );
            }
        }
        let audited_before = outcomes
            .iter()
            .filter(|record| ["first-seen", "consistent"].contains(&record.verdict.as_str()))
            .map(|record| record.database.clone())
            .collect();
        let progress = store.load_progress().into_iter();
        Auditor {
            progress: progress.map(|of| (of.database.clone(), of)).collect(),
            scans: BTreeMap::new(),
            kept: Kept::new(outcomes),
            audited_before,
            readable: BTreeSet::new(),
            saved: None,
            windows: BTreeMap::new(),
            locating: locate::A_CYCLE,
            mirror_most: None,
            mirrors: BTreeMap::new(),
            to_mirror: BTreeSet::new(),
            unmirrored: BTreeMap::new(),
            server,
            store,
            policy,
            ages,
            slow: BTreeSet::new(),
            pins_held: BTreeSet::new(),
            shape: None,
        }
    }

    /// What was not as it should be with the files since the last call.
    pub fn store_warnings(&mut self) -> Vec<trust::Warning> {
        self.store.warnings()
    }

    /// A database that the server lists, from its state to its verdict; `None` where the program
    /// is asked to end.
    pub(super) fn check_listed(&mut self, database: &str) -> Option<Outcome> {
        self.server.begin_transcript();
        self.readable.remove(database);
        let trusted = match self.trusted(database) {
            Ok(trusted) => trusted,
            Err(failure) => return Some(self.local_failure(database, failure)),
        };
        let state = trusted.as_ref().map(|trusted| trusted.state);
        let demands = self.demands();
        let finding = check::check(&mut self.server, database, state, &demands);
        let conclusion = self.act(database, trusted.as_ref(), finding)?;
        let conclusion = self.with_pins(database, conclusion)?;
        let conclusion = self.with_values(database, trusted.as_ref(), conclusion)?;
        Some(self.conclude(database, trusted.as_ref(), conclusion))
    }

    /// A state that is proven is a state to read values against; what they show does not undo it.
    fn with_values(
        &mut self,
        database: &str,
        before: Option<&Trusted>,
        conclusion: Conclusion,
    ) -> Option<Conclusion> {
        let shown = match (conclusion.verdict, conclusion.shown) {
            (Verdict::FirstSeen | Verdict::Consistent, Some(shown)) => shown,
            _ => return Some(conclusion),
        };
        let since = match before {
            Some(before) => before.since,
            None => match self.store.load(database) {
                Ok(Some(trusted)) => trusted.since,
                _ => return Some(conclusion), // the next check tells what is wrong with it
            },
        };
        let before = before.map(|before| before.state);
        let report = self.read_values(database, shown, before, since)?;
        self.readable.insert(database.into());
        let Some(verdict) = report.verdict() else {
            return Some(conclusion);
        };
        self.ages.proven(
            database,
            conclusion.grew || conclusion.verdict == Verdict::FirstSeen,
        );
        Some(Conclusion {
            verdict,
            reason: Reason::Values(Box::new(report)),
            ..conclusion
        })
    }

    /// What is trusted of a database; a pin where nothing is yet.
    fn trusted(&self, database: &str) -> Result<Option<Trusted>, LocalFailure> {
        let pin = self.policy.pins.iter().find(|pin| pin.database == database);
        match (self.store.load(database), pin) {
            (Ok(Some(trusted)), _) => Ok(Some(trusted)),
            (Ok(None), None) if self.audited_before.contains(database) => {
                self.store.nothing_lost(database).map(|()| None)
            }
            (loaded, None) => loaded,
            // nothing there, or damaged: the operator says where to go on
            (_, Some(pin)) => self.store.pin(database, pin.state, clock::now()).map(Some),
        }
    }

    /// A database that the server does not list. Only one with a trusted state can vanish: is it
    /// gone, or hidden?
    pub(super) fn check_unlisted(&mut self, database: &str) -> Option<Outcome> {
        self.server.begin_transcript_with_list();
        let trusted = match self.trusted(database) {
            Ok(Some(trusted)) => trusted,
            Ok(None) => {
                let gone = Conclusion::new(Verdict::Empty, Reason::Unlisted);
                return Some(self.conclude(database, None, gone));
            }
            Err(failure) => return Some(self.local_failure(database, failure)),
        };
        let rolled_back = Verdict::Tampered(Tampering::RolledBack);
        let conclusion = match self.server.open(database) {
            Ok(()) => match self.server.databases() {
                // given back, or restored, since the list was read
                Ok(names) if names.iter().any(|name| name == database.as_bytes()) => {
                    return self.check_listed(database);
                }
                Ok(_) => self.check_hidden(database, &trusted)?,
                Err(failure) => {
                    let verdict = check::sort(&failure, false)?;
                    Conclusion::new(verdict, Reason::Failure(failure))
                }
            },
            Err(failure) => match check::sort(&failure, true)? {
                verdict if verdict == rolled_back => Conclusion::new(verdict, Reason::Vanished),
                verdict => Conclusion::new(verdict, Reason::Failure(failure)),
            },
        };
        Some(self.conclude(database, Some(&trusted), conclusion))
    }

    /// A hidden database is checked like any other; what is found there counts if it is worse.
    fn check_hidden(&mut self, database: &str, trusted: &Trusted) -> Option<Conclusion> {
        let demands = self.demands();
        let finding = check::check(&mut self.server, database, Some(trusted.state), &demands);
        let conclusion = self.act(database, Some(trusted), finding)?;
        Some(if conclusion.verdict.is_tampering() {
            conclusion
        } else {
            Conclusion {
                verdict: Verdict::Tampered(Tampering::RolledBack),
                reason: Reason::Hidden,
                // it shows something: accepting this must not forget what is trusted
                shown: conclusion.shown.or(Some(trusted.state)),
                ..conclusion
            }
        })
    }

    fn local_failure(&mut self, database: &str, failure: LocalFailure) -> Outcome {
        self.conclude(database, None, Conclusion::local(failure))
    }

    /// Writes down what a check found, trusted states before anything else.
    fn act(
        &mut self,
        database: &str,
        trusted: Option<&Trusted>,
        finding: Finding,
    ) -> Option<Conclusion> {
        Some(match finding {
            Finding::Stopped => return None,
            Finding::Empty => Conclusion::new(Verdict::Empty, Reason::None).showing(State::EMPTY),
            Finding::First(claimed) => self.first_sight(database, &claimed),
            Finding::Same(claimed) => self.same(trusted, &claimed),
            Finding::Extended(claimed, proven) => self.advance(trusted, &claimed, &proven),
            Finding::Refused {
                verdict,
                reason,
                shown,
                signature,
            } => Conclusion {
                shown,
                signature,
                ..Conclusion::new(verdict, reason)
            },
        })
    }

    fn first_sight(&mut self, database: &str, claimed: &ClaimedState) -> Conclusion {
        let shown = claimed.state;
        if self.policy.first_sight == FirstSight::Refused {
            return Conclusion::new(Verdict::Refused, Reason::FirstSightRefused).showing(shown);
        }
        let seen = self.seen(claimed);
        let written = self
            .store
            .first_sight(database, &seen, How::FirstSeen, clock::now());
        match written {
            Ok(_) => {
                self.see_shape(claimed.shape);
                let mut conclusion =
                    Conclusion::new(Verdict::FirstSeen, Reason::None).showing(shown);
                conclusion.signature.clone_from(&claimed.signature);
                conclusion.warnings.extend(self.known_elsewhere());
                conclusion
            }
            Err(failure) => Conclusion::local(failure).showing(shown),
        }
    }

    fn same(&mut self, trusted: Option<&Trusted>, claimed: &ClaimedState) -> Conclusion {
        let mut conclusion =
            Conclusion::new(Verdict::Consistent, Reason::None).showing(claimed.state);
        conclusion.signature.clone_from(&claimed.signature);
        if let Some(trusted) = trusted {
            conclusion.warnings = self.warnings(trusted, claimed);
            if self.new_identity(trusted).is_some() {
                let now = clock::now();
                let identity = self.identity();
                if let Err(failure) = self.store.note_identity(trusted, identity.as_deref(), now) {
                    return Conclusion::local(failure).showing(claimed.state);
                }
            }
        }
        self.see_shape(claimed.shape);
        conclusion
    }

    fn advance(
        &mut self,
        trusted: Option<&Trusted>,
        claimed: &ClaimedState,
        proven: &Proven,
    ) -> Conclusion {
        let Some(trusted) = trusted else {
            // no proof is made without a trusted state
            return Conclusion::new(Verdict::Refused, Reason::FirstSightRefused);
        };
        let mut seen = self.seen(claimed);
        if seen.uuid.is_none() {
            seen.uuid.clone_from(&trusted.uuid); // an answer without one takes none away
        }
        match self.store.advance(trusted, proven, &seen, clock::now()) {
            Ok(_) => {
                self.see_shape(claimed.shape);
                Conclusion {
                    warnings: self.warnings(trusted, claimed),
                    grew: true,
                    signature: claimed.signature.clone(),
                    ..Conclusion::new(Verdict::Consistent, Reason::None).showing(claimed.state)
                }
            }
            Err(failure) => Conclusion::local(failure).showing(claimed.state),
        }
    }

    fn seen(&self, claimed: &ClaimedState) -> Seen {
        Seen {
            state: claimed.state,
            shape: claimed.shape,
            signature: claimed.signature.clone(),
            uuid: self.identity(),
        }
    }

    /// Makes an outcome of a conclusion; tampering is written down as evidence and alarm.
    pub(super) fn conclude(
        &mut self,
        database: &str,
        trusted: Option<&Trusted>,
        conclusion: Conclusion,
    ) -> Outcome {
        let Conclusion {
            verdict,
            mut reason,
            shown,
            warnings,
            grew,
            signature,
        } = conclusion;
        let (mut alarm, mut unwritten) = (None, None);
        if let Verdict::Tampered(kind) = verdict {
            let raised = match &mut reason {
                Reason::Values(report) => self.raise_values(database, kind, report),
                _ => self
                    .raise(database, kind, &reason, trusted, shown)
                    .map(Some),
            };
            match raised {
                Ok(raised) => alarm = raised,
                Err(failure) => unwritten = Some(failure),
            }
        }
        let open_alarms = match self.store.open_alarms(Some(database)) {
            Ok(alarms) => alarms.len(),
            Err(failure) => {
                // an alarm whose list is damaged is not thereby closed; where the system refuses
                // to read it, that is no finding, but a failure of our own
                let refused = matches!(
                    failure,
                    LocalFailure::System { .. } | LocalFailure::Busy { .. }
                );
                unwritten = unwritten.or(Some(failure));
                usize::from(!refused)
            }
        };
        if verdict.is_proven() {
            self.ages
                .proven(database, grew || verdict == Verdict::FirstSeen);
        }
        let slow = match &reason {
            Reason::Failure(failure) => matches!(failure.kind, Kind::Deadline(_)),
            Reason::TookTooLong => true,
            _ => false,
        };
        if slow {
            self.slow.insert(database.into());
        } else {
            self.slow.remove(database);
        }
        let window = self.window_at_alarm(verdict, &reason, trusted, shown, alarm.as_ref());
        Outcome {
            database: database.into(),
            verdict,
            reason,
            window,
            shown,
            previous: trusted.map(|trusted| trusted.state),
            signature,
            previous_signature: trusted.and_then(|trusted| trusted.signature.clone()),
            alarm,
            unwritten,
            open_alarms,
            overdue: self.ages.overdue(database),
            warnings,
            duration: Duration::ZERO,
        }
    }

    fn raise(
        &self,
        database: &str,
        kind: Tampering,
        reason: &Reason,
        trusted: Option<&Trusted>,
        shown: Option<State>,
    ) -> Result<Alarm, LocalFailure> {
        let uuid = self.identity();
        let answers = self
            .server
            .transcript()
            .exchanges()
            .map(trust::Answer::from)
            .collect();
        let recorded = trusted.and_then(|trusted| trusted.uuid.as_ref());
        let finding = trust::Finding {
            database: database.into(),
            kind,
            reason: reason.to_string(),
            trusted: trusted.cloned(),
            shown,
            identity_changed: recorded.is_some() && recorded != uuid.as_ref(),
            uuid,
            answers,
        };
        self.store.raise(&finding, clock::now())
    }

    /// An alarm for each broken transaction, known by it alone, so that finding it again in another
    /// cycle is no new finding; and one for a flood.
    fn raise_values(
        &self,
        database: &str,
        kind: Tampering,
        report: &mut Report,
    ) -> Result<Option<Alarm>, LocalFailure> {
        let uuid = self.identity();
        let finding = |kind, reason, shown, answers| trust::Finding {
            database: database.into(),
            kind,
            reason,
            trusted: None,
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
            let finding = finding(kind, reason, Some(broken.state()), answers);
            raised.push(self.store.raise(&finding, now));
        }
        if report.more_broken > 0 || raised.is_empty() {
            let reason = format!("more transactions are broken: {}", report.more_broken);
            let finding = finding(kind, reason, None, Vec::new());
            raised.push(self.store.raise(&finding, now));
        }
        // one that could not be written is told before those that could
        let alarms: Result<Vec<Alarm>, LocalFailure> = raised.into_iter().collect();
        alarms.map(|alarms| alarms.into_iter().next())
    }

    /// A database that need not be asked for: the server lets nobody in, or is away.
    pub(super) fn not_tried(&mut self, database: &str, away: Failure) -> Option<Outcome> {
        let verdict = check::sort(&away, false)?;
        let trusted = self.store.load(database).ok().flatten();
        let conclusion = Conclusion::new(verdict, Reason::Failure(away));
        Some(self.conclude(database, trusted.as_ref(), conclusion))
    }

    pub(super) fn demands(&self) -> Demands {
        Demands {
            signatures: self.policy.signatures.clone(),
            max_range: self.policy.max_range,
            patience: self.policy.interval.max(MIN_PATIENCE),
            shape: self.shape,
        }
    }

    pub(super) fn recall_shape(&mut self, known: &[String]) {
        if self.shape.is_none() {
            for database in known {
                if let Ok(Some(shape)) = self.store.load(database).map(|t| t.and_then(|t| t.shape))
                {
                    self.see_shape(shape);
                }
            }
        }
    }

    fn see_shape(&mut self, shape: StateShape) {
        self.shape = self.shape.max(Some(shape));
    }

    fn warnings(&self, trusted: &Trusted, claimed: &ClaimedState) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let (Some(to), Some(from)) = (self.new_identity(trusted), &trusted.uuid) {
            warnings.push(Warning::IdentityChanged {
                from: Shown::new(from),
                to,
            });
        }
        if trusted.signature.is_some() && claimed.signature.is_none() {
            warnings.push(Warning::SignatureDropped);
        }
        warnings
    }

    /// The identity that answers, where it is another than the recorded one.
    fn new_identity(&self, trusted: &Trusted) -> Option<Shown> {
        let now = self.server.identity()?;
        (trusted.uuid != trust::kept_identity(Some(now.as_str()))).then(|| now.clone())
    }

    /// Names that the identity at a first sight is already filed under.
    fn known_elsewhere(&self) -> Vec<Warning> {
        let Some(identity) = self.server.identity() else {
            return Vec::new();
        };
        // nothing is decided by it, so what cannot be read is left out
        let known = self.store.known_elsewhere(identity.as_str());
        known
            .unwrap_or_default()
            .into_iter()
            .map(|known| Warning::KnownElsewhere {
                identity: identity.clone(),
                server: known.server,
            })
            .collect()
    }

    /// Who the server last said it is: a claim.
    pub fn identity(&self) -> Option<String> {
        self.server.identity().map(Shown::to_string)
    }
}

/// Fetching a proof's parts may take as long as an interval, but no less than this.
pub(super) const MIN_PATIENCE: Duration = Duration::from_secs(60);

/// A verdict on its way to an outcome.
pub(super) struct Conclusion {
    pub(super) verdict: Verdict,
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
            reason,
            shown: None,
            warnings: Vec::new(),
            grew: false,
            signature: None,
        }
    }

    fn local(failure: LocalFailure) -> Conclusion {
        Conclusion::new(Verdict::LocalFailure, Reason::Local(failure))
    }

    pub(super) fn showing(self, state: State) -> Conclusion {
        Conclusion {
            shown: Some(state),
            ..self
        }
    }
}

impl From<&Exchange> for trust::Answer {
    fn from(exchange: &Exchange) -> trust::Answer {
        trust::Answer {
            call: exchange.call.into(),
            request: exchange.request.clone(),
            reply: match &exchange.reply {
                Ok(bytes) => Ok(bytes.to_vec()),
                Err(error) => Err(error.clone()),
            },
        }
    }
}
