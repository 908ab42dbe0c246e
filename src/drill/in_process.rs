//! Calls to the embedded ledger within the process, over a network that the caller simulates: no socket, no
//! thread, and no waiting with a simulated clock. Whatever the delivery of a response, the call ends as it would
//! with gRPC.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::deliver::{self, Outcome};
use super::embedded::Embedded;
use super::service::Answered;
use super::store::Store;
use super::transport::lock;
use crate::clock::Clock;
use crate::server::{
    Answer, Call, Connection, Credential, Ended, PendingCall, ServerError, ServerErrorKind, Tls,
    Transport, Waited,
};
use crate::stop::Stop;
use crate::text::Escaped;

/// The largest response that arrives, in bytes: gRPC's own limit, which is also the auditor's default.
const MAX_ANSWER: usize = 4 << 20;

/// A call that a simulated network delivers.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The call's name in [`wire::method`](crate::wire::method).
    pub call: &'static str,
    /// The database of the call; `None` if it concerns no single one.
    pub database: Option<&'a str>,
}

/// The effect of a simulated network on a call. A time after the call's deadline ends the call at its deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The response arrives after this time.
    After(Duration),
    /// The request gets lost, and the call ends at its deadline.
    Lost,
    /// The connection fails after this time. The server has not received the request.
    Refused(Duration),
    /// The connection breaks after this time. The server has responded, but the response does not arrive.
    Cut(Duration),
    /// A proxy responds after this time, with this status of gRPC and this message.
    Status(Duration, i32, String),
}

type Network = Box<dyn FnMut(&Sent<'_>) -> Delivery>;

/// A transport to an embedded ledger of the same process.
#[derive(Clone)]
pub struct InProcess {
    store: Arc<Mutex<Store>>,
    clock: Clock,
    network: Rc<RefCell<Network>>,
}

impl Embedded {
    /// Returns a transport to the server within this process. `network` decides the delivery of each call.
    pub fn in_process(&self, network: impl FnMut(&Sent<'_>) -> Delivery + 'static) -> InProcess {
        InProcess {
            store: self.store.clone(),
            clock: lock(&self.store).options.clock.clone(),
            network: Rc::new(RefCell::new(Box::new(network))),
        }
    }
}

impl InProcess {
    /// Asks the network for the delivery of a call. The store is not locked meanwhile, because a network may write
    /// to the ledger.
    fn delivery(&self, call: &Call<'_>) -> Delivery {
        let (away, database) = {
            let store = lock(&self.store);
            let database = store.database_of(call.name, word(call.credential), call.request);
            (store.away, database)
        };
        let sent = Sent {
            call: call.name,
            database: database.as_deref(),
        };
        let delivery = (self.network.borrow_mut())(&sent);
        match away {
            true => Delivery::Refused(Duration::ZERO),
            false => delivery,
        }
    }

    /// Returns the server's response, and the time that it takes in addition to the network's; `None` if it never
    /// comes.
    fn answer(&self, call: &Call<'_>) -> (Result<Answer, ServerError>, Option<Duration>) {
        let delivered = {
            let mut store = lock(&self.store);
            let Answered { reply, active } = store.answer(call.name, call.credential, call.request);
            deliver::delivery(active.as_ref(), call.name, reply, &store)
        };
        let status = |code, message: &str| {
            let failure = ServerError::of_status(call.short_name(), code, message, call.timeout);
            Err(failure)
        };
        let answer = match delivered.outcome {
            Outcome::Silence => {
                return (failed(call, ServerErrorKind::Deadline(call.timeout)), None);
            }
            Outcome::NoMessage => failed(call, ServerErrorKind::NotOneMessage),
            Outcome::Error(error) => status(error.code, &error.message),
            Outcome::Message(_) if delivered.gzip => failed(call, ServerErrorKind::Compressed),
            Outcome::Message(bytes) if bytes.len() > MAX_ANSWER => status(
                RESOURCE_EXHAUSTED,
                &format!(
                    "Received message larger than max ({} vs. {MAX_ANSWER})",
                    bytes.len()
                ),
            ),
            Outcome::Message(bytes) => Ok(Answer {
                bytes: Arc::new(bytes),
                uuid: delivered
                    .uuid
                    .map(|uuid| Escaped::of_bytes(uuid.as_bytes())),
            }),
        };
        (answer, Some(delivered.delay.unwrap_or_default()))
    }
}

/// The status of gRPC for a response that is too large.
const RESOURCE_EXHAUSTED: i32 = 8;

impl Transport for InProcess {
    fn connect(&mut self, _: Option<Tls>) -> Box<dyn Connection> {
        Box::new(self.clone())
    }
}

impl Connection for InProcess {
    fn start(&self, call: &Call<'_>) -> Result<Box<dyn PendingCall>, ServerError> {
        let unsendable = |byte: u8| !(b' '..=b'~').contains(&byte);
        if word(call.credential).is_some_and(|word| word.bytes().any(unsendable)) {
            return failed(call, ServerErrorKind::Unreachable); // as with gRPC, which cannot send these bytes as a header
        }
        let (ended, after) = match self.delivery(call) {
            Delivery::After(time) => {
                let (answer, more) = self.answer(call);
                (answer, more.map(|more| time + more))
            }
            Delivery::Lost => (failed(call, ServerErrorKind::Deadline(call.timeout)), None),
            Delivery::Refused(time) => (failed(call, ServerErrorKind::Unreachable), Some(time)),
            Delivery::Cut(time) => {
                let _ = self.answer(call);
                (failed(call, ServerErrorKind::Unreachable), Some(time))
            }
            Delivery::Status(time, code, message) => {
                let failure =
                    ServerError::of_status(call.short_name(), code, &message, call.timeout);
                (Err(failure), Some(time))
            }
        };
        let in_time = after.filter(|after| *after < call.timeout);
        Ok(Box::new(Underway {
            call: call.short_name(),
            ended: match in_time {
                Some(_) => ended,
                None => failed(call, ServerErrorKind::Deadline(call.timeout)),
            },
            end: self.clock.instant() + in_time.unwrap_or(call.timeout),
            clock: self.clock.clone(),
        }))
    }
}

/// A call whose result is decided and due at a later time.
struct Underway {
    call: &'static str,
    ended: Result<Answer, ServerError>,
    end: Instant,
    clock: Clock,
}

impl PendingCall for Underway {
    fn receive(self: Box<Self>) -> Box<dyn PendingCall> {
        self
    }

    fn wait_for(self: Box<Self>, time: Duration, stop: &Stop) -> Waited {
        let end = self.clock.instant() + time;
        if self.end <= end {
            let at = self.end;
            let answer = self.wait(stop);
            return Waited::Ended(Ended { answer, at });
        }
        self.clock.sleep_until(end, stop);
        match stop.requested() {
            true => Waited::Ended(Ended {
                answer: Err(ServerError::new(self.call, ServerErrorKind::Stopped)),
                at: self.clock.instant(),
            }),
            false => Waited::Pending(self),
        }
    }

    fn wait(self: Box<Self>, stop: &Stop) -> Result<Answer, ServerError> {
        self.clock.sleep_until(self.end, stop);
        if stop.requested() {
            return Err(ServerError::new(self.call, ServerErrorKind::Stopped));
        }
        self.ended
    }
}

fn failed<T>(call: &Call<'_>, kind: ServerErrorKind) -> Result<T, ServerError> {
    Err(ServerError::new(call.short_name(), kind))
}

/// Returns the token or session of a credential.
fn word(credential: &Credential) -> Option<&str> {
    match credential {
        Credential::None => None,
        Credential::Token(word) | Credential::Session(word) => Some(word),
    }
}
