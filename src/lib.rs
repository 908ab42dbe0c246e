//! immuaudit watches immudb servers and says, with proof, when one of them has rewritten history.

pub mod drill;
pub mod ledger;
pub mod wire;
