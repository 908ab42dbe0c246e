//! Peers: other auditors of the same server, and what they say of its databases.
//!
//! `word` is what a peer says of one database, `judge` (pure) takes it out of the bytes of an answer, `fetch` is the thread
//! that asks, `hearing` holds the last words of all peers. Comparing them with what is trusted is the audit's.

#![forbid(unsafe_code)]

mod fetch;
mod hearing;
mod judge;
mod word;

pub use fetch::{Fetcher, InProcess, ROUND_TIMEOUT};
pub use hearing::{Answer, Hearing, Latest, Source};
pub use judge::{Heard, Witness, judge};
pub use word::{Age, MAX_SKEW, Word};
