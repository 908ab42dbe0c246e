//! Trusted states, alarms and evidence in files.
//!
//! No test here starts a program, because between fork and exec a child process holds a copy of
//! each lock of its parent.

#[path = "../support/mod.rs"]
mod support;

mod alarms;
mod damage;
mod identities;
mod repair;
mod room;
mod same_id;
mod signatures;
mod stamps;
mod states;
mod unlistable;
