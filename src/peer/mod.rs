//! Peers: other auditors of the same server, and their checkpoints of its databases.
//!
//! `word` is a peer's checkpoint of one database, and `judge` (pure) reads it from the bytes of a response.
//! `fetch` is the thread that requests it, and `poller` stores the last checkpoints of all peers. The audit
//! compares them with the trusted history.

#![forbid(unsafe_code)]

mod fetch;
mod judge;
mod poller;
mod word;

pub use fetch::{Fetcher, InProcess, ROUND_TIMEOUT};
pub use judge::{PeerResponse, Witness, judge, judge_file};
pub use poller::{Answer, Latest, PeerPoller, Source};
pub use word::{Age, MAX_SKEW, Word};
