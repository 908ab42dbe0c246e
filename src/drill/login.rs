//! The calls that issue tokens and sessions (protocol.md §1).

use super::deliver;
use super::emulate::Emulated;
use super::lie::Lie;
use super::message;
use super::status::{Reply, Status, parse};
use super::store::{Access, ActiveLie, DEFAULT, Store};
use super::token::{TOKEN_LENGTH, Validity, View, word};
use crate::server::Credential;
use crate::wire::proto;

impl Store {
    pub(super) fn login(&mut self, request: &[u8], active: Option<&ActiveLie>) -> Reply {
        if !self.options.server.has_login() {
            return Err(Status::unimplemented("Login"));
        }
        let request: proto::LoginRequest = parse(request)?;
        self.admit(&request.user, &request.password, active)?;
        let database = self.databases.contains_key(DEFAULT);
        let lifetime = self.options.token_lifetime;
        let now = self.options.clock.instant();
        let database = database.then(|| DEFAULT.into());
        let token = self.tokens.give(database, lifetime, now);
        Ok(message::bytes(&proto::LoginResponse {
            token: deliver::token(active, token),
            ..Default::default()
        }))
    }

    pub(super) fn open_session(&mut self, request: &[u8], active: Option<&ActiveLie>) -> Reply {
        let request: proto::OpenSessionRequest = parse(request)?;
        self.admit(&request.username, &request.password, active)?;
        self.accessible(&request.database_name)?;
        let lifetime = self.options.session_lifetime;
        let now = self.options.clock.instant();
        let token = self
            .tokens
            .give_session(request.database_name, lifetime, now);
        Ok(message::bytes(&proto::OpenSessionResponse {
            session_id: deliver::token(active, token),
            server_uuid: self.uuid.clone(),
            ..Default::default()
        }))
    }

    /// Ends a token or session.
    pub(super) fn log_out(&mut self, credential: &Credential) -> Reply {
        self.known(credential)?;
        self.tokens.forget(word(credential));
        Ok(Vec::new())
    }

    /// Checks user and password, and records which of the two users logs in: the new token gets that user's view. The
    /// status code of a wrong password is that of the emulated version.
    fn admit(
        &mut self,
        user: &[u8],
        password: &[u8],
        active: Option<&ActiveLie>,
    ) -> Result<(), Status> {
        if !self.options.auth {
            return Err(Status::unknown(
                "server is running with authentication disabled",
            ));
        }
        let second = self.options.second_user.as_deref();
        self.tokens.view = match second.is_some_and(|second| user == second.as_bytes()) {
            true => View::Second,
            false => View::First,
        };
        let right = (user == self.options.user.as_bytes() || self.tokens.view == View::Second)
            && password == self.options.password.as_bytes()
            && !ActiveLie::is(active, Lie::LoginRefused);
        let code = if self.server.is_0_9() { 7 } else { 2 };
        right
            .then_some(())
            .ok_or_else(|| Status::new(code, "invalid user name or password"))
    }

    /// Returns an error if a caller may not make calls.
    pub(super) fn known(&self, credential: &Credential) -> Result<(), Status> {
        let validity = self.tokens.validity(word(credential));
        match credential {
            Credential::Token(_) | Credential::Session(_) if validity == Validity::Valid => Ok(()),
            _ if self.server.is_0_9() => Err(Status::unknown("please login first")),
            Credential::None => Err(Status::unknown("not logged in")),
            Credential::Token(_) if validity == Validity::Expired => {
                Err(Status::new(7, "token has expired: token validation error"))
            }
            Credential::Token(token) if self.server.has_login() => {
                Err(match self.server >= Emulated::V1_2_4 && was_given(token) {
                    true => Status::unknown("not logged in"),
                    false => Status::new(13, "invalid token"),
                })
            }
            Credential::Token(_) | Credential::Session(_) => {
                Err(Status::new(7, "session not found"))
            }
        }
    }

    /// Returns the database that was chosen with a token.
    pub(super) fn chosen_database(&mut self, credential: &Credential) -> Result<String, Status> {
        let name = match credential {
            Credential::None if !self.options.auth => DEFAULT.to_owned(),
            _ => {
                self.known(credential)?;
                let chosen = self.tokens.database(word(credential));
                chosen.ok_or_else(|| Status::unknown("please select a database first"))?
            }
        };
        if self.lies_about(Lie::ForgottenTokens, &name) {
            self.tokens.forget_all();
            return Err(match credential {
                Credential::Session(_) => Status::new(7, "session not found"),
                _ => Status::new(13, "invalid token"),
            });
        }
        match self.databases.get(&name).map(|database| database.access) {
            _ if self.lies_about(Lie::Vanished, &name) => {}
            Some(Access::Unloaded) => return Err(Status::unknown("already closed")),
            Some(_) => return Ok(name),
            None => {}
        }
        Err(Status::unknown("database does not exist"))
    }
}

/// Returns whether a token has the form of this server's or immudb's tokens. A client with an unknown one got it
/// from another server, or before a restart. It logs in again if the error says so.
fn was_given(token: &str) -> bool {
    let own = token.len() == TOKEN_LENGTH && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    own || token.starts_with("v2.public.")
}
