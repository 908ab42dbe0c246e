//! The checkpoint of one state that was proven.

use crate::checkpoint::{Checkpoint, Origin, SignerKey, cosigned};
use crate::clock::Timestamp;
use crate::ledger::{Signature, State};

/// Returns the signed checkpoint of a state that was proven at this time. It contains the server's signature only
/// if that verifies with the key that came with it: other bytes are useless for peers, and could have any length.
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
