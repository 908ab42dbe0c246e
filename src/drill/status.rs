//! The server's errors, and the form of a response.

use protobuf::Message;

/// A message's bytes, or an error.
pub(super) type Reply = Result<Vec<u8>, Status>;

/// An error with gRPC's code.
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

    /// Returns the error for a call that the version does not have.
    pub fn unimplemented(call: &str) -> Status {
        Status::new(
            12,
            format!("unknown method {call} for service immudb.schema.ImmuService"),
        )
    }

    /// Returns an error with the code that servers use for nearly everything.
    pub fn unknown(message: impl Into<String>) -> Status {
        Status::new(2, message)
    }
}

pub(super) fn tx_not_found() -> Status {
    Status::unknown("tx not found")
}

pub(super) fn key_not_found() -> Status {
    Status::unknown("tbtree: key not found")
}

pub(super) fn illegal_arguments() -> Status {
    Status::new(3, "illegal arguments")
}

/// Reads a request.
///
/// # Errors
/// The bytes are no such message.
pub(super) fn parse<M: Message>(request: &[u8]) -> Result<M, Status> {
    M::parse_from_bytes(request).map_err(|_| Status::new(13, "the request is not a valid message"))
}
