//! The HTTP thread: metrics, probes, status page. It reads the status registry and nothing else.
//!
//! The sockets are the program's own. tiny_http's types read the requests, and its `Response` prints the heads of
//! responses; its server is not used (docs/design.md). One thread on poll(2), limited connections, one request each,
//! no keep-alive. GET and HEAD only. One large body is made at a time, and concurrent requests share it.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::panic))]

mod bodies;
mod connection;
mod gate;
mod request;
mod response;
mod route;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::thread;

use self::route::Routes;
use crate::config::Listen;
use crate::report::{Prefix, StatusRegistry};
use crate::sys::{self, words};

/// The thread cannot be started.
#[derive(Debug)]
pub struct ListenError {
    listen: Listen,
    error: io::Error,
}

impl std::error::Error for ListenError {}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listen { host, port } = &self.listen;
        match self.error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "--audit-monitoring-port {port}: another process listens on this port ({host}): give another port, 0 for any free one, or --no-monitoring"
            ),
            io::ErrorKind::PermissionDenied => write!(
                f,
                "--audit-monitoring-port {port}: {}, or --no-monitoring",
                words::PORT_REFUSED
            ),
            _ => write!(
                f,
                "--audit-monitoring-host {host}: cannot listen on port {port}: {}: give an address \
                 of this machine, or --no-monitoring",
                self.error
            ),
        }
    }
}

/// Listens and serves in a thread of its own, until the process ends; returns the address.
///
/// # Errors
/// The address is not one of this machine, or is taken.
pub fn start(
    listen: &Listen,
    registry: StatusRegistry,
    prefix: Prefix,
) -> Result<SocketAddr, ListenError> {
    let failed = |error| ListenError {
        listen: listen.clone(),
        error,
    };
    let listener = bind(listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    thread::Builder::new()
        .name("monitor".into())
        .spawn(move || {
            let mut routes = Routes::new(registry, prefix);
            gate::serve(&listener, |request| routes.answer(request));
        })
        .map_err(failed)?;
    Ok(address)
}

/// Listens on every address, IPv6 and IPv4; on every IPv4 address if there is no IPv6.
fn everywhere(port: u16) -> io::Result<TcpListener> {
    match sys::listen_everywhere(port) {
        Err(error) if sys::is_without_ipv6(&error) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        }
        listener => listener,
    }
}

/// The number of bytes that the system buffers for a slow peer, so that 64 peers fill 16 MiB and not 256.
const SEND_BUFFER: i32 = 128 << 10;

fn bind(listen: &Listen) -> io::Result<TcpListener> {
    let listener = match listen.host.parse() {
        Ok(Ipv6Addr::UNSPECIFIED) => everywhere(listen.port)?,
        _ => {
            let addresses = (listen.host.as_str(), listen.port).to_socket_addrs()?;
            TcpListener::bind(addresses.collect::<Vec<_>>().as_slice())?
        }
    };
    listener.set_nonblocking(true)?;
    sys::limit_send_buffer(&listener, SEND_BUFFER);
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn the_default_address_is_reached_over_ipv4_and_over_ipv6() {
        let host = "::".to_owned();
        let listener = bind(&Listen { host, port: 0 }).unwrap();
        let address = listener.local_addr().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).unwrap();
        if address.is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, address.port())).unwrap();
        }
        // a port in use is an error; it is not opened on IPv4 alone
        let taken = everywhere(address.port()).unwrap_err();
        let refused = match cfg!(windows) {
            true => io::ErrorKind::PermissionDenied,
            false => io::ErrorKind::AddrInUse,
        };
        assert!(
            [refused, io::ErrorKind::AddrInUse].contains(&taken.kind()),
            "{taken}"
        );
    }
}
