//! A paced sweep under cron: every run is a new process, and the next run continues the sweep.

use std::time::Duration;

use crate::support::program::{Program, member};
use crate::support::temp_dir::TempDir;
use crate::support::value_scene::{Scene, cycle};
use immuaudit::audit::{Overdue, Policy};
use immuaudit::config::{NewValues, Values};
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};

const DB: &str = "defaultdb";

struct Cron {
    server: Embedded,
    _folder: TempDir,
    program: Program,
}

/// Returns a ledger of a hundred transactions and a program that reads values only by its sweep.
fn cron(sweep: &str) -> Cron {
    let server = Embedded::start(Options::default()).expect("a ledger");
    server.grow(DB, 100);
    let folder = TempDir::new();
    let program = Program::new(server.port(), &folder.join("state"));
    let program = program.with(&["--audit-sample", "0", "--audit-sweep", sweep]);
    Cron {
        server,
        _folder: folder,
        program,
    }
}

#[test]
fn a_single_run_continues_the_paced_sweep() {
    let cron = cron("1s");
    cron.program.once().is(0, DB, "first-seen");
    let status = cron.program.run(&["status"]);
    let text = &status.ends_with(0).stdout;
    assert!(
        text.contains("100 of 100 transactions read with all values"),
        "{text}"
    );
    assert!(text.contains("within a day: 100%"), "{text}");
}

#[test]
fn each_run_of_one_cycle_reads_its_part_of_a_long_sweep() {
    let cron = cron("1000h");
    let at = || {
        cron.program.once().ends_with(0);
        let status = cron.program.run(&["status", "--json"]);
        member(status.line(DB), "sweep_position").to_owned()
    };
    assert_ne!(at(), "null");
    let status = cron.program.run(&["status"]).stdout;
    assert!(status.contains("sweep in progress"), "{status}");
    // no sweep has ended yet, so none counts
    assert!(status.contains("within a day: 0.0%"), "{status}");
}

/// Otherwise the next run would begin the sweep of a database where this run did.
#[test]
fn a_single_run_stores_how_far_it_swept_each_database() {
    let cron = cron("1000h");
    cron.server.create_database("other");
    cron.server.grow("other", 100);
    cron.program.once().ends_with(0);
    let status = cron.program.run(&["status", "--json"]);
    for database in [DB, "other"] {
        let at = member(status.line(database), "sweep_position");
        assert_ne!(at, "null", "{database}: {status:#?}");
    }
}

#[test]
fn a_finding_of_the_sweep_is_the_exit_code_of_a_single_run() {
    let cron = cron("1s");
    let first = Program::new(cron.server.port(), &cron.program.dir);
    first.run(&["--once", "--audit-sample", "0"]).ends_with(0);
    cron.server
        .lie(LieSchedule::from(Lie::EditedValue).about(77));
    let run = cron.program.run(&["--once", "--quiet"]);
    run.ends_with(2);
    assert!(run.stdout.contains("transaction 77"), "{run:#?}");
    cron.program.open_alarm(DB);
}

#[test]
fn a_sweep_that_never_ends_becomes_overdue_over_several_processes() {
    let scene = Scene::of_sixty();
    let overdue = || {
        let mut auditor = scene.auditor_with(Policy {
            values: Values {
                sample: 0,
                new: NewValues::Sampled,
                sweep: Some(Duration::from_secs(1)),
            },
            interval: Duration::from_millis(500),
            ..Policy::of_consistency()
        });
        cycle(&mut auditor).values_overdue
    };
    assert_eq!(overdue(), None);
    std::thread::sleep(Duration::from_secs(4));
    let late = overdue();
    assert!(matches!(late, Some(Overdue::Unswept(_))), "{late:?}");
}
