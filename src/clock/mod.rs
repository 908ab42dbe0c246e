//! The wall clock: for what people and files are told. Intervals and deadlines never look at it.

#![forbid(unsafe_code)]

mod timestamp;

use std::time::SystemTime;

pub use timestamp::Timestamp;

/// The environment variable that names a file, of seconds by which the clock is wrong: read at every
/// look by builds of the feature `fault-points`, and by no other.
pub const VARIABLE: &str = "IMMUAUDIT_CLOCK_OFF_BY";

/// The time of day.
pub fn now() -> Timestamp {
    stepped(Timestamp::from(SystemTime::now()))
}

#[cfg(feature = "fault-points")]
fn stepped(now: Timestamp) -> Timestamp {
    let file = std::env::var_os(VARIABLE).map(std::fs::read_to_string);
    let text = file.and_then(Result::ok).unwrap_or_default();
    let off: i64 = text.trim().parse().unwrap_or(0);
    Timestamp::from_unix(now.unix().saturating_add_signed(off))
}

#[cfg(not(feature = "fault-points"))]
fn stepped(now: Timestamp) -> Timestamp {
    now
}
