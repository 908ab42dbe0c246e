//! Whose the files are. Root's commands beside another user's auditor go on as that user: what they write must be
//! readable to that one, and nothing that its names lead to is touched with root's rights.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::warning::Warning;
use crate::sys;

/// Goes on as the owner of these directories, where this is root and they have one owner. Where the system refuses
/// that, this stays root, and the owner is warned of.
pub fn act_as_owner<'a>(directories: impl Iterator<Item = &'a Path>) {
    if !sys::is_root() {
        return;
    }
    let owner = |path: &Path| {
        let found = fs::symlink_metadata(path).ok()?;
        Some((found.uid(), found.gid()))
    };
    let owners: Vec<Option<(u32, u32)>> = directories.map(owner).collect();
    let Some(&Some((user, group))) = owners.first() else {
        return;
    };
    if user != 0 && owners.iter().all(|other| *other == Some((user, group))) {
        if let Err(error) = sys::act_as(user, group) {
            log::debug!("stays root, not user {user}: {error}");
        }
    }
}

/// What is loose about a file or directory of ours: which of the `rights` it gives, and its owner.
pub fn warnings(path: &Path, rights: u32) -> Vec<Warning> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Vec::new(); // whoever opens it says what is wrong
    };
    let mode = found.permissions().mode() & 0o7777;
    let (owner, us) = (found.uid(), sys::effective_user());
    let path = || path.to_path_buf();
    let loose = (mode & rights != 0).then(|| Warning::Loose { path: path(), mode });
    let other = (owner != us).then(|| Warning::Owner {
        path: path(),
        owner,
        us,
    });
    loose.into_iter().chain(other).collect()
}
