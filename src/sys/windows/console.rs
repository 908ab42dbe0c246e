//! Those who ask this process to end: the console, the end of a session, and the service control manager.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::System::Console::{
    CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT, SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;

use crate::sys::Asked;

/// What was asked for and is not taken up yet.
static PENDING: Mutex<Vec<Asked>> = Mutex::new(Vec::new());
static CHANGED: Condvar = Condvar::new();
/// Whether this is a service, which goes on when somebody logs off.
static IS_SERVICE: AtomicBool = AtomicBool::new(false);

/// Has this process go on when somebody logs off.
pub(super) fn become_service() {
    IS_SERVICE.store(true, Ordering::Relaxed);
}

/// Asks this process for something, for [`take_signal`] to take up.
pub(super) fn ask(asked: Asked) {
    let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    if !pending.contains(&asked) {
        pending.push(asked);
    }
    CHANGED.notify_all();
}

/// Called by the system in a thread of its own, for each event of the console.
unsafe extern "system" fn on_event(event: u32) -> BOOL {
    if event == CTRL_LOGOFF_EVENT && IS_SERVICE.load(Ordering::Relaxed) {
        return 1;
    }
    ask(Asked::Stop);
    if [CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT].contains(&event) {
        // the system ends the process once this returns, or after five seconds
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
    1
}

/// Has Ctrl-C, Ctrl-Break, the closing of the console and the end of the session wait for [`take_signal`] to take them up. Nothing
/// of the console asks that settings be read again; the service control manager does.
pub fn block_signals(_: &[Asked]) {
    // SAFETY: a function that lives as long as the process; none takes back that Ctrl-C is ignored, which a parent may
    // have asked for.
    unsafe {
        SetConsoleCtrlHandler(None, 0);
        SetConsoleCtrlHandler(Some(on_event), 1);
    }
}

/// Waits up to `time` until one of these is asked for; `None`: none was.
pub fn take_signal(asked: &[Asked], time: Duration) -> Option<Asked> {
    let pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    let none = |pending: &mut Vec<Asked>| !pending.iter().any(|one| asked.contains(one));
    let (mut pending, _) = CHANGED
        .wait_timeout_while(pending, time, none)
        .unwrap_or_else(PoisonError::into_inner);
    let place = pending.iter().position(|one| asked.contains(one))?;
    Some(pending.remove(place))
}
