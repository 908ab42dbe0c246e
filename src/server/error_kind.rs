//! What a failed call means for an audit (protocol.md §1, *Errors*).

use std::time::Duration;

use crate::wire::Malformed;

/// The meaning of a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerErrorKind {
    /// The program is asked to end.
    Stopped,
    /// No connection, or it broke.
    Unreachable,
    /// No answer within the deadline.
    Deadline(Duration),
    /// No answer within the time that was left for it, which was less than its deadline, or no time was left at all.
    CutShort,
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
    /// The server does not have the value, as a replica of a truncated server.
    ValueAbsent,
    /// The server says that it cannot prove this pair: an excuse to be checked (protocol.md §4).
    CannotProve,
    /// Before 1.2 the same words for that excuse and for an edited log: the headers tell.
    MaybeCorrupted,
    /// The answer is larger than this client takes.
    TooLarge,
    /// The server, or a proxy before it, accepts no more calls for now.
    RateLimited,
    /// The answer is none that an honest server sends.
    Malformed(Box<Malformed>),
    /// The answer is compressed, which nobody asked for.
    Compressed,
    /// The answer has no message, or several.
    NotOneMessage,
    /// Any other status.
    Other(i32),
}
