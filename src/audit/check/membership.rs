//! Proves that a transaction, or an old state, is in the history of a state (protocol.md §4 and the end of §6).

use super::proof::{ExtensionResult, Pair};
use crate::audit::verdict::{Reason, Verdict};
use crate::ledger::{Digest, Proven, State};
use crate::server::{Server, ServerError, ServerErrorKind};
use crate::trust::Tampering;
use crate::wire::{Entries, Tx, VerifiableTx};

/// The result of proving that a transaction is in a history.
#[derive(Debug)]
pub enum Membership {
    /// The transaction is in the history of the trusted state, which proves its header. The entries are not checked.
    Proven(Tx),
    /// The call itself failed.
    Failed(ServerError),
    /// The place of the transaction is not proven.
    Unproven(Verdict, Reason),
    /// The program is asked to end.
    Stopped,
}

/// Checks that transaction `tx` of the server is in the history of `trusted`, whose id is not smaller (protocol.md §6
/// end: §4, source `tx`, target `trusted`).
pub fn prove_membership(
    server: &mut Server,
    database: &str,
    tx: u64,
    trusted: &State,
    entries: Entries,
    range: u64,
) -> Membership {
    let (shown, proof) = match request_membership(server, database, tx, trusted, entries, range) {
        Ok(response) => response,
        Err(place) => return place,
    };
    match proof {
        ExtensionResult::Extends(_) => Membership::Proven(shown),
        // no tree proof can exist, but the excuse has verified the chain of all headers up to the trusted state
        ExtensionResult::NotExtended(_, Reason::Unprovable(_)) => Membership::Proven(shown),
        ExtensionResult::NotExtended(verdict, reason) => Membership::Unproven(verdict, reason),
        ExtensionResult::ServerBehind => {
            Membership::Unproven(Verdict::Malformed, Reason::NoTransaction)
        }
        ExtensionResult::Stopped => Membership::Stopped,
    }
}

/// The result of checking whether an old state is an ancestor of the shown one.
#[derive(Debug)]
pub enum AncestorCheck {
    /// The shown state extends this one: the old state, or another state of the same transaction.
    Proven(Proven),
    /// No tree proof can exist. Every header from the transaction with this hash up to the shown state is chained.
    Chained(Digest),
    /// Nothing is proven.
    Unknown(Reason),
    /// The program is asked to end.
    Stopped,
}

/// Checks the transaction that the history of `shown` has at the id of `old`, which is smaller. Makes one call,
/// except for the parts that old servers leave out of the proof.
pub fn check_ancestor(
    server: &mut Server,
    database: &str,
    old: &State,
    shown: &State,
    range: u64,
) -> AncestorCheck {
    match request_membership(server, database, old.tx, shown, Entries::Excluded, range) {
        Ok((_, ExtensionResult::Extends(proven))) => AncestorCheck::Proven(proven),
        Ok((tx, ExtensionResult::NotExtended(_, Reason::Unprovable(_)))) => {
            AncestorCheck::Chained(tx.header.alh())
        }
        Ok((_, ExtensionResult::NotExtended(_, reason))) | Err(Membership::Unproven(_, reason)) => {
            AncestorCheck::Unknown(reason)
        }
        Err(Membership::Failed(failure)) => AncestorCheck::Unknown(Reason::of_failure(failure)),
        Ok((_, ExtensionResult::Stopped)) | Err(Membership::Stopped) => AncestorCheck::Stopped,
        Ok((_, ExtensionResult::ServerBehind)) | Err(Membership::Proven(_)) => {
            AncestorCheck::Unknown(Reason::NoTransaction)
        }
    }
}

/// Returns the server's transaction `tx` and the result of its proof against `trusted`, an ancestor or a descendant.
pub(super) fn request_membership(
    server: &mut Server,
    database: &str,
    tx: u64,
    trusted: &State,
    entries: Entries,
    range: u64,
) -> Result<(Tx, ExtensionResult), Membership> {
    let (shown, answer) =
        ask(server, database, tx, trusted, entries).map_err(|ended| ended.membership())?;
    let here = State {
        tx,
        hash: shown.header.alh(),
    };
    if tx == trusted.tx {
        return Err(match here == *trusted {
            true => Membership::Proven(shown),
            false => Membership::Unproven(
                Verdict::Tampered(Tampering::Inconsistent),
                Reason::OtherHash { tx },
            ),
        });
    }
    let (source, target) = match tx < trusted.tx {
        true => (&here, trusted),
        false => (trusted, &here),
    };
    let mut pair = Pair {
        server,
        database,
        source,
        target,
        asked: tx,
        range,
    };
    let proof = match answer {
        Answered::Proof(answer) => pair.settle(*answer),
        Answered::Excuse(failure) => pair.excuse(Some(failure)),
    };
    Ok((shown, proof.unwrap_or_else(|ended| ended)))
}

/// The proof that is sent with a transaction.
enum Answered {
    Proof(Box<VerifiableTx>),
    /// The server reports that it cannot prove this pair.
    Excuse(ServerError),
}

enum Ask {
    Failed(ServerError),
    NoTransaction,
}

impl Ask {
    fn membership(self) -> Membership {
        match self {
            Ask::Failed(failure) if failure.kind == ServerErrorKind::Stopped => Membership::Stopped,
            Ask::Failed(failure) => Membership::Failed(failure),
            Ask::NoTransaction => Membership::Unproven(Verdict::Malformed, Reason::NoTransaction),
        }
    }
}

fn ask(
    server: &mut Server,
    database: &str,
    tx: u64,
    trusted: &State,
    entries: Entries,
) -> Result<(Tx, Answered), Ask> {
    match server.verifiable_tx(database, tx, trusted.tx, entries) {
        Ok(mut answer) => match answer.tx.take() {
            Some(shown) if shown.header.id() == tx => {
                // only the header is needed again, so the entries are moved instead of copied
                answer.tx = Some(Tx {
                    header: shown.header.clone(),
                    entries: Vec::new(),
                });
                Ok((shown, Answered::Proof(Box::new(answer))))
            }
            _ => Err(Ask::NoTransaction),
        },
        Err(failure)
            if matches!(
                failure.kind,
                ServerErrorKind::CannotProve | ServerErrorKind::MaybeCorrupted
            ) =>
        {
            match server.tx(database, tx, entries) {
                Ok(shown) if shown.header.id() == tx => Ok((shown, Answered::Excuse(failure))),
                Ok(_) => Err(Ask::NoTransaction),
                Err(failure) => Err(Ask::Failed(failure)),
            }
        }
        Err(failure) => Err(Ask::Failed(failure)),
    }
}
