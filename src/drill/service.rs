//! The calls: from a request's bytes to a response's (protocol.md §1 and §2).

use super::distort;
use super::message;
use super::refuse;
use super::status::{Reply, Status, parse};
use super::store::{ActiveLie, DEFAULT, Store};
use super::token::word;
use crate::server::Credential;
use crate::wire::{method, proto};

/// Every call that the server has, by its full name.
pub(super) const CALLS: [&str; 35] = [
    method::LOGIN,
    method::LOGOUT,
    method::OPEN_SESSION,
    method::CLOSE_SESSION,
    method::KEEP_ALIVE,
    method::DATABASE_LIST,
    method::DATABASE_LIST_V2,
    method::USE_DATABASE,
    method::CREATE_DATABASE,
    method::CREATE_DATABASE_V2,
    method::LOAD_DATABASE,
    method::UNLOAD_DATABASE,
    method::HEALTH,
    method::SERVER_INFO,
    method::CURRENT_STATE,
    method::DATABASE_HEALTH,
    method::VERIFIABLE_TX_BY_ID,
    method::TX_BY_ID,
    method::TX_SCAN,
    method::GET,
    method::GET_ALL,
    method::VERIFIABLE_GET,
    method::SCAN,
    method::HISTORY,
    method::COUNT,
    method::COUNT_ALL,
    method::Z_SCAN,
    method::SET,
    method::VERIFIABLE_SET,
    method::DELETE,
    method::EXEC_ALL,
    method::SET_REFERENCE,
    method::VERIFIABLE_SET_REFERENCE,
    method::Z_ADD,
    method::VERIFIABLE_Z_ADD,
];

/// The response to a call, and the lie that it is under.
pub(super) struct Answered {
    pub reply: Reply,
    pub active: Option<ActiveLie>,
}

impl Store {
    /// Responds to one call.
    pub fn answer(
        &mut self,
        call: &'static str,
        credential: &Credential,
        request: &[u8],
    ) -> Answered {
        *self.calls.entry(call).or_default() += 1;
        let now = self.options.clock.instant();
        self.tokens.count_call(word(credential), now);
        if is_of_no_database(call) {
            let active = self.lie_for(call, None);
            return Answered {
                reply: self.answer_of_server(call, credential, request, active.as_ref()),
                active,
            };
        }
        match self.chosen_database(credential) {
            Ok(database) => {
                let active = self.lie_for(call, Some(&database));
                Answered {
                    reply: self.answer_of_database(call, &database, request, active.as_ref()),
                    active,
                }
            }
            Err(status) => Answered {
                reply: Err(status),
                active: None,
            },
        }
    }

    fn answer_of_server(
        &mut self,
        call: &str,
        credential: &Credential,
        request: &[u8],
        active: Option<&ActiveLie>,
    ) -> Reply {
        match call {
            method::LOGIN => self.login(request, active),
            method::OPEN_SESSION => self.open_session(request, active),
            method::LOGOUT | method::CLOSE_SESSION => self.log_out(credential),
            method::KEEP_ALIVE => self.known(credential).map(|()| Vec::new()),
            method::DATABASE_LIST | method::DATABASE_LIST_V2 => {
                self.database_list(call, credential, active)
            }
            method::USE_DATABASE => self.use_database(credential, request, active),
            method::CREATE_DATABASE | method::CREATE_DATABASE_V2 => {
                self.create_database(call, credential, request)
            }
            method::LOAD_DATABASE | method::UNLOAD_DATABASE => {
                self.load_database(call, credential, request)
            }
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
        active: Option<&ActiveLie>,
    ) -> Reply {
        if let Some(error) = refuse::refusal(self, active, call, request) {
            return Err(error);
        }
        let dropped = self.databases.get(database).map_or(0, |d| d.dropped_before);
        if refuse::asks_for_dropped_values(dropped, call, request) {
            return Err(Status::unknown("EOF"));
        }
        match call {
            method::CURRENT_STATE => self.current_state(database, active),
            method::DATABASE_HEALTH => Ok(message::bytes(&self.database_health())),
            method::VERIFIABLE_TX_BY_ID => {
                self.verifiable_tx_by_id(database, &parse(request)?, active)
            }
            method::TX_BY_ID => self.tx_by_id(database, &parse(request)?, active),
            method::TX_SCAN => self.tx_scan(database, &parse(request)?, active),
            method::GET => self.get(database, &parse(request)?, active),
            method::GET_ALL => self.get_all(database, &parse(request)?, active),
            method::VERIFIABLE_GET => self.verifiable_get(database, &parse(request)?, active),
            method::SCAN => self.scan(database, &parse(request)?, active),
            method::HISTORY => self.history(database, &parse(request)?, active),
            method::COUNT => self.count(database, &parse(request)?, active),
            method::COUNT_ALL => self.count(database, &proto::KeyPrefix::new(), active),
            method::Z_SCAN => self.z_scan(database, &parse(request)?, active),
            _ => self.written(call, database, request, active),
        }
    }

    /// Returns the database that a call concerns, if there is one.
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

    fn database_health(&self) -> proto::DatabaseHealthResponse {
        let now = self.options.clock.now().unix().saturating_mul(1000);
        proto::DatabaseHealthResponse {
            last_request_completed_at: i64::try_from(now).unwrap_or(i64::MAX),
            ..Default::default()
        }
    }

    fn current_state(&mut self, database: &str, active: Option<&ActiveLie>) -> Reply {
        let state = self.ledger(database, active)?.state();
        let claimed = self.claim(database, state);
        Ok(distort::state(self, database, claimed, active))
    }
}

/// Returns whether a call concerns the server as a whole, not the database that its caller has chosen.
fn is_of_no_database(call: &str) -> bool {
    matches!(
        call,
        method::LOGIN
            | method::LOGOUT
            | method::OPEN_SESSION
            | method::CLOSE_SESSION
            | method::KEEP_ALIVE
            | method::DATABASE_LIST
            | method::DATABASE_LIST_V2
            | method::USE_DATABASE
            | method::CREATE_DATABASE
            | method::CREATE_DATABASE_V2
            | method::LOAD_DATABASE
            | method::UNLOAD_DATABASE
            | method::HEALTH
            | method::SERVER_INFO
    )
}
