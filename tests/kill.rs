//! SIGKILL at every step of writing every file: nothing is lost, invented, or blocked.
//!
//! Each case runs this test binary again, with the work and the failpoint in its environment.

#![cfg(unix)] // SIGKILL

mod support;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use immuaudit::clock::Timestamp;
use immuaudit::ledger::State;
use immuaudit::trust::{
    Acknowledgement, Agreed, Begins, Behind, Disagreement, Due, Finding, Location, OutcomeRecord,
    PeerRecord, Retried, Searched, Store, SweepInProgress, SweepSummary, SweepTrigger, Tampering,
    TrustOrigin, TrustedState, Unavailable, ValueProgress, Waiting, failpoint,
};
use support::chain::Chain;
use support::temp_dir::TempDir;

const WORK: &str = "IMMUAUDIT_TEST_WORK";
const FOLDER: &str = "IMMUAUDIT_TEST_FOLDER";
const SIGKILL: i32 = 9;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    FirstUse,
    Advance,
    NoteIdentity,
    Raise,
    Adopt,
    Forget,
    SaveOutcomes,
    SaveProgress,
    SavePeers,
    Acknowledge,
}

const ALL: [Work; 10] = [
    Work::FirstUse,
    Work::Advance,
    Work::NoteIdentity,
    Work::Raise,
    Work::Adopt,
    Work::Forget,
    Work::SaveOutcomes,
    Work::SaveProgress,
    Work::SavePeers,
    Work::Acknowledge,
];

/// Returns the records of two peers: one with every field, and one with none.
fn peers() -> Vec<PeerRecord> {
    let record = PeerRecord {
        database: "db".into(),
        peer: "zone-a".into(),
        since: at(1),
        agreed: None,
        behind: None,
        waiting: None,
        disagreement: None,
        acknowledged: None,
        begins: None,
    };
    let state = chain().state(5);
    let note: std::sync::Arc<str> = "a note\n".into();
    let whole = PeerRecord {
        peer: "zone-b".into(),
        agreed: Some(Agreed {
            state,
            time: at(2),
            in_history: true,
        }),
        behind: Some(Behind {
            tx: 5,
            since: at(3),
        }),
        waiting: Some(Waiting {
            note: note.clone(),
            time: at(4),
            since: at(5),
        }),
        disagreement: Some(Disagreement {
            theirs: state,
            here: chain().state(6),
            trusted: chain().state(7),
            found: at(6),
            note,
        }),
        acknowledged: Some(at(7)),
        begins: Some(Begins {
            dated: at(90),
            by: at(7),
        }),
        ..record.clone()
    };
    vec![record, whole]
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_unix(1_795_319_313 + second)
}

fn open(dir: &Path) -> Store {
    let location = Location {
        dir: dir.into(),
        roots: None,
        server: "server".into(),
    };
    Store::open(&location, at(0)).unwrap()
}

fn chain() -> Chain {
    Chain::new(9, 1)
}

fn fork() -> State {
    Chain::new(9, 2).state(6)
}

fn finding(work: Work, trusted: &TrustedState) -> Finding {
    let (kind, shown) = match work {
        Work::Forget => (Tampering::RolledBack, None),
        _ => (Tampering::Inconsistent, Some(fork())),
    };
    Finding {
        database: "db".into(),
        kind,
        reason: "vanished".into(),
        trusted: Some(trusted.clone()),
        shown,
        uuid: None,
        identity_changed: false,
        claim: None,
        answers: vec![],
    }
}

/// Prepares the store: nothing, or transaction 5 trusted, and an alarm if the work needs one.
fn prepare(store: &Store, work: Work) -> Option<TrustedState> {
    if work == Work::FirstUse {
        return None;
    }
    let seen = chain().seen(5);
    let trusted = store
        .first_use("db", &seen, TrustOrigin::FirstSeen, at(5))
        .unwrap();
    if matches!(work, Work::Adopt | Work::Forget) {
        store.raise(&finding(work, &trusted), at(6)).unwrap();
    }
    Some(trusted)
}

fn advance(store: &Store, from: &TrustedState, tx: u64) -> TrustedState {
    let proven = chain().prove(from.state.tx, tx);
    store
        .advance(from, &proven, &chain().seen(tx), at(tx))
        .unwrap()
}

fn outcomes() -> Vec<OutcomeRecord> {
    vec![OutcomeRecord {
        database: "db".into(),
        verdict: "consistent".into(),
        reason: String::new(),
        checked: at(7),
        proven: None,
        unproven_since: None,
        grown: None,
        trusted_tx: Some(7),
        proven_state: None,
        listed: true,
        complete: true,
        absent: false,
        contradicted: false,
        open: false,
        slow: false,
        known: false,
        last_untrusted: None,
    }]
}

/// Returns the progress of reading values, with every field.
fn progress() -> Vec<ValueProgress> {
    let mut progress = ValueProgress::new("db", at(1));
    progress.new_to = Some(5);
    progress.read = 9;
    progress.behind_since = Some(at(3));
    progress.due.insert(
        3,
        4,
        Due {
            since: at(4),
            values_only: true,
        },
    );
    progress.retried = Some(Retried {
        since: at(4),
        tx: 3,
    });
    progress.cut_since = Some(at(5));
    progress.read_from = 3;
    progress.unproven_trees.insert(3, 3, ());
    progress.absent.insert(2, 2, ());
    progress.dropped.insert(2, 2, ());
    progress.whole.insert(1, 5, ());
    progress.truncated_before = 2;
    progress.searched = vec![Searched {
        from: 2,
        to: 5,
        before: chain().state(1).hash,
    }];
    progress.sweep = Some(SweepInProgress {
        begun: SweepTrigger::Manual,
        began: at(2),
        at: 5,
        hash: Some(chain().state(5).hash),
        read: "1 3-5".parse().expect("ranges"),
        unavailable: Unavailable::default(),
        peaks: vec![chain().state(1).hash, chain().state(2).hash],
    });
    progress.swept = Some(SweepSummary {
        began: at(1),
        ended: at(2),
        read: 4,
        unavailable: Unavailable {
            truncated: 1,
            expired: 2,
            documents: 3,
            unreadable: 4,
        },
        of: 5,
    });
    vec![progress, ValueProgress::new("other", at(3))]
}

fn run(store: &Store, work: Work) {
    let trusted = store.load("db").unwrap();
    match (work, trusted) {
        (Work::FirstUse, _) => {
            store
                .first_use("db", &chain().seen(5), TrustOrigin::FirstSeen, at(5))
                .unwrap();
        }
        (Work::Advance, Some(trusted)) => drop(advance(store, &trusted, 6)),
        (Work::NoteIdentity, Some(trusted)) => {
            store
                .note_identity(&trusted, Some("another"), at(7))
                .unwrap();
        }
        (Work::Raise, Some(trusted)) => drop(store.raise(&finding(work, &trusted), at(7)).unwrap()),
        (Work::Adopt | Work::Forget, _) => {
            let alarm = store.open_alarms(None).unwrap().remove(0);
            store.adopt(&alarm.id, "kim", at(7)).unwrap();
        }
        (Work::SaveOutcomes, _) => store.save_outcomes(&outcomes(), &[]).unwrap(),
        (Work::SaveProgress, _) => store.save_progress(&progress()).unwrap(),
        (Work::SavePeers, _) => store.save_peers(&peers()).unwrap(),
        (Work::Acknowledge, _) => {
            let change = Acknowledgement {
                absent_to: Some(4),
                unsigned: false,
                disagreement: false,
            };
            store.acknowledge("db", change, "kim", at(7)).unwrap();
        }
        (_, None) => panic!("nothing is trusted"),
    }
}

/// Checks the files after the kill, and that the work can be done then.
fn check(store: &mut Store, work: Work, before: Option<&TrustedState>, case: &str) {
    let found = store.load("db").expect(case);
    let state = found.as_ref().map(|trusted| trusted.state);
    let old = before.map(|trusted| trusted.state);
    let new = match work {
        Work::Advance => Some(chain().state(6)),
        Work::FirstUse => Some(chain().state(5)),
        Work::Adopt => Some(fork()),
        Work::Forget => None,
        _ => old,
    };
    assert!(state == old || state == new, "{case}: {state:?}");
    match work {
        Work::FirstUse if found.is_none() => run(store, work),
        Work::FirstUse | Work::NoteIdentity => {}
        Work::Advance => drop(advance(store, &found.expect(case), 7)),
        Work::Raise => {
            assert!(store.open_alarms(None).expect(case).len() <= 1, "{case}");
            run(store, work);
            assert_eq!(store.open_alarms(None).expect(case).len(), 1, "{case}");
        }
        Work::Adopt | Work::Forget => {
            let open = store.open_alarms(None).expect(case);
            assert!(
                state == new || !open.is_empty(),
                "{case}: the alarm is closed, but nothing was adopted"
            );
            for alarm in open {
                let adopted = store.adopt(&alarm.id, "kim", at(8)).expect(case);
                let state = adopted.trusted.map(|trusted| trusted.state);
                assert_eq!(state, new, "{case}");
            }
            assert_eq!(store.open_alarms(None), Ok(vec![]), "{case}");
        }
        Work::SaveOutcomes => {
            let outcomes = store.load_outcomes();
            assert!(
                outcomes.is_empty() || outcomes == self::outcomes(),
                "{case}"
            );
        }
        Work::SaveProgress => {
            let found = store.load_progress(at(100));
            assert!(found.is_empty() || found == progress(), "{case}");
        }
        Work::SavePeers => {
            let found = store.load_peers(at(100));
            assert!(found.is_empty() || found == peers(), "{case}");
        }
        Work::Acknowledge => {
            let found = store.acknowledged("db").expect(case).absent_to;
            assert!([0, 4].contains(&found), "{case}: {found}");
            run(store, work);
            assert_eq!(store.acknowledged("db").expect(case).absent_to, 4, "{case}");
        }
    }
    let state = store.load("db").expect(case).map(|trusted| trusted.state);
    match work {
        Work::Advance => assert_eq!(state, Some(chain().state(7)), "{case}"),
        _ => assert_eq!(state, new, "{case}"),
    }
    assert_eq!(store.warnings(), vec![], "{case}");
}

fn no_temporary_file_is_left(dir: &Path, case: &str) {
    for entry in fs::read_dir(dir).expect(case) {
        let path = entry.expect(case).path();
        if path.is_dir() {
            no_temporary_file_is_left(&path, case);
        }
        assert!(
            path.extension().is_none_or(|end| end != "new"),
            "{case}: {}",
            path.display()
        );
    }
}

#[test]
fn a_kill_at_any_step_loses_nothing_and_causes_no_first_use() {
    if let (Ok(work), Some(folder)) = (env::var(WORK), env::var_os(FOLDER)) {
        let work = ALL
            .into_iter()
            .find(|w| format!("{w:?}") == work)
            .expect("a kind of work");
        return run(&open(Path::new(&folder)), work); // the child process, which is killed
    }
    let mut reached = BTreeSet::new();
    for work in ALL {
        for point in failpoint::points() {
            let folder = TempDir::new();
            let before = prepare(&open(folder.path()), work);
            let status = Command::new(env::current_exe().expect("this binary"))
                .args([
                    "--exact",
                    "a_kill_at_any_step_loses_nothing_and_causes_no_first_use",
                ])
                .env(WORK, format!("{work:?}"))
                .env(FOLDER, folder.path())
                .env(failpoint::VARIABLE, &point)
                .stdout(Stdio::null())
                .status()
                .expect("a child");
            if status.signal() == Some(SIGKILL) {
                reached.insert(point.clone());
            } else {
                assert!(status.success(), "{work:?} without reaching {point}");
            }
            let case = format!("{work:?} killed at {point}");
            let mut store = open(folder.path());
            no_temporary_file_is_left(folder.path(), &case);
            // a warning about a torn line is reported once
            store.warnings();
            check(&mut store, work, before.as_ref(), &case);
        }
    }
    // notifications are not stored by the store: tests/kill_program.rs
    let of_the_store =
        |point: &String| !point.starts_with("Outbox") && !point.starts_with("Receivers");
    let all: BTreeSet<String> = failpoint::points()
        .into_iter()
        .filter(of_the_store)
        .collect();
    assert_eq!(reached, all, "points that no work reaches");
}
