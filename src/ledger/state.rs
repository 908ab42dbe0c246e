//! A database's state, and the signature over it (protocol.md §3 and §5).

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use ring::agreement;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

use super::digest::Digest;

/// The state of a ledger: its last transaction and that transaction's Alh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Id of the last transaction; 0: none.
    pub tx: u64,
    /// The transaction's Alh.
    pub hash: Digest,
}

impl State {
    /// A database without transactions: no id, and the hash of nothing (protocol.md §3).
    pub const EMPTY: State = State {
        tx: 0,
        hash: Digest::OF_NOTHING,
    };
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.tx, self.hash)
    }
}

/// The shape of a state's message, which decides what the signature covers (protocol.md §2, *ImmutableState*; §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateShape {
    /// 0.9.0 only: transaction and hash, so the same signature fits every database.
    WithoutDatabase,
    /// All later versions: also the database's name.
    WithDatabase,
}

/// A signature as a server sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The key that the server sent with the signature: it does not prove who signed (protocol.md §5).
    pub public_key: Vec<u8>,
    /// ECDSA P-256 over SHA-256, ASN.1 DER.
    pub der: Vec<u8>,
}

/// A state as a server claims it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedState {
    /// The shape of its message.
    pub shape: StateShape,
    /// The database that the server names; empty in the 0.9.0 shape.
    pub database: Vec<u8>,
    /// Transaction and hash.
    pub state: State,
    /// The signature, if the server signs.
    pub signature: Option<Signature>,
}

impl ClaimedState {
    /// Verifies that one of `keys` signed the state for `database` (protocol.md §5). Without the name, the state
    /// of another database would be accepted. The key that the server sent is not used.
    ///
    /// # Errors
    /// The fault of the signature.
    pub fn verify_signature(&self, database: &str, keys: &[PublicKey]) -> Result<(), BadSignature> {
        if self.shape == StateShape::WithDatabase && self.database != database.as_bytes() {
            return Err(BadSignature::OtherDatabase);
        }
        let Some(signature) = &self.signature else {
            return Err(BadSignature::Absent);
        };
        let message = signed_bytes(self.shape, database, &self.state);
        if keys
            .iter()
            .any(|key| key.verifies(&message, &signature.der))
        {
            Ok(())
        } else {
            Err(BadSignature::NotByTheKey)
        }
    }

    /// Verifies that the key that the server sent signed the state for `database`. This proves no identity: anyone
    /// who can change the state can also sign it again (protocol.md §5).
    ///
    /// # Errors
    /// The fault of the signature.
    pub fn verify_own_signature(&self, database: &str) -> Result<(), BadSignature> {
        let signature = self.signature.as_ref().ok_or(BadSignature::Absent)?;
        let key = PublicKey::from_point(&signature.public_key);
        let key = key.ok_or(BadSignature::NotByItsOwnKey)?;
        let verified = self.verify_signature(database, &[key]);
        verified.map_err(|bad| match bad {
            BadSignature::NotByTheKey => BadSignature::NotByItsOwnKey,
            other => other,
        })
    }
}

/// Returns the bytes that a state's signature covers (protocol.md §5).
pub fn signed_bytes(shape: StateShape, database: &str, state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    if shape == StateShape::WithDatabase {
        let length = u32::try_from(database.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(database.as_bytes());
    }
    bytes.extend(state.tx.to_be_bytes());
    bytes.extend(state.hash.as_bytes());
    bytes
}

/// The reason why a state does not count as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSignature {
    /// The signature is absent.
    Absent,
    /// The state names another database.
    OtherDatabase,
    /// The signature verifies with none of the keys that the operator trusts.
    NotByTheKey,
    /// The signature does not verify with the key that came with it.
    NotByItsOwnKey,
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadSignature::Absent => "the state is not signed",
            BadSignature::OtherDatabase => "the state is of another database",
            BadSignature::NotByTheKey => "the state is not signed by a configured key",
            BadSignature::NotByItsOwnKey => "the state is not signed by the key that came with it",
        })
    }
}

/// A P-256 public key: the uncompressed point (SEC 1 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; PublicKey::LEN]);

impl PublicKey {
    /// Bytes of an uncompressed P-256 point.
    pub const LEN: usize = 65;

    /// SubjectPublicKeyInfo of a P-256 key before its point (RFC 5480 §2).
    const SPKI_PREFIX: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];

    /// Creates a key from its uncompressed point; `None` if the bytes do not have its form (0x04, then 64 bytes). It
    /// does not check whether the point is on the curve: a signature never verifies with a key that is not.
    pub fn from_point(point: &[u8]) -> Option<PublicKey> {
        let point: [u8; PublicKey::LEN] = point.try_into().ok()?;
        (point.first() == Some(&4)).then_some(PublicKey(point))
    }

    /// Returns the uncompressed point.
    pub fn point(&self) -> &[u8; PublicKey::LEN] {
        &self.0
    }

    /// Returns whether the point is on the curve (SEC 1 §2.3.4). A key off the curve verifies nothing, as if every
    /// signature were wrong. A key agreement checks it; the private key can be any.
    fn is_on_curve(&self) -> bool {
        let random = SystemRandom::new();
        let peer = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, &self.0);
        agreement::EphemeralPrivateKey::generate(&agreement::ECDH_P256, &random)
            .and_then(|private| agreement::agree_ephemeral(private, &peer, |_| ()))
            .is_ok()
    }

    /// Returns every `PUBLIC KEY` in a PEM text (RFC 7468 §13); there must be at least one.
    ///
    /// # Errors
    /// The fault, and its line.
    pub fn from_pem(text: &str) -> Result<Vec<PublicKey>, PemError> {
        let mut keys = Vec::new();
        let mut open: Option<(usize, String)> = None;
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            match (text, &mut open) {
                ("-----BEGIN PUBLIC KEY-----", None) => open = Some((line, String::new())),
                ("-----END PUBLIC KEY-----", Some((begin, base64))) => {
                    let key = PublicKey::from_spki_base64(base64);
                    keys.push(key.ok_or(PemError::NotP256(*begin))?);
                    open = None;
                }
                (_, Some((_, base64))) if !text.starts_with('-') => base64.push_str(text),
                (_, None) if !text.starts_with("-----") => {} // RFC 7468 §2: explanatory text
                _ => return Err(PemError::Unexpected(line)),
            }
        }
        match open {
            Some((begin, _)) => Err(PemError::Unclosed(begin)),
            None if keys.is_empty() => Err(PemError::NoKey),
            None => Ok(keys),
        }
    }

    fn from_spki_base64(base64: &str) -> Option<PublicKey> {
        let der = decode_base64(base64)?;
        PublicKey::from_point(der.strip_prefix(&PublicKey::SPKI_PREFIX)?)
            .filter(PublicKey::is_on_curve)
    }

    fn verifies(&self, message: &[u8], der: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0)
            .verify(message, der)
            .is_ok()
    }
}

/// The fault of a text without a usable public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemError {
    /// There is no `PUBLIC KEY` block.
    NoKey,
    /// A block that does not end; the line in which it begins.
    Unclosed(usize),
    /// An unexpected line, such as another kind of block.
    Unexpected(usize),
    /// The block that begins in this line is no P-256 key.
    NotP256(usize),
}

impl std::error::Error for PemError {}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PemError::NoKey => f.write_str("no PUBLIC KEY block in it"),
            PemError::Unclosed(line) => write!(f, "line {line}: the PUBLIC KEY block does not end"),
            PemError::Unexpected(line) => write!(f, "line {line}: not part of a PUBLIC KEY block"),
            PemError::NotP256(line) => write!(f, "line {line}: not an ECDSA P-256 public key"),
        }
    }
}

/// Writes standard base64 with padding (RFC 4648 §4).
pub fn encode_base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Reads standard base64 with padding (RFC 4648 §4), strictly: unused bits must be zero, so that one key has one
/// text. Returns `None` for anything else.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}
