//! The meaning of a status for an audit (protocol.md §1, *Errors*). Servers use the codes loosely: nearly all
//! errors come as Unknown, and the message decides.
//!
//! A message is compared from its beginning, never searched: after the beginning there may be a name or a key that a
//! user chose, and one error's message may contain another's.

use std::time::Duration;

use grpcio::RpcStatusCode;

use super::error_kind::ServerErrorKind;
use crate::wire::method;

/// The beginning of gRPC core's message about a response over the receive limit of this client.
pub(super) const OVER_OUR_LIMIT: &str = "Received message larger than max (";

/// gRPC core's message when responses fill the memory that this client allows (see channel.rs).
const OVER_OUR_QUOTA: &str = "Buffers full";

/// The beginnings of gRPC core's messages about headers over the limit of this client, before 1.56 and since.
const HEADERS_OVER_OUR_LIMIT: [&str; 3] = [
    "received initial metadata size exceeds ",
    "received trailing metadata size exceeds ",
    "received metadata size exceeds ",
];

/// A server's errors for a token or a session that it does not accept, or no longer accepts.
const NOT_LOGGED_IN: [&str; 8] = [
    "not logged in",
    "please login",
    "invalid token",
    "token has expired",
    "please select a database first",
    "session not found",
    "no session",
    "no sessionID provided",
];

/// A server's errors for a missing permission that have another code.
const FORBIDDEN: [&str; 5] = [
    "permission denied",
    "you do not have permission",
    "Logged in user does not have permission",
    "Logged In user does not have permissions",
    "loggedin user does not have permissions",
];

/// A server's errors when it is overloaded: the next cycle tries again.
const OVERLOADED: [&str; 2] = [
    "max concurrency limit exceeded",
    "max active transactions limit exceeded",
];

/// Returns the kind of the status with which the server responded to `call` (without its path).
pub(super) fn classify(call: &str, code: i32, message: &str, timeout: Duration) -> ServerErrorKind {
    let message = unwrapped(message);
    match RpcStatusCode::from(code) {
        // this client's own error, because it accepts no compressed response (see channel.rs)
        RpcStatusCode::UNIMPLEMENTED if message.contains("Compression algorithm") => {
            ServerErrorKind::Compressed
        }
        RpcStatusCode::DEADLINE_EXCEEDED => ServerErrorKind::Deadline(timeout),
        RpcStatusCode::UNAVAILABLE | RpcStatusCode::CANCELLED => ServerErrorKind::Unreachable,
        RpcStatusCode::UNIMPLEMENTED => ServerErrorKind::Unimplemented,
        // only this client's own limit: a proxy's rate limit has the same code
        RpcStatusCode::RESOURCE_EXHAUSTED
            if message.starts_with(OVER_OUR_LIMIT) || message == OVER_OUR_QUOTA =>
        {
            ServerErrorKind::TooLarge
        }
        RpcStatusCode::RESOURCE_EXHAUSTED
            if HEADERS_OVER_OUR_LIMIT
                .iter()
                .any(|text| message.starts_with(text)) =>
        {
            ServerErrorKind::HeadersTooLarge
        }
        RpcStatusCode::RESOURCE_EXHAUSTED => ServerErrorKind::RateLimited,
        RpcStatusCode::OK => ServerErrorKind::NotOneMessage,
        code => by_message(call, code, message),
    }
}

/// Removes the text that a Go server or proxy writes before the message of an error that it forwards.
fn unwrapped(mut message: &str) -> &str {
    while let Some((_, rest)) = message
        .strip_prefix("rpc error: code = ")
        .and_then(|rest| rest.split_once(" desc = "))
    {
        message = rest;
    }
    message
}

fn by_message(call: &str, code: RpcStatusCode, message: &str) -> ServerErrorKind {
    let begins = |text: &str| begins(message, text);
    let opens = [method::USE_DATABASE, method::OPEN_SESSION]
        .map(method::short)
        .contains(&call);
    if begins("invalid user name or password") {
        ServerErrorKind::BadLogin
    } else if begins("server is running with authentication disabled")
        || begins("server has authentication disabled")
        || begins("this command is available only with authentication on")
    {
        ServerErrorKind::NoAuthentication
    } else if code == RpcStatusCode::UNAUTHENTICATED || NOT_LOGGED_IN.into_iter().any(begins) {
        ServerErrorKind::NotLoggedIn
    } else if message == "database does not exist"
        || (opens && code == RpcStatusCode::NOT_FOUND && message.ends_with(" does not exist"))
    {
        ServerErrorKind::NoSuchDatabase
    } else if code == RpcStatusCode::PERMISSION_DENIED || FORBIDDEN.into_iter().any(begins) {
        ServerErrorKind::Forbidden
    } else if is_closed(message) {
        ServerErrorKind::Unloaded
    } else if OVERLOADED.into_iter().any(begins) {
        ServerErrorKind::RateLimited
    } else if begins("max key scan limit exceeded") || begins("result size limit exceeded") {
        ServerErrorKind::LimitExceeded
    } else if begins("tx not found") {
        ServerErrorKind::TxNotFound
    } else if begins("key not found") || begins("tbtree: key not found") {
        ServerErrorKind::KeyNotFound
    } else if begins("illegal state") {
        ServerErrorKind::IllegalState
    } else {
        damage(call, message).unwrap_or(ServerErrorKind::Other(code.into()))
    }
}

/// Returns the damage that a message reports; `None` if it reports none.
fn damage(call: &str, message: &str) -> Option<ServerErrorKind> {
    let begins = |text: &str| begins(message, text);
    let detail = message.strip_prefix("tx data is corrupted: ");
    Some(
        if self::begins(detail.unwrap_or(message), "binary linking mismatch") {
            ServerErrorKind::CannotProve // an excuse, which is verified before it counts
        } else if begins("tx data is corrupted: ALH mismatch") {
            ServerErrorKind::Corrupted
        } else if begins("tx data is corrupted") {
            match call == method::short(method::VERIFIABLE_TX_BY_ID) {
                true => ServerErrorKind::MaybeCorrupted, // an excuse exists only for a proof
                false => ServerErrorKind::Corrupted,
            }
        } else if message
            == "data is corrupted: internal value consistency error - missing value prefix"
        {
            ServerErrorKind::ValueAbsent
        } else if begins("data is corrupted") {
            ServerErrorKind::Corrupted
        } else {
            return None;
        },
    )
}

/// Returns whether a message is `text`, or begins with it and continues with another word.
fn begins(message: &str, text: &str) -> bool {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([':', ',', ' ']);
    message.strip_prefix(text).is_some_and(ends)
}

/// Returns whether a message reports that the database, or a part of it, is closed.
fn is_closed(message: &str) -> bool {
    let part = message.strip_suffix("already closed");
    let is_word = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
    part.is_some_and(|part| part.is_empty() || part.strip_suffix(": ").is_some_and(is_word))
}

#[cfg(test)]
mod tests;
