//! Whatever happens to the auditor's files: no trusted state is lost or made up, and no alarm lowered.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use immuaudit::clock::Timestamp;
use immuaudit::ledger::{Signature, State};
use immuaudit::trust::{
    Acceptance, Alarm, Answer, Change, Evidence, Finding, How, Limits, LocalFailure, Location,
    OutcomeRecord, Store, Tampering, Trusted, Warning,
};
use support::chain::Chain;
use support::place::Place;

fn at(second: u64) -> Timestamp {
    Timestamp::from_unix(1_795_319_313 + second)
}

fn location(place: &Place) -> Location {
    Location {
        dir: place.path().join("dir"),
        roots: None,
        server: "127.0.0.1:3322".into(),
    }
}

fn open(place: &Place) -> Store {
    Store::open(&location(place), at(0)).unwrap()
}

fn beside(place: &Place) -> Store {
    Store::open_beside(&location(place)).unwrap()
}

fn home(place: &Place) -> PathBuf {
    place.path().join("dir/127%2e0%2e0%2e1%3a3322")
}

fn file(place: &Place, name: &str) -> PathBuf {
    home(place).join(name)
}

/// First sight of transaction 3, then 4 and 5 proven.
fn grown(store: &Store, chain: &Chain) -> Trusted {
    let mut trusted = store
        .first_sight("db", &chain.seen(3), How::FirstSeen, at(3))
        .unwrap();
    for tx in [4, 5] {
        let proven = chain.prove(tx - 1, tx);
        trusted = store
            .advance(&trusted, &proven, &chain.seen(tx), at(tx))
            .unwrap();
    }
    trusted
}

fn finding(trusted: Option<&Trusted>, kind: Tampering, shown: Option<State>) -> Finding {
    Finding {
        database: "db".into(),
        kind,
        reason: "linear proof at transaction 5: no linear proof".into(),
        trusted: trusted.cloned(),
        shown,
        uuid: Some("d4g5c2k23aku4h7nq1t0".into()),
        identity_changed: false,
        answers: vec![Answer {
            call: "VerifiableTxById".into(),
            request: vec![8, 5],
            reply: Ok(vec![0, 255, 7]),
        }],
    }
}

// ---- what is trusted

#[test]
fn nothing_is_trusted_at_first_and_the_first_sight_stays() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = open(&place);
    assert_eq!(store.load("db"), Ok(None));
    assert_eq!(store.databases(), Ok(vec![]));
    let mut seen = chain.seen(3);
    seen.signature = Some(Signature {
        public_key: vec![4; 65],
        der: vec![48, 1, 2],
    });
    let trusted = store
        .first_sight("db", &seen, How::FirstSeen, at(1))
        .unwrap();
    assert_eq!(trusted.signature, seen.signature);
    assert_eq!(store.load("db"), Ok(Some(trusted.clone())));
    assert_eq!(store.databases(), Ok(vec!["db".into()]));
    drop(store);
    assert_eq!(open(&place).load("db"), Ok(Some(trusted)));
}

#[test]
fn a_second_first_sight_is_refused() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    let refused = store.first_sight("db", &chain.seen(9), How::FirstSeen, at(9));
    assert!(matches!(refused, Err(LocalFailure::AlreadyTrusted { .. })));
    assert_eq!(store.load("db"), Ok(Some(trusted)));
}

#[test]
fn a_proven_state_replaces_the_trusted_one_and_the_history_keeps_both() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    assert_eq!((trusted.since, trusted.accepted), (at(3), at(5)));
    let history = store.history("db").unwrap();
    let states: Vec<State> = history.iter().map(|entry| entry.state).collect();
    assert_eq!(states, [3, 4, 5].map(|tx| chain.state(tx)));
    assert_eq!(history[0].change, Change::Accepted(How::FirstSeen));
    assert_eq!(history[2].change, Change::Accepted(How::Proven));
}

#[test]
fn a_proof_of_other_states_replaces_nothing() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    for (proven, shown) in [(chain.prove(4, 6), 6), (chain.prove(5, 6), 7)] {
        let refused = store.advance(&trusted, &proven, &chain.seen(shown), at(9));
        assert!(matches!(refused, Err(LocalFailure::NotProven { .. })));
    }
    let other = Chain::new(9, 2);
    let refused = store.advance(&trusted, &other.prove(5, 6), &other.seen(6), at(9));
    assert!(matches!(refused, Err(LocalFailure::NotProven { .. })));
    assert_eq!(store.load("db"), Ok(Some(trusted)));
}

#[test]
fn what_another_command_changed_meanwhile_is_not_overwritten() {
    let place = Place::new();
    let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
    let before = grown(&store, &chain);
    let alarm = store
        .raise(
            &finding(Some(&before), Tampering::Inconsistent, Some(fork.state(6))),
            at(6),
        )
        .unwrap();
    beside(&place)
        .accept("db", &alarm.id, "kim", at(7))
        .unwrap();
    let refused = store.advance(&before, &chain.prove(5, 6), &chain.seen(6), at(8));
    assert!(matches!(refused, Err(LocalFailure::Changed { .. })));
    let refused = store.note_identity(&before, Some("x"), at(8));
    assert!(matches!(refused, Err(LocalFailure::Changed { .. })));
    assert_eq!(store.load("db").unwrap().unwrap().state, fork.state(6));
}

#[test]
fn a_new_identity_changes_neither_state_nor_history() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
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
fn states_under_another_directory_leave_alarms_where_they_are() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let roots = place.path().join("roots");
    let location = Location {
        roots: Some(roots.clone()),
        ..location(&place)
    };
    let store = Store::open(&location, at(0)).unwrap();
    let trusted = grown(&store, &chain);
    store
        .raise(&finding(Some(&trusted), Tampering::Value, None), at(6))
        .unwrap();
    assert!(roots.join("127%2e0%2e0%2e1%3a3322/db.state").is_file());
    assert!(file(&place, "db.alarms").is_file() && !file(&place, "db.state").exists());
    assert_eq!(store.databases(), Ok(vec!["db".into()]));
}

// ---- names

#[test]
fn no_name_leaves_the_directory_or_meets_another() {
    let place = Place::new();
    let chain = Chain::new(300, 1);
    let names = [
        "",
        ".",
        "..",
        "../x",
        "../../../../tmp/x",
        "/etc/x",
        "a/b",
        "a",
        "A",
        "a.state",
        "a%2e",
        "a\0",
        "é",
        "\u{202e}",
        "auditor.lock",
        "evidence",
        "outcomes",
        "identities",
    ];
    let long: Vec<String> = (190..240)
        .flat_map(|n| ["x".repeat(n), "Ä".repeat(n)])
        .collect();
    let names: Vec<&str> = names
        .into_iter()
        .chain(long.iter().map(String::as_str))
        .collect();
    let store = open(&place);
    for (name, tx) in names.iter().zip(1..) {
        assert_eq!(store.load(name), Ok(None), "{name:?}");
        store
            .first_sight(name, &chain.seen(tx), How::FirstSeen, at(1))
            .unwrap();
    }
    for (name, tx) in names.iter().zip(1..) {
        let trusted = store.load(name).unwrap().unwrap();
        assert_eq!(
            (trusted.database.as_str(), trusted.state),
            (*name, chain.state(tx))
        );
    }
    let mut sorted: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    sorted.sort();
    assert_eq!(store.databases(), Ok(sorted));
    let count = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!(
        (count(place.path()), count(&place.path().join("dir"))),
        (1, 1)
    );
}

#[test]
fn servers_have_a_directory_each_whatever_they_are_called() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let servers = ["a", "A", "../a", "a/b", "", "a:1"];
    for (server, tx) in servers.iter().zip(1..) {
        let server = server.to_string();
        let store = Store::open(
            &Location {
                server,
                ..location(&place)
            },
            at(0),
        )
        .unwrap();
        store
            .first_sight("db", &chain.seen(tx), How::FirstSeen, at(1))
            .unwrap();
    }
    assert_eq!(
        fs::read_dir(place.path().join("dir")).unwrap().count(),
        servers.len()
    );
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn files_of_another_server_or_database_are_not_believed() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = open(&place);
    grown(&store, &chain);
    for ending in ["state", "history"] {
        fs::copy(
            file(&place, &format!("db.{ending}")),
            file(&place, &format!("other.{ending}")),
        )
        .unwrap();
    }
    assert!(matches!(
        store.load("other"),
        Err(LocalFailure::Damaged { .. })
    ));
    drop(store);
    let elsewhere = Location {
        server: "b".into(),
        ..location(&place)
    };
    fs::rename(home(&place), place.path().join("dir/b")).unwrap();
    assert!(matches!(
        Store::open(&elsewhere, at(0)),
        Err(LocalFailure::DamagedRecord { .. })
    ));
    let store = Store::open_beside(&elsewhere).unwrap();
    assert!(matches!(
        store.load("db"),
        Err(LocalFailure::Damaged { .. })
    ));
}

#[test]
fn an_identity_known_under_another_name_is_told() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let first = open(&place);
    first
        .first_sight("db", &chain.seen(3), How::FirstSeen, at(3))
        .unwrap();
    let uuid = chain.seen(3).uuid.unwrap();
    assert_eq!(first.known_elsewhere(&uuid), Ok(vec![]));
    let second = Store::open(
        &Location {
            server: "b".into(),
            ..location(&place)
        },
        at(0),
    )
    .unwrap();
    let known = second.known_elsewhere(&uuid).unwrap();
    assert_eq!(
        (known[0].server.as_str(), known[0].since),
        ("127.0.0.1:3322", at(3))
    );
    assert_eq!(second.known_elsewhere("another"), Ok(vec![]));
}

// ---- locks and permissions

#[test]
fn a_second_auditor_is_refused_by_name_and_let_in_after_the_first() {
    let place = Place::new();
    let first = open(&place);
    let refused = Store::open(&location(&place), at(0))
        .unwrap_err()
        .to_string();
    for part in [
        "127.0.0.1:3322".to_string(),
        format!("process {}", std::process::id()),
        home(&place).display().to_string(),
    ] {
        assert!(refused.contains(&part), "{part} is not in: {refused}");
    }
    drop(first);
    open(&place);
}

#[test]
fn nothing_is_opened_beside_no_auditor() {
    let place = Place::new();
    let refused = Store::open_beside(&location(&place)).unwrap_err();
    assert!(matches!(refused, LocalFailure::NoDirectory { .. }));
    assert!(!place.path().join("dir").exists());
}

#[test]
fn files_are_their_owners_alone_and_a_looser_one_is_named() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let mut store = open(&place);
    let trusted = grown(&store, &chain);
    store
        .raise(&finding(Some(&trusted), Tampering::Value, None), at(6))
        .unwrap();
    store.save_outcomes(&[]).unwrap();
    assert_eq!(store.warnings(), vec![]);
    let mut paths = vec![place.path().join("dir")];
    while let Some(path) = paths.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        if path.is_dir() {
            paths.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            assert_eq!(mode, 0o700, "{}", path.display());
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
    let loose = file(&place, "db.state");
    fs::set_permissions(&loose, fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(home(&place), fs::Permissions::from_mode(0o755)).unwrap();
    let warnings = beside(&place).warnings();
    for (path, mode) in [(loose, 0o640), (home(&place), 0o755)] {
        assert!(
            warnings.contains(&Warning::Loose { path, mode }),
            "{warnings:?}"
        );
    }
}

// ---- damage

/// Every way to change one file a little.
fn changes(whole: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let cut = (0..whole.len()).map(|length| (format!("cut to {length}"), whole[..length].to_vec()));
    let flipped = (0..whole.len() * 8).map(|bit| {
        let mut changed = whole.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {} of byte {}", bit % 8, bit / 8), changed)
    });
    let zeroed = (0..whole.len()).map(|from| {
        let mut changed = whole.to_vec();
        changed[from..].fill(0);
        (format!("zeros from {from}"), changed)
    });
    cut.chain(flipped).chain(zeroed)
}

#[test]
fn a_state_file_changed_in_any_way_is_a_local_failure() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    let path = file(&place, "db.state");
    let whole = fs::read(&path).unwrap();
    for (change, bytes) in changes(&whole) {
        fs::write(&path, bytes).unwrap();
        let failure = store.load("db").expect_err(&change);
        assert!(
            matches!(failure, LocalFailure::Damaged { .. }),
            "{change}: {failure}"
        );
    }
    let told = store.load("db").unwrap_err().to_string();
    let pin = format!("--pin db:{}", trusted.state);
    assert!(told.contains(&pin) && told.contains("db.state"), "{told}");
    let refused = store.first_sight("db", &chain.seen(9), How::FirstSeen, at(9));
    assert!(matches!(refused, Err(LocalFailure::Damaged { .. })));
    let refused = store.advance(&trusted, &chain.prove(5, 6), &chain.seen(6), at(9));
    assert!(matches!(refused, Err(LocalFailure::Damaged { .. })));
}

#[test]
fn a_history_changed_in_any_way_never_changes_what_is_trusted() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    let path = file(&place, "db.history");
    let whole = fs::read(&path).unwrap();
    let (mut believed, mut refused) = (0, 0);
    for (change, bytes) in changes(&whole) {
        fs::write(&path, bytes).unwrap();
        match store.load("db") {
            Ok(Some(found)) => {
                assert_eq!(found, trusted, "{change}");
                believed += 1;
            }
            Ok(None) => panic!("{change}: a first sight"),
            Err(LocalFailure::Damaged { .. } | LocalFailure::Disagree { .. }) => refused += 1,
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
    let place = Place::new();
    let (mut store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    let path = file(&place, "db.history");
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
fn a_missing_file_is_a_local_failure_and_no_first_sight() {
    for name in ["db.state", "db.history"] {
        let place = Place::new();
        let (store, chain) = (open(&place), Chain::new(9, 1));
        grown(&store, &chain);
        fs::remove_file(file(&place, name)).unwrap();
        assert!(
            matches!(store.load("db"), Err(LocalFailure::Missing { .. })),
            "{name}"
        );
        let refused = store.first_sight("db", &chain.seen(9), How::FirstSeen, at(9));
        assert!(
            matches!(refused, Err(LocalFailure::Missing { .. })),
            "{name}"
        );
    }
}

#[test]
fn an_alarm_remembers_that_something_was_trusted() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    store
        .raise(&finding(Some(&trusted), Tampering::Value, None), at(6))
        .unwrap();
    for name in ["db.state", "db.history"] {
        fs::remove_file(file(&place, name)).unwrap();
    }
    assert!(matches!(
        store.load("db"),
        Err(LocalFailure::Missing { .. })
    ));
    store.pin("db", trusted.state, at(7)).unwrap();
    assert_eq!(store.load("db").unwrap().unwrap().state, trusted.state);
}

#[test]
fn a_link_or_a_directory_in_the_place_of_a_file_is_not_followed() {
    for name in ["db.state", "db.history", "db.alarms"] {
        for link in [true, false] {
            let place = Place::new();
            let (store, chain) = (open(&place), Chain::new(9, 1));
            let trusted = grown(&store, &chain);
            store
                .raise(&finding(Some(&trusted), Tampering::Value, None), at(6))
                .unwrap();
            let (path, moved) = (file(&place, name), place.path().join("moved"));
            fs::rename(&path, &moved).unwrap();
            if link {
                symlink(&moved, &path).unwrap();
            } else {
                fs::create_dir(&path).unwrap();
            }
            let failure = match name {
                "db.alarms" => store.open_alarms(Some("db")).unwrap_err(),
                _ => store.load("db").unwrap_err(),
            };
            assert!(
                matches!(failure, LocalFailure::NotAFile { .. }),
                "{name}: {failure}"
            );
            let refused = store.first_sight("db", &chain.seen(9), How::FirstSeen, at(9));
            assert!(refused.is_err());
        }
    }
}

#[test]
fn a_link_in_the_place_of_the_servers_directory_is_not_followed() {
    let place = Place::new();
    drop(open(&place));
    fs::rename(home(&place), place.path().join("moved")).unwrap();
    symlink(place.path().join("moved"), home(&place)).unwrap();
    let refused = Store::open(&location(&place), at(0)).unwrap_err();
    assert!(
        matches!(refused, LocalFailure::NotAFile { .. }),
        "{refused}"
    );
}

#[test]
fn an_older_state_file_is_rolled_forward() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let before = grown(&store, &chain);
    let path = file(&place, "db.state");
    let older = fs::read(&path).unwrap();
    let after = store
        .advance(&before, &chain.prove(5, 7), &chain.seen(7), at(9))
        .unwrap();
    fs::write(&path, older).unwrap();
    assert_eq!(store.load("db"), Ok(Some(after.clone())));
    let refused = store.advance(&before, &chain.prove(5, 6), &chain.seen(6), at(9));
    assert!(matches!(refused, Err(LocalFailure::Changed { .. })));
    store
        .advance(&after, &chain.prove(7, 8), &chain.seen(8), at(9))
        .unwrap();
    assert_eq!(store.load("db").unwrap().unwrap().state, chain.state(8));
}

#[test]
fn an_older_history_is_a_local_failure() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let before = grown(&store, &chain);
    let path = file(&place, "db.history");
    let older = fs::read(&path).unwrap();
    store
        .advance(&before, &chain.prove(5, 7), &chain.seen(7), at(9))
        .unwrap();
    fs::write(&path, older).unwrap();
    assert!(matches!(
        store.load("db"),
        Err(LocalFailure::Disagree { .. })
    ));
}

/// Whole files, each with its checksum, of two directories of one server.
#[test]
fn a_state_that_its_history_does_not_tell_of_is_a_local_failure() {
    let chain = Chain::new(9, 1);
    let proven = |to: u64, time: u64| {
        let there = Place::new();
        let store = open(&there);
        let seen = chain.seen(3);
        let first = store.first_sight("db", &seen, How::FirstSeen, at(3));
        store
            .advance(
                &first.unwrap(),
                &chain.prove(3, to),
                &chain.seen(to),
                at(time),
            )
            .unwrap();
        fs::read(file(&there, "db.state")).unwrap()
    };
    let first_seen = {
        let there = Place::new();
        let store = open(&there);
        let seen = chain.seen(5);
        store
            .first_sight("db", &seen, How::FirstSeen, at(5))
            .unwrap();
        fs::read(file(&there, "db.state")).unwrap()
    };
    // here transaction 5 was proven in second 5
    let mixed_up = [
        ("another way to the same state", first_seen, false),
        ("another time", proven(5, 9), false),
        ("another state", proven(6, 5), false),
        ("an older state, and a torn line", proven(4, 7), true),
        ("the same state, and a torn line", proven(5, 9), true),
    ];
    for (what, state, torn) in mixed_up {
        let here = Place::new();
        let store = open(&here);
        grown(&store, &chain);
        fs::write(file(&here, "db.state"), state).unwrap();
        if torn {
            let path = file(&here, "db.history");
            let history = fs::read(&path).unwrap();
            fs::write(&path, [&history[..], b"2026-11-22T"].concat()).unwrap();
        }
        let loaded = store.load("db");
        let disagree = matches!(loaded, Err(LocalFailure::Disagree { .. }));
        assert!(disagree, "{what}: {loaded:?}");
    }
}

#[test]
fn one_databases_damage_stops_no_other() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    grown(&store, &chain);
    let other = store
        .first_sight("other", &chain.seen(3), How::FirstSeen, at(3))
        .unwrap();
    fs::write(file(&place, "db.state"), "").unwrap();
    fs::write(file(&place, "db.state.new"), "half").unwrap();
    drop(store);
    let store = open(&place);
    assert!(store.load("db").is_err());
    assert_eq!(store.load("other"), Ok(Some(other)));
}

// ---- pins

#[test]
fn a_pin_starts_a_database_and_repeating_it_is_harmless() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let pinned = store.pin("db", chain.state(3), at(3)).unwrap();
    assert_eq!(
        (pinned.how.clone(), pinned.state),
        (How::Pinned, chain.state(3))
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
        let place = Place::new();
        let (store, chain) = (open(&place), Chain::new(9, 1));
        let trusted = grown(&store, &chain);
        damage(&file(&place, name));
        let failure = store.load("db").unwrap_err();
        for other in [chain.state(4), chain.state(6), Chain::new(9, 2).state(5)] {
            let refused = store.pin("db", other, at(8));
            assert!(
                matches!(refused, Err(LocalFailure::OtherPin { .. })),
                "{name}"
            );
            assert_eq!(store.load("db").unwrap_err(), failure);
        }
        let repaired = store.pin("db", trusted.state, at(8)).unwrap();
        assert_eq!(
            (repaired.state, repaired.how.clone()),
            (trusted.state, How::Pinned)
        );
        assert_eq!(store.load("db"), Ok(Some(repaired.clone())), "{name}");
        store
            .advance(&repaired, &chain.prove(5, 6), &chain.seen(6), at(9))
            .unwrap();
    }
}

#[test]
fn a_repair_keeps_the_damaged_file() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    fs::write(file(&place, "db.state"), "edited").unwrap();
    store.pin("db", trusted.state, at(8)).unwrap();
    assert_eq!(
        fs::read(file(&place, "db.state.damaged")).unwrap(),
        b"edited"
    );
    assert_eq!(store.history("db").unwrap().len(), 4);
}

// ---- alarms

#[test]
fn a_finding_is_an_open_alarm_with_evidence_until_it_is_accepted() {
    let place = Place::new();
    let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
    let trusted = grown(&store, &chain);
    let found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let alarm = store.raise(&found, at(6)).unwrap();
    assert_eq!(alarm.id.len(), 12);
    assert_eq!(store.open_alarms(None), Ok(vec![alarm.clone()]));
    drop(store);
    let store = open(&place);
    assert_eq!(store.open_alarms(Some("db")), Ok(vec![alarm.clone()]));
    let evidence = read_evidence(&alarm);
    assert_eq!(evidence.server, "127.0.0.1:3322");
    assert_eq!((evidence.found, evidence.alarm), (at(6), alarm.id.clone()));
    assert_eq!(evidence.finding.trusted, Some(trusted));
    assert_eq!(evidence.answers[0].answer, found.answers[0]);
    let accepted = beside(&place).accept("db", &alarm.id, "kim", at(7));
    let adopted = match accepted.unwrap().acceptance {
        Acceptance::Adopted(adopted) => adopted,
        other => panic!("{other:?}"),
    };
    assert_eq!(adopted.state, fork.state(6));
    assert_eq!(
        adopted.how,
        How::Adopted {
            alarm: alarm.id.clone()
        }
    );
    assert_eq!(store.load("db"), Ok(Some(adopted)));
    assert_eq!(store.open_alarms(None), Ok(vec![]));
    let closed = store.all_alarms("db").unwrap()[0].closed.clone().unwrap();
    assert_eq!((closed.who.as_str(), closed.when), ("kim", at(7)));
    let again = store.accept("db", &alarm.id, "kim", at(8));
    assert!(matches!(again, Err(LocalFailure::NoAlarm { .. })));
}

fn read_evidence(alarm: &Alarm) -> Evidence {
    Evidence::parse(&fs::read(&alarm.evidence).unwrap()).unwrap()
}

#[test]
fn the_same_finding_again_only_counts_up() {
    let place = Place::new();
    let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
    let trusted = grown(&store, &chain);
    let mut found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let first = store.raise(&found, at(6)).unwrap();
    let evidence = fs::read(&first.evidence).unwrap();
    found.reason = "linear proof at transaction 77: another detail".into();
    found.answers.clear();
    let second = store.raise(&found, at(7)).unwrap();
    assert_eq!((second.id.as_str(), second.times), (first.id.as_str(), 2));
    assert_eq!((second.raised, second.last_seen), (at(6), at(7)));
    assert_eq!(fs::read(&first.evidence).unwrap(), evidence);
    assert_eq!(store.open_alarms(None), Ok(vec![second]));
}

#[test]
fn an_open_alarm_does_not_freeze_the_trust() {
    let place = Place::new();
    let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
    let trusted = grown(&store, &chain);
    let found = finding(Some(&trusted), Tampering::Inconsistent, Some(fork.state(6)));
    let alarm = store.raise(&found, at(6)).unwrap();
    let after = store
        .advance(&trusted, &chain.prove(5, 6), &chain.seen(6), at(7))
        .unwrap();
    assert_eq!(store.open_alarms(None).unwrap().len(), 1);
    // what replaced the trusted state by proof is not given up for a lie of then
    let accepted = store.accept("db", &alarm.id, "kim", at(8)).unwrap();
    assert_eq!(accepted.acceptance, Acceptance::Overtaken);
    assert_eq!(store.load("db"), Ok(Some(after)));
    assert_eq!(store.open_alarms(None), Ok(vec![]));
}

#[test]
fn accepting_one_of_many_states_of_a_rewritten_history_closes_the_others_with_it() {
    let place = Place::new();
    let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
    let trusted = grown(&store, &chain);
    let raise = |kind, tx, trusted| {
        let found = finding(Some(trusted), kind, Some(fork.state(tx)));
        store.raise(&found, at(6)).unwrap()
    };
    let first = raise(Tampering::Inconsistent, 6, &trusted);
    let last = raise(Tampering::Inconsistent, 8, &trusted);
    let value = raise(Tampering::Value, 7, &trusted);
    let accepted = store.accept("db", &last.id, "kim", at(7)).unwrap();
    assert_eq!(accepted.closed_with_it, std::slice::from_ref(&first.id));
    let open: Vec<String> = store
        .open_alarms(None)
        .unwrap()
        .into_iter()
        .map(|a| a.id)
        .collect();
    assert_eq!(open, [value.id]);
    assert_eq!(store.load("db").unwrap().unwrap().state, fork.state(8));
}

#[test]
fn accepting_an_emptied_or_vanished_database_forgets_it() {
    for shown in [None, Some(State::EMPTY)] {
        let place = Place::new();
        let (store, chain) = (open(&place), Chain::new(9, 1));
        let trusted = grown(&store, &chain);
        let alarm = store
            .raise(
                &finding(Some(&trusted), Tampering::RolledBack, shown),
                at(6),
            )
            .unwrap();
        let accepted = store.accept("db", &alarm.id, "kim", at(7)).unwrap();
        assert_eq!(accepted.acceptance, Acceptance::Forgotten(trusted.state));
        assert_eq!(store.load("db"), Ok(None));
        let last = store.history("db").unwrap().pop().unwrap();
        assert_eq!(last.change, Change::Forgotten { alarm: alarm.id });
        let seen = store
            .first_sight("db", &chain.seen(2), How::FirstSeen, at(8))
            .unwrap();
        assert_eq!(store.load("db"), Ok(Some(seen)));
        assert_eq!(store.history("db").unwrap().len(), 5);
    }
}

#[test]
fn accepting_what_says_nothing_about_the_state_only_closes_it() {
    for kind in [Tampering::Signature, Tampering::Value, Tampering::SplitView] {
        let place = Place::new();
        let (store, chain, fork) = (open(&place), Chain::new(9, 1), Chain::new(9, 2));
        let trusted = grown(&store, &chain);
        let found = finding(Some(&trusted), kind, Some(fork.state(6)));
        let alarm = store.raise(&found, at(6)).unwrap();
        let accepted = store.accept("db", &alarm.id, "kim", at(7)).unwrap();
        assert_eq!(accepted.acceptance, Acceptance::Closed);
        assert_eq!(store.load("db"), Ok(Some(trusted)));
        assert_eq!(store.open_alarms(None), Ok(vec![]));
        // found again after that, it is open again
        let again = store.raise(&found, at(8)).unwrap();
        assert_eq!(store.open_alarms(None), Ok(vec![again]));
    }
}

#[test]
fn an_alarm_whose_list_is_lost_is_open_by_its_evidence() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    let alarm = store
        .raise(&finding(Some(&trusted), Tampering::Value, None), at(6))
        .unwrap();
    fs::remove_file(file(&place, "db.alarms")).unwrap();
    assert_eq!(store.open_alarms(None), Ok(vec![alarm]));
}

#[test]
fn a_damaged_list_of_alarms_is_a_local_failure_and_the_evidence_is_written_all_the_same() {
    let place = Place::new();
    let (store, chain) = (open(&place), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    let alarm = store
        .raise(&finding(Some(&trusted), Tampering::Value, None), at(6))
        .unwrap();
    let path = file(&place, "db.alarms");
    let whole = fs::read(&path).unwrap();
    for (change, bytes) in changes(&whole) {
        fs::write(&path, bytes).unwrap();
        let failure = store.open_alarms(Some("db")).expect_err(&change);
        assert!(
            matches!(failure, LocalFailure::DamagedRecord { .. }),
            "{change}: {failure}"
        );
    }
    let other = finding(Some(&trusted), Tampering::Signature, None);
    assert!(store.raise(&other, at(7)).is_err());
    let evidence = alarm
        .evidence
        .with_file_name(format!("{}.toml", other.id()));
    assert!(Evidence::parse(&fs::read(evidence).unwrap()).is_ok());
}

#[test]
fn evidence_is_bounded_and_keeps_the_first_and_the_last() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = open(&place).with_limits(Limits {
        files_of_a_database: 5,
        ..Limits::default()
    });
    let trusted = grown(&store, &chain);
    let shown = |tx| {
        Some(State {
            tx,
            hash: trusted.state.hash,
        })
    };
    let found = |tx| finding(Some(&trusted), Tampering::Inconsistent, shown(tx));
    let alarms: Vec<Alarm> = (10..30)
        .map(|tx| store.raise(&found(tx), at(tx)).unwrap())
        .collect();
    let open = store.open_alarms(None).unwrap();
    assert_eq!(open.len(), 5);
    assert_eq!(open.first(), alarms.first());
    assert_eq!(open.last(), alarms.last());
    assert_eq!(open.last().unwrap().displaced, 15);
    for alarm in &open {
        read_evidence(alarm);
    }
    let kept = fs::read_dir(open[0].evidence.parent().unwrap())
        .unwrap()
        .count();
    assert_eq!(kept, 5);
}

#[test]
fn answers_too_long_are_cut_and_those_too_many_counted() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let limits = Limits {
        answer: 1_000,
        answers: 5_000,
        ..Limits::default()
    };
    let store = open(&place).with_limits(limits);
    let trusted = grown(&store, &chain);
    let mut found = finding(Some(&trusted), Tampering::Inconsistent, None);
    let mut answer = found.answers[0].clone();
    answer.reply = Ok(vec![9; 100_000]);
    found.answers = vec![answer; 20];
    let evidence = read_evidence(&store.raise(&found, at(6)).unwrap());
    assert!(evidence.answers.len() >= 3);
    assert_eq!(
        evidence.left_out,
        20 - u64::try_from(evidence.answers.len()).unwrap()
    );
    assert_eq!(evidence.answers[0].cut_from, Some(100_000));
    assert_eq!(evidence.answers[0].answer.reply, Ok(vec![9; 1_000]));
}

#[test]
fn a_full_evidence_directory_still_leaves_the_alarm_open() {
    let place = Place::new();
    let chain = Chain::new(9, 1);
    let store = open(&place).with_limits(Limits {
        files: 0,
        ..Limits::default()
    });
    let trusted = grown(&store, &chain);
    let refused = store.raise(&finding(Some(&trusted), Tampering::Value, None), at(6));
    assert!(matches!(refused, Err(LocalFailure::EvidenceFull { .. })));
    assert_eq!(store.open_alarms(None).unwrap().len(), 1);
}

// ---- last verdicts

#[test]
fn last_verdicts_live_through_a_restart_and_a_damaged_file_is_a_warning() {
    let place = Place::new();
    let outcomes = vec![OutcomeRecord {
        database: "db\n".into(),
        verdict: "consistent".into(),
        reason: String::new(),
        checked: at(5),
        proven: Some(at(4)),
        grown: None,
    }];
    open(&place).save_outcomes(&outcomes).unwrap();
    let mut store = open(&place);
    assert_eq!(store.load_outcomes(), outcomes);
    assert_eq!(store.warnings(), vec![]);
    let path = file(&place, "outcomes");
    fs::write(&path, "x").unwrap();
    assert_eq!(store.load_outcomes(), vec![]);
    assert_eq!(store.warnings(), vec![Warning::BegunAnew { path }]);
}
