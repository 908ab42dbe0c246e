//! A peer's confirmation of one database: a checkpoint.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ledger::{Signature, State};

/// The maximum time by which a peer's clock may be ahead of this one. Machines with NTP differ by some
/// milliseconds, and machines without it by some minutes at worst.
pub const MAX_SKEW: Duration = Duration::from_secs(300);

/// A checkpoint of a database that a peer confirmed by one of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The state.
    pub state: State,
    /// The time at which the peer confirmed it, by the peer's own clock.
    pub time: Timestamp,
    /// The server's signature in the checkpoint. It is not verified.
    pub signature: Option<Signature>,
    /// The signed note, unchanged.
    pub note: Arc<str>,
}

/// The age of a peer's checkpoint. It only decides whether the checkpoint counts: a wrong clock never causes an
/// accusation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// The checkpoint counts.
    Fresh,
    /// The checkpoint is older than allowed, so it may be an old one that another party repeats.
    Stale(Duration),
    /// The checkpoint is from the future by more than [`MAX_SKEW`].
    Future(Duration),
}

impl Word {
    /// Returns the age of the checkpoint at `now`; `allowed` is the oldest age that counts.
    pub fn age(&self, now: Timestamp, allowed: Duration) -> Age {
        let (ahead, old) = (self.time.since(now), now.since(self.time));
        match (ahead > MAX_SKEW, old > allowed) {
            (true, _) => Age::Future(ahead),
            (false, true) => Age::Stale(old),
            (false, false) => Age::Fresh,
        }
    }
}
