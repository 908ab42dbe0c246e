//! Repair of damaged and lost files: the pin of the last good state, and the advice.

use std::fs;
use std::path::Path;

use crate::support::chain::Chain;
use crate::support::temp_dir::TempDir;
use crate::support::trust_files::{at, file, grown, grown_store, open};
use immuaudit::ledger::Digest;
use immuaudit::trust::{StoreError, TrustOrigin};

#[test]
fn a_pin_starts_a_database_and_repeating_it_is_harmless() {
    let folder = TempDir::new();
    let (store, chain) = (open(&folder), Chain::new(9, 1));
    let pinned = store.pin("db", chain.state(3), at(3)).unwrap();
    assert_eq!(
        (pinned.how.clone(), pinned.state),
        (TrustOrigin::Pinned, chain.state(3))
    );
    assert_eq!(store.pin("db", chain.state(9), at(4)), Ok(pinned.clone()));
    assert_eq!(store.load("db"), Ok(Some(pinned)));
}

#[test]
fn a_pin_of_the_last_good_state_repairs_and_no_other_does() {
    type Damage = (&'static str, fn(&Path));
    let damage: [Damage; 5] = [
        ("db.state", |path| fs::write(path, "x").unwrap()),
        ("db.state", |path| fs::remove_file(path).unwrap()),
        ("db.history", |path| fs::write(path, "x").unwrap()),
        ("db.history", |path| fs::remove_file(path).unwrap()),
        ("db.history", |path| fs::write(path, "").unwrap()),
    ];
    for (name, damage) in damage {
        let (folder, store, chain, trusted) = grown_store();
        damage(&file(&folder, name));
        let failure = store.load("db").unwrap_err();
        for other in [chain.state(4), chain.state(6), Chain::new(9, 2).state(5)] {
            let refused = store.pin("db", other, at(8));
            assert!(
                matches!(refused, Err(StoreError::OtherPin { .. })),
                "{name}"
            );
            assert_eq!(store.load("db").unwrap_err(), failure);
        }
        let repaired = store.pin("db", trusted.state, at(8)).unwrap();
        assert_eq!(
            (repaired.state, repaired.how.clone()),
            (trusted.state, TrustOrigin::Pinned)
        );
        assert_eq!(store.load("db"), Ok(Some(repaired.clone())), "{name}");
        store
            .advance(&repaired, &chain.prove(5, 6), &chain.seen(6), at(9))
            .unwrap();
    }
}

#[test]
fn a_repair_keeps_the_damaged_file() {
    let (folder, store, _, trusted) = grown_store();
    fs::write(file(&folder, "db.state"), "edited").unwrap();
    store.pin("db", trusted.state, at(8)).unwrap();
    assert_eq!(
        fs::read(file(&folder, "db.state.damaged")).unwrap(),
        b"edited"
    );
    assert_eq!(store.history("db").unwrap().len(), 4);
}

#[test]
fn a_repair_of_files_that_disagree_keeps_the_state_file_that_it_overwrites() {
    for is_history_older in [true, false] {
        let folder = TempDir::new();
        let (store, chain) = (open(&folder), Chain::new(9, 1));
        let before = grown(&store, &chain);
        let (state, history) = (file(&folder, "db.state"), file(&folder, "db.history"));
        if is_history_older {
            let older = fs::read(&history).unwrap();
            let proven = chain.prove(5, 7);
            store
                .advance(&before, &proven, &chain.seen(7), at(9))
                .unwrap();
            fs::write(&history, older).unwrap();
        } else {
            // the same state, trusted in another run, so that the history has no line for the file
            let text = fs::read_to_string(&state).unwrap();
            let (content, _) = text.split_once("# sha256: ").unwrap();
            let content = content.replace(&at(5).to_string(), &at(4).to_string());
            let sum = Digest::of(&[content.as_bytes()]);
            fs::write(&state, format!("{content}# sha256: {sum}\n")).unwrap();
        }
        let overwritten = fs::read(&state).unwrap();
        let failure = store.load("db").unwrap_err();
        let StoreError::Disagree { recovery, .. } = failure else {
            panic!("{failure}");
        };
        let pinned = recovery.last_good.unwrap();
        let repaired = store.pin("db", pinned, at(10)).unwrap();
        assert_eq!(store.load("db"), Ok(Some(repaired)));
        assert_eq!(
            fs::read(file(&folder, "db.state.damaged")).unwrap(),
            overwritten
        );
        assert!(!file(&folder, "db.history.damaged").exists());
        // the history keeps its lines, and gets the one of the pin
        assert_eq!(store.history("db").unwrap().len(), 4);
    }
}

// ---- the advice for lost files

#[test]
fn the_advice_for_lost_files_warns_about_the_verdicts_of_every_database() {
    let folder = TempDir::new();
    let lost = open(&folder).nothing_lost("db").unwrap_err().to_string();
    let outcomes = file(&folder, "outcomes").display().to_string();
    for part in ["give --pin", &outcomes, "every database"] {
        assert!(lost.contains(part), "{part} is not in: {lost}");
    }
}
