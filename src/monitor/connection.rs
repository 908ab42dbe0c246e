//! One connection: one request and one response, each with a time limit.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::request::{self, Head, Request};
use super::response::{Answer, REQUEST_TIMEOUT, UNAVAILABLE};
use crate::clock::Clock;
use crate::sys::{self, Interest, Socket};

/// The time limit for a complete head, so that a silent client does not occupy a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The time limit for reading the whole response, so that a slow client does not occupy a connection.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);
/// The time until the connection is closed after the response, and the number of bytes that are discarded
/// meanwhile.
const CLOSE_TIMEOUT: (Duration, usize) = (Duration::from_secs(1), 256 << 10);

pub(super) struct Connection {
    stream: TcpStream,
    state: State,
    until: Instant,
    /// The time of the peer's last progress. Bytes of a head count only when the head is complete.
    waits_since: Instant,
}

/// The loss if a connection is closed, the smallest first; of two equal ones, the one that waits longer is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    Nothing,
    Question,
    Answer,
}

enum State {
    /// The part of the head that has been received.
    Head(Vec<u8>),
    /// The head of the response and its body, and the number of bytes of both that were sent.
    Answer(Vec<u8>, Arc<String>, usize),
    /// The response is complete; closing with unread bytes would discard it.
    Goodbye(usize),
}

/// The next action for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Wait,
    Close,
}

impl Connection {
    /// Creates the connection; `None` if it is already gone.
    pub fn new(stream: TcpStream) -> Option<Connection> {
        stream.set_nonblocking(true).ok()?;
        let now = Clock::system().instant();
        Some(Connection {
            stream,
            state: State::Head(Vec::new()),
            until: now + HEAD_TIMEOUT,
            waits_since: now,
        })
    }

    /// Returns a key by which connections are closed for others, the smallest first: those that have their
    /// response, then those without a complete head, then those that do not read their response. Among equal ones,
    /// the one that waits longest is closed.
    pub fn closed_for_others(&self) -> (Loss, Instant) {
        let loss = match self.state {
            State::Goodbye(_) => Loss::Nothing,
            State::Head(_) => Loss::Question,
            State::Answer(..) => Loss::Answer,
        };
        (loss, self.waits_since)
    }

    /// Closes the connection in favour of another one. A peer that is sending a request gets an error response.
    pub fn give_way(mut self) {
        if let State::Head(_) = self.state {
            let (head, body) = Answer::error(UNAVAILABLE).parts();
            let parts = [IoSlice::new(&head), IoSlice::new(body.as_bytes())];
            let _ = self.stream.write_vectored(&parts);
        }
    }

    pub fn waits(&self) -> (Socket<'_>, Interest) {
        let interest = match self.state {
            State::Answer(..) => Interest::Write,
            State::Head(_) | State::Goodbye(_) => Interest::Read,
        };
        (sys::socket(&self.stream), interest)
    }

    /// Makes progress as far as possible without waiting.
    pub fn drive(&mut self, ready: bool, answer: impl FnOnce(&Request) -> Answer) -> Next {
        let is_late = Clock::system().instant() > self.until;
        if !ready && !is_late {
            return Next::Wait;
        }
        if let State::Head(head) = &mut self.state {
            let more = read_some(&mut self.stream, |bytes| {
                head.extend_from_slice(bytes);
                head.len() <= request::MAX_HEAD_BYTES
            });
            let answer = match request::read(head) {
                Head::Complete(request) => answer(&request),
                Head::Wrong(answer) => answer,
                Head::Unfinished if more != More::Later => return Next::Close,
                Head::Unfinished if is_late => Answer::error(REQUEST_TIMEOUT),
                Head::Unfinished => return Next::Wait,
            };
            let (head, body) = answer.parts();
            self.enter(State::Answer(head, body, 0), RESPONSE_TIMEOUT);
        } else if is_late {
            return Next::Close;
        }
        if let State::Answer(head, body, sent) = &mut self.state {
            loop {
                let of_body = sent.saturating_sub(head.len());
                let rest = [
                    head.get(*sent..).unwrap_or_default(),
                    body.as_bytes().get(of_body..).unwrap_or_default(),
                ];
                if rest.iter().all(|part| part.is_empty()) {
                    break;
                }
                match self.stream.write_vectored(&rest.map(IoSlice::new)) {
                    Ok(0) => return Next::Close,
                    Ok(count) => {
                        *sent += count;
                        self.waits_since = Clock::system().instant();
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return Next::Close,
                }
            }
            if self.stream.shutdown(Shutdown::Write).is_err() {
                return Next::Close;
            }
            self.enter(State::Goodbye(0), CLOSE_TIMEOUT.0);
        }
        if let State::Goodbye(thrown) = &mut self.state {
            let more = read_some(&mut self.stream, |bytes| {
                *thrown += bytes.len();
                *thrown <= CLOSE_TIMEOUT.1
            });
            if more != More::Later {
                return Next::Close;
            }
        }
        Next::Wait
    }

    fn enter(&mut self, state: State, time: Duration) {
        self.state = state;
        self.waits_since = Clock::system().instant();
        self.until = self.waits_since + time;
    }
}

/// Whether more bytes are to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Later,
    Enough,
    Never,
}

/// Reads the available bytes, as long as `take` returns true.
fn read_some(stream: &mut TcpStream, mut take: impl FnMut(&[u8]) -> bool) -> More {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return More::Never,
            Ok(count) => {
                if !take(buffer.get(..count).unwrap_or_default()) {
                    return More::Enough;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return More::Later,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return More::Never,
        }
    }
}
