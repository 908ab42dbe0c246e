//! What the process was given by whoever started it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::argv;
use super::instance;
use super::settings_error::{SettingsError, SettingsErrors};
use crate::sys;

/// What the process was given: everything [`load`](super::load()) looks at besides files.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// The name that the program is called by, without its folder.
    pub name: String,
    /// The arguments, without the program's name.
    pub arguments: Vec<String>,
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// The working directory; empty: the real one.
    pub directory: PathBuf,
    /// Where the system keeps its settings files (`/etc/immudb`).
    pub system_directory: PathBuf,
    /// Does it run as root, or for the whole machine?
    pub privilege: Privilege,
}

/// Whom the process runs as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privilege {
    /// Root, or who stands for the whole machine on Windows.
    Root,
    /// Anybody else.
    #[default]
    User,
}

impl Process {
    /// This process. Secrets among its arguments are taken over and overwritten in its memory, so
    /// that `ps` shows them no more.
    ///
    /// # Errors
    /// Arguments, and variables of ours, that are not UTF-8.
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

    /// Where trusted states are kept: never a temporary directory, which is how they would get lost.
    pub(super) fn state_directory(&self) -> Option<String> {
        // systemd may list several
        let service = self
            .variable("STATE_DIRECTORY")
            .and_then(|list| list.split(sys::PATH_SEPARATOR).next());
        if let Some(directory) = service {
            return Some(directory.to_owned());
        }
        let own = match self.instance() {
            Ok(Some(instance)) => format!("{}/{instance}", instance::DIRECTORY),
            Ok(None) | Err(_) => "immuaudit".to_owned(),
        };
        let is_of_machine = self.privilege == Privilege::Root;
        let variable = |name: &str| self.variable(name).map(str::to_owned);
        sys::state_directory(is_of_machine, &own, variable)
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(&sys::variable_name(name.to_owned()))?;
        (!value.is_empty()).then_some(value)
    }
}

/// What is not UTF-8 and not ours is none of our business.
fn text(name: &str, value: OsString) -> Result<String, SettingsError> {
    match value.into_string() {
        Err(_) if name.starts_with("IMMU") => Err(SettingsError::NotText {
            what: format!("variable {name}"),
        }),
        value => Ok(value.unwrap_or_default()),
    }
}
