//! Importing another auditor's trusted states. A state is imported only if the running server proves that the state
//! is in its history. An imported state never replaces a trusted state.

use crate::audit::auditor::Auditor;
use crate::audit::check::immuclient_states::ImportedState;
use crate::audit::check::proof::{self, ExtensionResult};
use crate::audit::check::state::{self, CheckResult};
use crate::audit::verdict::{Reason, Verdict};
use crate::config::Signatures;
use crate::ledger::{ClaimedState, State, StateShape};
use crate::trust::{
    ImportBasis, ObservedState, Raised, StoreError, Tampering, TrustOrigin, TrustedState,
};

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
    /// The server contradicts the imported or the trusted state, and an alarm was requested.
    Raised {
        /// The verdict.
        verdict: Verdict,
        /// The reason.
        reason: Reason,
        /// The alarm, and the reason why it or its evidence could not be written.
        raised: Box<Raised>,
    },
}

/// The reaction to a state that the server contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRefusal {
    /// Reports the state: a wrong folder is the more likely cause.
    Report,
    /// Raises an alarm with evidence.
    Alarm,
}

/// The refusal of an imported state, before an alarm is raised.
struct RefusedImport {
    verdict: Verdict,
    why: Reason,
    /// The state that the server shows.
    shown: Option<State>,
    basis: Basis,
}

/// The state that the server does not prove.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Basis {
    Imported,
    Trusted,
}

impl RefusedImport {
    fn of_imported(verdict: Verdict, why: Reason) -> Box<RefusedImport> {
        Box::new(RefusedImport {
            verdict,
            why,
            shown: None,
            basis: Basis::Imported,
        })
    }
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
        let trusted = trusted.as_ref();
        // a server that mixes up responses is asked twice, which depends on this field
        self.shape = trusted.and_then(|trusted| trusted.shape).or(self.shape);
        let until = self.now() + self.overdue_after();
        let import = self.within(until, |auditor| match trusted {
            None => auditor.take(carried),
            Some(trusted) => auditor.relate(carried, trusted),
        })?;
        Some(import.unwrap_or_else(|refusal| self.refuse(carried, trusted, *refusal, on_refusal)))
    }

    /// Refuses an imported state. The evidence of an alarm has the contradicted state, the state that the server shows,
    /// and the server's responses.
    fn refuse(
        &mut self,
        carried: &ImportedState,
        trusted: Option<&TrustedState>,
        refusal: RefusedImport,
        on_refusal: OnRefusal,
    ) -> Import {
        let RefusedImport {
            verdict,
            why,
            shown,
            basis,
        } = refusal;
        let imported = self.imported(carried);
        let (contradicted, reason) = match (basis, trusted) {
            (Basis::Trusted, Some(trusted)) => (trusted, why),
            _ => {
                let reason = Reason::NotExtended {
                    imported: imported.state,
                    why: Box::new(why),
                };
                (&imported, reason)
            }
        };
        match verdict {
            Verdict::Tampered(kind) if on_refusal == OnRefusal::Alarm => {
                let database = carried.database.as_str();
                let raised = self.raise(database, kind, &reason, Some(contradicted), shown);
                Import::Raised {
                    verdict,
                    reason,
                    raised: Box::new(raised),
                }
            }
            _ => Import::Refused { verdict, reason },
        }
    }

    /// Imports a state of an untrusted database if the server's state is equal to it or extends it.
    fn take(&mut self, carried: &ImportedState) -> Option<Result<Import, Box<RefusedImport>>> {
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
                verdict,
                reason: why,
                shown,
                ..
            } => {
                let basis = Basis::Imported;
                return Some(Err(Box::new(RefusedImport {
                    verdict,
                    why,
                    shown,
                    basis,
                })));
            }
            // only checks without a trusted state return these
            CheckResult::Empty | CheckResult::First(_) => {
                let (verdict, why) = (Verdict::Malformed, Reason::NoTransaction);
                return Some(Err(RefusedImport::of_imported(verdict, why)));
            }
        };
        Some(Ok(match written {
            Ok(trusted) => Import::Taken(trusted),
            Err(failure) => local(failure),
        }))
    }

    /// Checks whether the server proves that the imported and the trusted state are of one history. If the two
    /// contradict each other, the state that the server shows decides which of them the server contradicts. immudb
    /// 0.9.0 mixes up the responses to concurrent clients, so a server that proves each of the two is asked again.
    fn relate(
        &mut self,
        carried: &ImportedState,
        trusted: &TrustedState,
    ) -> Option<Result<Import, Box<RefusedImport>>> {
        let imported = carried.claimed.state;
        if imported == trusted.state {
            return Some(Ok(Import::Known));
        }
        let shape = trusted.shape.unwrap_or(carried.claimed.shape);
        let mut again = shape == StateShape::WithoutDatabase;
        loop {
            let why = match self.prove_relation(&carried.database, imported, trusted.state)? {
                Ok(import) => return Some(Ok(import)),
                Err((verdict, why)) if !verdict.is_tampering() => {
                    return Some(Err(RefusedImport::of_imported(verdict, why)));
                }
                Err((_, why)) => why,
            };
            let refusal = self.find_contradicted(imported, trusted)?;
            if let Some(refusal) = refusal {
                return Some(Err(refusal));
            }
            if !std::mem::take(&mut again) {
                // the server proves each of the two, and refuses the proof between them
                return Some(Err(RefusedImport::of_imported(Verdict::Malformed, why)));
            }
        }
    }

    /// Asks the server for the proof between the imported and the trusted state. States of the same transaction need no
    /// call. `Err` is the reason why there is no proof.
    fn prove_relation(
        &mut self,
        database: &str,
        imported: State,
        trusted: State,
    ) -> Option<Result<Import, (Verdict, Reason)>> {
        let inconsistent = Verdict::Tampered(Tampering::Inconsistent);
        if imported.tx == trusted.tx {
            let reason = Reason::OtherHash { tx: trusted.tx };
            return Some(Err((inconsistent, reason)));
        }
        let is_ancestor = imported.tx < trusted.tx;
        let (source, target) = match is_ancestor {
            true => (imported, trusted),
            false => (trusted, imported),
        };
        let range = self.policy.max_fetch;
        let proof = proof::extend(&mut self.server, database, &source, &target, range);
        Some(match proof {
            ExtensionResult::Extends(_) if is_ancestor => Ok(Import::Ancestor { trusted }),
            ExtensionResult::Extends(_) => Ok(Import::Descendant { trusted }),
            ExtensionResult::NotExtended(verdict, why) => Err((verdict, why)),
            // the server now has fewer transactions than one of the two states
            ExtensionResult::ServerBehind => {
                Err((Verdict::Tampered(Tampering::RolledBack), Reason::Fewer))
            }
            ExtensionResult::Stopped => return None,
        })
    }

    /// Compares the imported state, and then the trusted one, with the state that the server shows. Returns the
    /// refusal of the first that the server does not prove.
    fn find_contradicted(
        &mut self,
        imported: State,
        trusted: &TrustedState,
    ) -> Option<Option<Box<RefusedImport>>> {
        let (database, params) = (trusted.database.as_str(), self.params());
        for (basis, compared) in [(Basis::Imported, imported), (Basis::Trusted, trusted.state)] {
            // evidence contains only the responses to this comparison
            self.server.begin_transcript();
            let found = state::check(&mut self.server, database, Some(compared), &params);
            let found = match basis {
                Basis::Imported => found,
                Basis::Trusted => self.excuse_lag_behind_a_pin(database, Some(trusted), found),
            };
            match found {
                CheckResult::Stopped => return None,
                CheckResult::Refused {
                    verdict,
                    reason: why,
                    shown,
                    ..
                } => {
                    return Some(Some(Box::new(RefusedImport {
                        verdict,
                        why,
                        shown,
                        basis,
                    })));
                }
                _ => {}
            }
        }
        Some(None)
    }

    /// Returns the imported state in the form in which evidence contains a state that the server contradicts.
    fn imported(&self, carried: &ImportedState) -> TrustedState {
        let seen = self.carried(&carried.database, &carried.claimed);
        let now = self.wall_time();
        TrustedState {
            database: carried.database.clone(),
            state: seen.state,
            shape: Some(seen.shape),
            signature: seen.signature,
            last_signed: None,
            uuid: None, // the file may not have it
            since: now,
            accepted: now,
            how: TrustOrigin::Imported,
        }
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

fn local(failure: StoreError) -> Import {
    Import::Refused {
        verdict: Verdict::LocalFailure,
        reason: Reason::Local(failure),
    }
}
