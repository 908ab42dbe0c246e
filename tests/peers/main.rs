//! Checkpoints, and auditors that compare them.

#[path = "../support/mod.rs"]
mod support;

mod checkpoint;
mod checkpoints;
mod compared;
mod cost;
mod fetched;
mod honest;
mod program;
mod time;
mod unstored;
mod zones;
