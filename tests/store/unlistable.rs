//! A store that cannot be listed in the first cycle after a restart. The trusted databases are
//! unknown then, and nothing is forgotten because of that.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::in_process::about;
use crate::support::simulated::{Simulation, taking};
use immuaudit::audit::{Auditor, Cycle, Outcome, Overdue, Policy, Verdict};
use immuaudit::config::{FirstUse, Values};
use immuaudit::drill::Options;
use immuaudit::report::StatusRegistry;
use immuaudit::trust::Tampering;

const MINUTE: Duration = Duration::from_secs(60);
const QUICK: Duration = Duration::from_millis(10);

/// Databases whose values were read by an auditor that has ended.
struct Restarted {
    simulation: Simulation,
    names: Vec<String>,
}

impl Restarted {
    fn new(count: usize) -> Restarted {
        let names: Vec<String> = (0..count).map(|number| format!("db{number:02}")).collect();
        let of: Vec<&str> = names.iter().map(String::as_str).collect();
        let restarted = Restarted {
            simulation: Simulation::new(Options::default().with_databases(&of)),
            names,
        };
        let embedded = &restarted.simulation.embedded;
        embedded.drop_database("defaultdb");
        restarted
            .names
            .iter()
            .for_each(|name| embedded.grow(name, 9));
        let cycle = restarted.auditor(FirstUse::Trust).cycle(|_| {});
        assert!(cycle.is_complete(), "{cycle:?}");
        restarted.simulation.time.advance(10 * MINUTE);
        restarted
    }

    fn auditor(&self, first_use: FirstUse) -> Auditor {
        let policy = Policy {
            interval: MINUTE,
            first_use,
            values: Values {
                sample: 2,
                ..Values::NONE
            },
            ..Policy::of_consistency()
        };
        self.simulation.auditor(policy, taking(QUICK))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.simulation.folder.join("tested").join(name)
    }

    /// Removes the last verdicts and keeps the trusted states.
    fn lose_outcomes(&self) {
        fs::remove_file(self.file("outcomes")).expect("the last verdicts");
    }

    /// Runs a cycle while a file replaces a directory that is listed.
    fn unlistable(&self, auditor: &mut Auditor) -> Cycle {
        fs::write(self.file("evidence"), "no directory").expect("no directory yet");
        let cycle = auditor.cycle(|_| {});
        assert!(cycle.store_error.is_some(), "{cycle:?}");
        fs::remove_file(self.file("evidence")).expect("the file");
        cycle
    }
}

fn of<'a>(cycle: &'a Cycle, database: &str) -> &'a Outcome {
    let mut outcomes = cycle.outcomes.iter();
    let outcome = outcomes.find(|outcome| outcome.database == database);
    outcome.unwrap_or_else(|| panic!("{database}: {cycle:?}"))
}

fn read(auditor: &Auditor, database: &str) -> u64 {
    auditor.values_read(database).map_or(0, |of| of.read)
}

#[test]
fn databases_with_a_state_or_an_alarm_do_not_count_as_untrusted() {
    let restarted = Restarted::new(20);
    // an alarm that cannot be read counts as open
    let (alarmed, trusted) = restarted.names.split_last().expect("some");
    for ending in ["state", "history"] {
        let file = restarted.file(&format!("{alarmed}.{ending}"));
        fs::remove_file(file).expect("a file of a state");
    }
    fs::write(restarted.file(&format!("{alarmed}.alarms")), "damaged\n").expect("a file");
    fs::remove_file(restarted.file("values")).expect("the progress");
    restarted.lose_outcomes();
    let mut auditor = restarted.auditor(FirstUse::Refuse);
    let cycle = restarted.unlistable(&mut auditor);
    for name in trusted {
        let outcome = of(&cycle, name);
        assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
        assert!(!outcome.is_untrusted, "{outcome:?}");
    }
    assert!(!of(&cycle, alarmed).is_untrusted, "{cycle:?}");
    assert!(cycle.untrusted.is_empty(), "{cycle:?}");
}

/// Without any records, a database that the server does not list is not checked at all.
#[test]
fn an_unlisted_database_keeps_its_progress_and_its_status() {
    let restarted = Restarted::new(2);
    let gone = restarted.names[0].as_str();
    restarted.lose_outcomes();
    let mut auditor = restarted.auditor(FirstUse::Trust);
    let before = read(&auditor, gone);
    assert!(before > 0);
    let server = restarted.simulation.server(taking(QUICK));
    let registry = StatusRegistry::new(about(), server.calls());
    registry.restore(gone, None, 0, None);
    restarted.simulation.embedded.drop_database(gone);
    let cycle = restarted.unlistable(&mut auditor);
    assert!(
        cycle.outcomes.iter().all(|of| of.database != gone),
        "{cycle:?}"
    );
    registry.publish_cycle(&cycle, None);
    assert!(registry.snapshot().databases.contains_key(gone));
    assert_eq!(read(&auditor, gone), before);
    let cycle = auditor.cycle(|_| {});
    let vanished = Verdict::Tampered(Tampering::RolledBack);
    assert_eq!(of(&cycle, gone).verdict, vanished, "{cycle:?}");
    drop(auditor); // it has stored its progress
    assert_eq!(read(&restarted.auditor(FirstUse::Trust), gone), before);
}

#[test]
fn an_unlisted_database_with_a_last_verdict_is_overdue_immediately() {
    let restarted = Restarted::new(2);
    let gone = restarted.names[0].as_str();
    let mut auditor = restarted.auditor(FirstUse::Trust);
    restarted.simulation.embedded.drop_database(gone);
    for _ in 0..2 {
        let cycle = restarted.unlistable(&mut auditor);
        let overdue = &of(&cycle, gone).overdue;
        let since = 10 * MINUTE;
        assert!(
            matches!(overdue, Some(Overdue::Unproven(time)) if *time >= since),
            "{cycle:?}"
        );
        restarted.simulation.time.advance(MINUTE);
    }
}

/// After the first ones, outcomes of untrusted databases are only counted.
#[test]
fn many_databases_with_unreadable_files_keep_their_progress() {
    let restarted = Restarted::new(40);
    restarted.lose_outcomes();
    let mut auditor = restarted.auditor(FirstUse::Trust);
    let progress = |auditor: &Auditor| -> Vec<u64> {
        let names = restarted.names.iter();
        names.map(|name| read(auditor, name)).collect()
    };
    let before = progress(&auditor);
    assert!(before.iter().all(|read| *read > 0), "{before:?}");
    let home = restarted.simulation.folder.join("tested");
    let away = restarted.simulation.folder.join("away");
    fs::rename(&home, &away).expect("a directory");
    fs::write(&home, "no directory").expect("a file");
    let cycle = auditor.cycle(|_| {});
    assert!(cycle.store_error.is_some(), "{cycle:?}");
    assert_eq!(cycle.untrusted.len(), 40, "{cycle:?}");
    assert_eq!(progress(&auditor), before);
    fs::remove_file(&home).expect("the file");
    fs::rename(&away, &home).expect("a directory");
    let cycle = auditor.cycle(|_| {});
    assert!(cycle.is_complete(), "{cycle:?}");
    let after = progress(&auditor);
    assert!(
        after
            .iter()
            .zip(&before)
            .all(|(after, before)| after > before),
        "{after:?}"
    );
}
