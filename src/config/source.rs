//! The source of a setting's value.

use std::fmt;
use std::path::PathBuf;

/// The source of a setting's value, weakest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The default, because no other source has a value.
    Default,
    /// A settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file in systemd's `$CREDENTIALS_DIRECTORY`, with the name of the flag.
    Credential(PathBuf),
    /// An environment variable.
    Variable(String),
    /// The command line.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File { path, line } => write!(f, "{}:{line}", path.display()),
            Source::Credential(path) => write!(f, "credential {}", path.display()),
            Source::Variable(name) => f.write_str(name),
            Source::Flag(flag) => write!(f, "flag --{flag}"),
        }
    }
}
