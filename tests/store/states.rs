//! Trusted states in files. Only a proven state replaces a trusted one, no name leads to another
//! directory, one auditor at a time writes, and only the owner can read the files.

use std::fs;
use std::path::Path;

use crate::support::chain::Chain;
use crate::support::temp_dir::TempDir;
use crate::support::trust_files::{
    at, file, finding, grown, grown_store, home, location, open, second_store,
};
use immuaudit::ledger::{Signature, State};
use immuaudit::trust::{
    Change, Location, OutcomeRecord, Store, StoreError, Tampering, TrustOrigin, Warning,
};

// ---- trusted states

#[test]
fn a_state_is_trusted_at_first_use_and_stays_trusted() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = open(&folder);
    assert_eq!(store.load("db"), Ok(None));
    assert_eq!(store.databases(), Ok(vec![]));
    let mut seen = chain.seen(3);
    seen.signature = Some(Signature {
        public_key: vec![4; 65],
        der: vec![48, 1, 2],
    });
    let trusted = store
        .first_use("db", &seen, TrustOrigin::FirstSeen, at(1))
        .unwrap();
    assert_eq!(trusted.signature, seen.signature);
    assert_eq!(store.load("db"), Ok(Some(trusted.clone())));
    assert_eq!(store.databases(), Ok(vec!["db".into()]));
    drop(store);
    assert_eq!(open(&folder).load("db"), Ok(Some(trusted)));
}

#[test]
fn a_second_first_use_is_refused() {
    let (_folder, store, chain, trusted) = grown_store();
    let refused = store.first_use("db", &chain.seen(9), TrustOrigin::FirstSeen, at(9));
    assert!(matches!(refused, Err(StoreError::AlreadyTrusted { .. })));
    assert_eq!(store.load("db"), Ok(Some(trusted)));
}

#[test]
fn a_proven_state_replaces_the_trusted_one_and_the_history_keeps_both() {
    let (_folder, store, chain, trusted) = grown_store();
    assert_eq!((trusted.since, trusted.accepted), (at(3), at(5)));
    let history = store.history("db").unwrap();
    let states: Vec<State> = history.iter().map(|entry| entry.state).collect();
    assert_eq!(states, [3, 4, 5].map(|tx| chain.state(tx)));
    assert_eq!(history[0].change, Change::Accepted(TrustOrigin::FirstSeen));
    assert_eq!(history[2].change, Change::Accepted(TrustOrigin::Proven));
}

#[test]
fn a_proof_of_other_states_replaces_nothing() {
    let (_folder, store, chain, trusted) = grown_store();
    for (proven, shown) in [(chain.prove(4, 6), 6), (chain.prove(5, 6), 7)] {
        let refused = store.advance(&trusted, &proven, &chain.seen(shown), at(9));
        assert!(matches!(refused, Err(StoreError::NotProven { .. })));
    }
    let other = Chain::new(9, 2);
    let refused = store.advance(&trusted, &other.prove(5, 6), &other.seen(6), at(9));
    assert!(matches!(refused, Err(StoreError::NotProven { .. })));
    assert_eq!(store.load("db"), Ok(Some(trusted)));
}

#[test]
fn a_change_by_another_command_is_not_overwritten() {
    let folder = TempDir::new();
    let (store, chain, fork) = (open(&folder), Chain::new(9, 1), Chain::new(9, 2));
    let before = grown(&store, &chain);
    let alarm = store
        .raise(
            &finding(Some(&before), Tampering::Inconsistent, Some(fork.state(6))),
            at(6),
        )
        .unwrap();
    second_store(&folder)
        .adopt(&alarm.id, "kim", at(7))
        .unwrap();
    let refused = store.advance(&before, &chain.prove(5, 6), &chain.seen(6), at(8));
    assert!(matches!(refused, Err(StoreError::Changed { .. })));
    let refused = store.note_identity(&before, Some("x"), at(8));
    assert!(matches!(refused, Err(StoreError::Changed { .. })));
    assert_eq!(store.load("db").unwrap().unwrap().state, fork.state(6));
}

#[test]
fn a_separate_directory_of_states_contains_no_alarms() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let roots = folder.path().join("roots");
    let location = Location {
        roots: Some(roots.clone()),
        ..location(&folder)
    };
    let store = Store::open(&location, at(0)).unwrap();
    let trusted = grown(&store, &chain);
    store
        .raise(&finding(Some(&trusted), Tampering::BadValue, None), at(6))
        .unwrap();
    assert!(roots.join("127%2e0%2e0%2e1%3a3322/db.state").is_file());
    assert!(file(&folder, "db.alarms").is_file() && !file(&folder, "db.state").exists());
    assert_eq!(store.databases(), Ok(vec!["db".into()]));
}

// ---- names

#[test]
fn no_database_name_leaves_the_directory_or_collides() {
    let folder = TempDir::new();
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
    let store = open(&folder);
    for (name, tx) in names.iter().zip(1..) {
        assert_eq!(store.load(name), Ok(None), "{name:?}");
        store
            .first_use(name, &chain.seen(tx), TrustOrigin::FirstSeen, at(1))
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
        (count(folder.path()), count(&folder.path().join("dir"))),
        (1, 1)
    );
}

#[test]
fn each_server_label_has_a_separate_directory() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let servers = ["a", "A", "../a", "a/b", "", "a:1"];
    for (server, tx) in servers.iter().zip(1..) {
        let server = server.to_string();
        let store = Store::open(
            &Location {
                server,
                ..location(&folder)
            },
            at(0),
        )
        .unwrap();
        store
            .first_use("db", &chain.seen(tx), TrustOrigin::FirstSeen, at(1))
            .unwrap();
    }
    assert_eq!(
        fs::read_dir(folder.path().join("dir")).unwrap().count(),
        servers.len()
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn files_of_another_server_or_database_are_refused() {
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let store = open(&folder);
    grown(&store, &chain);
    for ending in ["state", "history"] {
        fs::copy(
            file(&folder, &format!("db.{ending}")),
            file(&folder, &format!("other.{ending}")),
        )
        .unwrap();
    }
    assert!(matches!(
        store.load("other"),
        Err(StoreError::Damaged { .. })
    ));
    drop(store);
    let elsewhere = Location {
        server: "b".into(),
        ..location(&folder)
    };
    fs::rename(home(&folder), folder.path().join("dir/b")).unwrap();
    assert!(matches!(
        Store::open(&elsewhere, at(0)),
        Err(StoreError::DamagedRecord { .. })
    ));
    let store = Store::open_shared(&elsewhere).unwrap();
    assert!(matches!(store.load("db"), Err(StoreError::Damaged { .. })));
}

// ---- locks and permissions

#[test]
fn a_second_auditor_is_refused_until_the_first_one_ends() {
    let folder = TempDir::new();
    let first = open(&folder);
    let refused = Store::open(&location(&folder), at(0))
        .unwrap_err()
        .to_string();
    for part in [
        "127.0.0.1:3322".to_string(),
        format!("process {}", std::process::id()),
        home(&folder).display().to_string(),
    ] {
        assert!(refused.contains(&part), "{part} is not in: {refused}");
    }
    drop(first);
    open(&folder);
}

#[test]
fn following_the_advice_of_a_locked_directory_lets_a_second_auditor_run() {
    let folder = TempDir::new();
    let with = |dir: &str, roots: Option<&str>| Location {
        dir: folder.path().join(dir),
        roots: roots.map(|roots| folder.path().join(roots)),
        ..location(&folder)
    };
    for (first, second, advised, apart) in [
        (("a", None), ("a", None), "--dir", ("b", None)),
        (
            ("c", Some("r")),
            ("c", Some("r")),
            "--dir and --roots-filepath",
            ("d", Some("s")),
        ),
        (
            ("e", Some("t")),
            ("f", Some("t")),
            "--roots-filepath",
            ("f", Some("u")),
        ),
    ] {
        let _first = Store::open(&with(first.0, first.1), at(0)).unwrap();
        let refused = Store::open(&with(second.0, second.1), at(0)).unwrap_err();
        let advice = format!("or give this one another {advised}");
        assert!(refused.to_string().ends_with(&advice), "{refused}");
        Store::open(&with(apart.0, apart.1), at(0)).unwrap();
    }
}

#[test]
fn a_missing_directory_is_not_opened() {
    let folder = TempDir::new();
    let refused = Store::open_shared(&location(&folder)).unwrap_err();
    assert!(matches!(refused, StoreError::NoDirectory { .. }));
    assert!(!folder.path().join("dir").exists());
}

#[cfg(unix)]
#[test]
fn files_are_private_and_looser_modes_are_warned_about() {
    use immuaudit::sys::Open;
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new();
    let chain = Chain::new(9, 1);
    let mut store = open(&folder);
    let trusted = grown(&store, &chain);
    store
        .raise(&finding(Some(&trusted), Tampering::BadValue, None), at(6))
        .unwrap();
    store.save_outcomes(&[], &[]).unwrap();
    assert_eq!(store.warnings(), vec![]);
    let mut paths = vec![folder.path().join("dir")];
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
    let loose = file(&folder, "db.state");
    fs::set_permissions(&loose, fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(home(&folder), fs::Permissions::from_mode(0o755)).unwrap();
    let warnings = second_store(&folder).warnings();
    for (path, mode) in [(loose, 0o640), (home(&folder), 0o755)] {
        assert!(
            warnings.contains(&Warning::Loose {
                path,
                open: Open::of_mode(mode)
            }),
            "{warnings:?}"
        );
    }
}

// ---- last verdicts

#[test]
fn last_verdicts_survive_a_restart_and_damage_is_a_warning() {
    let folder = TempDir::new();
    let outcomes = vec![OutcomeRecord {
        database: "db\n".into(),
        verdict: "consistent".into(),
        reason: String::new(),
        checked: at(5),
        proven: Some(at(4)),
        unproven_since: Some(at(3)),
        grown: None,
        trusted_tx: Some(9),
        proven_state: None,
        listed: false,
        complete: false,
        absent: true,
        contradicted: true,
        open: false,
        slow: true,
        known: true,
        last_untrusted: Some(9),
    }];
    open(&folder).save_outcomes(&outcomes, &[]).unwrap();
    let mut store = open(&folder);
    assert_eq!(store.load_outcomes(), outcomes);
    assert_eq!(store.warnings(), vec![]);
    let path = file(&folder, "outcomes");
    fs::write(&path, "x").unwrap();
    assert_eq!(store.load_outcomes(), vec![]);
    assert_eq!(store.warnings(), vec![Warning::StartedOver { path }]);
}
