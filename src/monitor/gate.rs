//! All connections, limited in number and time, in one endless loop.

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::connection::{Connection, Next};
use super::request::Request;
use super::response::Answer;
use crate::sys::{self, Interest};

/// The maximum number of concurrent connections, if the process may have enough descriptors.
const MAX_CONNECTIONS: u64 = 64;
/// The maximum number of connections that are accepted in one round, so that a burst of new ones does not starve
/// the others. It equals the maximum number of connections: each may get its response in between.
const MAX_ACCEPTED_PER_ROUND: usize = 64;
/// The time for which no connection is accepted after the descriptors ran out.
const FAILED_ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The time between two checks of the deadlines.
const DEADLINE_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Serves without end.
pub(super) fn serve(listener: &TcpListener, mut answer: impl FnMut(&Request) -> Answer) {
    // leave most descriptors to the audit
    let most =
        usize::try_from((sys::descriptor_limit() / 4).clamp(2, MAX_CONNECTIONS)).unwrap_or(2);
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let mut waits = vec![(sys::socket(listener), Interest::Read)];
        waits.extend(connections.iter().map(Connection::waits));
        // without connections there is no deadline, so wait without a timeout
        let tick = if connections.is_empty() {
            Duration::MAX
        } else {
            DEADLINE_CHECK_INTERVAL
        };
        let ready = sys::wait_ready(&waits, tick);
        let mut kept = Vec::new();
        for (mut connection, ready) in connections.into_iter().zip(ready.iter().skip(1)) {
            if connection.drive(*ready, &mut answer) == Next::Wait {
                kept.push(connection);
            }
        }
        connections = kept;
        if ready.first() == Some(&true) {
            if let Err(error) = accept(listener, &mut connections, most, &mut answer) {
                log::debug!(reason:% = error; "the monitoring port accepts no connection");
                thread::sleep(FAILED_ACCEPT_PAUSE);
            }
        }
    }
}

/// Accepts the connections that wait.
fn accept(
    listener: &TcpListener,
    connections: &mut Vec<Connection>,
    most: usize,
    mut answer: impl FnMut(&Request) -> Answer,
) -> io::Result<()> {
    for _ in 0..MAX_ACCEPTED_PER_ROUND {
        match listener.accept() {
            Ok((stream, _)) => admit(stream, connections, most, &mut answer),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(()),
                // the client's fault, such as a reset before the connection was accepted
                ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                _ => return Err(error), // the auditor's fault and temporary: no descriptors or no memory
            },
        }
    }
    Ok(())
}

/// Admits a connection. If there are too many, another one is closed, so that peers that send or read nothing do
/// not block a probe.
fn admit(
    stream: TcpStream,
    connections: &mut Vec<Connection>,
    most: usize,
    answer: impl FnMut(&Request) -> Answer,
) {
    let Some(mut connection) = Connection::new(stream) else {
        return;
    };
    if connections.len() >= most {
        let by_loss = connections.iter().enumerate();
        let first = by_loss.min_by_key(|(_, connection)| connection.closed_for_others());
        if let Some((place, _)) = first {
            connections.remove(place).give_way();
        }
    }
    // a request head that arrived already is answered now, before later connections can close this one
    if connection.drive(true, answer) == Next::Wait {
        connections.push(connection);
    }
}
