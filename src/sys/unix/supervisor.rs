//! The service manager that started this process: systemd.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Returns whether stderr goes to systemd's journal. `$JOURNAL_STREAM` contains the device and the inode of the
/// journal's stream (systemd.exec(5)).
pub fn stderr_is_the_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").ok();
    let stderr = fs::metadata("/proc/self/fd/2").ok();
    let stderr = stderr.map(|found| format!("{}:{}", found.dev(), found.ino()));
    stream.is_some() && stream == stderr
}

/// Registers with the service manager that started this process: systemd requires nothing.
pub fn go_under_manager(_: &mut Vec<String>) {}

/// Returns the address on which the service manager expects reports, if it expects any.
pub fn notify_address() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty())
}

/// The socket on which systemd receives a service's reports (sd_notify(3)).
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl NotifySocket {
    /// Creates a socket to a path; `@name` is an abstract one.
    ///
    /// # Errors
    /// No such address can exist, or the system refuses a socket.
    pub fn to(path: &OsStr) -> io::Result<NotifySocket> {
        let socket = UnixDatagram::unbound()?;
        let address = address(path)?;
        socket.set_nonblocking(true)?; // a slow reader must not delay an audit
        Ok(NotifySocket { socket, address })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// The receiver does not exist, or does not read.
    pub fn send(&self, message: &str) -> io::Result<()> {
        let sent = self.socket.send_to_addr(message.as_bytes(), &self.address);
        sent.map(|_| ())
    }
}

#[cfg(target_os = "linux")]
fn address(path: &OsStr) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(path),
    }
}

#[cfg(not(target_os = "linux"))]
fn address(path: &OsStr) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(path)
}
