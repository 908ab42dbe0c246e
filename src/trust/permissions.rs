//! Ownership and permissions of the files. Root's commands continue as the owner of the auditor's directory: that
//! user must be able to read what they write, and no file that its names lead to is changed with root's rights.

use std::fs;
use std::path::Path;

use super::files;
use super::store_error::StoreError;
use super::volume;
use super::warning::Warning;
use crate::sys::{self, Holding, User};

/// A user and a group, by number.
type UserAndGroup = (u32, u32);

/// Continues for good as the owner of these directories, if this is root. For a directory that does not exist yet,
/// or is root's, that is the owner of its parent directory.
///
/// # Errors
/// Two users own them, a user's link leads to another user's directory, or the system refuses.
pub fn act_as_owner<'a>(directories: impl Iterator<Item = &'a Path>) -> Result<(), StoreError> {
    if !sys::is_root() {
        return Ok(());
    }
    let mut found: Option<(&Path, UserAndGroup)> = None;
    for directory in directories {
        let Some(owner) = owner(directory)? else {
            continue;
        };
        match found {
            Some((other, (user, _))) if user != owner.0 => {
                return Err(StoreError::TwoOwners {
                    directories: [other.into(), directory.into()],
                    users: [user, owner.0],
                });
            }
            _ => found = Some((directory, owner)),
        }
    }
    match found {
        Some((directory, (user, group))) => sys::act_as(user, group)
            .map_err(|error| StoreError::system("act as the owner of", directory, &error)),
        None => Ok(()),
    }
}

/// Returns the owner of a server's directory if it is not root; `None` if the directory is root's, or would be.
fn owner(directory: &Path) -> Result<Option<UserAndGroup>, StoreError> {
    if let Ok(found) = fs::symlink_metadata(directory) {
        let owner = sys::ids(&found);
        if owner.0 != 0 {
            return Ok(Some(owner));
        }
    }
    // an earlier version left root's directories within a user's directory
    let mut above = directory.ancestors().skip(1);
    let above = above.find(|path| fs::symlink_metadata(path).is_ok());
    let above = match above {
        Some(path) if path != Path::new("") => path,
        _ => Path::new("."),
    };
    let failed = |error: &_| StoreError::system("look at", above, error);
    let link = fs::symlink_metadata(above).map_err(|error| failed(&error))?;
    let found = fs::metadata(above).map_err(|error| failed(&error))?;
    let (by_link, owner) = (sys::ids(&link).0, sys::ids(&found));
    if link.is_symlink() && by_link != 0 && by_link != owner.0 {
        return Err(StoreError::NotAFile {
            path: above.into(),
            found: files::what_it_is(&link),
        });
    }
    Ok((owner.0 != 0).then_some(owner))
}

/// Returns warnings about a file or directory of the auditor: which of the `rights` it grants, and its owner.
pub fn warnings(path: &Path, rights: u32) -> Vec<Warning> {
    let Ok(Holding { owner, open, ids }) = sys::holding(path) else {
        return Vec::new(); // opening the file reports the error
    };
    let by_kubelet = match ids {
        Some((owner, group)) if volume::is_in_pod() => {
            volume::rights_by_kubelet(owner, group, sys::effective_group())
        }
        _ => 0,
    };
    let rights = rights & !by_kubelet;
    let is_volume = ids.is_some_and(|(owner, _)| owner == 0) && by_kubelet != 0;
    let path = || path.to_path_buf();
    let loose = (open.mode() & rights != 0).then(|| Warning::Loose { path: path(), open });
    let other = (!owner.is_this() && !is_volume).then(|| Warning::Owner {
        path: path(),
        owner,
        us: User::current(),
    });
    loose.into_iter().chain(other).collect()
}
