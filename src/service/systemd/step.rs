//! One step of a plan: printed, or performed.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::{Account, group};
use super::directory::{Directory, unless_gone};
use super::unit::USER;
use crate::config::{Secret, masked_settings};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Runs a command.
    Run(Vec<String>),
    /// Writes a file atomically; an existing file keeps its owner.
    Write {
        /// The path.
        path: PathBuf,
        /// The content, which may contain passwords.
        text: Secret,
        /// The file mode.
        mode: u32,
        /// The reader in addition to its owner.
        reader: Reader,
    },
    /// Gives an existing file these rights, and the service's group.
    Permit {
        /// The path.
        path: PathBuf,
        /// The file mode.
        mode: u32,
    },
    /// Copies a program. All users may read and execute the copy.
    Copy {
        /// The source.
        from: PathBuf,
        /// The destination.
        to: PathBuf,
    },
    /// Creates a directory for the service's user only, or gives that user an existing directory of the auditor.
    Directory {
        /// The path.
        path: PathBuf,
    },
    /// Removes a file.
    Remove(PathBuf),
    /// Removes the servers' directories in a directory, and that directory if nothing else is in it.
    RemoveStates(PathBuf),
    /// A note for the operator.
    Note(String),
}

/// The group that gets a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// No change.
    Unchanged,
    /// The group of the service.
    Service,
}

/// The failure of a step.
#[derive(Debug)]
pub struct Fault {
    step: String,
    why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}; correct the cause and run the command again, which may repeat the earlier steps",
            self.step, self.why
        )
    }
}

impl Step {
    pub(super) fn run(words: &[&str]) -> Step {
        Step::Run(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// Returns the step in one line.
    pub fn summary(&self) -> String {
        match self {
            Step::Run(words) => format!("run: {}", words.join(" ")),
            Step::Write {
                path, mode, reader, ..
            } => {
                let of = match reader {
                    Reader::Unchanged => String::new(),
                    Reader::Service => format!(", group {USER}"),
                };
                format!("write: {} ({mode:04o}{of})", path.display())
            }
            Step::Permit { path, mode } => {
                format!("permit: {} ({mode:04o}, group {USER})", path.display())
            }
            Step::Copy { from, to } => {
                format!("copy: {} to {} (0755)", from.display(), to.display())
            }
            Step::Directory { path } => {
                format!("make: {} (0700, user {USER})", path.display())
            }
            Step::Remove(path) => format!("remove: {}", path.display()),
            Step::RemoveStates(path) => {
                format!("remove all states and evidence: {}", path.display())
            }
            Step::Note(text) => format!("note: {text}"),
        }
    }

    /// Returns the step with the content of the file that it writes, without passwords.
    pub fn full_text(&self) -> String {
        match self {
            Step::Write { text, .. } => {
                let lines = masked_settings(text.expose());
                let lines: String = lines.lines().map(|line| format!("  | {line}\n")).collect();
                format!("{}\n{}", self.summary(), lines.trim_end())
            }
            _ => self.summary(),
        }
    }

    /// Performs the step.
    ///
    /// # Errors
    /// The system refuses, or the command fails.
    pub fn take(&self) -> Result<(), Fault> {
        let done = match self {
            Step::Run(words) => return self.command(words),
            Step::Write {
                path,
                text,
                mode,
                reader,
            } => write(path, text.expose().as_bytes(), *mode, *reader),
            Step::Permit { path, mode } => permit(path, *mode),
            Step::Copy { from, to } => {
                fs::read(from).and_then(|program| write(to, &program, 0o755, Reader::Unchanged))
            }
            Step::Directory { path } => Directory::open_or_make(path)
                .and_then(|directory| directory.hand_over(&service_user()?)),
            Step::Remove(path) => remove(path),
            Step::RemoveStates(path) => remove_states(path),
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

/// Returns the user that the service runs as, which exists by now.
fn service_user() -> io::Result<Account> {
    Account::find(USER).ok_or_else(|| io::Error::other(format!("there is no user {USER}")))
}

fn service_group() -> io::Result<u32> {
    group(USER).ok_or_else(|| io::Error::other(format!("there is no group {USER}")))
}

fn write(path: &Path, bytes: &[u8], mode: u32, reader: Reader) -> io::Result<()> {
    let group = match reader {
        Reader::Unchanged => None,
        Reader::Service => Some(service_group()?),
    };
    let (folder, name) = Directory::of(path, true)?;
    folder.write(&name, bytes, mode, group)
}

fn permit(path: &Path, mode: u32) -> io::Result<()> {
    let (folder, name) = Directory::of(path, false)?;
    let file = folder.file(&name)?;
    fchown(&file, None, Some(service_group()?))?;
    file.set_permissions(Permissions::from_mode(mode))
}

fn remove(path: &Path) -> io::Result<()> {
    match Directory::of(path, false) {
        Ok((folder, name)) => unless_gone(fs::remove_file(folder.at(&name))),
        Err(error) => unless_gone(Err(error)),
    }
}

fn remove_states(path: &Path) -> io::Result<()> {
    match Directory::open(path) {
        Ok(directory) => directory.remove_states(Account::find(USER).as_ref()),
        Err(error) => unless_gone(Err(error)),
    }
}

/// Runs `systemctl` with a command for a unit, and returns whether it succeeded.
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
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_file_is_written_completely_and_shown_without_passwords() {
        let folder = std::env::temp_dir().join(format!("immuaudit-step-{}", std::process::id()));
        let path = folder.join("etc/x.toml");
        let step = Step::Write {
            path: path.clone(),
            text: Secret::new("audit-password = \"hunter2\"\n".to_owned()),
            mode: 0o640,
            reader: Reader::Unchanged,
        };
        for _ in 0..2 {
            step.take().unwrap();
            let written = fs::read_to_string(&path).unwrap();
            assert_eq!(written, "audit-password = \"hunter2\"\n");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        }
        assert_eq!(fs::read_dir(folder.join("etc")).unwrap().count(), 1);
        assert!(!step.full_text().contains("hunter2") && !format!("{step:?}").contains("hunter2"));
        let step = Step::Remove(path);
        step.take().unwrap();
        step.take().unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failing_command_is_reported_with_its_words() {
        let message = Step::run(&["false", "x"]).take().unwrap_err().to_string();
        assert!(
            message.starts_with("run: false x: exit status: 1;"),
            "{message}"
        );
    }
}
