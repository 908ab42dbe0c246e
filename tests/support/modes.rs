//! Who may read and write a file, where that is a mode.

use std::io;
use std::path::Path;

/// Gives a file a mode. On Windows a file made in a user's own folders is that user's alone as it is.
#[cfg(unix)]
pub fn set_mode(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Gives a file a mode. On Windows a file made in a user's own folders is that user's alone as it is.
#[cfg(not(unix))]
pub fn set_mode(_: impl AsRef<Path>, _: u32) -> io::Result<()> {
    Ok(())
}
