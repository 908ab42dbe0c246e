//! What this system's own ways are called, for messages that say what to do.

/// How others are kept from a file or directory.
pub const TAKE_RIGHTS: &str =
    "remove their rights with icacls /inheritance:d and icacls /remove (docs/windows.md)";
/// How a file is given back to the user that this runs as.
pub const GIVE_BACK: &str = "change the owner with icacls /setowner";
/// How a file is made the auditor's own.
pub const GIVE_FILE: &str = "give the file to that user with icacls /grant";
/// How a file becomes one's own.
pub const TAKE_OVER: &str = "take over the file with takeown /f";
/// How others are kept from writing a file.
pub const FORBID_WRITING: &str =
    "remove their rights with icacls /inheritance:d and icacls /remove";
/// How everybody else is kept from reading a file; its path follows.
pub const FORBID_READING: &str = "run icacls /inheritance:d, then icacls /remove, on";
/// Where settings files may lie: of the system, and of a user.
pub const SETTINGS_PLACES: &str = r"C:\ProgramData\ImmuClient\config or %USERPROFILE%";
/// Where settings files are looked for, in the help.
pub const HELP_PLACES: &str = "\
Each is the first one found in .\\configs, the working directory, %USERPROFILE%
and C:\\ProgramData\\ImmuClient\\config. The keys are the names of the flags.
";
/// What else passes settings, in the help: nothing does.
pub const HELP_SUPERVISOR: &str = "";
/// What `--instance` does.
pub const HELP_INSTANCE: &str = r"one of several auditors on this host: reads C:\ProgramData\ImmuClient\config\immuaudit.d\NAME.toml over immuaudit.toml, with its own states and port";
/// What `audit-mode` does with a service.
pub const HELP_SERVICE: [&str; 3] = [
    "create a Windows service, and start it (needs an elevated prompt)",
    "remove the service; states, settings and evidence stay",
    "the same commands of the Service Control Manager, for the service",
];
/// What to do instead of reading the manual page, on systems without.
pub const INSTEAD_OF_MAN: Option<&str> = Some("immuaudit --help --all prints the same");
/// Why a port is refused that nobody else has.
pub const PORT_REFUSED: &str = "another process listens on it, or Windows reserves the port (netsh interface ipv4 show excludedportrange tcp): give another port";
/// Which paths mean the same wherever a program is started.
pub const ABSOLUTE: &str = r"an absolute path with a drive, such as D:\audit";
/// Which variables say where states are kept.
pub const STATE_VARIABLES: &str = "%ProgramData% and %LOCALAPPDATA% are";
/// What gives a machine the certificates of well-known authorities.
pub const NO_SYSTEM_ROOTS: &str = "no CA certificates found in this system's store of trusted root authorities: import the CA there (certlm.msc), set SSL_CERT_FILE, or give --tls-ca FILE";
/// Variables that name the person who started this, the best one first.
pub const USER_VARIABLES: [&str; 1] = ["USERNAME"];
/// What a user is called whom no variable names; the user follows.
pub const USER: &str = "user";
