//! The unit file: systemd's settings for the service, and its few rights.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::mark;
use crate::config::CompatMode;
use crate::service::sd_notify::LEAST_WATCHDOG;

/// The service's name.
pub const UNIT: &str = "immuaudit.service";
/// The path of its unit file.
pub(super) const UNIT_PATH: &str = "/etc/systemd/system/immuaudit.service";
/// The user and the group of the service.
pub const USER: &str = "immuaudit";
/// The directory of the files if the settings name none.
const STATE: &str = "/var/lib/immuaudit";
/// The directory in which systemd creates directories for services.
const STATES: &str = "/var/lib";

/// A unit. Every text in it is quoted, except for file names that the program generates.
pub(super) struct Unit<'a> {
    pub program: &'a Path,
    pub compat_mode: CompatMode,
    pub config: &'a Path,
    /// The directories that the service writes.
    pub directories: &'a [PathBuf],
    pub watchdog: Duration,
    /// The memory limit of the service, in MiB.
    pub memory: u64,
}

/// The memory for the default of `--max-recv-msg-size`, in MiB.
const LEAST_MEMORY: u64 = 64;

impl Unit<'_> {
    /// Returns the text of the unit file.
    pub fn text(&self) -> String {
        let mode = self.compat_mode.arguments();
        let config = argument(self.config);
        let mut directories = String::new();
        let states: Vec<&str> = self
            .directories
            .iter()
            .filter_map(|path| below_states(path))
            .collect();
        directories.push_str(&format!("StateDirectory={}\n", states.join(" ")));
        for other in self.others() {
            directories.push_str(&format!("ReadWritePaths={}\n", quoted(other)));
        }
        let whole = UnitText {
            again: " (run it again after a change of --dir, --roots-filepath or --max-recv-msg-size)",
            of: "",
            program: self.program,
            words: &format!("{mode} --config {config}"),
            watchdog: self.watchdog,
            user: USER,
            groups: "",
            directories: &directories,
            memory: self.memory,
        };
        whole.text()
    }

    /// Returns the directories that are elsewhere.
    fn others(&self) -> impl Iterator<Item = &Path> {
        let elsewhere = |path: &&PathBuf| below_states(path).is_none();
        self.directories
            .iter()
            .filter(elsewhere)
            .map(PathBuf::as_path)
    }
}

/// The common text of the units, and the parts that differ.
struct UnitText<'a> {
    /// The rest of the first line, after the command that wrote the unit.
    again: &'a str,
    /// The text that names the instance.
    of: &'a str,
    program: &'a Path,
    /// The words after `audit-mode`.
    words: &'a str,
    watchdog: Duration,
    user: &'a str,
    /// The line with supplementary groups.
    groups: &'a str,
    /// The lines of the writable directories.
    directories: &'a str,
    /// The memory limit, in MiB.
    memory: u64,
}

impl UnitText<'_> {
    fn text(&self) -> String {
        let program = quoted(self.program);
        let watchdog = self.watchdog.as_secs();
        let written = mark::UNIT;
        let UnitText {
            again,
            of,
            words,
            user,
            groups,
            directories,
            memory,
            ..
        } = self;
        format!(
            "\
{written}{again}
[Unit]
Description=immuaudit{of}: audit of the history of an immudb server
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} audit-mode{words}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec={watchdog}
Restart=always
RestartSec=10
TimeoutStartSec=60
TimeoutStopSec=60

User={user}
Group={user}
{groups}UMask=0077
{directories}StateDirectoryMode=0700
MemoryMax={memory}M
OOMPolicy=continue
TasksMax=64
LimitCORE=0

CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
DevicePolicy=closed
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"
        )
    }
}

/// Returns the template of all instances; the differences of one instance are in a drop-in of its own.
pub(super) fn template(program: &Path) -> String {
    let whole = UnitText {
        again: " --instance",
        of: " of %i",
        program,
        words: " --instance %i",
        watchdog: LEAST_WATCHDOG,
        user: "immuaudit-%i",
        // the common settings file belongs to this group
        groups: "SupplementaryGroups=immuaudit\n",
        directories: "StateDirectory=immuaudit.d/%i\n",
        memory: LEAST_MEMORY,
    };
    whole.text()
}

/// Returns the drop-in with the settings that an instance needs in addition to its template; `None` if there are
/// none.
pub(super) fn drop_in(watchdog: Duration, memory: u64) -> Option<String> {
    let mut lines = String::new();
    if watchdog != LEAST_WATCHDOG {
        lines.push_str(&format!("WatchdogSec={}\n", watchdog.as_secs()));
    }
    if memory != LEAST_MEMORY {
        lines.push_str(&format!("MemoryMax={memory}M\n"));
    }
    let written = mark::UNIT;
    (!lines.is_empty()).then(|| format!("{written} --instance\n[Service]\n{lines}"))
}

/// Returns the name of a directory below `/var/lib`, if it needs no quotes.
pub(super) fn below_states(path: &Path) -> Option<&str> {
    let name = path.strip_prefix(STATES).ok()?.to_str()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let fits = !name.is_empty() && name.chars().all(plain) && !name.contains("..");
    fits.then(|| name.trim_end_matches('/'))
}

/// Returns the directory of the files if the settings name none.
pub fn default_state() -> PathBuf {
    STATE.into()
}

/// Returns a path for a unit file (systemd.syntax(7)): quoted, without specifiers. Only the arguments of a command
/// need more, [`argument`].
fn quoted(path: &Path) -> String {
    let mut quoted = String::from('"');
    for c in path.to_string_lossy().chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns a path as an argument of a command in a unit file. systemd replaces variables in arguments, but neither in
/// the program nor in directories (systemd.service(5)).
fn argument(path: &Path) -> String {
    quoted(path).replace('$', "$$")
}

/// Checks that a unit file can name a path. A line break would begin another setting.
///
/// # Errors
/// The path has bytes that no unit file can have.
pub(super) fn check_name(path: &Path) -> Result<(), String> {
    let is_name = |text: &str| !text.chars().any(char::is_control);
    match path.to_str().is_some_and(is_name) {
        true => Ok(()),
        false => Err(format!(
            "{path:?}: a unit of systemd cannot name this path: use one in UTF-8 without control characters"
        )),
    }
}

/// Returns whether systemd runs a program at this path: it refuses quotes and backslashes, whether escaped or not.
pub(super) fn can_run(path: &Path) -> bool {
    check_name(path).is_ok() && !path.to_string_lossy().contains(['"', '\'', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::memory_needed;
    use crate::service::sd_notify::watchdog;

    fn unit(directories: &[&str]) -> String {
        let directories: Vec<PathBuf> = directories.iter().map(PathBuf::from).collect();
        let unit = Unit {
            program: Path::new("/usr/bin/immuaudit"),
            compat_mode: CompatMode::Immuclient,
            config: Path::new("/etc/immudb/50% \"x\".toml"),
            directories: &directories,
            watchdog: watchdog(Duration::from_secs(10)),
            memory: memory_needed(4 << 20),
        };
        unit.text()
    }

    #[test]
    fn nothing_in_a_path_is_expanded_or_ends_it() {
        let line = "ExecStart=\"/usr/bin/immuaudit\" audit-mode --config \"/etc/immudb/50%% \\\"x\\\".toml\"\n";
        assert!(unit(&[STATE]).contains(line));
    }

    /// systemd 252 runs a service with this unit.
    #[test]
    fn a_dollar_is_doubled_only_in_arguments() {
        let directories = [PathBuf::from("/srv/a$b")];
        let unit = Unit {
            program: Path::new("/opt/a$b/immuaudit"),
            compat_mode: CompatMode::Immuclient,
            config: Path::new("/etc/a$b/immuclient.toml"),
            directories: &directories,
            watchdog: watchdog(Duration::from_secs(10)),
            memory: 64,
        };
        let text = unit.text();
        for line in [
            "ExecStart=\"/opt/a$b/immuaudit\" audit-mode --config \"/etc/a$$b/immuclient.toml\"\n",
            "ReadWritePaths=\"/srv/a$b\"\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn only_the_directories_of_states_are_writable() {
        assert!(unit(&[STATE]).contains("StateDirectory=immuaudit\nStateDirectoryMode"));
        assert!(unit(&["/var/lib/immuclient"]).contains("StateDirectory=immuclient\nState"));
        let elsewhere = unit(&["/srv/trust"]);
        assert!(elsewhere.contains("ReadWritePaths=\"/srv/trust\"\n"));
        assert!(below_states(Path::new("/var/lib/../../etc")).is_none());
        assert!(below_states(Path::new("/var/lib")).is_none());
    }

    #[test]
    fn the_debian_package_brings_the_unit_that_install_writes() {
        let packaged = include_str!("../../../deploy/debian/immuaudit.service");
        let unit = Unit {
            program: Path::new("/usr/bin/immuaudit"),
            compat_mode: CompatMode::Immuclient,
            config: Path::new("/etc/immudb/immuaudit.toml"),
            directories: &[default_state()],
            watchdog: watchdog(Duration::from_secs(10)),
            memory: memory_needed(4 << 20),
        };
        let text = unit.text();
        let (_, installed) = text.split_once('\n').unwrap(); // without the line that names its writer
        assert_eq!(packaged, installed);
    }

    #[test]
    fn the_debian_package_brings_the_template_that_install_writes() {
        let packaged = include_str!("../../../deploy/debian/immuaudit@.service");
        let text = template(Path::new("/usr/bin/immuaudit"));
        let (_, installed) = text.split_once('\n').unwrap(); // without the line that names its writer
        assert_eq!(packaged, installed);
        assert_eq!(
            drop_in(watchdog(Duration::from_secs(10)), memory_needed(4 << 20)),
            None
        );
    }

    #[test]
    fn an_instance_that_needs_more_than_the_template_gives_gets_it() {
        let text = drop_in(watchdog(Duration::from_secs(100)), 288).unwrap();
        assert!(
            text.ends_with("[Service]\nWatchdogSec=260\nMemoryMax=288M\n"),
            "{text}"
        );
    }

    #[test]
    fn the_watchdog_is_longer_than_the_longest_call() {
        for seconds in [1, 10, 100, 10_000] {
            let call = Duration::from_secs(seconds);
            assert!(watchdog(call) > call);
        }
    }
}
