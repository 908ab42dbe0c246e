//! Telling people: log lines, a JSON object a database, plain lines. Nothing here decides.

#![forbid(unsafe_code)]

mod json;
mod log_line;
mod logger;
mod plain;
mod progress;

pub use json::{JsonObject, outcome_json};
pub use log_line::{log_cycle, log_outcome, log_swept, log_values};
pub use logger::start_logging;
pub use plain::{outcome_line, print};
pub use progress::Bar;
