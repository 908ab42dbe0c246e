//! The formats of hashed data: entries and headers of both versions at the limits of their ranges,
//! states in both shapes, and the fields that distinguish them on the wire.

use crate::support::prover::{root, sha256};
use immuaudit::ledger::{
    Digest, EntryInclusion, Fault, GetEntry, HeaderFields, KvMetadata, StateShape, TxEntry,
    TxHeader, TxMetadata, verify_entries,
};
use immuaudit::wire::{self, Malformed};

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
        claimed_length: 5,
    }
}

#[test]
fn the_version_of_a_header_decides_the_hash_of_an_entry() {
    let (old, new) = (header(|h| h.version = 0), header(|_| ()));
    let (old, new) = (old.unwrap(), new.unwrap());
    let h_value = sha256(b"value");
    let plain = entry(b"\0key", None);
    let expected = sha256(&[b"\0key", &h_value.as_bytes()[..]].concat());
    assert_eq!(plain.digest(&old), Ok(expected));
    let expected = sha256(&[&[0, 0, 0, 4][..], b"\0key", h_value.as_bytes()].concat());
    assert_eq!(plain.digest(&new), Ok(expected));

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
        let expected = sha256(&[&length[..], &bytes, &[0, 1, 7], h_value.as_bytes()].concat());
        let entry = entry(&[7], Some(metadata));
        assert_eq!(entry.digest(&new), Ok(expected));
        // empty metadata counts as absent
        assert_eq!(entry.digest(&old).is_ok(), bytes.is_empty());
    }
}

#[test]
fn a_key_of_65535_bytes_is_the_longest_of_version_1() {
    let new = header(|_| ()).unwrap();
    let longest = entry(&vec![7; 65_535], None).digest(&new).unwrap();
    let h_value = sha256(b"value");
    let expected = [&[0, 0, 255, 255][..], &[7; 65_535], h_value.as_bytes()].concat();
    assert_eq!(longest, sha256(&expected));
    let refused = entry(&vec![7; 65_536], None).digest(&new).unwrap_err();
    assert_eq!(refused.fault(), Fault::Malformed);
    let old = header(|h| h.version = 0).unwrap();
    assert!(entry(&vec![7; 65_536], None).digest(&old).is_ok());
}

#[test]
fn a_header_out_of_range_is_refused() {
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
    // metadata without content counts as absent
    let empty = header(|h| h.metadata = Some(TxMetadata::default())).unwrap();
    assert_eq!(Ok(&empty), header(|_| ()).as_ref());
    assert_eq!(empty.metadata(), None);
}

#[test]
fn entries_match_a_transaction_by_number_order_and_content() {
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
fn an_entry_past_the_end_of_its_transaction_is_malformed() {
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

/// Encodes a field with bytes.
fn bytes_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

#[test]
fn the_fields_of_a_state_decide_its_shape() {
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
    // one field of the newer shape decides the shape, at any position
    for newer in [
        [older.clone(), bytes_field(1, b"")].concat(),
        [older.clone(), vec![2 << 3, 9]].concat(),
    ] {
        assert!(wire::state(&newer).is_err(), "{newer:?}");
    }
    // a message of both shapes is invalid, because one hash has the field number of the other's
    // signature
    let both = [older, newer].concat();
    assert!(wire::state(&both).is_err());
    // an empty database has no id, only the hash of nothing
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
fn the_wire_type_decides_the_meaning_of_an_entrys_fourth_field() {
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

/// A full response of the shortest valid entries is accepted, but not one of empty entries.
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
