//! Requests as bytes, and the one place where a server's bytes become [`ledger`](crate::ledger) types (protocol.md
//! §2). It checks the format and limits the memory; the steps of `ledger` check ids, hashes and the terms of proofs.

#![forbid(unsafe_code)]
#![deny(clippy::as_conversions)]

mod budget;
mod decode;
mod encode;
mod excerpt;
mod malformed;
mod message;
pub mod method;
mod names;

/// The messages as generated from `proto/`.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    missing_docs,
    unused_results
)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/proto/mod.rs"));
    pub use immudb::*;
}

pub use decode::{
    Tx, VerifiableEntry, VerifiableTx, database_list, get_entry, state, token, tx, tx_list,
    verifiable_entry, verifiable_tx,
};
pub use encode::{
    Entries, database, empty, get, login, open_session, tx_by_id, tx_scan, verifiable_get,
    verifiable_tx_by_id,
};
pub use excerpt::without_values;
pub use malformed::Malformed;
pub use names::Names;
