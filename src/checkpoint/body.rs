//! The text of a checkpoint: one state of one database (C2SP tlog-checkpoint).
//!
//! ```text
//! immudb/SERVER/DATABASE
//! TRANSACTION
//! BASE64 of the 32 bytes of its Alh
//! immudb-signature BASE64 of the server's public key, BASE64 of its signature
//! ```
//!
//! The fourth line exists if the server signs its states. Transaction and Alh replace the size and the root of a log's
//! tree: the Alh commits to the whole history.

use std::fmt;

use super::origin::Origin;
use crate::ledger::{
    BadSignature, ClaimedState, Digest, PublicKey, Signature, State, StateShape, decode_base64,
    encode_base64,
};

/// The prefix of the line with the server's signature.
const SIGNATURE: &str = "immudb-signature ";

/// One state of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The server and the database.
    pub origin: Origin,
    /// The state, which is never empty.
    pub state: State,
    /// The server's signature of the state.
    pub signature: Option<Signature>,
}

/// The reason why a text is not a checkpoint of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointError {
    /// The first line names no database of an immudb server.
    Origin,
    /// The second line is no transaction.
    Transaction,
    /// The third line is no hash.
    Hash,
    /// A further line is empty, or the server's signature cannot be read.
    Extension,
}

impl std::error::Error for CheckpointError {}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CheckpointError::Origin => "its first line is not immudb/SERVER/DATABASE",
            CheckpointError::Transaction => "its second line is not a transaction",
            CheckpointError::Hash => "its third line is not a hash",
            CheckpointError::Extension => "a line after its hash cannot be read",
        })
    }
}

impl Checkpoint {
    /// Reads the text of a note. Ignores lines that this version does not know: they are signed with the rest.
    ///
    /// # Errors
    /// The text is not a checkpoint of a database.
    pub fn read(text: &str) -> Result<Checkpoint, CheckpointError> {
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let origin = lines.next().and_then(Origin::read);
        let origin = origin.ok_or(CheckpointError::Origin)?;
        let tx = lines.next().and_then(transaction);
        let tx = tx.ok_or(CheckpointError::Transaction)?;
        let hash = lines.next().and_then(|base64| {
            let bytes: [u8; 32] = decode_base64(base64)?.try_into().ok()?;
            Some(Digest::new(bytes))
        });
        let hash = hash.ok_or(CheckpointError::Hash)?;
        let mut signature = None;
        for line in lines {
            let is_known = line.starts_with(SIGNATURE);
            if line.is_empty() || (is_known && signature.is_some()) {
                return Err(CheckpointError::Extension);
            }
            if is_known {
                signature = Some(server_signature(line).ok_or(CheckpointError::Extension)?);
            }
        }
        Ok(Checkpoint {
            origin,
            state: State { tx, hash },
            signature,
        })
    }

    /// Verifies the server's signature by its own key, or by one of `keys` if there are any (protocol.md §5). Returns
    /// the content of the signature: a signature without the name of the database fits every database of the server.
    ///
    /// # Errors
    /// The signature is missing or wrong.
    pub fn verify_server(&self, keys: &[PublicKey]) -> Result<StateShape, BadSignature> {
        let claimed = |shape| ClaimedState {
            shape,
            database: self.origin.database.as_bytes().to_vec(),
            state: self.state,
            signature: self.signature.clone(),
        };
        let verify = |shape| match keys {
            [] => claimed(shape).verify_own_signature(&self.origin.database),
            keys => claimed(shape).verify_signature(&self.origin.database, keys),
        };
        // immudb 0.9.0 signs without the database's name
        let (with, without) = (StateShape::WithDatabase, StateShape::WithoutDatabase);
        match verify(with) {
            Ok(()) => Ok(with),
            Err(bad) => verify(without).map(|()| without).map_err(|_| bad),
        }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = encode_base64(self.state.hash.as_bytes());
        write!(f, "{}\n{}\n{hash}\n", self.origin, self.state.tx)?;
        match &self.signature {
            Some(Signature { public_key, der }) => {
                let (key, signature) = (encode_base64(public_key), encode_base64(der));
                writeln!(f, "{SIGNATURE}{key} {signature}")
            }
            None => Ok(()),
        }
    }
}

/// Reads a transaction's id: decimal, without leading zeros, not 0.
fn transaction(text: &str) -> Option<u64> {
    let tx: u64 = text.parse().ok()?;
    (tx > 0 && tx.to_string() == text).then_some(tx)
}

fn server_signature(line: &str) -> Option<Signature> {
    let (key, signature) = line.strip_prefix(SIGNATURE)?.split_once(' ')?;
    Some(Signature {
        public_key: decode_base64(key)?,
        der: decode_base64(signature)?,
    })
}
