//! The wall clock: for what people and files are told. Intervals and deadlines never look at it.

#![forbid(unsafe_code)]

use std::time::SystemTime;

use crate::trust::Timestamp;

/// The time of day.
pub fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}
