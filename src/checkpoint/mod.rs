//! Checkpoints: an auditor's signed states of databases, for other auditors and for clients of the ledger.
//!
//! A checkpoint is one state of one database (C2SP tlog-checkpoint) in a signed note (C2SP signed-note). The auditor
//! signs like a witness: with the time (C2SP tlog-cosignature, Ed25519). Like `ledger`, the module has no I/O and no
//! clock, and no input makes it panic or allocate beyond a limit.
//!
//! Reading order: `body` (the text) and `origin` (its first line), `note` (a text with signatures), `key` (the signers'
//! keys), `cosignature` (signing and verifying), `list` (several notes in one text).

#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod body;
mod cosignature;
mod key;
mod list;
mod note;
mod origin;

pub use body::{Checkpoint, CheckpointError};
pub use cosignature::{Confirmed, CosignatureError, confirmed, cosigned};
pub use key::{KeyError, KeyName, PRIVATE, SignerKey, VerifierKey, overwrite};
pub use list::{MAX_NOTES, print_list, read_list};
pub use note::{MAX_BYTES, NoteError, NoteSignature, SignedNote};
pub use origin::Origin;
