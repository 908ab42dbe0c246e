//! The paths of settings and states on this system, and the names of programs.

/// The directory of the settings of immuclient's service (its own documentation).
pub const SETTINGS_DIRECTORY: &str = "/etc/immudb";

/// The variable with the path of the user's home directory.
pub const HOME: &str = "HOME";

/// The separator of paths in a variable.
pub const PATH_SEPARATOR: char = ':';

/// Whether names such as `con` are reserved for devices.
pub const HAS_DEVICE_NAMES: bool = false;

/// Returns the name of a variable unchanged: Unix distinguishes the case.
pub fn variable_name(name: String) -> String {
    name
}

/// Returns the directory for states of this name: of the machine, or of this user.
pub fn state_directory(
    is_of_machine: bool,
    own: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    if is_of_machine {
        return Some(format!("/var/lib/{own}"));
    }
    // XDG Base Directory Specification: a relative path there is invalid
    let xdg = variable("XDG_STATE_HOME").filter(|path| path.starts_with('/'));
    let home = || Some(format!("{}/.local/state", variable(HOME)?));
    let state = xdg.or_else(home)?;
    Some(format!("{state}/{own}"))
}

/// Returns the parts of a command: a program and its arguments.
pub fn words_of(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

/// Returns a word in single quotes, for a shell.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Returns whether a command begins with an absolute path.
pub fn is_full_path(command: &str) -> bool {
    command.starts_with('/')
}
