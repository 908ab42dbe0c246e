//! The memory and the state of a running process, as the system reports them.

use std::path::Path;

/// Returns a number from `/proc/ID/status` (proc_pid_status(5)) in the unit there, or `None` after the end of the
/// process.
#[cfg(unix)]
pub fn status(id: u32, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.strip_prefix(':')?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Returns whether a process already runs this program. Before that, the kernel may still show the memory of the test.
#[cfg(unix)]
pub fn is_loaded(id: u32, program: &Path) -> bool {
    let program = std::fs::canonicalize(program).expect("its path");
    std::fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe == program)
}

/// Returns the memory that Windows has for a name of Linux, in KiB, or `None` after the end of the process.
#[cfg(windows)]
pub fn status(id: u32, name: &str) -> Option<u64> {
    use windows_sys::Win32::Foundation::CloseHandle;
    use windows_sys::Win32::System::ProcessStatus::{
        K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS,
    };
    use windows_sys::Win32::System::Threading::{
        OpenProcess, PROCESS_QUERY_INFORMATION, PROCESS_VM_READ,
    };

    let size = u32::try_from(size_of::<PROCESS_MEMORY_COUNTERS>()).expect("a small size");
    // SAFETY: the counters are plain data of this size, which the call fills in; the handle is closed once.
    let counters = unsafe {
        let process = OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, 0, id);
        let mut counters: PROCESS_MEMORY_COUNTERS = std::mem::zeroed();
        let is_known = K32GetProcessMemoryInfo(process, &mut counters, size) != 0;
        CloseHandle(process);
        is_known.then_some(counters)?
    };
    let bytes = match name {
        "VmRSS" => counters.WorkingSetSize,
        "VmHWM" => counters.PeakWorkingSetSize,
        name => panic!("Windows has no {name}"),
    };
    u64::try_from(bytes).ok().map(|bytes| bytes >> 10)
}

/// Returns `true`: on Windows a process runs its program from the beginning.
#[cfg(windows)]
pub fn is_loaded(_: u32, _: &Path) -> bool {
    true
}
