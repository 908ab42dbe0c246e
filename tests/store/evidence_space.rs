//! Limits for evidence: no database uses up the share of another one, and an alarm stays open
//! without its evidence.

use std::fs;
use std::path::Path;

use crate::support::chain::Chain;
use crate::support::temp_dir::TempDir;
use crate::support::trust_files::{at, finding, grown, home, open};
use immuaudit::ledger::State;
use immuaudit::trust::{
    Alarm, Answer, Evidence, Finding, Limits, Store, StoreError, Tampering, TrustOrigin,
    TrustedState,
};

fn limited(folder: &TempDir, files: usize, bytes: u64) -> Store {
    open(folder).with_limits(Limits {
        files,
        bytes,
        ..Limits::default()
    })
}

/// Trusts a database at first use at the time `then`.
fn seen(store: &Store, chain: &Chain, database: &str, then: u64) -> TrustedState {
    store
        .first_use(database, &chain.seen(3), TrustOrigin::FirstSeen, at(then))
        .unwrap()
}

fn vanished(trusted: &TrustedState) -> Finding {
    Finding {
        database: trusted.database.clone(),
        reason: "vanished".into(),
        ..finding(Some(trusted), Tampering::RolledBack, None)
    }
}

/// Returns the number of files and of bytes below a directory.
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

fn has_complete_evidence(alarm: &Alarm) -> bool {
    let file = fs::read(&alarm.evidence).unwrap_or_default();
    Evidence::parse(&file).is_ok_and(|evidence| !evidence.answers.is_empty())
}

#[test]
fn vanished_databases_leave_space_for_evidence_of_an_older_one() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 50, 64 << 20);
    let real = grown(&store, &chain);
    for number in 0..200 {
        let made_up = seen(&store, &chain, &format!("made-up-{number}"), 100 + number);
        // alarms without space for evidence are open too
        let _ = store.raise(&vanished(&made_up), at(1_000));
    }
    let shown = Chain::new(9, 2).state(6);
    let found = finding(Some(&real), Tampering::Inconsistent, Some(shown));
    let alarm = store.raise(&found, at(2_000)).unwrap();
    assert!(has_complete_evidence(&alarm));
    let (files, _) = kept(&home(&folder).join("evidence"));
    assert_eq!(files, 50);
    assert_eq!(store.open_alarms(None).unwrap().len(), 201);
    // no later database displaces the first one that was seen after the real database
    assert!(
        store
            .open_alarms(Some("made-up-0"))
            .unwrap()
            .iter()
            .all(has_complete_evidence)
    );
}

#[test]
fn vanished_databases_displace_no_evidence_of_a_small_older_one() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 50, 64 << 20);
    let real = grown(&store, &chain);
    let hash = real.state.hash;
    let many: Vec<Alarm> = (10..26)
        .map(|tx| {
            let shown = Some(State { tx, hash });
            let found = finding(Some(&real), Tampering::Inconsistent, shown);
            store.raise(&found, at(tx)).unwrap()
        })
        .collect();
    for number in 0..60 {
        let made_up = seen(&store, &chain, &format!("made-up-{number}"), 100 + number);
        let _ = store.raise(&vanished(&made_up), at(1_000));
    }
    assert!(many.iter().all(has_complete_evidence));
    let (files, _) = kept(&home(&folder).join("evidence"));
    assert_eq!(files, 50);
}

/// An older database keeps half of the space when a younger one needs it, and all of its evidence
/// when an untrusted database needs it.
#[test]
fn untrusted_databases_displace_no_evidence_of_a_trusted_one() {
    for free in [0, 2] {
        let folder = TempDir::new();
        let chain = Chain::new(9, 1);
        let store = limited(&folder, 20, 64 << 20);
        let real = grown(&store, &chain);
        let hash = real.state.hash;
        let many: Vec<Alarm> = (10 + free..30)
            .map(|tx| {
                let shown = Some(State { tx, hash });
                let found = finding(Some(&real), Tampering::Inconsistent, shown);
                store.raise(&found, at(tx)).unwrap()
            })
            .collect();
        for number in 0..30 {
            let stranger = Finding {
                database: format!("stranger-{number}"),
                ..finding(None, Tampering::BadSignature, Some(chain.state(3)))
            };
            let raised = store.raise(&stranger, at(1_000));
            let is_whole = raised.is_ok_and(|alarm| has_complete_evidence(&alarm));
            assert_eq!(is_whole, number < free, "{free}: {number}");
        }
        assert!(many.iter().all(has_complete_evidence), "{free}");
        let (files, _) = kept(&home(&folder).join("evidence"));
        assert_eq!(files, 20);
    }
}

#[test]
fn bytes_of_databases_that_vanish_leave_space_for_the_answers_of_an_older_one() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 4_000, 6 << 20);
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
    assert!(has_complete_evidence(&alarm));
    let (_, bytes) = kept(&home(&folder).join("evidence"));
    assert!(bytes <= 6 << 20, "{bytes}");
    assert_eq!(store.open_alarms(None).unwrap().len(), 61);
}

#[test]
fn the_database_with_the_most_evidence_makes_space_and_keeps_its_first_and_its_last() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 20, 64 << 20);
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
        assert!(has_complete_evidence(&alarm), "{number}");
    }
    let (files, _) = kept(&home(&folder).join("evidence"));
    assert_eq!(files, 20);
    assert!(has_complete_evidence(&many[0]) && has_complete_evidence(&many[19]));
    assert_eq!(
        many.iter()
            .filter(|alarm| has_complete_evidence(alarm))
            .count(),
        15
    );
    // the alarms stay open
    assert_eq!(store.open_alarms(Some("db")).unwrap().len(), 20);
}

#[test]
fn closed_alarms_make_space_before_open_ones() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 5, 64 << 20);
    let real = grown(&store, &chain);
    let found = |tx| {
        let hash = real.state.hash;
        finding(Some(&real), Tampering::BadValue, Some(State { tx, hash }))
    };
    let alarms: Vec<Alarm> = (1..=5)
        .map(|tx| store.raise(&found(tx), at(tx)).unwrap())
        .collect();
    store.close_alarm(&alarms[1].id, "kim", at(50)).unwrap();
    let other = seen(&store, &chain, "other", 100);
    store.raise(&vanished(&other), at(200)).unwrap();
    let left: Vec<bool> = alarms.iter().map(has_complete_evidence).collect();
    assert_eq!(left, [true, false, true, true, true]);
}

#[test]
fn displaced_evidence_returns_only_if_there_is_free_space() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 2, 64 << 20);
    let real = grown(&store, &chain);
    let old = seen(&store, &chain, "old", 50);
    let young = seen(&store, &chain, "young", 100);
    let first = store.raise(&vanished(&young), at(200)).unwrap();
    store.raise(&vanished(&old), at(200)).unwrap();
    store.raise(&vanished(&real), at(200)).unwrap();
    assert!(!has_complete_evidence(&first));
    let again = store.raise(&vanished(&young), at(201));
    assert!(matches!(again, Err(StoreError::EvidenceFull { .. })));
    let open = store.open_alarms(Some("young")).unwrap();
    assert_eq!((open.len(), open[0].times), (1, 2));
}

/// Raises findings about databases that were seen after the real one, more than the space allows.
fn flood(store: &Store, chain: &Chain, databases: u64, then: u64) {
    for number in 0..databases {
        let made_up = seen(store, chain, &format!("made-up-{number}"), then);
        let _ = store.raise(&vanished(&made_up), at(then + 1_000));
    }
}

#[test]
fn adopting_a_state_does_not_make_a_database_the_youngest() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 50, 64 << 20);
    let real = grown(&store, &chain);
    let made_up: Vec<TrustedState> = (0..60)
        .map(|number| seen(&store, &chain, &format!("made-up-{number}"), 100 + number))
        .collect();
    let older = finding(Some(&real), Tampering::RolledBack, Some(chain.state(4)));
    let alarm = store.raise(&older, at(300)).unwrap();
    let adopted = store.adopt(&alarm.id, "kim", at(500)).unwrap();
    for made_up in &made_up {
        let _ = store.raise(&vanished(made_up), at(1_000));
    }
    // the database's own finding, which the adoption closed, leaves no space for other databases
    let shown = Chain::new(9, 2).state(6);
    let found = finding(
        adopted.trusted.as_ref(),
        Tampering::Inconsistent,
        Some(shown),
    );
    assert!(has_complete_evidence(
        &store.raise(&found, at(2_000)).unwrap()
    ));
}

#[test]
fn a_forgotten_database_stays_older_than_those_seen_later() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 20, 64 << 20);
    let real = grown(&store, &chain);
    flood(&store, &chain, 30, 100);
    let alarm = store.raise(&vanished(&real), at(1_500)).unwrap();
    store.adopt(&alarm.id, "kim", at(1_600)).unwrap();
    drop(store);
    let store = limited(&folder, 20, 64 << 20); // another process
    let real = seen(&store, &chain, "db", 1_700);
    let shown = Chain::new(9, 2).state(6);
    for kind in [Tampering::Inconsistent, Tampering::BadSignature] {
        let found = finding(Some(&real), kind, Some(shown));
        assert!(has_complete_evidence(
            &store.raise(&found, at(2_000)).unwrap()
        ));
    }
}

#[test]
fn a_clock_ahead_at_first_use_makes_no_database_the_youngest() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 20, 64 << 20);
    let real = seen(&store, &chain, "db", 9_000_000);
    flood(&store, &chain, 30, 100);
    let shown = Chain::new(9, 2).state(6);
    let found = finding(Some(&real), Tampering::Inconsistent, Some(shown));
    assert!(has_complete_evidence(
        &store.raise(&found, at(2_000)).unwrap()
    ));
}

#[test]
fn a_finding_before_first_use_makes_no_database_the_youngest() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = limited(&folder, 5, 64 << 20);
    let unsigned = finding(None, Tampering::BadSignature, Some(chain.state(3)));
    let before = store.raise(&unsigned, at(1)).unwrap();
    let others: Vec<Alarm> = (0..5)
        .map(|number| {
            let other = seen(&store, &chain, &format!("other-{number}"), 10 + number);
            store.raise(&vanished(&other), at(20)).unwrap()
        })
        .collect();
    assert!(!has_complete_evidence(&before) && others.iter().all(has_complete_evidence));
    let real = seen(&store, &chain, "db", 30);
    fs::remove_file(&others[4].evidence).unwrap(); // the operator removed it
    let younger = seen(&store, &chain, "younger", 40);
    let younger = store.raise(&vanished(&younger), at(50)).unwrap();
    assert!(has_complete_evidence(&younger));
    let shown = Chain::new(9, 2).state(6);
    let found = finding(Some(&real), Tampering::Inconsistent, Some(shown));
    assert!(has_complete_evidence(&store.raise(&found, at(60)).unwrap()));
    assert!(!has_complete_evidence(&younger));
}
