//! The program is idle between two checks that are far apart. The connection and gRPC's threads
//! exist only during a check.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::program::{Program, Running};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options};
use immuaudit::wire::method;

/// Names of the program's own threads.
const OWN_THREADS: [&str; 2] = ["immuaudit", "monitor"];

/// Returns the name of each thread, and how often it ran.
fn threads(running: &Running) -> Vec<(String, u64)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.id())).expect("its threads");
    let read = |task: fs::DirEntry| {
        let path = task.path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let switches = status.lines().filter(|line| line.contains("ctxt_switches"));
        let counts =
            switches.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        Some((name.trim().to_owned(), counts.sum()))
    };
    // a thread may have ended in the meantime
    tasks.filter_map(|task| read(task.ok()?)).collect()
}

fn others(running: &Running) -> Vec<String> {
    let names = threads(running).into_iter().map(|(name, _)| name);
    names
        .filter(|name| !OWN_THREADS.contains(&name.as_str()))
        .collect()
}

/// Waits until no other threads are left; only a failing test reaches the deadline.
#[track_caller]
fn wait_until_idle(running: &Running) {
    let end = Instant::now() + Duration::from_secs(30);
    while !others(running).is_empty() {
        assert!(
            Instant::now() < end,
            "threads remain: {:?}",
            others(running)
        );
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_process_sleeps_between_distant_checks_and_stays_logged_in() {
    let ledger = Embedded::start(Options::default()).expect("a ledger");
    ledger.grow("defaultdb", 3);
    let folder = TempDir::new();
    let program = Program::new(ledger.port(), &folder.join("state"));
    let mut running = program.start(&["--audit-interval", "10s"]);
    running.wait_for(" proven=1 ");
    wait_until_idle(&running);
    let before = threads(&running);
    thread::sleep(Duration::from_secs(3));
    let ran: u64 = threads(&running).iter().map(|(_, count)| count).sum();
    let ran = ran - before.iter().map(|(_, count)| count).sum::<u64>();
    assert!(ran <= 2, "{ran} wakes in 3 s, of {before:?}");

    ledger.grow("defaultdb", 2);
    running.wait_for_times(" proven=1 ", 2);
    wait_until_idle(&running);
    let logins = ledger.calls().get(method::LOGIN).copied();
    assert_eq!(logins, Some(1), "the token was kept");
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
}

#[test]
fn frequent_checks_keep_their_connection() {
    let ledger = Embedded::start(Options::default()).expect("a ledger");
    ledger.grow("defaultdb", 3);
    let folder = TempDir::new();
    let program = Program::new(ledger.port(), &folder.join("state"));
    let mut running = program.start(&["--audit-interval", "1s"]);
    running.wait_for(" proven=1 ");
    for _ in 0..10 {
        assert!(!others(&running).is_empty(), "gRPC's threads have ended");
        thread::sleep(Duration::from_millis(100));
    }
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
}
