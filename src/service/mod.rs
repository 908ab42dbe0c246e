//! The auditor as a service of systemd: its unit, and the steps that put it there and take it away.
//!
//! What is to be done is a [`Plan`] first, made from [`Facts`] without touching anything, so that
//! `--dry-run` prints the very steps that would be taken.

#![forbid(unsafe_code)]

mod account;
mod directory;
mod facts;
mod instance;
mod instance_plan;
mod mark;
mod notify;
mod plan;
mod step;
mod toml_edit;
mod unit;

pub use account::Account;
pub use directory::Place;
pub use facts::{Facts, NoSystemd, is_systemd};
pub use instance::{InstanceFacts, states_of, unit_of, user_of};
pub use notify::Notifier;
pub use plan::{Plan, Purge, Service};
pub use step::{Fault, Step, control};
pub use toml_edit::set_keys;
pub use unit::{UNIT, USER, default_state};
