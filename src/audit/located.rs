//! The result of a search for the place where a history was rewritten.

use super::verdict::{Exit, Reason, Verdict};
use crate::clock::Timestamp;
use crate::locate::{Checkpoint, Window};
use crate::server::ServerError;
use crate::trust::{Alarm, StoreError};

/// The result of `locate` for one database.
#[derive(Debug)]
pub struct Located {
    /// The name.
    pub database: String,
    /// The time of the request.
    pub at: Timestamp,
    /// The server's view of the database.
    pub present: ServerView,
    /// The number of transactions in the mirror.
    pub mirrored: Option<u64>,
    /// The open alarms.
    pub alarms: Vec<Alarm>,
    /// The reason why the list of alarms could not be read.
    pub alarms_error: Option<StoreError>,
    /// The number of calls to the server.
    pub calls: u64,
}

/// The server's current view of a database.
#[allow(clippy::large_enum_variant)] // one value exists at a time, and not for long
#[derive(Debug)]
pub enum ServerView {
    /// A state, and the part of the trusted history that it has.
    Shows {
        /// The intact and the rewritten transactions.
        window: Window,
        /// Whether the database is on the server's list.
        listed: Listed,
        /// The reason to refuse the state itself: a wrong signature or another database.
        refused: Option<(Verdict, Reason)>,
    },
    /// A database without transactions.
    Emptied(Lost),
    /// No such database.
    Vanished(Lost),
    /// The server showed no state.
    NotShown(ServerError),
    /// The database has no trusted state, so nothing can be located.
    NothingTrusted,
    /// The auditor's own files cannot be read.
    Local(StoreError),
}

/// Whether a database is on the server's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The database is on the list.
    Yes,
    /// The database is not on the list, but the server opens it.
    Hidden,
    /// The server sent no list.
    Unknown,
}

/// The trusted history of a database that has lost all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first state of the trusted line.
    pub oldest: Checkpoint,
    /// The last state of the trusted line.
    pub newest: Checkpoint,
}

impl Located {
    /// Returns the exit code of the program: 2 if transactions are missing or rewritten, if a check would find the
    /// state itself to be tampered with, or if an alarm is or may be open.
    pub fn exit(&self) -> Exit {
        let found = match &self.present {
            ServerView::Shows {
                window,
                listed,
                refused,
            } => {
                let rewritten = window.broken.is_some()
                    || window.lost().is_some()
                    || window.contradicted.is_some();
                let history = match rewritten || *listed == Listed::Hidden {
                    true => Exit::Tampered,
                    false if window.is_intact() => Exit::Good,
                    false => Exit::Incomplete,
                };
                let state = refused.as_ref().map(|(verdict, _)| verdict.exit());
                history.max(state.unwrap_or(Exit::Good))
            }
            ServerView::Emptied(_) | ServerView::Vanished(_) => Exit::Tampered,
            ServerView::NotShown(_) | ServerView::NothingTrusted => Exit::Incomplete,
            ServerView::Local(_) => Exit::Local,
        };
        // a list that cannot be read can have open alarms
        match self.alarms.is_empty() && self.alarms_error.is_none() {
            true => found,
            false => found.max(Exit::Tampered),
        }
    }
}
