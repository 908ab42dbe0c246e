//! Calls begun before their answers are waited for, so that a distant server works on several at
//! once while this one thread takes them in order. A guess at most: a call that was not begun is made
//! when it is needed, and what nobody takes is cancelled.

use std::time::{Duration, Instant};

use super::Server;
use super::failure::Failure;
use super::kind::Kind;
use super::transport::{Answer, Call, Credential, PendingCall, Waited};
use crate::ledger::State;
use crate::stop::{GLANCE, Stop};
use crate::wire::{self, Entries, method};

/// How old a call may be whose answer is taken: an older one may tell of what is no more.
const FRESH: Duration = Duration::from_secs(5);
/// The most that is kept of an answer that is only peeked at, in bytes.
const PEEKED: usize = 4096;

/// A call on its way, by what it was asked with.
struct Begun {
    name: &'static str,
    request: Vec<u8>,
    credential: Credential,
    when: Instant,
    progress: Progress,
}

/// What is known of a state that was begun to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeked {
    /// The state that the answer claims.
    State(State),
    /// The answer has not come yet.
    NotYet,
    /// The call was not begun, or failed, or its answer claims no state.
    Nothing,
}

/// When an answer is taken off the network.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reception {
    /// As it comes.
    Meanwhile,
    /// Once it is waited for: until then it costs no more than what HTTP/2 lets a server send
    /// unasked, 64 KiB.
    Later,
}

enum Progress {
    Pending(Box<dyn PendingCall>, Reception),
    Ended(Result<Answer, Failure>),
}

impl Progress {
    /// Waits for the answer for so long at most.
    fn wait_for(self, time: Duration, stop: &Stop) -> Progress {
        match self {
            Progress::Pending(pending, reception) => match pending.wait_for(time, stop) {
                Waited::Ended(answer) => Progress::Ended(answer),
                Waited::Pending(pending) => Progress::Pending(pending, reception),
            },
            ended @ Progress::Ended(_) => ended,
        }
    }
}

/// The calls on their way.
#[derive(Default)]
pub(super) struct Ahead(Vec<Begun>);

/// A call that was on its way.
pub(super) struct Taken {
    pub when: Instant,
    progress: Progress,
}

impl Taken {
    /// Waits for the answer for so long at most; then it is cut short. `None` where the call has to be made again: it may
    /// have run into its deadline because nobody took the answer off the network.
    pub fn wait(
        self,
        call: &'static str,
        time: Duration,
        stop: &Stop,
    ) -> Option<Result<Answer, Failure>> {
        let lay = matches!(self.progress, Progress::Pending(_, Reception::Later));
        match self.progress.wait_for(time, stop) {
            Progress::Ended(Err(failure)) if lay && failure.kind != Kind::Stopped => None,
            Progress::Ended(answer) => Some(answer),
            Progress::Pending(..) => Some(Err(Failure::new(call, Kind::CutShort))),
        }
    }
}

impl Ahead {
    /// Cancels all of them.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Cancels those that were begun with any other credential than these.
    fn keep(&mut self, credentials: &[Credential]) {
        self.0
            .retain(|begun| credentials.contains(&begun.credential));
    }

    /// Takes the call of just this, unless it was begun too long before `now`. A scan of another run
    /// cancels all that was begun there.
    pub fn take(
        &mut self,
        name: &'static str,
        request: &[u8],
        credential: &Credential,
        now: Instant,
    ) -> Option<Taken> {
        let same = |begun: &Begun| {
            begun.name == name && begun.request == request && begun.credential == *credential
        };
        let found = self.0.iter().position(same);
        let taken = found.map(|at| self.0.swap_remove(at));
        if taken.is_none() && name == method::TX_SCAN {
            self.0.retain(|begun| begun.credential != *credential);
        }
        let fresh = taken.filter(|begun| now.saturating_duration_since(begun.when) < FRESH);
        fresh.map(|begun| Taken {
            when: begun.when,
            progress: begun.progress,
        })
    }

    fn begin(
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
        self.0.push(Begun {
            name,
            request,
            credential,
            when: now,
            progress: Progress::Pending(pending, reception),
        });
    }
}

impl Server {
    /// Begins the calls that a cycle begins with, the list and the state of the database that comes first, so that
    /// both are on their way at once.
    pub fn begin_round(&mut self, first: Option<&str>) {
        let Some(user) = self.session.token() else {
            return;
        };
        let list = method::DATABASE_LIST;
        self.begin(list, wire::empty(), user, Reception::Meanwhile);
        if let Some(database) = first {
            let state = method::CURRENT_STATE;
            self.begin_in(database, state, wire::empty(), Reception::Meanwhile);
        }
    }

    /// Begins to open those of these databases that are not open yet, and to ask for the states of
    /// all of them; waits until they are open, and no longer than `until`.
    pub fn begin_states<'a>(
        &mut self,
        databases: impl Iterator<Item = &'a str> + Clone,
        until: Instant,
    ) {
        self.open_together(databases.clone(), until);
        let credentials: Vec<Credential> = databases
            .clone()
            .filter_map(|database| self.session.known(database))
            .collect();
        self.ahead.keep(&credentials);
        for database in databases {
            if self.begun_state(database).is_none() {
                let name = method::CURRENT_STATE;
                self.begin_in(database, name, wire::empty(), Reception::Later);
            }
        }
    }

    /// Where the call for its state is among those on their way.
    fn begun_state(&self, database: &str) -> Option<usize> {
        let credential = self.session.known(database)?;
        let state =
            |begun: &Begun| begun.name == method::CURRENT_STATE && begun.credential == credential;
        self.ahead.0.iter().position(state)
    }

    /// The state that was begun to be asked for, as it will be taken: a hint at what to ask next.
    /// Nothing is waited for past `until`.
    pub fn peek_state(&mut self, database: &str, until: Instant) -> Peeked {
        let Some(at) = self.begun_state(database) else {
            return Peeked::Nothing;
        };
        let mut begun = self.ahead.0.swap_remove(at);
        begun.progress = begun.progress.wait_for(self.left(until), &self.stop);
        let peeked = match &begun.progress {
            Progress::Ended(Ok(answer)) if answer.bytes.len() > PEEKED => return Peeked::Nothing,
            Progress::Ended(Ok(answer)) => match wire::state(&answer.bytes) {
                Ok(claimed) => Peeked::State(claimed.state),
                Err(_) => Peeked::Nothing,
            },
            Progress::Ended(Err(_)) => return Peeked::Nothing, // asked again, alone
            Progress::Pending(..) => Peeked::NotYet,
        };
        self.ahead.0.push(begun);
        peeked
    }

    /// Returns how long an answer is waited for until then: a glance at least, for what has come already.
    fn left(&self, until: Instant) -> Duration {
        self.clock.until(until).max(GLANCE)
    }

    /// Begins to ask for a proof that [`Server::verifiable_tx`] is expected to be asked for.
    pub fn begin_verifiable_tx(
        &mut self,
        database: &str,
        tx: u64,
        prove_since: u64,
        entries: Entries,
    ) {
        let request = wire::verifiable_tx_by_id(tx, prove_since, entries);
        self.begin_in(
            database,
            method::VERIFIABLE_TX_BY_ID,
            request,
            Reception::Later,
        );
    }

    /// Begins to ask for a transaction that [`Server::tx`] is expected to be asked for.
    pub fn begin_tx(&mut self, database: &str, tx: u64, entries: Entries) {
        let request = wire::tx_by_id(tx, entries);
        self.begin_in(database, method::TX_BY_ID, request, Reception::Later);
    }

    /// Begins a scan that [`Server::tx_scan`] is expected to ask for, and the proof of where it ends.
    /// A scan is large enough to be taken off the network while this thread does something else.
    pub fn begin_tx_scan(
        &mut self,
        database: &str,
        initial: u64,
        limit: u32,
        proof: Option<(u64, u64)>,
    ) {
        let request = wire::tx_scan(initial, limit, Entries::Raw);
        self.begin_in(database, method::TX_SCAN, request, Reception::Meanwhile);
        if let Some((tx, prove_since)) = proof {
            let request = wire::verifiable_tx_by_id(tx, prove_since, Entries::Excluded);
            let name = method::VERIFIABLE_TX_BY_ID;
            self.begin_in(database, name, request, Reception::Later);
        }
    }

    fn begin_in(
        &mut self,
        database: &str,
        name: &'static str,
        request: Vec<u8>,
        reception: Reception,
    ) {
        if let Some(credential) = self.session.known(database) {
            self.begin(name, request, credential, reception);
        }
    }

    /// One that cannot be begun now is made, and fails, when it is waited for.
    fn begin(
        &mut self,
        name: &'static str,
        request: Vec<u8>,
        credential: Credential,
        reception: Reception,
    ) {
        let Some(connection) = &self.connection else {
            return;
        };
        let call = Call {
            name,
            request: &request,
            credential: &credential,
            timeout: self.timeout_now(),
        };
        if let Ok(pending) = connection.start(&call) {
            let now = self.clock.instant();
            self.ahead
                .begin(name, request, credential, pending, reception, now);
        }
    }

    /// Opens databases with concurrent calls. A database that fails is opened when it is needed; if
    /// the login has ended, all of them fail, so the login is renewed once for all.
    fn open_together<'a>(&mut self, databases: impl Iterator<Item = &'a str>, until: Instant) {
        let closed = databases.filter(|database| self.session.known(database).is_none());
        let closed: Vec<&str> = closed.collect();
        let opened = self.open_concurrently(&closed, until);
        let refused: Vec<_> = opened
            .into_iter()
            .filter(|(_, opened)| self.session.is_refused(opened))
            .collect();
        let renewal = refused
            .iter()
            .map(|(database, opened)| self.renew_login_for(database, opened))
            .find(|renewed| *renewed != Ok(false));
        if renewal == Some(Ok(true)) {
            let refused: Vec<&str> = refused.iter().map(|(database, _)| *database).collect();
            self.open_concurrently(&refused, until);
        }
    }

    /// Opens databases with concurrent calls, and returns what came of each.
    fn open_concurrently<'a>(
        &mut self,
        databases: &[&'a str],
        until: Instant,
    ) -> Vec<(&'a str, Result<Credential, Failure>)> {
        let (Some(user), Some(connection)) = (self.session.token(), &self.connection) else {
            return Vec::new();
        };
        let timeout = self.timeout_now();
        let begin = |database: &&'a str| {
            let call = Call {
                name: method::USE_DATABASE,
                request: &wire::database(database),
                credential: &user,
                timeout,
            };
            Some((*database, connection.start(&call).ok()?))
        };
        let opening: Vec<_> = databases.iter().filter_map(begin).collect();
        let mut all = Vec::new();
        for (database, pending) in opening {
            let begin = self.clock.instant();
            let Waited::Ended(answer) = pending.wait_for(self.left(until), &self.stop) else {
                continue; // it is opened when it is needed, and keeps no other waiting
            };
            let name = method::USE_DATABASE;
            self.calls.count(name, begin, &answer);
            let token = answer.and_then(|answer| answer.decode(name, wire::use_database_token));
            let opened = token.map(Credential::Token);
            self.record_opening(database, &opened);
            all.push((database, opened));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn begun(name: &'static str, request: &[u8], when: Instant) -> Begun {
        Begun {
            name,
            request: request.into(),
            credential: Credential::Token("a".into()),
            when,
            progress: Progress::Ended(Ok(Answer {
                bytes: Arc::new(Vec::new()),
                uuid: None,
            })),
        }
    }

    #[test]
    fn an_answer_is_taken_for_five_seconds_and_no_longer() {
        let when = Instant::now();
        let just = Duration::from_nanos(1);
        for (age, taken) in [
            (Duration::ZERO, true),
            (FRESH - just, true),
            (FRESH, false),
            (FRESH + just, false),
        ] {
            let mut ahead = Ahead(vec![begun(method::TX_BY_ID, b"7", when)]);
            let credential = Credential::Token("a".into());
            let found = ahead.take(method::TX_BY_ID, b"7", &credential, when + age);
            assert_eq!(found.is_some(), taken, "{age:?}");
            assert!(ahead.0.is_empty(), "whether taken or too old, it is gone");
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
            let mut ahead = Ahead(vec![begun(method::TX_BY_ID, b"7", when)]);
            assert!(ahead.take(name, request, credential, when).is_none());
            assert_eq!(ahead.0.len(), 1);
        }
    }

    #[test]
    fn a_scan_of_another_run_cancels_what_was_begun_with_its_token_and_nothing_else() {
        let when = Instant::now();
        let begun = || {
            let scan = begun(method::TX_SCAN, b"7", when);
            Ahead(vec![scan, begun(method::TX_BY_ID, b"7", when)])
        };
        let (same, other) = (Credential::Token("a".into()), Credential::Token("b".into()));
        for (name, credential, left) in [
            (method::TX_SCAN, &same, 0),
            (method::TX_SCAN, &other, 2),
            (method::TX_BY_ID, &same, 2),
        ] {
            let mut ahead = begun();
            assert!(ahead.take(name, b"8", credential, when).is_none());
            assert_eq!(ahead.0.len(), left, "{name}");
        }
    }
}
