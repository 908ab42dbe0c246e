//! Files: opening and replacing them, and their stamps.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use crate::sys::{Creation, Stamp};

/// The smallest difference between two times of a file.
pub const TIME_STEP: Duration = Duration::from_nanos(1);

/// The system's error for a full disk.
pub const DISK_FULL: i32 = libc::ENOSPC;

/// Opens a file without following a link, and without waiting for the other end of a pipe.
pub fn plainly(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
}

/// Opens a file so that it can be read and its times can be set.
pub fn with_times(options: &mut OpenOptions) -> &mut OpenOptions {
    options.read(true)
}

/// Opens a file for reading and writing; a new file is accessible for its owner only.
///
/// # Errors
/// The system refuses.
pub fn open_private(path: &Path, creation: Creation) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    match creation {
        Creation::New => options.create_new(true),
        Creation::IfAbsent => options.create(true),
    };
    plainly(&mut options).open(path)
}

/// Creates a new file for its owner only.
///
/// # Errors
/// The system refuses.
pub fn create_secret(path: &Path) -> io::Result<File> {
    open_private(path, Creation::New)
}

/// Creates a directory for its owner only.
///
/// # Errors
/// The system refuses.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Replaces a file by another one.
///
/// # Errors
/// The system refuses.
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Writes the names in a directory to disk.
///
/// # Errors
/// The system refuses.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|directory| directory.sync_all())
}

/// Reads the bytes at an offset, as many as one call returns.
///
/// # Errors
/// The system refuses.
pub fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(bytes, offset)
}

/// Writes all bytes at an offset.
///
/// # Errors
/// The system refuses; a part of the bytes may be written then.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Returns the stamp of a regular file; `None` for anything else.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::symlink_metadata(path).ok()?;
    found.is_file().then(|| stamp_of_metadata(&found))
}

/// Returns the stamp of an open file.
///
/// # Errors
/// The file cannot be examined.
pub fn stamp_of(file: &File) -> io::Result<Stamp> {
    Ok(stamp_of_metadata(&file.metadata()?))
}

fn stamp_of_metadata(found: &Metadata) -> Stamp {
    Stamp {
        device: found.dev(),
        inode: found.ino(),
        length: found.len(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    }
}
