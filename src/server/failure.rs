//! How a call can fail, sorted by what it means for an audit (protocol.md §1, *Errors*).

use std::fmt;
use std::time::Duration;

use grpcio::{RpcStatus, RpcStatusCode};

use crate::text::Shown;
use crate::wire::Malformed;

/// What a failed call means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The program is asked to end.
    Stopped,
    /// No connection, or it broke.
    Unreachable,
    /// No answer within the deadline.
    Deadline(Duration),
    /// Wrong user or password.
    BadLogin,
    /// The server runs without authentication.
    NoAuthentication,
    /// No permission.
    Forbidden,
    /// The server forgot the token, or there is none.
    NotLoggedIn,
    /// No such database.
    NoSuchDatabase,
    /// An administrator unloaded the database.
    Unloaded,
    /// The call does not exist in this version.
    Unimplemented,
    /// The trusted transaction is past the server's last one: it says itself that it was rolled back.
    IllegalState,
    /// No such transaction.
    TxNotFound,
    /// No such key, or not in that transaction.
    KeyNotFound,
    /// More transactions asked for than the server gives in a call.
    LimitExceeded,
    /// The server says that what it stores is damaged.
    Corrupted,
    /// The server says that it cannot prove this pair: an excuse to be checked (protocol.md §4).
    CannotProve,
    /// Before 1.2 the same words for that excuse and for an edited log: the headers tell.
    MaybeCorrupted,
    /// The answer is larger than this client takes.
    TooLarge,
    /// The answer is none that an honest server sends.
    Malformed(Box<Malformed>),
    /// The answer is compressed, which nobody asked for.
    Compressed,
    /// The answer has no message, or several.
    NotOneMessage,
    /// Any other status.
    Other(i32),
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The call, such as `CurrentState`.
    pub call: &'static str,
    /// What it means.
    pub kind: Kind,
    /// What the server said, escaped and cut.
    pub message: Shown,
    /// What this program could not do about it: why it uses an old password or old certificates.
    pub note: Option<String>,
}

impl Failure {
    pub(super) fn new(call: &'static str, kind: Kind) -> Failure {
        Failure {
            call,
            kind,
            message: Shown::default(),
            note: None,
        }
    }

    /// An answer that came and cannot be read.
    pub fn malformed(call: &'static str, malformed: Malformed) -> Failure {
        Failure::new(call, Kind::Malformed(Box::new(malformed)))
    }

    /// Bytes that an answer has which was too large, where this client said so.
    pub fn size_needed(&self) -> Option<u64> {
        let (_, sizes) = self.message.as_str().split_once("larger than max (")?;
        sizes.split(' ').next()?.parse().ok()
    }

    pub(super) fn of_grpc(call: &'static str, error: &grpcio::Error, timeout: Duration) -> Failure {
        let (grpcio::Error::RpcFailure(status) | grpcio::Error::RpcFinished(Some(status))) = error
        else {
            let kind = match error {
                grpcio::Error::Codec(_) => Kind::NotOneMessage,
                _ => Kind::Unreachable,
            };
            return Failure {
                message: Shown::new(&error.to_string()),
                ..Failure::new(call, kind)
            };
        };
        Failure {
            message: Shown::new(status.message()),
            ..Failure::new(call, sort(call, status, timeout))
        }
    }
}

/// Servers use the status codes loosely: nearly everything comes as Unknown, and the message tells.
fn sort(call: &str, status: &RpcStatus, timeout: Duration) -> Kind {
    let says = |text| status.message().contains(text);
    match status.code() {
        // made by this client, which takes no compressed answer (see channel.rs)
        RpcStatusCode::UNIMPLEMENTED if says("Compression algorithm") => return Kind::Compressed,
        RpcStatusCode::DEADLINE_EXCEEDED => return Kind::Deadline(timeout),
        RpcStatusCode::UNAVAILABLE | RpcStatusCode::CANCELLED => return Kind::Unreachable,
        RpcStatusCode::UNIMPLEMENTED => return Kind::Unimplemented,
        RpcStatusCode::RESOURCE_EXHAUSTED => return Kind::TooLarge,
        RpcStatusCode::OK => return Kind::NotOneMessage,
        _ => {}
    }
    if says("invalid user name or password") {
        Kind::BadLogin
    } else if says("authentication disabled") {
        Kind::NoAuthentication
    } else if says("not logged in")
        || says("please login")
        || says("invalid token")
        || says("token has expired")
        || says("please select a database first")
        || says("session not found")
        || says("no session")
        || status.code() == RpcStatusCode::UNAUTHENTICATED
    {
        Kind::NotLoggedIn
    } else if says("already closed") {
        Kind::Unloaded
    } else if says("does not exist") {
        Kind::NoSuchDatabase
    } else if status.code() == RpcStatusCode::PERMISSION_DENIED || says("permission") {
        Kind::Forbidden
    } else if says("binary linking mismatch") {
        Kind::CannotProve
    } else if says("ALH mismatch") {
        Kind::Corrupted
    } else if says("tx data is corrupted") && call == "VerifiableTxById" {
        Kind::MaybeCorrupted // only a proof can be excused
    } else if says("data is corrupted") {
        Kind::Corrupted
    } else if says("limit exceeded") {
        Kind::LimitExceeded
    } else if says("tx not found") {
        Kind::TxNotFound
    } else if says("key not found") {
        Kind::KeyNotFound
    } else if says("illegal state") {
        Kind::IllegalState
    } else {
        Kind::Other(status.code().into())
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.call)?;
        match &self.kind {
            Kind::Stopped => f.write_str("asked to stop"),
            Kind::Unreachable => f.write_str("the server cannot be reached"),
            Kind::Deadline(timeout) => write!(f, "no answer within {timeout:?}"),
            Kind::BadLogin => f.write_str("wrong user or password"),
            Kind::NoAuthentication => f.write_str("the server has authentication switched off"),
            Kind::Forbidden => f.write_str("no permission"),
            Kind::NotLoggedIn => f.write_str("not logged in"),
            Kind::NoSuchDatabase => f.write_str("no such database"),
            Kind::Unloaded => f.write_str("the database is unloaded"),
            Kind::Unimplemented => f.write_str("the server does not have this call"),
            Kind::IllegalState => f.write_str("the server has not come as far as it had"),
            Kind::TxNotFound => f.write_str("no such transaction"),
            Kind::KeyNotFound => f.write_str("no such key"),
            Kind::LimitExceeded => f.write_str("too many transactions in one call"),
            Kind::Corrupted => f.write_str("the server says that its data is corrupted"),
            Kind::MaybeCorrupted => {
                f.write_str("the server says that a transaction's data is corrupted")
            }
            Kind::CannotProve => f.write_str("the server says that it cannot prove this pair"),
            Kind::TooLarge => {
                f.write_str("the answer is larger than --max-recv-msg-size: raise it")
            }
            Kind::Malformed(malformed) => write!(f, "{malformed}"),
            Kind::Compressed => f.write_str("the answer is compressed, which was not asked for"),
            Kind::NotOneMessage => f.write_str("not one message in the answer"),
            Kind::Other(code) => write!(f, "status {code}"),
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
