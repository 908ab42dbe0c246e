//! The server's signing key (protocol.md §5).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use crate::ledger::{Signature, State, StateShape, encode_base64, signed_bytes};

/// SubjectPublicKeyInfo of a P-256 key before its point (RFC 5480 §2).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The maximum number of remembered signatures, about 300 bytes each. A server shows the same few states again and
/// again.
const MAX_REMEMBERED: usize = 1000;

/// A P-256 key pair.
#[derive(Clone, Debug)]
pub struct SigningKey(Arc<Pair>);

#[derive(Debug)]
struct Pair {
    pair: EcdsaKeyPair,
    /// Signatures, by the signed bytes.
    signed: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

impl Pair {
    fn sign(&self, message: Vec<u8>) -> Option<Vec<u8>> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(der) = signed.get(&message) {
            return Some(der.clone());
        }
        let der = self.pair.sign(&SystemRandom::new(), &message).ok()?;
        let der = der.as_ref().to_vec();
        if signed.len() >= MAX_REMEMBERED {
            signed.clear();
        }
        signed.insert(message, der.clone());
        Some(der)
    }
}

impl SigningKey {
    /// Creates a new key; `None` if the system has no randomness.
    pub fn generate() -> Option<SigningKey> {
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).ok()?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).ok()?;
        Some(SigningKey(Arc::new(Pair {
            pair,
            signed: Mutex::default(),
        })))
    }

    /// Signs a state; `None` if the system has no randomness.
    pub fn sign(&self, shape: StateShape, database: &str, state: &State) -> Option<Signature> {
        let message = signed_bytes(shape, database, state);
        Some(Signature {
            public_key: self.0.pair.public_key().as_ref().to_vec(),
            der: self.0.sign(message)?,
        })
    }

    /// Returns the public key as a PEM file (RFC 7468 §13).
    pub fn public_pem(&self) -> String {
        let der = [&SPKI_PREFIX[..], self.0.pair.public_key().as_ref()].concat();
        let text = encode_base64(&der);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .filter_map(|line| std::str::from_utf8(line).ok())
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{ClaimedState, PublicKey};

    #[test]
    fn signatures_verify_with_the_exported_pem() {
        let key = SigningKey::generate().unwrap();
        let shape = StateShape::WithDatabase;
        let claimed = ClaimedState {
            shape,
            database: b"defaultdb".to_vec(),
            state: State::EMPTY,
            signature: key.sign(shape, "defaultdb", &State::EMPTY),
        };
        let keys = PublicKey::from_pem(&key.public_pem()).unwrap();
        assert_eq!(claimed.verify_signature("defaultdb", &keys), Ok(()));
    }
}
