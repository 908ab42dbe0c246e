//! A relay before a server, of plain TCP: it can let bytes through one by one, or cut the connection
//! when a request arrives. Requests are told by HTTP/2's HEADERS frames (RFC 9113 §4.1, §6.2).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// From one byte to the next where they come one by one.
const PAUSE: Duration = Duration::from_millis(25);

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// Nothing.
    Pass,
    /// It is cut when so many more requests have passed and another one arrives; once.
    CutAt(usize),
    /// Every one is cut at its first request.
    Cut,
    /// As many connections are closed when they are made.
    Close(usize),
    /// Its answers come byte by byte from then on; once.
    DribbleAt(usize),
    /// The answers of every connection do, from its first byte on.
    Dribble,
}

pub struct Relay {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    plan: Mutex<Plan>,
    /// Plans that were carried out.
    done: AtomicUsize,
    /// Connections that were made.
    connections: AtomicUsize,
}

impl Relay {
    /// Before the server on this port.
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

    /// Returns the count of connections that were made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How often a plan was carried out.
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
    /// Counts a connection, and returns whether it is closed.
    fn closes(&self) -> bool {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let mut plan = self.plan.lock().expect("no panic");
        let Plan::Close(left @ 1..) = *plan else {
            return false;
        };
        *plan = Plan::Close(left - 1);
        true
    }

    /// A request arrives.
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

/// Both directions, until either end goes.
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

/// What a client sends: a preface of 24 bytes, then frames.
struct Frames {
    held: Vec<u8>,
    skip: usize,
}

impl Default for Frames {
    fn default() -> Frames {
        Frames {
            held: Vec::new(),
            skip: 24,
        }
    }
}

impl Frames {
    /// How many HEADERS frames begin within these bytes.
    fn headers(&mut self, bytes: &[u8]) -> usize {
        self.held.extend(bytes);
        let mut found = 0;
        loop {
            let skipped = self.skip.min(self.held.len());
            self.held.drain(..skipped);
            self.skip -= skipped;
            let [high, middle, low, kind, _, _, _, _, _, ..] = self.held[..] else {
                return found;
            };
            found += usize::from(kind == 1);
            self.skip = 9 + (usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low));
        }
    }
}
