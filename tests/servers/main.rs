//! Tests with real immudb servers, which `tests/real/build` builds.

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod keys;
mod lies;
mod locate;
mod logins;
mod migrate;
mod migrate_unchanged;
mod notes;
mod replica;
mod values;
mod watch;
