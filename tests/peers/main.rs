//! Checkpoints, and auditors that compare them.

#[path = "../support/mod.rs"]
mod support;

mod checkpoint;
mod checkpoints;
mod compared;
mod cost;
mod disagreements;
mod fetched;
mod honest;
mod program;
mod several;
mod time;
mod unstored;
mod zones;
