//! The options of the embedded server.

use super::emulate::Emulated;
use super::ledger::Lag;
use super::sign::SigningKey;
use super::token::Lifetime;
use crate::clock::Clock;
use crate::random::Random;

/// The options of the server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0: any free port.
    pub port: u16,
    /// The user who may log in.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// A further user with the same password, who gets the second view if there is one.
    pub second_user: Option<String>,
    /// Whether authentication is on. If it is off, `Login` and the list of databases are refused, and calls work
    /// without a token, as in maintenance mode.
    pub auth: bool,
    /// The databases, each without transactions.
    pub databases: Vec<String>,
    /// The key that signs states.
    pub key: Option<SigningKey>,
    /// The emulated version.
    pub server: Emulated,
    /// The lag of the main tree of a database.
    pub lag: Lag,
    /// The lifetime of each token of `Login` and `UseDatabase`.
    pub token_lifetime: Lifetime,
    /// The lifetime of each session of `OpenSession`.
    pub session_lifetime: Lifetime,
    /// The clock of its transactions and lifetimes.
    pub clock: Clock,
    /// The random numbers of its identity and its tokens.
    pub random: Random,
}

impl Default for Options {
    /// Returns the options of an immudb 1.11.1 with the default user, `defaultdb`, no signing key and no lag, on any
    /// port.
    fn default() -> Options {
        Options {
            port: 0,
            user: "immudb".into(),
            password: "immudb".into(),
            second_user: None,
            auth: true,
            databases: vec!["defaultdb".into()],
            key: None,
            server: Emulated::V1_11_1,
            lag: Lag::None,
            token_lifetime: Lifetime::Unlimited,
            session_lifetime: Lifetime::Unlimited,
            clock: Clock::system(),
            random: Random::system(),
        }
    }
}

impl Options {
    /// Returns the same options with a new signing key.
    pub fn signed(self) -> Options {
        Options {
            key: SigningKey::generate(),
            ..self
        }
    }

    /// Returns the same options with these databases in addition to `defaultdb`.
    pub fn with_databases(mut self, names: &[&str]) -> Options {
        self.databases
            .extend(names.iter().map(|name| name.to_string()));
        self
    }
}
