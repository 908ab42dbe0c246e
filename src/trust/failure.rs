//! What can be wrong on the auditor's own machine, and what its operator does about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

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
    /// The content of an alarm, evidence or identity file is not what was written.
    DamagedRecord { path: PathBuf, damage: Damage },
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
    /// Somebody else, such as `immuaudit accept`, changed the trusted state meanwhile.
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
    /// No such open alarm.
    NoAlarm {
        database: String,
        alarm: String,
        open: Vec<String>,
    },
    /// The evidence takes all the room it may.
    EvidenceFull { directory: PathBuf, most: u64 },
}

/// What helps to recover: the database, and the last state known to have been accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Its name.
    pub database: String,
    /// The last good state, where a file still names one.
    pub last_good: Option<State>,
}

/// How a file's content is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// No byte in it.
    Empty,
    /// No checksum at its end.
    Unfinished,
    /// The checksum is another.
    Checksum,
    /// The first line says another kind of file, or a later format.
    Format,
    /// It is of another server or database.
    OtherName { what: &'static str, found: String },
    /// A line of the history, counted from 1.
    Line(usize),
    /// A value is absent or not what belongs there.
    Value(&'static str),
}

impl LocalFailure {
    pub(super) fn system(doing: &'static str, path: &Path, error: &io::Error) -> LocalFailure {
        LocalFailure::System {
            doing,
            path: path.into(),
            kind: error.kind(),
            error: error.to_string(),
        }
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
            LocalFailure::DamagedRecord { path, damage } => write!(
                f,
                "{}: {damage}; restore it from a backup, or move it away: then every finding whose evidence is kept is open again",
                path.display()
            ),
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
                "{} is being audited already by {holder} in {}: stop that one, or give this one a --dir or --server-name of its own",
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
                f.write_str("; give --dir, and --server-name or -a and -p, as the auditor has them")
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
                database,
                alarm,
                open,
            } => {
                let (alarm, database) = (Shown(alarm), Shown(database));
                write!(f, "{database} has no open alarm {alarm}; ")?;
                if open.is_empty() {
                    f.write_str("it has no open alarm at all")
                } else {
                    write!(f, "open: {}", open.join(", "))
                }
            }
            LocalFailure::EvidenceFull { directory, most } => write!(
                f,
                "{} holds {most} bytes or as many files as it may: move evidence that is no longer needed elsewhere",
                directory.display()
            ),
        }
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
                ", or start once with --pin {}, the last good state on record",
                shell_value(&format!("{}:{state}", self.database))
            ),
            None => f.write_str(
                ", or moved away and the audit started with --pin of a state known from elsewhere",
            ),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Empty => f.write_str("the file is empty"),
            Damage::Unfinished => f.write_str("the file is cut off: no checksum at its end"),
            Damage::Checksum => {
                f.write_str("the file was edited or damaged: its checksum is wrong")
            }
            Damage::Format => f.write_str("the file is of another kind or of a later immuaudit"),
            Damage::OtherName { what, found } => {
                write!(f, "the file belongs to another {what}, {}", Shown(found))
            }
            Damage::Line(line) => write!(f, "line {line} was edited or damaged"),
            Damage::Value(what) => write!(f, "no usable {what} in it"),
        }
    }
}

/// What is not as it should be, but stops nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// Others may read or write it: its mode.
    Loose { path: PathBuf, mode: u32 },
    /// It belongs to another user: that one's id.
    Owner { path: PathBuf, owner: u32, us: u32 },
    /// The last line of a history was incomplete and is left out; no accepted state is lost.
    TornHistory { path: PathBuf },
    /// A name too long for a file name, whose files no longer tell it.
    Nameless { path: PathBuf },
    /// A history could not be made smaller; it goes on growing.
    NotThinned { path: PathBuf },
    /// Something without bearing on what is trusted could not be written.
    NotWritten { path: PathBuf, error: String },
    /// A file without bearing on what is trusted is damaged, and begun anew.
    BegunAnew { path: PathBuf },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Loose { path, mode } => write!(
                f,
                "{} is open to others (mode {mode:04o}): take their rights away with chmod go=",
                path.display()
            ),
            Warning::Owner { path, owner, us } => write!(
                f,
                "{} belongs to user {owner}, who can change what is trusted, and this runs as user {us}: run it as that one, or give it back with chown",
                path.display()
            ),
            Warning::TornHistory { path } => write!(
                f,
                "the last line of {} is incomplete; it is left out, and written over by the next",
                path.display()
            ),
            Warning::Nameless { path } => write!(
                f,
                "{}: no file tells the full name of this database any more",
                path.display()
            ),
            Warning::NotThinned { path } => write!(
                f,
                "{} could not be thinned out, and goes on growing: see whether the disk is full",
                path.display()
            ),
            Warning::NotWritten { path, error } => {
                write!(f, "{} is not up to date: {error}", path.display())
            }
            Warning::BegunAnew { path } => {
                write!(f, "{} is damaged, and begun anew", path.display())
            }
        }
    }
}
