//! Sockets: waiting for several sockets, and listening on all addresses.

use std::io;
use std::net::TcpListener;
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, FromRawSocket, OwnedSocket};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Networking::WinSock::{
    AF_INET6, INVALID_SOCKET, IPPROTO_IPV6, IPV6_V6ONLY, POLLRDNORM, POLLWRNORM,
    SO_EXCLUSIVEADDRUSE, SO_SNDBUF, SOCK_STREAM, SOCKADDR_IN6, SOCKET, SOL_SOCKET,
    WSA_FLAG_NO_HANDLE_INHERIT, WSA_FLAG_OVERLAPPED, WSADATA, WSAEAFNOSUPPORT, WSAEPROTONOSUPPORT,
    WSAPOLLFD, WSAPoll, WSASocketW, WSAStartup, bind, listen, setsockopt,
};

use crate::sys::Interest;

/// A socket to wait for.
pub type Socket<'a> = BorrowedSocket<'a>;

/// Borrows a socket to wait for it.
pub fn socket<S: AsSocket>(socket: &S) -> Socket<'_> {
    socket.as_socket()
}

/// Returns the number of a socket, as the calls of Winsock take it.
fn number(socket: &impl AsRawSocket) -> SOCKET {
    SOCKET::try_from(socket.as_raw_socket()).unwrap_or(INVALID_SOCKET)
}

/// Waits up to `time` until a socket is ready, has failed or was closed by its peer; returns for each socket whether it
/// is.
pub fn wait_ready(sockets: &[(Socket<'_>, Interest)], time: Duration) -> Vec<bool> {
    let poll = |(socket, interest): &(Socket<'_>, Interest)| WSAPOLLFD {
        fd: number(socket),
        events: match interest {
            Interest::Read => POLLRDNORM,
            Interest::Write => POLLWRNORM,
        },
        revents: 0,
    };
    let mut polls: Vec<WSAPOLLFD> = sockets.iter().map(poll).collect();
    let timeout = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let count = u32::try_from(polls.len()).unwrap_or(u32::MAX);
    // SAFETY: polls is an array of that length that outlives the call. The sockets are open.
    unsafe { WSAPoll(polls.as_mut_ptr(), count, timeout) };
    // after a failure no revents is set
    polls.iter().map(|poll| poll.revents != 0).collect()
}

/// Sets a numeric option of a socket.
fn set(socket: SOCKET, level: i32, option: i32, value: i32) -> io::Result<()> {
    let size = i32::try_from(size_of::<i32>()).unwrap_or_default();
    // SAFETY: the option's value is a number of that size, which outlives the call; the socket is open.
    let failed = unsafe { setsockopt(socket, level, option, ptr::from_ref(&value).cast(), size) };
    match failed {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Limits the send buffer of each connection that a listener accepts, in bytes. If the system refuses, its default
/// remains.
pub fn limit_send_buffer(listener: &TcpListener, bytes: i32) {
    let _ = set(number(listener), SOL_SOCKET, SO_SNDBUF, bytes);
}

/// Returns whether a socket failed because the computer has no IPv6.
pub fn is_without_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || [WSAEAFNOSUPPORT, WSAEPROTONOSUPPORT]
            .map(Some)
            .contains(&error.raw_os_error())
}

/// Listens on a port of all IPv6 and IPv4 addresses with one socket, which the standard library cannot. The socket is
/// exclusive: by default, another program could bind to the same port on Windows.
///
/// # Errors
/// The computer has no IPv6, or another program uses the port.
pub fn listen_everywhere(port: u16) -> io::Result<TcpListener> {
    let result = |result: i32| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: WSADATA is plain data. The socket is new, and its owner closes it.
    let socket = unsafe {
        let mut data: WSADATA = std::mem::zeroed();
        let failed = WSAStartup(0x202, &mut data);
        if failed != 0 {
            return Err(io::Error::from_raw_os_error(failed));
        }
        let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
        let family = i32::from(AF_INET6);
        let socket = WSASocketW(family, SOCK_STREAM, 0, ptr::null(), 0, flags);
        if socket == INVALID_SOCKET {
            return Err(io::Error::last_os_error());
        }
        OwnedSocket::from_raw_socket(u64::try_from(socket).unwrap_or(u64::MAX))
    };
    let raw = number(&socket);
    set(raw, IPPROTO_IPV6, IPV6_V6ONLY, 0)?;
    set(raw, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)?;
    // SAFETY: SOCKADDR_IN6 is plain data, and all zeros are the unspecified address. It outlives the calls. The socket
    // is open.
    unsafe {
        let mut address: SOCKADDR_IN6 = std::mem::zeroed();
        address.sin6_family = AF_INET6;
        address.sin6_port = port.to_be();
        let size = i32::try_from(size_of::<SOCKADDR_IN6>()).unwrap_or_default();
        result(bind(raw, ptr::from_ref(&address).cast(), size))?;
        result(listen(raw, BACKLOG))?;
    }
    Ok(TcpListener::from(socket))
}

/// The maximum number of connections that wait to be accepted, the same as in the standard library.
const BACKLOG: i32 = 128;
