//! The key that signs notifications (Standard Webhooks, *Signature scheme*).

use std::fmt;
use std::hint::black_box;

use super::secret::Secret;
use crate::ledger::decode_base64;

/// The shortest key in bytes, as Standard Webhooks requires (192 bits).
const MIN_KEY_BYTES: usize = 24;
/// The prefix of a symmetric key's base64.
const PREFIX: &str = "whsec_";
/// Prefixes of texts that are not keys but are easily copied instead of one: asymmetric keys of Standard Webhooks, and
/// versions of signatures.
const NO_KEYS: [&str; 5] = ["whsk_", "whpk_", "v1,", "v1a,", "v1="];

/// A key for HMAC-SHA256. `Debug` does not show it, and it is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads a key: `whsec_` and its base64, or its bytes unchanged.
    ///
    /// # Errors
    /// The expected form of a key, with the mistake if it is a known one.
    pub fn read(text: &str) -> Result<SigningKey, String> {
        let wanted = |mistake: &str| {
            format!(
                "whsec_ and the base64 of at least {MIN_KEY_BYTES} bytes, or a text of at least {MIN_KEY_BYTES} characters: {mistake}"
            )
        };
        if NO_KEYS.iter().any(|prefix| text.starts_with(prefix)) {
            return Err(wanted(
                "this is, or begins with, a signature or an asymmetric key",
            ));
        }
        if text.chars().any(|c| c.is_control() || c == '\u{feff}') {
            return Err(wanted("this has a byte order mark or a control character"));
        }
        if text.trim() != text {
            return Err(wanted("this has blanks before or after it"));
        }
        let is_encoded = text.to_ascii_lowercase().starts_with("whsec");
        let bytes = match text.strip_prefix(PREFIX) {
            Some(base64) => decode_base64(base64).ok_or_else(|| wanted(not_base64(base64)))?,
            None if is_encoded => return Err(wanted("the prefix is whsec_, in lowercase letters")),
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < MIN_KEY_BYTES {
            return Err(wanted(&format!("these are {}", bytes.len())));
        }
        Ok(SigningKey(bytes))
    }

    /// Returns the bytes of the key. Call this only for signing.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Secret::SHOWN)
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.fill(0);
        black_box(&self.0); // otherwise the compiler may remove the write
    }
}

/// Describes the mistake in a text that is not base64 (RFC 4648 §4).
fn not_base64(text: &str) -> &'static str {
    if text.contains(['-', '_']) {
        "this is the URL-safe alphabet, with - and _ for + and /"
    } else if text.len() % 4 != 0 && !text.contains('=') {
        "the = characters at the end are missing"
    } else {
        "this is not base64"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_in_either_form() {
        let encoded = SigningKey::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(encoded.expose().len(), 24);
        let plain = SigningKey::read("a plain key of 24 bytes.").unwrap();
        assert_eq!(plain.expose(), b"a plain key of 24 bytes.");
        assert_eq!(format!("{plain:?}"), "***");
    }

    #[test]
    fn a_key_that_cannot_be_right_is_refused_with_its_mistake() {
        for (text, mistake) in [
            ("whsec_", "these are 0"),
            ("whsec_MQ==", "these are 1"),
            ("whsec_xyz!", "this is not base64"),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS=",
                "this is not base64",
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMQ",
                "the = characters at the end are missing",
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_",
                "the URL-safe alphabet",
            ),
            (
                "whsec-MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "the prefix is whsec_",
            ),
            ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "lowercase"),
            (
                "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "begins with, a signature",
            ),
            ("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "an asymmetric key"),
            (
                "\u{feff}whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "byte order mark",
            ),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ", "blanks"),
            ("a plain key of 23 bytes", "these are 23"),
            ("", "these are 0"),
        ] {
            let wanted = SigningKey::read(text).unwrap_err();
            assert!(wanted.contains(mistake), "{text}: {wanted}");
        }
    }
}
