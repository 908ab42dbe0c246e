//! Calls that are started before their responses are needed, so that a distant server handles several concurrently
//! while this one thread takes the responses in order. A call that was not prefetched is made when it is needed,
//! and an unused one is cancelled. A state that has come is judged: only its age, the end of the cycle or another
//! server prevent that.

use std::time::{Duration, Instant};

use super::error_kind::ServerErrorKind;
use super::exchange::Caller;
use super::server_error::ServerError;
use super::transport::{Answer, Credential, Ended, PendingCall, Waited};
use crate::stop::Stop;
use crate::wire::method;

/// The age up to which a prefetched response is used: an older one may describe an outdated state.
const MAX_CALL_AGE: Duration = Duration::from_secs(5);

/// A prefetched call, with its request.
pub(super) struct PrefetchedCall {
    name: &'static str,
    request: Vec<u8>,
    /// The database of the call; `None` if it concerns no single one.
    database: Option<String>,
    credential: Credential,
    when: Instant,
    progress: CallProgress,
}

/// The time at which a response is received from the network.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reception {
    /// As soon as it comes.
    Meanwhile,
    /// When it is waited for: until then it costs no more than the 64 KiB that HTTP/2 lets a server send
    /// unrequested.
    Later,
}

enum CallProgress {
    Pending(Box<dyn PendingCall>, Reception),
    Ended(Ended),
}

impl CallProgress {
    /// Waits for the response, at most for this time.
    fn wait_for(self, time: Duration, stop: &Stop) -> CallProgress {
        match self {
            CallProgress::Pending(pending, reception) => match pending.wait_for(time, stop) {
                Waited::Ended(ended) => CallProgress::Ended(ended),
                Waited::Pending(pending) => CallProgress::Pending(pending, reception),
            },
            ended @ CallProgress::Ended(_) => ended,
        }
    }
}

impl PrefetchedCall {
    /// Waits for the response, at most for this time.
    pub fn wait_for(self, time: Duration, stop: &Stop) -> PrefetchedCall {
        PrefetchedCall {
            progress: self.progress.wait_for(time, stop),
            ..self
        }
    }

    /// Takes the response if it has come already, without a wait.
    fn receive(self, stop: &Stop) -> PrefetchedCall {
        match self.progress {
            CallProgress::Pending(_, Reception::Meanwhile) => self.wait_for(Duration::ZERO, stop),
            _ => self,
        }
    }

    /// Returns whether the call is for a state, and its response has come and is no error. The server made that claim,
    /// and another call may not show it again.
    fn is_received_state(&self) -> bool {
        self.name == method::CURRENT_STATE && matches!(self.ended(), Some(Ok(_)))
    }

    /// Returns whether a response to this call may be used at `now`.
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.when) < MAX_CALL_AGE
    }

    fn is_of(&self, database: Option<&str>) -> bool {
        self.database.as_deref() == database
    }

    /// Returns the result of the call, if it has ended.
    pub fn ended(&self) -> Option<&Result<Answer, ServerError>> {
        match &self.progress {
            CallProgress::Pending(..) => None,
            CallProgress::Ended(ended) => Some(&ended.answer),
        }
    }
}

/// The prefetched calls.
#[derive(Default)]
pub(super) struct PrefetchQueue(Vec<PrefetchedCall>);

/// A call that was taken from the queue.
pub(super) struct TakenCall {
    when: Instant,
    credential: Credential,
    progress: CallProgress,
}

/// A call that was taken from the queue and has ended.
pub(super) struct EndedCall {
    pub begin: Instant,
    /// The credential that the call was sent with.
    pub credential: Credential,
    /// Whether it ended before it was taken.
    pub ended_before: bool,
    pub ended: Ended,
}

impl TakenCall {
    /// Waits for the response at most for this time, and then cuts the call short; `now` returns the time that counts
    /// as its end then. `None` if the call must be repeated: its deadline may have passed because its response was not
    /// received.
    pub fn wait(
        self,
        call: &'static str,
        time: Duration,
        stop: &Stop,
        now: impl FnOnce() -> Instant,
    ) -> Option<EndedCall> {
        let lay = matches!(self.progress, CallProgress::Pending(_, Reception::Later));
        let ended_before = matches!(self.progress, CallProgress::Ended(_));
        let ended = match self.progress.wait_for(time, stop) {
            CallProgress::Ended(Ended {
                answer: Err(failure),
                ..
            }) if lay && failure.kind != ServerErrorKind::Stopped => return None,
            CallProgress::Ended(ended) => ended,
            CallProgress::Pending(..) => Ended {
                answer: Err(ServerError::new(call, ServerErrorKind::CutShort)),
                at: now(),
            },
        };
        Some(EndedCall {
            begin: self.when,
            credential: self.credential,
            ended_before,
            ended,
        })
    }
}

impl PrefetchQueue {
    /// Cancels all calls.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Cancels all calls, except states that have come and may be used at `now`.
    pub fn cancel(&mut self, stop: &Stop, now: Instant) {
        self.cancel_unless(|_| false, stop, now);
    }

    /// Cancels the calls for one database, except a state that has come and may be used at `now`.
    pub fn cancel_of(&mut self, database: &str, stop: &Stop, now: Instant) {
        self.cancel_unless(|call| !call.is_of(Some(database)), stop, now);
    }

    /// Cancels the calls that are not for one of these databases, except states that have come and may be used at
    /// `now`.
    pub fn keep(&mut self, databases: &[&str], stop: &Stop, now: Instant) {
        let is_kept = |of: &str| databases.contains(&of);
        let is_kept = |call: &PrefetchedCall| call.database.as_deref().is_some_and(is_kept);
        self.cancel_unless(is_kept, stop, now);
    }

    /// A state that is too old to be used does not stay: each takes up to 64 KiB, and there may be thousands.
    fn cancel_unless(
        &mut self,
        is_kept: impl Fn(&PrefetchedCall) -> bool,
        stop: &Stop,
        now: Instant,
    ) {
        self.receive(stop);
        self.0
            .retain(|call| is_kept(call) || (call.is_received_state() && call.is_fresh(now)));
    }

    /// Takes the responses that have come already, without a wait.
    fn receive(&mut self, stop: &Stop) {
        let calls = std::mem::take(&mut self.0);
        self.0 = calls.into_iter().map(|call| call.receive(stop)).collect();
    }

    /// Takes the call of this name with exactly this request for this database. A call that was started too long
    /// before `now` is cancelled instead; so is one that was sent with another credential, unless it is a state that
    /// has come. A scan that was not prefetched cancels all calls for its database, because they were started for
    /// another run of transactions.
    pub fn take(
        &mut self,
        name: &'static str,
        request: &[u8],
        caller: &Caller<'_>,
        now: Instant,
    ) -> Option<TakenCall> {
        let same = |call: &PrefetchedCall| {
            call.name == name && call.request == request && call.is_of(caller.database)
        };
        let found = self.0.iter().position(same);
        let taken = found.map(|at| self.0.swap_remove(at));
        if taken.is_none() && name == method::TX_SCAN {
            self.0.retain(|call| !call.is_of(caller.database));
        }
        let is_usable = |call: &PrefetchedCall| {
            let is_same_caller = call.credential == *caller.credential;
            call.is_fresh(now) && (is_same_caller || call.is_received_state())
        };
        taken.filter(is_usable).map(|call| TakenCall {
            when: call.when,
            credential: call.credential,
            progress: call.progress,
        })
    }

    /// Returns whether a call for the state of this database was started.
    pub fn has_state(&self, database: &str) -> bool {
        self.state(database).is_some()
    }

    /// Returns whether a state of this database has come that may be used at `now`.
    pub fn has_received_state(&self, database: &str, now: Instant) -> bool {
        let call = self.state(database).and_then(|at| self.0.get(at));
        call.is_some_and(|call| call.is_received_state() && call.is_fresh(now))
    }

    /// Takes the call for the state of this database.
    pub fn take_state(&mut self, database: &str) -> Option<PrefetchedCall> {
        let at = self.state(database)?;
        Some(self.0.swap_remove(at))
    }

    /// Puts back a call after a peek.
    pub fn put_back(&mut self, call: PrefetchedCall) {
        self.0.push(call);
    }

    /// Returns the position of the call for the state of this database; no second one is started.
    fn state(&self, database: &str) -> Option<usize> {
        let is_it = |call: &PrefetchedCall| {
            call.name == method::CURRENT_STATE && call.is_of(Some(database))
        };
        self.0.iter().position(is_it)
    }

    /// Stores a call that was started at `now`.
    pub fn push(
        &mut self,
        name: &'static str,
        request: Vec<u8>,
        caller: &Caller<'_>,
        pending: Box<dyn PendingCall>,
        reception: Reception,
        now: Instant,
    ) {
        let pending = match reception {
            Reception::Meanwhile => pending.receive(),
            Reception::Later => pending,
        };
        if name == method::TX_SCAN {
            // scans are large, so those of a database whose reading was interrupted are not stored
            self.0
                .retain(|call| call.name != method::TX_SCAN || call.is_of(caller.database));
        }
        self.0.push(PrefetchedCall {
            name,
            request,
            database: caller.database.map(str::to_owned),
            credential: caller.credential.clone(),
            when: now,
            progress: CallProgress::Pending(pending, reception),
        });
    }
}

#[cfg(test)]
mod tests;
