//! The transaction that the server has in place of another auditor's state, with its proof against the trusted state.

use crate::audit::check::membership::{self, Membership};
use crate::audit::check::proof::ExtensionResult;
use crate::audit::verdict::{Reason, Verdict};
use crate::ledger::{Digest, State};
use crate::server::Server;
use crate::trust::Tampering;
use crate::wire::Entries;

/// The result of requesting the transaction of another auditor's state.
#[derive(Debug)]
pub enum OtherStateResult {
    /// The server's transaction has this hash, and is proven to be in the history of the trusted state or to extend it.
    Proven(Digest),
    /// The server's transaction is the other auditor's state, and the proof between this state and the trusted one
    /// fails.
    Contradicts(Reason),
    /// Nothing is proven.
    Unknown(Reason),
    /// The program is asked to end.
    Stopped,
}

/// Requests the transaction of `theirs` with the proof between it and `ours`, the smaller one first. Makes one call,
/// except for the parts that old servers leave out of the proof. `theirs` is of another transaction than `ours`.
pub fn other_state(
    server: &mut Server,
    database: &str,
    theirs: &State,
    ours: &State,
    range: u64,
) -> OtherStateResult {
    let asked =
        membership::request_membership(server, database, theirs.tx, ours, Entries::Excluded, range);
    let (shown, proof) = match asked {
        Ok((tx, proof)) => (tx.header.alh(), proof),
        Err(Membership::Failed(failure)) => {
            return OtherStateResult::Unknown(Reason::of_failure(failure));
        }
        Err(Membership::Unproven(_, reason)) => return OtherStateResult::Unknown(reason),
        Err(Membership::Stopped) => return OtherStateResult::Stopped,
        Err(Membership::Proven(_)) => return OtherStateResult::Unknown(Reason::NoTransaction),
    };
    match proof {
        // no tree proof can exist, but the excuse has verified the chain of all headers between the two
        ExtensionResult::Extends(_) | ExtensionResult::NotExtended(_, Reason::Unprovable(_)) => {
            OtherStateResult::Proven(shown)
        }
        ExtensionResult::NotExtended(Verdict::Tampered(Tampering::Inconsistent), reason)
            if shown == theirs.hash =>
        {
            OtherStateResult::Contradicts(reason)
        }
        ExtensionResult::NotExtended(_, reason) => OtherStateResult::Unknown(reason),
        ExtensionResult::ServerBehind => OtherStateResult::Unknown(Reason::NoTransaction),
        ExtensionResult::Stopped => OtherStateResult::Stopped,
    }
}
