//! Requests to this process: from the console, from the end of a session, and from the service control manager.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::System::Console::{
    CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT, SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;

use crate::sys::Asked;

/// The requests that [`take_signal`] has not taken yet.
static PENDING: Mutex<Vec<Asked>> = Mutex::new(Vec::new());
static CHANGED: Condvar = Condvar::new();
/// Whether this process is a service. A service continues when a user logs off.
static IS_SERVICE: AtomicBool = AtomicBool::new(false);

/// Makes this process continue when a user logs off.
pub(super) fn become_service() {
    IS_SERVICE.store(true, Ordering::Relaxed);
}

/// Adds a request for [`take_signal`].
pub(super) fn ask(asked: Asked) {
    let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    if !pending.contains(&asked) {
        pending.push(asked);
    }
    CHANGED.notify_all();
}

/// Handles an event of the console. The system calls this function in a thread of its own.
unsafe extern "system" fn on_event(event: u32) -> BOOL {
    if event == CTRL_LOGOFF_EVENT && IS_SERVICE.load(Ordering::Relaxed) {
        return 1;
    }
    ask(Asked::Stop);
    if [CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT].contains(&event) {
        // the system ends the process when this function returns, or after five seconds
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
    1
}

/// Makes Ctrl-C, Ctrl-Break, the closing of the console and the end of the session requests for [`take_signal`]. Only
/// the service control manager can request that the settings are read again.
pub fn block_signals(_: &[Asked]) {
    // SAFETY: the function lives as long as the process. The first call enables Ctrl-C, which a parent process may have
    // disabled.
    unsafe {
        SetConsoleCtrlHandler(None, 0);
        SetConsoleCtrlHandler(Some(on_event), 1);
    }
}

/// Waits up to `time` for one of these requests; `None` if there was none.
pub fn take_signal(asked: &[Asked], time: Duration) -> Option<Asked> {
    let pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    let none = |pending: &mut Vec<Asked>| !pending.iter().any(|one| asked.contains(one));
    let (mut pending, _) = CHANGED
        .wait_timeout_while(pending, time, none)
        .unwrap_or_else(PoisonError::into_inner);
    let place = pending.iter().position(|one| asked.contains(one))?;
    Some(pending.remove(place))
}
