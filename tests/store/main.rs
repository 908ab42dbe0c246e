//! Trusted states, alarms and evidence in files.
//!
//! No test here starts a program, because between fork and exec a child process holds a copy of
//! each lock of its parent.

#[path = "../support/mod.rs"]
mod support;

mod alarms;
mod damage;
mod evidence_space;
mod identities;
mod repair;
mod same_id;
mod signatures;
mod stamps;
mod states;
mod unlistable;
