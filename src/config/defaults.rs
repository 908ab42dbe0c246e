//! Defaults that depend on the process. A row of the table names each.

use super::compat_mode::CompatMode;
use super::instance::{self, Instance};
use super::process::{Privilege, Process};
use crate::sys;

/// Returns the directory for trusted states. It is never a temporary directory, because the states would be lost.
pub(super) fn state_directory(
    process: &Process,
    _: CompatMode,
    instance: Option<&Instance>,
) -> Option<String> {
    let own = match instance {
        Some(instance) => format!("{}/{instance}", instance::DIRECTORY),
        None => "immuaudit".to_owned(),
    };
    let variable = |name: &str| process.variable(name).map(str::to_owned);
    if let Some(list) = process.variable("STATE_DIRECTORY") {
        // systemd sorts several directories by name; another one can be that of --roots-filepath
        let usual = sys::state_directory(true, &own, variable);
        let mut service = list.split(sys::PATH_SEPARATOR);
        let first = service.clone().next().map(str::to_owned);
        return usual
            .filter(|usual| service.any(|one| one == usual))
            .or(first);
    }
    let is_of_machine = process.privilege == Privilege::Root;
    sys::state_directory(is_of_machine, &own, variable)
}

/// Returns the port for metrics: that of the program that the mode replaces, or 0 for an instance, because the
/// service without an instance has the fixed port.
pub(super) fn monitoring_port(
    _: &Process,
    compat_mode: CompatMode,
    instance: Option<&Instance>,
) -> Option<String> {
    let port = match (instance, compat_mode) {
        (Some(_), _) => "0",
        (None, CompatMode::Immugw) => "9476",
        (None, CompatMode::Immuclient) => "9477",
    };
    Some(port.to_owned())
}

/// Returns the compatibility mode that the program's name selects.
pub(super) fn compat_mode(
    process: &Process,
    _: CompatMode,
    _: Option<&Instance>,
) -> Option<String> {
    let mode = match process.name.as_str() {
        "immugw" => "immugw",
        _ => "immuclient",
    };
    Some(mode.to_owned())
}
