//! What a peer says of one database: a checkpoint that it confirmed.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ledger::{Signature, State};

/// How far a peer's clock may be ahead of this one: machines that keep time by NTP are some milliseconds apart, and those
/// that do not some minutes at worst.
pub const MAX_SKEW: Duration = Duration::from_secs(300);

/// A checkpoint of a database that a peer confirmed by one of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The state.
    pub state: State,
    /// When the peer confirmed it, by its own clock.
    pub time: Timestamp,
    /// The server's signature that the checkpoint carries. Nobody has checked it.
    pub signature: Option<Signature>,
    /// The signed note, as it came.
    pub note: Arc<str>,
}

/// How old a peer's word is. Nothing is decided by it but whether the word counts at all: a wrong clock accuses nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It counts.
    Fresh,
    /// It is older than is allowed, and so may be one that was said long ago and is repeated by another.
    Stale(Duration),
    /// It is from the future by more than [`MAX_SKEW`].
    Future(Duration),
}

impl Word {
    /// Returns how old the word is at `now`, where `allowed` is the most that counts.
    pub fn age(&self, now: Timestamp, allowed: Duration) -> Age {
        let (ahead, old) = (self.time.since(now), now.since(self.time));
        match (ahead > MAX_SKEW, old > allowed) {
            (true, _) => Age::Future(ahead),
            (false, true) => Age::Stale(old),
            (false, false) => Age::Fresh,
        }
    }
}
