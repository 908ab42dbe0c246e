//! A signed note: a text with signatures (C2SP signed-note).

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::key::KeyName;
use crate::ledger::encode_base64;

/// The longest note that is read, in bytes: a checkpoint has about 300, and a hundred signatures have 20,000.
pub const MAX_BYTES: usize = 64 << 10;
/// The limit of signatures in one note. The specification requires at least 16.
const MAX_SIGNATURES: usize = 100;
/// The prefix of a signature line: an em dash and a space.
const DASH: &str = "\u{2014} ";
/// Base64 as Go's libraries read it, which ignore the remaining bits. A signature is verified by its bytes.
const AS_GO: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
/// The length of a key's id in bytes.
const ID: usize = 4;

/// A text with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    /// The signatures, in order; the signers may be unknown.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: KeyName,
    /// The id of the key: the beginning of a hash over its name and the public key.
    pub id: u32,
    /// The key's signature of the text.
    pub bytes: Vec<u8>,
}

/// The reason why a text is not a signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// The text is longer than [`MAX_BYTES`].
    TooLong,
    /// The text is not UTF-8.
    NotUtf8,
    /// The text has a control character other than a newline.
    ControlCharacter,
    /// The text, or the last line, does not end in a newline.
    NoNewline,
    /// There is no empty line between text and signatures.
    NoEmptyLine,
    /// A line after the empty one is not a signature.
    NoSignatureLine,
    /// There are more than a hundred signatures.
    TooManySignatures,
    /// There are more notes in one text than are read.
    TooMany,
}

impl std::error::Error for NoteError {}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoteError::TooLong => "it is too long",
            NoteError::NotUtf8 => "it is not UTF-8",
            NoteError::ControlCharacter => "it has a control character",
            NoteError::NoNewline => "it does not end in a newline",
            NoteError::NoEmptyLine => "there is no empty line before its signatures",
            NoteError::NoSignatureLine => "a line after its text is not a signature",
            NoteError::TooManySignatures => "it has more than a hundred signatures",
            NoteError::TooMany => {
                "this and the following checkpoints are ignored, because there are too many"
            }
        })
    }
}

impl SignedNote {
    /// Creates a note from a text that ends with a newline.
    pub(super) fn new(text: String, signatures: Vec<NoteSignature>) -> SignedNote {
        SignedNote { text, signatures }
    }

    /// Reads a note.
    ///
    /// # Errors
    /// The text is not a signed note.
    pub fn read(bytes: &[u8]) -> Result<SignedNote, NoteError> {
        if bytes.len() > MAX_BYTES {
            return Err(NoteError::TooLong);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?;
        if whole.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::ControlCharacter);
        }
        // the text may contain empty lines, so the last one separates the signatures
        let (text, signatures) = whole.rsplit_once("\n\n").ok_or(NoteError::NoEmptyLine)?;
        let signatures = signatures.strip_suffix('\n').ok_or(NoteError::NoNewline)?;
        if signatures.lines().count() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let signatures: Option<Vec<NoteSignature>> =
            signatures.split('\n').map(NoteSignature::read).collect();
        Ok(SignedNote {
            text: format!("{text}\n"),
            signatures: signatures.ok_or(NoteError::NoSignatureLine)?,
        })
    }

    /// Returns the signed text, with the newline at its end.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// Returns whether a line is meant as a signature.
pub(super) fn is_signature(line: &[u8]) -> bool {
    line.starts_with(DASH.as_bytes())
}

impl NoteSignature {
    fn read(line: &str) -> Option<NoteSignature> {
        let (name, base64) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = AS_GO.decode(base64).ok()?;
        let (id, bytes) = bytes.split_at_checked(ID)?;
        if bytes.is_empty() {
            return None;
        }
        Some(NoteSignature {
            name: KeyName::new(name)?,
            id: u32::from_be_bytes(id.try_into().ok()?),
            bytes: bytes.to_vec(),
        })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_be_bytes()[..], &self.bytes].concat();
        write!(f, "{DASH}{} {}", self.name, encode_base64(&bytes))
    }
}
