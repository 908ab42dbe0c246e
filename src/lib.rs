//! immuaudit watches immudb servers and says, with proof, when one of them has rewritten history.

pub mod config;
pub mod ledger;
pub mod sys;
pub mod wire;
