//! The signature of the trusted state, and the last signed transaction.

use std::fs;

use crate::support::chain::Chain;
use crate::support::temp_dir::TempDir;
use crate::support::trust_files::{at, file, finding, grown_store, open};
use immuaudit::ledger::{Digest, Signature};
use immuaudit::trust::{ObservedState, Tampering, TrustOrigin};

/// Returns a state with a signature.
fn signed(chain: &Chain, tx: u64) -> ObservedState {
    ObservedState {
        signature: Some(Signature {
            der: vec![1],
            public_key: vec![2],
        }),
        ..chain.seen(tx)
    }
}

#[test]
fn the_last_signed_transaction_is_kept_when_later_states_come_unsigned() {
    let folder = TempDir::new();
    let (store, chain, fork) = (open(&folder), Chain::new(9, 1), Chain::new(9, 2));
    let unsigned = |tx| ObservedState {
        signature: None,
        ..chain.seen(tx)
    };
    let mut trusted = store
        .first_use("db", &signed(&chain, 3), TrustOrigin::FirstSeen, at(3))
        .unwrap();
    assert_eq!(trusted.last_signed, Some(3));
    for (tx, seen, expected) in [
        (4, signed(&chain, 4), 4),
        (5, unsigned(5), 4),
        (6, unsigned(6), 4),
    ] {
        let proven = chain.prove(tx - 1, tx);
        trusted = store.advance(&trusted, &proven, &seen, at(tx)).unwrap();
        assert_eq!(trusted.last_signed, Some(expected), "{tx}");
    }
    trusted = store
        .note_identity(&trusted, Some("another"), at(7))
        .unwrap();
    assert_eq!(store.load("db").unwrap().unwrap().last_signed, Some(4));
    // an older state file is rolled forward, and a damaged history repaired
    let (state, history) = (file(&folder, "db.state"), file(&folder, "db.history"));
    let older = fs::read(&state).unwrap();
    trusted = store
        .advance(&trusted, &chain.prove(6, 7), &unsigned(7), at(8))
        .unwrap();
    fs::write(&state, older).unwrap();
    assert_eq!(store.load("db").unwrap().unwrap().last_signed, Some(4));
    fs::write(&history, "x").unwrap();
    let pinned = store.pin("db", chain.state(6), at(9)).unwrap();
    assert_eq!(pinned.last_signed, Some(4));
    // adopting another history keeps the last signed transaction
    let found = finding(Some(&pinned), Tampering::RolledBack, Some(fork.state(2)));
    let alarm = store.raise(&found, at(10)).unwrap();
    let adopted = store
        .adopt(&alarm.id, "kim", at(11))
        .unwrap()
        .trusted
        .unwrap();
    assert_eq!(adopted.last_signed, Some(4));
    let again = signed(&fork, 2).signature.unwrap();
    let noted = store.note_signature(&adopted, &again).unwrap();
    assert_eq!((noted.last_signed, noted.signature), (Some(2), Some(again)));
    assert_eq!(trusted.last_signed, Some(4));
}

#[test]
fn a_state_file_without_the_last_signed_transaction_still_loads() {
    for seen in [
        signed as fn(&Chain, u64) -> ObservedState,
        |chain: &Chain, tx| ObservedState {
            signature: None,
            ..chain.seen(tx)
        },
    ] {
        let folder = TempDir::new();
        let (store, chain) = (open(&folder), Chain::new(9, 1));
        let trusted = store
            .first_use("db", &seen(&chain, 3), TrustOrigin::FirstSeen, at(3))
            .unwrap();
        let path = file(&folder, "db.state");
        let text = fs::read_to_string(&path).unwrap();
        let old: String = text
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("last_signed") && !line.starts_with("# sha256"))
            .collect();
        let sum = Digest::of(&[old.as_bytes()]);
        fs::write(&path, format!("{old}# sha256: {sum}\n")).unwrap();
        assert_eq!(store.load("db"), Ok(Some(trusted)));
    }
}

#[test]
fn a_signature_and_an_identity_noted_in_one_check_are_both_kept() {
    for signature_first in [true, false] {
        let (_folder, store, chain, before) = grown_store();
        let signature = signed(&chain, 5).signature.unwrap();
        let note_signature = || store.note_signature(&before, &signature).unwrap();
        let note_identity = || {
            store
                .note_identity(&before, Some("another"), at(9))
                .unwrap()
        };
        let last = match signature_first {
            true => {
                note_signature();
                note_identity()
            }
            false => {
                note_identity();
                note_signature()
            }
        };
        assert_eq!(last.signature.as_ref(), Some(&signature));
        assert_eq!(last.last_signed, Some(5));
        assert_eq!(last.uuid.as_deref(), Some("another"));
        assert_eq!(store.load("db"), Ok(Some(last)));
        // a state that extends it, accepted with the state of the check's begin
        let unsigned = ObservedState {
            signature: None,
            ..chain.seen(6)
        };
        let proven = chain.prove(5, 6);
        let after = store.advance(&before, &proven, &unsigned, at(10)).unwrap();
        assert_eq!(after.last_signed, Some(5));
    }
}
