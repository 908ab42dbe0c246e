//! The encoding of requests, field by field (protocol.md §2), and the decoding of invalid lists,
//! numbers and signatures.

use immuaudit::drill::{Lag, Ledger, NewEntry};
use immuaudit::ledger::HeaderVersion;
use immuaudit::wire::{self, Entries, proto};
use protobuf::{Message, MessageField};

/// Encodes a field with bytes or a message.
fn bytes(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

/// Encodes a field with a number below 128.
fn number(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

#[test]
fn login_and_database_requests_have_the_documented_fields() {
    assert_eq!(wire::empty(), [0_u8; 0]);
    let login = [bytes(1, b"user"), bytes(2, b"secret")];
    assert_eq!(wire::login("user", "secret"), login.concat());
    let session = [bytes(1, b"user"), bytes(2, b"secret"), bytes(3, b"db")];
    assert_eq!(wire::open_session("user", "secret", "db"), session.concat());
    assert_eq!(wire::database("db"), bytes(1, b"db"));
}

#[test]
fn transaction_and_key_requests_have_the_documented_fields() {
    let raw = number(1, 2);
    let of_each = [bytes(1, &raw), bytes(2, &raw), bytes(3, &raw)].concat();
    for (entries, spec) in [
        // an empty message, whose only field has the default 0
        (Entries::Excluded, Some(bytes(1, &[]))),
        (Entries::Digests, None),
        (Entries::Raw, Some(of_each)),
    ] {
        let spec = |at: u8| spec.as_ref().map_or(Vec::new(), |spec| bytes(at, spec));
        let proof = [number(1, 9), number(2, 7), spec(3), number(6, 1)];
        assert_eq!(wire::verifiable_tx_by_id(9, 7, entries), proof.concat());
        let tx = [number(1, 9), spec(2), number(5, 1)];
        assert_eq!(wire::tx_by_id(9, entries), tx.concat());
        let scan = [number(1, 9), number(2, 100), spec(4)];
        assert_eq!(wire::tx_scan(9, 100, entries), scan.concat());
    }
    let key = [bytes(1, b"key"), number(2, 9)].concat();
    assert_eq!(wire::get(b"key", 9), key);
    let verified = [bytes(1, &key), number(2, 7)];
    assert_eq!(wire::verifiable_get(b"key", 9, 7), verified.concat());
}

/// Returns the bytes of a list of three transactions, after a change.
fn list(change: impl FnOnce(&mut Vec<proto::Tx>)) -> Vec<u8> {
    let mut ledger = Ledger::new(HeaderVersion::V1, Lag::None);
    for value in ["a", "b", "c"] {
        ledger.commit(vec![NewEntry::set("key", value)]);
    }
    let txs = ledger.txs().iter().map(|stored| proto::Tx {
        header: MessageField::some(proto::TxHeader {
            id: stored.header.id(),
            prev_alh: stored.header.prev_alh().as_bytes().to_vec(),
            ts: stored.header.ts(),
            nentries: 1,
            eh: stored.header.eh().as_bytes().to_vec(),
            bl_tx_id: stored.header.bl_tx_id(),
            bl_root: stored.header.bl_root().as_bytes().to_vec(),
            version: 1,
            ..Default::default()
        }),
        ..Default::default()
    });
    let mut txs: Vec<proto::Tx> = txs.collect();
    change(&mut txs);
    let list = proto::TxList {
        txs,
        ..Default::default()
    };
    list.write_to_bytes().expect("a message")
}

#[test]
fn a_bad_transaction_in_a_list_hides_no_other() {
    let whole = wire::tx_list(&list(|_| {})).expect("a list");
    let ids = |at: usize| whole[at].as_ref().map(|tx| tx.header.id());
    assert_eq!((whole.len(), ids(0), ids(2)), (3, Ok(1), Ok(3)));
    let bad: [fn(&mut proto::TxHeader); 3] = [
        |header| header.prev_alh.truncate(31),
        |header| header.version = 7,
        |header| header.nentries = -1,
    ];
    for bad in bad {
        let bytes = list(|txs| bad(txs[1].header.as_mut().expect("a header")));
        let read = wire::tx_list(&bytes).expect("a list");
        let read: Vec<bool> = read.iter().map(Result::is_ok).collect();
        assert_eq!(read, [true, false, true]);
    }
    // a transaction with two headers, and bytes that are no transaction
    let other = proto::Tx {
        header: MessageField::some(proto::TxHeader::default()),
        ..Default::default()
    };
    let twice = other.write_to_bytes().expect("a message").repeat(2);
    for bad in [&twice[..], &[0xff]] {
        let bytes = [list(|_| {}), bytes(1, bad)].concat();
        assert!(wire::tx_list(&bytes).is_err(), "{bad:?}");
    }
}

/// A number has at most ten bytes, and the last of them only one bit.
#[test]
fn a_number_past_64_bits_is_malformed() {
    let state = |number: &[u8]| {
        let hash = bytes(3, &[7; 32]);
        wire::state(&[&bytes(1, b"db")[..], &[2 << 3], number, &hash].concat())
    };
    let tx = |number: &[u8]| state(number).map(|claimed| claimed.state.tx);
    let nine = [0xff; 9];
    assert_eq!(tx(&[&nine[..], &[1]].concat()), Ok(u64::MAX));
    assert_eq!(tx(&[&nine[..], &[0]].concat()), Ok(u64::MAX >> 1));
    for past in [&[2][..], &[0x7f], &[0x81, 0]] {
        assert!(tx(&[&nine[..], past].concat()).is_err(), "{past:?}");
    }
}

#[test]
fn an_oversized_key_or_signature_is_malformed() {
    let state = |key: usize, signature: usize| {
        let signed = proto::Signature {
            public_key: vec![7; key],
            signature: vec![7; signature],
            ..proto::Signature::default()
        };
        let state = proto::ImmutableState {
            db: "db".into(),
            tx_id: 7,
            tx_hash: vec![1; 32],
            signature: MessageField::some(signed),
            ..proto::ImmutableState::default()
        };
        wire::state(&state.write_to_bytes().expect("bytes"))
    };
    assert!(state(512, 512).is_ok());
    for (key, signature) in [(513, 72), (65, 513), (200_000, 72)] {
        let refused = state(key, signature).expect_err("too long");
        assert!(refused.to_string().starts_with("Signature: "), "{refused}");
    }
}
