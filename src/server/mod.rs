//! One immudb server for the auditor: the connection, the login, and a handful of calls, each with a deadline and
//! classified errors (protocol.md §1).

#![forbid(unsafe_code)]

mod calls;
mod channel;
mod classify;
mod core;
mod credentials;
mod database_list;
mod denied;
mod endpoint;
mod error_kind;
mod exchange;
mod grpc;
mod prefetch;
mod prefetch_queue;
mod renewal;
mod rest;
mod run_of_txs;
mod secrets;
mod server_error;
mod session;
mod tls_hint;
mod transcript;
mod transport;

use std::time::{Duration, Instant};

pub use crate::config::Login;
pub use calls::{Calls, Counted};
pub use channel::{SystemRootsError, system_roots};
pub use database_list::DatabaseList;
pub use endpoint::{ClientCertificate, Endpoint, Security, Tls};
pub use error_kind::ServerErrorKind;
pub use prefetch::Peeked;
pub use rest::LONG_PAUSE;
pub use server_error::ServerError;
pub use transcript::{Exchange, MAX_REPLY, MAX_TRANSCRIPT, Shortened, Transcript};
pub use transport::{Answer, Call, Connection, Credential, Ended, PendingCall, Transport, Waited};

use crate::clock::Clock;
use crate::ledger::{ClaimedState, GetEntry};
use crate::stop::Stop;
use crate::text::Escaped;
use crate::wire::{self, Entries, Malformed, Tx, VerifiableTx, method};
use channel::GrpcTransport;
use credentials::is_refusal;
use exchange::Caller;
use prefetch_queue::PrefetchQueue;
use renewal::Renewal;
use session::Session;
use tls_hint::ConnectionSecurity;

/// The database of a server without authentication, and the first of any other.
pub const DEFAULT_DATABASE: &str = "defaultdb";

/// One server, with its connection and its tokens, which last from cycle to cycle.
pub struct Server {
    /// The prefetched calls; the first field, so that they are cancelled while there is a connection.
    prefetched: PrefetchQueue,
    connection: Option<Box<dyn Connection>>,
    transport: Box<dyn Transport>,
    /// Whether the connection has brought a response.
    carried: bool,
    /// Whether the last call over the connection ran into a shortened deadline.
    stalled: bool,
    /// The time at which a failed connection was last tried again in this cycle.
    reconnected: Option<Instant>,
    session: Session,
    timeout: Duration,
    stop: Stop,
    clock: Clock,
    transcript: Transcript,
    identity: Option<Escaped>,
    /// The end of all calls, whatever their own deadlines.
    until: Option<Instant>,
    calls: Calls,
    progress: Option<Box<dyn Fn()>>,
    renewal: Renewal,
    connection_security: ConnectionSecurity,
    /// The maximum length of a response, in bytes; 0: there is no limit.
    largest_answer: u64,
}

/// The end of all calls that applied before another end was set.
#[derive(Debug)]
pub struct Limit(Option<Instant>);

/// The response to a scan, not decoded yet.
pub struct Scanned(Answer);

impl Scanned {
    /// Returns the number of bytes.
    pub fn size(&self) -> u64 {
        u64::try_from(self.0.bytes.len()).unwrap_or(u64::MAX)
    }

    /// Returns the transactions in order, each decoded separately.
    ///
    /// # Errors
    /// [`ServerErrorKind::Malformed`] if the response is no list of transactions.
    pub fn decode(self) -> Result<Vec<Result<Tx, Malformed>>, ServerError> {
        self.0.decode(method::TX_SCAN, wire::tx_list)
    }
}

impl Server {
    /// Creates a server that is reached by gRPC; nothing is sent before the first call.
    ///
    /// # Errors
    /// TLS needs the system's CAs, and there are none.
    pub fn new(
        endpoint: Endpoint,
        login: Login,
        timeout: Duration,
        stop: Stop,
    ) -> Result<Server, SystemRootsError> {
        let largest_answer = u64::try_from(endpoint.max_answer).unwrap_or(0);
        let connection_security = match endpoint.security {
            Security::Plaintext => ConnectionSecurity::Plain,
            Security::Tls(_) => ConnectionSecurity::Tls,
        };
        let transport = Box::new(GrpcTransport::new(endpoint)?);
        let server = Server::over(transport, login, timeout, stop);
        Ok(Server {
            connection_security,
            largest_answer,
            ..server
        })
    }

    /// Creates a server that is reached over another transport.
    pub fn over(
        transport: Box<dyn Transport>,
        login: Login,
        timeout: Duration,
        stop: Stop,
    ) -> Server {
        let clock = Clock::system();
        Server {
            transport,
            connection: None,
            carried: false,
            stalled: false,
            reconnected: None,
            session: Session::new(login),
            timeout,
            stop,
            calls: Calls::new(clock.clone()),
            clock,
            transcript: Transcript::default(),
            identity: None,
            until: None,
            prefetched: PrefetchQueue::default(),
            progress: None,
            renewal: Renewal::default(),
            connection_security: ConnectionSecurity::Neither,
            largest_answer: 0,
        }
    }

    /// Takes over another server's transport, login and deadline; counts, clock and progress callback stay. The
    /// next call opens a connection and logs in.
    pub fn take_setup_of(&mut self, other: Server) {
        self.prefetched.forget(); // also what was received: it may be of another server
        self.disconnect();
        self.transport.end();
        self.transport = other.transport;
        self.session = other.session;
        self.timeout = other.timeout;
        self.renewal = other.renewal;
        self.connection_security = other.connection_security;
        self.largest_answer = other.largest_answer;
    }

    /// Returns the maximum length of a response, in bytes (`--max-recv-msg-size`).
    pub fn largest_answer(&self) -> u64 {
        self.largest_answer
    }

    /// Calls `progress` after each exchange, whatever its result.
    #[must_use]
    pub fn on_progress(self, progress: impl Fn() + 'static) -> Server {
        Server {
            progress: Some(Box::new(progress)),
            ..self
        }
    }

    /// Uses `clock` instead of the system's.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Server {
        Server {
            calls: Calls::new(clock.clone()),
            clock,
            ..self
        }
    }

    /// Returns the clock for deadlines and pauses.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sets the pause after which a refused credential may be renewed again within one cycle, 30 s by
    /// default.
    #[must_use]
    pub fn with_renewal_pause(mut self, pause: Duration) -> Server {
        self.session.set_renewal_pause(pause);
        self
    }

    /// Begins a cycle, in which every credential may be renewed once more.
    pub fn begin_cycle(&mut self) {
        self.session.begin_cycle();
        self.reconnected = None;
        self.prefetched.forget();
    }

    /// Limits all further calls to end by `until`, or by an earlier limit. Returns the earlier limit, for
    /// [`Server::restore`]. If the limit shortens or prevents a call, that says nothing about the server
    /// ([`ServerErrorKind::CutShort`]).
    #[must_use]
    pub fn limit(&mut self, until: Instant) -> Limit {
        let before = self.until;
        self.until = Some(before.map_or(until, |before| before.min(until)));
        Limit(before)
    }

    /// Restores an earlier limit.
    pub fn restore(&mut self, before: Limit) {
        self.until = before.0;
    }

    /// Returns whether a call can be made before the limit.
    pub fn has_time(&self) -> bool {
        !self.timeout_now().is_zero()
    }

    /// Forgets the tokens of databases that `keeps` does not select.
    pub fn keep_credentials(&mut self, keeps: impl Fn(&str) -> bool) {
        self.session.keep(keeps);
    }

    /// Clears the transcript, so that a finding's evidence is about one database only.
    pub fn begin_transcript(&mut self) {
        self.transcript.begin();
    }

    /// Begins a transcript with the list of databases, for a database that is not listed: the list proves that.
    pub fn begin_transcript_with_list(&mut self) {
        self.transcript.begin();
        self.transcript.add_list();
    }

    /// Returns the requests and responses since [`Server::begin_transcript`].
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Returns the identity that the server last sent: a claim.
    pub fn identity(&self) -> Option<&Escaped> {
        self.identity.as_ref()
    }

    /// Returns the counter of calls, which stays up to date.
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// Returns the names of the databases that this user may see, unchanged.
    pub fn databases(&mut self) -> Result<DatabaseList, ServerError> {
        let list = self.call_as_user(method::DATABASE_LIST, wire::empty(), wire::database_list);
        match list {
            // a server without authentication may have the default database and refuse the list
            Err(failure) if self.session.is_off() && is_refusal(&failure) => {
                Ok(DatabaseList::Assumed)
            }
            list => list.map(DatabaseList::Shown),
        }
    }

    /// Opens a database again, whether it is listed or not, to find out whether it exists for this user.
    pub fn open(&mut self, database: &str) -> Result<(), ServerError> {
        self.prefetched
            .cancel_of(database, &self.stop, self.clock.instant());
        self.open_again(database).map(drop)
    }

    /// Returns the state that the server claims for a database.
    pub fn state(&mut self, database: &str) -> Result<ClaimedState, ServerError> {
        self.call(database, method::CURRENT_STATE, wire::empty(), wire::state)
    }

    /// Returns a transaction with its dual proof.
    pub fn verifiable_tx(
        &mut self,
        database: &str,
        tx: u64,
        prove_since: u64,
        entries: Entries,
    ) -> Result<VerifiableTx, ServerError> {
        let request = wire::verifiable_tx_by_id(tx, prove_since, entries);
        self.call(
            database,
            method::VERIFIABLE_TX_BY_ID,
            request,
            wire::verifiable_tx,
        )
    }

    /// Returns a transaction.
    pub fn tx(&mut self, database: &str, tx: u64, entries: Entries) -> Result<Tx, ServerError> {
        let request = wire::tx_by_id(tx, entries);
        self.call(database, method::TX_BY_ID, request, wire::tx)
    }

    /// Returns up to `limit` transactions from `initial` on, in order. The response is not decoded yet, so that
    /// the next one can be requested first.
    pub fn tx_scan(
        &mut self,
        database: &str,
        initial: u64,
        limit: u32,
        entries: Entries,
    ) -> Result<Scanned, ServerError> {
        let request = wire::tx_scan(initial, limit, entries);
        let answer = self.ask(database, method::TX_SCAN, request)?;
        Ok(Scanned(answer))
    }

    /// Returns the value that a key (without its kind byte) got in one transaction.
    pub fn get(&mut self, database: &str, key: &[u8], at_tx: u64) -> Result<GetEntry, ServerError> {
        self.call(
            database,
            method::GET,
            wire::get(key, at_tx),
            wire::get_entry,
        )
    }

    fn call<T>(
        &mut self,
        database: &str,
        name: &'static str,
        request: Vec<u8>,
        decode: fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, ServerError> {
        let answer = self.ask(database, name, request)?;
        answer.decode(name, decode)
    }

    /// Makes a call within a database. If its credential is refused and may be renewed now, it is renewed and the call
    /// is repeated once.
    fn ask(
        &mut self,
        database: &str,
        name: &'static str,
        request: Vec<u8>,
    ) -> Result<Answer, ServerError> {
        let credential = match self.credential_for(database) {
            Err(_) if self.has_received(name, database) => Credential::None, // no call is made
            credential => credential?,
        };
        let answer = self.send(name, &request, Caller::within(database, &credential));
        let now = self.clock.instant();
        if self.session.is_refused(&answer) && self.session.may_renew(database, now) {
            self.prefetched
                .cancel_of(database, &self.stop, self.clock.instant()); // the calls were sent with the old credential
            let credential = self.renew_credential_for(database)?;
            return self.send(name, &request, Caller::within(database, &credential));
        }
        answer
    }

    fn has_received(&self, name: &'static str, database: &str) -> bool {
        let now = self.clock.instant();
        name == method::CURRENT_STATE && self.prefetched.has_received_state(database, now)
    }

    /// Makes a call outside any database, as [`Server::ask`] does within one.
    fn call_as_user<T>(
        &mut self,
        name: &'static str,
        request: Vec<u8>,
        decode: fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, ServerError> {
        let credential = self.credential_of_user()?;
        let mut answer = self.send(name, &request, Caller::user(&credential));
        if self.session.is_refused(&answer) {
            if let Some(credential) = self.renew_credential_of_user()? {
                answer = self.send(name, &request, Caller::user(&credential));
            }
        }
        answer?.decode(name, decode)
    }
}
