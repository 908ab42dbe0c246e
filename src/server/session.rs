//! Who we are to the server: a login, and a token per database kept until the server forgets it
//! (protocol.md §1, *Authentication*).

use std::collections::{HashMap, HashSet};

use super::call::{Answer, Credential};
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

pub(super) struct Session {
    login: Login,
    pub(super) mode: Mode,
    databases: HashMap<String, Credential>,
    renewed: HashSet<String>,
    renewed_login: bool,
}

impl Session {
    pub fn new(login: Login) -> Session {
        Session {
            login,
            mode: Mode::Unknown,
            databases: HashMap::new(),
            renewed: HashSet::new(),
            renewed_login: false,
        }
    }

    /// What a database was last opened with.
    pub fn known(&self, database: &str) -> Option<Credential> {
        self.databases.get(database).cloned()
    }

    /// What `Login` gave for calls outside any database.
    pub fn token(&self) -> Option<Credential> {
        match &self.mode {
            Mode::Token(token) => Some(Credential::Token(token.clone())),
            _ => None,
        }
    }

    /// A database is open.
    pub fn opened(&mut self, database: &str, credential: Credential) {
        self.databases.insert(database.into(), credential);
    }

    pub fn begin_cycle(&mut self) {
        self.renewed.clear();
        self.renewed_login = false;
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

    /// Does the answer say that the server does not know us (any more)?
    pub fn forgotten(&self, answer: &Result<Answer, Failure>) -> bool {
        matches!(answer, Err(failure) if failure.kind == Kind::NotLoggedIn)
    }

    /// Forgets the database's token; once a cycle, so that a server which forgets all of them
    /// cannot keep us busy.
    pub fn may_renew(&mut self, database: &str) -> bool {
        self.databases.remove(database);
        self.renewed.insert(database.into())
    }

    /// Forgets the login, once a cycle.
    pub fn may_renew_login(&mut self) -> bool {
        if matches!(self.mode, Mode::Sessions) {
            self.databases.remove(DEFAULT_DATABASE); // the session it stands for
        }
        self.mode = Mode::Unknown;
        !std::mem::replace(&mut self.renewed_login, true)
    }
}

impl Server {
    /// What a call outside any database is made with.
    pub(super) fn credential_of_user(&mut self) -> Result<Credential, Failure> {
        self.log_in()?;
        match &self.session.mode {
            Mode::Sessions => self.credential_for(DEFAULT_DATABASE),
            _ => Ok(self.session.token().unwrap_or(Credential::None)),
        }
    }

    /// What a call within a database is made with.
    pub(super) fn credential_for(&mut self, database: &str) -> Result<Credential, Failure> {
        self.log_in()?;
        if let Some(credential) = self.session.databases.get(database) {
            return Ok(credential.clone());
        }
        let credential = match &self.session.mode {
            Mode::Off if database == DEFAULT_DATABASE => Credential::None,
            Mode::Sessions => self.open_session(database)?,
            _ => self.use_database(database)?,
        };
        self.session.opened(database, credential.clone());
        Ok(credential)
    }

    fn log_in(&mut self) -> Result<(), Failure> {
        if !matches!(self.session.mode, Mode::Unknown) {
            return Ok(());
        }
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
        let mut answer = {
            let credential = self.credential_of_user()?;
            self.send(method::USE_DATABASE, &request, &credential)
        };
        if self.session.forgotten(&answer) && self.session.may_renew_login() {
            let credential = self.credential_of_user()?;
            answer = self.send(method::USE_DATABASE, &request, &credential);
        }
        let token = answer?.decode(method::USE_DATABASE, wire::use_database_token);
        token.map(Credential::Token)
    }

    fn open_session(&mut self, database: &str) -> Result<Credential, Failure> {
        let login = &self.session.login;
        let request = wire::open_session(&login.user, login.password.expose(), database);
        let answer = self.send(method::OPEN_SESSION, &request, &Credential::None)?;
        let session = answer.decode(method::OPEN_SESSION, wire::session_id);
        session.map(Credential::Session)
    }
}
