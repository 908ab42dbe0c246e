//! One call from its request to its response: over a new connection if the old one is gone, and over another one
//! if that fails immediately.

use std::time::{Duration, Instant};

use super::Server;
use super::error_kind::ServerErrorKind;
use super::server_error::ServerError;
use super::session::has_paused;
use super::tls_hint;
use super::transport::{Answer, Call, Credential, Ended};
use crate::wire::method;

/// The pauses before a connection that failed is tried again: together less than a second, and long enough for a
/// server that is just binding its socket.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// A connection that takes longer to fail is not tried again: an outage must not last twice as long.
const MAX_RETRIED_FAILURE_TIME: Duration = Duration::from_secs(1);
/// The pause after which a connection may be tried again within one cycle. Without it, an outage would cause a
/// wait for each of a thousand databases.
const RECONNECT_PAUSE: Duration = Duration::from_secs(30);

/// The caller of a call, as the server identifies it.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    /// The database of the call; `None` if it concerns no single one.
    pub database: Option<&'a str>,
    pub credential: &'a Credential,
}

impl<'a> Caller<'a> {
    /// The caller before a login.
    pub const NOBODY: Caller<'static> = Caller::user(&Credential::None);

    /// Returns the caller outside any database.
    pub const fn user(credential: &'a Credential) -> Caller<'a> {
        Caller {
            database: None,
            credential,
        }
    }

    /// Returns the caller within a database.
    pub const fn within(database: &'a str, credential: &'a Credential) -> Caller<'a> {
        Caller {
            database: Some(database),
            credential,
        }
    }
}

impl Server {
    /// Makes a call. Repeats it if a connection that carried calls before turns out to be gone (the server may have
    /// been restarted), or if a connection fails immediately. Every call of this program only reads.
    pub(super) fn send(
        &mut self,
        name: &'static str,
        request: &Vec<u8>,
        caller: Caller<'_>,
    ) -> Result<Answer, ServerError> {
        let carried = self.carried;
        let mut begin = self.clock.instant();
        let mut answer = self.exchange(name, request, caller);
        if carried && is_unreachable(&answer) {
            begin = self.clock.instant();
            answer = self.exchange(name, request, caller);
        }
        let mut permitted = false;
        for pause in RETRY_PAUSES {
            let failed = self.clock.since(begin);
            if !is_unreachable(&answer)
                || failed >= MAX_RETRIED_FAILURE_TIME
                || self.timeout_now() <= pause
            {
                break;
            }
            // the last condition, because a permission is granted only once for a while
            permitted = permitted || self.may_reconnect(self.clock.instant());
            if !permitted {
                break;
            }
            self.clock.sleep(pause, &self.stop); // after a stop, the next exchange returns `Stopped`
            begin = self.clock.instant();
            answer = self.exchange(name, request, caller);
        }
        answer
    }

    /// Returns whether a connection that failed may be tried again: once in a cycle, and again after a
    /// pause.
    fn may_reconnect(&mut self, now: Instant) -> bool {
        let may = has_paused(self.reconnected.as_ref(), now, RECONNECT_PAUSE);
        if may {
            self.reconnected = Some(now);
        }
        may
    }

    /// Makes one call. After a deadline or a broken connection the next call gets a new connection, because a
    /// stalled one stays "ready" forever. A shortened deadline proves less: only a second one in a row closes the
    /// connection.
    fn exchange(
        &mut self,
        name: &'static str,
        request: &Vec<u8>,
        caller: Caller<'_>,
    ) -> Result<Answer, ServerError> {
        if self.stop.requested() {
            // responses that have arrived already are not processed first
            return Err(ServerError::new(
                method::short(name),
                ServerErrorKind::Stopped,
            ));
        }
        if !self.has_time() {
            return Err(ServerError::new(
                method::short(name),
                ServerErrorKind::CutShort,
            ));
        }
        let now = self.clock.instant();
        let begun = self.prefetched.take(name, request, &caller, now);
        let taken = begun.and_then(|begun| {
            let (time, clock) = (self.timeout_now(), &self.clock);
            begun.wait(method::short(name), time, &self.stop, || clock.instant())
        });
        let (begin, Ended { mut answer, at }, ended_before) = match taken {
            Some(mut taken) => {
                // the credential may have been renewed since
                self.hide_secrets(name, &taken.credential, &mut taken.ended.answer);
                (taken.begin, taken.ended, taken.ended_before)
            }
            None => {
                let begin = self.clock.instant();
                let mut answer = self.begin_and_wait(name, request, caller.credential);
                let at = self.clock.instant();
                self.hide_secrets(name, caller.credential, &mut answer);
                (begin, Ended { answer, at }, false)
            }
        };
        match &mut answer {
            Ok(answer) => {
                self.identity.clone_from(&answer.uuid);
                if !ended_before {
                    // otherwise it says nothing about the present connection
                    (self.carried, self.stalled) = (true, false);
                }
            }
            Err(failure) => {
                if matches!(failure.kind, ServerErrorKind::Deadline(allowed) if allowed < self.timeout)
                {
                    failure.kind = ServerErrorKind::CutShort;
                }
                failure.note = self.renewal.note(&failure.kind);
                if failure.note.is_none() && !self.carried {
                    failure.note = tls_hint::hint(failure, self.connection_security);
                }
                match failure.kind {
                    ServerErrorKind::CutShort if !self.stalled => self.stalled = true,
                    ServerErrorKind::Deadline(_)
                    | ServerErrorKind::CutShort
                    | ServerErrorKind::Unreachable
                    | ServerErrorKind::Stopped => {
                        self.disconnect();
                    }
                    _ => (self.carried, self.stalled) = (true, false),
                }
            }
        }
        let duration = at.saturating_duration_since(begin);
        self.calls.count(name, duration, &answer);
        self.transcript.record(name, request, &answer);
        if let Some(progress) = &self.progress {
            progress();
        }
        answer
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = None;
        (self.carried, self.stalled) = (false, false);
        self.prefetched.cancel(&self.stop, self.clock.instant());
    }

    fn begin_and_wait(
        &mut self,
        name: &'static str,
        request: &Vec<u8>,
        credential: &Credential,
    ) -> Result<Answer, ServerError> {
        let call = Call {
            name,
            request,
            credential,
            timeout: self.timeout_now(),
        };
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect(),
        };
        let connection = self.connection.insert(connection);
        connection.start(&call)?.wait(&self.stop)
    }

    /// Returns the time limit of a call that starts now.
    pub(super) fn timeout_now(&self) -> Duration {
        let left = self.until.map(|until| self.clock.until(until));
        left.map_or(self.timeout, |left| left.min(self.timeout))
    }
}

fn is_unreachable(answer: &Result<Answer, ServerError>) -> bool {
    matches!(answer, Err(failure) if failure.kind == ServerErrorKind::Unreachable)
}
