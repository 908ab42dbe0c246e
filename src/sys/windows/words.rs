//! Texts of messages and of the help that differ between systems.

/// The action that removes the rights of other users on a file or directory.
pub const TAKE_RIGHTS: &str =
    "remove their rights with icacls /inheritance:d and icacls /remove (docs/windows.md)";
/// The action that makes the auditor's user the owner of a file again.
pub const GIVE_BACK: &str = "change the owner with icacls /setowner";
/// The action that gives the auditor's user rights on a file.
pub const GIVE_FILE: &str = "give the file to that user with icacls /grant";
/// The action that makes the current user the owner of a file.
pub const TAKE_OVER: &str = "take over the file with takeown /f";
/// The action that removes the right of other users to write a file.
pub const FORBID_WRITING: &str =
    "remove their rights with icacls /inheritance:d and icacls /remove";
/// The action that removes the right of other users to read a file. The path follows.
pub const FORBID_READING: &str = "run icacls /inheritance:d, then icacls /remove, on";
/// The directories of settings files: of the system, and of a user.
pub const SETTINGS_PLACES: &str = r"C:\ProgramData\ImmuClient\config or %USERPROFILE%";
/// The search path of settings files, for the help.
pub const HELP_PLACES: &str = "\
Each is the first one found in .\\configs, the working directory, %USERPROFILE%
and C:\\ProgramData\\ImmuClient\\config. The keys are the names of the flags.
";
/// Further sources of settings, for the help: none.
pub const HELP_SUPERVISOR: &str = "";
/// The description of `--instance`.
pub const HELP_INSTANCE: &str = r"name of one of several auditors on this host: its file C:\ProgramData\ImmuClient\config\immuaudit.d\NAME.toml overrides immuaudit.toml, and it has its own states and port";
/// The descriptions of the subcommands of `audit-mode` for a service.
pub const HELP_SERVICE: [&str; 3] = [
    "create a Windows service, and start it (needs an elevated prompt)",
    "remove the service; states, settings and evidence stay",
    "start, stop or restart the service, or print its status, by the Service Control Manager",
];
/// The alternative to the manual page, on systems without manual pages.
pub const INSTEAD_OF_MAN: Option<&str> = Some("immuaudit --help --all prints the same");
/// The usual cause if the system refuses a port.
pub const PORT_REFUSED: &str = "another process listens on it, or Windows reserves the port (netsh interface ipv4 show excludedportrange tcp): give another port";
/// The form of an absolute path.
pub const ABSOLUTE: &str = r"an absolute path with a drive, such as D:\audit";
/// The variables that determine the directory of states.
pub const STATE_VARIABLES: &str = "%ProgramData% and %LOCALAPPDATA% are";
/// The error and its remedies if the system has no root certificates.
pub const NO_SYSTEM_ROOTS: &str = "no CA certificates found in this system's store of trusted root authorities: import the CA there (certlm.msc), set SSL_CERT_FILE, or give --tls-ca FILE";
/// Variables with the name of the current user, the best one first.
pub const USER_VARIABLES: [&str; 1] = ["USERNAME"];
