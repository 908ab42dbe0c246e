//! Faults of the auditor's files that are reported, and that do not stop the audit.

use std::fmt;
use std::path::PathBuf;

use crate::clock::Timestamp;
use crate::sys::{Open, User, words};
use crate::text::{Escaped, shell_value};

/// A fault of the auditor's files that does not stop the audit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// Others may read or write it.
    Loose { path: PathBuf, open: Open },
    /// The file belongs to another user.
    Owner {
        path: PathBuf,
        owner: User,
        us: User,
    },
    /// The last line of a history was incomplete and is left out; no accepted state is lost.
    TornHistory { path: PathBuf },
    /// The name was too long for a file name, and its files no longer contain it.
    Nameless { path: PathBuf },
    /// A history could not be made smaller; it keeps growing.
    NotThinned { path: PathBuf, error: String },
    /// A file that no trusted state depends on could not be written.
    NotWritten { path: PathBuf, error: String },
    /// A file that no trusted state depends on is damaged, and started again.
    StartedOver { path: PathBuf },
    /// A file that no trusted state depends on was damaged; it stays with `.damaged` after its name.
    SetAside { path: PathBuf },
    /// An older state is trusted than one that was proven before, and no command gave that up.
    Restored {
        path: PathBuf,
        database: String,
        trusted_tx: u64,
        later_tx: u64,
        later_hash: String,
        /// The time of its last proof.
        proven: Timestamp,
    },
    /// The server was audited at another address before.
    OtherAddress { before: String, now: String },
    /// The acknowledged facts of a database could not be read, so none count.
    NotAcknowledged { failure: String },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Loose { path, open } => write!(
                f,
                "{} is accessible to other users ({open}): {}",
                path.display(),
                words::TAKE_RIGHTS
            ),
            Warning::Owner { path, owner, us } => write!(
                f,
                "{} belongs to user {owner}, who can change the trusted states, but immuaudit runs as user {us}: run it as user {owner}, or {}",
                path.display(),
                words::GIVE_BACK
            ),
            Warning::TornHistory { path } => write!(
                f,
                "the last line of {} is incomplete; it is ignored, and the next line overwrites it",
                path.display()
            ),
            Warning::Nameless { path } => write!(
                f,
                "{}: no file has the full name of this database any more",
                path.display()
            ),
            Warning::NotThinned { path, error } => write!(
                f,
                "{} could not be shortened, so it keeps growing: {error}",
                path.display()
            ),
            Warning::NotWritten { path, error } => {
                write!(f, "{} is not up to date: {error}", path.display())
            }
            Warning::StartedOver { path } => {
                write!(
                    f,
                    "{} was damaged, so a new file was started",
                    path.display()
                )
            }
            Warning::SetAside { path } => write!(
                f,
                "{0} could not be read, so a new file was started; the old file is stored as {0}.damaged",
                path.display()
            ),
            Warning::Restored {
                path,
                database,
                trusted_tx,
                later_tx,
                later_hash,
                proven,
            } => write!(
                f,
                "{}: the trusted state of database {} is transaction {trusted_tx}, although transaction {later_tx} was proven at {proven} and no command gave it up, so the file was probably restored from a backup; to check that the server still has the later state, start the audit once with --pin {}",
                path.display(),
                Escaped::new(database),
                shell_value(&format!("{database}:{later_tx}:{later_hash}"))
            ),
            Warning::OtherAddress { before, now } => write!(
                f,
                "the server was last audited at {}, and the address is {} now: if it was not moved, correct --immudb-address and --immudb-port",
                Escaped::new(before),
                Escaped::new(now)
            ),
            Warning::NotAcknowledged { failure } => {
                write!(f, "acknowledged facts are ignored: {failure}")
            }
        }
    }
}
