//! The user of this process, and the owners of files.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::sys::Holding;

/// A user, identified by number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User(u32);

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl User {
    /// Returns the effective user, which determines the files that this process may open.
    pub fn current() -> User {
        User(effective_user())
    }

    /// Returns whether the auditor trusts files of this user: its own user and root.
    pub fn is_trusted(&self) -> bool {
        [0, effective_user()].contains(&self.0)
    }

    /// Returns whether this process runs as this user.
    pub fn is_this(&self) -> bool {
        self.0 == effective_user()
    }
}

/// The rights of others on a file: its mode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open(u32);

impl Open {
    /// Returns the rights in a mode.
    pub fn of_mode(mode: u32) -> Open {
        Open(mode & 0o7777)
    }

    /// Returns the bits of the mode.
    pub fn mode(&self) -> u32 {
        self.0
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mode {:04o}", self.0)
    }
}

/// Returns the owner of a file; of a link, the link's own owner.
///
/// # Errors
/// The file cannot be examined.
pub fn holding(path: &Path) -> io::Result<Holding> {
    Ok(holding_of_metadata(&fs::symlink_metadata(path)?))
}

/// Returns the owner of an open file.
///
/// # Errors
/// The file cannot be examined.
pub fn holding_of(file: &File) -> io::Result<Holding> {
    Ok(holding_of_metadata(&file.metadata()?))
}

fn holding_of_metadata(found: &Metadata) -> Holding {
    Holding {
        owner: User(found.uid()),
        open: Open::of_mode(found.permissions().mode()),
        ids: Some(ids(found)),
    }
}

/// Returns the numbers of the owner and the group.
pub fn ids(found: &Metadata) -> (u32, u32) {
    (found.uid(), found.gid())
}

/// Returns whether every user of this machine may read the file at a path.
pub fn everybody_reads(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
}

/// Returns the user id that decides which files may be opened.
fn effective_user() -> u32 {
    // SAFETY: the call takes nothing and cannot fail (geteuid(2)).
    unsafe { libc::geteuid() }
}

/// Returns the name of the effective user; `None` if `/etc/passwd` does not have it.
pub fn user_name() -> Option<String> {
    let text = fs::read("/etc/passwd").ok()?;
    name_of(&String::from_utf8_lossy(&text), effective_user())
}

/// Returns the name of a user in the format of passwd(5).
fn name_of(text: &str, user: u32) -> Option<String> {
    let mut lines = text.lines();
    lines.find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let id = fields.nth(1)?.parse::<u32>().ok()?;
        (id == user).then(|| name.to_owned())
    })
}

/// Returns the group id that, with the further groups, decides which files may be opened.
pub fn effective_group() -> u32 {
    // SAFETY: the call takes nothing and cannot fail (getegid(2)).
    unsafe { libc::getegid() }
}

/// Returns whether the effective user is root.
pub fn is_root() -> bool {
    effective_user() == 0
}

/// Returns whether this runs for the machine, not for one user.
pub fn is_of_machine() -> bool {
    is_root()
}

/// Continues with another user's rights only, for good and in all threads; only root may. Open files stay open.
///
/// # Errors
/// The system refuses; some rights may already be given up then, but none are gained.
pub fn act_as(user: u32, group: u32) -> io::Result<()> {
    // SAFETY: the calls take an empty list and numbers, and report failures by their results. The groups come first,
    // because the new user may not change them. For root, setgid and setuid set the real, effective and saved id
    // (setuid(2)).
    let refused = unsafe {
        libc::setgroups(0, std::ptr::null()) != 0
            || libc::setgid(group) != 0
            || libc::setuid(user) != 0
    };
    if refused {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_its_number() {
        let text = "# comment\n\nroot:x:0:0:root:/root:/bin/sh\n:x:7:7::/:\nkim:x:1000:1000::/home/kim:/bin/sh\nbroken:x\n";
        assert_eq!(name_of(text, 0).as_deref(), Some("root"));
        assert_eq!(name_of(text, 1000).as_deref(), Some("kim"));
        assert_eq!(name_of(text, 7), None);
        assert_eq!(name_of(text, 100), None);
    }
}
