//! One call: started, then waited for, within its deadline and no longer than the program runs.
//!
//! Every unary call goes through the streaming entry point, which puts the same bytes on the wire:
//! the unary one panics where a server ends the call well but sends no message.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, abortable};
use grpcio::{CallOption, Client, ClientSStreamReceiver, MetadataBuilder};

use super::calls::short;
use super::failure::{Failure, Kind};
use crate::stop::{GLANCE, Stop};
use crate::text::Shown;
use crate::wire::{Malformed, method};

/// What identifies the caller to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    None,
    /// After `Login` or `UseDatabase`.
    Token(String),
    /// After `OpenSession`.
    Session(String),
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The message's bytes, which the transcript keeps as well.
    pub bytes: Arc<Vec<u8>>,
    /// The `immudb-uuid` header: the server's claim who it is, cut and escaped.
    pub uuid: Option<Shown>,
}

impl Answer {
    /// What it says, of the call `name` with its path.
    pub(super) fn decode<T>(
        &self,
        name: &'static str,
        decode: fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, Failure> {
        let call = short(name);
        decode(&self.bytes).map_err(|malformed| Failure::malformed(call, malformed))
    }
}

/// A call on its way, whose answer stays with gRPC's core; to drop it cancels it.
pub(super) struct Pending {
    call: &'static str,
    timeout: Duration,
    client: Client,
    receiver: ClientSStreamReceiver<Vec<u8>>,
}

impl Pending {
    pub fn start(
        client: &Client,
        name: &'static str,
        request: &Vec<u8>,
        credential: &Credential,
        timeout: Duration,
    ) -> Result<Pending, Failure> {
        let call = short(name);
        let refused = |error| Failure::of_grpc(call, &error, timeout);
        let option = CallOption::default()
            .timeout(timeout)
            .headers(headers(credential).map_err(refused)?);
        let receiver = client
            .server_streaming(&method::unary(name), request, option)
            .map_err(refused)?;
        Ok(Pending {
            call,
            timeout,
            client: client.clone(),
            receiver,
        })
    }

    /// Lets the answer come: a message is only taken off the network once somebody asks for it. It
    /// is gRPC's thread that asks, so that nobody is woken for each part of an answer.
    pub fn receive(self) -> Receiving {
        let (sender, received) = mpsc::sync_channel(1);
        let (reception, abort) = abortable(receive(self.receiver));
        self.client.spawn(async move {
            if let Ok(answer) = reception.await {
                // who waited may have gone
                let _ = sender.send(answer);
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

/// How much later than a call's deadline its end is told at the latest.
const GRACE: Duration = Duration::from_secs(5);

/// A call whose answer is being taken up; to drop it cancels it.
pub(super) struct Receiving {
    call: &'static str,
    timeout: Duration,
    received: mpsc::Receiver<Received>,
    abort: AbortHandle,
}

impl Receiving {
    /// The answer, unless the program is asked to end before. gRPC sees to the deadline; nothing
    /// is waited for much longer, whatever becomes of its thread.
    pub fn wait(self, stop: &Stop) -> Result<Answer, Failure> {
        let failed = |kind| Err(Failure::new(self.call, kind));
        let end = Instant::now() + self.timeout + GRACE;
        while !stop.requested() {
            match self.received.recv_timeout(GLANCE) {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(None)) => return failed(Kind::NotOneMessage),
                Ok(Err(Some(error))) => {
                    return Err(Failure::of_grpc(self.call, &error, self.timeout));
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
                Err(_) => return failed(Kind::Deadline(self.timeout)),
            }
        }
        failed(Kind::Stopped)
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Exactly one message; `None` as error where there is none or a second one.
type Received = Result<Answer, Option<grpcio::Error>>;

async fn receive(mut receiver: ClientSStreamReceiver<Vec<u8>>) -> Received {
    let bytes = receiver.next().await.ok_or(None)?.map_err(Some)?;
    // only now: after a call that failed, the headers may never come
    let headers = receiver.headers().await.map_err(Some)?;
    let uuid = headers
        .iter()
        .find(|(key, _)| *key == "immudb-uuid")
        .map(|(_, value)| Shown::of_bytes(value));
    match receiver.next().await {
        None => Ok(Answer {
            bytes: Arc::new(bytes),
            uuid,
        }),
        Some(Ok(_)) => Err(None),
        Some(Err(error)) => Err(Some(error)),
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
