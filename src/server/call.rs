//! One call: started, then waited for, within its deadline and no longer than the program runs.
//!
//! Every unary call goes through the streaming entry point, which puts the same bytes on the wire:
//! the unary one panics where a server ends the call well but sends no message.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use futures_util::StreamExt;
use grpcio::{CallOption, Client, ClientSStreamReceiver, MetadataBuilder};

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
        let call = name.rsplit('/').next().unwrap_or(name);
        decode(&self.bytes).map_err(|malformed| Failure::malformed(call, malformed))
    }
}

/// A call on its way.
pub(super) struct Pending {
    call: &'static str,
    timeout: Duration,
    receiver: ClientSStreamReceiver<Vec<u8>>,
    /// What came while nobody waited.
    came: Option<Message>,
}

type Message = Option<grpcio::Result<Vec<u8>>>;

impl Pending {
    pub fn start(
        client: &Client,
        name: &'static str,
        request: &Vec<u8>,
        credential: &Credential,
        timeout: Duration,
    ) -> Result<Pending, Failure> {
        let call = name.rsplit('/').next().unwrap_or(name);
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
            receiver,
            came: None,
        })
    }

    /// Lets the answer come while this thread does something else: a message is only taken off the
    /// network once somebody asks for it.
    pub fn receive_meanwhile(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(message) = self.receiver.poll_next_unpin(&mut context) {
            self.came = Some(message);
        }
    }

    /// The answer; dropping what is waited for cancels the call.
    pub fn wait(mut self, stop: &Stop) -> Result<Answer, Failure> {
        let (call, timeout) = (self.call, self.timeout);
        let answer = block_on(self.answer(), stop);
        match answer {
            None => Err(Failure::new(call, Kind::Stopped)),
            Some(Ok(answer)) => Ok(answer),
            Some(Err(None)) => Err(Failure::new(call, Kind::NotOneMessage)),
            Some(Err(Some(error))) => Err(Failure::of_grpc(call, &error, timeout)),
        }
    }

    /// Exactly one message; `None` as error where there is none or a second one.
    async fn answer(&mut self) -> Result<Answer, Option<grpcio::Error>> {
        let message = match self.came.take() {
            Some(message) => message,
            None => self.receiver.next().await,
        };
        let bytes = message.ok_or(None)?.map_err(Some)?;
        // only now: after a call that failed, the headers may never come
        let headers = self.receiver.headers().await.map_err(Some)?;
        let uuid = headers
            .iter()
            .find(|(key, _)| *key == "immudb-uuid")
            .map(|(_, value)| Shown::of_bytes(value));
        match self.receiver.next().await {
            None => Ok(Answer {
                bytes: Arc::new(bytes),
                uuid,
            }),
            Some(Ok(_)) => Err(None),
            Some(Err(error)) => Err(Some(error)),
        }
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

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread; `None` where the program is asked to end before.
fn block_on<T>(future: impl Future<Output = T>, stop: &Stop) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        if stop.requested() {
            return None;
        }
        thread::park_timeout(GLANCE);
    }
}
