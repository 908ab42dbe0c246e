//! Room for evidence: no database uses up the room of another, and no alarm is lost with its evidence.

mod support;

use std::fs;
use std::path::Path;

use immuaudit::ledger::State;
use immuaudit::trust::{
    Alarm, Answer, Evidence, Finding, How, Limits, LocalFailure, Store, Tampering, Trusted,
};
use support::chain::Chain;
use support::place::Place;
use support::trust_files::{at, finding, grown, home, open};

fn limited(place: &Place, files: usize, bytes: u64) -> Store {
    open(place).with_limits(Limits {
        files,
        bytes,
        ..Limits::default()
    })
}

/// A database that was first seen then, and a finding about it.
fn seen(store: &Store, chain: &Chain, database: &str, then: u64) -> Trusted {
    store
        .first_sight(database, &chain.seen(3), How::FirstSeen, at(then))
        .unwrap()
}

fn vanished(trusted: &Trusted) -> Finding {
    Finding {
        database: trusted.database.clone(),
        ..finding(Some(trusted), Tampering::RolledBack, None)
    }
}

/// The number of files and of bytes below a directory.
fn kept(directory: &Path) -> (usize, u64) {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let entry = entry.unwrap();
        let (more, size) = match entry.file_type().unwrap().is_dir() {
            true => kept(&entry.path()),
            false => (1, entry.metadata().unwrap().len()),
        };
        files += more;
        bytes += size;
    }
    (files, bytes)
}

fn whole(alarm: &Alarm) -> bool {
    let file = fs::read(&alarm.evidence).unwrap_or_default();
    Evidence::parse(&file).is_ok_and(|evidence| !evidence.answers.is_empty())
}

#[test]
fn thousands_of_databases_that_vanish_leave_room_for_the_evidence_of_an_older_one() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = limited(&place, 50, 64 << 20);
    let real = grown(&store, &chain);
    for number in 0..200 {
        let made_up = seen(&store, &chain, &format!("made-up-{number}"), 100 + number);
        // those for which there is no room are open alarms all the same
        let _ = store.raise(&vanished(&made_up), at(1_000));
    }
    let shown = Chain::new(9, 2).state(6);
    let found = finding(Some(&real), Tampering::Inconsistent, Some(shown));
    let alarm = store.raise(&found, at(2_000)).unwrap();
    assert!(whole(&alarm));
    let (files, _) = kept(&home(&place).join("evidence"));
    assert_eq!(files, 50);
    assert_eq!(store.open_alarms(None).unwrap().len(), 201);
    // the first database that was seen after the real one is displaced by no later one
    assert!(
        store
            .open_alarms(Some("made-up-0"))
            .unwrap()
            .iter()
            .all(whole)
    );
}

#[test]
fn bytes_of_databases_that_vanish_leave_room_for_the_answers_of_an_older_one() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = limited(&place, 4_000, 6 << 20);
    let real = grown(&store, &chain);
    let long = Answer {
        call: "DatabaseList".into(),
        request: Vec::new(),
        reply: Ok(vec![7; 100_000].into()),
        shortened: None,
    };
    for number in 0..60 {
        let made_up = seen(&store, &chain, &format!("made-up-{number}"), 100 + number);
        let found = Finding {
            answers: vec![long.clone()],
            ..vanished(&made_up)
        };
        store.raise(&found, at(1_000)).unwrap();
    }
    let shown = Chain::new(9, 2).state(6);
    let mut found = finding(Some(&real), Tampering::Inconsistent, Some(shown));
    found.answers = vec![long; 5];
    let alarm = store.raise(&found, at(2_000)).unwrap();
    assert!(whole(&alarm));
    let (_, bytes) = kept(&home(&place).join("evidence"));
    assert!(bytes <= 6 << 20, "{bytes}");
    assert_eq!(store.open_alarms(None).unwrap().len(), 61);
}

#[test]
fn the_database_with_the_most_evidence_makes_room_and_keeps_its_first_and_its_last() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = limited(&place, 20, 64 << 20);
    let real = grown(&store, &chain);
    let shown = |tx| {
        let hash = real.state.hash;
        Some(State { tx, hash })
    };
    let many: Vec<Alarm> = (10..30)
        .map(|tx| {
            let found = finding(Some(&real), Tampering::Inconsistent, shown(tx));
            store.raise(&found, at(tx)).unwrap()
        })
        .collect();
    for number in 0..5 {
        let other = seen(&store, &chain, &format!("other-{number}"), 100 + number);
        let alarm = store.raise(&vanished(&other), at(200)).unwrap();
        assert!(whole(&alarm), "{number}");
    }
    let (files, _) = kept(&home(&place).join("evidence"));
    assert_eq!(files, 20);
    assert!(whole(&many[0]) && whole(&many[19]));
    assert_eq!(many.iter().filter(|alarm| whole(alarm)).count(), 15);
    // no alarm is closed by that
    assert_eq!(store.open_alarms(Some("db")).unwrap().len(), 20);
}

#[test]
fn closed_alarms_make_room_before_open_ones() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = limited(&place, 5, 64 << 20);
    let real = grown(&store, &chain);
    let found = |tx| {
        let hash = real.state.hash;
        finding(Some(&real), Tampering::Value, Some(State { tx, hash }))
    };
    let alarms: Vec<Alarm> = (1..=5)
        .map(|tx| store.raise(&found(tx), at(tx)).unwrap())
        .collect();
    store.close_alarm(&alarms[1].id, "kim", at(50)).unwrap();
    let other = seen(&store, &chain, "other", 100);
    store.raise(&vanished(&other), at(200)).unwrap();
    let left: Vec<bool> = alarms.iter().map(whole).collect();
    assert_eq!(left, [true, false, true, true, true]);
}

#[test]
fn evidence_that_made_room_comes_back_only_where_there_is_free_room() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = limited(&place, 2, 64 << 20);
    let real = grown(&store, &chain);
    let young = seen(&store, &chain, "young", 100);
    let old = seen(&store, &chain, "old", 50);
    let first = store.raise(&vanished(&young), at(200)).unwrap();
    store.raise(&vanished(&old), at(200)).unwrap();
    store.raise(&vanished(&real), at(200)).unwrap();
    assert!(!whole(&first));
    let again = store.raise(&vanished(&young), at(201));
    assert!(matches!(again, Err(LocalFailure::EvidenceFull { .. })));
    let open = store.open_alarms(Some("young")).unwrap();
    assert_eq!((open.len(), open[0].times), (1, 2));
}
