//! Reading of values: findings, retries and sweeps.

#[path = "../support/mod.rs"]
mod support;

mod absent;
mod closed;
mod due;
mod evidence;
mod excuses;
mod findings;
mod reading;
mod sweep;
mod sweep_once;
mod trees;
mod truncated;
mod unread;
mod unread_program;
mod versions;
