//! The service control manager: what services there are, and how they are doing.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::ERROR_SERVICE_DOES_NOT_EXIST;
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, ChangeServiceConfigW, CloseServiceHandle, ControlService,
    CreateServiceW, DeleteService, OpenSCManagerW, OpenServiceW, QueryServiceStatusEx, SC_ACTION,
    SC_ACTION_RESTART, SC_HANDLE, SC_MANAGER_CONNECT, SC_MANAGER_CREATE_SERVICE,
    SC_STATUS_PROCESS_INFO, SERVICE_ALL_ACCESS, SERVICE_AUTO_START, SERVICE_CONFIG_DESCRIPTION,
    SERVICE_CONFIG_FAILURE_ACTIONS, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, SERVICE_CONTROL_STOP,
    SERVICE_DESCRIPTIONW, SERVICE_ERROR_NORMAL, SERVICE_FAILURE_ACTIONS_FLAG,
    SERVICE_FAILURE_ACTIONSW, SERVICE_QUERY_STATUS, SERVICE_RUNNING, SERVICE_START,
    SERVICE_START_PENDING, SERVICE_STATUS, SERVICE_STATUS_PROCESS, SERVICE_STOP,
    SERVICE_STOP_PENDING, SERVICE_STOPPED, SERVICE_WIN32_OWN_PROCESS, StartServiceW,
};

use super::{code, done, wide};

/// The service's name.
pub(super) const NAME: &str = "immuaudit";
/// What people see.
const DISPLAY: &str = "immuaudit";
const DESCRIPTION: &str = "Proves again and again that immudb servers have not rewritten history.";
/// Whom it runs as: a user of its own, which the system makes of the service's name, without a password.
const ACCOUNT: &str = r"NT SERVICE\immuaudit";
/// How long after a failure it is started again, in milliseconds, and after how many seconds without one that begins anew.
const RESTART: (u32, u32) = (60_000, 86_400);

/// How a service is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// It is not there.
    Absent,
    /// It has ended, with this code of its own or the system's; 0: as it should.
    Stopped(u32),
    /// It is about to start.
    Starting,
    /// It runs, as this process.
    Running(u32),
    /// It is about to end.
    Stopping,
}

/// A handle of the manager, or of a service.
struct Handle(SC_HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: opened by us, and closed once.
        unsafe { CloseServiceHandle(self.0) };
    }
}

impl Handle {
    fn new(handle: SC_HANDLE) -> io::Result<Handle> {
        match handle.is_null() {
            true => Err(io::Error::last_os_error()),
            false => Ok(Handle(handle)),
        }
    }
}

fn manager(rights: u32) -> io::Result<Handle> {
    // SAFETY: null is this machine and its database of services.
    Handle::new(unsafe { OpenSCManagerW(ptr::null(), ptr::null(), rights) })
}

/// The service; `None` where it is not there.
fn service(rights: u32) -> io::Result<Option<Handle>> {
    let manager = manager(SC_MANAGER_CONNECT)?;
    let name = wide(NAME);
    // SAFETY: the manager is open, and the name ends in NUL.
    match Handle::new(unsafe { OpenServiceW(manager.0, name.as_ptr(), rights) }) {
        Ok(service) => Ok(Some(service)),
        Err(error) if code(&error) == Some(ERROR_SERVICE_DOES_NOT_EXIST) => Ok(None),
        Err(error) => Err(error),
    }
}

fn there(rights: u32) -> io::Result<Handle> {
    service(rights)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Makes the service, or has the one that is there run this command from its next start on.
///
/// # Errors
/// The system refuses, mostly for want of an administrator's rights.
pub fn install_service(command: &str) -> io::Result<()> {
    let (name, display) = (wide(NAME), wide(DISPLAY));
    let (command, account) = (wide(command), wide(ACCOUNT));
    let manager = manager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE)?;
    let service = match service(SERVICE_ALL_ACCESS)? {
        // SAFETY: the handles are open, every text ends in NUL, and null is no text.
        Some(service) => unsafe {
            done(ChangeServiceConfigW(
                service.0,
                SERVICE_WIN32_OWN_PROCESS,
                SERVICE_AUTO_START,
                SERVICE_ERROR_NORMAL,
                command.as_ptr(),
                ptr::null(),
                ptr::null_mut(),
                ptr::null(),
                account.as_ptr(),
                ptr::null(),
                display.as_ptr(),
            ))?;
            service
        },
        // SAFETY: as above.
        None => Handle::new(unsafe {
            CreateServiceW(
                manager.0,
                name.as_ptr(),
                display.as_ptr(),
                SERVICE_ALL_ACCESS,
                SERVICE_WIN32_OWN_PROCESS,
                SERVICE_AUTO_START,
                SERVICE_ERROR_NORMAL,
                command.as_ptr(),
                ptr::null(),
                ptr::null_mut(),
                ptr::null(),
                account.as_ptr(),
                ptr::null(),
            )
        })?,
    };
    configure(&service)
}

/// Describes the service, and has it started again after a failure.
fn configure(service: &Handle) -> io::Result<()> {
    let mut description = wide(DESCRIPTION);
    let description = SERVICE_DESCRIPTIONW {
        lpDescription: description.as_mut_ptr(),
    };
    let mut restart = SC_ACTION {
        Type: SC_ACTION_RESTART,
        Delay: RESTART.0,
    };
    let actions = SERVICE_FAILURE_ACTIONSW {
        dwResetPeriod: RESTART.1,
        lpRebootMsg: ptr::null_mut(),
        lpCommand: ptr::null_mut(),
        cActions: 1,
        lpsaActions: &mut restart,
    };
    // an end with an exit code is a failure too
    let flag = SERVICE_FAILURE_ACTIONS_FLAG {
        fFailureActionsOnNonCrashFailures: 1,
    };
    // SAFETY: the handle is open, and each structure is the one that its number stands for and outlives the call. A system
    // that does not know one of them runs the service all the same.
    unsafe {
        for (what, with) in [
            (
                SERVICE_CONFIG_DESCRIPTION,
                ptr::from_ref(&description).cast(),
            ),
            (
                SERVICE_CONFIG_FAILURE_ACTIONS,
                ptr::from_ref(&actions).cast(),
            ),
            (
                SERVICE_CONFIG_FAILURE_ACTIONS_FLAG,
                ptr::from_ref(&flag).cast(),
            ),
        ] {
            ChangeServiceConfig2W(service.0, what, with);
        }
    }
    Ok(())
}

/// Takes the service away, once it has ended.
///
/// # Errors
/// The system refuses.
pub fn remove_service() -> io::Result<()> {
    let service = there(SERVICE_ALL_ACCESS)?;
    // SAFETY: the handle is open.
    done(unsafe { DeleteService(service.0) })
}

/// Has the service started.
///
/// # Errors
/// The system refuses.
pub fn start_service() -> io::Result<()> {
    let service = there(SERVICE_START)?;
    // SAFETY: the handle is open, and there are no arguments.
    done(unsafe { StartServiceW(service.0, 0, ptr::null()) })
}

/// Asks the service to end.
///
/// # Errors
/// The system refuses.
pub fn stop_service() -> io::Result<()> {
    let service = there(SERVICE_STOP)?;
    // SAFETY: the handle is open, and what is written is plain data.
    done(unsafe {
        let mut status: SERVICE_STATUS = std::mem::zeroed();
        ControlService(service.0, SERVICE_CONTROL_STOP, &mut status)
    })
}

/// Returns how the service is doing.
///
/// # Errors
/// The system refuses.
pub fn service_state() -> io::Result<ServiceState> {
    let Some(service) = service(SERVICE_QUERY_STATUS)? else {
        return Ok(ServiceState::Absent);
    };
    // SAFETY: the handle is open, and what is written is plain data of the size that is given.
    let status = unsafe {
        let mut status: SERVICE_STATUS_PROCESS = std::mem::zeroed();
        let size = u32::try_from(size_of::<SERVICE_STATUS_PROCESS>()).unwrap_or_default();
        let mut needed = 0;
        done(QueryServiceStatusEx(
            service.0,
            SC_STATUS_PROCESS_INFO,
            ptr::from_mut(&mut status).cast(),
            size,
            &mut needed,
        ))?;
        status
    };
    Ok(match status.dwCurrentState {
        SERVICE_STOPPED => ServiceState::Stopped(match status.dwServiceSpecificExitCode {
            0 => status.dwWin32ExitCode,
            own => own,
        }),
        SERVICE_START_PENDING => ServiceState::Starting,
        SERVICE_STOP_PENDING => ServiceState::Stopping,
        SERVICE_RUNNING => ServiceState::Running(status.dwProcessId),
        _ => ServiceState::Starting, // paused and the like, which it never is
    })
}
