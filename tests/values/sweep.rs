//! A sweep continues where it was stopped, keeps its pace, does not delay checks, and needs less
//! than 48 MiB.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::loud::loud;
use crate::support::program::Program;
use crate::support::value_scene::{DB, NONE, Scene, broken, cycle, sweep};
use immuaudit::audit::{SweepStatus, Verdict};
use immuaudit::config::Values;
use immuaudit::drill::{Lie, LieSchedule, Options};
use immuaudit::trust::SweepSummary;

#[test]
fn a_killed_sweep_continues_at_its_position() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 1_000);
    let mut auditor = scene.trusting();
    scene.embedded.lie(Lie::Slow);
    let SweepStatus::InProgress { at, of } = auditor.sweep(DB).status else {
        panic!("the sweep has not ended yet");
    };
    assert!(0 < at && at < of);
    drop(auditor);
    scene.embedded.be_honest();
    let mut auditor = scene.trusting();
    scene
        .embedded
        .lie(LieSchedule::from(Lie::EditedValue).about(at));
    let (swept, outcomes) = sweep(&mut auditor);
    assert!(outcomes.is_empty(), "read transactions are not read again");
    assert_eq!((swept.read, swept.of), (1_000, 1_000));
    // the next sweep starts from the beginning
    assert_eq!(broken(&sweep(&mut auditor).1[0]), [at]);
}

#[test]
fn damaged_or_missing_progress_starts_over() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 1_000);
    for damage in [&b"nonsense"[..], b""] {
        let mut auditor = scene.trusting();
        scene.embedded.lie(Lie::Slow);
        assert!(matches!(
            auditor.sweep(DB).status,
            SweepStatus::InProgress { .. }
        ));
        scene.embedded.be_honest();
        drop(auditor);
        let file = scene.folder.path().join("trust/tested/values");
        match damage {
            b"" => std::fs::remove_file(file).expect("a file"),
            damage => std::fs::write(file, damage).expect("a file"),
        }
        let mut auditor = scene.trusting();
        let (swept, outcomes) = sweep(&mut auditor);
        assert!(outcomes.is_empty());
        assert_eq!((swept.read, swept.of), (1_000, 1_000));
    }
}

#[test]
fn a_paced_sweep_is_spread_over_its_time_and_ends() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 300);
    let sweeping = |period| Values {
        sweep: Some(Duration::from_secs(period)),
        ..NONE
    };
    let next = Instant::now() + Duration::from_secs(60);
    let mut auditor = scene.auditor(sweeping(100_000));
    assert_eq!(
        auditor.sweep_at_pace(next).status,
        SweepStatus::NotDue,
        "nothing is proven yet"
    );
    cycle(&mut auditor);
    let SweepStatus::InProgress { at, of: 300 } = auditor.sweep_at_pace(next).status else {
        panic!("a first scan is due immediately");
    };
    assert!(at < 300);
    assert_eq!(
        auditor.sweep_at_pace(next).status,
        SweepStatus::NotDue,
        "the sweep is ahead of its pace"
    );
    drop(auditor);
    let mut auditor = scene.auditor(sweeping(1));
    cycle(&mut auditor);
    let end = loop {
        match auditor.sweep_at_pace(next).status {
            SweepStatus::InProgress { .. } => {}
            other => break other,
        }
    };
    assert!(
        matches!(
            end,
            SweepStatus::Completed(SweepSummary {
                read: 300,
                of: 300,
                ..
            })
        ),
        "{end:?}"
    );
}

#[test]
fn a_deleted_database_does_not_delay_the_sweeps_of_others() {
    let options = Options::default().with_databases(&["aaa", "zzz"]);
    let scene = Scene::new(options);
    for name in ["aaa", "zzz"] {
        scene.embedded.grow(name, 20);
    }
    let program = Program::new(scene.embedded.port(), &scene.folder.path().join("trust"));
    let program = program.with(&["--audit-interval=1h", "--audit-sweep=1s"]);
    let mut running = program.start(&[]);
    let swept = |name: &str| format!("sweep finished server=tested database={name}");
    running.wait_for(&swept("aaa"));
    // no check can report this within the hour
    scene.embedded.drop_database("aaa");
    running.wait_for_more(&swept("zzz"), 4);
}

#[test]
fn a_vanished_or_hidden_database_is_not_swept() {
    let scene = Scene::new(Options::default().with_databases(&["aaa"]));
    scene.embedded.grow(DB, 3);
    scene.embedded.grow("aaa", 3);
    let mut auditor = scene.auditor(NONE);
    auditor.cycle(|_| {});
    assert_eq!(auditor.readable(), ["aaa", DB]);
    for lie in [Lie::Vanished, Lie::Hidden] {
        scene.embedded.lie(LieSchedule::from(lie).of("aaa"));
        auditor.cycle(|_| {});
        assert_eq!(auditor.readable(), [DB], "{lie:?}");
        scene.embedded.be_honest();
        auditor.cycle(|_| {});
        assert_eq!(auditor.readable(), ["aaa", DB]);
    }
}

#[test]
fn no_call_of_a_paced_sweep_delays_the_next_check() {
    let scene = Scene::of_sixty();
    let mut auditor = scene.auditor(Values {
        sweep: Some(Duration::from_secs(1)),
        ..NONE
    });
    cycle(&mut auditor);
    scene.embedded.lie(Lie::NeverAnswers);
    let begin = Instant::now();
    let due = begin + Duration::from_millis(100);
    let went = auditor.sweep_at_pace(due).status;
    // the call was cut short by the auditor, so the server is not reported
    assert_eq!(went, SweepStatus::InProgress { at: 0, of: 60 });
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    ); // the timeout of a call is ten
    scene.embedded.be_honest();
    assert_eq!(cycle(&mut auditor).verdict, Verdict::Consistent);
}

#[test]
fn a_sweep_does_not_need_the_monitoring_port() {
    let scene = Scene::of_sixty();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let sweep = ["--audit-monitoring-host", "127.0.0.1"];
    let program = Program::new(scene.embedded.port(), &scene.folder.path().join("trust"));
    let program = program
        .with(&sweep)
        .with(&["--audit-monitoring-port", &port]);
    let run = program.run(&["sweep"]);
    run.ends_with(0);
    assert!(
        run.stdout
            .contains("60 of 60 transactions read with all values"),
        "{run:#?}"
    );
}

#[test]
fn a_sweep_during_a_run_in_the_same_directory_is_refused() {
    let scene = Scene::of_sixty();
    let program = Program::new(scene.embedded.port(), &scene.folder.path().join("trust"));
    let mut running = program.start(&["--audit-interval", "50ms"]);
    running.wait_for("INFO  cycle ");
    let run = program.run(&["sweep"]);
    let holder = format!("process {}", running.id());
    assert!(run.ends_with(3).stderr.contains(&holder), "{run:#?}");
}

/// Returns the most memory of a sweep with default settings, in KiB.
fn memory_of_a_sweep(scene: &Scene) -> u64 {
    let transactions = scene.embedded.state(DB).expect("a database").tx;
    let program = Program::new(scene.embedded.port(), &scene.folder.path().join("trust"));
    let (run, most) = program.run_measured(&["sweep"]);
    run.ends_with(0);
    let all = format!("{transactions} of {transactions} transactions read with all values");
    assert!(run.stdout.contains(&all), "{run:#?}");
    loud(format!(
        "a sweep of {transactions} transactions: {most} KiB\n"
    ));
    most
}

/// The most memory of a sweep with default settings, in KiB.
const MAX_KIB: u64 = 48 << 10;

#[test]
fn a_sweep_takes_less_than_48_mib() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 20_000);
    assert!(memory_of_a_sweep(&scene) < MAX_KIB);
    // large values, so that few fit into an answer, and values that nearly fill one
    for (transactions, size) in [(300, 60_000), (10, 3_500_000)] {
        let scene = Scene::new(Options::default());
        for tx in 0..transactions {
            scene
                .embedded
                .set(DB, &format!("key{tx}"), &"x".repeat(size));
        }
        assert!(memory_of_a_sweep(&scene) < MAX_KIB);
    }
}

#[test]
fn a_sweep_of_a_million_transactions_takes_less_than_48_mib() {
    let scene = Scene::new(Options::default());
    scene.embedded.grow(DB, 1_000_000);
    assert!(memory_of_a_sweep(&scene) < MAX_KIB);
}
