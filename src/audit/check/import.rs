//! Importing another auditor's trusted states. A state is imported only if the running server proves that the state
//! is in its history. An imported state never replaces a trusted state.

use crate::audit::auditor::Auditor;
use crate::audit::check::immuclient_states::ImportedState;
use crate::audit::check::proof::{self, ExtensionResult};
use crate::audit::check::state::{self, CheckResult};
use crate::audit::outcome::Outcome;
use crate::audit::report_outcome::PendingOutcome;
use crate::audit::verdict::{Reason, Verdict};
use crate::config::Signatures;
use crate::ledger::{ClaimedState, State};
use crate::trust::{ImportBasis, ObservedState, StoreError, Tampering, TrustedState};

/// The result of importing one state.
#[derive(Debug)]
pub enum Import {
    /// The imported state is now trusted.
    Taken(TrustedState),
    /// The imported state is already trusted.
    Known,
    /// The imported state is proven to be an ancestor of the trusted state, which stays.
    Ancestor {
        /// The trusted state.
        trusted: State,
    },
    /// The imported state is proven to extend the trusted state, which stays. The next audit reaches the newer state.
    Descendant {
        /// The trusted state.
        trusted: State,
    },
    /// The server did not prove the imported state.
    Refused {
        /// The verdict of the missing proof.
        verdict: Verdict,
        /// The reason.
        reason: Reason,
    },
    /// The server's history does not have the imported state, and an alarm was requested.
    Raised(Box<Outcome>),
}

/// The reaction to a state that the server contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRefusal {
    /// Reports the state: a wrong folder is the more likely cause.
    Report,
    /// Raises an alarm with evidence.
    Alarm,
}

impl Auditor {
    /// Returns the identity that the server sends; `None` if the server does not respond or has no identity.
    pub fn identity_now(&mut self) -> Option<String> {
        self.server.begin_cycle();
        // ignore failures: a server that lists nothing may still open its databases
        drop(self.server.databases());
        self.server.identity().map(ToString::to_string)
    }

    /// Compares an imported state with the running server and with the trusted state; `None` if the program is asked
    /// to end.
    pub fn import(&mut self, carried: &ImportedState, on_refusal: OnRefusal) -> Option<Import> {
        let database = carried.database.as_str();
        self.server.begin_cycle();
        self.server.begin_transcript();
        let trusted = match self.store.load(database) {
            Ok(trusted) => trusted,
            Err(failure) => return Some(local(failure)),
        };
        let until = self.now() + self.overdue_after();
        let import = self.within(until, |auditor| match &trusted {
            None => auditor.take(carried),
            Some(trusted) => auditor.relate(database, carried.claimed.state, trusted.state),
        })?;
        Some(match import {
            Import::Refused { verdict, reason }
                if verdict.is_tampering() && on_refusal == OnRefusal::Alarm =>
            {
                let conclusion = PendingOutcome::new(verdict, reason);
                Import::Raised(Box::new(self.report_outcome(
                    database,
                    trusted.as_ref(),
                    conclusion,
                )))
            }
            import => import,
        })
    }

    /// Imports a state of an untrusted database if the server's state is equal to it or extends it.
    fn take(&mut self, carried: &ImportedState) -> Option<Import> {
        let (database, imported) = (carried.database.as_str(), carried.claimed.state);
        let params = self.params();
        let written = match state::check(&mut self.server, database, Some(imported), &params) {
            CheckResult::Stopped => return None,
            CheckResult::Same(shown) => {
                let seen = self.carried(database, &carried.claimed);
                let ground = ImportBasis::Shown(shown.state);
                self.store.import(database, &seen, ground, self.wall_time())
            }
            CheckResult::Extended(_, proven) => {
                let seen = self.carried(database, &carried.claimed);
                let ground = ImportBasis::Extended(&proven);
                self.store.import(database, &seen, ground, self.wall_time())
            }
            CheckResult::Refused {
                verdict, reason, ..
            } => return Some(refused(imported, verdict, reason)),
            // only checks without a trusted state return these
            CheckResult::Empty | CheckResult::First(_) => {
                return Some(refused(imported, Verdict::Malformed, Reason::NoTransaction));
            }
        };
        Some(match written {
            Ok(trusted) => Import::Taken(trusted),
            Err(failure) => local(failure),
        })
    }

    /// Checks whether the server proves that the imported and the trusted state are of one history.
    fn relate(&mut self, database: &str, imported: State, trusted: State) -> Option<Import> {
        let inconsistent = Verdict::Tampered(Tampering::Inconsistent);
        if imported == trusted {
            return Some(Import::Known);
        }
        if imported.tx == trusted.tx {
            let reason = Reason::OtherHash { tx: trusted.tx };
            return Some(refused(imported, inconsistent, reason));
        }
        let is_ancestor = imported.tx < trusted.tx;
        let (source, target) = if is_ancestor {
            (imported, trusted)
        } else {
            (trusted, imported)
        };
        let range = self.policy.max_fetch;
        let proof = proof::extend(&mut self.server, database, &source, &target, range);
        Some(match proof {
            ExtensionResult::Extends(_) if is_ancestor => Import::Ancestor { trusted },
            ExtensionResult::Extends(_) => Import::Descendant { trusted },
            ExtensionResult::NotExtended(verdict, why) => refused(imported, verdict, why),
            // the server now has fewer transactions than one of the two states
            ExtensionResult::ServerBehind => refused(
                imported,
                Verdict::Tampered(Tampering::RolledBack),
                Reason::Fewer,
            ),
            ExtensionResult::Stopped => return None,
        })
    }

    /// Returns the imported state in its stored form, with its signature only if the signature counts.
    fn carried(&self, database: &str, claimed: &ClaimedState) -> ObservedState {
        let counts = match &self.policy.signatures {
            Signatures::By(keys) => claimed.verify_signature(database, keys).is_ok(),
            Signatures::NotRequired | Signatures::ByTheAnswersOwnKey => true,
        };
        ObservedState {
            state: claimed.state,
            shape: claimed.shape,
            signature: claimed.signature.clone().filter(|_| counts),
            uuid: self.server.identity().map(ToString::to_string),
        }
    }
}

fn refused(imported: State, verdict: Verdict, why: Reason) -> Import {
    let reason = Reason::NotExtended {
        imported,
        why: Box::new(why),
    };
    Import::Refused { verdict, reason }
}

fn local(failure: StoreError) -> Import {
    Import::Refused {
        verdict: Verdict::LocalFailure,
        reason: Reason::Local(failure),
    }
}
