//! Alarms and evidence: the operator's decisions, the list, and auditors that were shown different histories.

#[path = "../support/mod.rs"]
mod support;

mod claims;
mod decisions;
mod evidence;
mod given_up;
mod import;
mod list;
mod other_auditor;
mod split;
mod unstored;
mod words;
