//! The settings of the checks.

use std::fmt;
use std::time::Duration;

use super::filter::DatabaseFilter;
use crate::ledger::{PublicKey, State};

/// The settings of the checks.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// The databases to audit.
    pub databases: DatabaseFilter,
    /// Whether the audit runs once or until it is stopped.
    pub run_mode: RunMode,
    /// The time from the begin of one cycle to the next. Three of these are the limit for *overdue*.
    pub interval: Duration,
    /// The required signatures of every state.
    pub signatures: Signatures,
    /// States to start from.
    pub pins: Vec<Pin>,
    /// The treatment of a database without a trusted state.
    pub first_use: FirstUse,
    /// The longest time without a new transaction, after which a database is reported; `None` for no limit.
    pub max_idle: Option<Duration>,
    /// The most transactions that are fetched one by one for a single proof.
    pub max_fetch: u64,
    /// The values to read.
    pub values: Values,
    /// The limit of all mirrors together, in bytes; `None` if there is no mirror.
    pub mirror: Option<u64>,
}

/// Whether the audit runs once or until it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// One cycle.
    Once,
    /// Until stopped.
    UntilStopped,
}

/// The required signatures of every state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// No signature is required or checked.
    NotRequired,
    /// Each state must be signed by one of these keys.
    By(Vec<PublicKey>),
    /// Each state must be signed by the key in the response, which proves no identity (immugw's `validate`).
    ByTheAnswersOwnKey,
}

impl Signatures {
    /// Returns the keys that the operator trusts.
    pub fn keys(&self) -> &[PublicKey] {
        match self {
            Signatures::By(keys) => keys,
            _ => &[],
        }
    }
}

/// Whether the first state of a database is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstUse {
    /// The state is trusted.
    Trust,
    /// The state is refused.
    Refuse,
}

/// The values to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    /// The number of transactions that are drawn for each database in each cycle.
    pub sample: u64,
    /// The new transactions to read.
    pub new: NewValues,
    /// The time in which a sweep reads the whole history; `None` for no sweep.
    pub sweep: Option<Duration>,
}

impl Values {
    /// No values are read.
    pub const NONE: Values = Values {
        sample: 0,
        new: NewValues::Sampled,
        sweep: None,
    };
}

/// The new transactions to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewValues {
    /// Only the new transactions that the sample draws.
    Sampled,
    /// All new transactions.
    All,
}

/// A state that the operator knows to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The database.
    pub database: String,
    /// The transaction, from 1, and its hash.
    pub state: State,
}

/// Formats the pin as it is given.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.database, self.state)
    }
}
