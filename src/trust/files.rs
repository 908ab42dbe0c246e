//! Reading, replacing and extending files. After a kill or a full disk, a replaced file has the old or the new
//! content, never a part of it; an extended file may have an incomplete end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::failpoint::{self, FileKind, WriteStep};
use super::store_error::StoreError;
use crate::sys::{self, Creation, Lock, Stamp};

/// The ending of a file that is being written.
pub const NEW: &str = ".new";
/// The ending of a damaged file that is kept.
const DAMAGED: &str = ".damaged";

/// Returns `path` with a suffix after its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Creates the directory with its parents, accessible for its owner only; an existing directory stays unchanged.
pub fn create_directory(path: &Path) -> Result<(), StoreError> {
    if !exists(path)? {
        if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
            if !exists(parent)? {
                create_directory(parent)?;
            }
        }
        match sys::create_private_directory(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(StoreError::system("create directory", path, &error));
            }
            _ => sync_directory_of(path)?,
        }
    }
    check_directory(path)
}

/// Refuses a path that is no directory: a link would lead the auditor's files to another place.
pub fn check_directory(path: &Path) -> Result<(), StoreError> {
    let found = fs::symlink_metadata(path)
        .map_err(|error| StoreError::system("open directory", path, &error))?;
    if found.is_dir() {
        return Ok(());
    }
    Err(StoreError::NotAFile {
        path: path.into(),
        found: what_it_is(&found),
    })
}

#[cfg(test)]
thread_local! {
    /// The number of bytes of files that this thread has read, which a test compares with a budget.
    pub static BYTES_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns a file's content; `None` if there is no file.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let Some((file, length)) = open_measured(path, OpenOptions::new().read(true))? else {
        return Ok(None);
    };
    // allocated once, because a file seldom grows after its length was read
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(most)).unwrap_or(0) + 1);
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| StoreError::system("read", path, &error))?;
    #[cfg(test)]
    BYTES_READ.set(BYTES_READ.get() + bytes.len());
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(StoreError::TooLong {
            path: path.into(),
            most,
        });
    }
    Ok(Some(bytes))
}

/// Gives a plain file a stamp that changes when anything is written to the file, and returns it; `None` if the
/// system refuses.
pub fn give_stamp(path: &Path) -> Option<Stamp> {
    let file = open(path, sys::with_times(&mut OpenOptions::new())).ok()??;
    let modified = file.metadata().ok()?.modified().ok()?;
    // the system's times advance by milliseconds, so it never sets a time one step earlier
    let between = modified.checked_sub(sys::TIME_STEP)?;
    file.set_modified(between).ok()?;
    sys::stamp_of(&file).ok()
}

/// Returns whether the path exists, whatever its kind.
pub fn exists(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::system("look at", path, &error)),
    }
}

/// Replaces the file's content by `bytes`, atomically and durably.
pub fn replace(kind: FileKind, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let new = write_new(kind, path, bytes)?;
    step(kind, WriteStep::Synced, &new)?;
    publish(kind, path)
}

/// Writes all bytes to disk under a temporary name, from which [`publish`] makes them the file's content. The temporary
/// name itself is on disk too.
pub fn prepare(kind: FileKind, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let new = write_new(kind, path, bytes)?;
    sync_directory_of(&new)?;
    step(kind, WriteStep::Synced, &new)
}

/// Writes all bytes to disk under a temporary name, and returns it. The name itself may be lost with the power.
fn write_new(kind: FileKind, path: &Path, bytes: &[u8]) -> Result<PathBuf, StoreError> {
    let new = with_suffix(path, NEW);
    remove(&new)?;
    let write = || {
        let mut file = sys::open_private(&new, Creation::New)?;
        failpoint::hit(kind, WriteStep::Created)?;
        let (first, second) = halves(bytes);
        file.write_all(first)?;
        failpoint::hit(kind, WriteStep::HalfWritten)?;
        file.write_all(second)?;
        failpoint::hit(kind, WriteStep::Written)?;
        file.sync_all()
    };
    if let Err(error) = write() {
        drop(remove(&new)); // the first error is the one to return
        return Err(StoreError::system("write", &new, &error));
    }
    Ok(new)
}

/// Gives a prepared file its name.
pub fn publish(kind: FileKind, path: &Path) -> Result<(), StoreError> {
    let new = with_suffix(path, NEW);
    if let Err(error) = sys::replace(&new, path) {
        return Err(StoreError::system("replace", path, &error));
    }
    step(kind, WriteStep::Renamed, path)?;
    sync_directory_of(path)?;
    step(kind, WriteStep::DirectorySynced, path)
}

/// Writes `line` at `offset`, the end of the valid part of the file, and cuts off the bytes after it.
pub fn append(path: &Path, offset: u64, line: &[u8]) -> Result<(), StoreError> {
    match open(path, OpenOptions::new().write(true))? {
        Some(file) => write_behind(FileKind::History, path, file, offset, line),
        None => {
            let error = ErrorKind::NotFound.into();
            Err(StoreError::system("append to", path, &error))
        }
    }
}

/// Adds `lines` to the end of a file, durably, and creates the file if there is none. A kill may leave a part of
/// them.
pub fn append_lines(kind: FileKind, path: &Path, lines: &[u8]) -> Result<(), StoreError> {
    let mut file = open_private(path, Creation::IfAbsent)?;
    let end = file
        .seek(SeekFrom::End(0))
        .map_err(|error| StoreError::system("append to", path, &error))?;
    write_behind(kind, path, file, end, lines)?;
    match end {
        0 => sync_directory_of(path),
        _ => Ok(()),
    }
}

/// Writes `bytes` at `end`, the end of the valid part of a file, durably, and cuts off the bytes after them.
fn write_behind(
    kind: FileKind,
    path: &Path,
    mut file: File,
    end: u64,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let mut write = || {
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        let (first, second) = halves(bytes);
        file.write_all(first)?;
        failpoint::hit(kind, WriteStep::HalfAppended)?;
        file.write_all(second)?;
        failpoint::hit(kind, WriteStep::Appended)?;
        file.sync_all()
    };
    if let Err(error) = write() {
        drop(file.set_len(end)); // if this fails, an incomplete line stays until the next line overwrites it
        return Err(StoreError::system("append to", path, &error));
    }
    step(kind, WriteStep::AppendSynced, path)
}

/// Passes a failpoint after the last write, so the only possible failure is one of syncing.
fn step(kind: FileKind, step: WriteStep, path: &Path) -> Result<(), StoreError> {
    failpoint::hit(kind, step).map_err(|error| StoreError::system("sync", path, &error))
}

/// Removes a file; a file that does not exist counts as removed.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::system("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Removes a file, durably.
pub fn remove_for_good(path: &Path) -> Result<(), StoreError> {
    remove(path)?;
    sync_directory_of(path)
}

/// Removes an empty directory, durably.
pub fn remove_directory(path: &Path) -> Result<(), StoreError> {
    fs::remove_dir(path).map_err(|error| StoreError::system("remove", path, &error))?;
    sync_directory_of(path)
}

/// Copies a file that is about to be replaced, so that it can be examined. A kill leaves the file itself in its place.
pub fn copy_aside(kind: FileKind, path: &Path, most: u64) -> Result<(), StoreError> {
    match read(path, most)? {
        Some(bytes) => replace(kind, &with_suffix(path, DAMAGED), &bytes),
        None => Ok(()),
    }
}

/// Renames a damaged file, so that it can be examined.
pub fn set_aside(path: &Path) -> Result<(), StoreError> {
    let aside = with_suffix(path, DAMAGED);
    match sys::replace(path, &aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::system("move aside", path, &error))
        }
        _ => sync_directory_of(path),
    }
}

/// Returns the names of the entries of a directory, sorted; none if there is no directory. Names that are not UTF-8
/// are not the auditor's, and are left out.
pub fn list(path: &Path) -> Result<Vec<String>, StoreError> {
    let failed = |error: &io::Error| StoreError::system("list", path, error);
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| failed(&error))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed(&error))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// Opens a file to lock, and creates it if it does not exist. Read access is enough for a shared lock, so a
/// read-only disk is too.
pub fn open_lock(path: &Path, lock: Lock) -> Result<File, StoreError> {
    if lock == Lock::Shared {
        if let Some(file) = open(path, OpenOptions::new().read(true))? {
            return Ok(file);
        }
    }
    open_private(path, Creation::IfAbsent)
}

/// Opens a plain file for reading and writing; a new file is accessible for its owner only.
pub fn open_private(path: &Path, creation: Creation) -> Result<File, StoreError> {
    let opened = measured(path, sys::open_private(path, creation))?;
    opened
        .map(|(file, _)| file)
        .ok_or_else(|| StoreError::system("open", path, &ErrorKind::NotFound.into()))
}

/// Opens a plain file without following a link, and without waiting for the other end of a pipe.
pub fn open(path: &Path, options: &mut OpenOptions) -> Result<Option<File>, StoreError> {
    Ok(open_measured(path, options)?.map(|(file, _)| file))
}

/// Opens a file, and returns it with its size in bytes.
fn open_measured(
    path: &Path,
    options: &mut OpenOptions,
) -> Result<Option<(File, u64)>, StoreError> {
    measured(path, sys::plainly(options).open(path))
}

/// Returns an opened file with its size in bytes, if it is a plain file.
fn measured(path: &Path, opened: io::Result<File>) -> Result<Option<(File, u64)>, StoreError> {
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(match fs::symlink_metadata(path) {
                Ok(found) if !found.is_file() => StoreError::NotAFile {
                    path: path.into(),
                    found: what_it_is(&found),
                },
                _ => StoreError::system("open", path, &error),
            });
        }
    };
    let found = file
        .metadata()
        .map_err(|error| StoreError::system("open", path, &error))?;
    if found.is_file() {
        return Ok(Some((file, found.len())));
    }
    Err(StoreError::NotAFile {
        path: path.into(),
        found: what_it_is(&found),
    })
}

pub fn what_it_is(found: &fs::Metadata) -> &'static str {
    if found.is_symlink() {
        "a symbolic link"
    } else if found.is_dir() {
        "a directory"
    } else if found.is_file() {
        "a file"
    } else {
        "a device, pipe or socket"
    }
}

fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes
        .split_at_checked(bytes.len() / 2)
        .unwrap_or((bytes, &[]))
}

pub fn sync_directory_of(path: &Path) -> Result<(), StoreError> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    sys::sync_directory(directory).map_err(|error| StoreError::system("sync", directory, &error))
}
