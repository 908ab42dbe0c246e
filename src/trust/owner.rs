//! Whose the files are. What root writes beside another user's auditor is that user's, who could not read it
//! otherwise: a finding that is accepted by way of sudo must not end the audit of its database.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use super::failure::Warning;
use super::files::directory_of;
use crate::sys;

/// Gives a file or directory that was just made to the owner of the directory that it is in, where root made it.
///
/// # Errors
/// The system's, as where root of a container is nobody outside of it.
pub fn hand_over(made: &File, path: &Path) -> io::Result<()> {
    if !sys::is_root() {
        return Ok(());
    }
    let above = fs::metadata(directory_of(path))?;
    if above.uid() == made.metadata()?.uid() {
        return Ok(());
    }
    fchown(made, Some(above.uid()), Some(above.gid()))
}

/// What is loose about a file or directory of ours: which of the `rights` it gives, and its owner.
pub fn warnings(path: &Path, rights: u32) -> Vec<Warning> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Vec::new(); // whoever opens it says what is wrong
    };
    let mode = found.permissions().mode() & 0o7777;
    let owner = found.uid();
    let path_buf = || path.to_path_buf();
    let loose = (mode & rights != 0).then(|| Warning::Loose {
        path: path_buf(),
        mode,
    });
    let other = (owner != due(path)).then(|| Warning::Owner {
        path: path_buf(),
        owner,
        us: sys::effective_user(),
    });
    loose.into_iter().chain(other).collect()
}

/// Who should own it: this user, or where this is root, whoever owns what is above.
fn due(path: &Path) -> u32 {
    let us = sys::effective_user();
    match fs::metadata(directory_of(path)) {
        Ok(above) if us == 0 => above.uid(),
        _ => us,
    }
}
