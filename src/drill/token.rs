//! The tokens and sessions that the embedded server has issued, and how long each is valid.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::random::Random;
use crate::server::Credential;

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

/// The history that a user is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    /// The view of all other users.
    #[default]
    First,
    /// The view of the second user ([`Options::second_user`](super::Options)).
    Second,
}

/// The server's decision about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    Valid,
    /// The server issued it, and its lifetime is over.
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
    /// The view of the token's user.
    view: View,
    /// The call in which it was used last, counted over all calls.
    last_call: u64,
}

impl Token {
    fn has_ended(&self, now: Instant) -> bool {
        let over = match self.lifetime {
            Lifetime::Unlimited => false,
            Lifetime::Calls(calls) => self.calls >= calls,
            Lifetime::Time(time) => now.saturating_duration_since(self.since) >= time,
        };
        self.expired || over
    }
}

/// The maximum number of stored tokens, so that years of logins do not accumulate: more than an auditor of 10,000
/// databases needs. Beyond it, tokens whose lifetime is over are removed; if all are valid, the one unused for the
/// longest time.
const MAX_TOKENS: usize = 12_000;

/// The length of the text of a token or session, in characters.
pub(super) const TOKEN_LENGTH: usize = 40;

/// Returns the text of a token or session; empty if the caller has none.
pub(super) fn word(credential: &Credential) -> &str {
    match credential {
        Credential::None => "",
        Credential::Token(word) | Credential::Session(word) => word,
    }
}

/// Every token and session that was issued and not removed.
pub(super) struct Tokens {
    given: HashMap<String, Token>,
    calls: u64,
    random: Random,
    /// The view of the calling user: it depends on the token of the call, or on the user who logs in.
    pub view: View,
}

impl Tokens {
    /// Creates an empty set. `random` generates the tokens.
    pub fn new(random: Random) -> Tokens {
        Tokens {
            given: HashMap::new(),
            calls: 0,
            random,
            view: View::First,
        }
    }

    /// Issues a token for calls outside any database, or within one.
    pub fn give(&mut self, database: Option<String>, lifetime: Lifetime, now: Instant) -> String {
        self.insert(database, lifetime, now, false)
    }

    /// Issues a session of a database.
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
        if self.given.len() >= MAX_TOKENS {
            self.given.retain(|_, token| !token.has_ended(now));
        }
        if self.given.len() >= MAX_TOKENS {
            let oldest = self.given.iter().min_by_key(|(_, token)| token.last_call);
            if let Some(word) = oldest.map(|(word, _)| word.clone()) {
                self.given.remove(&word);
            }
        }
        self.calls += 1;
        let word = self.random.word(TOKEN_LENGTH);
        let token = Token {
            database,
            lifetime,
            since: now,
            calls: 0,
            expired: false,
            is_session: session,
            view: self.view,
            last_call: self.calls,
        };
        self.given.insert(word.clone(), token);
        word
    }

    /// Counts a call that is made with a token.
    pub fn count_call(&mut self, word: &str, now: Instant) {
        self.view = View::First;
        let Some(token) = self.given.get_mut(word) else {
            return;
        };
        self.view = token.view;
        token.expired = token.has_ended(now);
        token.calls += 1;
        self.calls += 1;
        token.last_call = self.calls;
        if token.is_session {
            token.since = now;
        }
    }

    pub fn validity(&self, word: &str) -> Validity {
        match self.given.get(word) {
            None => Validity::Unknown,
            // a server removes an expired session, so it is unknown afterwards
            Some(token) if token.expired && token.is_session => Validity::Unknown,
            Some(token) if token.expired => Validity::Expired,
            Some(_) => Validity::Valid,
        }
    }

    /// Returns the database that was chosen with a token.
    pub fn database(&self, word: &str) -> Option<String> {
        self.given.get(word)?.database.clone()
    }

    pub fn forget(&mut self, word: &str) {
        self.given.remove(word);
    }

    pub fn forget_all(&mut self) {
        self.given.clear();
    }

    /// Ends the lifetime of all of them.
    pub fn expire_all(&mut self) {
        for token in self.given.values_mut() {
            token.expired = true;
        }
    }

    pub fn words(&self) -> Vec<String> {
        self.given.keys().cloned().collect()
    }
}
