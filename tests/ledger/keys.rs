//! Signatures: the files of public keys, base64, and states that only a configured key verifies.

use crate::support::vectors::read;
use immuaudit::ledger::{
    BadSignature, ClaimedState, Digest, PemError, PublicKey, Signature, StateShape, decode_base64,
};
use immuaudit::wire;

fn recorded_pem() -> String {
    let vectors = read("signatures.toml");
    vectors.file["public_key"].as_str().unwrap().into()
}

/// Returns a PEM block of this kind with this content.
fn pem(kind: &str, base64: &str) -> String {
    format!("-----BEGIN {kind}-----\n{base64}\n-----END {kind}-----\n")
}

fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

#[test]
fn keys_are_read_from_every_valid_form_of_pem() {
    let text = recorded_pem();
    let key = PublicKey::from_pem(&text).unwrap()[0];
    let one_line = pem("PUBLIC KEY", &body(&text));
    for good in [
        text.replace('\n', "\r\n"),
        format!("key of the ledger, 2026\n\n{text}\n\n"),
        text.replace('\n', " \n"),
        one_line,
        text.trim_end().into(),
    ] {
        assert_eq!(PublicKey::from_pem(&good), Ok(vec![key]), "{good}");
    }
    let two = format!("old\n{text}new\n{text}");
    assert_eq!(PublicKey::from_pem(&two), Ok(vec![key, key]));
    assert_eq!(PublicKey::from_point(key.point()), Some(key));
}

#[test]
fn a_file_without_a_usable_key_is_refused_with_its_line() {
    let text = recorded_pem();
    let base64 = body(&text);
    let block = |base64: &str| pem("PUBLIC KEY", base64);
    let lines = text.lines().count();
    let cases = [
        (String::new(), PemError::NoKey),
        ("no key at all\n".into(), PemError::NoKey),
        (base64.clone(), PemError::NoKey),
        (pem("EC PRIVATE KEY", &base64), PemError::Unexpected(1)),
        (pem("PRIVATE KEY", &base64), PemError::Unexpected(1)),
        (pem("CERTIFICATE", &base64), PemError::Unexpected(1)),
        (
            format!("{text}{}", pem("PRIVATE KEY", &base64)),
            PemError::Unexpected(lines + 1),
        ),
        (
            text.replace("-----END PUBLIC KEY-----", ""),
            PemError::Unclosed(1),
        ),
        (
            text.replace("-----BEGIN PUBLIC KEY-----\n", ""),
            PemError::Unexpected(lines - 1),
        ),
        (
            format!("-----BEGIN PUBLIC KEY-----\n{text}"),
            PemError::Unexpected(2),
        ),
        (block(""), PemError::NotP256(1)),
        (block(&base64[..base64.len() - 4]), PemError::NotP256(1)),
        (block(&base64[..base64.len() - 1]), PemError::NotP256(1)),
        (block(&format!("{base64}AAAA")), PemError::NotP256(1)),
        (block(&base64.replacen('M', "!", 1)), PemError::NotP256(1)),
        // the object identifiers of another curve and of another kind of key
        (block(&changed(&base64, 22)), PemError::NotP256(1)),
        (block(&changed(&base64, 12)), PemError::NotP256(1)),
        // the first byte of a compressed point
        (block(&changed(&base64, 26)), PemError::NotP256(1)),
        // a point that is not on the curve; with it every signature would look forged
        (block(&changed(&base64, 40)), PemError::NotP256(1)),
        (block(&changed(&base64, 80)), PemError::NotP256(1)),
        (
            format!("{text}{}", block("AAAA")),
            PemError::NotP256(lines + 1),
        ),
    ];
    for (text, expected) in cases {
        let refused = PublicKey::from_pem(&text).unwrap_err();
        assert_eq!(refused, expected, "{text}");
        assert!(!refused.to_string().contains(&base64[60..]));
    }
    let point = *PublicKey::from_pem(&text).unwrap()[0].point();
    assert_eq!(PublicKey::from_point(&point[1..]), None);
    assert_eq!(PublicKey::from_point(&[3; 65]), None);
}

/// Returns the same base64 with one changed byte.
fn changed(base64: &str, byte: usize) -> String {
    let mut bytes = decode_base64(base64).unwrap();
    bytes[byte] ^= 7;
    encode_base64(&bytes)
}

fn encode_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let all = chunk
                .iter()
                .fold(0u32, |all, byte| all << 8 | u32::from(*byte));
            let all = all << (8 * (3 - chunk.len()));
            (0..4).map(move |i| match i > chunk.len() {
                true => '=',
                false => DIGITS[(all >> (18 - 6 * i) & 63) as usize] as char,
            })
        })
        .collect()
}

#[test]
fn base64_is_read_strictly() {
    // the test vectors of RFC 4648 §10
    for (text, bytes) in [
        ("", ""),
        ("Zg==", "f"),
        ("Zm8=", "fo"),
        ("Zm9v", "foo"),
        ("Zm9vYg==", "foob"),
        ("Zm9vYmE=", "fooba"),
        ("Zm9vYmFy", "foobar"),
    ] {
        assert_eq!(decode_base64(text).as_deref(), Some(bytes.as_bytes()));
        assert_eq!(encode_base64(bytes.as_bytes()), text);
    }
    let every: Vec<u8> = (0..=255).rev().chain(0..=255).collect();
    for length in 0..=every.len() {
        let bytes = &every[..length];
        assert_eq!(decode_base64(&encode_base64(bytes)).as_deref(), Some(bytes));
    }
    for bad in [
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm9-",
        "Zm9_", "=Zg=", "Zé=",
    ] {
        assert_eq!(decode_base64(bad), None, "{bad}");
    }
}

/// Returns the recorded signed state of each server, and their key.
fn signed() -> (Vec<(String, ClaimedState)>, PublicKey) {
    let vectors = read("signatures.toml");
    let states = vectors
        .cases()
        .map(|case| {
            let claimed = wire::state(&case.bytes("reply")).unwrap();
            (case.text("database").to_owned(), claimed)
        })
        .collect();
    (states, PublicKey::from_pem(&recorded_pem()).unwrap()[0])
}

#[test]
fn a_signature_needs_a_configured_key_and_covers_every_byte() {
    let (states, key) = signed();
    // another valid key: the base point of P-256 (FIPS 186-4, D.1.2.3)
    let base = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let other = PublicKey::from_point(&crate::support::vectors::unhex(base)).unwrap();
    for (database, claimed) in states {
        let by =
            |claimed: &ClaimedState, keys: &[PublicKey]| claimed.verify_signature(&database, keys);
        assert_eq!(by(&claimed, &[key]), Ok(()));
        assert_eq!(by(&claimed, &[other, key]), Ok(()), "any of them");
        assert_eq!(by(&claimed, &[other]), Err(BadSignature::NotByTheKey));
        assert_eq!(by(&claimed, &[]), Err(BadSignature::NotByTheKey));
        let mut changed = claimed.clone();
        changed.signature = None;
        assert_eq!(by(&changed, &[key]), Err(BadSignature::Absent));
        let signature = claimed.signature.clone().unwrap();
        // the public key in the response is not used
        changed.signature = Some(Signature {
            public_key: other.point().into(),
            ..signature.clone()
        });
        assert_eq!(by(&changed, &[key]), Ok(()));
        for bit in 0..8 * signature.der.len() {
            let mut der = signature.der.clone();
            der[bit / 8] ^= 1 << (bit % 8);
            changed.signature = Some(Signature {
                der,
                ..signature.clone()
            });
            assert_eq!(
                by(&changed, &[key]),
                Err(BadSignature::NotByTheKey),
                "bit {bit}"
            );
        }
        let mut hash = *claimed.state.hash.as_bytes();
        hash[31] ^= 1;
        let mut changed = claimed.clone();
        changed.state.hash = Digest::new(hash);
        assert_eq!(by(&changed, &[key]), Err(BadSignature::NotByTheKey));
        if claimed.shape == StateShape::WithDatabase {
            let mut changed = claimed.clone();
            changed.database.push(b'x');
            assert_eq!(by(&changed, &[key]), Err(BadSignature::OtherDatabase));
            changed.shape = StateShape::WithoutDatabase;
            assert_eq!(by(&changed, &[key]), Err(BadSignature::NotByTheKey));
        }
    }
}

/// A signature that matches the key in the response proves only that the server has this key.
#[test]
fn a_signature_must_match_the_key_in_its_own_response() {
    let (states, _) = signed();
    for (database, claimed) in states {
        assert_eq!(claimed.verify_own_signature(&database), Ok(()));
        let mut changed = claimed.clone();
        changed.state.tx += 1;
        let bad = Err(BadSignature::NotByItsOwnKey);
        assert_eq!(changed.verify_own_signature(&database), bad);
        let mut changed = claimed.clone();
        changed.signature.as_mut().unwrap().public_key.pop();
        assert_eq!(changed.verify_own_signature(&database), bad);
        changed.signature = None;
        let absent = Err(BadSignature::Absent);
        assert_eq!(changed.verify_own_signature(&database), absent);
        if claimed.shape == StateShape::WithDatabase {
            let other = Err(BadSignature::OtherDatabase);
            assert_eq!(claimed.verify_own_signature("another"), other);
        }
    }
}
