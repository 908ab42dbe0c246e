//! The meaning of a failed call for an audit (protocol.md §1, *Errors*).

use std::time::Duration;

use crate::wire::Malformed;

/// The meaning of a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerErrorKind {
    /// A stop of the program was requested.
    Stopped,
    /// No connection, or it broke.
    Unreachable,
    /// No response within the deadline.
    Deadline(Duration),
    /// No response within the remaining time, which was less than the deadline, or no time was left at all.
    CutShort,
    /// Wrong user or password.
    BadLogin,
    /// The server runs without authentication.
    NoAuthentication,
    /// No permission.
    Forbidden,
    /// The server no longer has the token, or there is none.
    NotLoggedIn,
    /// No such database.
    NoSuchDatabase,
    /// An administrator unloaded the database.
    Unloaded,
    /// The call does not exist in this version.
    Unimplemented,
    /// The trusted transaction is after the server's last one: the server itself reports a rollback.
    IllegalState,
    /// No such transaction.
    TxNotFound,
    /// No such key, or not in that transaction.
    KeyNotFound,
    /// More transactions were requested than the server returns in a call.
    LimitExceeded,
    /// The server reports that its data is damaged.
    Corrupted,
    /// The server does not have the value, as a replica of a truncated server.
    ValueAbsent,
    /// The server reports that it cannot prove this pair: an excuse to verify (protocol.md §4).
    CannotProve,
    /// Before 1.2, the message of that excuse and of an edited log are the same: the headers decide.
    MaybeCorrupted,
    /// The response is larger than this client accepts.
    TooLarge,
    /// The headers of the response are larger than this client accepts.
    HeadersTooLarge,
    /// The server, or a proxy before it, accepts no more calls for now.
    RateLimited,
    /// The response is invalid: no correct server sends it.
    Malformed(Box<Malformed>),
    /// The response is compressed, although that was not requested.
    Compressed,
    /// The response has no message, or several.
    NotOneMessage,
    /// Any other status.
    Other(i32),
}
