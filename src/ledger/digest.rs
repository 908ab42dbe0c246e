//! Digests: 32 bytes of SHA-256, the only hash of the ledger (protocol.md, head and §3).

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256, digest};

/// A SHA-256 digest: always 32 bytes, so every digest has passed the length check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; Digest::LEN]);

impl Digest {
    /// The number of bytes in a digest.
    pub const LEN: usize = 32;

    /// `H("")`: the entries' root of a transaction without entries, the Alh before transaction 1
    /// and the hash of an empty database's state (protocol.md §3).
    pub const OF_NOTHING: Digest = Digest([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// The root in a header while there is no tree yet (`blTxId` 0, protocol.md §3).
    pub const ZERO: Digest = Digest([0; Digest::LEN]);

    /// Creates a digest from its bytes.
    pub const fn new(bytes: [u8; Digest::LEN]) -> Digest {
        Digest(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; Digest::LEN] {
        &self.0
    }

    /// Returns `H(parts[0] || parts[1] || …)`.
    #[inline(always)] // so that the lengths of a node or a link are constants
    pub fn of(parts: &[&[u8]]) -> Digest {
        count();
        // hashing one short piece costs half as much as hashing its parts; nodes and links are all short
        let mut short = [0; 128];
        let mut rest = &mut short[..];
        for part in parts {
            let Some((to, after)) = rest.split_at_mut_checked(part.len()) else {
                return Digest::of_long(parts);
            };
            to.copy_from_slice(part);
            rest = after;
        }
        let unused = rest.len();
        let used = short.len().saturating_sub(unused);
        match short.get(..used) {
            Some(bytes) => Digest::from_ring(&digest(&SHA256, bytes)),
            None => Digest::of_long(parts),
        }
    }

    fn of_long(parts: &[&[u8]]) -> Digest {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        Digest::from_ring(&context.finish())
    }

    fn from_ring(digest: &ring::digest::Digest) -> Digest {
        // a SHA-256 digest always has 32 bytes, so the default is never used
        let bytes = digest.as_ref().first_chunk();
        bytes.map_or(Digest::ZERO, |bytes| Digest(*bytes))
    }

    /// Returns a tree's leaf over `data`: `H(0x00 || data)` (RFC 9162 §2.1.1).
    pub fn leaf(data: &Digest) -> Digest {
        Digest::of(&[&[0], &data.0])
    }

    /// Returns a tree's inner node: `H(0x01 || left || right)` (RFC 9162 §2.1.1).
    pub fn node(left: &Digest, right: &Digest) -> Digest {
        Digest::of(&[&[1], &left.0, &right.0])
    }
}

#[cfg(any(test, feature = "fault-points"))]
thread_local! {
    static COMPUTED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Returns the number of digests that this thread has computed, which a test compares with a budget.
#[cfg(any(test, feature = "fault-points"))]
pub fn digests_computed() -> u64 {
    COMPUTED.get()
}

#[cfg(any(test, feature = "fault-points"))]
fn count() {
    COMPUTED.set(COMPUTED.get().wrapping_add(1));
}

#[cfg(not(any(test, feature = "fault-points")))]
fn count() {}

/// The hexadecimal digits.
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Prints lower-case hexadecimal, 64 characters.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // a history of a year has thousands of digests, and formatting byte by byte costs more than hashing
        let mut text = [0; 2 * Digest::LEN];
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (place, digit) in text.iter_mut().zip(digits) {
            *place = DIGITS.get(usize::from(digit)).copied().unwrap_or_default();
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<[u8; Digest::LEN]> for Digest {
    fn from(bytes: [u8; Digest::LEN]) -> Digest {
        Digest(bytes)
    }
}

/// The length of bytes that are not 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestError(pub usize);

impl std::error::Error for DigestError {}

impl std::fmt::Display for DigestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a digest has 32 bytes, not {}", self.0)
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = DigestError;

    fn try_from(bytes: &[u8]) -> Result<Digest, DigestError> {
        bytes
            .try_into()
            .map(Digest)
            .map_err(|_| DigestError(bytes.len()))
    }
}

/// The error for text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexError;

impl std::error::Error for HexError {}

impl fmt::Display for HexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not 64 hexadecimal digits")
    }
}

/// Reads 64 hexadecimal digits of either case.
impl FromStr for Digest {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Digest, HexError> {
        if text.len() != 2 * Digest::LEN {
            return Err(HexError);
        }
        let mut bytes = [0; Digest::LEN];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = pair.iter().try_fold(0, |high, digit| {
                hex_value(*digit).map(|value| (high << 4) | value)
            })?;
        }
        Ok(Digest(bytes))
    }
}

fn hex_value(digit: u8) -> Result<u8, HexError> {
    let value = char::from(digit).to_digit(16).ok_or(HexError)?;
    u8::try_from(value).map_err(|_| HexError)
}

/// The bytes that a server sent in place of a digest. A step checks their length when it uses them, because unused
/// fields decide nothing (protocol.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term(Result<Digest, DigestError>);

impl Term {
    /// Returns the digest, or the wrong length of the bytes.
    pub fn digest(&self) -> Result<Digest, DigestError> {
        self.0
    }
}

impl From<&[u8]> for Term {
    fn from(bytes: &[u8]) -> Term {
        Term(Digest::try_from(bytes))
    }
}

impl From<Digest> for Term {
    fn from(digest: Digest) -> Term {
        Term(Ok(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_sha256_of_the_empty_string() {
        assert_eq!(Digest::of(&[]), Digest::OF_NOTHING);
    }

    #[test]
    fn parts_of_any_length_are_hashed_as_one() {
        for length in [0, 1, 32, 127, 128, 129, 255, 1000] {
            let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
            let whole = Digest::try_from(digest(&SHA256, &bytes).as_ref()).unwrap();
            assert_eq!(Digest::of(&[&bytes]), whole);
            let parts: Vec<&[u8]> = bytes.chunks(7).collect();
            assert_eq!(Digest::of(&parts), whole);
        }
    }

    #[test]
    fn hexadecimal_goes_both_ways_and_nothing_else_is_taken() {
        let text = Digest::OF_NOTHING.to_string();
        assert_eq!(text.parse(), Ok(Digest::OF_NOTHING));
        assert_eq!(text.to_uppercase().parse(), Ok(Digest::OF_NOTHING));
        for bad in [
            "",
            "e3",
            &text[1..],
            &format!("{text}0"),
            &text.replace('e', "+"),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(HexError), "{bad}");
        }
    }

    #[test]
    fn a_term_of_another_length_is_no_digest() {
        for length in (0..100).filter(|l| *l != Digest::LEN) {
            let bytes = vec![7; length];
            assert_eq!(Term::from(&bytes[..]).digest(), Err(DigestError(length)));
        }
    }
}
