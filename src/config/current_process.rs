//! Reads the inputs of this process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::argv;
use super::process::{Privilege, Process};
use super::settings_error::{SettingsError, SettingsErrors};
use crate::sys;

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
