//! The reason why a response is invalid.

use std::fmt;

use crate::ledger::{Reason, Refusal};

/// A response that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes are no protobuf message of this kind.
    NotProtobuf {
        /// The expected message.
        message: &'static str,
    },
    /// A part that may come once comes twice.
    Twice {
        /// The message of the part.
        message: &'static str,
        /// The part.
        part: &'static str,
    },
    /// The message would take more memory than a response of its length may.
    OverBudget {
        /// The expected message.
        message: &'static str,
    },
    /// A field is absent, or has a wrong length or range.
    Field {
        /// The message of the field.
        message: &'static str,
        /// The fault.
        reason: Reason,
    },
    /// A part was refused by the ledger's own rules.
    Refused(Refusal),
}

impl Malformed {
    pub(super) fn absent(message: &'static str, field: &'static str) -> Malformed {
        Malformed::Field {
            message,
            reason: Reason::Absent(field),
        }
    }

    /// Returns whether the message is readable except for the content of one field.
    pub(super) fn is_of_a_field(&self) -> bool {
        matches!(self, Malformed::Field { .. } | Malformed::Refused(_))
    }
}

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::NotProtobuf { message } => write!(f, "not a {message} message"),
            Malformed::Twice { message, part } => write!(f, "a {message} message with two {part}s"),
            Malformed::OverBudget { message } => {
                write!(
                    f,
                    "a {message} message with more parts than its length allows"
                )
            }
            Malformed::Field { message, reason } => write!(f, "{message}: {reason}"),
            Malformed::Refused(refusal) => write!(f, "{refusal}"),
        }
    }
}

impl From<Refusal> for Malformed {
    fn from(refusal: Refusal) -> Malformed {
        Malformed::Refused(refusal)
    }
}
