//! Identities that a server sends: noted with the trusted state, and known under another label.

use std::fs;

use crate::support::chain::Chain;
use crate::support::temp_dir::TempDir;
use crate::support::trust_files::{at, file, grown, location, open};
use immuaudit::trust::{Location, ObservedState, Store, TrustOrigin};

#[test]
fn a_new_identity_changes_neither_state_nor_history() {
    let folder = TempDir::new();
    let (store, chain) = (open(&folder), Chain::new(9, 1));
    let before = grown(&store, &chain);
    let hostile = "../../etc/x\n".repeat(1_000);
    let noted = store.note_identity(&before, Some(&hostile), at(9)).unwrap();
    assert_eq!(
        (noted.state, noted.accepted),
        (before.state, before.accepted)
    );
    assert!(noted.uuid.as_ref().unwrap().len() < 100);
    assert_eq!(store.load("db"), Ok(Some(noted.clone())));
    assert_eq!(store.history("db").unwrap().len(), 3);
    let after = store
        .advance(&noted, &chain.prove(5, 6), &chain.seen(6), at(9))
        .unwrap();
    assert_eq!(store.load("db"), Ok(Some(after)));
}

#[test]
fn an_identity_known_under_another_label_is_reported() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let first = open(&folder);
    first
        .first_use("db", &chain.seen(3), TrustOrigin::FirstSeen, at(3))
        .unwrap();
    let uuid = chain.seen(3).uuid.unwrap();
    assert_eq!(first.known_elsewhere(&uuid), Ok(vec![]));
    let second = other_label(&folder);
    let known = second.known_elsewhere(&uuid).unwrap();
    assert_eq!(
        (known[0].server.as_str(), known[0].since),
        ("127.0.0.1:3322", at(3))
    );
    assert_eq!(second.known_elsewhere("another"), Ok(vec![]));
}

#[test]
fn an_identity_first_seen_with_growth_is_known_under_another_label() {
    let folder = TempDir::new();
    let (store, chain) = (open(&folder), Chain::new(9, 1));
    let before = grown(&store, &chain);
    let seen = ObservedState {
        uuid: Some("another".into()),
        ..chain.seen(6)
    };
    let after = store
        .advance(&before, &chain.prove(5, 6), &seen, at(6))
        .unwrap();
    let second = other_label(&folder);
    let since = |uuid: &str| second.known_elsewhere(uuid).unwrap()[0].since;
    assert_eq!(since("another"), at(6));
    // a damaged file is started again, also if the identity does not change any more
    drop(store);
    fs::write(file(&folder, "identities"), "x").unwrap();
    let store = open(&folder);
    let seen = ObservedState {
        uuid: Some("another".into()),
        ..chain.seen(7)
    };
    store
        .advance(&after, &chain.prove(6, 7), &seen, at(7))
        .unwrap();
    assert_eq!(since("another"), at(7));
}

/// Returns the store of another server in the same directory.
fn other_label(folder: &TempDir) -> Store {
    let location = Location {
        server: "b".into(),
        ..location(folder)
    };
    Store::open(&location, at(0)).unwrap()
}
