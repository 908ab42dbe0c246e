//! This system's own commands and paths, for messages that advise a next step.

/// The advice to remove the rights of others on a file or directory.
pub const TAKE_RIGHTS: &str = "remove their rights with chmod go=";
/// The advice to give a file back to the user that runs the program.
pub const GIVE_BACK: &str = "change the owner with chown";
/// The advice to make a file the auditor's own.
pub const GIVE_FILE: &str = "give the file to that user with chown";
/// The advice to take over a file.
pub const TAKE_OVER: &str = "change its owner with chown";
/// The advice to forbid others to write a file.
pub const FORBID_WRITING: &str = "run chmod go-w on it";
/// The advice to forbid others to read a file; its path follows.
pub const FORBID_READING: &str = "run chmod o=";
/// The directories of settings files: of the system, and of a user.
pub const SETTINGS_PLACES: &str = "/etc/immudb or $HOME";
/// The paths of settings files, in the help.
pub const HELP_PLACES: &str = "\
Each is the first one found in ./configs, the working directory, $HOME and
/etc/immudb. The keys are the names of the flags.
";
/// Further sources of settings, in the help.
pub const HELP_SUPERVISOR: &str = "\
systemd also passes passwords: $CREDENTIALS_DIRECTORY/audit-password.
";
/// The help of `--instance`.
pub const HELP_INSTANCE: &str = "name of one of several auditors on this host: its file /etc/immudb/immuaudit.d/NAME.toml overrides immuaudit.toml, and it has its own states and port";
/// The help of the commands of `audit-mode` for a service.
pub const HELP_SERVICE: [&str; 3] = [
    "write a systemd service, and start it",
    "remove the service; states, settings and evidence stay without --purge",
    "run systemctl start, stop, restart or status for the service",
];
/// The alternative to the manual page, on systems without manual pages.
pub const INSTEAD_OF_MAN: Option<&str> = None;
/// The reason why a free port is refused.
pub const PORT_REFUSED: &str = "this user may not listen on it: give a port from 1024 on";
/// The kind of path that is the same in every working directory.
pub const ABSOLUTE: &str = "an absolute path";
/// The variables that give the directory of the states.
pub const STATE_VARIABLES: &str = "$STATE_DIRECTORY, $XDG_STATE_HOME and $HOME are";
/// The advice to install the certificates of well-known authorities.
pub const NO_SYSTEM_ROOTS: &str = "no system CA certificates found: install ca-certificates, set SSL_CERT_FILE, or give --tls-ca FILE";
/// Variables that name the person who started the program, the best one first.
pub const USER_VARIABLES: [&str; 3] = ["SUDO_USER", "USER", "LOGNAME"];
