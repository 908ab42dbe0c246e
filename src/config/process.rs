//! The inputs of the process from its caller.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::sys;

/// The inputs of the process, from which [`load`](super::load()) reads everything except files.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// The name by which the program was called, without its folder.
    pub name: String,
    /// The arguments, without the program's name.
    pub arguments: Vec<String>,
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// The working directory; if empty, that of the process.
    pub directory: PathBuf,
    /// The system's directory of settings files (`/etc/immudb`).
    pub system_directory: PathBuf,
    /// The privilege of the process.
    pub privilege: Privilege,
}

/// The privilege of the user that runs the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privilege {
    /// Root, or the account for the whole machine on Windows.
    Root,
    /// Any other user.
    #[default]
    User,
}

impl Process {
    /// Returns the value of a variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(&sys::variable_name(name.to_owned()))?;
        (!value.is_empty()).then_some(value)
    }
}
