//! The login, and a credential for each database, kept until the server refuses it
//! (protocol.md §1, *Authentication*).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::call::Credential;
use super::failure::{Failure, Kind};
use super::{DEFAULT_DATABASE, Server};
use crate::config::Secret;
use crate::wire::{self, method};

/// User and password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

/// How this server lets callers in.
pub(super) enum Mode {
    /// Not asked yet.
    Unknown,
    /// By `Login`, with this token.
    Token(String),
    /// By `OpenSession` alone, one session a database.
    Sessions,
    /// Everybody: authentication is switched off.
    Off,
}

/// The pause after which a credential may be renewed again within one cycle: shorter than any
/// lifetime of a token (a minute at least), so that long work goes on, and long enough that a server
/// which refuses every new credential gets few logins.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Session {
    login: Login,
    pub(super) mode: Mode,
    databases: HashMap<String, Credential>,
    /// When the credential of each database was renewed in this cycle.
    renewed: HashMap<String, Instant>,
    /// When the login was renewed in this cycle.
    renewed_login: Option<Instant>,
    renewal_pause: Duration,
}

impl Session {
    pub fn new(login: Login) -> Session {
        Session {
            login,
            mode: Mode::Unknown,
            databases: HashMap::new(),
            renewed: HashMap::new(),
            renewed_login: None,
            renewal_pause: RENEWAL_PAUSE,
        }
    }

    /// Sets the pause after which a credential may be renewed again within one cycle.
    pub fn set_renewal_pause(&mut self, pause: Duration) {
        self.renewal_pause = pause;
    }

    /// Replaces the password of the next login.
    pub fn set_password(&mut self, password: Secret) {
        self.login.password = password;
    }

    /// Returns the credential that a database was last opened with.
    pub fn known(&self, database: &str) -> Option<Credential> {
        self.databases.get(database).cloned()
    }

    /// Returns the token of `Login`, for calls outside any database.
    pub fn token(&self) -> Option<Credential> {
        match &self.mode {
            Mode::Token(token) => Some(Credential::Token(token.clone())),
            _ => None,
        }
    }

    /// Stores the credential that a database was opened with.
    pub fn opened(&mut self, database: &str, credential: Credential) {
        self.databases.insert(database.into(), credential);
    }

    pub fn begin_cycle(&mut self) {
        self.renewed.clear();
        self.renewed_login = None;
    }

    pub fn is_off(&self) -> bool {
        matches!(self.mode, Mode::Off)
    }

    pub fn keep(&mut self, keeps: impl Fn(&str) -> bool) {
        self.databases.retain(|name, _| keeps(name));
    }

    pub fn forget(&mut self, database: &str) {
        self.databases.remove(database);
    }

    /// Returns whether the server refuses the credential of a call. A token whose lifetime is over is
    /// refused in the words and with the status of a missing permission. So the words do not count,
    /// and a refusal is final only after the credential was renewed.
    pub fn is_refused<T>(&self, answer: &Result<T, Failure>) -> bool {
        match answer.as_ref().err().map(|failure| &failure.kind) {
            Some(Kind::NotLoggedIn | Kind::Forbidden | Kind::BadLogin) => true,
            // authentication may have been switched off
            Some(Kind::NoAuthentication) => !self.is_off(),
            _ => false,
        }
    }

    /// Forgets the credential of a database and returns whether it may be renewed: once in a cycle,
    /// and again after a pause, so that a server that refuses all of them cannot keep us busy.
    pub fn may_renew(&mut self, database: &str, now: Instant) -> bool {
        if !has_paused(self.renewed.get(database), now, self.renewal_pause) {
            return false;
        }
        self.databases.remove(database);
        if self.is_off() {
            self.mode = Mode::Unknown; // authentication may have been switched on
        }
        self.renewed.insert(database.into(), now);
        true
    }

    /// Forgets the login and returns whether it may be renewed: as often as the credential of a
    /// database.
    pub fn may_renew_login(&mut self, now: Instant) -> bool {
        if !has_paused(self.renewed_login.as_ref(), now, self.renewal_pause) {
            return false;
        }
        if matches!(self.mode, Mode::Sessions) {
            self.databases.remove(DEFAULT_DATABASE); // the session of calls outside any database
        }
        self.mode = Mode::Unknown;
        self.renewed_login = Some(now);
        true
    }

    /// Forgets the credential of every database: each was given after the login that ended, and ends
    /// soon after it.
    pub fn forget_databases(&mut self) {
        self.databases.clear();
    }
}

fn has_paused(last: Option<&Instant>, now: Instant, pause: Duration) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(*last) >= pause)
}

impl Server {
    /// Returns the credential of a call outside any database.
    pub(super) fn credential_of_user(&mut self) -> Result<Credential, Failure> {
        self.log_in()?;
        match &self.session.mode {
            Mode::Sessions => self.credential_for(DEFAULT_DATABASE),
            _ => Ok(self.session.token().unwrap_or(Credential::None)),
        }
    }

    /// Returns the credential of a call within a database, and opens the database before where that
    /// is needed. `UseDatabase` takes the token of the login, which may have ended as well.
    pub(super) fn credential_for(&mut self, database: &str) -> Result<Credential, Failure> {
        self.log_in()?;
        if let Some(credential) = self.session.databases.get(database) {
            return Ok(credential.clone());
        }
        let mut opened = self.open_database(database);
        let by_token = !matches!(self.session.mode, Mode::Sessions);
        if self.session.is_refused(&opened)
            && by_token
            && self.session.may_renew_login(Instant::now())
        {
            self.ahead.forget();
            self.log_in()?;
            opened = self.open_database(database);
        }
        let credential = opened?;
        self.session.opened(database, credential.clone());
        Ok(credential)
    }

    fn open_database(&mut self, database: &str) -> Result<Credential, Failure> {
        match &self.session.mode {
            Mode::Off if database == DEFAULT_DATABASE => Ok(Credential::None),
            Mode::Sessions => self.open_session(database),
            _ => self.use_database(database),
        }
    }

    /// Logs in where that is not done yet.
    pub(super) fn log_in(&mut self) -> Result<(), Failure> {
        if !matches!(self.session.mode, Mode::Unknown) {
            return Ok(());
        }
        self.read_password();
        let login = &self.session.login;
        let request = wire::login(&login.user, login.password.expose());
        let answer = self.send(method::LOGIN, &request, &Credential::None);
        self.session.mode = match answer {
            Ok(answer) => Mode::Token(answer.decode(method::LOGIN, wire::login_token)?),
            Err(failure) => match failure.kind {
                Kind::NoAuthentication => Mode::Off,
                Kind::Unimplemented => Mode::Sessions,
                _ => return Err(failure),
            },
        };
        Ok(())
    }

    fn use_database(&mut self, database: &str) -> Result<Credential, Failure> {
        let request = wire::database(database);
        let credential = self.session.token().unwrap_or(Credential::None);
        let answer = self.send(method::USE_DATABASE, &request, &credential)?;
        let token = answer.decode(method::USE_DATABASE, wire::use_database_token);
        token.map(Credential::Token)
    }

    fn open_session(&mut self, database: &str) -> Result<Credential, Failure> {
        self.read_password();
        let login = &self.session.login;
        let request = wire::open_session(&login.user, login.password.expose(), database);
        let answer = self.send(method::OPEN_SESSION, &request, &Credential::None)?;
        let session = answer.decode(method::OPEN_SESSION, wire::session_id);
        session.map(Credential::Session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new(Login {
            user: "immudb".into(),
            password: Secret::new("immudb".into()),
        })
    }

    #[test]
    fn a_credential_may_be_renewed_once_in_a_cycle_and_again_after_a_pause() {
        let begin = Instant::now();
        let later = |seconds| begin + Duration::from_secs(seconds);
        let mut session = session();
        let mut renews = |now| (session.may_renew("db", now), session.may_renew_login(now));
        assert_eq!(renews(begin), (true, true));
        assert_eq!(renews(later(29)), (false, false));
        assert_eq!(renews(later(30)), (true, true));
        assert_eq!(renews(later(59)), (false, false));
        session.begin_cycle();
        assert!(session.may_renew("db", later(59)));
        assert!(session.may_renew_login(later(59)));
    }

    #[test]
    fn each_database_is_renewed_by_itself() {
        let now = Instant::now();
        let mut session = session();
        assert!(session.may_renew("a", now));
        assert!(session.may_renew("b", now));
        assert!(!session.may_renew("a", now));
    }
}
