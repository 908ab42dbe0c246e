//! Calls that are started before their responses are needed, so that a distant server handles several concurrently
//! while this one thread takes the responses in order. A call that was not prefetched is made when it is needed,
//! and an unused one is cancelled.

use std::time::{Duration, Instant};

use super::error_kind::ServerErrorKind;
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
    progress: CallProgress,
}

impl TakenCall {
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

    /// Cancels the calls with other credentials than these.
    pub fn keep(&mut self, credentials: &[Credential]) {
        self.0.retain(|call| credentials.contains(&call.credential));
    }

    /// Takes the call of this name with exactly this request and credential. A call that was started too long before
    /// `now` is cancelled instead. A scan that was not prefetched cancels all calls with its credential, because they
    /// were started for another run of transactions.
    pub fn take(
        &mut self,
        name: &'static str,
        request: &[u8],
        credential: &Credential,
        now: Instant,
    ) -> Option<TakenCall> {
        let same = |call: &PrefetchedCall| {
            call.name == name && call.request == request && call.credential == *credential
        };
        let found = self.0.iter().position(same);
        let taken = found.map(|at| self.0.swap_remove(at));
        if taken.is_none() && name == method::TX_SCAN {
            self.0.retain(|call| call.credential != *credential);
        }
        let fresh = taken.filter(|call| now.saturating_duration_since(call.when) < MAX_CALL_AGE);
        fresh.map(|call| TakenCall {
            when: call.when,
            progress: call.progress,
        })
    }

    /// Returns whether a call of this name was started with this credential, whatever its request.
    pub fn has(&self, name: &'static str, credential: &Credential) -> bool {
        self.position(name, credential).is_some()
    }

    /// Takes a call of this name that was started with this credential, whatever its request.
    pub fn take_any(
        &mut self,
        name: &'static str,
        credential: &Credential,
    ) -> Option<PrefetchedCall> {
        let at = self.position(name, credential)?;
        Some(self.0.swap_remove(at))
    }

    /// Puts back a call after a peek.
    pub fn put_back(&mut self, call: PrefetchedCall) {
        self.0.push(call);
    }

    fn position(&self, name: &'static str, credential: &Credential) -> Option<usize> {
        let is_it = |call: &PrefetchedCall| call.name == name && call.credential == *credential;
        self.0.iter().position(is_it)
    }

    /// Stores a call that was started at `now`.
    pub fn push(
        &mut self,
        name: &'static str,
        request: Vec<u8>,
        credential: Credential,
        pending: Box<dyn PendingCall>,
        reception: Reception,
        now: Instant,
    ) {
        let pending = match reception {
            Reception::Meanwhile => pending.receive(),
            Reception::Later => pending,
        };
        self.0.push(PrefetchedCall {
            name,
            request,
            credential,
            when: now,
            progress: CallProgress::Pending(pending, reception),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn call(name: &'static str, request: &[u8], when: Instant) -> PrefetchedCall {
        PrefetchedCall {
            name,
            request: request.into(),
            credential: Credential::Token("a".into()),
            when,
            progress: CallProgress::Ended(Ended {
                answer: Ok(Answer {
                    bytes: Arc::new(Vec::new()),
                    uuid: None,
                }),
                at: when,
            }),
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
            let credential = Credential::Token("a".into());
            let found = prefetched.take(method::TX_BY_ID, b"7", &credential, when + age);
            assert_eq!(found.is_some(), taken, "{age:?}");
            assert!(
                prefetched.0.is_empty(),
                "whether taken or too old, it is gone"
            );
        }
    }

    #[test]
    fn only_the_answer_to_the_same_call_request_and_token_is_taken() {
        let when = Instant::now();
        let other = Credential::Token("b".into());
        let same = Credential::Token("a".into());
        for (name, request, credential) in [
            (method::CURRENT_STATE, b"7", &same),
            (method::TX_BY_ID, b"8", &same),
            (method::TX_BY_ID, b"7", &other),
            (method::TX_BY_ID, b"7", &Credential::None),
        ] {
            let mut prefetched = PrefetchQueue(vec![call(method::TX_BY_ID, b"7", when)]);
            assert!(prefetched.take(name, request, credential, when).is_none());
            assert_eq!(prefetched.0.len(), 1);
        }
    }

    #[test]
    fn a_scan_of_another_run_cancels_only_the_calls_with_its_token() {
        let when = Instant::now();
        let call = || {
            let scan = call(method::TX_SCAN, b"7", when);
            PrefetchQueue(vec![scan, call(method::TX_BY_ID, b"7", when)])
        };
        let (same, other) = (Credential::Token("a".into()), Credential::Token("b".into()));
        for (name, credential, left) in [
            (method::TX_SCAN, &same, 0),
            (method::TX_SCAN, &other, 2),
            (method::TX_BY_ID, &same, 2),
        ] {
            let mut prefetched = call();
            assert!(prefetched.take(name, b"8", credential, when).is_none());
            assert_eq!(prefetched.0.len(), left, "{name}");
        }
    }
}
