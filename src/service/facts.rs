//! What is there already.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::unit::{UNIT_PATH, USER};

/// What is there already.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Is there a user of the service's name?
    pub user: bool,
    /// The unit file's text.
    pub unit: Option<String>,
    /// The settings file's text.
    pub config: Option<String>,
    /// Units of what this one takes the place of.
    pub others: Vec<PathBuf>,
}

impl Facts {
    /// Looks.
    ///
    /// # Errors
    /// A file that is there cannot be read.
    pub fn look(config: &Path) -> Result<Facts, String> {
        let users = read(Path::new("/etc/passwd"))?.unwrap_or_default();
        let others = ["immuclient.service", "immugw.service"];
        let others = others.map(|name| Path::new("/etc/systemd/system").join(name));
        Ok(Facts {
            user: users
                .lines()
                .any(|line| line.split(':').next() == Some(USER)),
            unit: read(Path::new(UNIT_PATH))?,
            config: read(config)?,
            others: others.into_iter().filter(|path| path.exists()).collect(),
        })
    }
}

fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Is systemd running this machine? (sd_booted(3))
pub fn is_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// What to do where it is not.
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
