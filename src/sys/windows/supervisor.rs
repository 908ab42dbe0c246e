//! This process as a service of the service control manager.

use std::ffi::{OsStr, OsString, c_void};
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::windows::io::IntoRawHandle;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_CALL_NOT_IMPLEMENTED, ERROR_SERVICE_SPECIFIC_ERROR, NO_ERROR,
};
use windows_sys::Win32::System::Console::{STD_ERROR_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle};
use windows_sys::Win32::System::Services::{
    RegisterServiceCtrlHandlerExW, SERVICE_ACCEPT_PARAMCHANGE, SERVICE_ACCEPT_SHUTDOWN,
    SERVICE_ACCEPT_STOP, SERVICE_CONTROL_INTERROGATE, SERVICE_CONTROL_PARAMCHANGE,
    SERVICE_CONTROL_SHUTDOWN, SERVICE_CONTROL_STOP, SERVICE_RUNNING, SERVICE_START_PENDING,
    SERVICE_STATUS, SERVICE_STATUS_CURRENT_STATE, SERVICE_STOP_PENDING, SERVICE_STOPPED,
    SERVICE_TABLE_ENTRYW, SERVICE_WIN32_OWN_PROCESS, SetServiceStatus, StartServiceCtrlDispatcherW,
};
use windows_sys::core::PWSTR;

use super::service::NAME;
use super::{console, files, places, rights, wide};
use crate::sys::{Asked, Creation};

/// The first argument of a process that the service control manager starts. The directory of the log follows.
pub const UNDER_MANAGER: &str = "under-service-manager";

/// The address that [`notify_address`] returns in a service.
const MANAGER: &str = "the service control manager";

/// The directory of the service's log. It is in the same directory as the directory of the states.
pub const LOG_DIRECTORY: &str = "immuaudit-log";
/// The log. It contains everything that the service prints.
const LOG: &str = "immuaudit.log";
/// The previous log.
const OLD_LOG: &str = "immuaudit.old.log";
/// The size that starts a new log, in bytes. A log can be larger, because its size is checked in intervals.
const LONGEST_LOG: u64 = 16 << 20;
/// The interval of the checks.
const LOOK: Duration = Duration::from_secs(600);

/// The time that the manager waits for the start and for the end, in milliseconds.
const HINT: u32 = 30_000;
/// The handle for reports to the manager; null before the manager has called.
static STATUS: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// The last state. The service can be ready before the manager has called, so the state is reported again then.
static STATE: Mutex<SERVICE_STATUS_CURRENT_STATE> = Mutex::new(SERVICE_START_PENDING);
static IS_SERVICE: AtomicBool = AtomicBool::new(false);
static IS_STOPPING: AtomicBool = AtomicBool::new(false);

/// Returns false: Windows has no systemd.
pub fn stderr_is_the_journal() -> bool {
    false
}

/// Connects to the service control manager if it has started this process, and removes its words from the arguments.
/// From then on all output goes to the log. Must be called first.
pub fn go_under_manager(arguments: &mut Vec<String>) {
    if arguments.first().is_none_or(|first| first != UNDER_MANAGER) {
        return;
    }
    let own = arguments
        .drain(..arguments.len().min(2))
        .collect::<Vec<_>>();
    IS_SERVICE.store(true, Ordering::Relaxed);
    console::become_service();
    if let Some(directory) = own.last().map(PathBuf::from) {
        // without a log there is no place to report that there is none
        let _ = take_log(&directory);
        thread::spawn(move || {
            loop {
                thread::sleep(LOOK);
                let _ = take_log(&directory);
            }
        });
    }
    thread::spawn(|| {
        let mut name = wide(NAME);
        let table = [
            SERVICE_TABLE_ENTRYW {
                lpServiceName: name.as_mut_ptr(),
                lpServiceProc: Some(begin),
            },
            SERVICE_TABLE_ENTRYW::default(),
        ];
        // SAFETY: the table ends in an empty entry and outlives the call, which returns when the service ends.
        unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) }
    });
}

/// Returns the directory of the service's log.
pub fn log_directory() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var(name).ok();
    places::state_directory(true, LOG_DIRECTORY, variable).map(PathBuf::from)
}

/// Redirects the output to the log. If the log is too large, it is renamed, and a new one is created. While another
/// program has one of them open, so that the log cannot be renamed, it grows; the next call tries again.
fn take_log(directory: &Path) -> io::Result<()> {
    let log = directory.join(LOG);
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    let is_long = fs::metadata(&log).is_ok_and(|found| found.len() > LONGEST_LOG);
    if IS_TAKEN.load(Ordering::Relaxed) && !is_long {
        return Ok(());
    }
    if !directory.exists() {
        files::create_private_directory(directory)?;
    }
    let is_kept = is_long && fs::rename(&log, directory.join(OLD_LOG)).is_err();
    if is_kept && IS_TAKEN.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut file: File = files::open_private(&log, Creation::IfAbsent)?;
    file.seek(SeekFrom::End(0))?;
    let handle = file.into_raw_handle();
    IS_TAKEN.store(true, Ordering::Relaxed);
    // SAFETY: the handle stays open. The handle of the previous log stays open, too, because a thread may be writing to
    // it.
    unsafe {
        SetStdHandle(STD_ERROR_HANDLE, handle);
        SetStdHandle(STD_OUTPUT_HANDLE, handle);
    }
    Ok(())
}

/// Registers the handler of controls. The manager calls this function in a thread of its own.
unsafe extern "system" fn begin(_: u32, _: *mut PWSTR) {
    let name = wide(NAME);
    // SAFETY: the name ends in NUL. The function lives as long as the process.
    let status =
        unsafe { RegisterServiceCtrlHandlerExW(name.as_ptr(), Some(on_control), ptr::null()) };
    let state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    STATUS.store(status, Ordering::SeqCst);
    send(*state, NO_ERROR, 0);
}

/// Handles a control of the manager.
unsafe extern "system" fn on_control(control: u32, _: u32, _: *mut c_void, _: *mut c_void) -> u32 {
    match control {
        SERVICE_CONTROL_STOP | SERVICE_CONTROL_SHUTDOWN => {
            IS_STOPPING.store(true, Ordering::SeqCst);
            report(SERVICE_STOP_PENDING, NO_ERROR, 0);
            console::ask(Asked::Stop);
        }
        SERVICE_CONTROL_PARAMCHANGE => console::ask(Asked::Reload),
        SERVICE_CONTROL_INTERROGATE => {}
        _ => return ERROR_CALL_NOT_IMPLEMENTED,
    }
    NO_ERROR
}

/// Reports the state of the service to the manager.
fn report(state: SERVICE_STATUS_CURRENT_STATE, error: u32, code: u32) {
    let mut last = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    *last = state;
    send(state, error, code);
}

/// Sends a state to the manager, if the manager has called. The caller holds the lock of [`STATE`].
fn send(state: SERVICE_STATUS_CURRENT_STATE, error: u32, code: u32) {
    let handle = STATUS.load(Ordering::SeqCst);
    if handle.is_null() {
        return;
    }
    let status = SERVICE_STATUS {
        dwServiceType: SERVICE_WIN32_OWN_PROCESS,
        dwCurrentState: state,
        dwControlsAccepted: match state {
            SERVICE_RUNNING => {
                SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PARAMCHANGE
            }
            _ => 0,
        },
        dwWin32ExitCode: error,
        dwServiceSpecificExitCode: code,
        dwCheckPoint: 0,
        dwWaitHint: HINT,
    };
    // SAFETY: the handle comes from the manager. The status is plain data that outlives the call.
    unsafe { SetServiceStatus(handle, &status) };
}

/// Reports the end of the service to the manager, if this process is a service. An end without a request is a failure.
pub(super) fn report_end(code: u8) {
    /// The number of checks whether the manager has called back, and the pause between them: five seconds in total.
    const TRIES: (u32, Duration) = (250, Duration::from_millis(20));
    if !IS_SERVICE.load(Ordering::Relaxed) {
        return;
    }
    for _ in 0..TRIES.0 {
        if STATUS.load(Ordering::SeqCst).is_null() {
            thread::sleep(TRIES.1);
        }
    }
    match code == 0 || IS_STOPPING.load(Ordering::SeqCst) {
        true => report(SERVICE_STOPPED, NO_ERROR, 0),
        false => report(
            SERVICE_STOPPED,
            ERROR_SERVICE_SPECIFIC_ERROR,
            u32::from(code),
        ),
    }
}

/// Returns the address for reports about the service, if this process is a service.
pub fn notify_address() -> Option<OsString> {
    let is_service = IS_SERVICE.load(Ordering::Relaxed);
    is_service.then(|| OsString::from(MANAGER))
}

/// The service control manager as a receiver of the messages of sd_notify(3).
#[derive(Debug)]
pub struct NotifySocket;

impl NotifySocket {
    /// Connects to the manager.
    ///
    /// # Errors
    /// The address is not that of the manager.
    pub fn to(address: &OsStr) -> io::Result<NotifySocket> {
        match address == MANAGER {
            true => Ok(NotifySocket),
            false => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Reports to the manager that the service is ready or that it ends. Other messages are ignored.
    ///
    /// # Errors
    /// None.
    pub fn send(&self, message: &str) -> io::Result<()> {
        if message.starts_with("READY=1") {
            report(SERVICE_RUNNING, NO_ERROR, 0);
        } else if message.starts_with("STOPPING=1") {
            report(SERVICE_STOP_PENDING, NO_ERROR, 0);
        }
        Ok(())
    }
}

/// Creates a directory of the service if it does not exist, with its parents, for the service and administrators only.
///
/// # Errors
/// The system refuses, or the directory belongs to a user whom the auditor does not trust.
pub fn make_service_directory(path: &Path) -> io::Result<()> {
    if let Ok(found) = rights::holding(path) {
        return match found.owner.is_trusted() {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "it belongs to {} already",
                found.owner
            ))),
        };
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above.filter(|above| !above.exists()) {
        make_service_directory(above)?;
    }
    files::create_private_directory(path)
}
