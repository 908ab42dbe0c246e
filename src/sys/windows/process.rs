//! Child processes, and the resources that this process uses.

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

/// Variables that Windows programs require and that contain nothing about this process.
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

/// Isolates a child from this process. The child gets the variables that Windows programs require, `%SystemRoot%` as
/// its working directory, and its three standard streams. It is suspended until [`Group::of`] resumes it.
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

/// An isolated child and all processes that it starts. They are one job, which ends when this handle is closed.
#[derive(Debug)]
pub struct Group(OwnedHandle);

impl Group {
    /// Creates the job of a child that was [isolated](isolate) and has just been started, and resumes the child.
    ///
    /// # Errors
    /// The system refuses. The child has not run then.
    pub fn of(child: &Child) -> io::Result<Group> {
        // SAFETY: the handles are open. The calls read plain data of the given size.
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
        // SAFETY: the handle is open. The call ends processes that the child started.
        unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) };
    }
}

/// Takes the ownership of a handle that a call returned.
///
/// # Safety
/// The handle must have no other owner.
unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle has no other owner.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Resumes the threads of a process. A process that was just started has one thread.
fn resume(process: u32) -> io::Result<()> {
    // SAFETY: an entry is plain data that contains its size. The handles are open, and their owners close them.
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

/// Returns whether a child has ended.
pub fn has_ended(child: &Child) -> bool {
    // SAFETY: the handle is open, and the call does not wait.
    unsafe { WaitForSingleObject(child.as_raw_handle(), 0) == WAIT_OBJECT_0 }
}

/// Returns whether a read from a child's stderr would return immediately, with data or with the end of the stream.
pub fn has_output(pipe: &ChildStderr) -> bool {
    let mut there = 0;
    // SAFETY: the handle is open. The call writes one number.
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

/// Returns the resources that this process has used so far.
pub fn usage() -> Usage {
    // SAFETY: the process's own handle is always open. The calls write plain data of the given size.
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

/// Returns the name of the user, if only the system has it: Windows always sets the variable with the name.
pub fn user_name() -> Option<String> {
    None
}

/// Converts a time of Windows, which is in units of 100 nanoseconds.
fn duration(time: &FILETIME) -> Duration {
    let tenths = u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos(tenths.saturating_mul(100))
}
