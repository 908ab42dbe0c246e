//! One database's check: the server's state against the trusted state.

use std::cmp::Ordering;

use crate::audit::check::proof::{self, ExtensionResult};
use crate::audit::verdict::{Reason, Verdict};
use crate::config::Signatures;
use crate::ledger::{ClaimedState, Proven, Signature, State, StateShape};
use crate::server::{Server, ServerError, ServerErrorKind};
use crate::text::Escaped;
use crate::trust::Tampering;
use crate::wire::Entries;

/// The operator's requirements for every state.
#[derive(Clone, Debug)]
pub struct CheckParams {
    /// The required signatures.
    pub signatures: Signatures,
    /// The most transactions fetched one by one for a single proof.
    pub max_fetch: u64,
    /// The state's shape that this server has been seen with, over all its databases.
    pub shape: Option<StateShape>,
}

/// The result of a check, before it is applied.
#[derive(Debug)]
pub enum CheckResult {
    /// The database has no transactions and no trusted state.
    Empty,
    /// The database has no trusted state yet, and its first state is consistent.
    First(ClaimedState),
    /// The state is the trusted one.
    Same(ClaimedState),
    /// The state extends the trusted one.
    Extended(ClaimedState, Proven),
    /// The state was not accepted, for this reason.
    Refused {
        verdict: Verdict,
        reason: Reason,
        shown: Option<State>,
        /// The signature of the shown state, unchanged.
        signature: Option<Signature>,
    },
    /// The program is asked to end.
    Stopped,
}

impl CheckResult {
    fn shows_tampering(&self) -> bool {
        matches!(self, CheckResult::Refused { verdict, .. } if verdict.is_tampering())
    }

    fn refused(verdict: Verdict, reason: Reason, shown: Option<&ClaimedState>) -> CheckResult {
        CheckResult::Refused {
            verdict,
            reason,
            shown: shown.map(|claimed| claimed.state),
            signature: shown.and_then(|claimed| claimed.signature.clone()),
        }
    }
}

/// Requests the server's state of `database` and compares it with `trusted`. immudb 0.9.0 mixes up the responses to
/// concurrent clients. Its contradictions therefore count only if it shows them twice in a row. If no state has shown
/// the server's version yet, the state of this check shows it.
pub fn check(
    server: &mut Server,
    database: &str,
    trusted: Option<State>,
    params: &CheckParams,
) -> CheckResult {
    let (shape, finding) = ask(server, database, trusted, params);
    let mixes_up = params.shape.or(shape) != Some(StateShape::WithDatabase);
    if mixes_up && finding.shows_tampering() {
        return ask(server, database, trusted, params).1;
    }
    finding
}

/// Requests the state and compares it. Returns the state's shape too, if there is a state.
fn ask(
    server: &mut Server,
    database: &str,
    trusted: Option<State>,
    params: &CheckParams,
) -> (Option<StateShape>, CheckResult) {
    match server.state(database) {
        Ok(claimed) => {
            let shape = claimed.shape;
            let finding = compare(server, database, trusted, claimed, params);
            (Some(shape), finding)
        }
        Err(failure) => (None, from_failure(failure, trusted)),
    }
}

fn compare(
    server: &mut Server,
    database: &str,
    trusted: Option<State>,
    claimed: ClaimedState,
    params: &CheckParams,
) -> CheckResult {
    let shown = claimed.state;
    if let Err((verdict, reason)) = check_claim(&claimed, database, params) {
        return CheckResult::refused(verdict, reason, Some(&claimed));
    }
    let Some(trusted) = trusted else {
        return first_use(server, database, claimed);
    };
    if shown == trusted {
        return CheckResult::Same(claimed);
    }
    if let Some((tampering, reason)) = contradiction(&trusted, &shown) {
        return CheckResult::refused(Verdict::Tampered(tampering), reason, Some(&claimed));
    }
    match proof::extend(server, database, &trusted, &shown, params.max_fetch) {
        ExtensionResult::Extends(proven) => CheckResult::Extended(claimed, proven),
        ExtensionResult::NotExtended(verdict, reason) => {
            CheckResult::refused(verdict, reason, Some(&claimed))
        }
        ExtensionResult::ServerBehind => {
            check_rollback(server, database, &trusted, &claimed, params)
        }
        ExtensionResult::Stopped => CheckResult::Stopped,
    }
}

/// Returns the tampering that needs no proof: another hash for the same transaction, or fewer transactions.
fn contradiction(trusted: &State, shown: &State) -> Option<(Tampering, Reason)> {
    match shown.tx.cmp(&trusted.tx) {
        Ordering::Equal if shown.hash != trusted.hash => {
            Some((Tampering::Inconsistent, Reason::OtherHash { tx: shown.tx }))
        }
        Ordering::Less if shown.tx == 0 => Some((Tampering::RolledBack, Reason::Emptied)),
        Ordering::Less => Some((Tampering::RolledBack, Reason::Fewer)),
        Ordering::Equal | Ordering::Greater => None,
    }
}

/// Checks that the state is for this database, has the required shape, and is signed if a signature is required
/// (protocol.md §2, §5).
pub(in crate::audit) fn check_claim(
    claimed: &ClaimedState,
    database: &str,
    params: &CheckParams,
) -> Result<(), (Verdict, Reason)> {
    let signed = match &params.signatures {
        Signatures::NotRequired => Ok(()),
        Signatures::By(keys) => claimed.verify_signature(database, keys),
        Signatures::ByTheAnswersOwnKey => claimed.verify_own_signature(database),
    };
    signed.map_err(|bad| {
        let verdict = Verdict::Tampered(Tampering::BadSignature);
        (verdict, Reason::Signature(bad))
    })?;
    if claimed.shape == StateShape::WithoutDatabase {
        // this signature is valid for every database, so a newer server must not return to it
        return match params.shape {
            Some(StateShape::WithDatabase) => Err((Verdict::Malformed, Reason::OlderShape)),
            _ => Ok(()),
        };
    }
    if claimed.database != database.as_bytes() {
        let other = Escaped::of_bytes(&claimed.database);
        return Err((Verdict::Malformed, Reason::OtherDatabase(other)));
    }
    Ok(())
}

/// Accepts the first state of a database only if the server sends the state's transaction and the hashes are equal.
fn first_use(server: &mut Server, database: &str, claimed: ClaimedState) -> CheckResult {
    let shown = claimed.state;
    if shown == State::EMPTY {
        return CheckResult::Empty;
    }
    match server.tx(database, shown.tx, Entries::Excluded) {
        Ok(tx) if tx.header.id() == shown.tx && tx.header.alh() == shown.hash => {
            CheckResult::First(claimed)
        }
        Ok(_) => CheckResult::refused(Verdict::Malformed, Reason::UnbackedHash, Some(&claimed)),
        Err(failure) => match failure.kind {
            ServerErrorKind::TxNotFound | ServerErrorKind::IllegalState => CheckResult::refused(
                Verdict::Malformed,
                Reason::Unbacked(failure),
                Some(&claimed),
            ),
            _ => with_shown(from_failure(failure, None), &claimed),
        },
    }
}

/// Requests the state again, after the server reported that it has not reached the claimed or the trusted state. Only
/// a state shows whether the server went back or contradicts itself.
fn check_rollback(
    server: &mut Server,
    database: &str,
    trusted: &State,
    claimed: &ClaimedState,
    params: &CheckParams,
) -> CheckResult {
    match server.state(database) {
        Ok(now) => match (
            check_claim(&now, database, params),
            contradiction(trusted, &now.state),
        ) {
            (Err((verdict, reason)), _) => CheckResult::refused(verdict, reason, Some(&now)),
            (Ok(()), Some((tampering, reason))) => {
                CheckResult::refused(Verdict::Tampered(tampering), reason, Some(&now))
            }
            (Ok(()), None) => {
                CheckResult::refused(Verdict::Malformed, Reason::UnbackedHash, Some(claimed))
            }
        },
        Err(failure) => with_shown(from_failure(failure, Some(*trusted)), claimed),
    }
}

fn with_shown(finding: CheckResult, claimed: &ClaimedState) -> CheckResult {
    match finding {
        CheckResult::Refused {
            verdict, reason, ..
        } => CheckResult::refused(verdict, reason, Some(claimed)),
        other => other,
    }
}

fn from_failure(failure: ServerError, trusted: Option<State>) -> CheckResult {
    match Verdict::of_failure(&failure, trusted.is_some()) {
        None => CheckResult::Stopped,
        Some(verdict) => {
            let vanished = verdict == Verdict::Tampered(Tampering::RolledBack);
            let reason = if vanished {
                Reason::Vanished
            } else {
                Reason::of_failure(failure)
            };
            CheckResult::refused(verdict, reason, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::Secret;
    use crate::drill::{Embedded, Lie};
    use crate::server::{Endpoint, Login};
    use crate::stop::Stop;

    #[test]
    fn headers_that_a_proof_needs_are_fetched_for_as_long_as_is_allowed() {
        let embedded = Embedded::start(Lie::WithheldAdvance.options()).unwrap();
        embedded.grow("defaultdb", 10);
        let trusted = embedded.state("defaultdb");
        embedded.grow("defaultdb", 10);
        embedded.lie(Lie::WithheldAdvance);
        let endpoint = Endpoint::on_loopback(embedded.port());
        let login = Login {
            username: "immudb".into(),
            password: Secret::new("immudb".into()),
        };
        let timeout = Duration::from_secs(10);
        let mut server = Server::new(endpoint, login, timeout, Stop::new()).unwrap();
        let params = CheckParams {
            signatures: Signatures::NotRequired,
            max_fetch: 1000,
            shape: None,
        };
        server.state("defaultdb").unwrap();
        let limit = server.limit(Instant::now());
        let found = check(&mut server, "defaultdb", trusted, &params);
        assert!(
            matches!(
                &found,
                CheckResult::Refused {
                    verdict: Verdict::Unreachable,
                    reason: Reason::TookTooLong,
                    ..
                }
            ),
            "{found:?}"
        );
        server.restore(limit);
        let found = check(&mut server, "defaultdb", trusted, &params);
        assert!(matches!(found, CheckResult::Extended(..)), "{found:?}");
    }
}
