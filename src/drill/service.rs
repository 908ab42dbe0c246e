//! The calls: from a request's bytes to an answer's (protocol.md §1 and §2).

use protobuf::Message;

use super::deliver;
use super::distort;
use super::emulate::Emulated;
use super::ledger::{Draft, NewEntry};
use super::lie::Lie;
use super::message;
use super::refuse;
use super::split::View;
use super::store::{Access, DEFAULT, Store, Told};
use super::token::Validity;
use crate::ledger::KvMetadata;
use crate::wire::{method, proto};

/// An error as gRPC carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub code: i32,
    pub message: String,
}

impl Status {
    pub fn new(code: i32, message: impl Into<String>) -> Status {
        Status {
            code,
            message: message.into(),
        }
    }

    /// The version does not have this call.
    pub fn unimplemented(call: &str) -> Status {
        Status::new(
            12,
            format!("unknown method {call} for service immudb.schema.ImmuService"),
        )
    }

    /// The code that servers use for nearly everything.
    pub fn unknown(message: impl Into<String>) -> Status {
        Status::new(2, message)
    }
}

type Reply = Result<Vec<u8>, Status>;

/// What a call is answered with, and what it is about.
pub(super) struct Answered {
    pub reply: Reply,
    pub told: Option<Told>,
}

impl Store {
    /// Answers one call; `token` is what came as `authorization` or `sessionid`.
    pub fn answer(&mut self, call: &'static str, token: Option<&str>, request: &[u8]) -> Answered {
        *self.calls.entry(call).or_default() += 1;
        let now = self.options.clock.instant();
        self.tokens.count_call(token.unwrap_or_default(), now);
        match call {
            method::LOGIN
            | method::OPEN_SESSION
            | method::LOGOUT
            | method::CLOSE_SESSION
            | method::KEEP_ALIVE
            | method::DATABASE_LIST
            | method::USE_DATABASE
            | method::HEALTH
            | method::SERVER_INFO => {
                let told = self.lie_for(call, None);
                Answered {
                    reply: self.answer_of_server(call, token, request, told.as_ref()),
                    told,
                }
            }
            _ => match self.chosen_database(token) {
                Ok(database) => {
                    let told = self.lie_for(call, Some(&database));
                    Answered {
                        reply: self.answer_of_database(call, &database, request, told.as_ref()),
                        told,
                    }
                }
                Err(status) => Answered {
                    reply: Err(status),
                    told: None,
                },
            },
        }
    }

    fn answer_of_server(
        &mut self,
        call: &str,
        token: Option<&str>,
        request: &[u8],
        told: Option<&Told>,
    ) -> Reply {
        match call {
            method::LOGIN => self.login(request, told),
            method::OPEN_SESSION => self.open_session(request, told),
            method::LOGOUT | method::CLOSE_SESSION => {
                self.known(token)?;
                self.tokens.forget(token.unwrap_or_default());
                Ok(Vec::new())
            }
            method::KEEP_ALIVE => self.known(token).map(|()| Vec::new()),
            method::DATABASE_LIST => self.database_list(token, told),
            method::USE_DATABASE => self.use_database(token, request, told),
            method::HEALTH => Ok(message::bytes(&proto::HealthResponse {
                status: true,
                version: self.server.name().into(),
                ..Default::default()
            })),
            _ => Ok(self.server_info()),
        }
    }

    fn answer_of_database(
        &mut self,
        call: &str,
        database: &str,
        request: &[u8],
        told: Option<&Told>,
    ) -> Reply {
        if let Some(error) = refuse::refusal(self, told, call, request) {
            return Err(error);
        }
        let dropped = self.databases.get(database).map_or(0, |d| d.dropped_before);
        if refuse::asks_for_dropped_values(dropped, call, request) {
            return Err(Status::unknown("EOF"));
        }
        match call {
            method::CURRENT_STATE => self.current_state(database, told),
            method::VERIFIABLE_TX_BY_ID => {
                self.verifiable_tx_by_id(database, &parse(request)?, told)
            }
            method::TX_BY_ID => self.tx_by_id(database, &parse(request)?, told),
            method::TX_SCAN => self.tx_scan(database, &parse(request)?, told),
            method::GET => self.get(database, &parse(request)?, told),
            method::VERIFIABLE_GET => self.verifiable_get(database, &parse(request)?, told),
            method::SET => {
                let tx = self.set(database, parse(request)?)?;
                let ledger = self.ledger(database, None)?;
                let stored = ledger.tx(tx).ok_or_else(tx_not_found)?;
                Ok(message::bytes(&message::header(&stored.header)))
            }
            _ => {
                let request: proto::VerifiableSetRequest = parse(request)?;
                let tx = self.set(database, request.set_request.unwrap_or_default())?;
                let proof = self.verifiable_tx(database, tx, request.prove_since_tx, None, told)?;
                Ok(message::bytes(&proof))
            }
        }
    }

    /// Whom the user's words are right for; the error is every version's own.
    fn admit(&mut self, user: &[u8], password: &[u8], told: Option<&Told>) -> Result<(), Status> {
        if !self.options.auth {
            return Err(Status::unknown(
                "server is running with authentication disabled",
            ));
        }
        let second = self.options.second_user.as_deref();
        if second.is_some_and(|second| user == second.as_bytes()) {
            self.tokens.view = View::Second;
        }
        let right = (user == self.options.user.as_bytes() || self.tokens.view == View::Second)
            && password == self.options.password.as_bytes()
            && !Told::is(told, Lie::LoginRefused);
        let code = if self.server < Emulated::V1_1_0 { 7 } else { 2 };
        right
            .then_some(())
            .ok_or_else(|| Status::new(code, "invalid user name or password"))
    }

    fn login(&mut self, request: &[u8], told: Option<&Told>) -> Reply {
        if !self.options.server.has_login() {
            return Err(Status::unimplemented("Login"));
        }
        let request: proto::LoginRequest = parse(request)?;
        self.admit(&request.user, &request.password, told)?;
        let database = self.databases.contains_key(DEFAULT);
        let lifetime = self.options.token_lifetime;
        let now = self.options.clock.instant();
        let database = database.then(|| DEFAULT.into());
        let token = self.tokens.give(database, lifetime, now);
        Ok(message::bytes(&proto::LoginResponse {
            token: deliver::token(told, token),
            ..Default::default()
        }))
    }

    fn open_session(&mut self, request: &[u8], told: Option<&Told>) -> Reply {
        let request: proto::OpenSessionRequest = parse(request)?;
        self.admit(&request.username, &request.password, told)?;
        self.accessible(&request.database_name)?;
        let lifetime = self.options.session_lifetime;
        let now = self.options.clock.instant();
        let token = self
            .tokens
            .give_session(request.database_name, lifetime, now);
        Ok(message::bytes(&proto::OpenSessionResponse {
            session_id: deliver::token(told, token),
            server_uuid: self.uuid.clone(),
            ..Default::default()
        }))
    }

    fn use_database(&mut self, token: Option<&str>, request: &[u8], told: Option<&Told>) -> Reply {
        if !self.options.server.has_login() {
            return Err(Status::unimplemented("UseDatabase"));
        }
        if self.options.auth {
            self.known(token)?;
        }
        let request: proto::Database = parse(request)?;
        let name = String::from_utf8_lossy(&request.database_name).into_owned();
        self.accessible(&name)?;
        let now = self.options.clock.instant();
        let lifetime = self.options.token_lifetime;
        let token = self.tokens.give(Some(name), lifetime, now);
        Ok(message::bytes(&proto::UseDatabaseReply {
            token: deliver::token(told, token),
            ..Default::default()
        }))
    }

    fn database_list(&mut self, token: Option<&str>, told: Option<&Told>) -> Reply {
        if self.options.auth {
            let expired = self.tokens.validity(token.unwrap_or_default()) == Validity::Expired;
            let early = self.server < Emulated::V1_2_4 || token.is_none();
            self.known(token)
                .map_err(|unknown| match early || expired {
                    true => Status::unknown("please login"),
                    false => unknown,
                })?;
        }
        let seen = |name: &&String| {
            !self.lies_about(Lie::Vanished, name) && !self.lies_about(Lie::Hidden, name)
        };
        let names = self.databases.keys().filter(seen);
        let names = names.map(|name| name.clone().into_bytes()).collect();
        Ok(message::bytes(&proto::DatabaseListResponse {
            databases: deliver::names(told, names)
                .into_iter()
                .map(|database_name| proto::Database {
                    database_name,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }))
    }

    /// Is the database there, and may it be used?
    fn accessible(&self, name: &str) -> Result<(), Status> {
        let quoted = match self.server < Emulated::V1_2_4 {
            true => format!("{name} does not exist"),
            false => format!("'{name}' does not exist"),
        };
        let gone = || Status::new(5, quoted.clone());
        let database = self.databases.get(name).ok_or_else(gone)?;
        if self.lies_about(Lie::Vanished, name) {
            return Err(gone());
        }
        let denied = "Logged in user does not have permission on this database";
        match database.access {
            _ if self.lies_about(Lie::PermissionTaken, name) => Err(Status::new(7, denied)),
            Access::Open => Ok(()),
            Access::Denied => Err(Status::new(7, denied)),
            Access::Unloaded => Err(Status::unknown("already closed")),
        }
    }

    fn known(&self, token: Option<&str>) -> Result<(), Status> {
        let early = self.server == Emulated::V0_9_0 || self.server == Emulated::V0_9_2;
        match token {
            Some(token) if self.tokens.validity(token) == Validity::Valid => Ok(()),
            _ if early => Err(Status::unknown("please login first")),
            Some(token) if self.tokens.validity(token) == Validity::Expired => {
                Err(Status::new(7, "token has expired: token validation error"))
            }
            Some(_) if !self.server.has_login() => Err(Status::new(7, "session not found")),
            Some(_) => Err(Status::new(13, "invalid token")),
            None => Err(Status::unknown("not logged in")),
        }
    }

    /// The database that a call is about, if it is about one.
    pub fn database_of(&self, call: &str, token: Option<&str>, request: &[u8]) -> Option<String> {
        let name = match call {
            method::USE_DATABASE => parse::<proto::Database>(request).ok()?.database_name,
            method::OPEN_SESSION => {
                let request: proto::OpenSessionRequest = parse(request).ok()?;
                return Some(request.database_name);
            }
            method::LOGIN | method::DATABASE_LIST => return None,
            _ if token.is_none() => DEFAULT.into(),
            _ => return self.tokens.database(token?),
        };
        Some(String::from_utf8_lossy(&name).into_owned())
    }

    /// The database that a token is of.
    fn chosen_database(&mut self, token: Option<&str>) -> Result<String, Status> {
        let name = match token {
            None if !self.options.auth => DEFAULT.to_owned(),
            _ => {
                self.known(token)?;
                let chosen = self.tokens.database(token.unwrap_or_default());
                chosen.ok_or_else(|| Status::unknown("please select a database first"))?
            }
        };
        if self.lies_about(Lie::ForgottenTokens, &name) {
            self.tokens.forget_all();
            return Err(Status::new(13, "invalid token"));
        }
        match self.databases.get(&name).map(|database| database.access) {
            _ if self.lies_about(Lie::Vanished, &name) => {}
            Some(Access::Unloaded) => return Err(Status::unknown("already closed")),
            Some(_) => return Ok(name),
            None => {}
        }
        Err(Status::unknown("database does not exist"))
    }

    fn server_info(&self) -> Vec<u8> {
        let transactions = self
            .databases
            .values()
            .map(|d| d.honest.last())
            .sum::<u64>();
        message::bytes(&proto::ServerInfoResponse {
            version: self.server.name().into(),
            started_at: self.started.unix() as i64,
            num_transactions: transactions as i64,
            num_databases: self.databases.len() as i32,
            ..Default::default()
        })
    }

    fn current_state(&mut self, database: &str, told: Option<&Told>) -> Reply {
        let state = self.ledger(database, told)?.state();
        let claimed = self.claim(database, state);
        Ok(distort::state(self, database, claimed, told))
    }

    fn set(&mut self, database: &str, request: proto::SetRequest) -> Result<u64, Status> {
        if request.kvs.is_empty() {
            return Err(Status::new(3, "illegal arguments"));
        }
        let entry = |kv: proto::KeyValue| NewEntry {
            metadata: kv.metadata.as_ref().map(|metadata| KvMetadata {
                deleted: metadata.deleted,
                expires_at: metadata.expiration.as_ref().map(|e| e.expires_at),
                non_indexable: metadata.non_indexable,
            }),
            ..NewEntry::set(kv.key, kv.value)
        };
        let entries: Vec<NewEntry> = request.kvs.into_iter().map(entry).collect();
        let plain = entries.iter().all(|entry| entry.metadata.is_none());
        let few = entries.len() <= usize::from(u16::MAX);
        let short = few && entries.iter().all(|entry| entry.key.len() <= 1024);
        if !short || !plain && !self.server.heeds_spec() {
            return Err(Status::new(3, "illegal arguments"));
        }
        let draft = Draft {
            entries,
            ..Draft::default()
        };
        let gone = || Status::unknown("database does not exist");
        self.write(database, draft).ok_or_else(gone)
    }
}

pub(super) fn tx_not_found() -> Status {
    Status::unknown("tx not found")
}

pub(super) fn parse<M: Message>(request: &[u8]) -> Result<M, Status> {
    M::parse_from_bytes(request).map_err(|_| Status::new(13, "the request is no such message"))
}
