//! One call over gRPC: started, then waited for, until its deadline or until a stop is requested.
//!
//! Every unary call goes through the streaming entry point, which puts the same bytes on the wire: the unary one
//! panics if a server ends the call successfully but sends no message.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, abortable};
use grpcio::{CallOption, Client, ClientSStreamReceiver, MetadataBuilder};

use super::error_kind::ServerErrorKind;
use super::server_error::{ServerError, is_small};
use super::transport::{Answer, Call, Connection, Credential, Ended, PendingCall, Waited};
use crate::clock::Clock;
use crate::stop::{POLL_INTERVAL, Stop};
use crate::sys;
use crate::text::Escaped;
use crate::wire::method;

impl Connection for Client {
    fn start(&self, call: &Call<'_>) -> Result<Box<dyn PendingCall>, ServerError> {
        let Call { name, timeout, .. } = *call;
        let refused = |error| failure(method::short(name), &error, timeout);
        let option = CallOption::default()
            .timeout(timeout)
            .headers(headers(call.credential).map_err(refused)?);
        let receiver = self
            .server_streaming(&method::unary(name), call.request, option)
            .map_err(refused)?;
        Ok(Box::new(Pending {
            call: method::short(name),
            timeout,
            client: self.clone(),
            receiver,
        }))
    }
}

/// A started call, whose response stays with gRPC's core.
struct Pending {
    call: &'static str,
    timeout: Duration,
    client: Client,
    receiver: ClientSStreamReceiver<Vec<u8>>,
}

impl Pending {
    /// Starts to receive the response: a message is only read from the network when it is requested. gRPC's thread
    /// requests it, so that no other thread wakes up for each part of a response.
    fn receive(self) -> Receiving {
        let (sender, received) = mpsc::sync_channel(1);
        let most = match is_small(self.call) {
            true => MAX_SMALL_BYTES,
            false => usize::MAX, // gRPC's own limit, --max-recv-msg-size
        };
        let (reception, abort) = abortable(receive(self.receiver, most));
        self.client.spawn(async move {
            if let Ok(answer) = reception.await {
                // the waiting side may have been dropped
                let _ = sender.send((answer, Clock::system().instant()));
            }
        });
        Receiving {
            call: self.call,
            timeout: self.timeout,
            received,
            abort,
        }
    }
}

impl PendingCall for Pending {
    fn receive(self: Box<Self>) -> Box<dyn PendingCall> {
        Box::new(Pending::receive(*self))
    }

    fn wait_for(self: Box<Self>, time: Duration, stop: &Stop) -> Waited {
        Pending::receive(*self).wait_for(time, stop)
    }

    fn wait(self: Box<Self>, stop: &Stop) -> Result<Answer, ServerError> {
        Pending::receive(*self).wait(stop)
    }
}

/// The longest time after a call's deadline at which gRPC reports its end.
const MAX_DEADLINE_DELAY: Duration = Duration::from_secs(5);

/// A call whose response is being received.
struct Receiving {
    call: &'static str,
    timeout: Duration,
    /// Receives the response, and the time at which it came.
    received: mpsc::Receiver<(Received, Instant)>,
    abort: AbortHandle,
}

impl Receiving {
    /// Waits for the response, unless a stop is requested before. gRPC enforces the deadline; the wait is not much
    /// longer, whatever happens to gRPC's thread.
    fn wait(self, stop: &Stop) -> Result<Answer, ServerError> {
        let (call, timeout) = (self.call, self.timeout);
        match self.wait_for(timeout + MAX_DEADLINE_DELAY, stop) {
            Waited::Ended(ended) => ended.answer,
            Waited::Pending(_) => Err(ServerError::new(call, ServerErrorKind::Deadline(timeout))),
        }
    }

    fn wait_for(self, time: Duration, stop: &Stop) -> Waited {
        let failed = |kind| Err(ServerError::new(self.call, kind));
        let clock = Clock::system(); // the network needs real time, not a simulated clock
        let end = clock.instant() + time;
        let (answer, at) = loop {
            if stop.requested() {
                break (failed(ServerErrorKind::Stopped), clock.instant());
            }
            let left = clock.until(end);
            match self.received.recv_timeout(left.min(POLL_INTERVAL)) {
                Ok((Ok(answer), at)) => break (Ok(answer), at),
                Ok((Err(Unreceived::NotOneMessage), at)) => {
                    break (failed(ServerErrorKind::NotOneMessage), at);
                }
                Ok((Err(Unreceived::TooLarge), at)) => {
                    break (failed(ServerErrorKind::TooLarge), at);
                }
                Ok((Err(Unreceived::Failed(error)), at)) => {
                    break (Err(failure(self.call, &error, self.timeout)), at);
                }
                Err(RecvTimeoutError::Timeout) if !left.is_zero() => {}
                Err(RecvTimeoutError::Timeout) => return Waited::Pending(Box::new(self)),
                Err(RecvTimeoutError::Disconnected) => {
                    let silence = ServerErrorKind::Deadline(self.timeout);
                    break (failed(silence), clock.instant());
                }
            }
        };
        Waited::Ended(Ended { answer, at })
    }
}

impl PendingCall for Receiving {
    fn receive(self: Box<Self>) -> Box<dyn PendingCall> {
        self
    }

    fn wait_for(self: Box<Self>, time: Duration, stop: &Stop) -> Waited {
        Receiving::wait_for(*self, time, stop)
    }

    fn wait(self: Box<Self>, stop: &Stop) -> Result<Answer, ServerError> {
        Receiving::wait(*self, stop)
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Exactly one message.
type Received = Result<Answer, Unreceived>;

/// The reason why there is no response.
enum Unreceived {
    /// There was no message, or a second one.
    NotOneMessage,
    /// The message is larger than the call allows.
    TooLarge,
    Failed(grpcio::Error),
}

/// The largest response to a call for a state or for a login, in bytes. Up to 64 such calls are received at the
/// same time, and their responses are held until they are used.
const MAX_SMALL_BYTES: usize = 64 << 10;

/// The size of a response, in bytes, from which on its memory is returned to the system immediately. gRPC's parts
/// of a response are small blocks of the heap, which would stay allocated: as much again as the response. Smaller
/// responses are too frequent.
const MIN_TRIMMED_BYTES: usize = 4 << 20;

async fn receive(mut receiver: ClientSStreamReceiver<Vec<u8>>, most: usize) -> Received {
    let message = receiver.next().await.ok_or(Unreceived::NotOneMessage)?;
    let bytes = message.map_err(Unreceived::Failed)?;
    if bytes.len() > most {
        return Err(Unreceived::TooLarge);
    }
    if bytes.len() > MIN_TRIMMED_BYTES {
        sys::trim_memory();
    }
    // not earlier, because the headers of a failed call may never arrive
    let headers = receiver.headers().await.map_err(Unreceived::Failed)?;
    let uuid = headers
        .iter()
        .find(|(key, _)| *key == "immudb-uuid")
        .map(|(_, value)| Escaped::of_bytes(value));
    match receiver.next().await {
        None => Ok(Answer {
            bytes: Arc::new(bytes),
            uuid,
        }),
        Some(Ok(_)) => Err(Unreceived::NotOneMessage),
        Some(Err(error)) => Err(Unreceived::Failed(error)),
    }
}

fn headers(credential: &Credential) -> grpcio::Result<grpcio::Metadata> {
    let mut headers = MetadataBuilder::new();
    match credential {
        Credential::None => {}
        Credential::Token(token) => {
            headers.add_str("authorization", &format!("Bearer {token}"))?;
        }
        Credential::Session(id) => {
            headers.add_str("sessionid", id)?;
        }
    }
    Ok(headers.build())
}

/// Returns the failure for an error of gRPC, in a call with this deadline.
fn failure(call: &'static str, error: &grpcio::Error, timeout: Duration) -> ServerError {
    match error {
        grpcio::Error::RpcFailure(status) | grpcio::Error::RpcFinished(Some(status)) => {
            ServerError::of_status(call, status.code().into(), status.message(), timeout)
        }
        grpcio::Error::Codec(_) => {
            ServerError::with_message(call, ServerErrorKind::NotOneMessage, &error.to_string())
        }
        _ => ServerError::with_message(call, ServerErrorKind::Unreachable, &error.to_string()),
    }
}
