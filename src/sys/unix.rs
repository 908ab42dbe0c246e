//! Unix, above all Linux.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::{Asked, Interest, Lock, Locked};

mod files;
mod places;
mod process;
mod roots;
mod supervisor;
mod users;
pub mod words;

pub use files::*;
pub use places::*;
pub use process::*;
pub use roots::*;
pub use supervisor::*;
pub use users::*;

/// Requests the advisory lock of an open file, without waiting (`flock(2)`). The kernel removes it with the
/// process, so the lock of a dead process is no obstacle.
///
/// # Errors
/// The file system does not support locks, or there are too many locks.
pub fn try_lock(file: &File, lock: Lock) -> io::Result<Locked> {
    let operation = match lock {
        Lock::Shared => libc::LOCK_SH,
        Lock::Exclusive => libc::LOCK_EX,
    };
    loop {
        // SAFETY: `file` keeps the descriptor open. The call takes no pointer.
        // `File::try_lock` is newer than the oldest supported Rust.
        if unsafe { libc::flock(file.as_raw_fd(), operation | libc::LOCK_NB) } == 0 {
            return Ok(Locked::Held);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => return Ok(Locked::ByAnother),
            _ => return Err(error),
        }
    }
}

/// Keeps this process's memory, including passwords, out of core files and away from debuggers of the same user.
/// `/proc/self/mem` is closed to it from then on.
pub fn forbid_core_dumps() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit outlives the call, and the switch takes a number (setrlimit(2), prctl(2)). Lowering a limit is
    // always allowed, so neither call can fail.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        #[cfg(target_os = "linux")]
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
    }
}

/// Makes the allocator return the memory of large responses when it is free. Otherwise the C library keeps it, in
/// an arena for each thread, after a large piece was freed once (mallopt(3)).
pub fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the calls take numbers at any time. A refusal changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 10);
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Returns all free memory to the system, also between pieces that are in use (malloc_trim(3)).
pub fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes a number and does not move blocks that are in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Ends the process immediately, after flushing its output. Nothing else is left to do: the results are on disk,
/// and the destructors that `exit(3)` runs would destroy gRPC under its own threads.
pub fn end(code: u8) -> ! {
    // there is no way to report a failure
    let _ = io::stdout().flush();
    // SAFETY: the call takes a number and does not return (_exit(2)).
    unsafe { libc::_exit(libc::c_int::from(code)) }
}

/// Ends this process immediately, as `kill -9` does: nothing is flushed or cleaned up.
#[cfg(feature = "fault-points")]
pub fn kill_self() -> ! {
    // SAFETY: the signal goes to this process only. The call takes no pointer.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    std::process::abort() // not reached: the signal cannot be caught
}

/// Returns the signals for one of these requests.
fn signals(asked: &[Asked]) -> libc::sigset_t {
    // SAFETY: sigset_t is plain data. sigemptyset initialises it before any other call reads it.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in asked.iter().flat_map(numbers) {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

fn numbers(asked: &Asked) -> &'static [libc::c_int] {
    match asked {
        Asked::Stop => &[libc::SIGINT, libc::SIGTERM],
        Asked::Reload => &[libc::SIGHUP],
    }
}

/// Blocks the signals for these requests in this thread and those that it starts later; [`take_signal`] takes
/// them.
pub fn block_signals(asked: &[Asked]) {
    let set = signals(asked);
    // SAFETY: set is initialised, null stands for no old mask, and the default disposition is no function of this
    // program. A background job of a shell inherits these signals as ignored, and the kernel does not queue ignored
    // signals.
    unsafe {
        for signal in asked.iter().flat_map(numbers) {
            libc::signal(*signal, libc::SIG_DFL);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}

/// Waits up to `time` for a signal for one of these requests; `None` if none has come.
pub fn take_signal(asked: &[Asked], time: Duration) -> Option<Asked> {
    let set = signals(asked);
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos() as libc::c_long, // below 10^9 fits everywhere
    };
    // SAFETY: set and timeout are initialised and outlive the call. Null stands for no siginfo.
    let signal = unsafe { libc::sigtimedwait(&set, std::ptr::null_mut(), &timeout) };
    let mut asked = asked.iter();
    asked
        .find(|asked| numbers(asked).contains(&signal))
        .copied()
}

/// Keeps gRPC from writing to stderr on its own, unless the operator requests it. Call it before any thread is
/// started.
pub fn silence_grpc() {
    // SAFETY: no other thread reads the environment yet. Both strings end in NUL.
    unsafe {
        libc::setenv(c"GRPC_VERBOSITY".as_ptr(), c"NONE".as_ptr(), 0);
    }
}

/// A socket for a wait.
pub type Socket<'a> = BorrowedFd<'a>;

/// Returns a socket for a wait.
pub fn socket<S: AsFd>(socket: &S) -> Socket<'_> {
    socket.as_fd()
}

/// Waits up to `time` until one of the descriptors is ready, has failed or was hung up (`poll(2)`). Returns for
/// each, in order, whether it is.
pub fn wait_ready(descriptors: &[(Socket<'_>, Interest)], time: Duration) -> Vec<bool> {
    let poll = |(descriptor, interest): &(Socket<'_>, Interest)| libc::pollfd {
        fd: descriptor.as_raw_fd(),
        events: match interest {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
        },
        revents: 0,
    };
    let mut polls: Vec<libc::pollfd> = descriptors.iter().map(poll).collect();
    let timeout = libc::c_int::try_from(time.as_millis()).unwrap_or(libc::c_int::MAX);
    let count = libc::nfds_t::try_from(polls.len()).unwrap_or(libc::nfds_t::MAX);
    // SAFETY: polls is an array of that length that outlives the call. The descriptors are open.
    unsafe { libc::poll(polls.as_mut_ptr(), count, timeout) };
    // after a failure no revents is set
    polls.iter().map(|poll| poll.revents != 0).collect()
}

/// Limits the bytes that the system buffers for a slow peer on each connection that a listener accepts
/// (`SO_SNDBUF`, socket(7); the system doubles the number). They count as this process's own under a memory limit.
/// If the system refuses, its own choice stays, up to 4 MB.
pub fn limit_send_buffer(listener: &TcpListener, bytes: libc::c_int) {
    let size = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or_default();
    // SAFETY: the value is a number of that size, which outlives the call. The descriptor is open.
    unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            std::ptr::from_ref(&bytes).cast(),
            size,
        );
    }
}

/// Returns whether a socket failed because there is no IPv6 here: it is not in the kernel, or switched off on
/// every device.
pub fn is_without_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || [libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT]
            .map(Some)
            .contains(&error.raw_os_error())
}

/// Listens on a port of every IPv6 address and every IPv4 address, whatever the system's default is
/// (`IPV6_V6ONLY`, ipv6(7)). The standard library can only listen by that default.
///
/// # Errors
/// The machine has no IPv6, or another process uses the port.
pub fn listen_everywhere(port: u16) -> io::Result<TcpListener> {
    let result = |result: libc::c_int| match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    };
    let size = |size: usize| libc::socklen_t::try_from(size).unwrap_or_default();
    // SAFETY: the descriptor is new, and its owner closes it.
    let socket = unsafe {
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
        OwnedFd::from_raw_fd(result(libc::socket(libc::AF_INET6, kind, 0))?)
    };
    for (level, option, value) in [
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0),
        // as the standard library does, so that a restart can bind immediately
        (libc::SOL_SOCKET, libc::SO_REUSEADDR, 1),
    ] {
        let value: libc::c_int = value;
        // SAFETY: the value is a number of that size, which outlives the call. The descriptor is open.
        result(unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                option,
                std::ptr::from_ref(&value).cast(),
                size(size_of::<libc::c_int>()),
            )
        })?;
    }
    // SAFETY: sockaddr_in6 is plain data, and all zeros are the unspecified address. It outlives the calls. The
    // descriptor is open.
    unsafe {
        let mut address: libc::sockaddr_in6 = std::mem::zeroed();
        address.sin6_family = libc::sa_family_t::try_from(libc::AF_INET6).unwrap_or_default();
        address.sin6_port = port.to_be();
        let pointer = std::ptr::from_ref(&address).cast();
        result(libc::bind(
            socket.as_raw_fd(),
            pointer,
            size(size_of::<libc::sockaddr_in6>()),
        ))?;
        result(libc::listen(socket.as_raw_fd(), BACKLOG))?;
    }
    Ok(TcpListener::from(socket))
}

/// The maximum number of connections that wait to be accepted: the standard library's value.
const BACKLOG: libc::c_int = 128;

/// Returns how many descriptors this process may have open.
#[allow(clippy::useless_conversion)] // rlim_t has 32 bits on 32-bit machines
pub fn descriptor_limit() -> u64 {
    // SAFETY: rlimit is plain data. getrlimit fills it in or leaves it unchanged.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        u64::from(limit.rlim_cur)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_ipv6_differs_from_a_taken_port() {
        let without = |code| is_without_ipv6(&io::Error::from_raw_os_error(code));
        assert!(without(libc::EAFNOSUPPORT) && without(libc::EADDRNOTAVAIL));
        assert!(!without(libc::EADDRINUSE) && !without(libc::EACCES));
    }

    #[test]
    fn the_limit_of_descriptors_is_the_kernels() {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().nth(3));
        assert_eq!(
            soft,
            Some(descriptor_limit().to_string().as_str()),
            "{limits}"
        );
    }
}
