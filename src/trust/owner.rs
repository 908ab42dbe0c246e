//! Whose the files are. Root's commands go on as the owner of the auditor's directory: what they write must be readable
//! to that user, and nothing that its names lead to is touched with root's rights.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::files;
use super::store_error::StoreError;
use super::volume;
use super::warning::Warning;
use crate::sys;

/// A user and a group, by number.
type Owner = (u32, u32);

/// Goes on for good as the owner of these directories, if this is root: of each directory that does not exist yet, or
/// is root's, the owner of the directory that it is in.
///
/// # Errors
/// Two users own them, a user's link leads to another user's directory, or the system refuses.
pub fn act_as_owner<'a>(directories: impl Iterator<Item = &'a Path>) -> Result<(), StoreError> {
    if !sys::is_root() {
        return Ok(());
    }
    let mut found: Option<(&Path, Owner)> = None;
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

/// Returns the owner of a server's directory who is not root; `None`: it is root's, and would be.
fn owner(directory: &Path) -> Result<Option<Owner>, StoreError> {
    if let Ok(found) = fs::symlink_metadata(directory) {
        if found.uid() != 0 {
            return Ok(Some((found.uid(), found.gid())));
        }
    }
    // an earlier version left root's directories in that of a user
    let mut above = directory.ancestors().skip(1);
    let above = above.find(|path| fs::symlink_metadata(path).is_ok());
    let above = match above {
        Some(path) if path != Path::new("") => path,
        _ => Path::new("."),
    };
    let failed = |error: &_| StoreError::system("look at", above, error);
    let link = fs::symlink_metadata(above).map_err(|error| failed(&error))?;
    let found = fs::metadata(above).map_err(|error| failed(&error))?;
    if link.is_symlink() && link.uid() != 0 && link.uid() != found.uid() {
        return Err(StoreError::NotAFile {
            path: above.into(),
            found: files::what_it_is(&link),
        });
    }
    Ok((found.uid() != 0).then(|| (found.uid(), found.gid())))
}

/// What is loose about a file or directory of ours: which of the `rights` it gives, and its owner.
pub fn warnings(path: &Path, rights: u32) -> Vec<Warning> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Vec::new(); // whoever opens it says what is wrong
    };
    let mode = found.permissions().mode() & 0o7777;
    let (owner, us) = (found.uid(), sys::effective_user());
    let by_kubelet = match volume::is_in_pod() {
        true => volume::rights_by_kubelet(owner, found.gid(), sys::effective_group()),
        false => 0,
    };
    let rights = rights & !by_kubelet;
    let is_volume = owner == 0 && by_kubelet != 0;
    let path = || path.to_path_buf();
    let loose = (mode & rights != 0).then(|| Warning::Loose { path: path(), mode });
    let other = (owner != us && !is_volume).then(|| Warning::Owner {
        path: path(),
        owner,
        us,
    });
    loose.into_iter().chain(other).collect()
}
