//! Logging in, opening databases, and repeating both. A login or a credential stays until a new one replaces it: a
//! renewal that fails discards nothing (protocol.md §1, *Authentication*).

use super::error_kind::ServerErrorKind;
use super::exchange::Caller;
use super::server_error::ServerError;
use super::session::Mode;
use super::transport::Credential;
use super::{DEFAULT_DATABASE, Server};
use crate::wire::{self, method};

impl Server {
    /// Returns the credential of a call outside any database.
    pub(super) fn credential_of_user(&mut self) -> Result<Credential, ServerError> {
        self.log_in()?;
        if self.session.has_sessions() {
            return self.credential_for(DEFAULT_DATABASE);
        }
        Ok(self.session.token().unwrap_or(Credential::None))
    }

    /// Renews the login and returns the new credential of a call outside any database; `None` if the
    /// login may not be renewed now. Only a renewal that succeeds discards the credentials of databases.
    pub(super) fn renew_credential_of_user(&mut self) -> Result<Option<Credential>, ServerError> {
        if !self.renew_login()? {
            return Ok(None);
        }
        let session = match self.session.has_sessions() {
            true => Some(self.open_session(DEFAULT_DATABASE)?),
            false => None,
        };
        self.session.forget_databases();
        self.prefetched.cancel(&self.stop, self.clock.instant()); // the calls were sent with the old credentials
        if let Some(session) = &session {
            self.session.opened(DEFAULT_DATABASE, session.clone());
        }
        let credential = session.or_else(|| self.session.token());
        Ok(Some(credential.unwrap_or(Credential::None)))
    }

    /// Returns the credential of a call within a database, and opens the database first if that was not done yet.
    pub(super) fn credential_for(&mut self, database: &str) -> Result<Credential, ServerError> {
        match self.session.known(database) {
            Some(credential) => Ok(credential),
            None => self.open_again(database),
        }
    }

    /// Renews the credential of a database that was refused.
    pub(super) fn renew_credential_for(
        &mut self,
        database: &str,
    ) -> Result<Credential, ServerError> {
        if self.session.is_off() {
            self.renew_login()?; // authentication may have been switched on
        }
        let opened = self.open_again(database);
        if !opened.as_ref().is_err_and(is_silence) {
            self.session.renewed(database, self.clock.instant());
        }
        opened
    }

    /// Opens a database with a new credential. `UseDatabase` takes the token of the login, which may have
    /// ended as well. The credential that the database had before stays in use until this succeeds.
    pub(super) fn open_again(&mut self, database: &str) -> Result<Credential, ServerError> {
        self.log_in()?;
        let mut opened = self.open_database(database);
        let by_token = !self.session.has_sessions();
        if by_token
            && self.session.is_refused(&opened)
            && self.renew_login_for(database, &opened)?
        {
            opened = self.open_database(database);
        }
        self.record_opening(database, &opened);
        opened
    }

    /// Renews the login if that may help a database that was refused, and returns whether it was renewed.
    pub(super) fn renew_login_for(
        &mut self,
        database: &str,
        opened: &Result<Credential, ServerError>,
    ) -> Result<bool, ServerError> {
        let Err(failure) = opened else {
            return Ok(false);
        };
        let now = self.clock.instant();
        if self.session.denied.holds(database, failure, now) {
            return Ok(false);
        }
        self.session.denied.try_login(database, failure, now);
        self.renew_login()
    }

    /// Records the result of opening a database.
    pub(super) fn record_opening(
        &mut self,
        database: &str,
        opened: &Result<Credential, ServerError>,
    ) {
        let now = self.clock.instant();
        match opened {
            Ok(credential) => self.session.opened(database, credential.clone()),
            // only after a new login a refusal is final
            Err(failure) if self.session.may_renew_login(now) == Ok(false) => {
                self.session.denied.add(database, failure, now);
            }
            Err(_) => {}
        }
    }

    fn open_database(&mut self, database: &str) -> Result<Credential, ServerError> {
        match &self.session.mode {
            // without authentication only a server in maintenance mode opens databases, and demands it if it has
            // several; any other server has the default one alone
            Mode::Off if database == DEFAULT_DATABASE => match self.use_database(database) {
                Err(failure) if is_refusal(&failure) => Ok(Credential::None),
                opened => opened,
            },
            Mode::Sessions => self.open_session(database),
            _ => self.use_database(database),
        }
    }

    /// Logs in if that is not done yet.
    pub(super) fn log_in(&mut self) -> Result<(), ServerError> {
        if !matches!(self.session.mode, Mode::Unknown) {
            return Ok(());
        }
        self.session.may_renew_login(self.clock.instant())?;
        self.make_login()
    }

    /// Makes a new login, and returns whether it was made: it is not if the login was renewed a moment ago. The
    /// old login stays in use until the new one succeeds.
    ///
    /// # Errors
    /// The login fails, or failed a moment ago.
    pub(super) fn renew_login(&mut self) -> Result<bool, ServerError> {
        if !self.session.may_renew_login(self.clock.instant())? {
            return Ok(false);
        }
        self.make_login()?;
        self.session.renewed_login(self.clock.instant());
        Ok(true)
    }

    fn make_login(&mut self) -> Result<(), ServerError> {
        self.read_password();
        let login = &self.session.login;
        let request = wire::login(&login.username, login.password.expose());
        let answer = self.send(method::LOGIN, &request, Caller::NOBODY);
        let mode = match answer {
            Ok(answer) => answer.decode(method::LOGIN, wire::token).map(Mode::Token),
            Err(failure) => match failure.kind {
                ServerErrorKind::NoAuthentication => Ok(Mode::Off),
                ServerErrorKind::Unimplemented => Ok(Mode::Sessions),
                _ => Err(failure),
            },
        };
        match mode {
            Ok(mode) => {
                self.session.mode = mode;
                Ok(())
            }
            Err(failure) => {
                if !is_silence(&failure) {
                    self.session.failed_login(self.clock.instant(), &failure);
                }
                Err(failure)
            }
        }
    }

    fn use_database(&mut self, database: &str) -> Result<Credential, ServerError> {
        let request = wire::database(database);
        let credential = self.session.token().unwrap_or(Credential::None);
        let caller = Caller::user(&credential);
        let answer = self.send(method::USE_DATABASE, &request, caller)?;
        let token = answer.decode(method::USE_DATABASE, wire::token);
        token.map(Credential::Token)
    }

    /// Opens a session, which is also a login: if the login fails, it is not repeated for the next database.
    fn open_session(&mut self, database: &str) -> Result<Credential, ServerError> {
        self.session.may_renew_login(self.clock.instant())?;
        self.read_password();
        let login = &self.session.login;
        let request = wire::open_session(&login.username, login.password.expose(), database);
        let answer = self.send(method::OPEN_SESSION, &request, Caller::NOBODY);
        if let Err(failure) = &answer {
            if matches!(
                failure.kind,
                ServerErrorKind::BadLogin
                    | ServerErrorKind::RateLimited
                    | ServerErrorKind::HeadersTooLarge
            ) {
                self.session.failed_login(self.clock.instant(), failure);
            }
            if failure.kind == ServerErrorKind::Unimplemented {
                // every server has one of the two calls, so a proxy has answered: the next call logs in again
                self.session.mode = Mode::Unknown;
            }
        }
        let session = answer?.decode(method::OPEN_SESSION, wire::token);
        session.map(Credential::Session)
    }
}

/// Returns whether a server refuses a call that it does not have, or does not offer in its present mode.
pub(super) fn is_refusal(failure: &ServerError) -> bool {
    matches!(
        failure.kind,
        ServerErrorKind::NoAuthentication
            | ServerErrorKind::NotLoggedIn
            | ServerErrorKind::Forbidden
            | ServerErrorKind::Unimplemented
            | ServerErrorKind::Other(_)
    )
}

/// Returns whether a call failed without a response, in a way that says nothing about the next call: no
/// connection, or a shortened time.
fn is_silence(failure: &ServerError) -> bool {
    matches!(
        failure.kind,
        ServerErrorKind::Stopped | ServerErrorKind::Unreachable | ServerErrorKind::CutShort
    )
}
