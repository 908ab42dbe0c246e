//! Comparing two histories of one database. Reading order: `against` (a second server, or a mirror), `history_pair`
//! (two servers read in step), `differences` (the results), `compare` (another auditor's trusted states),
//! `contradiction` (whether a state that differs accuses the server), `parting` (the transaction at which they begin to
//! differ).

pub(super) mod against;
pub(super) mod compare;
mod contradiction;
pub(super) mod differences;
mod history_pair;
pub(super) mod parting;
