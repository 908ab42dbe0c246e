//! immuaudit audits immudb servers and proves it if one of them has rewritten history.
//!
//! [`command`] has the program's commands and [`audit`] the checks. [`ledger`] verifies immudb's proofs, [`wire`] and
//! [`server`] exchange messages with the server, and [`trust`] stores trusted states, alarms and evidence.
//! docs/architecture.md describes all modules.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod audit;
pub mod checkpoint;
pub mod clock;
pub mod command;
pub mod config;
pub mod drill;
pub mod histogram;
pub mod http;
pub mod json;
pub mod ledger;
pub mod locate;
pub mod monitor;
pub mod notify;
pub mod peer;
pub mod random;
pub mod ranges;
pub mod report;
pub mod server;
pub mod service;
pub mod stop;
#[allow(unsafe_code)] // the only module with unsafe code
pub mod sys;
pub mod text;
pub mod trust;
pub mod wire;
