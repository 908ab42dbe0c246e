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

/// Where the byte is that a lock is on: far behind the end of every file. A lock here keeps others from reading what it covers,
/// and the file's own bytes name its holder.
const LOCKED_BYTE: u32 = 0x4000_0000;

/// Asks for the lock of an open file, without waiting. The system drops it with the process, so a lock that a dead process
/// left is no obstacle.
///
/// # Errors
/// The file system has no locks.
pub fn try_lock(file: &File, lock: Lock) -> io::Result<Locked> {
    let flags = match lock {
        Lock::Shared => 0,
        Lock::Exclusive => LOCKFILE_EXCLUSIVE_LOCK,
    };
    // SAFETY: OVERLAPPED is plain data, and names a byte here; it outlives the call, which does not wait. The handle is open.
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

/// Returns the system's number of an error.
fn code(error: &io::Error) -> Option<u32> {
    error
        .raw_os_error()
        .and_then(|code| u32::try_from(code).ok())
}

/// Returns what a call that answers 0 for a failure has come to.
fn done(result: windows_sys::core::BOOL) -> io::Result<()> {
    match result {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Returns a text as the system takes it.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Keeps what this process has in its memory, passwords included, out of the reports that the system makes of a crash, and
/// has no window opened for one.
pub fn forbid_core_dumps() {
    // SAFETY: both take flags alone, and may be refused.
    unsafe {
        SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
        WerSetFlags(WER_FAULT_REPORTING_FLAG_NOHEAP);
    }
}

/// Has what large answers took given back once it is free, as the allocator does here on its own.
pub fn give_memory_back() {}

/// Has everything given back that is free now, as the allocator does here on its own.
pub fn trim_memory() {}

/// Ends the process at once, with what was printed written out. Nothing else is left to do: what counts is on disk, and the
/// destructors that an ordinary end runs would take gRPC apart under its own threads.
pub fn end(code: u8) -> ! {
    // nobody can be told that it fails
    let _ = io::stdout().flush();
    supervisor::tell_end(code);
    terminate(u32::from(code))
}

/// Ends this process at once, as the end of a task does from outside: nothing is flushed and nothing cleaned up.
#[cfg(feature = "fault-points")]
pub fn kill_self() -> ! {
    terminate(1)
}

fn terminate(code: u32) -> ! {
    // SAFETY: ends this process alone; no memory is handed over.
    unsafe { TerminateProcess(GetCurrentProcess(), code) };
    std::process::abort() // not reached
}

/// Keeps gRPC from writing to stderr on its own, unless the operator asks for it. To be called before any thread is started.
pub fn silence_grpc() {
    const VARIABLE: &str = "GRPC_VERBOSITY";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: no other thread reads the environment yet.
        unsafe { std::env::set_var(VARIABLE, "NONE") };
    }
}

/// How many handles this process may have open: what the system allows each.
pub fn descriptor_limit() -> u64 {
    16 << 20
}
