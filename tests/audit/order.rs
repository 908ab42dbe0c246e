//! The databases that a cycle checks, their order, and the report of databases that it does not
//! reach.

use std::time::Duration;

use crate::support::in_process;
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Cycle, CycleError, Outcome, Policy, Reason, SweepStatus, Verdict};
use immuaudit::config::{DatabaseFilter, FirstUse, Values};
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};
use immuaudit::trust::StoreError;

fn auditor(embedded: &Embedded, folder: &TempDir, policy: Policy) -> Auditor {
    let server = in_process::server_on(embedded.port());
    Auditor::new(server, in_process::store(folder.path()), policy)
}

fn policy() -> Policy {
    Policy::of_consistency()
}

fn selecting(entries: &[&str]) -> Policy {
    Policy {
        databases: DatabaseFilter::new(entries.iter().map(|name| (*name).to_owned()).collect()),
        ..policy()
    }
}

fn verdicts(cycle: &Cycle) -> Vec<(&str, Verdict)> {
    let outcomes = cycle.outcomes.iter();
    outcomes
        .map(|outcome| (outcome.database.as_str(), outcome.verdict))
        .collect()
}

fn names(cycle: &Cycle) -> Vec<&str> {
    let outcomes = cycle.outcomes.iter();
    outcomes.map(|outcome| outcome.database.as_str()).collect()
}

#[test]
fn trusted_databases_are_checked_first_and_new_ones_take_turns() {
    let new: Vec<String> = (0..30).map(|number| format!("a-{number:02}")).collect();
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).expect("a server");
    embedded.grow("defaultdb", 3);
    auditor(&embedded, &folder, policy()).cycle(|_| {});
    for name in &new {
        embedded.create_database(name);
        embedded.grow(name, 1);
    }
    let mut auditor = auditor(
        &embedded,
        &folder,
        Policy {
            interval: Duration::from_millis(50),
            first_use: FirstUse::Refuse, // the new databases stay untrusted
            ..policy()
        },
    );
    embedded.lie(Lie::Slow);
    let mut seen = std::collections::BTreeSet::new();
    let mut left_out = 0;
    for _ in 0..40 {
        let cycle = auditor.cycle(|_| {});
        assert_eq!(names(&cycle)[0], "defaultdb");
        assert_eq!(cycle.outcomes[0].verdict, Verdict::Consistent);
        seen.extend(names(&cycle).iter().map(|name| (*name).to_owned()));
        if cycle.not_reached > 0 {
            left_out += 1;
            assert!(
                cycle
                    .errors()
                    .any(|trouble| matches!(trouble, CycleError::NotReached(_)))
            );
            assert!(!cycle.is_complete());
        }
        if seen.len() == 31 {
            break;
        }
    }
    assert_eq!(seen.len(), 31, "each database is checked: {seen:?}");
    assert!(left_out > 0, "not all of them in one cycle");
}

#[test]
fn a_filter_entry_without_a_match_is_reported_with_exit_code_1() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).expect("a server");
    embedded.grow("defaultdb", 3);
    let mut auditor = auditor(&embedded, &folder, selecting(&["defaultdb", "paymets"]));
    let cycle = auditor.cycle(|_| {});
    assert_eq!(verdicts(&cycle), [("defaultdb", Verdict::FirstSeen)]);
    let reported: Vec<String> = cycle.errors().map(|trouble| trouble.to_string()).collect();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(
        reported[0].contains("\"paymets\" selects no database"),
        "{reported:?}"
    );
    assert!(!cycle.is_complete());
    assert_eq!(cycle.exit().code(), 1);
    embedded.create_database("paymets-eu");
    let cycle = auditor.cycle(|_| {});
    assert!(cycle.is_complete(), "{cycle:?}");
    assert_eq!(cycle.exit().code(), 0);
}

#[test]
fn a_filter_that_selects_no_database_is_incomplete() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).expect("a server");
    let mut auditor = auditor(&embedded, &folder, selecting(&["nothing"]));
    let cycle = auditor.cycle(|_| {});
    assert!(cycle.outcomes.is_empty());
    assert!(!cycle.is_complete());
    assert_eq!(cycle.exit().code(), 1);
    assert!(
        cycle
            .errors()
            .any(|trouble| matches!(trouble, CycleError::Nothing))
    );
}

/// For instance `systemdb`, which a superuser can open, although no list contains it.
#[test]
fn an_unlisted_selected_database_is_audited_and_not_hidden() {
    let folder = TempDir::new();
    for name in ["systemdb", "other"] {
        let embedded =
            Embedded::start(Options::default().with_databases(&[name])).expect("a server");
        embedded.grow(name, 3);
        embedded.lie(LieSchedule::from(Lie::Hidden).of(name));
        let folder = folder.join(name);
        std::fs::create_dir(&folder).expect("a directory");
        for (again, verdict) in [
            (false, Verdict::FirstSeen),
            (true, Verdict::Consistent),
            (true, Verdict::Consistent),
        ] {
            let server = in_process::server_on(embedded.port());
            let mut auditor = Auditor::new(
                server,
                in_process::store(folder.clone()),
                selecting(&[name]),
            );
            let cycle = auditor.cycle(|_| {});
            assert_eq!(verdicts(&cycle), [(name, verdict)], "{again}: {cycle:?}");
            assert!(cycle.is_complete(), "{cycle:?}");
            embedded.grow(name, 1);
        }
    }
}

#[test]
fn a_database_that_is_no_longer_listed_is_hidden() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default().with_databases(&["shop"])).expect("a server");
    embedded.grow("shop", 3);
    let mut auditor = auditor(&embedded, &folder, selecting(&["shop"]));
    auditor.cycle(|_| {});
    embedded.lie(LieSchedule::from(Lie::Hidden).of("shop"));
    let cycle = auditor.cycle(|_| {});
    assert!(
        matches!(cycle.outcomes[0].reason, Reason::Hidden),
        "{cycle:?}"
    );
}

/// The server was unavailable in the last check, so its verdict does not say whether a state was
/// trusted.
#[test]
fn files_lost_after_a_failed_check_are_not_a_first_use() {
    let folder = TempDir::new();
    let mut embedded = Embedded::start(Options::default()).expect("a server");
    embedded.grow("defaultdb", 3);
    auditor(&embedded, &folder, policy()).cycle(|_| {});
    embedded.stop();
    let cycle = auditor(&embedded, &folder, policy()).cycle(|_| {});
    assert_eq!(verdicts(&cycle), [("defaultdb", Verdict::Unreachable)]);
    embedded.restart().expect("a server");
    for ending in ["state", "history"] {
        let file = folder.join("tested").join(format!("defaultdb.{ending}"));
        std::fs::remove_file(file).expect("a file");
    }
    let lost = |outcome: &Outcome| matches!(outcome.reason, Reason::Local(StoreError::Lost { .. }));
    let cycle = auditor(&embedded, &folder, policy()).cycle(|_| {});
    assert!(lost(&cycle.outcomes[0]), "{cycle:?}");
    let cycle = auditor(&embedded, &folder, policy()).cycle(|_| {});
    assert!(
        lost(&cycle.outcomes[0]),
        "the next cycle fails too: {cycle:?}"
    );
}

#[test]
fn files_lost_during_a_run_are_not_a_first_use() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).expect("a server");
    embedded.grow("defaultdb", 3);
    let mut auditor = auditor(&embedded, &folder, policy());
    auditor.cycle(|_| {});
    for ending in ["state", "history"] {
        let file = folder.join("tested").join(format!("defaultdb.{ending}"));
        std::fs::remove_file(file).expect("a file");
    }
    let cycle = auditor.cycle(|_| {});
    assert_eq!(verdicts(&cycle), [("defaultdb", Verdict::LocalFailure)]);
}

/// The server hides the database at the same time. The local failure remains, in this run and in
/// the next one.
#[test]
fn lost_files_of_an_unlisted_database_stay_a_local_failure() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default().with_databases(&["shop"])).expect("a server");
    embedded.grow("shop", 3);
    let mut first = auditor(&embedded, &folder, policy());
    first.cycle(|_| {});
    for ending in ["state", "history"] {
        let file = folder.join("tested").join(format!("shop.{ending}"));
        std::fs::remove_file(file).expect("a file");
    }
    embedded.lie(LieSchedule::from(Lie::Hidden).of("shop"));
    let failed = [
        ("shop", Verdict::LocalFailure),
        ("defaultdb", Verdict::Empty),
    ];
    for _ in 0..2 {
        assert_eq!(verdicts(&first.cycle(|_| {})), failed);
    }
    drop(first);
    let cycle = auditor(&embedded, &folder, policy()).cycle(|_| {});
    assert_eq!(verdicts(&cycle), failed);
    embedded.be_honest();
    let cycle = auditor(&embedded, &folder, policy()).cycle(|_| {});
    assert_eq!(verdicts(&cycle), failed);
}

#[test]
fn an_unreadable_directory_loses_no_progress_in_memory() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).expect("a server");
    embedded.grow("defaultdb", 3);
    let policy = Policy {
        values: Values {
            sample: 2,
            ..Values::NONE
        },
        ..policy()
    };
    let mut auditor = auditor(&embedded, &folder, policy);
    auditor.cycle(|_| {});
    let read = |auditor: &Auditor| auditor.values_read("defaultdb").map_or(0, |of| of.read);
    let before = read(&auditor);
    assert!(before > 0);
    let (home, away) = (folder.join("tested"), folder.join("away"));
    std::fs::rename(&home, &away).expect("a directory");
    let cycle = auditor.cycle(|_| {});
    assert!(cycle.store_error.is_some(), "{cycle:?}");
    assert_eq!(cycle.exit().code(), 3);
    std::fs::rename(&away, &home).expect("a directory");
    let cycle = auditor.cycle(|_| {});
    assert!(cycle.is_complete(), "{cycle:?}");
    assert!(read(&auditor) > before, "the count continues");
}

#[test]
fn a_stalled_sweep_does_not_delay_the_others() {
    let folder = TempDir::new();
    let embedded =
        Embedded::start(Options::default().with_databases(&["a", "b"])).expect("a server");
    for name in ["a", "b", "defaultdb"] {
        embedded.grow(name, 20);
    }
    let policy = Policy {
        values: Values {
            sweep: Some(Duration::from_secs(1)),
            ..Values::NONE
        },
        ..policy()
    };
    let mut auditor = auditor(&embedded, &folder, policy);
    auditor.cycle(|_| {});
    // the server refuses the first database from now on
    embedded.lie(LieSchedule::from(Lie::PermissionTaken).of("a"));
    embedded.forget_tokens();
    std::thread::sleep(Duration::from_millis(1_100)); // every transaction is due by then
    let next = std::time::Instant::now() + Duration::from_secs(60);
    let (mut away, mut swept) = (0, Vec::new());
    for _ in 0..20 {
        let slice = auditor.sweep_at_pace(next);
        match slice.status {
            SweepStatus::ServerUnavailable(_) => away += 1,
            SweepStatus::Completed(_) => swept.push(slice.database),
            SweepStatus::NotDue => break,
            _ => {}
        }
    }
    assert_eq!((away, swept), (1, vec!["b".to_owned(), "defaultdb".into()]));
}

/// The calls of this database would take longer than a cycle may.
#[test]
fn a_database_that_never_answers_is_overdue_and_delays_no_other() {
    let folder = TempDir::new();
    let embedded =
        Embedded::start(Options::default().with_databases(&["a", "b"])).expect("a server");
    embedded.grow("a", 3);
    embedded.grow("b", 3);
    let policy = Policy {
        interval: Duration::from_millis(10),
        ..selecting(&["a", "b"])
    };
    let mut auditor =
        auditor(&embedded, &folder, policy).with_shortest_cycle(Duration::from_secs(2));
    auditor.cycle(|_| {});
    std::thread::sleep(Duration::from_millis(50)); // more than three intervals
    embedded.lie(LieSchedule::from(Lie::NeverAnswers).of("a"));
    for _ in 0..2 {
        let cycle = auditor.cycle(|_| {});
        let reported = [("b", Verdict::Consistent), ("a", Verdict::Unreachable)];
        assert_eq!(verdicts(&cycle), reported);
        let silent = &cycle.outcomes[1];
        assert!(matches!(silent.reason, Reason::TookTooLong), "{cycle:?}");
        assert!(silent.overdue.is_some(), "{cycle:?}");
        assert_eq!(cycle.exit().code(), 1);
    }
}

/// Each run is a new auditor, as under cron.
#[test]
fn the_turns_of_new_databases_continue_in_the_next_run() {
    let new: Vec<String> = (0..12).map(|number| format!("a-{number:02}")).collect();
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).expect("a server");
    for name in &new {
        embedded.create_database(name);
        embedded.grow(name, 1);
    }
    embedded.lie(Lie::Slow);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let policy = Policy {
            interval: Duration::from_millis(50),
            first_use: FirstUse::Refuse, // the new databases stay untrusted
            ..policy()
        };
        let cycle = auditor(&embedded, &folder, policy).cycle(|_| {});
        seen.extend(names(&cycle).iter().map(|name| (*name).to_owned()));
        if seen.len() == 13 {
            break;
        }
    }
    assert_eq!(seen.len(), 13, "{seen:?}");
}
