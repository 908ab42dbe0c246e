//! Windows.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::windows::io::AsRawHandle;

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION};
use windows_sys::Win32::Storage::FileSystem::{
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SEM_NOOPENFILEERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::ErrorReporting::{WER_FAULT_REPORTING_FLAG_NOHEAP, WerSetFlags};
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

use super::{Lock, Locked};

mod console;
mod files;
mod places;
mod process;
mod rights;
mod roots;
mod service;
mod sockets;
mod supervisor;
mod users;
pub mod words;

pub use console::*;
pub use files::*;
pub use places::*;
pub use process::*;
pub use rights::*;
pub use roots::*;
pub use service::*;
pub use sockets::*;
pub use supervisor::*;
pub use users::*;

/// Offset of the locked byte, in units of 4 GiB: far behind the end of every file. A lock on Windows prevents other
/// processes from reading the locked bytes, and the bytes of the file name the holder of the lock.
const LOCKED_BYTE: u32 = 0x4000_0000;

/// Requests the lock of an open file without waiting. The system releases the lock when the process ends.
///
/// # Errors
/// The file system does not support locks.
pub fn try_lock(file: &File, lock: Lock) -> io::Result<Locked> {
    let flags = match lock {
        Lock::Shared => 0,
        Lock::Exclusive => LOCKFILE_EXCLUSIVE_LOCK,
    };
    // SAFETY: OVERLAPPED is plain data that names a byte here. It outlives the call, which does not wait. The handle is
    // open.
    let locked = unsafe {
        let mut place: OVERLAPPED = std::mem::zeroed();
        place.Anonymous.Anonymous.OffsetHigh = LOCKED_BYTE;
        let flags = flags | LOCKFILE_FAIL_IMMEDIATELY;
        LockFileEx(file.as_raw_handle(), flags, 0, 1, 0, &mut place)
    };
    if locked != 0 {
        return Ok(Locked::Held);
    }
    let error = io::Error::last_os_error();
    match code(&error) {
        Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(Locked::ByAnother),
        _ => Err(error),
    }
}

/// Returns the system's error number.
fn code(error: &io::Error) -> Option<u32> {
    error
        .raw_os_error()
        .and_then(|code| u32::try_from(code).ok())
}

/// Returns the result of a call that returns 0 on failure.
fn done(result: windows_sys::core::BOOL) -> io::Result<()> {
    match result {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Encodes a text as UTF-16 with a NUL at the end.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Excludes the heap of this process, with its passwords, from crash reports, and disables the dialog after a crash.
pub fn forbid_core_dumps() {
    // SAFETY: both calls take flags only. The system may refuse them.
    unsafe {
        SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
        WerSetFlags(WER_FAULT_REPORTING_FLAG_NOHEAP);
    }
}

/// Does nothing: the allocator of Windows returns large blocks by itself.
pub fn give_memory_back() {}

/// Does nothing: the allocator of Windows returns free memory by itself.
pub fn trim_memory() {}

/// Flushes the output and ends the process immediately. All state is on disk. An ordinary exit would run destructors,
/// which would destroy objects of gRPC while its threads use them.
pub fn end(code: u8) -> ! {
    // there is no way to report a failure
    let _ = io::stdout().flush();
    supervisor::report_end(code);
    terminate(u32::from(code))
}

/// Ends this process immediately, as Task Manager does: without flushing and without cleanup.
#[cfg(feature = "fault-points")]
pub fn kill_self() -> ! {
    terminate(1)
}

fn terminate(code: u32) -> ! {
    // SAFETY: ends this process only; the call takes no pointer.
    unsafe { TerminateProcess(GetCurrentProcess(), code) };
    std::process::abort() // not reached
}

/// Disables the log that gRPC writes to stderr, unless the environment sets its verbosity. Must be called before the
/// first thread is started.
pub fn silence_grpc() {
    const VARIABLE: &str = "GRPC_VERBOSITY";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: no other thread reads the environment yet.
        unsafe { std::env::set_var(VARIABLE, "NONE") };
    }
}

/// Returns the limit of open handles: the system allows 16 million for each process.
pub fn descriptor_limit() -> u64 {
    16 << 20
}
