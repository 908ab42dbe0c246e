//! The search for rewritten transactions, and comparisons with backups and mirrors.

#[path = "../support/mod.rs"]
mod support;

mod against;
mod keeping;
mod search;
mod turns;
