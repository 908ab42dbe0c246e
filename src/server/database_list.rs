//! The databases of a server: listed by it, or assumed because it has no list.

use super::DEFAULT_DATABASE;
use crate::wire::Names;

/// The databases of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseList {
    /// The server listed them.
    Shown(Names),
    /// The server runs without authentication and has no list. It has the default database, and in maintenance mode
    /// others too, so a missing name says nothing.
    Assumed,
}

impl DatabaseList {
    /// Returns the names of the list, or that of the default database.
    pub fn names(self) -> Names {
        match self {
            DatabaseList::Shown(names) => names,
            DatabaseList::Assumed => [DEFAULT_DATABASE.as_bytes()].into_iter().collect(),
        }
    }

    /// Returns whether the server listed the databases, and this one is not among them.
    pub fn leaves_out(&self, database: &str) -> bool {
        match self {
            DatabaseList::Shown(names) => names.iter().all(|name| name != database.as_bytes()),
            DatabaseList::Assumed => false,
        }
    }
}
