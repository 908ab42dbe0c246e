//! Notifications: who is told of tampering and of changes, and how that is made sure of.

#![forbid(unsafe_code)]

mod counts;

pub use counts::{Counts, Receiver};
