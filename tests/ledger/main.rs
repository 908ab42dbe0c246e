//! Verification: proofs, keys, transactions and values, from the bytes of a response to the verdict. These tests need
//! no server.

#[path = "../support/mod.rs"]
mod support;

mod forms;
mod garbage;
mod hostile;
mod judge;
mod keys;
mod model;
mod proof;
mod properties;
mod recorded;
mod vectors;
mod wire;
