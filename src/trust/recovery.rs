//! The operator's recovery of a database whose files are damaged.

use std::fmt;

use crate::ledger::State;
use crate::text::shell_value;

/// The facts for a recovery: the database, and the last state that is known to have been accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The database's name.
    pub database: String,
    /// The last good state, if a file still names one.
    pub last_good: Option<State>,
}

impl Recovery {
    /// Returns the advice for a damaged database.
    pub(super) fn of(database: &str, last_good: Option<State>) -> Box<Recovery> {
        Box::new(Recovery {
            database: database.into(),
            last_good,
        })
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this database is not audited until its files are restored from a backup"
        )?;
        match &self.last_good {
            Some(state) => write!(
                f,
                ", or the audit is started once with --pin {}, the last good state on record",
                shell_value(&format!("{}:{state}", self.database))
            ),
            None => f.write_str(
                ", or moved away and the audit started with --pin of a state known from elsewhere",
            ),
        }
    }
}
