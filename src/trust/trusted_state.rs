//! The trusted state of a database, and its origin.

use std::fmt;
use std::str::FromStr;

use super::text::cut;
use crate::clock::Timestamp;
use crate::ledger::{Digest, Signature, State, StateShape};

/// The trusted state, which the next shown state must extend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedState {
    /// The database's true name.
    pub database: String,
    /// Transaction and hash; never an empty ledger's.
    pub state: State,
    /// The shape of its message; unknown for a state that was pinned or adopted.
    pub shape: Option<StateShape>,
    /// The signature that it came with; the caller verified it, if the settings require signatures.
    pub signature: Option<Signature>,
    /// The last transaction whose state was signed; it stays when later states come unsigned.
    pub last_signed: Option<u64>,
    /// The `immudb-uuid` last seen with it, as the server sent it, cut.
    pub uuid: Option<String>,
    /// The begin of the unbroken line of proofs: the first use, pin or adoption.
    pub since: Timestamp,
    /// The time at which this state was accepted.
    pub accepted: Timestamp,
    /// The origin of the trust.
    pub how: TrustOrigin,
}

/// The grounds on which a state was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TrustOrigin {
    /// First use: no state was trusted before.
    FirstSeen,
    /// The state is proven to extend the one before.
    Proven,
    /// Given by the operator.
    Pinned,
    /// Imported from another auditor's files, and extended by the state that the server shows.
    Imported,
    /// Adopted by the operator from this alarm's evidence.
    Adopted { alarm: String },
}

impl TrustedState {
    /// Returns a state of the same history in place of this one. It has no signature, because the history stores none.
    #[must_use]
    pub fn replaced_by(&self, state: State) -> TrustedState {
        TrustedState {
            state,
            signature: None,
            ..self.clone()
        }
    }

    /// Returns the last signed transaction after `signature` is known for transaction `tx`.
    pub(super) fn signed_at(
        signature: Option<&Signature>,
        tx: u64,
        before: Option<u64>,
    ) -> Option<u64> {
        signature.map(|_| tx).or(before)
    }
}

/// A state that was just received; the caller has verified its proof, and its signature if the settings require one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedState {
    /// Transaction and hash.
    pub state: State,
    /// The shape of its message.
    pub shape: StateShape,
    /// Its signature.
    pub signature: Option<Signature>,
    /// The `immudb-uuid` that it came with.
    pub uuid: Option<String>,
}

/// The maximum length of a stored `immudb-uuid`, in characters; immudb's own have 20.
const IDENTITY: usize = 64;

/// Returns an identity as it is stored: a server can send an identity of any length, but the auditor's files have
/// limits.
pub fn kept_identity(uuid: Option<&str>) -> Option<String> {
    uuid.map(|uuid| cut(uuid, IDENTITY))
}

impl fmt::Display for TrustOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrustOrigin::FirstSeen => f.write_str("first-seen"),
            TrustOrigin::Proven => f.write_str("proven"),
            TrustOrigin::Pinned => f.write_str("pinned"),
            TrustOrigin::Imported => f.write_str("imported"),
            TrustOrigin::Adopted { alarm } => write!(f, "adopted:{alarm}"),
        }
    }
}

/// The error for text that is no [`TrustOrigin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustOriginError;

impl std::error::Error for TrustOriginError {}

impl std::fmt::Display for TrustOriginError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not the origin of a trusted state")
    }
}

impl FromStr for TrustOrigin {
    type Err = TrustOriginError;

    fn from_str(text: &str) -> Result<TrustOrigin, TrustOriginError> {
        match text {
            "first-seen" => Ok(TrustOrigin::FirstSeen),
            "proven" => Ok(TrustOrigin::Proven),
            "pinned" => Ok(TrustOrigin::Pinned),
            "imported" => Ok(TrustOrigin::Imported),
            _ => match text.strip_prefix("adopted:") {
                Some(alarm) => Ok(TrustOrigin::Adopted {
                    alarm: alarm.into(),
                }),
                None => Err(TrustOriginError),
            },
        }
    }
}

/// Returns the state of a text in the form `TX:HASH`, which [`State`] is printed in; no other form is accepted.
pub fn parse_state(text: &str) -> Option<State> {
    let (tx, hash) = text.split_once(':')?;
    let state = State {
        tx: tx.parse().ok()?,
        hash: hash.parse::<Digest>().ok()?,
    };
    (state.to_string() == text).then_some(state)
}

/// Returns the word for a shape.
pub fn shape_word(shape: StateShape) -> &'static str {
    match shape {
        StateShape::WithDatabase => "with-database",
        StateShape::WithoutDatabase => "without-database",
    }
}

/// Returns the shape of a word.
pub fn parse_shape(word: &str) -> Option<StateShape> {
    [StateShape::WithDatabase, StateShape::WithoutDatabase]
        .into_iter()
        .find(|shape| shape_word(*shape) == word)
}
