//! The checkpoint of one state that was proven.

use crate::checkpoint::{Checkpoint, Origin, SignerKey, cosigned};
use crate::clock::Timestamp;
use crate::ledger::{Signature, State};

/// Returns the signed checkpoint of a state that was proven at this time. The server's signature is part of it if it holds by the
/// key that came with it: whatever else a server sends in its place is nobody's business, and could be of any length.
pub fn checkpoint(
    (server, database): (&str, &str),
    state: State,
    signature: Option<&Signature>,
    key: &SignerKey,
    proven: Timestamp,
) -> String {
    let checkpoint = Checkpoint {
        origin: Origin {
            server: server.to_owned(),
            database: database.to_owned(),
        },
        state,
        signature: signature.cloned(),
    };
    let holds = checkpoint.verify_server(&[]).is_ok();
    let checkpoint = Checkpoint {
        signature: checkpoint.signature.filter(|_| holds),
        ..checkpoint
    };
    cosigned(&checkpoint, key, proven.unix()).to_string()
}
