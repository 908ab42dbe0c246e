//! Signing a checkpoint, and finding its signers (C2SP tlog-cosignature, Ed25519).

use std::fmt;

use ring::signature::{ED25519, UnparsedPublicKey};

use super::body::Checkpoint;
use super::key::{SignerKey, VerifierKey};
use super::note::{NoteSignature, SignedNote};

/// The latest time of a signature that the specification allows, in seconds since 1970.
const MAX_TIME: u64 = u64::MAX >> 1;

/// Signs a checkpoint. The signature states that the checkpoint was proven to extend every state of the database that
/// the signer had seen by `time`. The time is in seconds since 1970.
pub fn cosigned(checkpoint: &Checkpoint, key: &SignerKey, time: u64) -> SignedNote {
    let text = checkpoint.to_string();
    let signature = key.sign(&message(time, &text));
    let signature = NoteSignature {
        name: key.public().name.clone(),
        id: key.public().id,
        bytes: [&time.to_be_bytes()[..], &signature].concat(),
    };
    SignedNote::new(text, vec![signature])
}

/// The confirmation of a note by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confirmed {
    /// The time in seconds since 1970, by the signer's clock.
    pub time: u64,
}

/// The reason why a key does not confirm a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CosignatureError {
    /// The key did not sign the note.
    Absent,
    /// A signature has the name and id of the key, but is wrong. The whole note must be refused.
    Wrong,
}

impl std::error::Error for CosignatureError {}

impl fmt::Display for CosignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CosignatureError::Absent => "it is not signed by this key",
            CosignatureError::Wrong => {
                "its signature is wrong: the checkpoint was changed, or another key signed it"
            }
        })
    }
}

/// Returns the time at which a key confirmed a note. If a key has several signatures, only the first counts, as in
/// Go's `golang.org/x/mod/sumdb/note`.
///
/// # Errors
/// The key did not sign the note, or the signature with its name is wrong.
pub fn confirmed(note: &SignedNote, key: &VerifierKey) -> Result<Confirmed, CosignatureError> {
    let of_key =
        |signature: &&NoteSignature| (&signature.name, signature.id) == (&key.name, key.id);
    let first = note.signatures.iter().find(of_key);
    let first = first.ok_or(CosignatureError::Absent)?;
    verified(note.text(), first, key).ok_or(CosignatureError::Wrong)
}

fn verified(text: &str, signature: &NoteSignature, key: &VerifierKey) -> Option<Confirmed> {
    let (time, bytes) = signature.bytes.split_first_chunk()?;
    let time = u64::from_be_bytes(*time);
    if time > MAX_TIME {
        return None;
    }
    let public = UnparsedPublicKey::new(&ED25519, &key.point);
    public.verify(&message(time, text), bytes).ok()?;
    Some(Confirmed { time })
}

fn message(time: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}
