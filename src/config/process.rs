//! The inputs of the process from its caller.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::argv;
use super::instance;
use super::settings_error::{SettingsError, SettingsErrors};
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
    /// Returns this process. Overwrites the secrets among its arguments in memory after they are read, so that `ps`
    /// no longer shows them.
    ///
    /// # Errors
    /// An argument, or a variable whose name begins with `IMMU`, is not UTF-8.
    pub fn current() -> Result<Process, SettingsErrors> {
        let arguments = std::env::args_os().skip(1).enumerate();
        let arguments = arguments.map(|(index, argument)| {
            let what = || format!("argument {}", index + 1);
            argument
                .into_string()
                .map_err(|_| SettingsError::NotText { what: what() })
        });
        let arguments: Vec<String> = arguments.collect::<Result<_, _>>()?;
        argv::hide_secrets(&arguments);
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = sys::variable_name(name.into_string().ok()?);
            Some(text(&name, value).map(|value| (name, value)))
        });
        let name = std::env::args_os().next().unwrap_or_default();
        let name = Path::new(&name).file_stem().unwrap_or_default();
        Ok(Process {
            name: name.to_string_lossy().into_owned(),
            arguments,
            variables: variables.collect::<Result<_, _>>()?,
            directory: PathBuf::new(),
            system_directory: PathBuf::from(sys::SETTINGS_DIRECTORY),
            privilege: if sys::is_of_machine() {
                Privilege::Root
            } else {
                Privilege::User
            },
        })
    }

    /// Returns the directory for trusted states. It is never a temporary directory, because the states would be lost.
    pub(super) fn state_directory(&self) -> Option<String> {
        let own = match self.instance() {
            Ok(Some(instance)) => format!("{}/{instance}", instance::DIRECTORY),
            Ok(None) | Err(_) => "immuaudit".to_owned(),
        };
        let variable = |name: &str| self.variable(name).map(str::to_owned);
        if let Some(list) = self.variable("STATE_DIRECTORY") {
            // systemd sorts several directories by name; another one can be that of --roots-filepath
            let usual = sys::state_directory(true, &own, variable);
            let mut service = list.split(sys::PATH_SEPARATOR);
            let first = service.clone().next().map(str::to_owned);
            return usual
                .filter(|usual| service.any(|one| one == usual))
                .or(first);
        }
        let is_of_machine = self.privilege == Privilege::Root;
        sys::state_directory(is_of_machine, &own, variable)
    }

    /// Returns the value of a variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(&sys::variable_name(name.to_owned()))?;
        (!value.is_empty()).then_some(value)
    }
}

/// Returns the value of a variable as text. A value that is not UTF-8 is an error only if the name begins with `IMMU`.
fn text(name: &str, value: OsString) -> Result<String, SettingsError> {
    match value.into_string() {
        Err(_) if name.starts_with("IMMU") => Err(SettingsError::NotText {
            what: format!("variable {name}"),
        }),
        value => Ok(value.unwrap_or_default()),
    }
}
