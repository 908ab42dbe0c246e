//! Warnings about valid settings.

use std::fmt;
use std::path::PathBuf;

use super::settings_error::shown;
use super::source::Source;
use crate::sys::words;
use crate::text::shell_value;

/// One warning about the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsWarning {
    /// The login uses the default password of immudb.
    DefaultPassword,
    /// `ps` showed a password until it was overwritten, and a shell's history may still have it.
    PasswordOnCommandLine {
        /// Without dashes.
        flag: &'static str,
    },
    /// Signatures are checked by the key in the same response, which proves no identity.
    OwnKey,
    /// The login crosses a network without TLS.
    PlaintextLogin {
        /// The server.
        address: String,
    },
    /// Notifications with a password in them cross a network without TLS.
    PlaintextNotification {
        /// The receiver.
        host: String,
    },
    /// A password file that others can read.
    LoosePasswordFile {
        /// The file.
        path: PathBuf,
    },
    /// A file of URLs that others can read.
    LooseUrlFile {
        /// The file.
        path: PathBuf,
    },
    /// A program of `--audit-exec` that is not there.
    NoProgram {
        /// The program.
        program: PathBuf,
        /// The source of the setting.
        source: Source,
        /// The fault.
        fault: &'static str,
    },
    /// Requests go through a proxy.
    Proxied {
        /// Scheme, host and port of their URL.
        url: String,
        /// The proxy, and the source of the setting.
        proxy: String,
    },
    /// A private key file that others can read.
    LooseKeyFile {
        /// The file.
        path: PathBuf,
    },
    /// The limit on the memory of this process is too small for the largest response.
    LittleMemory {
        /// The limit, in MiB.
        allowed: u64,
        /// The required memory, in MiB.
        needed: u64,
        /// `--max-recv-msg-size`, in bytes.
        size: i32,
    },
    /// A variable with our prefix that names no setting.
    UnknownVariable {
        /// The name as given.
        name: String,
        /// The most similar existing name.
        nearest: Option<String>,
    },
    /// A setting that has no effect without another one.
    NoEffect {
        /// Without dashes.
        flag: &'static str,
        /// The source.
        source: Source,
        /// The other one.
        needs: &'static str,
    },
    /// A setting with its former name.
    Renamed {
        /// Without dashes.
        flag: &'static str,
        /// The source.
        source: Source,
        /// The present name.
        now: &'static str,
    },
    /// The working directory, which the settings file of immuclient or immugw names for its own states.
    WorkingDirectory {
        /// The source.
        source: Source,
    },
    /// A key of immuclient that has no effect in an audit.
    UnusedKey {
        /// The key.
        key: String,
        /// The source.
        source: Source,
    },
    /// A setting of immuclient that has no effect in an audit.
    UnusedSetting {
        /// Without dashes.
        flag: &'static str,
        /// The source.
        source: Source,
    },
}

impl SettingsWarning {
    /// Returns the log level of the warning.
    pub fn level(&self) -> log::Level {
        match self {
            SettingsWarning::UnusedKey { .. } | SettingsWarning::UnusedSetting { .. } => {
                log::Level::Debug
            }
            SettingsWarning::Proxied { .. } | SettingsWarning::WorkingDirectory { .. } => {
                log::Level::Info
            }
            _ => log::Level::Warn,
        }
    }
}

impl fmt::Display for SettingsWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingsWarning::DefaultPassword => f.write_str(
                "the login uses immudb's default password: change it on the server, and give the new one with --audit-password-file",
            ),
            SettingsWarning::PasswordOnCommandLine { flag } => write!(
                f,
                "other users of this machine can see --{flag} on the command line: use --{flag}-file"
            ),
            SettingsWarning::OwnKey => f.write_str(
                "signatures are verified with the key in the response, which proves no identity: anyone who can change a state can sign it with a new key; give --server-signing-pub-key",
            ),
            SettingsWarning::PlaintextLogin { address } => write!(
                f,
                "the password goes to {} unencrypted: use --tls, --tls-ca or --mtls",
                shown(address)
            ),
            SettingsWarning::PlaintextNotification { host } => write!(
                f,
                "the notification's password goes to {} unencrypted: use https",
                shown(host)
            ),
            SettingsWarning::LoosePasswordFile { path } => loose(f, "password", path),
            SettingsWarning::LooseUrlFile { path } => loose(f, "URL", path),
            SettingsWarning::NoProgram {
                program,
                source,
                fault,
            } => write!(
                f,
                "--audit-exec ({source}): {}: {fault}, so no notification can be given to it: install it, or correct the path",
                shown(&program.to_string_lossy())
            ),
            SettingsWarning::Proxied { url, proxy } => write!(f, "requests to {url} go through {proxy}"),
            SettingsWarning::LooseKeyFile { path } => loose(f, "private key", path),
            SettingsWarning::LittleMemory {
                allowed,
                needed,
                size,
            } => write!(
                f,
                "the memory limit is {allowed} MiB, but responses of --max-recv-msg-size ({size} bytes) need up to {needed} MiB: raise the limit, because a large response could end the program (audit-mode install sets it for the service)"
            ),
            SettingsWarning::UnknownVariable { name, nearest } => {
                write!(f, "variable {} names no setting", shown(name))?;
                let nearest = nearest.as_deref();
                nearest.map_or(Ok(()), |nearest| write!(f, "; the nearest is {nearest}"))
            }
            SettingsWarning::NoEffect {
                flag,
                source,
                needs,
            } => write!(
                f,
                "--{flag} ({source}) has no effect without {needs}: give both, or remove it"
            ),
            SettingsWarning::Renamed { flag, source, now } => write!(
                f,
                "--{flag} ({source}) is called --{now} now, because --servername is another setting: rename it"
            ),
            SettingsWarning::WorkingDirectory { source } => write!(
                f,
                "{source}: dir = \".\" would depend on the directory in which the program is started, so the trusted states are stored in the default directory: name another one with --dir"
            ),
            SettingsWarning::UnusedKey { key, source } => {
                write!(f, "{source}: an audit does not use {key}: ignored")
            }
            SettingsWarning::UnusedSetting { flag, source } => {
                write!(f, "an audit does not use --{flag} ({source}): ignored")
            }
        }
    }
}

fn loose(f: &mut fmt::Formatter<'_>, what: &str, path: &std::path::Path) -> fmt::Result {
    write!(
        f,
        "every user of this machine can read the {what} in {}: {} {}",
        path.display(),
        words::FORBID_READING,
        shell_value(&path.to_string_lossy())
    )
}
