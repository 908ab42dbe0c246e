//! What can be wrong on the auditor's own machine, and what its operator does about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::damage::{Damage, Record};
use super::finding::Tampering;
use super::recovery::Recovery;
use super::text::Shown;
use crate::ledger::State;
use crate::text::shell_value;

/// The auditor's own files, disk or lock: it stops one database's audit, and says nothing about the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalFailure {
    /// The system refused: what was being done, where, and its word.
    System {
        doing: &'static str,
        path: PathBuf,
        kind: io::ErrorKind,
        error: String,
    },
    /// A server is to be audited under a new label, and its address was audited under another one.
    OtherLabel {
        label: String,
        known: String,
        address: String,
        directory: PathBuf,
    },
    /// Two directories of one auditor belong to two users, and root can only go on as one.
    TwoOwners {
        directories: [PathBuf; 2],
        users: [u32; 2],
    },
    /// A link, directory or device stands where a plain file is due, or a link where a directory is.
    NotAFile { path: PathBuf, found: &'static str },
    /// Too long to be one of ours.
    TooLong { path: PathBuf, most: u64 },
    /// The content is not what was written.
    Damaged {
        path: PathBuf,
        damage: Damage,
        recovery: Box<Recovery>,
    },
    /// The content of another file of an auditor is not what was written.
    DamagedRecord {
        path: PathBuf,
        damage: Damage,
        record: Record,
    },
    /// A file that the operator named does not exist.
    NoFile { path: PathBuf, record: Record },
    /// Nothing is left of a database that was audited before.
    Lost {
        database: String,
        directory: PathBuf,
        outcomes: PathBuf,
    },
    /// A file is gone that belongs to one that is there.
    Missing {
        path: PathBuf,
        beside: PathBuf,
        recovery: Box<Recovery>,
    },
    /// State file and history are both whole and tell different things.
    Disagree {
        state: PathBuf,
        history: PathBuf,
        recovery: Box<Recovery>,
    },
    /// Another auditor is at work in this directory.
    Locked {
        server: String,
        directory: PathBuf,
        holder: String,
    },
    /// Another command has been changing something here for too long.
    Busy { directory: PathBuf },
    /// Nothing was ever kept of this server.
    NoDirectory {
        server: String,
        directory: PathBuf,
        /// Servers that something is known of there.
        known: Vec<String>,
    },
    /// Another command, such as `immuaudit alarm adopt`, changed the trusted state meanwhile.
    Changed { database: String },
    /// A first sight of what is trusted already.
    AlreadyTrusted { database: String },
    /// The proof is not from the trusted state to the one to be trusted.
    NotProven {
        database: String,
        trusted: State,
        shown: State,
    },
    /// The pin is not the last good state that the damaged files name.
    OtherPin {
        pinned: State,
        known: Option<State>,
        failure: Box<LocalFailure>,
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
    /// The evidence takes all the room it may.
    EvidenceFull { directory: PathBuf, most: u64 },
}

/// Open alarms that a message names.
const MAX_NAMED: usize = 5;

impl LocalFailure {
    pub(super) fn system(doing: &'static str, path: &Path, error: &io::Error) -> LocalFailure {
        LocalFailure::System {
            doing,
            path: path.into(),
            kind: error.kind(),
            error: error.to_string(),
        }
    }

    /// Returns whether a list of alarms that cannot be read for this reason may have an open alarm on it: the file is
    /// there and damaged. Everything else is only a failure of this machine.
    pub fn hides_alarms(&self) -> bool {
        !matches!(
            self,
            LocalFailure::System { .. } | LocalFailure::Busy { .. }
        )
    }

    /// Is something there that cannot be relied on? Then a pin of the last good state repairs it.
    pub(super) fn repairable(&self) -> bool {
        matches!(
            self,
            LocalFailure::Damaged { .. }
                | LocalFailure::Missing { .. }
                | LocalFailure::Disagree { .. }
                | LocalFailure::TooLong { .. }
        )
    }
}

impl std::error::Error for LocalFailure {}

impl fmt::Display for LocalFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalFailure::System {
                doing,
                path,
                error,
                kind,
            } => {
                let remedy = match kind {
                    io::ErrorKind::NotFound => "see whether the path is right and its disk mounted",
                    io::ErrorKind::PermissionDenied => {
                        "run this as the user that the auditor runs as, or give that one the file with chown"
                    }
                    _ => "free or repair what the system names",
                };
                write!(
                    f,
                    "cannot {doing} {}: {error}; {remedy}, nothing else was changed",
                    path.display()
                )
            }
            LocalFailure::NotAFile { path, found } => write!(
                f,
                "{} is {found}, where immuaudit keeps its own: put the original back in its place",
                path.display()
            ),
            LocalFailure::OtherLabel {
                label,
                known,
                address,
                directory,
            } => write!(
                f,
                "{address} was audited under the label {known} in {}, and what is trusted there does not count under {label}: \
                 give --server-label {}, or a --dir of its own to begin anew",
                directory.display(),
                shell_value(known)
            ),
            LocalFailure::TwoOwners {
                directories: [one, other],
                users,
            } => write!(
                f,
                "{} and {} belong to users {} and {}: give both to the user that the auditor runs as, with chown -R",
                one.display(),
                other.display(),
                users[0],
                users[1]
            ),
            LocalFailure::TooLong { path, most } => write!(
                f,
                "{} is longer than {most} bytes, which immuaudit never writes: restore it from a backup",
                path.display()
            ),
            LocalFailure::Damaged {
                path,
                damage,
                recovery,
            } => write!(f, "{}: {damage}; {recovery}", path.display()),
            LocalFailure::DamagedRecord {
                path,
                damage,
                record,
            } => write!(f, "{}: {damage}; {}", path.display(), record.remedy()),
            LocalFailure::NoFile { path, record } => {
                write!(f, "there is no file {}; {}", path.display(), record.place())
            }
            LocalFailure::Lost {
                database,
                directory,
                outcomes,
            } => write!(
                f,
                "nothing is left under {} of what was trusted of {database}, which was audited before: is --dir or --roots-filepath another one, or not mounted? To take it on trust once more, on purpose, give --pin, or move {} away",
                directory.display(),
                outcomes.display()
            ),
            LocalFailure::Missing {
                path,
                beside,
                recovery,
            } => write!(
                f,
                "{} is gone, but {} is there; {recovery}",
                path.display(),
                beside.display()
            ),
            LocalFailure::Disagree {
                state,
                history,
                recovery,
            } => write!(
                f,
                "{} and {} disagree: one of them is from another time; {recovery}",
                state.display(),
                history.display()
            ),
            LocalFailure::Locked {
                server,
                directory,
                holder,
            } => write!(
                f,
                "{} is being audited already by {holder} in {}: stop that one, or give this one a --dir or --server-label of its own",
                Shown(server),
                directory.display()
            ),
            LocalFailure::Busy { directory } => write!(
                f,
                "another immuaudit has been changing {} for seconds: see whether it hangs, then try again",
                directory.display()
            ),
            LocalFailure::NoDirectory {
                server,
                directory,
                known,
            } => {
                write!(
                    f,
                    "nothing is known of {}: no directory {}",
                    Shown(server),
                    directory.display()
                )?;
                for (place, server) in known.iter().enumerate() {
                    let before = if place == 0 { "; known there: " } else { ", " };
                    write!(f, "{before}{}", Shown(server))?;
                }
                f.write_str(
                    "; give --dir, and --server-label or -a and -p, as the auditor has them",
                )
            }
            LocalFailure::Changed { database } => write!(
                f,
                "what is trusted of {} was changed by another command meanwhile: the next check uses it",
                Shown(database)
            ),
            LocalFailure::AlreadyTrusted { database } => write!(
                f,
                "a state of {} is trusted already: it is replaced only by one that extends it",
                Shown(database)
            ),
            LocalFailure::NotProven {
                database,
                trusted,
                shown,
            } => write!(
                f,
                "{}: no proof leads from the trusted {trusted} to {shown}, so nothing was changed",
                Shown(database)
            ),
            LocalFailure::OtherPin {
                pinned,
                known,
                failure,
            } => {
                write!(f, "{failure}; the pin {pinned} does not repair it: ")?;
                match known {
                    Some(known) => write!(f, "the last good state is {known}"),
                    None => f.write_str(
                        "no last good state is left to compare it with; move the damaged files away first",
                    ),
                }
            }
            LocalFailure::NoAlarm {
                server,
                alarm,
                closed,
                open,
            } => {
                let (alarm, server) = (Shown(alarm), Shown(server));
                match closed {
                    true => write!(f, "alarm {alarm} is closed already")?,
                    false => write!(f, "{server} has no alarm {alarm}")?,
                }
                f.write_str(if open.is_empty() {
                    "; no alarm is open"
                } else {
                    "; open alarms:"
                })?;
                for (place, (id, kind, database)) in open.iter().take(MAX_NAMED).enumerate() {
                    let before = if place == 0 { "" } else { "," };
                    write!(f, "{before} {} ({kind}, {})", Shown(id), Shown(database))?;
                }
                let more = open.len().saturating_sub(MAX_NAMED);
                if more > 0 {
                    write!(f, ", and {more} more: immuaudit alarm list prints them")?;
                }
                Ok(())
            }
            LocalFailure::Overtaken {
                database,
                alarm,
                then,
                now,
            } => {
                let state = |state: &Option<State>| {
                    state.map_or("no state".into(), |state| {
                        format!("transaction {}", state.tx)
                    })
                };
                write!(
                    f,
                    "alarm {alarm} cannot be adopted: it is about the trusted state of {} at {}, which was replaced since, and {} is trusted now; nothing was changed",
                    Shown(database),
                    state(then),
                    state(now)
                )
            }
            LocalFailure::NothingToAdopt { alarm, kind } => write!(
                f,
                "alarm {alarm} ({kind}) names no state that could replace the trusted one; nothing was changed"
            ),
            LocalFailure::NotTrustedYet {
                database,
                tx,
                trusted_tx,
            } => write!(
                f,
                "transaction {tx} of {} is not trusted yet, so nothing is known of its values: give \
                 {trusted_tx} at most",
                Shown(database)
            ),
            LocalFailure::NeverSigned { database } => write!(
                f,
                "no signed state of {} is known, so no signature is missing; leave --unsigned out",
                Shown(database)
            ),
            LocalFailure::EvidenceFull { directory, most } => write!(
                f,
                "{} holds {most} bytes or as many files as it may: move evidence that is no longer needed elsewhere",
                directory.display()
            ),
        }
    }
}
