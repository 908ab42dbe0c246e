//! Errors of calls to the server, classified by their meaning for an audit (protocol.md §1, *Errors*).

use std::fmt;
use std::time::Duration;

use super::classify::{self, OVER_OUR_LIMIT};
use super::error_kind::ServerErrorKind;
use crate::config::{memory_needed, size_to_set};
use crate::text::Escaped;
use crate::wire::{Malformed, method};

/// The error of a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// The call, such as `CurrentState`.
    pub call: &'static str,
    /// The kind of the failure.
    pub kind: ServerErrorKind,
    /// The server's message, escaped and cut.
    pub message: Escaped,
    /// The reason why an old password or old certificates were used, if they may be the cause.
    pub note: Option<String>,
}

impl ServerError {
    /// Creates a failure without a message.
    pub fn new(call: &'static str, kind: ServerErrorKind) -> ServerError {
        ServerError {
            call,
            kind,
            message: Escaped::default(),
            note: None,
        }
    }

    /// Creates the failure for a response that cannot be decoded.
    pub fn malformed(call: &'static str, malformed: Malformed) -> ServerError {
        ServerError::new(call, ServerErrorKind::Malformed(Box::new(malformed)))
    }

    /// Returns the size of a response that was too large for this client, in bytes.
    pub fn size_needed(&self) -> Option<u64> {
        let sizes = self.message.as_str().strip_prefix(OVER_OUR_LIMIT)?;
        sizes.split(' ').next()?.parse().ok()
    }

    /// Returns the failure for a call with this deadline that ended with a status of gRPC.
    pub fn of_status(
        call: &'static str,
        code: i32,
        message: &str,
        timeout: Duration,
    ) -> ServerError {
        let kind = classify::classify(call, code, message, timeout);
        ServerError::with_message(call, kind, message)
    }

    /// Creates a failure with the message of the server or of the transport.
    pub(super) fn with_message(
        call: &'static str,
        kind: ServerErrorKind,
        message: &str,
    ) -> ServerError {
        ServerError {
            message: Escaped::new(message),
            ..ServerError::new(call, kind)
        }
    }

    /// Returns whether the failure of a call about one database may concern that database alone.
    pub fn may_concern_one_database(&self) -> bool {
        matches!(
            self.kind,
            ServerErrorKind::Deadline(_)
                | ServerErrorKind::Forbidden
                | ServerErrorKind::NoSuchDatabase
                | ServerErrorKind::Unloaded
                | ServerErrorKind::NotLoggedIn
        )
    }
}

impl std::error::Error for ServerError {}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.call)?;
        match &self.kind {
            ServerErrorKind::Stopped => f.write_str("asked to stop"),
            // other calls may still be answered
            ServerErrorKind::Unreachable if is_about_transactions(self.call) => {
                f.write_str("no response: the call ended with the status unavailable")
            }
            ServerErrorKind::Unreachable => f.write_str("the server cannot be reached"),
            ServerErrorKind::Deadline(timeout) => write!(f, "no response within {timeout:?}"),
            ServerErrorKind::CutShort => f.write_str("no response within the remaining time"),
            ServerErrorKind::BadLogin => f.write_str("wrong user or password: check --audit-username and the password"),
            ServerErrorKind::NoAuthentication => f.write_str("the server has authentication switched off"),
            ServerErrorKind::Forbidden => f.write_str("no permission"),
            ServerErrorKind::NotLoggedIn => f.write_str("not logged in"),
            ServerErrorKind::NoSuchDatabase => f.write_str("no such database"),
            ServerErrorKind::Unloaded => f.write_str("the database is unloaded"),
            ServerErrorKind::Unimplemented => f.write_str("the server does not know this call"),
            ServerErrorKind::IllegalState => f.write_str("the server has fewer transactions than before"),
            ServerErrorKind::TxNotFound => f.write_str("no such transaction"),
            ServerErrorKind::KeyNotFound => f.write_str("no such key"),
            ServerErrorKind::LimitExceeded => f.write_str("too many transactions in one call"),
            ServerErrorKind::Corrupted => f.write_str("the server reports that its data is corrupt"),
            ServerErrorKind::ValueAbsent => f.write_str("the server does not have this value"),
            ServerErrorKind::RateLimited => f.write_str(
                "the server or a proxy in front of it accepts no more calls now (rate limited)",
            ),
            ServerErrorKind::MaybeCorrupted => {
                f.write_str("the server reports that the data of a transaction is corrupt")
            }
            ServerErrorKind::CannotProve => f.write_str("the server responds that it cannot prove this pair of states"),
            ServerErrorKind::HeadersTooLarge => f.write_str(
                "no immudb server sends so large headers with a response: check which program or proxy answers at this address",
            ),
            // correct responses to these calls have a few hundred bytes
            ServerErrorKind::TooLarge if is_small(self.call) => f.write_str(
                "no immudb server sends so large a response to this call: do not raise --max-recv-msg-size; check which program answers at this address",
            ),
            ServerErrorKind::TooLarge => {
                f.write_str("the response is larger than --max-recv-msg-size: ")?;
                match self.size_needed().map(size_to_set) {
                    Some(size) => write!(
                        f,
                        "set it to {size} or more, and the memory limit to {} MiB or more",
                        memory_needed(size)
                    ),
                    None => f.write_str("raise it, and the memory limit with it"),
                }
            }
            ServerErrorKind::Malformed(malformed) => write!(f, "{malformed}"),
            ServerErrorKind::Compressed => f.write_str("the response is compressed, although no compression was requested"),
            ServerErrorKind::NotOneMessage => f.write_str("the response has no message, or more than one"),
            ServerErrorKind::Other(code) => write!(f, "status {code}"),
        }?;
        if !self.message.as_str().is_empty() {
            write!(f, " (\"{}\")", self.message)?;
        }
        if let Some(note) = &self.note {
            write!(f, "; {note}")?;
        }
        Ok(())
    }
}

/// Returns whether a call requests single transactions or values, so that its failure says nothing about the
/// server.
fn is_about_transactions(call: &str) -> bool {
    let calls = [
        method::VERIFIABLE_TX_BY_ID,
        method::TX_BY_ID,
        method::TX_SCAN,
        method::GET,
        method::VERIFIABLE_GET,
    ];
    calls.into_iter().any(|name| method::short(name) == call)
}

/// Returns whether no immudb has a large response to a call: one for a state, or for a login.
pub(super) fn is_small(call: &str) -> bool {
    let small = [
        method::CURRENT_STATE,
        method::LOGIN,
        method::LOGOUT,
        method::OPEN_SESSION,
        method::CLOSE_SESSION,
        method::KEEP_ALIVE,
        method::USE_DATABASE,
    ];
    small.into_iter().any(|name| method::short(name) == call)
}
