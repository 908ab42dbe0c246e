//! Child processes of this program, and its own resource usage.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command};
use std::time::Duration;

use crate::sys::{Interest, Usage, wait_ready};

/// Clock ticks per second in `/proc`: 100 on every supported Linux (USER_HZ).
const TICKS: u32 = 100;

/// The value that the kernel adds to a program's share of memory when it selects a process to kill
/// (proc_pid_oom_score_adj(5)): the maximum. A program counts towards the memory limit of the auditor's service,
/// and must be killed first.
const KILLED_FIRST: &str = "1000";

/// Isolates a child from this process: no variable except the path of programs, and the root as its directory. It
/// leads a process group of its own, and inherits only its three standard streams, whatever files a library has
/// opened.
pub fn isolate(command: &mut Command) {
    command
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .current_dir("/")
        .process_group(0);
    // SAFETY: between fork and exec there are only these system calls and no allocation.
    unsafe {
        command.pre_exec(|| {
            // marked, not closed: the standard library reports a failure of exec with one of them
            let marked = libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, CLOEXEC);
            if marked != 0 {
                // Linux before 5.11
                for descriptor in 3..4096 {
                    libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
                }
            }
            Ok(())
        });
    }
}

/// `CLOSE_RANGE_CLOEXEC` (close_range(2)).
const CLOEXEC: libc::c_uint = 4;

/// An isolated child and all processes that it starts.
#[derive(Debug)]
pub struct Group;

impl Group {
    /// Returns the group of a child that was [isolated](isolate) and has just been started.
    ///
    /// # Errors
    /// Never on Unix.
    pub fn of(child: &Child) -> std::io::Result<Group> {
        // if the kernel refuses, its own choice remains
        let _ = fs::write(format!("/proc/{}/oom_score_adj", child.id()), KILLED_FIRST);
        Ok(Group)
    }

    /// Kills the group of this child. The child must not have been waited for.
    pub fn kill(&self, child: &Child) {
        if let Ok(group) = libc::pid_t::try_from(child.id()) {
            // SAFETY: the signal goes to processes that the child started. The call takes no pointer.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
    }
}

/// Returns whether a child has ended. The child is not reaped yet, so no other process gets the number of its
/// group.
pub fn has_ended(child: &Child) -> bool {
    // SAFETY: siginfo_t is plain data, which waitid fills in.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let waited = libc::waitid(libc::P_PID, child.id(), &mut info, options);
        waited != 0 || info.si_pid() != 0
    }
}

/// Returns whether a read from a child's stderr would return immediately.
pub fn has_output(pipe: &ChildStderr) -> bool {
    wait_ready(&[(pipe.as_fd(), Interest::Read)], Duration::ZERO) == [true]
}

/// Returns the resource usage of this process until now, from `/proc` (proc_pid_stat(5)).
pub fn usage() -> Usage {
    let descriptors = fs::read_dir("/proc/self/fd").ok();
    Usage {
        processor: processor(),
        resident: resident(),
        descriptors: descriptors.and_then(|all| u64::try_from(all.count()).ok()),
    }
}

fn processor() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // the second field is the program's name in brackets, which may contain any character
    let (_, fields) = stat.rsplit_once(") ")?;
    let field = |number: usize| fields.split(' ').nth(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)?.checked_add(field(15)?)?;
    Some(Duration::from_millis(
        ticks.saturating_mul(u64::from(1000 / TICKS)),
    ))
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}
