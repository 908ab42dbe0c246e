//! Directories that are opened without following a link, and changed by their descriptors: root changes nothing
//! that a user put in the place of the directory that the operator named.
//!
//! `/proc/self/fd/N/NAME` is `NAME` in the open directory `N`, even if that was moved meanwhile (proc(5)).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Component, Path, PathBuf};

use super::account::Account;
use crate::trust::{Mark, mark};

/// The name of a file while it is written.
const NEW: &str = ".immuaudit-new";
/// The directory at the top of a separate file system.
const LOST_AND_FOUND: &str = "lost+found";
/// The maximum depth of directories that are handed over: a server's, its evidence, a database's.
const MAX_DEPTH: u32 = 8;

/// An open directory.
pub(super) struct Directory {
    file: File,
    path: PathBuf,
}

/// The kind of a directory for states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// There is nothing.
    Absent,
    /// A directory that belongs to this user.
    OfUser(u32),
    /// A directory with files of the auditor only.
    Ours,
    /// Anything else.
    Foreign,
    /// The path cannot be examined, or it or a directory above it is a link: the reason.
    Unknown(String),
}

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// There is a link in the path, or the system refuses.
    pub fn open(path: &Path) -> io::Result<Directory> {
        walk(path, None)
    }

    /// Opens a directory, and creates it for its owner only, with missing directories above it.
    ///
    /// # Errors
    /// The same as for [`Directory::open`].
    pub fn open_or_make(path: &Path) -> io::Result<Directory> {
        walk(path, Some(0o700))
    }

    /// Opens the parent directory of a path, and returns it with the last part of the path. Creates it if it is
    /// missing, with read access for all users.
    ///
    /// # Errors
    /// The same as for [`Directory::open`].
    pub fn of(path: &Path, makes: bool) -> io::Result<(Directory, PathBuf)> {
        match (path.parent(), path.file_name()) {
            (Some(above), Some(name)) => {
                let above = walk(above, makes.then_some(0o755))?;
                Ok((above, name.into()))
            }
            _ => Err(io::Error::new(
                ErrorKind::InvalidInput,
                "the path has no file name",
            )),
        }
    }

    /// Returns the path of a name in the directory.
    pub fn at(&self, name: &Path) -> PathBuf {
        Path::new("/proc/self/fd")
            .join(self.file.as_raw_fd().to_string())
            .join(name)
    }

    /// Opens a regular file that has no second name.
    ///
    /// # Errors
    /// The path is something else, or the system refuses.
    pub fn file(&self, name: &Path) -> io::Result<File> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(self.at(name))?;
        let found = file.metadata()?;
        if found.is_file() && found.nlink() == 1 {
            return Ok(file);
        }
        let fault = "it is not a plain file, or has several hard links";
        Err(io::Error::new(ErrorKind::InvalidInput, fault))
    }

    /// Writes a new file and renames it: a reader sees the old file or the new one. An existing file keeps its
    /// owner.
    ///
    /// # Errors
    /// The system refuses.
    pub fn write(
        &self,
        name: &Path,
        bytes: &[u8],
        mode: u32,
        group: Option<u32>,
    ) -> io::Result<()> {
        let mut new = name.as_os_str().to_owned();
        new.push(NEW);
        let new = self.at(Path::new(&new));
        unless_gone(fs::remove_file(&new))?; // left by a killed run
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        let owner = match fs::symlink_metadata(self.at(name)) {
            Ok(there) if there.is_file() => Some((there.uid(), there.gid())),
            _ => None,
        };
        let group = group.or(owner.map(|(_, group)| group));
        fchown(&file, owner.map(|(user, _)| user), group)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&new, self.at(name))
    }

    /// Gives the directory to a user only: a new directory, one of that user, or one with only the auditor's own
    /// files, which get the same owner.
    ///
    /// # Errors
    /// The directory belongs to another user, or the system refuses.
    pub fn hand_over(&self, account: &Account) -> io::Result<()> {
        match self.place() {
            Place::OfUser(user) if user == account.user => {}
            Place::Ours => self.give(account, MAX_DEPTH)?,
            _ if self.file.metadata()?.uid() == 0 && self.names()?.is_empty() => {
                fchown(&self.file, Some(account.user), Some(account.group))?;
            }
            _ => return Err(io::Error::other("it is not immuaudit's")),
        }
        self.file.set_permissions(fs::Permissions::from_mode(0o700))
    }

    fn give(&self, account: &Account, depth: u32) -> io::Result<()> {
        let (user, group) = (Some(account.user), Some(account.group));
        for name in self.names()? {
            let kind = fs::symlink_metadata(self.at(&name))?.file_type();
            if kind.is_dir() && depth > 0 {
                self.child(&name)?.give(account, depth - 1)?;
            } else if kind.is_file() {
                fchown(self.file(&name)?, user, group)?;
            }
        }
        fchown(&self.file, user, group)
    }

    fn child(&self, name: &Path) -> io::Result<Directory> {
        Ok(Directory {
            file: open(&self.at(name), libc::O_RDONLY)?,
            path: self.path.join(name),
        })
    }

    /// Removes the directories of servers. Also removes this directory if nothing else is in it, and it had some
    /// or is the service's.
    ///
    /// # Errors
    /// An auditor has one of the directories open, and nothing is removed; or the system refuses.
    pub fn remove_states(self, service: Option<&Account>) -> io::Result<()> {
        let mut ours = Vec::new();
        for name in self.names()? {
            match mark(&self.at(&name)) {
                Mark::NotOurs => {}
                Mark::Ours => ours.push(name),
                Mark::InUse => {
                    let fault =
                        format!("an auditor is running in {}: stop it first", name.display());
                    return Err(io::Error::other(fault));
                }
            }
        }
        for name in &ours {
            fs::remove_dir_all(self.at(name))?;
        }
        let owner = self.file.metadata()?.uid();
        let is_ours = !ours.is_empty() || service.is_some_and(|account| account.user == owner);
        if is_ours && self.names()?.is_empty() {
            let (above, name) = Directory::of(&self.path, false)?;
            match fs::remove_dir(above.at(&name)) {
                Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => return Err(error),
                _ => {} // not empty: lost+found belongs to the file system
            }
        }
        Ok(())
    }

    /// Returns the names of the entries of the directory.
    fn names(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.at(Path::new("")))?;
        let mut names = entries
            .map(|entry| entry.map(|entry| entry.file_name().into()))
            .collect::<io::Result<Vec<PathBuf>>>()?;
        names.retain(|name| name != Path::new(LOST_AND_FOUND));
        names.sort();
        Ok(names)
    }

    fn place(&self) -> Place {
        let look = || {
            let user = self.file.metadata()?.uid();
            if user != 0 {
                return Ok(Place::OfUser(user));
            }
            let names = self.names()?;
            let ours = |name: &PathBuf| mark(&self.at(name)) != Mark::NotOurs;
            Ok(match !names.is_empty() && names.iter().all(ours) {
                true => Place::Ours,
                false => Place::Foreign,
            })
        };
        look().unwrap_or_else(|error: io::Error| Place::Unknown(error.to_string()))
    }
}

impl Place {
    /// Returns the kind of a path.
    pub fn of(path: &Path) -> Place {
        match Directory::open(path) {
            Ok(directory) => directory.place(),
            Err(error) if error.kind() == ErrorKind::NotFound => Place::Absent,
            Err(error) => Place::Unknown(error.to_string()),
        }
    }
}

/// Returns the result of a removal; a file that does not exist counts as removed.
pub(super) fn unless_gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Opens a directory without following links; `makes` is the mode of a directory that is to be created.
fn walk(path: &Path, makes: Option<u32>) -> io::Result<Directory> {
    let mut components = path.components().peekable();
    if components.next() != Some(Component::RootDir) {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "the path is not absolute",
        ));
    }
    let only = |last| if last { libc::O_RDONLY } else { libc::O_PATH };
    let mut open_one = Directory {
        file: open(Path::new("/"), only(components.peek().is_none()))?,
        path: "/".into(),
    };
    while let Some(component) = components.next() {
        let Component::Normal(name) = component else {
            return Err(io::Error::new(ErrorKind::InvalidInput, ".. in the path"));
        };
        let name = Path::new(name);
        let (at, path) = (open_one.at(name), open_one.path.join(name));
        let last = components.peek().is_none();
        if let Some(mode) = makes {
            let mode = if last { mode } else { 0o755 };
            match DirBuilder::new().mode(mode).create(&at) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let file = open(&at, only(last)).map_err(|error| {
            let link = fs::symlink_metadata(&at).is_ok_and(|found| found.is_symlink());
            match link {
                true => io::Error::other(format!(
                    "{} is a symbolic link: name its target",
                    path.display()
                )),
                false => error,
            }
        })?;
        open_one = Directory { file, path };
    }
    Ok(open_one)
}

fn open(path: &Path, access: libc::c_int) -> io::Result<File> {
    let flags = access | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests;
