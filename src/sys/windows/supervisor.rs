//! Whoever started this process and watches it: the service control manager.

use std::ffi::{OsStr, OsString, c_void};
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::windows::io::IntoRawHandle;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
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

/// The first argument of a program that the service control manager starts. The directory of its log follows.
pub const UNDER_MANAGER: &str = "under-service-manager";

/// What the service is called by those who ask whether anybody listens.
const MANAGER: &str = "the service control manager";

/// The directory of the service's log, beside that of its states.
pub const LOG_DIRECTORY: &str = "immuaudit-log";
/// The log, which takes what the service would print.
const LOG: &str = "immuaudit.log";
/// The log before it.
const OLD_LOG: &str = "immuaudit.old.log";
/// Most bytes of a log, roughly: how long it is is looked at now and then.
const LONGEST_LOG: u64 = 16 << 20;
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(600);

/// What the manager is told to wait for the start and for the end, in milliseconds.
const HINT: u32 = 30_000;
/// Where the manager is told; null: nowhere yet.
static STATUS: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static IS_SERVICE: AtomicBool = AtomicBool::new(false);
static IS_STOPPING: AtomicBool = AtomicBool::new(false);

/// Returns whether stderr goes to systemd's journal: there is none here.
pub fn stderr_is_the_journal() -> bool {
    false
}

/// Goes under the service control manager, if it has started this process, and takes the words for that out of the arguments.
/// What is printed goes to the log from then on. To be called before anything else is done.
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
        // without a log nobody can be told that there is none
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
        // SAFETY: the table ends in an empty entry, and lives as long as the call, which returns when the service ends.
        unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) }
    });
}

/// Returns the directory of the service's log.
pub fn log_directory() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var(name).ok();
    places::state_directory(true, LOG_DIRECTORY, variable).map(PathBuf::from)
}

/// Has what is printed written to the log: to a new one, if it is longer than it should be.
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
    if is_long {
        fs::rename(&log, directory.join(OLD_LOG))?;
    }
    let mut file: File = files::open_private(&log, Creation::IfAbsent)?;
    file.seek(SeekFrom::End(0))?;
    let handle = file.into_raw_handle();
    IS_TAKEN.store(true, Ordering::Relaxed);
    // SAFETY: the handle stays open; that of a log before is left open too, for another thread may be writing there.
    unsafe {
        SetStdHandle(STD_ERROR_HANDLE, handle);
        SetStdHandle(STD_OUTPUT_HANDLE, handle);
    }
    Ok(())
}

/// Called by the manager in a thread of its own.
unsafe extern "system" fn begin(_: u32, _: *mut PWSTR) {
    let name = wide(NAME);
    // SAFETY: the name ends in NUL, and the function lives as long as the process.
    let status =
        unsafe { RegisterServiceCtrlHandlerExW(name.as_ptr(), Some(on_control), ptr::null()) };
    STATUS.store(status, Ordering::SeqCst);
    tell(SERVICE_START_PENDING, NO_ERROR, 0);
}

/// Called by the manager for each of its controls.
unsafe extern "system" fn on_control(control: u32, _: u32, _: *mut c_void, _: *mut c_void) -> u32 {
    match control {
        SERVICE_CONTROL_STOP | SERVICE_CONTROL_SHUTDOWN => {
            IS_STOPPING.store(true, Ordering::SeqCst);
            tell(SERVICE_STOP_PENDING, NO_ERROR, 0);
            console::ask(Asked::Stop);
        }
        SERVICE_CONTROL_PARAMCHANGE => console::ask(Asked::Reload),
        SERVICE_CONTROL_INTERROGATE => {}
        _ => return ERROR_CALL_NOT_IMPLEMENTED,
    }
    NO_ERROR
}

/// Tells the manager how the service is doing.
fn tell(state: SERVICE_STATUS_CURRENT_STATE, error: u32, code: u32) {
    let status = STATUS.load(Ordering::SeqCst);
    if status.is_null() {
        return;
    }
    let told = SERVICE_STATUS {
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
    // SAFETY: the manager's own handle, and plain data that outlives the call.
    unsafe { SetServiceStatus(status, &told) };
}

/// Tells the manager that the service has ended, if this is one: with a failure, unless it was asked to.
pub(super) fn tell_end(code: u8) {
    /// How often, and how far apart, it is looked whether the manager has called back.
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
        true => tell(SERVICE_STOPPED, NO_ERROR, 0),
        false => tell(
            SERVICE_STOPPED,
            ERROR_SERVICE_SPECIFIC_ERROR,
            u32::from(code),
        ),
    }
}

/// Returns where whoever started this process wants to be told how it goes, if anybody does.
pub fn notify_address() -> Option<OsString> {
    let is_service = IS_SERVICE.load(Ordering::Relaxed);
    is_service.then(|| OsString::from(MANAGER))
}

/// The service control manager, as one who is told how a service goes in the words of systemd.
#[derive(Debug)]
pub struct NotifySocket;

impl NotifySocket {
    /// Takes the manager.
    ///
    /// # Errors
    /// It is another one's address: there are no such sockets here.
    pub fn to(address: &OsStr) -> io::Result<NotifySocket> {
        match address == MANAGER {
            true => Ok(NotifySocket),
            false => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Tells the manager that the service is ready, or that it ends; it wants to know no more.
    ///
    /// # Errors
    /// None.
    pub fn send(&self, message: &str) -> io::Result<()> {
        if message.starts_with("READY=1") {
            tell(SERVICE_RUNNING, NO_ERROR, 0);
        } else if message.starts_with("STOPPING=1") {
            tell(SERVICE_STOP_PENDING, NO_ERROR, 0);
        }
        Ok(())
    }
}

/// Makes a directory of the service's, where it is not there.
///
/// # Errors
/// The system refuses, or it belongs to somebody else.
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
    files::create_private_directory(path)
}
