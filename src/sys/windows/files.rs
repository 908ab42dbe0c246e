//! Files: opening, replacing, flushing and identifying them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::{AsRawHandle, FromRawHandle};
use std::path::Path;
use std::ptr;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CREATE_NEW, CreateDirectoryW, CreateFileW,
    FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_REPARSE_POINT, FILE_BASIC_INFO,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_WRITE_ATTRIBUTES, FileBasicInfo,
    GetFileInformationByHandle, GetFileInformationByHandleEx, OPEN_ALWAYS,
};

use super::rights::{Inherited, Private};
use super::{code, done};
use crate::sys::{Creation, Stamp};

/// The resolution of the times of a file.
pub const TIME_STEP: Duration = Duration::from_nanos(100);

/// The system's error number for a full disk: `ERROR_DISK_FULL`.
pub const DISK_FULL: i32 = 112;

/// The number of attempts to replace a file that another program has open, and the pause between them. Virus scanners
/// and the search index open every new file for a moment.
const TRIES: (u32, Duration) = (50, Duration::from_millis(20));

/// The longest path, in UTF-16 units, that the system accepts without the prefix for long paths.
const LONGEST: usize = 240;

/// Encodes a path as UTF-16 with a NUL at the end. A long path gets the prefix for long paths.
pub(super) fn wide_path(path: &Path) -> Vec<u16> {
    let mut whole = Vec::new();
    let absolute = std::path::absolute(path);
    let absolute = absolute.as_deref().unwrap_or(path);
    let text: Vec<u16> = absolute.as_os_str().encode_wide().collect();
    let begins = |with: &str| {
        text.iter()
            .copied()
            .zip(with.encode_utf16())
            .all(|(a, b)| a == b)
    };
    if text.len() >= LONGEST && !begins(r"\\?\") && !begins(r"\\.\") {
        let (before, from) = match begins(r"\\") {
            true => (r"\\?\UNC\", 2),
            false => (r"\\?\", 0),
        };
        whole.extend(before.encode_utf16());
        whole.extend(text.iter().skip(from));
    } else {
        whole.extend(text);
    }
    whole.push(0);
    whole
}

/// Sets options to open a file without following a link.
pub fn plainly(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
}

/// Sets options to open a file for reading and for setting its times.
pub fn with_times(options: &mut OpenOptions) -> &mut OpenOptions {
    options.access_mode(GENERIC_READ | FILE_WRITE_ATTRIBUTES)
}

/// Opens a file for reading and writing. A new file gives rights to the auditor's user, SYSTEM and Administrators only.
///
/// # Errors
/// The system refuses.
pub fn open_private(path: &Path, creation: Creation) -> io::Result<File> {
    let private = Private::within(path.parent(), Inherited::Not)?;
    open_with(path, creation, &private)
}

/// Creates a file that gives rights to the current user, SYSTEM and Administrators only, in any directory.
///
/// # Errors
/// The system refuses.
pub fn create_secret(path: &Path) -> io::Result<File> {
    open_with(path, Creation::New, &Private::new(Inherited::Not)?)
}

fn open_with(path: &Path, creation: Creation, private: &Private) -> io::Result<File> {
    let creation = match creation {
        Creation::New => CREATE_NEW,
        Creation::IfAbsent => OPEN_ALWAYS,
    };
    let path = wide_path(path);
    // SAFETY: path ends in NUL. It and the descriptor outlive the call. The handle is new and has one owner.
    unsafe {
        let handle = CreateFileW(
            path.as_ptr(),
            GENERIC_READ | GENERIC_WRITE,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            &private.attributes(),
            creation,
            FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT,
            ptr::null_mut(),
        );
        if handle == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        Ok(File::from_raw_handle(handle))
    }
}

/// Creates a directory that gives rights to the auditor's user, SYSTEM and Administrators only. Its contents inherit
/// them.
///
/// # Errors
/// The system refuses.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    let private = Private::within(path.parent(), Inherited::ByAll)?;
    let path = wide_path(path);
    let attributes: SECURITY_ATTRIBUTES = private.attributes();
    // SAFETY: path ends in NUL. It and the descriptor outlive the call.
    done(unsafe { CreateDirectoryW(path.as_ptr(), &attributes) })
}

/// Replaces a file by another. If another program has one of them open, the call tries again for one second.
///
/// # Errors
/// The system refuses.
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let (tries, pause) = TRIES;
    for _ in 1..tries {
        match fs::rename(from, to) {
            Err(error) if is_in_use(&error) && !to.is_dir() => thread::sleep(pause),
            done => return done,
        }
    }
    fs::rename(from, to)
}

fn is_in_use(error: &io::Error) -> bool {
    matches!(
        code(error),
        Some(ERROR_SHARING_VIOLATION | ERROR_ACCESS_DENIED)
    )
}

/// Flushes the names in a directory to disk, if the system permits it to this user. The journal of NTFS keeps the names
/// consistent in any case.
///
/// # Errors
/// The directory cannot be opened or flushed, for another reason than missing rights.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    let synced = options
        .open(path)
        .and_then(|directory| directory.sync_all());
    match synced {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Reads bytes at an offset with one call; returns their number.
///
/// # Errors
/// The system refuses.
pub fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(bytes, offset)
}

/// Writes all bytes at an offset.
///
/// # Errors
/// The system refuses; a part of the bytes may be written then.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let (mut rest, mut offset) = (bytes, offset);
    while !rest.is_empty() {
        let written = file.seek_write(rest, offset)?;
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        rest = rest.get(written..).unwrap_or_default();
        offset = offset.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Returns the stamp of a regular file; `None` for anything else.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let mut options = OpenOptions::new();
    options.access_mode(FILE_READ_ATTRIBUTES);
    options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    let file = options.open(path).ok()?;
    let (stamp, attributes) = attributes_of(&file).ok()?;
    let other = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
    (attributes & other == 0).then_some(stamp)
}

/// Returns the stamp of an open file.
///
/// # Errors
/// Its attributes cannot be read.
pub fn stamp_of(file: &File) -> io::Result<Stamp> {
    attributes_of(file).map(|(stamp, _)| stamp)
}

/// Returns the stamp and the attributes of an open file.
fn attributes_of(file: &File) -> io::Result<(Stamp, u32)> {
    let handle = file.as_raw_handle();
    // SAFETY: both are plain data of the given sizes, which the calls fill in. The handle is open.
    let (found, times) = unsafe {
        let mut found: BY_HANDLE_FILE_INFORMATION = std::mem::zeroed();
        done(GetFileInformationByHandle(handle, &mut found))?;
        let mut times: FILE_BASIC_INFO = std::mem::zeroed();
        let size = u32::try_from(size_of::<FILE_BASIC_INFO>()).unwrap_or_default();
        let pointer = ptr::from_mut(&mut times).cast();
        done(GetFileInformationByHandleEx(
            handle,
            FileBasicInfo,
            pointer,
            size,
        ))?;
        (found, times)
    };
    let number = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    let stamp = Stamp {
        device: u64::from(found.dwVolumeSerialNumber),
        inode: number(found.nFileIndexHigh, found.nFileIndexLow),
        length: number(found.nFileSizeHigh, found.nFileSizeLow),
        modified: (times.LastWriteTime, 0),
        changed: (times.ChangeTime, 0),
    };
    Ok((stamp, found.dwFileAttributes))
}
