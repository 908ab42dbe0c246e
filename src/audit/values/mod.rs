//! Reading values: by sample, as they are new, and all of them in a sweep (protocol.md §6).
//!
//! A consistency proof does not see a value that was edited on the server's disk: only reading it
//! does. Reading order: `check` (what is read of a database in a cycle), `reader` (one transaction),
//! `run` (many by one scan), `judge` (what they must be), `finding` (what they may turn out to be).

mod check;
mod draw;
mod finding;
mod judge;
mod reader;
mod run;
mod truncation;

pub use finding::{Broken, Entry, Report, Shows, Unavailable, Unread, What, Why};
pub use judge::{Completed, Judged, complete, judge};
pub(super) use run::Scan;
