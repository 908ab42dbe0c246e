//! The embedded ledger: a small real server of immudb's protocol, in memory and on loopback, that is honest or
//! runs one of [`Lie::ALL`] (protocol.md).
//!
//! [`ledger`](crate::ledger) computes all hashes. So this module only does what a server does and an auditor does
//! not: it stores transactions and makes proofs. Reading order: [`MerkleTree`], [`Ledger`], the calls,
//! [`Embedded`], the lies.

#![forbid(unsafe_code)]
// the indices are looked up or created just before; a failed write to its own ledger is a defect of this program
#![allow(clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::panic))]

mod databases;
mod deliver;
mod distort;
mod embedded;
mod emulate;
mod entries;
mod forge;
mod in_process;
mod index;
mod ledger;
mod lie;
mod login;
mod lookup;
mod message;
mod options;
mod peer;
mod peer_lie;
mod refuse;
mod serve;
mod service;
mod sign;
mod sorted;
mod split;
mod status;
mod store;
mod token;
mod transactions;
mod transport;
mod tree;
mod unsupported;
mod writes;

pub use embedded::Embedded;
pub use emulate::Emulated;
pub use in_process::{Delivery, InProcess, Sent};
pub use ledger::{Lag, Ledger, NewEntry, NewTransaction, Unlinkable};
pub use lie::{AuditorSetup, Expected, Lie, LieSchedule};
pub use message::dual_proof as dual_proof_message;
pub use options::Options;
pub use peer::{Peer, Serving};
pub use peer_lie::PeerLie;
pub use serve::{Growth, ServeError, Served, fill, serve};
pub use sign::SigningKey;
pub use split::Split;
pub use store::Access;
pub use token::Lifetime;
pub use tree::MerkleTree;
