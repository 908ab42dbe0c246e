//! Trusted states in the files of immuclient, immugw and immudb's client libraries (protocol.md §7).

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::ledger::{ClaimedState, State, StateShape, decode_base64};
use crate::text::Escaped;
use crate::trust::Export;
use crate::wire::{self, Malformed};

/// The name of a state file, in a folder named after the server's identity. The name of a client library's file
/// ends with `-IDENTITY`.
const NAME: &str = ".state";
/// The longest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;
const MAX_FOLDERS: usize = 10_000;
const MAX_DEPTH: usize = 4;

/// One file of trusted states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The identity of the server in the file's name, if there is one.
    pub identity: Option<String>,
    /// The trusted states, without databases that have no transactions.
    pub states: Vec<ImportedState>,
}

/// Another auditor's trusted state of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedState {
    /// The database.
    pub database: String,
    /// The state, as the server sent it to the other auditor.
    pub claimed: ClaimedState,
}

/// The error of reading state files.
#[derive(Debug)]
pub enum StateFileError {
    /// The system refuses access.
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        fault: String,
    },
    /// A line is not a trusted state.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The error of this line.
        fault: StateLineError,
    },
    /// The file was written by immuaudit.
    OwnFile {
        /// The file.
        path: PathBuf,
        /// The kind of file.
        kind: OwnFile,
    },
    /// The folder has no state file.
    Nothing {
        /// The folder.
        path: PathBuf,
    },
}

/// The kinds of files that immuaudit writes, and that are no state files to import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnFile {
    /// `states export`.
    Export,
    /// `checkpoint export`.
    Checkpoints,
    /// A file of an auditor's directory.
    OfDirectory,
}

impl OwnFile {
    /// Returns the kind of a file with this content; `None` if immuaudit did not write it.
    fn of(text: &str) -> Option<OwnFile> {
        if Export::begins(text) {
            return Some(OwnFile::Export);
        }
        if text.starts_with("# immuaudit: ") || text.starts_with("immuaudit-history ") {
            return Some(OwnFile::OfDirectory);
        }
        (text.starts_with("immudb/") && text.contains("\n\n\u{2014} "))
            .then_some(OwnFile::Checkpoints)
    }
}

impl fmt::Display for OwnFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OwnFile::Export => {
                "an export of immuaudit, whose states are compared by immuaudit compare FILE"
            }
            OwnFile::Checkpoints => {
                "checkpoints of immuaudit, which are compared by immuaudit compare FILE --peer-key KEY"
            }
            OwnFile::OfDirectory => {
                "a file of an auditor's directory; to move an auditor, copy its whole --dir"
            }
        })
    }
}

/// The error of one line of a state file.
#[derive(Debug)]
pub enum StateLineError {
    /// The line is not `NAME:BASE64`.
    Form,
    /// The message in the line is malformed.
    Message(Malformed),
    /// The message is of another database.
    OtherDatabase(Escaped),
}

impl std::error::Error for StateLineError {}

impl std::fmt::Display for StateLineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StateLineError::Form => f.write_str("the line is not NAME:BASE64 of a state"),
            StateLineError::Message(malformed) => {
                write!(f, "no state that can be read: {malformed}")
            }
            StateLineError::OtherDatabase(name) => write!(f, "the state is of database \"{name}\""),
        }
    }
}

impl std::error::Error for StateFileError {}

impl fmt::Display for StateFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateFileError::Unreadable { path, fault } => write!(
                f,
                "{}: {fault}; name a state file of immuclient or immugw, or its folder",
                path.display()
            ),
            StateFileError::Line { path, line, fault } => {
                write!(f, "{}:{line}: {fault}", path.display())?;
                f.write_str("; nothing was imported: remove the line, or name another file")
            }
            StateFileError::OwnFile { path, kind } => write!(
                f,
                "{}: {kind}; only the files of immuclient, immugw and client libraries are imported; to start from a state that is known to be good, audit once with --pin DATABASE:TX:HASH",
                path.display()
            ),
            StateFileError::Nothing { path } => write!(
                f,
                "{}: the folder has no file with the name .state: name the folder of immuclient's --roots-filepath (by default the system's temporary folder), or the file itself",
                path.display()
            ),
        }
    }
}

/// Reads the trusted states from a file, or from every `.state` file in a folder and its subfolders, up to four levels
/// deep.
///
/// # Errors
/// A file cannot be read completely, or there is none. A part of the states must not be taken for all of them.
pub fn read_states(path: &Path) -> Result<Vec<StateFile>, StateFileError> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let mut folders = vec![(path.to_owned(), 0)];
    let mut paths = Vec::new();
    let mut looked = 0;
    while let Some((folder, depth)) = folders.pop() {
        looked += 1;
        if looked > MAX_FOLDERS {
            let fault = format!("it has more than {MAX_FOLDERS} folders: name a folder inside it");
            let path = path.to_owned();
            return Err(StateFileError::Unreadable { path, fault });
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // a temporary directory contains folders of other users
            Err(error) if depth > 0 && error.kind() == std::io::ErrorKind::PermissionDenied => {
                continue;
            }
            Err(error) => return Err(unreadable(&folder, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let kind = entry
                .file_type()
                .map_err(|error| unreadable(&folder, &error))?;
            let name = entry.file_name();
            if kind.is_dir() && depth < MAX_DEPTH {
                folders.push((entry.path(), depth + 1));
            } else if kind.is_file() && name.to_str().is_some_and(is_name) {
                paths.push(entry.path());
            }
        }
    }
    if paths.is_empty() {
        let path = path.to_owned();
        return Err(StateFileError::Nothing { path });
    }
    paths.sort();
    paths.iter().map(|path| read_file(path)).collect()
}

fn is_name(name: &str) -> bool {
    name == NAME || identity_in(name).is_some()
}

fn identity_in(name: &str) -> Option<&str> {
    let identity = name.strip_prefix(NAME)?.strip_prefix('-')?;
    (!identity.is_empty()).then_some(identity)
}

fn read_file(path: &Path) -> Result<StateFile, StateFileError> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        let fault = format!("larger than {MAX_FILE_BYTES} bytes");
        let path = path.to_owned();
        return Err(StateFileError::Unreadable { path, fault });
    }
    if let Some(kind) = OwnFile::of(&text) {
        let path = path.to_owned();
        return Err(StateFileError::OwnFile { path, kind });
    }
    let mut states = Vec::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() {
            continue; // immuclient's files begin with an empty line
        }
        let carried = parse(text).map_err(|fault| StateFileError::Line {
            path: path.to_owned(),
            line,
            fault,
        })?;
        if carried.claimed.state != State::EMPTY {
            states.push(carried);
        }
    }
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let own = name(path).unwrap_or_default();
    let identity = if own == NAME {
        path.parent().and_then(name)
    } else {
        identity_in(&own).map(str::to_owned)
    };
    Ok(StateFile {
        path: path.to_owned(),
        identity,
        states,
    })
}

fn parse(line: &str) -> Result<ImportedState, StateLineError> {
    let (database, base64) = line.rsplit_once(':').ok_or(StateLineError::Form)?;
    let bytes = decode_base64(base64).ok_or(StateLineError::Form)?;
    if database.is_empty() {
        return Err(StateLineError::Form);
    }
    let claimed = wire::state(&bytes).map_err(StateLineError::Message)?;
    if claimed.shape == StateShape::WithDatabase && claimed.database != database.as_bytes() {
        let other = Escaped::of_bytes(&claimed.database);
        return Err(StateLineError::OtherDatabase(other));
    }
    Ok(ImportedState {
        database: database.to_owned(),
        claimed,
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> StateFileError {
    StateFileError::Unreadable {
        path: path.to_owned(),
        fault: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that immuclient 1.11.1 wrote.
    const REAL: &str = "defaultdb:CglkZWZhdWx0ZGIQFBogqcXnGLlgwYzDsBxQeEYrEr/x69Q/Ci5uk8FrNzVkZiEoFDIgqcXnGLlgwYzDsBxQeEYrEr/x69Q/Ci5uk8FrNzVkZiE=";

    #[test]
    fn a_line_of_immuclients_is_a_state() {
        let carried = parse(REAL).unwrap();
        assert_eq!(carried.database, "defaultdb");
        assert_eq!(
            carried.claimed.state.to_string(),
            "20:a9c5e718b960c18cc3b01c5078462b12bff1ebd43f0a2e6e93c16b3735646621"
        );
    }

    #[test]
    fn an_invalid_state_line_is_refused() {
        let cut = &REAL[..REAL.len() - 8];
        let other = REAL.replace("defaultdb:", "shop:");
        for line in ["defaultdb", ":AAAA", "defaultdb:%%%%", cut, &other] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
