//! Reads the public keys in private keys and certificates (DER, X.690), to check that the two belong together.

use ring::signature::{Ed25519KeyPair, KeyPair};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[0]` and `[1]`, constructed.
const FIRST: u8 = 0xa0;
const SECOND: u8 = 0xa1;

/// rsaEncryption (RFC 8017), id-ecPublicKey (RFC 5480), id-Ed25519 (RFC 8410).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The public part of a private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Public {
    /// The public key, in the same form as in a certificate.
    Known(Vec<u8>),
    /// The key is of another kind, or does not contain its public key.
    Unknown,
}

/// Returns the public key in a certificate (RFC 5280 §4.1); `None` if the bytes are not a certificate.
pub(super) fn of_certificate(der: &[u8]) -> Option<Vec<u8>> {
    let mut outside = Reader(der);
    let mut certificate = outside.sequence()?;
    outside.end()?;
    let mut signed = certificate.sequence()?;
    certificate.sequence()?; // signature algorithm
    certificate.take(BIT_STRING)?;
    certificate.end()?;
    signed.optional(FIRST); // version
    signed.take(INTEGER)?;
    for _ in ["signature", "issuer", "validity", "subject"] {
        signed.sequence()?;
    }
    let mut info = signed.sequence()?;
    info.sequence()?.take(OID)?;
    let key = info.bits()?;
    info.end()?;
    Some(key.to_vec())
}

/// Returns the public part of a private key from a PEM block with this label; `None` if the bytes are not a key.
pub(super) fn of_private_key(label: &str, der: &[u8]) -> Option<Public> {
    match label {
        "RSA PRIVATE KEY" => of_rsa(der),
        "EC PRIVATE KEY" => of_ec(der),
        "PRIVATE KEY" => of_any(der),
        _ => Some(Public::Unknown),
    }
}

/// Reads the public key from a PKCS #8 key (RFC 5958 §2).
fn of_any(der: &[u8]) -> Option<Public> {
    let mut key = Reader(der).sequence()?;
    key.take(INTEGER)?;
    let kind = key.sequence()?.take(OID)?;
    let inside = key.take(OCTET_STRING)?;
    match kind {
        RSA => of_rsa(inside),
        EC => of_ec(inside),
        ED25519 => {
            let seed = Reader(inside).take(OCTET_STRING)?;
            let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
            Some(Public::Known(pair.public_key().as_ref().to_vec()))
        }
        _ => Some(Public::Unknown),
    }
}

/// Reads the public key from a PKCS #1 key (RFC 8017 §A.1.2), which has modulus and exponent in the form of a public
/// key.
fn of_rsa(der: &[u8]) -> Option<Public> {
    let mut key = Reader(der).sequence()?;
    key.take(INTEGER)?; // version
    let from = key.0;
    key.take(INTEGER)?;
    key.take(INTEGER)?;
    let both = from.get(..from.len().checked_sub(key.0.len())?)?;
    key.take(INTEGER)?; // private exponent
    Some(Public::Known(sequence_of(both)?))
}

/// Reads the public key from a key of RFC 5915 §3, in which the public key is optional.
fn of_ec(der: &[u8]) -> Option<Public> {
    let mut key = Reader(der).sequence()?;
    key.take(INTEGER)?;
    key.take(OCTET_STRING)?;
    key.optional(FIRST); // curve
    match key.optional(SECOND) {
        Some(public) => Some(Public::Known(Reader(public).bits()?.to_vec())),
        None => Some(Public::Unknown),
    }
}

/// Returns a DER sequence with these bytes.
fn sequence_of(content: &[u8]) -> Option<Vec<u8>> {
    let mut der = vec![SEQUENCE];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => der.push(short),
        _ => {
            let length = u32::try_from(content.len()).ok()?.to_be_bytes();
            let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            der.push(0x80 | u8::try_from(length.len()).ok()?);
            der.extend(length);
        }
    }
    der.extend(content);
    Some(der)
}

/// A reader with the bytes that are not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Returns the content of the next element, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let [first, length, rest @ ..] = self.0 else {
            return None;
        };
        if *first != tag {
            return None;
        }
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            // a longer length exceeds every file that was read
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(*length & 0x7f))?;
                let number = |sum: usize, byte: &u8| (sum << 8) | usize::from(*byte);
                (bytes.iter().fold(0, number), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        let is_next = self.0.first() == Some(&tag);
        is_next.then(|| self.take(tag)).flatten()
    }

    fn sequence(&mut self) -> Option<Reader<'a>> {
        self.take(SEQUENCE).map(Reader)
    }

    /// Returns the content of the next bit string, which must have whole bytes.
    fn bits(&mut self) -> Option<&'a [u8]> {
        match self.take(BIT_STRING)? {
            [0, bytes @ ..] => Some(bytes),
            _ => None,
        }
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
