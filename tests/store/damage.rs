//! Damage to the files of trusted states: no state is lost or invented. Damage that the remaining
//! files cannot repair needs a pin of the last good state.

use std::fs;

use crate::support::chain::Chain;
use crate::support::temp_dir::TempDir;
use crate::support::trust_files::{at, changes, file, finding, grown, grown_store, open};
#[cfg(unix)]
use crate::support::trust_files::{home, location};
use immuaudit::ledger::State;
use immuaudit::trust::{Store, StoreError, Tampering, TrustOrigin, Warning};

// ---- damage

#[test]
fn a_state_file_changed_in_any_way_is_a_local_failure() {
    let (folder, store, chain, trusted) = grown_store();
    let path = file(&folder, "db.state");
    let whole = fs::read(&path).unwrap();
    for (change, bytes) in changes(&whole) {
        fs::write(&path, bytes).unwrap();
        let failure = store.load("db").expect_err(&change);
        assert!(
            matches!(failure, StoreError::Damaged { .. }),
            "{change}: {failure}"
        );
    }
    let message = store.load("db").unwrap_err().to_string();
    let pin = format!("--pin db:{}", trusted.state);
    assert!(
        message.contains(&pin) && message.contains("db.state"),
        "{message}"
    );
    let refused = store.first_use("db", &chain.seen(9), TrustOrigin::FirstSeen, at(9));
    assert!(matches!(refused, Err(StoreError::Damaged { .. })));
    let refused = store.advance(&trusted, &chain.prove(5, 6), &chain.seen(6), at(9));
    assert!(matches!(refused, Err(StoreError::Damaged { .. })));
}

#[test]
fn a_changed_history_never_changes_the_trusted_state() {
    let (folder, store, _, trusted) = grown_store();
    let path = file(&folder, "db.history");
    let whole = fs::read(&path).unwrap();
    let (mut believed, mut refused) = (0, 0);
    for (change, bytes) in changes(&whole) {
        fs::write(&path, bytes).unwrap();
        match store.load("db") {
            Ok(Some(found)) => {
                assert_eq!(found, trusted, "{change}");
                believed += 1;
            }
            Ok(None) => panic!("{change}: a first use"),
            Err(StoreError::Damaged { .. } | StoreError::Disagree { .. }) => refused += 1,
            Err(other) => panic!("{change}: {other}"),
        }
    }
    assert!(
        believed > 0 && refused > believed,
        "{believed} believed, {refused} refused"
    );
}

#[test]
fn a_torn_last_line_is_written_again() {
    let (folder, mut store, chain, trusted) = grown_store();
    let path = file(&folder, "db.history");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    assert_eq!(store.load("db"), Ok(Some(trusted.clone())));
    assert!(
        store
            .warnings()
            .contains(&Warning::TornHistory { path: path.clone() })
    );
    store
        .advance(&trusted, &chain.prove(5, 6), &chain.seen(6), at(9))
        .unwrap();
    assert!(fs::read(&path).unwrap().starts_with(&whole));
    assert_eq!(store.history("db").unwrap().len(), 4);
}

#[test]
fn a_missing_file_is_a_local_failure_and_no_first_use() {
    for name in ["db.state", "db.history"] {
        let (folder, store, chain, _) = grown_store();
        fs::remove_file(file(&folder, name)).unwrap();
        assert!(
            matches!(store.load("db"), Err(StoreError::Missing { .. })),
            "{name}"
        );
        let refused = store.first_use("db", &chain.seen(9), TrustOrigin::FirstSeen, at(9));
        assert!(matches!(refused, Err(StoreError::Missing { .. })), "{name}");
    }
}

#[test]
fn an_alarm_proves_that_a_state_was_trusted() {
    let (folder, store, _, trusted) = grown_store();
    store
        .raise(&finding(Some(&trusted), Tampering::BadValue, None), at(6))
        .unwrap();
    for name in ["db.state", "db.history"] {
        fs::remove_file(file(&folder, name)).unwrap();
    }
    assert!(matches!(store.load("db"), Err(StoreError::Missing { .. })));
    store.pin("db", trusted.state, at(7)).unwrap();
    assert_eq!(store.load("db").unwrap().unwrap().state, trusted.state);
}

#[cfg(unix)]
#[test]
fn a_link_or_a_directory_in_the_place_of_a_file_is_not_followed() {
    for name in ["db.state", "db.history", "db.alarms"] {
        for link in [true, false] {
            let (folder, store, chain, trusted) = grown_store();
            store
                .raise(&finding(Some(&trusted), Tampering::BadValue, None), at(6))
                .unwrap();
            let (path, moved) = (file(&folder, name), folder.path().join("moved"));
            fs::rename(&path, &moved).unwrap();
            if link {
                std::os::unix::fs::symlink(&moved, &path).unwrap();
            } else {
                fs::create_dir(&path).unwrap();
            }
            let failure = match name {
                "db.alarms" => store.open_alarms(Some("db")).unwrap_err(),
                _ => store.load("db").unwrap_err(),
            };
            assert!(
                matches!(failure, StoreError::NotAFile { .. }),
                "{name}: {failure}"
            );
            let refused = store.first_use("db", &chain.seen(9), TrustOrigin::FirstSeen, at(9));
            assert!(refused.is_err());
        }
    }
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_the_servers_directory_is_not_followed() {
    let folder = TempDir::new();
    drop(open(&folder));
    fs::rename(home(&folder), folder.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("moved"), home(&folder)).unwrap();
    let refused = Store::open(&location(&folder), at(0)).unwrap_err();
    assert!(matches!(refused, StoreError::NotAFile { .. }), "{refused}");
}

#[test]
fn an_older_state_file_is_rolled_forward() {
    let folder = TempDir::new();
    let (store, chain) = (open(&folder), Chain::new(9, 1));
    let before = grown(&store, &chain);
    let path = file(&folder, "db.state");
    let older = fs::read(&path).unwrap();
    let after = store
        .advance(&before, &chain.prove(5, 7), &chain.seen(7), at(9))
        .unwrap();
    fs::write(&path, older).unwrap();
    assert_eq!(store.load("db"), Ok(Some(after.clone())));
    let refused = store.advance(&before, &chain.prove(5, 6), &chain.seen(6), at(9));
    assert!(matches!(refused, Err(StoreError::Changed { .. })));
    store
        .advance(&after, &chain.prove(7, 8), &chain.seen(8), at(9))
        .unwrap();
    assert_eq!(store.load("db").unwrap().unwrap().state, chain.state(8));
}

#[test]
fn an_older_history_is_a_local_failure() {
    let folder = TempDir::new();
    let (store, chain) = (open(&folder), Chain::new(9, 1));
    let before = grown(&store, &chain);
    let path = file(&folder, "db.history");
    let older = fs::read(&path).unwrap();
    store
        .advance(&before, &chain.prove(5, 7), &chain.seen(7), at(9))
        .unwrap();
    fs::write(&path, older).unwrap();
    assert!(matches!(store.load("db"), Err(StoreError::Disagree { .. })));
}

#[test]
fn the_state_to_pin_is_the_newest_one_in_any_intact_file() {
    let folder = TempDir::new();
    let (store, chain) = (open(&folder), Chain::new(9, 1));
    let before = grown(&store, &chain);
    let (state, history) = (file(&folder, "db.state"), file(&folder, "db.history"));
    let older = fs::read(&history).unwrap();
    let trusted = store
        .advance(&before, &chain.prove(5, 7), &chain.seen(7), at(9))
        .unwrap();
    let whole = (fs::read(&state).unwrap(), fs::read(&history).unwrap());
    let advises = |expected: State| {
        let text = store.load("db").unwrap_err().to_string();
        assert!(
            text.contains(&format!("--pin db:{expected},")),
            "{expected}: {text}"
        );
        let refused = store.pin("db", chain.state(2), at(20)).unwrap_err();
        assert!(
            refused.to_string().contains(&format!("is {expected}")),
            "{refused}"
        );
    };
    // the history was truncated and the state file is intact
    fs::write(&history, &older).unwrap();
    advises(trusted.state);
    let repaired = store.pin("db", trusted.state, at(10)).unwrap();
    assert_eq!(repaired.state, trusted.state);
    assert_eq!(store.history("db").unwrap().len(), 4);
    // the state file is damaged and the history truncated: an alarm names a newer state
    fs::write(&state, &whole.0).unwrap();
    fs::write(&history, &whole.1).unwrap();
    let found = finding(Some(&trusted), Tampering::BadValue, None);
    store.raise(&found, at(11)).unwrap();
    fs::write(&history, &older).unwrap();
    fs::write(&state, "x").unwrap();
    advises(trusted.state);
    // both files are missing: only the evidence names the state
    fs::remove_file(&state).unwrap();
    fs::remove_file(&history).unwrap();
    fs::remove_file(file(&folder, "db.alarms")).unwrap();
    advises(trusted.state);
    store.pin("db", trusted.state, at(12)).unwrap();
}

#[test]
fn a_state_that_was_adopted_is_newer_than_the_one_given_up_for_it() {
    let (folder, store, _, trusted) = grown_store();
    let fork = Chain::new(9, 2);
    let history = file(&folder, "db.history");
    let older = fs::read(&history).unwrap();
    let found = finding(Some(&trusted), Tampering::RolledBack, Some(fork.state(4)));
    let alarm = store.raise(&found, at(6)).unwrap();
    store.adopt(&alarm.id, "kim", at(6)).unwrap();
    fs::write(&history, &older).unwrap();
    let text = store.load("db").unwrap_err().to_string();
    let expected = format!("--pin db:{},", fork.state(4));
    assert!(text.contains(&expected), "{text}");
    store.pin("db", fork.state(4), at(8)).unwrap();
}

#[test]
fn a_line_missing_anywhere_in_the_history_is_a_local_failure() {
    let (folder, store, _, trusted) = grown_store();
    let path = file(&folder, "db.history");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for missing in 1..lines.len() - 1 {
        let mut left = lines.clone();
        left.remove(missing);
        fs::write(&path, left.concat()).unwrap();
        let failure = store.load("db").unwrap_err();
        let text = failure.to_string();
        let expected = format!("a gap: lines before line {}", missing + 1);
        assert!(text.contains(&expected), "{text}");
        let pin = format!("--pin db:{},", trusted.state);
        assert!(text.contains(&pin), "{text}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(store.load("db"), Ok(Some(trusted)));
}

/// Intact files with valid checksums, of two directories for one server.
#[test]
fn a_state_without_a_history_entry_is_a_local_failure() {
    let chain = Chain::new(9, 1);
    let state_file = |make: &dyn Fn(&Store)| {
        let there = TempDir::new();
        make(&open(&there));
        fs::read(file(&there, "db.state")).unwrap()
    };
    let seen = |store: &Store, tx: u64| {
        store
            .first_use("db", &chain.seen(tx), TrustOrigin::FirstSeen, at(tx))
            .unwrap()
    };
    let proven = |to: u64, time: u64| {
        state_file(&|store| {
            let proof = chain.prove(3, to);
            store
                .advance(&seen(store, 3), &proof, &chain.seen(to), at(time))
                .unwrap();
        })
    };
    let first_seen = state_file(&|store| drop(seen(store, 5)));
    // in this history transaction 5 was proven at second 5
    let mixed_up = [
        ("another way to the same state", first_seen, false),
        ("another time", proven(5, 9), false),
        ("another state", proven(6, 5), false),
        ("an older state, and a torn line", proven(4, 7), true),
        ("the same state, and a torn line", proven(5, 9), true),
    ];
    for (what, state, torn) in mixed_up {
        let here = TempDir::new();
        let store = open(&here);
        grown(&store, &chain);
        fs::write(file(&here, "db.state"), state).unwrap();
        if torn {
            let path = file(&here, "db.history");
            let history = fs::read(&path).unwrap();
            fs::write(&path, [&history[..], b"2026-11-22T"].concat()).unwrap();
        }
        let loaded = store.load("db");
        let disagree = matches!(loaded, Err(StoreError::Disagree { .. }));
        assert!(disagree, "{what}: {loaded:?}");
    }
}

#[test]
fn damage_of_one_database_does_not_affect_another() {
    let (folder, store, chain, _) = grown_store();
    let other = store
        .first_use("other", &chain.seen(3), TrustOrigin::FirstSeen, at(3))
        .unwrap();
    fs::write(file(&folder, "db.state"), "").unwrap();
    fs::write(file(&folder, "db.state.new"), "half").unwrap();
    drop(store);
    let store = open(&folder);
    assert!(store.load("db").is_err());
    assert_eq!(store.load("other"), Ok(Some(other)));
}
