//! Keys of witnesses: their names and their text form (C2SP signed-note, *Verifier keys*).

use std::fmt;
use std::hint::black_box;

use ring::digest;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::ledger::{decode_base64, encode_base64};

/// The signature type of a cosignature by Ed25519 (C2SP signed-note, *Signature types*).
const COSIGNATURE: u8 = 4;
/// The signature type of a plain Ed25519 signature, which has no time.
const PLAIN: u8 = 1;
/// The length of an Ed25519 seed and of a public key in bytes (RFC 8032 §5.1.5).
const LENGTH: usize = 32;
/// The prefix of a private key's text.
pub const PRIVATE: &str = "PRIVATE+KEY+";

/// The name of a key: not empty, without spaces and without `+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Creates a name; `None` if the text cannot be one.
    pub fn new(name: &str) -> Option<KeyName> {
        let is_wrong = |c: char| c.is_whitespace() || c == '+';
        let is_right = !name.is_empty() && !name.contains(is_wrong);
        is_right.then(|| KeyName(name.to_owned()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The reason why a text is not a key. It has no part of the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The text is not of the form `NAME+HASH+KEY`.
    Form,
    /// The text is not of the form `PRIVATE+KEY+NAME+HASH+KEY`.
    PrivateForm,
    /// The text is a private key instead of a public one.
    Private,
    /// The text is a public key instead of a private one.
    Public,
    /// The key is for signatures without a time.
    Plain,
    /// The key is of another algorithm.
    Algorithm,
    /// The hash belongs to another key or name, probably because of a mistake in copying.
    Hash,
}

impl std::error::Error for KeyError {}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::Form => "it is not of the form NAME+HASH+KEY, as immuaudit key show prints it",
            KeyError::PrivateForm => {
                "it is not of the form PRIVATE+KEY+NAME+HASH+KEY, which immuaudit key new writes"
            }
            KeyError::Private => {
                "it is a private key, which must stay secret: give the public key, as immuaudit key show prints it"
            }
            KeyError::Public => "it is a public key: give the file of immuaudit key new",
            KeyError::Plain => "it is a key for notes without a time: create one with immuaudit key new",
            KeyError::Algorithm => "it is a key of an algorithm that is not Ed25519",
            KeyError::Hash => "its hash does not match its name and key: copy the whole key again",
        })
    }
}

/// A public key of a witness, which verifies its signatures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifierKey {
    /// The name.
    pub name: KeyName,
    /// The id, which is in each signature.
    pub id: u32,
    /// The point (RFC 8032 §5.1.2).
    pub point: [u8; LENGTH],
}

impl VerifierKey {
    fn new(name: KeyName, point: [u8; LENGTH]) -> VerifierKey {
        let id = id(&name, &point);
        VerifierKey { name, id, point }
    }

    /// Reads `NAME+HASH+KEY`.
    ///
    /// # Errors
    /// The text is not a public key.
    pub fn read(text: &str) -> Result<VerifierKey, KeyError> {
        if text.starts_with(PRIVATE) {
            return Err(KeyError::Private);
        }
        let (name, hash, point) = parts(text)?;
        let key = VerifierKey::new(name, point);
        (key.id == hash).then_some(key).ok_or(KeyError::Hash)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", text(&self.name, self.id, &self.point))
    }
}

/// The private key of this auditor. `Debug` does not show it.
pub struct SignerKey {
    pair: Ed25519KeyPair,
    public: VerifierKey,
}

impl SignerKey {
    /// Creates a key from 32 random bytes.
    pub fn of_seed(name: KeyName, seed: &[u8; LENGTH]) -> Option<SignerKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let point = pair.public_key().as_ref().try_into().ok()?;
        let public = VerifierKey::new(name, point);
        Some(SignerKey { pair, public })
    }

    /// Reads `PRIVATE+KEY+NAME+HASH+KEY`.
    ///
    /// # Errors
    /// The text is not a private key.
    pub fn read(text: &str) -> Result<SignerKey, KeyError> {
        let Some(rest) = text.strip_prefix(PRIVATE) else {
            let is_public = VerifierKey::read(text).is_ok();
            return Err(if is_public {
                KeyError::Public
            } else {
                KeyError::PrivateForm
            });
        };
        let parts = parts(rest).map_err(|why| match why {
            KeyError::Form => KeyError::PrivateForm,
            why => why,
        });
        let (name, hash, mut seed) = parts?;
        let key = SignerKey::of_seed(name, &seed);
        overwrite(&mut seed);
        let key = key.ok_or(KeyError::PrivateForm)?;
        (key.public.id == hash).then_some(key).ok_or(KeyError::Hash)
    }

    /// Returns the text of the key with this seed, for the one file that contains it.
    pub fn expose(&self, seed: &[u8; LENGTH]) -> String {
        format!("{PRIVATE}{}", text(&self.public.name, self.public.id, seed))
    }

    /// Returns the public key.
    pub fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// Signs a message (RFC 8032 §5.1.6).
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// Compares the public keys, each of which belongs to only one private key.
impl PartialEq for SignerKey {
    fn eq(&self, other: &SignerKey) -> bool {
        self.public == other.public
    }
}

impl Eq for SignerKey {}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.public)
    }
}

/// Overwrites a seed that is not needed any more.
pub fn overwrite(seed: &mut [u8]) {
    seed.fill(0);
    black_box(seed); // otherwise the compiler may remove the write
}

/// Returns the beginning of the hash over name, signature type and public key (C2SP signed-note, *Signatures*).
fn id(name: &KeyName, point: &[u8; LENGTH]) -> u32 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(name.0.as_bytes());
    context.update(&[b'\n', COSIGNATURE]);
    context.update(point);
    let hash = context.finish();
    let (first, _) = hash.as_ref().split_first_chunk().unwrap_or((&[0; 4], &[]));
    u32::from_be_bytes(*first)
}

fn text(name: &KeyName, id: u32, key: &[u8; LENGTH]) -> String {
    let key = [&[COSIGNATURE][..], key].concat();
    format!("{name}+{id:08x}+{}", encode_base64(&key))
}

/// Splits `NAME+HASH+KEY`.
fn parts(text: &str) -> Result<(KeyName, u32, [u8; LENGTH]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let mut next = || parts.next().ok_or(KeyError::Form);
    let (name, hash, base64) = (next()?, next()?, next()?);
    let name = KeyName::new(name).ok_or(KeyError::Form)?;
    let is_hash = hash.len() == 8 && hash.chars().all(|c| c.is_ascii_hexdigit());
    let hash = u32::from_str_radix(hash, 16).ok().filter(|_| is_hash);
    let mut bytes = decode_base64(base64).ok_or(KeyError::Form)?;
    let key = match bytes.split_first() {
        Some((&COSIGNATURE, key)) => key.try_into().map_err(|_| KeyError::Form),
        Some((&PLAIN, key)) if key.len() == LENGTH => Err(KeyError::Plain),
        Some(_) => Err(KeyError::Algorithm),
        None => Err(KeyError::Form),
    };
    overwrite(&mut bytes); // the bytes may be a seed
    Ok((name, hash.ok_or(KeyError::Form)?, key?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_never_shown() {
        let name = KeyName::new("example.com/zone-a").unwrap();
        let seed = [7; 32];
        let key = SignerKey::of_seed(name, &seed).unwrap();
        let text = key.expose(&seed);
        assert!(text.starts_with("PRIVATE+KEY+example.com/zone-a+"));
        let read = SignerKey::read(&text).unwrap();
        assert_eq!(read.public(), key.public());
        let public = key.public().to_string();
        assert_eq!(VerifierKey::read(&public).unwrap(), *key.public());
        let secret = encode_base64(&[&[4][..], &seed].concat());
        assert!(text.ends_with(&secret) && !format!("{key:?}").contains(&secret));
    }

    #[test]
    fn a_text_that_is_no_key_is_refused_with_the_reason() {
        let of =
            |first: u8, length: usize| encode_base64(&[&[first][..], &vec![1; length]].concat());
        let right = VerifierKey::new(KeyName::new("n").unwrap(), [1; 32]).to_string();
        for (text, why) in [
            ("".to_owned(), KeyError::Form),
            ("name".to_owned(), KeyError::Form),
            ("name+01234567".to_owned(), KeyError::Form),
            (format!("+01234567+{}", of(4, 32)), KeyError::Form),
            (format!("a b+01234567+{}", of(4, 32)), KeyError::Form),
            (format!("n+0123456+{}", of(4, 32)), KeyError::Form),
            (format!("n++1234567+{}", of(4, 32)), KeyError::Form),
            ("n+01234567+!".to_owned(), KeyError::Form),
            ("n+01234567+".to_owned(), KeyError::Form),
            (format!("n+01234567+{}", of(4, 31)), KeyError::Form),
            (format!("n+01234567+{}", of(4, 33)), KeyError::Form),
            (format!("n+01234567+{}", of(1, 32)), KeyError::Plain),
            (format!("n+01234567+{}", of(6, 1312)), KeyError::Algorithm),
            (format!("n+01234567+{}", of(4, 32)), KeyError::Hash),
            (right.replace("n+", "m+"), KeyError::Hash),
            (
                format!("PRIVATE+KEY+n+01234567+{}", of(4, 32)),
                KeyError::Private,
            ),
        ] {
            assert_eq!(VerifierKey::read(&text), Err(why), "{text}");
        }
        assert_eq!(SignerKey::read(&right).unwrap_err(), KeyError::Public);
        let other = format!("PRIVATE+KEY+n+01234567+{}", of(4, 32));
        assert_eq!(SignerKey::read(&other).unwrap_err(), KeyError::Hash);
    }
}
