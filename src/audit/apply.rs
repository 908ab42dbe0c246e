//! Applies the result of a check: writes the trusted state to disk before anything is reported.

use super::auditor::Auditor;
use super::outcome::Warning;
use super::report_outcome::PendingOutcome;
use super::verdict::{Reason, Verdict};
use crate::audit::check::state::CheckResult;
use crate::config::FirstUse;
use crate::ledger::{ClaimedState, Proven, State};
use crate::text::Escaped;
use crate::trust::{self, ObservedState, StoreError, TrustOrigin, TrustedState};

impl Auditor {
    /// Stores the result of a check, the trusted state before anything else.
    pub(super) fn apply_check(
        &mut self,
        database: &str,
        trusted: Option<&TrustedState>,
        finding: CheckResult,
    ) -> Option<PendingOutcome> {
        Some(match finding {
            CheckResult::Stopped => return None,
            CheckResult::Empty => {
                PendingOutcome::new(Verdict::Empty, Reason::None).showing(State::EMPTY)
            }
            CheckResult::First(claimed) => self.first_use(database, &claimed),
            CheckResult::Same(claimed) => self.same(trusted, &claimed),
            CheckResult::Extended(claimed, proven) => self.advance(trusted, &claimed, &proven),
            CheckResult::Refused {
                verdict,
                reason,
                shown,
                signature,
            } => PendingOutcome {
                shown,
                signature,
                ..PendingOutcome::new(verdict, reason)
            },
        })
    }

    fn first_use(&mut self, database: &str, claimed: &ClaimedState) -> PendingOutcome {
        let shown = claimed.state;
        if self.policy.first_use == FirstUse::Refuse {
            return PendingOutcome::new(Verdict::Refused, Reason::FirstUseRefused).showing(shown);
        }
        let seen = self.seen(claimed);
        let written =
            self.store
                .first_use(database, &seen, TrustOrigin::FirstSeen, self.wall_time());
        match written {
            Ok(_) => {
                self.see_shape(claimed.shape);
                let mut conclusion =
                    PendingOutcome::new(Verdict::FirstSeen, Reason::None).showing(shown);
                conclusion.signature.clone_from(&claimed.signature);
                conclusion.warnings.extend(self.known_elsewhere());
                conclusion
            }
            Err(failure) => PendingOutcome::local(failure).showing(shown),
        }
    }

    fn same(&mut self, trusted: Option<&TrustedState>, claimed: &ClaimedState) -> PendingOutcome {
        let mut conclusion =
            PendingOutcome::new(Verdict::Consistent, Reason::None).showing(claimed.state);
        conclusion.signature.clone_from(&claimed.signature);
        if let Some(trusted) = trusted {
            conclusion.warnings = self.warnings(trusted, claimed);
            if let Err(failure) = self.note_shown(trusted, claimed) {
                return PendingOutcome::local(failure).showing(claimed.state);
            }
        }
        self.see_shape(claimed.shape);
        conclusion
    }

    /// Stores what the server shows with the trusted state for the first time: the signature, because its loss before
    /// the next transaction must be reported; the identity; and the shape of a state that was pinned or adopted,
    /// because from then on the server has shown that state.
    fn note_shown(
        &mut self,
        trusted: &TrustedState,
        claimed: &ClaimedState,
    ) -> Result<(), StoreError> {
        let mut known = trusted.clone();
        known.shape = known.shape.or(Some(claimed.shape));
        if let Some(signature) = &claimed.signature {
            if trusted.last_signed != Some(claimed.state.tx) {
                known = self.store.note_signature(&known, signature)?;
            }
        }
        if self.new_identity(trusted).is_some() || trusted.shape.is_none() {
            let identity = self.identity().or(trusted.uuid.clone());
            let now = self.wall_time();
            self.store.note_identity(&known, identity.as_deref(), now)?;
        }
        Ok(())
    }

    fn advance(
        &mut self,
        trusted: Option<&TrustedState>,
        claimed: &ClaimedState,
        proven: &Proven,
    ) -> PendingOutcome {
        let Some(trusted) = trusted else {
            // without a trusted state nothing is proven
            return PendingOutcome::new(Verdict::Refused, Reason::FirstUseRefused);
        };
        let mut seen = self.seen(claimed);
        if seen.uuid.is_none() {
            seen.uuid.clone_from(&trusted.uuid); // a response without an identity does not remove the known one
        }
        match self.store.advance(trusted, proven, &seen, self.wall_time()) {
            Ok(_) => {
                self.see_shape(claimed.shape);
                PendingOutcome {
                    warnings: self.warnings(trusted, claimed),
                    grew: true,
                    signature: claimed.signature.clone(),
                    ..PendingOutcome::new(Verdict::Consistent, Reason::None).showing(claimed.state)
                }
            }
            Err(failure) => PendingOutcome::local(failure).showing(claimed.state),
        }
    }

    fn seen(&self, claimed: &ClaimedState) -> ObservedState {
        ObservedState {
            state: claimed.state,
            shape: claimed.shape,
            signature: claimed.signature.clone(),
            uuid: self.identity(),
        }
    }

    fn warnings(&self, trusted: &TrustedState, claimed: &ClaimedState) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let (Some(to), Some(from)) = (self.new_identity(trusted), &trusted.uuid) {
            warnings.push(Warning::IdentityChanged {
                from: Escaped::new(from),
                to,
            });
        }
        if claimed.signature.is_none() && self.is_loss_unexplained(trusted) {
            warnings.push(Warning::SignatureDropped);
        }
        warnings
    }

    /// Returns whether a state was signed once and its operator did not acknowledge that later ones are not.
    fn is_loss_unexplained(&self, trusted: &TrustedState) -> bool {
        let Some(last_signed) = trusted.last_signed else {
            return false;
        };
        // an acknowledgement that cannot be read is not given; the store reports the file
        let acknowledged = self.store.acknowledged(&trusted.database);
        acknowledged.unwrap_or_default().unsigned_after != Some(last_signed)
    }

    /// Returns the identity that the server sends if it differs from the recorded identity.
    fn new_identity(&self, trusted: &TrustedState) -> Option<Escaped> {
        let now = self.server.identity()?;
        (trusted.uuid != trust::kept_identity(Some(now.as_str()))).then(|| now.clone())
    }

    /// Returns a warning for each other label under which the identity of a first use is already stored.
    fn known_elsewhere(&self) -> Vec<Warning> {
        let Some(identity) = self.server.identity() else {
            return Vec::new();
        };
        // these warnings decide nothing, so files that cannot be read are ignored
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

    /// Returns the identity that the server last sent, which is only a claim.
    pub fn identity(&self) -> Option<String> {
        self.server.identity().map(Escaped::to_string)
    }
}
