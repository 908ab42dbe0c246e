//! What this system's own ways are called, for messages that say what to do.

/// How others are kept from a file or directory.
pub const TAKE_RIGHTS: &str = "remove their rights with chmod go=";
/// How a file is given back to the user that this runs as.
pub const GIVE_BACK: &str = "change the owner with chown";
/// How a file is made the auditor's own.
pub const GIVE_FILE: &str = "give the file to that user with chown";
/// How a file becomes one's own.
pub const TAKE_OVER: &str = "change its owner with chown";
/// How others are kept from writing a file.
pub const FORBID_WRITING: &str = "run chmod go-w on it";
/// How everybody else is kept from reading a file; its path follows.
pub const FORBID_READING: &str = "run chmod o=";
/// Where settings files may lie: of the system, and of a user.
pub const SETTINGS_PLACES: &str = "/etc/immudb or $HOME";
/// Where settings files are looked for, in the help.
pub const HELP_PLACES: &str = "\
Each is the first one found in ./configs, the working directory, $HOME and
/etc/immudb. The keys are the names of the flags.
";
/// What else passes settings, in the help.
pub const HELP_SUPERVISOR: &str = "\
systemd also passes passwords: $CREDENTIALS_DIRECTORY/audit-password.
";
/// What `--instance` does.
pub const HELP_INSTANCE: &str = "one of several auditors on this host: reads /etc/immudb/immuaudit.d/NAME.toml over immuaudit.toml, with its own states and port";
/// What `audit-mode` does with a service.
pub const HELP_SERVICE: [&str; 3] = [
    "write a systemd service, and start it",
    "remove the service; states, settings and evidence stay without --purge",
    "the same commands of systemctl, for the service",
];
/// What to do instead of reading the manual page, on systems without.
pub const INSTEAD_OF_MAN: Option<&str> = None;
/// Why a port is refused that nobody else has.
pub const PORT_REFUSED: &str = "this user may not listen on it: give a port from 1024 on";
/// Which paths mean the same wherever a program is started.
pub const ABSOLUTE: &str = "an absolute path";
/// Which variables say where states are kept.
pub const STATE_VARIABLES: &str = "$STATE_DIRECTORY, $XDG_STATE_HOME and $HOME are";
/// What gives a machine the certificates of well-known authorities.
pub const NO_SYSTEM_ROOTS: &str = "no system CA certificates found: install ca-certificates, set SSL_CERT_FILE, or give --tls-ca FILE";
/// Variables that name the person who started this, the best one first.
pub const USER_VARIABLES: [&str; 3] = ["SUDO_USER", "USER", "LOGNAME"];
/// What a user is called whom no variable names; the user follows.
pub const USER: &str = "uid";
