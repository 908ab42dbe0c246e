//! Where this system keeps settings and states, and how programs are named.

/// Where immuclient's service has its settings (its own documentation).
pub const SETTINGS_DIRECTORY: &str = "/etc/immudb";

/// The variable that names a user's own directory.
pub const HOME: &str = "HOME";

/// Whether names such as `con` are those of devices.
pub const HAS_DEVICE_NAMES: bool = false;

/// Returns the name of a variable as it is asked for.
pub fn variable_name(name: String) -> String {
    name
}

/// Returns where states of this name are kept: of the whole machine, or of this user.
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

/// Returns the words of a command: a program and its arguments.
pub fn words_of(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

/// Returns whether a command names its program by its full path.
pub fn is_full_path(command: &str) -> bool {
    command.starts_with('/')
}
