//! The transport of calls to a server: gRPC, or within the process, with a network that a test simulates.
//! Credentials, retries, deadlines, prefetching and counting are the same for each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::endpoint::Tls;
use super::server_error::ServerError;
use crate::stop::Stop;
use crate::text::Escaped;
use crate::wire::{Malformed, method};

/// Opens connections to one server.
pub trait Transport {
    /// Opens a connection, from now on with these certificates and key if there are any. A connection that cannot
    /// be made fails at its first call.
    fn connect(&mut self, tls: Option<Tls>) -> Box<dyn Connection>;

    /// Ends the threads of connections, after each connection was dropped; the next connection starts them again.
    fn end(&mut self) {}
}

/// A connection to a server.
pub trait Connection {
    /// Starts a call.
    ///
    /// # Errors
    /// The call cannot be made at all, such as with a credential that no header can contain.
    fn start(&self, call: &Call<'_>) -> Result<Box<dyn PendingCall>, ServerError>;
}

/// A started call; dropping it cancels it.
pub trait PendingCall {
    /// Starts to receive the response before it is waited for.
    #[must_use]
    fn receive(self: Box<Self>) -> Box<dyn PendingCall>;

    /// Waits for the response at most for this time, and otherwise as [`PendingCall::wait`] does.
    fn wait_for(self: Box<Self>, time: Duration, stop: &Stop) -> Waited;

    /// Waits for the response, until the deadline of the call or until a stop is requested.
    ///
    /// # Errors
    /// The call ended in another way.
    fn wait(self: Box<Self>, stop: &Stop) -> Result<Answer, ServerError>;
}

/// The result of a wait.
pub enum Waited {
    /// The call has ended.
    Ended(Ended),
    /// The call has not ended yet.
    Pending(Box<dyn PendingCall>),
}

/// The end of a call.
pub struct Ended {
    /// The result of the call.
    pub answer: Result<Answer, ServerError>,
    /// The time at which the response was received, which may be long before it was waited for.
    pub at: Instant,
}

/// A call to start.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The call's name, with its path.
    pub name: &'static str,
    /// The bytes of its request.
    pub request: &'a Vec<u8>,
    /// The credential of the caller.
    pub credential: &'a Credential,
    /// Its deadline, from its start.
    pub timeout: Duration,
}

impl Call<'_> {
    /// Returns the call's name without its path.
    pub fn short_name(&self) -> &'static str {
        method::short(self.name)
    }
}

/// The caller's proof of identity to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// None is needed, or there is none yet.
    None,
    /// After `Login` or `UseDatabase`.
    Token(String),
    /// After `OpenSession`.
    Session(String),
}

/// A response, not decoded.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The message's bytes, which the transcript also stores.
    pub bytes: Arc<Vec<u8>>,
    /// The `immudb-uuid` header: the identity that the server claims, cut and escaped.
    pub uuid: Option<Escaped>,
}

impl Answer {
    /// Decodes the response to the call `name`, which is given with its path.
    pub(super) fn decode<T>(
        &self,
        name: &'static str,
        decode: fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, ServerError> {
        let call = method::short(name);
        decode(&self.bytes).map_err(|malformed| ServerError::malformed(call, malformed))
    }
}
