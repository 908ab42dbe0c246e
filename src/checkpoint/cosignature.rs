//! Signing a checkpoint, and finding its signers (C2SP tlog-cosignature, Ed25519).

use std::fmt;

use ring::signature::{ED25519, UnparsedPublicKey};

use super::body::Checkpoint;
use super::key::{SignerKey, VerifierKey};
use super::note::{NoteSignature, SignedNote};

/// Latest time of a signature, in seconds since 1970, by the specification.
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

/// A note that a key confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confirmed {
    /// The time in seconds since 1970, by the signer's clock.
    pub time: u64,
}

/// The reason why a key does not confirm a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CosignatureError {
    /// It did not sign it.
    Absent,
    /// A signature bears its name and id, and is not its own: the whole note is to be refused.
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

/// Returns when a key confirmed a note. Of several signatures of one key the first counts, and the others are passed over, as
/// in Go's `golang.org/x/mod/sumdb/note`.
///
/// # Errors
/// It did not, or the signature in its name is wrong.
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
