//! Errors of the auditor's own files and machine; `words` describes them and the remedy.

mod words;

use std::io;
use std::path::{Path, PathBuf};

use super::file_damage::{FileDamage, Record};
use super::finding::Tampering;
use super::recovery::Recovery;
use crate::ledger::State;

/// A fault of the auditor's own files, disk or lock: it stops one database's audit, and says nothing about the
/// server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The system refused: the action, the path, and the system's error.
    System {
        doing: &'static str,
        path: PathBuf,
        kind: io::ErrorKind,
        error: String,
    },
    /// A server is to be audited under a new label, but its address was audited under another one.
    OtherLabel {
        label: String,
        known: String,
        address: String,
        directory: PathBuf,
    },
    /// Two directories of one auditor belong to two users, and root can only continue as one.
    TwoOwners {
        directories: [PathBuf; 2],
        users: [u32; 2],
    },
    /// A link, directory or device is in the place of a plain file, or a link in the place of a directory.
    NotAFile { path: PathBuf, found: &'static str },
    /// The file is longer than any file of the auditor.
    TooLong { path: PathBuf, most: u64 },
    /// The content differs from what the auditor wrote.
    Damaged {
        path: PathBuf,
        damage: FileDamage,
        recovery: Box<Recovery>,
    },
    /// The content of another file of an auditor differs from what the auditor wrote.
    DamagedRecord {
        path: PathBuf,
        damage: FileDamage,
        record: Record,
    },
    /// A file that the operator named does not exist.
    NoFile { path: PathBuf, record: Record },
    /// A file that the operator named is something else.
    OtherFile {
        path: PathBuf,
        fault: String,
        record: Record,
    },
    /// No file is left of a database that was audited before.
    Lost {
        database: String,
        directory: PathBuf,
        outcomes: PathBuf,
    },
    /// A file is missing that belongs to an existing one.
    Missing {
        path: PathBuf,
        other_file: PathBuf,
        recovery: Box<Recovery>,
    },
    /// State file and history are both complete and contradict each other.
    Disagree {
        state: PathBuf,
        history: PathBuf,
        recovery: Box<Recovery>,
    },
    /// Another auditor is running in this directory.
    Locked {
        server: String,
        directory: PathBuf,
        holder: String,
        /// The flags that must name other directories, so that both auditors can run.
        flags: &'static str,
    },
    /// Another command has been changing files here for too long.
    Busy { directory: PathBuf },
    /// No data was ever stored for this server.
    NoDirectory {
        server: String,
        directory: PathBuf,
        /// Servers that have files there.
        known: Vec<String>,
    },
    /// Another command, such as `immuaudit alarm adopt`, changed the trusted state meanwhile.
    Changed { database: String },
    /// A first use of a database that already has a trusted state.
    AlreadyTrusted { database: String },
    /// The proof does not lead from the trusted state to the new one.
    NotProven {
        database: String,
        trusted: State,
        shown: State,
    },
    /// The pin is not the last good state that the damaged files name.
    OtherPin {
        pinned: State,
        known: Option<State>,
        failure: Box<StoreError>,
    },
    /// No alarm has this ID, or the alarm is closed.
    NoAlarm {
        server: String,
        alarm: String,
        /// Whether there is such an alarm, and it is closed.
        closed: bool,
        /// ID, kind and database of each open alarm.
        open: Vec<(String, Tampering, String)>,
    },
    /// The trusted state that an alarm is about was replaced before the alarm was adopted.
    Overtaken {
        database: String,
        alarm: String,
        then: Option<State>,
        now: Option<State>,
    },
    /// An alarm names no state that could be adopted.
    NothingToAdopt { alarm: String, kind: Tampering },
    /// A transaction to acknowledge is past the trusted one.
    NotTrustedYet {
        database: String,
        tx: u64,
        trusted_tx: u64,
    },
    /// No signed state of a database is known, so the loss of its signature cannot be acknowledged.
    NeverSigned { database: String },
    /// The evidence has reached its limit.
    EvidenceFull { directory: PathBuf, most: u64 },
}

impl StoreError {
    pub(super) fn system(doing: &'static str, path: &Path, error: &io::Error) -> StoreError {
        StoreError::System {
            doing,
            path: path.into(),
            kind: error.kind(),
            error: error.to_string(),
        }
    }

    /// Returns whether a list of alarms that cannot be read for this reason may have an open alarm on it: the file is
    /// there and damaged. Everything else is only a failure of this machine.
    pub fn hides_alarms(&self) -> bool {
        !matches!(self, StoreError::System { .. } | StoreError::Busy { .. })
    }

    /// Returns the failure of a file that the operator named: a file in another place than those of the auditor.
    pub(super) fn of_named(self, record: Record) -> StoreError {
        let (path, fault) = match self {
            StoreError::NotAFile { path, found } => (path, format!("it is {found}")),
            StoreError::TooLong { path, most } => (path, format!("it is longer than {most} bytes")),
            other => return other,
        };
        StoreError::OtherFile {
            path,
            fault,
            record,
        }
    }

    /// Returns whether the files cannot be relied on, so that a pin of the last good state repairs them.
    pub(super) fn repairable(&self) -> bool {
        matches!(
            self,
            StoreError::Damaged { .. }
                | StoreError::Missing { .. }
                | StoreError::Disagree { .. }
                | StoreError::TooLong { .. }
        )
    }
}

impl std::error::Error for StoreError {}
