use std::sync::Arc;

use super::*;
use crate::clock::{SimulatedTime, Timestamp};

fn now() -> Instant {
    SimulatedTime::starting_at(Timestamp::from_unix(0))
        .clock()
        .instant()
}

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
    let when = now();
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
    let when = now();
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
    let when = now();
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
    let when = now();
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
    let when = now();
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
    prefetched.cancel(&Stop::new(), when);
    assert!(prefetched.0.is_empty());
}

#[test]
fn a_response_stays_when_other_calls_are_cancelled() {
    let when = now();
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
    prefetched.cancel(&Stop::new(), when);
    assert_eq!(left(&prefetched), ["received"]);
    let mut prefetched = calls();
    for database in ["received", "pending"] {
        prefetched.cancel_of(database, &Stop::new(), when);
    }
    assert_eq!(left(&prefetched), ["received", "refused"]);
    let mut prefetched = calls();
    prefetched.keep(&["pending", "another"], &Stop::new(), when);
    assert_eq!(left(&prefetched), ["received", "pending"]);
}

/// Otherwise a server that shows many states late could fill the memory with them.
#[test]
fn a_state_that_is_too_old_to_be_used_does_not_stay() {
    let when = now();
    let just = Duration::from_nanos(1);
    for (age, left) in [(MAX_CALL_AGE - just, 1), (MAX_CALL_AGE, 0)] {
        let calls = || PrefetchQueue(vec![state_call("received", received(when), when)]);
        let (stop, now) = (Stop::new(), when + age);
        let mut prefetched = calls();
        prefetched.keep(&["another"], &stop, now);
        assert_eq!(prefetched.0.len(), left, "{age:?}");
        let mut prefetched = calls();
        prefetched.cancel(&stop, now);
        assert_eq!(prefetched.0.len(), left, "{age:?}");
    }
}
