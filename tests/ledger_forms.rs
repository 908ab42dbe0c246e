//! The forms of what is hashed and signed: entries and headers of both versions at the ends of
//! their ranges, states in both shapes, keys as people hand them in.

mod support;

use immuaudit::ledger::{
    BadPem, BadSignature, ClaimedState, Digest, EntryInclusion, Fault, GetEntry, HeaderFields,
    KvMetadata, PublicKey, Signature, StateShape, TxEntry, TxHeader, TxMetadata, decode_base64,
    verify_entries,
};
use immuaudit::wire::{self, Malformed};
use support::prover::{root, sha256};
use support::vectors::read;

fn header(change: impl FnOnce(&mut HeaderFields)) -> Result<TxHeader, Fault> {
    let mut fields = HeaderFields {
        id: 7,
        prev_alh: Digest::OF_NOTHING,
        ts: 1,
        nentries: 1,
        eh: Digest::OF_NOTHING,
        bl_tx_id: 0,
        bl_root: Digest::ZERO,
        version: 1,
        metadata: None,
    };
    change(&mut fields);
    TxHeader::new(fields).map_err(|refusal| refusal.fault())
}

fn entry(key: &[u8], metadata: Option<KvMetadata>) -> TxEntry {
    TxEntry {
        key: key.into(),
        metadata,
        h_value: sha256(b"value"),
        value: b"value".into(),
    }
}

#[test]
fn an_entry_hashes_as_its_headers_version_says() {
    let (old, new) = (header(|h| h.version = 0), header(|_| ()));
    let (old, new) = (old.unwrap(), new.unwrap());
    let h_value = sha256(b"value");
    let plain = entry(b"\0key", None);
    let due = sha256(&[b"\0key", &h_value.as_bytes()[..]].concat());
    assert_eq!(plain.digest(&old), Ok(due));
    let due = sha256(&[&[0, 0, 0, 4][..], b"\0key", h_value.as_bytes()].concat());
    assert_eq!(plain.digest(&new), Ok(due));

    let all = KvMetadata {
        deleted: true,
        expires_at: Some(-2),
        non_indexable: true,
    };
    let some = KvMetadata {
        expires_at: Some(0),
        ..Default::default()
    };
    let none = KvMetadata::default();
    let cases = [
        (all, vec![0, 1, 255, 255, 255, 255, 255, 255, 255, 254, 2]),
        (some, vec![1, 0, 0, 0, 0, 0, 0, 0, 0]),
        (none, vec![]),
    ];
    for (metadata, bytes) in cases {
        let length = [0, bytes.len() as u8];
        let due = sha256(&[&length[..], &bytes, &[0, 1, 7], h_value.as_bytes()].concat());
        let entry = entry(&[7], Some(metadata));
        assert_eq!(entry.digest(&new), Ok(due));
        // metadata that says nothing counts as absent
        assert_eq!(entry.digest(&old).is_ok(), bytes.is_empty());
    }
}

#[test]
fn a_key_of_65535_bytes_is_the_longest_of_version_1() {
    let new = header(|_| ()).unwrap();
    let longest = entry(&vec![7; 65_535], None).digest(&new).unwrap();
    let h_value = sha256(b"value");
    let due = [&[0, 0, 255, 255][..], &[7; 65_535], h_value.as_bytes()].concat();
    assert_eq!(longest, sha256(&due));
    let refused = entry(&vec![7; 65_536], None).digest(&new).unwrap_err();
    assert_eq!(refused.fault(), Fault::Malformed);
    let old = header(|h| h.version = 0).unwrap();
    assert!(entry(&vec![7; 65_536], None).digest(&old).is_ok());
}

#[test]
fn a_header_out_of_range_is_none() {
    let extra = |length: usize| {
        move |h: &mut HeaderFields| {
            h.metadata = Some(TxMetadata {
                truncated_tx_id: 0,
                extra: vec![1; length],
            });
        }
    };
    let old = |nentries: i32| move |h: &mut HeaderFields| (h.version, h.nentries) = (0, nentries);
    assert!(header(extra(256)).is_ok());
    assert_eq!(header(extra(257)), Err(Fault::Malformed));
    assert_eq!(header(extra(65_537)), Err(Fault::Malformed));
    assert!(header(|h| h.nentries = i32::MAX).is_ok());
    assert_eq!(header(|h| h.nentries = -1), Err(Fault::Malformed));
    assert!(header(old(65_535)).is_ok());
    assert_eq!(header(old(65_536)), Err(Fault::Malformed));
    for version in [-1, 2, i32::MIN, i32::MAX] {
        assert_eq!(header(|h| h.version = version), Err(Fault::Malformed));
    }
    let with_metadata = |h: &mut HeaderFields| {
        extra(1)(h);
        h.version = 0;
    };
    assert_eq!(header(with_metadata), Err(Fault::Malformed));
    // what serialises to nothing counts as absent
    let empty = header(|h| h.metadata = Some(TxMetadata::default())).unwrap();
    assert_eq!(Ok(&empty), header(|_| ()).as_ref());
    assert_eq!(empty.metadata(), None);
}

#[test]
fn entries_are_a_transactions_by_number_order_and_content() {
    let entries = [
        entry(b"\0a", None),
        entry(b"\0b", None),
        entry(b"\0c", None),
    ];
    let any = header(|_| ()).unwrap();
    let digests: Vec<Digest> = entries.iter().map(|e| e.digest(&any).unwrap()).collect();
    let of = |nentries, eh| header(|h| (h.nentries, h.eh) = (nentries, eh)).unwrap();
    let right = of(3, root(&digests));
    assert_eq!(verify_entries(&right, &entries), Ok(()));
    let fault = |header: &TxHeader, entries: &[TxEntry]| {
        verify_entries(header, entries).map_err(|r| r.fault())
    };
    assert_eq!(fault(&right, &entries[..2]), Err(Fault::Malformed));
    assert_eq!(
        fault(&of(2, root(&digests)), &entries),
        Err(Fault::Malformed)
    );
    let mut swapped = entries.clone();
    swapped.swap(0, 1);
    assert_eq!(fault(&right, &swapped), Err(Fault::Inconsistent));
    assert_eq!(verify_entries(&of(0, Digest::OF_NOTHING), &[]), Ok(()));
    assert_eq!(fault(&of(0, Digest::ZERO), &[]), Err(Fault::Inconsistent));

    assert_eq!(entries[0].verify_value(&right), Ok(()));
    let mut edited = entries[0].clone();
    edited.value.push(0);
    let refused = edited.verify_value(&right).unwrap_err();
    assert_eq!((refused.tx, refused.fault()), (7, Fault::Inconsistent));
}

#[test]
fn an_entry_behind_the_end_of_its_transaction_is_malformed() {
    let get = GetEntry {
        tx: 7,
        key: b"key".into(),
        value: b"value".into(),
        metadata: None,
        referenced_by: None,
    };
    let stored = TxEntry {
        h_value: get.stored_value_hash(),
        ..entry(&get.stored_key(), None)
    };
    let digest = stored.digest(&header(|_| ()).unwrap()).unwrap();
    let header = header(|f| f.eh = root(&[digest])).unwrap();
    let at = |leaf| EntryInclusion {
        leaf,
        width: 1,
        terms: vec![],
    };
    assert_eq!(get.verify(&header, &at(0)), Ok(()));
    for leaf in [1, 2, u64::MAX] {
        let refused = get.verify(&header, &at(leaf)).unwrap_err();
        assert_eq!(refused.fault(), Fault::Malformed, "{refused}");
    }
}

fn recorded_pem() -> String {
    let vectors = read("signatures.toml");
    vectors.file["public_key"].as_str().unwrap().into()
}

/// A block of this kind around these bytes.
fn pem(kind: &str, base64: &str) -> String {
    format!("-----BEGIN {kind}-----\n{base64}\n-----END {kind}-----\n")
}

fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

#[test]
fn keys_are_read_however_their_file_was_written() {
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
fn a_file_that_holds_no_usable_key_says_in_which_line() {
    let text = recorded_pem();
    let base64 = body(&text);
    let block = |base64: &str| pem("PUBLIC KEY", base64);
    let lines = text.lines().count();
    let cases = [
        (String::new(), BadPem::NoKey),
        ("no key at all\n".into(), BadPem::NoKey),
        (base64.clone(), BadPem::NoKey),
        (pem("EC PRIVATE KEY", &base64), BadPem::Unexpected(1)),
        (pem("PRIVATE KEY", &base64), BadPem::Unexpected(1)),
        (pem("CERTIFICATE", &base64), BadPem::Unexpected(1)),
        (
            format!("{text}{}", pem("PRIVATE KEY", &base64)),
            BadPem::Unexpected(lines + 1),
        ),
        (
            text.replace("-----END PUBLIC KEY-----", ""),
            BadPem::Unclosed(1),
        ),
        (
            text.replace("-----BEGIN PUBLIC KEY-----\n", ""),
            BadPem::Unexpected(lines - 1),
        ),
        (
            format!("-----BEGIN PUBLIC KEY-----\n{text}"),
            BadPem::Unexpected(2),
        ),
        (block(""), BadPem::NotP256(1)),
        (block(&base64[..base64.len() - 4]), BadPem::NotP256(1)),
        (block(&base64[..base64.len() - 1]), BadPem::NotP256(1)),
        (block(&format!("{base64}AAAA")), BadPem::NotP256(1)),
        (block(&base64.replacen('M', "!", 1)), BadPem::NotP256(1)),
        // the object identifier of another curve, and of another kind of key
        (block(&changed(&base64, 22)), BadPem::NotP256(1)),
        (block(&changed(&base64, 12)), BadPem::NotP256(1)),
        // a compressed point's first byte
        (block(&changed(&base64, 26)), BadPem::NotP256(1)),
        (
            format!("{text}{}", block("AAAA")),
            BadPem::NotP256(lines + 1),
        ),
    ];
    for (text, due) in cases {
        let refused = PublicKey::from_pem(&text).unwrap_err();
        assert_eq!(refused, due, "{text}");
        assert!(!refused.to_string().contains(&base64[60..]));
    }
    let point = *PublicKey::from_pem(&text).unwrap()[0].point();
    assert_eq!(PublicKey::from_point(&point[1..]), None);
    assert_eq!(PublicKey::from_point(&[3; 65]), None);
}

/// The same base64 with one byte of what it says changed.
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
    // RFC 4648 §10
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

/// The recorded signed state of each server, and the key of all.
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
fn a_signature_counts_only_by_a_configured_key_over_every_byte() {
    let (states, key) = signed();
    // a point of the curve, the base point of P-256 (FIPS 186-4, D.1.2.3)
    let base = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let other = PublicKey::from_point(&support::vectors::unhex(base)).unwrap();
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
        // the key that the server sends along decides nothing
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

/// A field of a message: its number, and bytes or a number.
fn bytes_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

#[test]
fn a_states_shape_is_told_by_its_fields() {
    let hash = [7; 32];
    let newer = [
        bytes_field(1, b"db"),
        vec![2 << 3, 9],
        bytes_field(3, &hash),
    ]
    .concat();
    let older = [vec![3 << 3, 9], bytes_field(4, &hash)].concat();
    for (bytes, shape, database) in [
        (&newer, StateShape::WithDatabase, &b"db"[..]),
        (&older, StateShape::WithoutDatabase, b""),
    ] {
        let claimed = wire::state(bytes).unwrap();
        assert_eq!((claimed.shape, &claimed.database[..]), (shape, database));
        assert_eq!(
            (claimed.state.tx, claimed.state.hash),
            (9, Digest::new(hash))
        );
        assert_eq!(claimed.signature, None);
    }
    // one field of the newer shape is enough, wherever it stands
    for newer in [
        [older.clone(), bytes_field(1, b"")].concat(),
        [older.clone(), vec![2 << 3, 9]].concat(),
    ] {
        assert!(wire::state(&newer).is_err(), "{newer:?}");
    }
    // both at once is neither: the one's hash stands where the other's signature does
    let both = [older, newer].concat();
    assert!(wire::state(&both).is_err());
    // an empty database: no id, and the hash of nothing alone
    let nothing = bytes_field(3, Digest::OF_NOTHING.as_bytes());
    assert_eq!(wire::state(&nothing).unwrap().state.tx, 0);
    let nothing = bytes_field(4, Digest::OF_NOTHING.as_bytes());
    assert_eq!(wire::state(&nothing).unwrap().state.tx, 0);
    for bad in [
        vec![],
        bytes_field(3, &hash),
        bytes_field(4, &hash),
        bytes_field(3, &hash[1..]),
        vec![3 << 3, 9],
        vec![0xff],
    ] {
        assert!(wire::state(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_entrys_fourth_field_is_metadata_or_a_length_by_its_wire_type() {
    let hash = [7; 32];
    let none = [7; 32];
    let header = [
        vec![1 << 3, 1],
        bytes_field(2, &hash),
        bytes_field(5, &hash),
        bytes_field(7, &none),
    ]
    .concat();
    let tx = |fourth: &[u8]| {
        let entry = [bytes_field(1, b"key"), bytes_field(2, &hash), fourth.into()].concat();
        wire::tx(&[bytes_field(1, &header), bytes_field(2, &entry)].concat()).unwrap()
    };
    assert_eq!(tx(&[]).entries[0].metadata, None);
    assert_eq!(tx(&[4 << 3, 5]).entries[0].metadata, None);
    let deleted = tx(&bytes_field(4, &[1 << 3, 1])).entries[0]
        .metadata
        .clone();
    assert_eq!(
        deleted,
        Some(KvMetadata {
            deleted: true,
            ..Default::default()
        })
    );
    let expires = tx(&bytes_field(4, &bytes_field(2, &[1 << 3, 9]))).entries[0]
        .metadata
        .clone();
    assert_eq!(expires.unwrap().expires_at, Some(9));
}

/// A full answer of the shortest entries that there are is no attack.
#[test]
fn the_longest_honest_list_of_entries_is_within_the_budget() {
    let entry = |key: u32, metadata: &[u8]| {
        let key = [&[0], &key.to_be_bytes()[2..]].concat();
        [
            bytes_field(1, &key),
            bytes_field(2, &[7; 32]),
            vec![3 << 3, 5],
            metadata.into(),
        ]
        .concat()
    };
    let deleted = bytes_field(4, &[1 << 3, 1]);
    let header = [
        vec![1 << 3, 1],
        bytes_field(2, &[7; 32]),
        bytes_field(5, &[7; 32]),
        bytes_field(7, &[7; 32]),
    ]
    .concat();
    for metadata in [&[][..], &deleted, &[4 << 3, 5]] {
        let mut bytes = bytes_field(1, &header);
        while bytes.len() < 4 << 20 {
            bytes.extend(bytes_field(2, &entry(bytes.len() as u32, metadata)));
        }
        assert!(wire::tx(&bytes).is_ok());
    }
    let mut bomb = bytes_field(1, &header);
    while bomb.len() < 4 << 20 {
        bomb.extend(bytes_field(2, &[]));
    }
    let refused = wire::tx(&bomb).unwrap_err();
    assert!(matches!(refused, Malformed::OverBudget { .. }), "{refused}");
}

/// A server that signs with whatever key it sends along proves that it holds that key, no more.
#[test]
fn a_signature_by_the_key_that_came_with_it_must_be_one_all_the_same() {
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
