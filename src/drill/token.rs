//! The tokens and sessions that the embedded server has given, and how long each is valid.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::store::random_word;

/// The lifetime of a token or a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the server forgets it.
    #[default]
    Unlimited,
    /// For this count of calls.
    Calls(u64),
    /// A token for this time, a session until it was not used for this time.
    Time(Duration),
}

/// The server's answer to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    Valid,
    /// The server gave it, and its lifetime is over.
    Expired,
    Unknown,
}

struct Token {
    /// The database that was chosen with it.
    database: Option<String>,
    lifetime: Lifetime,
    /// The time of issue of a token, and of the last use of a session.
    since: Instant,
    calls: u64,
    expired: bool,
    is_session: bool,
}

/// Every token and session that was given and not forgotten.
#[derive(Default)]
pub(super) struct Tokens(HashMap<String, Token>);

impl Tokens {
    /// Gives a token for calls outside any database, or within one.
    pub fn give(&mut self, database: Option<String>, lifetime: Lifetime, now: Instant) -> String {
        self.insert(database, lifetime, now, false)
    }

    /// Gives a session of a database.
    pub fn give_session(&mut self, database: String, lifetime: Lifetime, now: Instant) -> String {
        self.insert(Some(database), lifetime, now, true)
    }

    fn insert(
        &mut self,
        database: Option<String>,
        lifetime: Lifetime,
        now: Instant,
        session: bool,
    ) -> String {
        let word = random_word(40);
        let token = Token {
            database,
            lifetime,
            since: now,
            calls: 0,
            expired: false,
            is_session: session,
        };
        self.0.insert(word.clone(), token);
        word
    }

    /// Counts a call that is made with a token.
    pub fn count_call(&mut self, word: &str, now: Instant) {
        let Some(token) = self.0.get_mut(word) else {
            return;
        };
        token.expired |= match token.lifetime {
            Lifetime::Unlimited => false,
            Lifetime::Calls(calls) => token.calls >= calls,
            Lifetime::Time(time) => now.saturating_duration_since(token.since) >= time,
        };
        token.calls += 1;
        if token.is_session {
            token.since = now;
        }
    }

    pub fn validity(&self, word: &str) -> Validity {
        match self.0.get(word) {
            None => Validity::Unknown,
            // a server removes a session that has ended
            Some(token) if token.expired && token.is_session => Validity::Unknown,
            Some(token) if token.expired => Validity::Expired,
            Some(_) => Validity::Valid,
        }
    }

    /// Returns the database that was chosen with a token.
    pub fn database(&self, word: &str) -> Option<String> {
        self.0.get(word)?.database.clone()
    }

    pub fn forget(&mut self, word: &str) {
        self.0.remove(word);
    }

    pub fn forget_all(&mut self) {
        self.0.clear();
    }

    /// Ends the lifetime of all of them.
    pub fn expire_all(&mut self) {
        for token in self.0.values_mut() {
            token.expired = true;
        }
    }

    pub fn words(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}
