//! The calls about databases: they list, choose, create, load and unload them.

use super::deliver;
use super::emulate::Emulated;
use super::lie::Lie;
use super::message;
use super::status::{Reply, Status, parse};
use super::store::{Access, ActiveLie, DEFAULT, Store};
use super::token::{Validity, word};
use crate::server::Credential;
use crate::wire::{method, proto};

/// The maximum number of databases that clients can create: each takes memory as long as the server runs.
const MAX_DATABASES: usize = 1000;

/// The maximum length of a database's name, in bytes, as in immudb 1.11.1.
const MAX_NAME: usize = 128;

/// The error message if the user has no permission.
const DENIED: &str = "Logged in user does not have permission on this database";

impl Store {
    pub(super) fn use_database(
        &mut self,
        credential: &Credential,
        request: &[u8],
        active: Option<&ActiveLie>,
    ) -> Reply {
        if !self.options.server.has_login() {
            return Err(Status::unimplemented("UseDatabase"));
        }
        if self.options.auth {
            self.known(credential)?;
        }
        let request: proto::Database = parse(request)?;
        let name = String::from_utf8_lossy(&request.database_name).into_owned();
        self.accessible(&name)?;
        let now = self.options.clock.instant();
        let lifetime = self.options.token_lifetime;
        let token = self.tokens.give(Some(name), lifetime, now);
        Ok(message::bytes(&proto::UseDatabaseReply {
            token: deliver::token(active, token),
            ..Default::default()
        }))
    }

    pub(super) fn database_list(
        &mut self,
        call: &str,
        credential: &Credential,
        active: Option<&ActiveLie>,
    ) -> Reply {
        if self.options.auth {
            let expired = self.tokens.validity(word(credential)) == Validity::Expired;
            let early = self.server < Emulated::V1_2_4 || *credential == Credential::None;
            self.known(credential)
                .map_err(|unknown| match early || expired {
                    true => Status::unknown("please login"),
                    false => unknown,
                })?;
        } else {
            let refusal = "this command is available only with authentication on";
            return Err(Status::unknown(refusal));
        }
        let seen = |name: &&String| {
            !self.lies_about(Lie::Vanished, name) && !self.lies_about(Lie::Hidden, name)
        };
        let names = self.databases.keys().filter(seen);
        let names = names.map(|name| name.clone().into_bytes()).collect();
        let names = deliver::names(active, names);
        if call == method::DATABASE_LIST_V2 {
            let databases = names.into_iter().map(|name| self.database_info(name));
            return Ok(message::bytes(&proto::DatabaseListResponseV2 {
                databases: databases.collect(),
                ..Default::default()
            }));
        }
        Ok(message::bytes(&proto::DatabaseListResponse {
            databases: names
                .into_iter()
                .map(|database_name| proto::Database {
                    database_name,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }))
    }

    fn database_info(&self, name: Vec<u8>) -> proto::DatabaseInfo {
        let text = String::from_utf8_lossy(&name);
        let database = self.databases.get(&*text);
        proto::DatabaseInfo {
            loaded: database.is_some_and(|database| database.access != Access::Unloaded),
            num_transactions: database.map_or(0, |database| database.honest.last()),
            name,
            ..Default::default()
        }
    }

    /// Creates a database without transactions.
    pub(super) fn create_database(
        &mut self,
        call: &str,
        credential: &Credential,
        request: &[u8],
    ) -> Reply {
        self.known(credential)?;
        let (name, is_there_fine) = match call {
            method::CREATE_DATABASE => {
                let request: proto::Database = parse(request)?;
                (
                    String::from_utf8_lossy(&request.database_name).into_owned(),
                    false,
                )
            }
            _ => {
                let request: proto::CreateDatabaseRequest = parse(request)?;
                (request.name, request.if_not_exists)
            }
        };
        let name = name.to_ascii_lowercase();
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(Status::unknown("database name length outside of limits"));
        }
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !name.bytes().all(fits) {
            return Err(Status::unknown("unrecognized character in database name"));
        }
        let is_there = self.databases.contains_key(&name);
        if is_there && !is_there_fine {
            return Err(Status::unknown("database already exists"));
        }
        if !is_there {
            if self.databases.len() >= MAX_DATABASES {
                return Err(Status::new(8, "no more databases can be created"));
            }
            self.create(&name);
        }
        match call {
            method::CREATE_DATABASE => Ok(Vec::new()),
            _ => Ok(message::bytes(&proto::CreateDatabaseResponse {
                name,
                already_existed: is_there,
                ..Default::default()
            })),
        }
    }

    /// Loads a database that was unloaded, or unloads one.
    pub(super) fn load_database(
        &mut self,
        call: &str,
        credential: &Credential,
        request: &[u8],
    ) -> Reply {
        self.known(credential)?;
        let request: proto::DatabaseName = parse(request)?;
        let gone = || Status::unknown("database does not exist");
        if request.database == DEFAULT {
            return Err(Status::new(13, "database is reserved"));
        }
        let database = self.databases.get_mut(&request.database).ok_or_else(gone)?;
        database.access = match (call, database.access) {
            (method::LOAD_DATABASE, Access::Unloaded) => Access::Open,
            (method::LOAD_DATABASE, _) => return Err(Status::new(13, "database already loaded")),
            (_, Access::Open) => Access::Unloaded,
            (_, Access::Unloaded) => return Err(Status::unknown("already closed")),
            (_, Access::Denied) => return Err(Status::new(7, DENIED)),
        };
        Ok(message::bytes(&request))
    }

    /// Returns an error if the database does not exist or may not be used.
    pub(super) fn accessible(&self, name: &str) -> Result<(), Status> {
        let quoted = match self.server < Emulated::V1_2_4 {
            true => format!("{name} does not exist"),
            false => format!("'{name}' does not exist"),
        };
        let gone = || Status::new(5, quoted.clone());
        let database = self.databases.get(name).ok_or_else(gone)?;
        if self.lies_about(Lie::Vanished, name) {
            return Err(gone());
        }
        match database.access {
            _ if self.lies_about(Lie::PermissionTaken, name) => Err(Status::new(7, DENIED)),
            Access::Open => Ok(()),
            Access::Denied => Err(Status::new(7, DENIED)),
            Access::Unloaded => Err(Status::unknown("already closed")),
        }
    }
}
