//! Texts of messages and of the help that differ between systems.

/// The action that removes the rights of other users on a file or directory.
pub const TAKE_RIGHTS: &str = "remove their rights with chmod go=";
/// The action that makes the auditor's user the owner of a file again.
pub const GIVE_BACK: &str = "change the owner with chown";
/// The action that gives the auditor's user rights on a file.
pub const GIVE_FILE: &str = "give the file to that user with chown";
/// The action that makes the current user the owner of a file.
pub const TAKE_OVER: &str = "change its owner with chown";
/// The action that removes the right of other users to write a file.
pub const FORBID_WRITING: &str = "run chmod go-w on it";
/// The action that removes the right of other users to read a file. The path follows.
pub const FORBID_READING: &str = "run chmod o=";
/// The directories of settings files: of the system, and of a user.
pub const SETTINGS_PLACES: &str = "/etc/immudb or $HOME";
/// The search path of settings files, for the help.
pub const HELP_PLACES: &str = "\
Each is the first one found in ./configs, the working directory, $HOME and
/etc/immudb. The keys are the names of the flags.
";
/// Further sources of settings, for the help.
pub const HELP_SUPERVISOR: &str = "\
systemd also passes passwords: $CREDENTIALS_DIRECTORY/audit-password.
";
/// The description of `--instance`.
pub const HELP_INSTANCE: &str = "one of several auditors on this host: reads /etc/immudb/immuaudit.d/NAME.toml over immuaudit.toml, with its own states and port";
/// The descriptions of the verbs of `audit-mode` for a service.
pub const HELP_SERVICE: [&str; 3] = [
    "write a systemd service, and start it",
    "remove the service; states, settings and evidence stay without --purge",
    "the same commands of systemctl, for the service",
];
/// The alternative to the manual page, on systems without manual pages.
pub const INSTEAD_OF_MAN: Option<&str> = None;
/// The usual cause if the system refuses a port.
pub const PORT_REFUSED: &str = "this user may not listen on it: give a port from 1024 on";
/// The form of an absolute path.
pub const ABSOLUTE: &str = "an absolute path";
/// The variables that determine the directory of states.
pub const STATE_VARIABLES: &str = "$STATE_DIRECTORY, $XDG_STATE_HOME and $HOME are";
/// The error and its remedies if the system has no root certificates.
pub const NO_SYSTEM_ROOTS: &str = "no system CA certificates found: install ca-certificates, set SSL_CERT_FILE, or give --tls-ca FILE";
/// Variables with the name of the current user, the best one first.
pub const USER_VARIABLES: [&str; 3] = ["SUDO_USER", "USER", "LOGNAME"];
/// The word before a user that no variable names.
pub const USER: &str = "uid";
