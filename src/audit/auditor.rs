//! One database: what is trusted of it, what the check found, and what is written down of that.

use std::collections::BTreeSet;
use std::time::Duration;

use super::check::{self, Demands, Finding};
use super::due::Ages;
use super::policy::Policy;
use super::verdict::{Outcome, Reason, Verdict, Warning};
use crate::clock;
use crate::config::FirstSight;
use crate::ledger::{ClaimedState, Proven, Signature, State, StateShape};
use crate::server::{Exchange, Failure, Kind, Server};
use crate::text::Shown;
use crate::trust::{self, Alarm, How, LocalFailure, Seen, Store, Tampering, Timestamp, Trusted};

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
}

impl Auditor {
    /// An auditor of `server` that believes what is in `store`.
    pub fn new(server: Server, store: Store, policy: Policy) -> Auditor {
        let mut ages = Ages::new(policy.interval, policy.expect_growth);
        let now = clock::now();
        for record in store.load_outcomes() {
            let age = |at: Timestamp| Duration::from_secs(now.unix().saturating_sub(at.unix()));
            if let Some(proven) = record.proven {
                ages.remember(
                    &record.database,
                    age(proven),
                    age(record.grown.unwrap_or(proven)),
                );
            }
        }
        Auditor {
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
        let trusted = match self.trusted(database) {
            Ok(trusted) => trusted,
            Err(failure) => return Some(self.local_failure(database, failure)),
        };
        let state = trusted.as_ref().map(|trusted| trusted.state);
        if let Some(pin) = self.pin_to_hold(database) {
            match self.hold_pin(&pin, trusted.as_ref())? {
                Ok(()) => {}
                Err(conclusion) => {
                    return Some(self.conclude(database, trusted.as_ref(), conclusion));
                }
            }
        }
        let demands = self.demands();
        let finding = check::check(&mut self.server, database, state, &demands);
        let conclusion = self.act(database, trusted.as_ref(), finding)?;
        Some(self.conclude(database, trusted.as_ref(), conclusion))
    }

    /// What is trusted of a database; a pin where nothing is yet.
    fn trusted(&self, database: &str) -> Result<Option<Trusted>, LocalFailure> {
        let pin = self.policy.pins.iter().find(|pin| pin.database == database);
        match (self.store.load(database), pin) {
            (Ok(Some(trusted)), _) => Ok(Some(trusted)),
            (loaded, None) => loaded,
            // nothing there, or damaged: the operator says where to go on
            (_, Some(pin)) => self.store.pin(database, pin.state, clock::now()).map(Some),
        }
    }

    /// A database that the server does not list. Only one with a trusted state can vanish: is it
    /// gone, or hidden?
    pub(super) fn check_unlisted(&mut self, database: &str) -> Option<Outcome> {
        self.server.begin_transcript();
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
            Ok(()) => Conclusion::new(rolled_back, Reason::Hidden),
            Err(failure) => match check::sort(&failure, true)? {
                verdict if verdict == rolled_back => Conclusion::new(verdict, Reason::Vanished),
                verdict => Conclusion::new(verdict, Reason::Failure(failure)),
            },
        };
        Some(self.conclude(database, Some(&trusted), conclusion))
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
            } => Conclusion {
                shown,
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
        let seen = self.seen(claimed);
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
            reason,
            shown,
            warnings,
            grew,
            signature,
        } = conclusion;
        let (mut alarm, mut unwritten) = (None, None);
        if let Verdict::Tampered(kind) = verdict {
            match self.raise(database, kind, &reason, trusted, shown) {
                Ok(raised) => alarm = Some(raised),
                Err(failure) => unwritten = Some(failure),
            }
        }
        let open_alarms = match self.store.open_alarms(Some(database)) {
            Ok(alarms) => alarms.len(),
            // an alarm that cannot be read is not thereby closed
            Err(failure) => {
                unwritten = unwritten.or(Some(failure));
                1
            }
        };
        if verdict.is_proven() {
            self.ages
                .proven(database, grew || verdict == Verdict::FirstSeen);
        }
        if matches!(&reason, Reason::Failure(failure) if matches!(failure.kind, Kind::Deadline(_)))
        {
            self.slow.insert(database.into());
        } else {
            self.slow.remove(database);
        }
        Outcome {
            database: database.into(),
            verdict,
            reason,
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
        let answers = self.server.transcript().exchanges().map(answer).collect();
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

    /// A database that need not be asked for: the server lets nobody in, or is away.
    pub(super) fn not_tried(&mut self, database: &str, away: Failure) -> Option<Outcome> {
        let verdict = check::sort(&away, false)?;
        let trusted = self.store.load(database).ok().flatten();
        let conclusion = Conclusion::new(verdict, Reason::Failure(away));
        Some(self.conclude(database, trusted.as_ref(), conclusion))
    }

    pub(super) fn demands(&self) -> Demands {
        Demands {
            keys: self.policy.keys.clone(),
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
        (trusted.uuid.as_deref() != Some(now.as_str())).then(|| now.clone())
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
const MIN_PATIENCE: Duration = Duration::from_secs(60);

/// A verdict on its way to an outcome.
pub(super) struct Conclusion {
    verdict: Verdict,
    reason: Reason,
    shown: Option<State>,
    warnings: Vec<Warning>,
    grew: bool,
    signature: Option<Signature>,
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

    fn showing(self, state: State) -> Conclusion {
        Conclusion {
            shown: Some(state),
            ..self
        }
    }
}

fn answer(exchange: &Exchange) -> trust::Answer {
    trust::Answer {
        call: exchange.call.into(),
        request: exchange.request.clone(),
        reply: exchange.reply.clone(),
    }
}
