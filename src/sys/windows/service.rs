//! The service control manager: installing, starting, stopping and removing the service.

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
/// The name in the list of services.
const DISPLAY: &str = "immuaudit";
const DESCRIPTION: &str = "Continuously verifies that immudb servers have not rewritten history.";
/// The account of the service: a virtual account, which Windows derives from the name of the service. It has no
/// password.
const ACCOUNT: &str = r"NT SERVICE\immuaudit";
/// The delay of a restart after a failure, in milliseconds, and the time without a failure that resets the count, in
/// seconds.
const RESTART: (u32, u32) = (60_000, 86_400);

/// The state of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// There is no such service.
    Absent,
    /// The service has ended, with this exit code of its own or of Windows; 0 is an ordinary end.
    Stopped(u32),
    /// The service is starting.
    Starting,
    /// The service runs as this process.
    Running(u32),
    /// The service is stopping.
    Stopping,
}

/// A handle of the manager or of a service.
struct Handle(SC_HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: this process opened the handle, and closes it once.
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
    // SAFETY: null stands for this computer and its database of services.
    Handle::new(unsafe { OpenSCManagerW(ptr::null(), ptr::null(), rights) })
}

/// Opens the service; `None` if there is no such service.
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

/// Opens the service, or fails with `NotFound`.
fn existing(rights: u32) -> io::Result<Handle> {
    service(rights)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Creates the service, or changes the command of the existing service.
///
/// # Errors
/// The system refuses, usually because the user is no administrator.
pub fn install_service(command: &str) -> io::Result<()> {
    let (name, display) = (wide(NAME), wide(DISPLAY));
    let (command, account) = (wide(command), wide(ACCOUNT));
    let manager = manager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE)?;
    let service = match service(SERVICE_ALL_ACCESS)? {
        // SAFETY: the handles are open. Every text ends in NUL, and null stands for no text.
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

/// Sets the description of the service and its restart after a failure.
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
    // an end with an exit code other than 0 is a failure, too
    let flag = SERVICE_FAILURE_ACTIONS_FLAG {
        fFailureActionsOnNonCrashFailures: 1,
    };
    // SAFETY: the handle is open. Each structure belongs to its number and outlives the call. A system without one of
    // these settings runs the service without it.
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

/// Removes the service. The service must have ended.
///
/// # Errors
/// The system refuses.
pub fn remove_service() -> io::Result<()> {
    let service = existing(SERVICE_ALL_ACCESS)?;
    // SAFETY: the handle is open.
    done(unsafe { DeleteService(service.0) })
}

/// Requests the start of the service.
///
/// # Errors
/// The system refuses.
pub fn start_service() -> io::Result<()> {
    let service = existing(SERVICE_START)?;
    // SAFETY: the handle is open, and the service gets no arguments.
    done(unsafe { StartServiceW(service.0, 0, ptr::null()) })
}

/// Requests the end of the service.
///
/// # Errors
/// The system refuses.
pub fn stop_service() -> io::Result<()> {
    let service = existing(SERVICE_STOP)?;
    // SAFETY: the handle is open. The call writes plain data.
    done(unsafe {
        let mut status: SERVICE_STATUS = std::mem::zeroed();
        ControlService(service.0, SERVICE_CONTROL_STOP, &mut status)
    })
}

/// Returns the state of the service.
///
/// # Errors
/// The system refuses.
pub fn service_state() -> io::Result<ServiceState> {
    let Some(service) = service(SERVICE_QUERY_STATUS)? else {
        return Ok(ServiceState::Absent);
    };
    // SAFETY: the handle is open. The call writes plain data of the given size.
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
        _ => ServiceState::Starting, // the other states are those of paused services, which this one does not support
    })
}
