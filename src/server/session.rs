//! The login and a credential for each database, and the times at which each may be renewed (protocol.md §1,
//! *Authentication*).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::denied::Denied;
use super::error_kind::ServerErrorKind;
use super::server_error::ServerError;
use super::transport::Credential;
use crate::config::{Login, Secret};

/// The server's kind of login.
pub(super) enum Mode {
    /// Not known yet.
    Unknown,
    /// By `Login`, with this token.
    Token(String),
    /// By `OpenSession` only, one session for each database.
    Sessions,
    /// No login: authentication is switched off.
    Off,
}

/// The pause after which a credential may be renewed again within one cycle. It is shorter than any lifetime of a
/// token (a minute at least), so that long work continues. It is long enough that a server that refuses every new
/// credential, or every login, gets few logins.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Session {
    pub(super) login: Login,
    pub(super) mode: Mode,
    databases: HashMap<String, Credential>,
    /// The time at which the credential of each database was renewed in this cycle.
    renewed: HashMap<String, Instant>,
    /// The time at which the login was renewed in this cycle.
    renewed_login: Option<Instant>,
    /// The time at which a login failed in this cycle, and the reason.
    failed_login: Option<(Instant, ServerError)>,
    pub(super) denied: Denied,
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
            failed_login: None,
            denied: Denied::default(),
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
        self.denied.remove(database);
        self.databases.insert(database.into(), credential);
    }

    pub fn begin_cycle(&mut self) {
        self.renewed.clear();
        self.renewed_login = None;
        self.failed_login = None;
    }

    pub fn is_off(&self) -> bool {
        matches!(self.mode, Mode::Off)
    }

    pub fn has_sessions(&self) -> bool {
        matches!(self.mode, Mode::Sessions)
    }

    /// Forgets the databases that `keeps` does not select.
    pub fn keep(&mut self, keeps: impl Fn(&str) -> bool) {
        self.databases.retain(|name, _| keeps(name));
        self.denied.keep(keeps);
    }

    /// Returns whether the server refuses the credential of a call. Servers report a token whose lifetime is over
    /// with the message and the status of a missing permission. So the message does not count, and a refusal is
    /// final only after the credential was renewed.
    pub fn is_refused<T>(&self, answer: &Result<T, ServerError>) -> bool {
        match answer.as_ref().err().map(|failure| &failure.kind) {
            Some(
                ServerErrorKind::NotLoggedIn
                | ServerErrorKind::Forbidden
                | ServerErrorKind::BadLogin,
            ) => true,
            // authentication may have been switched off
            Some(ServerErrorKind::NoAuthentication) => !self.is_off(),
            _ => false,
        }
    }

    /// Returns whether the credential of a database may be renewed: once in a cycle, and again after a pause, so
    /// that a server that refuses all of them cannot keep the auditor busy.
    pub fn may_renew(&self, database: &str, now: Instant) -> bool {
        has_paused(self.renewed.get(database), now, self.renewal_pause)
    }

    /// Records that a new credential was requested for a database, and that a response came.
    pub fn renewed(&mut self, database: &str, now: Instant) {
        self.renewed.insert(database.into(), now);
    }

    /// Returns whether the login may be renewed: as often as the credential of a database. A failed login is
    /// repeated in the next cycle, or after the pause if the cycle is longer, because servers lock out clients with
    /// many failed logins.
    ///
    /// # Errors
    /// A login failed within the pause; the failure.
    pub fn may_renew_login(&self, now: Instant) -> Result<bool, ServerError> {
        match &self.failed_login {
            Some((failed, failure)) if !has_paused(Some(failed), now, self.renewal_pause) => {
                Err(failure.clone())
            }
            _ => Ok(has_paused(
                self.renewed_login.as_ref(),
                now,
                self.renewal_pause,
            )),
        }
    }

    /// Records that the login was renewed.
    pub fn renewed_login(&mut self, now: Instant) {
        self.renewed_login = Some(now);
        self.failed_login = None;
    }

    /// Records that a login failed.
    pub fn failed_login(&mut self, now: Instant, failure: &ServerError) {
        self.failed_login = Some((now, failure.clone()));
    }

    /// Forgets the credential of every database: each was issued after the login that ended, and ends soon after
    /// it.
    pub fn forget_databases(&mut self) {
        self.databases.clear();
    }
}

/// Returns whether a pause has passed since `last`, if there was such a time.
pub(super) fn has_paused(last: Option<&Instant>, now: Instant, pause: Duration) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(*last) >= pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new(Login {
            username: "immudb".into(),
            password: Secret::new("immudb".into()),
        })
    }

    #[test]
    fn a_credential_may_be_renewed_once_in_a_cycle_and_again_after_a_pause() {
        let begin = Instant::now();
        let later = |seconds| begin + Duration::from_secs(seconds);
        let mut session = session();
        let may = |session: &Session, now| {
            let login = session.may_renew_login(now) == Ok(true);
            assert_eq!(session.may_renew("db", now), login);
            login
        };
        for renewed in [begin, later(30)] {
            assert!(may(&session, renewed));
            session.renewed("db", renewed);
            session.renewed_login(renewed);
            assert!(!may(&session, renewed + Duration::from_secs(29)));
        }
        session.begin_cycle();
        assert!(may(&session, later(59)));
    }

    #[test]
    fn each_database_is_renewed_by_itself() {
        let now = Instant::now();
        let mut session = session();
        session.renewed("a", now);
        assert!(!session.may_renew("a", now));
        assert!(session.may_renew("b", now));
    }

    #[test]
    fn a_failed_login_is_remembered_for_the_pause_and_no_longer_than_the_cycle() {
        let begin = Instant::now();
        let later = |seconds| begin + Duration::from_secs(seconds);
        let failure = ServerError::new("Login", ServerErrorKind::BadLogin);
        let mut session = session();
        session.failed_login(begin, &failure);
        assert_eq!(session.may_renew_login(later(29)), Err(failure.clone()));
        assert_eq!(session.may_renew_login(later(30)), Ok(true));
        session.failed_login(later(30), &failure);
        session.begin_cycle();
        assert_eq!(session.may_renew_login(later(31)), Ok(true));
    }
}
