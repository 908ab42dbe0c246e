//! A TCP relay for a server. It can pass the bytes of responses one at a time, or close the
//! connection when a request arrives. It recognizes requests by HTTP/2's HEADERS frames (RFC 9113
//! §4.1, §6.2).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The pause between two bytes of a slow response.
const PAUSE: Duration = Duration::from_millis(25);

/// The relay's treatment of connections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// Passes everything unchanged.
    Pass,
    /// Closes the connection at a request after this many further ones, once.
    CutAt(usize),
    /// Closes each connection at its first request.
    Cut,
    /// Closes this many connections immediately.
    Close(usize),
    /// Passes the responses of a connection byte by byte after this many further requests, once.
    DribbleAt(usize),
    /// Passes all responses byte by byte.
    Dribble,
}

pub struct Relay {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    plan: Mutex<Plan>,
    /// The number of times that a plan was carried out.
    done: AtomicUsize,
    /// The number of connections that were made.
    connections: AtomicUsize,
}

impl Relay {
    /// Starts a relay for the server on this port.
    pub fn before(server: u16) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            plan: Mutex::new(Plan::Pass),
            done: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        });
        let theirs = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if theirs.closes() {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server)) {
                    carry(client, server, &theirs);
                }
            }
        });
        Relay { port, shared }
    }

    pub fn plan(&self, plan: Plan) {
        *self.shared.plan.lock().expect("no panic") = plan;
    }

    /// Returns how many connections were made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Returns how often a plan was carried out.
    pub fn done(&self) -> usize {
        self.shared.done.load(Ordering::SeqCst)
    }
}

enum Next {
    Pass,
    Cut,
    Dribble,
}

impl Shared {
    /// Counts a connection, and returns whether to close it.
    fn closes(&self) -> bool {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let mut plan = self.plan.lock().expect("no panic");
        let Plan::Close(left @ 1..) = *plan else {
            return false;
        };
        *plan = Plan::Close(left - 1);
        true
    }

    /// Decides the treatment of a request.
    fn request(&self) -> Next {
        let mut plan = self.plan.lock().expect("no panic");
        let (next, now) = match *plan {
            Plan::Cut => (Next::Cut, Plan::Cut),
            Plan::CutAt(0) => (Next::Cut, Plan::Pass),
            Plan::CutAt(after) => (Next::Pass, Plan::CutAt(after - 1)),
            Plan::DribbleAt(0) => (Next::Dribble, Plan::Pass),
            Plan::DribbleAt(after) => (Next::Pass, Plan::DribbleAt(after - 1)),
            other => (Next::Pass, other),
        };
        *plan = now;
        if !matches!(next, Next::Pass) {
            self.done.fetch_add(1, Ordering::SeqCst);
        }
        next
    }

    fn dribbles(&self) -> bool {
        *self.plan.lock().expect("no panic") == Plan::Dribble
    }
}

/// Copies both directions until either end closes.
fn carry(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let slow = Arc::new(AtomicBool::new(shared.dribbles()));
    let ends = || {
        let ends = (client.try_clone(), server.try_clone());
        (ends.0.expect("a socket"), ends.1.expect("a socket"))
    };
    let ((mut from, mut to), theirs, dribbles) = (ends(), shared.clone(), slow.clone());
    thread::spawn(move || {
        let mut frames = Frames::default();
        let mut bytes = [0; 16 << 10];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            for _ in 0..frames.headers(&bytes[..length]) {
                match theirs.request() {
                    Next::Pass => {}
                    Next::Cut => return hang_up(&from, &to),
                    Next::Dribble => dribbles.store(true, Ordering::SeqCst),
                }
            }
            if to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        hang_up(&from, &to);
    });
    let (mut to, mut from) = ends();
    thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        'carry: while let Ok(length @ 1..) = from.read(&mut bytes) {
            let mut rest = &bytes[..length];
            while !rest.is_empty() {
                let one = slow.load(Ordering::SeqCst);
                let (now, later) = rest.split_at(if one { 1 } else { rest.len() });
                if to.write_all(now).is_err() {
                    break 'carry;
                }
                if one {
                    thread::sleep(PAUSE);
                }
                rest = later;
            }
        }
        hang_up(&from, &to);
    });
}

fn hang_up(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

/// The bytes from a client: a preface of 24 bytes, then frames.
struct Frames {
    pending: Vec<u8>,
    skip: usize,
}

impl Default for Frames {
    fn default() -> Frames {
        Frames {
            pending: Vec::new(),
            skip: 24,
        }
    }
}

impl Frames {
    /// Returns how many HEADERS frames begin within these bytes.
    fn headers(&mut self, bytes: &[u8]) -> usize {
        self.pending.extend(bytes);
        let mut found = 0;
        loop {
            let skipped = self.skip.min(self.pending.len());
            self.pending.drain(..skipped);
            self.skip -= skipped;
            let [high, middle, low, kind, _, _, _, _, _, ..] = self.pending[..] else {
                return found;
            };
            found += usize::from(kind == 1);
            self.skip = 9 + (usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low));
        }
    }
}
