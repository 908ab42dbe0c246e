//! Other programs that this one starts, and what this one has used.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, ChildStderr, Command};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{FILETIME, HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
    SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_SUSPENDED, GetCurrentProcess,
    GetProcessHandleCount, GetProcessTimes, OpenThread, ResumeThread, THREAD_SUSPEND_RESUME,
    WaitForSingleObject,
};

use super::done;
use crate::sys::Usage;

/// Variables that programs of the system want, and that tell nothing of this process.
const KEPT_VARIABLES: [&str; 9] = [
    "ComSpec",
    "NUMBER_OF_PROCESSORS",
    "PATHEXT",
    "ProgramData",
    "SystemDrive",
    "SystemRoot",
    "TEMP",
    "TMP",
    "windir",
];

/// Gives a child nothing of this process: no variables but those that programs of the system want, the system's own directory
/// to start in, and no handle but its three standard streams. It stands still until [`Group::of`] has taken it.
pub fn isolate(command: &mut Command) {
    let root = std::env::var("SystemRoot").unwrap_or_else(|_| r"C:\Windows".to_owned());
    command.env_clear();
    for name in KEPT_VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env(
            "PATH",
            format!(r"{root}\System32;{root};{root}\System32\Wbem;{root}\System32\WindowsPowerShell\v1.0"),
        )
        .current_dir(&root)
        .creation_flags(CREATE_SUSPENDED | CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
}

/// An isolated child and every process that it starts: a job, which ends with whoever holds it.
#[derive(Debug)]
pub struct Group(OwnedHandle);

impl Group {
    /// Takes the group of a child that was [isolated](isolate) and has just been started, and lets it run.
    ///
    /// # Errors
    /// The system refuses; then nothing of it has run.
    pub fn of(child: &Child) -> io::Result<Group> {
        // SAFETY: the handles are open, and what is written is plain data of the size that is given.
        unsafe {
            let job = owned(CreateJobObjectW(ptr::null(), ptr::null()))?;
            let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = std::mem::zeroed();
            limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
            let size = u32::try_from(size_of_val(&limits)).unwrap_or_default();
            done(SetInformationJobObject(
                job.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                ptr::from_ref(&limits).cast(),
                size,
            ))?;
            done(AssignProcessToJobObject(
                job.as_raw_handle(),
                child.as_raw_handle(),
            ))?;
            resume(child.id())?;
            Ok(Group(job))
        }
    }

    /// Kills the group.
    pub fn kill(&self, _: &Child) {
        // SAFETY: the handle is open; ends processes that our child started.
        unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) };
    }
}

/// A handle that a call has made.
///
/// # Safety
/// It must be nobody else's.
unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Lets the threads of a process run: of one that was just started there is one.
fn resume(process: u32) -> io::Result<()> {
    // SAFETY: an entry is plain data with its size in it; the handles are open, and closed by their owners.
    unsafe {
        let all = owned(CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0))?;
        let mut entry: THREADENTRY32 = std::mem::zeroed();
        entry.dwSize = u32::try_from(size_of::<THREADENTRY32>()).unwrap_or_default();
        let mut more = Thread32First(all.as_raw_handle(), &mut entry);
        let mut resumed = Err(io::ErrorKind::NotFound.into());
        while more != 0 {
            if entry.th32OwnerProcessID == process {
                let thread = owned(OpenThread(THREAD_SUSPEND_RESUME, 0, entry.th32ThreadID))?;
                resumed = match ResumeThread(thread.as_raw_handle()) {
                    u32::MAX => return Err(io::Error::last_os_error()),
                    _ => Ok(()),
                };
            }
            more = Thread32Next(all.as_raw_handle(), &mut entry);
        }
        resumed
    }
}

/// Has a child ended?
pub fn has_ended(child: &Child) -> bool {
    // SAFETY: the handle is open, and it is not waited.
    unsafe { WaitForSingleObject(child.as_raw_handle(), 0) == WAIT_OBJECT_0 }
}

/// Returns whether reading from a child's stderr would not wait: something is there, or nothing will come any more.
pub fn has_output(pipe: &ChildStderr) -> bool {
    let mut there = 0;
    // SAFETY: the handle is open, and a number is written, nothing else.
    let open = unsafe {
        PeekNamedPipe(
            pipe.as_raw_handle(),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            &mut there,
            ptr::null_mut(),
        )
    };
    open == 0 || there > 0
}

/// Returns what this process has used so far.
pub fn usage() -> Usage {
    // SAFETY: the process's own handle is always open, and what is written is plain data of the size that is given.
    unsafe {
        let us = GetCurrentProcess();
        let mut times: [FILETIME; 4] = std::mem::zeroed();
        let [start, end, kernel, user] = &mut times;
        let timed = GetProcessTimes(us, start, end, kernel, user) != 0;
        let mut memory: PROCESS_MEMORY_COUNTERS = std::mem::zeroed();
        let size = u32::try_from(size_of_val(&memory)).unwrap_or_default();
        let measured = K32GetProcessMemoryInfo(us, &mut memory, size) != 0;
        let mut handles = 0;
        let counted = GetProcessHandleCount(us, &mut handles) != 0;
        Usage {
            processor: timed.then(|| duration(kernel) + duration(user)),
            resident: measured
                .then(|| u64::try_from(memory.WorkingSetSize).ok())
                .flatten(),
            descriptors: (counted && handles > 0).then_some(u64::from(handles)),
        }
    }
}

/// A time of the system, which counts tenths of microseconds.
fn duration(time: &FILETIME) -> Duration {
    let tenths = u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos(tenths.saturating_mul(100))
}
