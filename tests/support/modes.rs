//! File modes, on systems that have them.

use std::io;
use std::path::Path;

/// Sets the mode of a file.
#[cfg(unix)]
pub fn set_mode(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Does nothing: on Windows a file in a user's own folders is readable only for that user.
#[cfg(not(unix))]
pub fn set_mode(_: impl AsRef<Path>, _: u32) -> io::Result<()> {
    Ok(())
}
