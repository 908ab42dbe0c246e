//! One step of a plan: told, or taken.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::config::{Secret, masked_settings};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Runs a command.
    Run(Vec<String>),
    /// Writes a file whole, or not at all; one that is there keeps its owner.
    Write {
        /// Where.
        path: PathBuf,
        /// What; it may hold passwords.
        text: Secret,
        /// With which rights.
        mode: u32,
    },
    /// Copies a program, readable and executable by all.
    Copy {
        /// From here.
        from: PathBuf,
        /// To there.
        to: PathBuf,
    },
    /// Makes a directory for the service's user alone.
    Directory {
        /// Where.
        path: PathBuf,
    },
    /// Removes a file.
    Remove(PathBuf),
    /// Removes a directory and everything in it.
    RemoveAll(PathBuf),
    /// Something for the operator to know.
    Note(String),
}

/// Why a step could not be taken.
#[derive(Debug)]
pub struct Fault {
    step: String,
    why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}; what was done before stands, and doing it again is harmless",
            self.step, self.why
        )
    }
}

impl Step {
    pub(super) fn run(words: &[&str]) -> Step {
        Step::Run(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// In one line.
    pub fn summary(&self) -> String {
        match self {
            Step::Run(words) => format!("run: {}", words.join(" ")),
            Step::Write { path, mode, .. } => format!("write: {} ({mode:04o})", path.display()),
            Step::Copy { from, to } => {
                format!("copy: {} to {} (0755)", from.display(), to.display())
            }
            Step::Directory { path } => format!("make: {} (0700)", path.display()),
            Step::Remove(path) => format!("remove: {}", path.display()),
            Step::RemoveAll(path) => {
                format!("remove with everything in it: {}", path.display())
            }
            Step::Note(text) => format!("note: {text}"),
        }
    }

    /// With the file that it writes; passwords are left out.
    pub fn whole(&self) -> String {
        match self {
            Step::Write { text, .. } => {
                let lines = masked_settings(text.expose());
                let lines: String = lines.lines().map(|line| format!("  | {line}\n")).collect();
                format!("{}\n{}", self.summary(), lines.trim_end())
            }
            _ => self.summary(),
        }
    }

    /// Takes the step.
    ///
    /// # Errors
    /// The system refuses, or the command fails.
    pub fn take(&self) -> Result<(), Fault> {
        let done = match self {
            Step::Run(words) => return self.command(words),
            Step::Write { path, text, mode } => write(path, text.expose().as_bytes(), *mode),
            Step::Copy { from, to } => {
                fs::read(from).and_then(|program| write(to, &program, 0o755))
            }
            Step::Directory { path } => fs::create_dir_all(path)
                .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700))),
            Step::Remove(path) => unless_gone(fs::remove_file(path)),
            Step::RemoveAll(path) => unless_gone(fs::remove_dir_all(path)),
            Step::Note(_) => Ok(()),
        };
        done.map_err(|error| self.fault(error))
    }

    fn command(&self, words: &[String]) -> Result<(), Fault> {
        let Some((program, arguments)) = words.split_first() else {
            return Ok(());
        };
        let status = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .status()
            .map_err(|error| self.fault(error))?;
        if status.success() {
            Ok(())
        } else {
            Err(self.fault(status))
        }
    }

    fn fault(&self, why: impl fmt::Display) -> Fault {
        Fault {
            step: self.summary(),
            why: why.to_string(),
        }
    }
}

fn unless_gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Writes beside, then renames: a reader sees the old file or the new one.
fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".immuaudit-new");
    let new = folder.join(name);
    unless_gone(fs::remove_file(&new))?; // left by a killed run
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    if let Ok(there) = fs::metadata(path) {
        fchown(&file, Some(there.uid()), Some(there.gid()))?;
    }
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// Hands a word to `systemctl`, and answers whether it went well.
///
/// # Errors
/// There is no `systemctl`.
pub fn control(word: &str, unit: &str) -> io::Result<bool> {
    let mut command = Command::new("systemctl");
    command
        .args([word, "--no-pager", unit])
        .stdin(Stdio::null());
    command.status().map(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_no_password_is_told() {
        let folder = std::env::temp_dir().join(format!("immuaudit-step-{}", std::process::id()));
        let path = folder.join("etc/x.toml");
        let step = Step::Write {
            path: path.clone(),
            text: Secret::new("audit-password = \"hunter2\"\n".to_owned()),
            mode: 0o640,
        };
        for _ in 0..2 {
            step.take().unwrap();
            let written = fs::read_to_string(&path).unwrap();
            assert_eq!(written, "audit-password = \"hunter2\"\n");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        }
        assert_eq!(fs::read_dir(folder.join("etc")).unwrap().count(), 1);
        assert!(!step.whole().contains("hunter2") && !format!("{step:?}").contains("hunter2"));
        for step in [Step::Remove(path), Step::RemoveAll(folder)] {
            step.take().unwrap();
            step.take().unwrap();
        }
    }

    #[test]
    fn a_command_that_fails_is_told_with_what_it_was() {
        let told = Step::run(&["false", "x"]).take().unwrap_err().to_string();
        assert!(told.starts_with("run: false x: exit status: 1;"), "{told}");
    }
}
