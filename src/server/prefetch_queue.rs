//! Calls that are started before their responses are needed, so that a distant server handles several concurrently
//! while this one thread takes the responses in order. A call that was not prefetched is made when it is needed,
//! and an unused one is cancelled. A state that has come is judged: only its age, the end of the cycle or another server
//! prevent that.

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
    pub when: Instant,
    /// The credential that the call was sent with.
    pub credential: Credential,
    progress: CallProgress,
}

impl TakenCall {
    /// Returns whether the response came before the call was taken.
    pub fn has_ended(&self) -> bool {
        matches!(self.progress, CallProgress::Ended(_))
    }

    /// Waits for the response at most for this time, and then cuts the call short; `now` is the time by which that
    /// counts as its end. `None` if the call must be repeated: its deadline may have passed because its response was
    /// not received.
    pub fn wait(
        self,
        call: &'static str,
        time: Duration,
        stop: &Stop,
        now: impl FnOnce() -> Instant,
    ) -> Option<Ended> {
        let lay = matches!(self.progress, CallProgress::Pending(_, Reception::Later));
        match self.progress.wait_for(time, stop) {
            CallProgress::Ended(Ended {
                answer: Err(failure),
                ..
            }) if lay && failure.kind != ServerErrorKind::Stopped => None,
            CallProgress::Ended(ended) => Some(ended),
            CallProgress::Pending(..) => Some(Ended {
                answer: Err(ServerError::new(call, ServerErrorKind::CutShort)),
                at: now(),
            }),
        }
    }
}

impl PrefetchQueue {
    /// Cancels all calls.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Cancels all calls, except states that have come.
    pub fn cancel(&mut self, stop: &Stop) {
        self.cancel_unless(|_| false, stop);
    }

    /// Cancels the calls for one database, except a state that has come.
    pub fn cancel_of(&mut self, database: &str, stop: &Stop) {
        self.cancel_unless(|call| !call.is_of(Some(database)), stop);
    }

    /// Cancels the calls that are not for one of these databases, except states that have come.
    pub fn keep(&mut self, databases: &[&str], stop: &Stop) {
        let is_kept = |of: &str| databases.contains(&of);
        self.cancel_unless(|call| call.database.as_deref().is_some_and(is_kept), stop);
    }

    fn cancel_unless(&mut self, is_kept: impl Fn(&PrefetchedCall) -> bool, stop: &Stop) {
        self.receive(stop);
        self.0
            .retain(|call| call.is_received_state() || is_kept(call));
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

    /// Returns whether a state of this database has come that may be used at `now`.
    pub fn has_received_state(&self, database: &str, now: Instant) -> bool {
        let is_it = |call: &PrefetchedCall| {
            call.is_of(Some(database)) && call.is_received_state() && call.is_fresh(now)
        };
        self.0.iter().any(is_it)
    }

    /// Returns whether a call of this name was started for this database, whatever its request.
    pub fn has(&self, name: &'static str, database: &str) -> bool {
        self.position(name, database).is_some()
    }

    /// Takes a call of this name that was started for this database, whatever its request.
    pub fn take_any(&mut self, name: &'static str, database: &str) -> Option<PrefetchedCall> {
        let at = self.position(name, database)?;
        Some(self.0.swap_remove(at))
    }

    /// Puts back a call after a peek.
    pub fn put_back(&mut self, call: PrefetchedCall) {
        self.0.push(call);
    }

    fn position(&self, name: &'static str, database: &str) -> Option<usize> {
        let is_it = |call: &PrefetchedCall| call.name == name && call.is_of(Some(database));
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
mod tests {
    use std::sync::Arc;

    use super::*;

    type Progress = fn(Instant) -> CallProgress;

    fn token(token: &str) -> Credential {
        Credential::Token(token.into())
    }

    fn ended(answer: Result<Answer, ServerError>, at: Instant) -> CallProgress {
        CallProgress::Ended(Ended { answer, at })
    }

    fn received(at: Instant) -> CallProgress {
        let answer = Answer {
            bytes: Arc::new(Vec::new()),
            uuid: None,
        };
        ended(Ok(answer), at)
    }

    fn refused(at: Instant) -> CallProgress {
        let kind = ServerErrorKind::Forbidden;
        ended(Err(ServerError::new("CurrentState", kind)), at)
    }

    /// A call whose response does not come.
    struct Silent;

    impl PendingCall for Silent {
        fn receive(self: Box<Self>) -> Box<dyn PendingCall> {
            self
        }

        fn wait_for(self: Box<Self>, _: Duration, _: &Stop) -> Waited {
            Waited::Pending(self)
        }

        fn wait(self: Box<Self>, _: &Stop) -> Result<Answer, ServerError> {
            Err(ServerError::new("CurrentState", ServerErrorKind::CutShort))
        }
    }

    fn pending(_: Instant) -> CallProgress {
        CallProgress::Pending(Box::new(Silent), Reception::Later)
    }

    /// Returns a call for the database `db` with the token `a` that has a response.
    fn call(name: &'static str, request: &[u8], when: Instant) -> PrefetchedCall {
        PrefetchedCall {
            name,
            request: request.into(),
            database: Some("db".into()),
            credential: token("a"),
            when,
            progress: received(when),
        }
    }

    fn state_call(database: &str, progress: CallProgress, when: Instant) -> PrefetchedCall {
        PrefetchedCall {
            database: Some(database.into()),
            progress,
            ..call(method::CURRENT_STATE, b"", when)
        }
    }

    #[test]
    fn an_answer_is_taken_for_five_seconds_and_no_longer() {
        let when = Instant::now();
        let just = Duration::from_nanos(1);
        for (age, taken) in [
            (Duration::ZERO, true),
            (MAX_CALL_AGE - just, true),
            (MAX_CALL_AGE, false),
            (MAX_CALL_AGE + just, false),
        ] {
            let mut prefetched = PrefetchQueue(vec![call(method::TX_BY_ID, b"7", when)]);
            let credential = token("a");
            let caller = Caller::within("db", &credential);
            let found = prefetched.take(method::TX_BY_ID, b"7", &caller, when + age);
            assert_eq!(found.is_some(), taken, "{age:?}");
            assert!(
                prefetched.0.is_empty(),
                "whether taken or too old, it is gone"
            );
        }
    }

    #[test]
    fn only_the_answer_to_the_same_call_request_and_database_is_taken() {
        let when = Instant::now();
        let same = token("a");
        for (name, request, caller) in [
            (method::CURRENT_STATE, b"7", Caller::within("db", &same)),
            (method::TX_BY_ID, b"8", Caller::within("db", &same)),
            (method::TX_BY_ID, b"7", Caller::within("other", &same)),
            (method::TX_BY_ID, b"7", Caller::user(&same)),
        ] {
            let mut prefetched = PrefetchQueue(vec![call(method::TX_BY_ID, b"7", when)]);
            assert!(prefetched.take(name, request, &caller, when).is_none());
            assert_eq!(prefetched.0.len(), 1);
        }
    }

    /// With the old credential the server would refuse the call, or has refused it.
    #[test]
    fn after_a_renewal_only_a_response_that_came_before_it_is_taken() {
        let when = Instant::now();
        for (progress, credential, taken) in [
            (received as Progress, "a", true),
            (received, "b", true),
            (refused, "a", true),
            (refused, "b", false),
            (pending, "a", true),
            (pending, "b", false),
        ] {
            let mut prefetched = PrefetchQueue(vec![state_call("db", progress(when), when)]);
            let credential = token(credential);
            let caller = Caller::within("db", &credential);
            let found = prefetched.take(method::CURRENT_STATE, b"", &caller, when);
            assert_eq!(found.is_some(), taken);
            assert!(prefetched.0.is_empty());
        }
    }

    #[test]
    fn a_scan_of_another_run_cancels_only_the_calls_for_its_database() {
        let when = Instant::now();
        let call = || {
            let scan = call(method::TX_SCAN, b"7", when);
            PrefetchQueue(vec![scan, call(method::TX_BY_ID, b"7", when)])
        };
        let credential = token("a");
        for (name, database, left) in [
            (method::TX_SCAN, "db", 0),
            (method::TX_SCAN, "other", 2),
            (method::TX_BY_ID, "db", 2),
        ] {
            let mut prefetched = call();
            let caller = Caller::within(database, &credential);
            assert!(prefetched.take(name, b"8", &caller, when).is_none());
            assert_eq!(prefetched.0.len(), left, "{name}");
        }
    }

    /// A scan is large, and can be requested again.
    #[test]
    fn a_scan_does_not_stay_when_another_database_is_read_or_calls_are_cancelled() {
        let when = Instant::now();
        let credential = token("a");
        let scans = || PrefetchQueue(vec![call(method::TX_SCAN, b"7", when)]);
        for (database, left) in [("db", 2), ("other", 1)] {
            let mut prefetched = scans();
            prefetched.push(
                method::TX_SCAN,
                b"8".into(),
                &Caller::within(database, &credential),
                Box::new(Silent),
                Reception::Meanwhile,
                when,
            );
            assert_eq!(prefetched.0.len(), left, "{database}");
        }
        let mut prefetched = scans();
        prefetched.cancel(&Stop::new());
        assert!(prefetched.0.is_empty());
    }

    #[test]
    fn a_response_stays_when_other_calls_are_cancelled() {
        let when = Instant::now();
        let calls = || {
            PrefetchQueue(vec![
                state_call("received", received(when), when),
                state_call("refused", refused(when), when),
                state_call("pending", pending(when), when),
            ])
        };
        let left = |prefetched: &PrefetchQueue| -> Vec<String> {
            let names = prefetched.0.iter().map(|call| call.database.clone());
            names.flatten().collect()
        };
        let mut prefetched = calls();
        prefetched.cancel(&Stop::new());
        assert_eq!(left(&prefetched), ["received"]);
        let mut prefetched = calls();
        for database in ["received", "pending"] {
            prefetched.cancel_of(database, &Stop::new());
        }
        assert_eq!(left(&prefetched), ["received", "refused"]);
        let mut prefetched = calls();
        prefetched.keep(&["pending", "another"], &Stop::new());
        assert_eq!(left(&prefetched), ["received", "pending"]);
    }
}
