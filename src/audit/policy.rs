//! The operator's requirements.

use std::time::Duration;

use crate::config::{DatabaseFilter, FirstUse, Pin, Signatures, Values};

/// The operator's settings for an audit.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The databases to audit.
    pub databases: DatabaseFilter,
    /// The required signatures of each state.
    pub signatures: Signatures,
    /// States to start from, or to compare with the trusted states.
    pub pins: Vec<Pin>,
    /// The treatment of a database without a trusted state.
    pub first_use: FirstUse,
    /// Time from one cycle's begin to the next one's.
    pub interval: Duration,
    /// The longest time that a database may have no new transaction.
    pub max_idle: Option<Duration>,
    /// The most transactions fetched one by one for a single proof.
    pub max_fetch: u64,
    /// The values to read.
    pub values: Values,
}

impl Policy {
    /// Returns whether a database is audited.
    pub(super) fn selects(&self, database: &str) -> bool {
        let pinned = || self.pins.iter().any(|pin| pin.database == database);
        self.databases.selects(database) || pinned()
    }

    /// Returns a policy that checks the consistency of every database once a minute. It trusts on first use and reads
    /// no values.
    pub fn of_consistency() -> Policy {
        Policy {
            databases: DatabaseFilter::default(),
            signatures: Signatures::NotRequired,
            pins: Vec::new(),
            first_use: FirstUse::Trust,
            interval: Duration::from_secs(60),
            max_idle: None,
            max_fetch: 10_000,
            values: Values::NONE,
        }
    }
}
