//! The existing files, users and services.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::{self, Account};
use super::directory::Place;
use super::replaceable::{COPY, replaced_by};
use super::unit::{UNIT, UNIT_PATH, USER};

/// The existing files, users and services.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The user with the name of the service.
    pub user: Option<Account>,
    /// Whether there is a group of that name.
    pub group: bool,
    /// The unit file's text.
    pub unit: Option<String>,
    /// The unit of a package.
    pub packaged: Option<PathBuf>,
    /// Whether a service of that name runs.
    pub active: bool,
    /// The settings file's text.
    pub config: Option<String>,
    /// Units of the programs that this one replaces.
    pub others: Vec<PathBuf>,
    /// The kinds of the directories for states.
    pub places: Vec<(PathBuf, Place)>,
    /// The reason why users other than root can replace the program, if they can.
    pub program: Option<String>,
    /// The reason why they can replace a copy of it, if they can.
    pub copy: Option<String>,
}

impl Facts {
    /// Reads the facts.
    ///
    /// # Errors
    /// An existing file cannot be read.
    pub fn look(program: &Path, config: &Path, directories: &[PathBuf]) -> Result<Facts, String> {
        let others = ["immuclient.service", "immugw.service"];
        let others = others.map(|name| Path::new("/etc/systemd/system").join(name));
        let packaged = ["/usr/lib/systemd/system", "/lib/systemd/system"];
        let mut packaged = packaged.iter().map(|folder| Path::new(folder).join(UNIT));
        let place = |path: &PathBuf| (path.clone(), Place::of(path));
        Ok(Facts {
            user: Account::find(USER),
            group: account::group(USER).is_some(),
            unit: read(Path::new(UNIT_PATH))?,
            packaged: packaged.find(|path| path.exists()),
            active: is_active(),
            config: read(config)?,
            others: others.into_iter().filter(|path| path.exists()).collect(),
            places: directories.iter().map(place).collect(),
            program: replaced_by(program),
            copy: replaced_by(Path::new(COPY)),
        })
    }

    /// Returns the kind of a path that was examined.
    pub(super) fn place(&self, path: &Path) -> &Place {
        let mut places = self.places.iter();
        let found = places.find(|(at, _)| at == path);
        found.map_or(&Place::Absent, |(_, place)| place)
    }
}

/// Returns whether systemd runs a service of the auditor's name, also if its unit is not the auditor's.
fn is_active() -> bool {
    is_systemd()
        && Command::new("systemctl")
            .args(["is-active", "--quiet", UNIT])
            .stdin(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Returns whether systemd runs this machine (sd_booted(3)).
pub fn is_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// The advice if systemd does not run the machine.
#[derive(Clone, Copy, Debug)]
pub struct NoSystemd;

impl fmt::Display for NoSystemd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "systemd does not run this machine, and no other service manager is known here. \
             Instead:\n\
             \x20 cron:     */5 * * * * immuaudit --once --quiet\n\
             \x20 OpenRC:   a script in /etc/init.d with command=immuaudit, \
             command_args=audit-mode, command_user=immuaudit, supervisor=supervise-daemon\n\
             \x20 Windows:  schtasks /create /tn immuaudit /sc onstart /ru SYSTEM /tr \
             \"immuaudit.exe audit-mode\"\n\
             \x20 a container: immuaudit audit-mode as its only process",
        )
    }
}
