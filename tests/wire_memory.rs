//! The most expensive possible responses, at the size limit. A response with many small parts is
//! refused before it is decoded, and none takes more memory than the limit.

mod support;

use immuaudit::ledger::{TxHeader, verify_entries};
use immuaudit::wire;
use support::meter::{self, MEMORY_BUDGET, Meter};

#[global_allocator]
static METER: Meter = Meter;

/// The default of `--max-recv-msg-size`.
const MAX_RESPONSE: usize = 4 << 20;

/// Repeats `part` until the result is as long as a response may be.
fn repeated(part: &[u8]) -> Vec<u8> {
    part.repeat((MAX_RESPONSE - 64) / part.len())
}

/// Wraps `bytes` in a field with the first tag, that in a field with the next tag, and so on.
fn inside(tags: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    for tag in tags {
        let mut length = bytes.len();
        let mut outer = vec![*tag];
        while length >= 0x80 {
            outer.push(length as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(bytes);
        bytes = outer;
    }
    bytes
}

/// Returns whether `bytes` can be read as a `VerifiableTx`.
fn reads(bytes: &[u8]) -> bool {
    wire::verifiable_tx(bytes).is_ok()
}

/// The most expensive possible responses, at the size limit.
#[test]
fn an_answer_of_many_small_parts_is_refused_before_it_is_decoded() {
    let dear = [
        ("empty entries", inside(&[0x0a], repeated(&[0x12, 0x00]))),
        (
            "empty terms",
            inside(&[0x3a, 0x12], repeated(&[0x1a, 0x00])),
        ),
        (
            "empty inclusion proofs",
            inside(&[0x42, 0x12], repeated(&[0x12, 0x00])),
        ),
        ("unknown fields", repeated(&[0x78, 0x00])),
        (
            "headers over headers",
            inside(&[0x12], repeated(&[0x0a, 0x00])),
        ),
        (
            "metadata",
            inside(&[0x0a], repeated(&[0x12, 0x02, 0x22, 0x00])),
        ),
    ];
    for (what, bytes) in dear {
        let (read, memory) = meter::max_held(|| reads(&bytes));
        println!("{what}: {} KiB for {} KiB", memory >> 10, bytes.len() >> 10);
        assert!(!read, "{what}");
        assert!(memory < 2 << 20, "{what}: {memory} bytes");
    }
    let header: Result<TxHeader, _> = wire::tx(&[]).map(|tx| tx.header);
    assert!(header.is_err());
}

/// The memory is limited whether the response is accepted or refused.
#[test]
fn no_answer_of_any_kind_takes_more_than_16_mib() {
    let digest = |tag: u8| [&[tag, 32][..], &[7; 32]].concat();
    let header = [digest(0x12), digest(0x2a), digest(0x3a)].concat();
    let header = inside(&[0x0a], header);
    let entry = |fields: &[&[u8]]| inside(&[0x12], fields.concat());
    let key: &[u8] = &[0x0a, 2, 0, b'k'];
    let (h_value, deletion) = (digest(0x12), [0x22, 2, 8, 1]);
    let honest = entry(&[key, &h_value]);
    let deleted = entry(&[key, &h_value, &deletion]);
    // before 1.2 field 4 is the value's length
    let old = entry(&[key, &h_value, &[0x18, 9, 0x20, 9]]);
    let bare = entry(&[&h_value]);
    let mixed = [&honest[..], &entry(&[key, &h_value, &[0x78, 1]])].concat();
    let tx = |entries: &[u8]| [&header[..], &repeated(entries)[..MAX_RESPONSE - 256]].concat();
    let cut = |bytes: Vec<u8>, part: usize| {
        let whole = (bytes.len() - header.len()) / part * part;
        bytes[..header.len() + whole].to_vec()
    };
    let small_tx = inside(&[0x0a], [&header[..], &honest].concat());
    let no_tx = inside(&[0x0a], header.clone());
    let term = digest(0x1a);
    let proofs = inside(&[0x12], digest(0x1a));
    let name = |name: &[u8]| inside(&[0x0a], inside(&[0x0a], name.to_vec()));
    let read = |kind: &str, bytes: &[u8]| match kind {
        "Tx" => wire::tx(bytes)
            .map(|tx| verify_entries(&tx.header, &tx.entries).is_ok())
            .is_ok(),
        "TxList" => wire::tx_list(bytes).is_ok(),
        "VerifiableTx" => reads(bytes),
        "DatabaseList" => wire::database_list(bytes).is_ok(),
        "Entry" => wire::get_entry(bytes).is_ok(),
        _ => wire::state(bytes).is_ok(),
    };
    let (read_whole, refused) = (true, false);
    let narrow = cfg!(target_pointer_width = "32");
    let dear = [
        ("Tx", "entries", cut(tx(&honest), honest.len()), read_whole),
        (
            "Tx",
            "deletions",
            cut(tx(&deleted), deleted.len()),
            read_whole,
        ),
        ("Tx", "entries of 0.9", cut(tx(&old), old.len()), read_whole),
        (
            "Tx",
            "entries without key",
            cut(tx(&bare), bare.len()),
            read_whole,
        ),
        (
            "Tx",
            "unknown fields",
            cut(tx(&mixed), mixed.len()),
            read_whole,
        ),
        ("Tx", "empty entries", tx(&[0x12, 0]), refused),
        (
            "Tx",
            "one value",
            [
                header.clone(),
                inside(&[0x2a, 0x12], vec![7; MAX_RESPONSE - 256]),
            ]
            .concat(),
            refused,
        ),
        ("TxList", "transactions", repeated(&small_tx), read_whole),
        (
            "TxList",
            "transactions without entries",
            repeated(&no_tx),
            read_whole,
        ),
        (
            "DatabaseList",
            "no databases",
            repeated(&[0x0a, 0]),
            narrow, // each end is stored in a word: on 64 bits four times the size in the response
        ),
        (
            "TxList",
            "empty transactions",
            repeated(&[0x0a, 0]),
            refused,
        ),
        (
            "TxList",
            "one of many entries",
            inside(&[0x0a], cut(tx(&honest), honest.len())),
            read_whole,
        ),
        (
            "VerifiableTx",
            "terms",
            inside(&[0x3a, 0x12], repeated(&term)),
            read_whole,
        ),
        (
            "VerifiableTx",
            "inclusion proofs",
            inside(&[0x42, 0x12], repeated(&proofs)),
            read_whole,
        ),
        (
            "DatabaseList",
            "names",
            repeated(&name(b"database1")),
            read_whole,
        ),
        (
            "DatabaseList",
            "short names",
            repeated(&name(b"a")),
            read_whole,
        ),
        ("DatabaseList", "no names", repeated(&name(b"")), read_whole),
        (
            "Entry",
            "a value",
            inside(&[0x1a], vec![7; MAX_RESPONSE - 64]),
            read_whole,
        ),
        (
            "ImmutableState",
            "a name",
            [
                &[0x10, 1][..],
                &digest(0x1a),
                &inside(&[0x0a], vec![7; MAX_RESPONSE - 64]),
            ]
            .concat(),
            read_whole,
        ),
    ];
    for (kind, what, bytes, expected) in dear {
        assert!(
            bytes.len() <= MAX_RESPONSE && bytes.len() > MAX_RESPONSE - 1024,
            "{kind}, {what}: {}",
            bytes.len()
        );
        let (whole, memory) = meter::max_held(|| read(kind, &bytes));
        println!(
            "{kind}, {what}: {} KiB for {} KiB",
            memory >> 10,
            bytes.len() >> 10
        );
        assert_eq!(whole, expected, "{kind}, {what}");
        assert!(memory <= MEMORY_BUDGET, "{kind}, {what}: {memory} bytes");
    }
}
