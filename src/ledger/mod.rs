//! The mathematics of an immudb ledger: its hashes, and the verification of proofs and signatures.
//!
//! The code is pure and total: no I/O, no clock, no protobuf. Only the check of a configured key draws random
//! numbers, which do not change its result. No input makes the code panic or overflow, and the memory that it
//! allocates is proportional to the input. `audit` makes verdicts from the results. The reading order is that of
//! protocol.md: [`digest`](Digest), [header](TxHeader), [entries](verify_entries), [trees](Frontier),
//! [dual proofs](verify), [states](ClaimedState).

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

mod digest;
mod dual_proof;
mod entry;
mod excuse;
mod header;
mod proof;
mod refusal;
mod state;
mod tree;

#[cfg(any(test, feature = "fault-points"))]
pub use digest::digests_computed;
pub use digest::{Digest, DigestError, HexError, Term};
pub use dual_proof::{Proven, verify};
pub use entry::{
    EntryInclusion, GetEntry, KEY_VALUE, KvMetadata, Reference, TxEntry, verify_entries,
};
pub use excuse::{Unprovable, excuse};
pub use header::{HeaderFields, HeaderVersion, MAX_EXTRA, TxHeader, TxMetadata};
pub use proof::{DualProof, LinearAdvance, LinearProof, Parts};
pub use refusal::{Fault, Reason, Refusal, Step, Wanted};
pub use state::{
    BadSignature, ClaimedState, PemError, PublicKey, Signature, State, StateShape, decode_base64,
    encode_base64, signed_bytes,
};
pub use tree::{Frontier, Tree};
