//! Checkpoints: an auditor's signed states of databases, for other auditors and for clients of the ledger.
//!
//! A checkpoint is one state of one database (C2SP tlog-checkpoint) in a signed note (C2SP signed-note). It is signed
//! like a witness signs: with the time (C2SP tlog-cosignature, Ed25519). The module is as pure and total as `ledger`.
//! It has no I/O and no clock, and no input makes it panic or allocate beyond a limit. `body` is the text, `note` the
//! text with signatures, `key` has the signers' keys, `cosignature` signs and verifies, `list` is several notes in
//! one text.

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
