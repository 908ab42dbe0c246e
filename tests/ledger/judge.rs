//! The values of a transaction, compared with its proven hash. A value that differs from the ledger
//! is corrupt; a missing value is due unless the ledger explains why.

use immuaudit::audit::{Completed, CorruptEntry, Corruption, Judged, complete, judge};
use immuaudit::drill::{Lag, Ledger, NewEntry};
use immuaudit::ledger::{Digest, HeaderVersion, KvMetadata, TxEntry};
use immuaudit::wire::Tx;

const NOW: i64 = 1_800_000_000;

/// Returns the hash and the content of a transaction: entries a, b and c, an empty one, an expired
/// one and one of a document.
fn whole() -> (Digest, Tx) {
    let expired = KvMetadata {
        expires_at: Some(NOW),
        ..KvMetadata::default()
    };
    let mut ledger = Ledger::new(HeaderVersion::V1, Lag::None);
    let state = ledger.commit(vec![
        NewEntry::set("a", "1"),
        NewEntry::set("b", "2"),
        NewEntry::set("c", "3"),
        NewEntry::deletion("empty"),
        NewEntry::set("expired", "4").with(expired),
        NewEntry::of_kind(3, "document", "5"),
    ]);
    let stored = ledger.tx(1).expect("a transaction");
    let tx = Tx {
        header: stored.header.clone(),
        entries: stored.entries.clone(),
    };
    (state.hash, tx)
}

/// Returns the same transaction without its values.
fn digests(tx: &Tx) -> Tx {
    let mut digests = tx.clone();
    digests
        .entries
        .iter_mut()
        .for_each(|entry| entry.value.clear());
    digests
}

fn completed(raw: &[TxEntry]) -> Completed {
    let (alh, tx) = whole();
    complete(&alh, &digests(&tx), raw, NOW).expect("the digests are the ledger's")
}

/// Judges a transaction with all entries of the ledger.
#[track_caller]
fn judged_whole(alh: &Digest, tx: &Tx) -> (Vec<usize>, u64, Vec<CorruptEntry>) {
    match judge(alh, tx) {
        Judged::Complete(of) => (of.missing, of.absent, of.broken),
        judged => panic!("{judged:?}"),
    }
}

#[test]
fn a_transaction_with_fewer_entries_is_incomplete() {
    let (alh, mut tx) = whole();
    let (missing, absent, broken) = judged_whole(&alh, &tx);
    assert!(missing.is_empty() && absent == 0 && broken.is_empty());
    tx.entries.pop();
    assert!(matches!(judge(&alh, &tx), Judged::Incomplete));
}

#[test]
fn a_header_with_another_hash_is_corrupt() {
    let (_, tx) = whole();
    let other = Digest::ZERO;
    let is_another = |judged: Judged| match judged {
        Judged::Broken(broken) => matches!(broken.what, Corruption::Header { .. }),
        _ => false,
    };
    assert!(is_another(judge(&other, &tx)));
    let refused = complete(&other, &digests(&tx), &tx.entries, NOW);
    assert!(is_another(refused.expect_err("another header")));
}

#[test]
fn an_empty_value_is_missing_and_a_different_value_is_corrupt() {
    let (alh, mut tx) = whole();
    tx.entries[0].value.clear();
    tx.entries[1].value = b"\0edited".to_vec();
    let (missing, absent, broken) = judged_whole(&alh, &tx);
    assert_eq!((missing, absent, broken.len()), (vec![0], 0, 1));
    assert!(matches!(broken[0].what, Corruption::Value { .. }));
    let completed = completed(&tx.entries);
    assert_eq!((completed.missing, completed.absent), (vec![0], 0));
    assert_eq!(completed.broken.len(), 1);
}

/// A replica of a truncated server responds in this way (protocol.md §6).
#[test]
fn a_value_that_the_server_reports_as_missing_is_absent() {
    let (alh, mut tx) = whole();
    tx.entries[0].value.clear();
    tx.entries[0].claimed_length = 0;
    let (missing, absent, broken) = judged_whole(&alh, &tx);
    assert_eq!((missing, absent, broken.len()), (vec![], 1, 0));
    let completed = completed(&tx.entries);
    assert_eq!((completed.missing, completed.absent), (vec![], 1));
    // without a raw response, the digests show the absent values
    let mut digests = digests(&tx);
    digests.entries[1].claimed_length = 0;
    let completed = complete(&alh, &digests, &[], NOW).expect("the digests are the ledger's");
    assert_eq!((completed.missing, completed.absent), (vec![2], 2));
}

#[test]
fn a_missing_value_is_due_unless_empty_expired_or_of_a_document() {
    let completed = completed(&[]);
    assert_eq!(completed.missing, [0, 1, 2]);
    assert!(completed.broken.is_empty());
    let unavailable = completed.unavailable;
    assert_eq!((unavailable.documents, unavailable.expired), (1, 1));
    // clocks may differ by a minute
    let (alh, tx) = whole();
    let missing = |now| {
        let completed = complete(&alh, &digests(&tx), &[], now);
        completed.expect("the digests are the ledger's").missing
    };
    assert_eq!(missing(NOW - 60), [0, 1, 2]);
    assert_eq!(missing(NOW - 61), [0, 1, 2, 4]);
}

#[test]
fn a_partial_response_is_matched_in_the_ledgers_order() {
    let (_, tx) = whole();
    let completed = completed(&tx.entries[1..2]);
    assert_eq!(completed.missing, [0, 2]);
    assert!(completed.broken.is_empty());
}

#[test]
fn an_entry_with_another_key_hash_or_metadata_is_corrupt() {
    let (_, tx) = whole();
    let changes: [fn(&mut TxEntry); 3] = [
        |entry| entry.key.push(b'x'),
        // an edited value with a matching hash
        |entry| {
            entry.value = b"\0edited".to_vec();
            entry.h_value = Digest::of(&[b"\0edited"]);
        },
        |entry| entry.metadata = Some(KvMetadata::default()),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut entries = tx.entries[..2].to_vec();
        change(&mut entries[1]);
        let completed = completed(&entries);
        assert_eq!(completed.missing, [1, 2], "{number}");
        let [broken] = completed.broken.as_slice() else {
            panic!("{number}: {completed:?}");
        };
        assert!(matches!(broken.what, Corruption::NoSuchEntry), "{number}");
    }
}
