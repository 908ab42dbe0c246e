//! Prefetching: calls that are started early, and databases that are opened for them concurrently.

use std::time::Instant;

use super::Server;
use super::exchange::Caller;
use super::prefetch_queue::Reception;
use super::server_error::ServerError;
use super::transport::{Call, Credential, Waited};
use crate::ledger::State;
use crate::stop::POLL_INTERVAL;
use crate::wire::{self, Entries, method};

/// The result of a peek at a prefetched state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeked {
    /// The state that the response claims.
    State(State),
    /// The response has not come yet.
    NotYet,
    /// The call was not started, or failed, or its response claims no state.
    Nothing,
}

impl Server {
    /// Prefetches the list of databases, so that other calls can be started meanwhile.
    pub fn prefetch_list(&mut self) {
        if let Some(user) = self.session.token() {
            let list = method::DATABASE_LIST;
            let (request, caller) = (wire::empty(), Caller::user(&user));
            self.prefetch(list, request, caller, Reception::Meanwhile);
        }
    }

    /// Prefetches the state of the first database of a cycle.
    pub fn prefetch_state(&mut self, first: &str) {
        let state = method::CURRENT_STATE;
        self.prefetch_in(first, state, wire::empty(), Reception::Meanwhile);
    }

    /// Opens those of these databases that are not open yet, and prefetches the states of all of them. Waits until
    /// they are open, but no longer than `until`. Returns the end of the wait for the states: `until`, or a moment
    /// later if the opening took that long.
    pub fn prefetch_states<'a>(
        &mut self,
        databases: impl Iterator<Item = &'a str> + Clone,
        until: Instant,
    ) -> Instant {
        self.open_together(databases.clone(), until);
        let names: Vec<&str> = databases.collect();
        self.prefetched
            .keep(&names, &self.stop, self.clock.instant());
        let name = method::CURRENT_STATE;
        for database in names {
            if !self.prefetched.has_state(database) {
                self.prefetch_in(database, name, wire::empty(), Reception::Meanwhile);
            }
        }
        self.end_of_wait(until)
    }

    /// Returns the end of a wait for responses to calls that were just started: `until`, or a moment from now.
    fn end_of_wait(&self, until: Instant) -> Instant {
        until.max(self.clock.instant() + POLL_INTERVAL)
    }

    /// Returns the prefetched state without taking it, as a hint for the next prefetch. Waits until `until` at
    /// most.
    pub fn peek_state(&mut self, database: &str, until: Instant) -> Peeked {
        let begun = self.prefetched.take_state(database);
        let Some(begun) = begun else {
            return Peeked::Nothing;
        };
        let begun = begun.wait_for(self.clock.until(until), &self.stop);
        let peeked = match begun.ended() {
            None => Peeked::NotYet,
            Some(Ok(answer)) => match wire::state(&answer.bytes) {
                Ok(claimed) => Peeked::State(claimed.state),
                Err(_) => Peeked::Nothing,
            },
            Some(Err(_)) => return Peeked::Nothing, // the check repeats this call by itself
        };
        self.prefetched.put_back(begun);
        peeked
    }

    /// Prefetches a proof that a later call of [`Server::verifiable_tx`] is expected to need.
    pub fn prefetch_verifiable_tx(
        &mut self,
        database: &str,
        tx: u64,
        prove_since: u64,
        entries: Entries,
    ) {
        let request = wire::verifiable_tx_by_id(tx, prove_since, entries);
        self.prefetch_in(
            database,
            method::VERIFIABLE_TX_BY_ID,
            request,
            Reception::Later,
        );
    }

    /// Prefetches a transaction that a later call of [`Server::tx`] is expected to need.
    pub fn prefetch_tx(&mut self, database: &str, tx: u64, entries: Entries) {
        let request = wire::tx_by_id(tx, entries);
        self.prefetch_in(database, method::TX_BY_ID, request, Reception::Later);
    }

    /// Prefetches a scan that a later call of [`Server::tx_scan`] is expected to need, and the proof of its last
    /// transaction. A scan is large, so it is received while this thread does other work.
    pub fn prefetch_tx_scan(
        &mut self,
        database: &str,
        initial: u64,
        limit: u32,
        proof: Option<(u64, u64)>,
    ) {
        let request = wire::tx_scan(initial, limit, Entries::Raw);
        self.prefetch_in(database, method::TX_SCAN, request, Reception::Meanwhile);
        if let Some((tx, prove_since)) = proof {
            let request = wire::verifiable_tx_by_id(tx, prove_since, Entries::Excluded);
            let name = method::VERIFIABLE_TX_BY_ID;
            self.prefetch_in(database, name, request, Reception::Later);
        }
    }

    fn prefetch_in(
        &mut self,
        database: &str,
        name: &'static str,
        request: Vec<u8>,
        reception: Reception,
    ) {
        if let Some(credential) = self.session.known(database) {
            let caller = Caller::within(database, &credential);
            self.prefetch(name, request, caller, reception);
        }
    }

    /// Starts a call. A call that cannot be started now is made when its response is needed, and fails then.
    fn prefetch(
        &mut self,
        name: &'static str,
        request: Vec<u8>,
        caller: Caller<'_>,
        reception: Reception,
    ) {
        let Some(connection) = &self.connection else {
            return;
        };
        let call = Call {
            name,
            request: &request,
            credential: caller.credential,
            timeout: self.timeout_now(),
        };
        if let Ok(pending) = connection.start(&call) {
            let now = self.clock.instant();
            self.prefetched
                .push(name, request, &caller, pending, reception, now);
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

    /// Opens databases with concurrent calls, and returns the result of each.
    fn open_concurrently<'a>(
        &mut self,
        databases: &[&'a str],
        until: Instant,
    ) -> Vec<(&'a str, Result<Credential, ServerError>)> {
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
            // the responses are small, and each is received while others are waited for
            let pending = connection.start(&call).ok()?.receive();
            Some((*database, self.clock.instant(), pending))
        };
        let opening: Vec<_> = databases.iter().filter_map(begin).collect();
        let until = self.end_of_wait(until);
        let mut all = Vec::new();
        for (database, begin, pending) in opening {
            let left = self.clock.until(until);
            let Waited::Ended(ended) = pending.wait_for(left, &self.stop) else {
                continue; // opened later, when it is needed, so that it does not delay the others
            };
            let (name, mut answer) = (method::USE_DATABASE, ended.answer);
            self.hide_secrets(name, &user, &mut answer);
            let duration = ended.at.saturating_duration_since(begin);
            self.calls.count(name, duration, &answer);
            let token = answer.and_then(|answer| answer.decode(name, wire::token));
            let opened = token.map(Credential::Token);
            self.record_opening(database, &opened);
            all.push((database, opened));
        }
        all
    }
}
