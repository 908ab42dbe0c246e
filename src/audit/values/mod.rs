//! Reading values: a sample, new ones, and all of them in a sweep (protocol.md §6).
//!
//! A consistency proof does not show that a value was edited on the server's disk; only reading the value does.
//!
//! Reading order: `check`, `retry` and `sample` (the reading of a database in a cycle), `reader` and `one` (one
//! transaction), `judge` (verification), `contents`, `missing` and `partial` (values that did not come with the
//! transaction), `run`, `scan` and `chain` (many transactions by one call), `closed` (transactions of closed alarms),
//! `sweep`, `slice`, `walk` and `tree` (all transactions, chain and tree), `pace` (the pace of a sweep), `truncation`
//! and `retention` (values that were dropped), `finding` and `report` (the results), `record` (evidence and alarms),
//! `corruption_report` and `detection_probability` (for the operator).

mod chain;
mod check;
mod closed;
mod contents;
mod corruption_report;
mod detection_probability;
mod finding;
mod judge;
mod missing;
mod one;
mod pace;
mod partial;
mod reader;
mod record;
mod report;
mod retention;
mod retry;
mod run;
mod sample;
mod scan;
mod slice;
mod sweep;
mod tree;
mod truncation;
mod walk;

pub use corruption_report::{CorruptTx, CorruptionReport};
pub use detection_probability::{DetectionProbability, Readings, detection_probability_per_day};
pub use finding::{CorruptEntry, Corruption, Entry, Unread, UnreadReason};
pub(super) use judge::judge_by_key;
pub use judge::{Completed, Judged, complete, judge};
pub(super) use partial::Partials;
pub(super) use record::Alarms;
pub use report::Report;
pub(super) use scan::Scan;
pub use sweep::{Slice, SweepStatus};
pub use walk::{Step, Walk};
