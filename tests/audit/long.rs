//! Long runs: thousands of cycles against the embedded ledger must not increase memory, threads or
//! files, and old real servers with many writers must never be reported as tampering.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::program::{Program, member, status};
use crate::support::real::{Real, program};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options};

const DATABASE: &str = "defaultdb";
/// Cycles of the soak test; `IMMUAUDIT_SOAK_CYCLES` sets another number.
const CYCLES: u64 = 20_000;
/// Audits of a busy real server that are inspected.
const AUDITS: usize = 500;

/// The resources of a running auditor.
#[derive(Clone, Copy, Debug)]
struct Resources {
    memory: u64,
    threads: u64,
    descriptors: u64,
    files: u64,
    bytes: u64,
}

fn resources_of(id: u32, directory: &Path) -> Option<Resources> {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(directory).ok()?.flatten() {
        files += 1;
        // the file may have been renamed in the meantime
        bytes += entry.metadata().map_or(0, |found| found.len());
    }
    Some(Resources {
        memory: status(id, "VmRSS")?,
        threads: status(id, "Threads")?,
        // only root can count them, because the process is not dumpable
        descriptors: fs::read_dir(format!("/proc/{id}/fd")).map_or(0, |fds| fds.count() as u64),
        files,
        bytes,
    })
}

#[test]
fn resources_stay_constant_over_thousands_of_cycles() {
    let cycles = std::env::var("IMMUAUDIT_SOAK_CYCLES").ok();
    let cycles: u64 = cycles.map_or(CYCLES, |cycles| cycles.parse().expect("a number"));
    let folder = TempDir::in_memory(); // the soak does not test the disk
    let server = Embedded::start(Options::default()).expect("an embedded ledger");
    server.grow(DATABASE, 20);
    let program = Program::new(server.port(), &folder.join("trust")).with(&[
        "--log-level",
        "warn",
        "--audit-sample",
        "0",
    ]);
    let mut running = program.start(&["--audit-interval", "1ms"]);
    // counts the calls for a state, because not every cycle requests the list of databases
    let asked = || {
        *server
            .calls()
            .get("/immudb.schema.ImmuService/CurrentState")
            .unwrap_or(&0)
    };
    let directory = program.dir.join("tested");
    let mut early: Option<Resources> = None;
    let mut late = Vec::new();
    let begin = Instant::now();
    let mut written = 0u64;
    loop {
        let done = asked();
        // one write every hundred cycles, at most 200, because each adds a line to the history
        if done / 100 > written && written < 200 {
            server.grow(DATABASE, 1);
            written += 1;
        }
        if done >= cycles / 10 {
            let now = resources_of(running.id(), &directory).expect("a running process");
            match early {
                None => early = Some(now),
                Some(_) => late.push(now),
            }
        }
        if done >= cycles {
            break;
        }
        assert!(running.is_running(), "{}", running.log());
        thread::sleep(Duration::from_millis(100));
    }
    let took = begin.elapsed();
    let early = early.expect("a tenth of it");
    let most = |of: fn(&Resources) -> u64| late.iter().map(of).max().unwrap_or(0);
    println!(
        "{cycles} cycles in {took:.0?}, {written} writes; from the tenth percent on: {early:?}; at most {} KiB, {} \
         threads, {} descriptors, {} files, {} bytes",
        most(|t| t.memory),
        most(|t| t.threads),
        most(|t| t.descriptors),
        most(|t| t.files),
        most(|t| t.bytes)
    );
    assert!(most(|t| t.memory) <= early.memory + 1024, "memory grows");
    // under load, gRPC starts up to two more threads
    assert!(most(|t| t.threads) <= early.threads + 2, "threads grow");
    // some files are open only for a moment
    assert!(
        most(|t| t.descriptors) <= early.descriptors + 6,
        "descriptors grow"
    );
    assert!(most(|t| t.files) <= early.files + 2, "files grow");
    // each write adds a line to the history
    assert!(
        most(|t| t.bytes) <= early.bytes + 150 * written + 4096,
        "files grow"
    );
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{}", running.log());
    assert!(!running.log().contains("ERROR"), "{}", running.log());
}

/// Audits a server 500 times while fifty clients write. Each state must be proven or unprovable,
/// and none tampered.
fn never_accused(server: &Path) {
    let folder = TempDir::new();
    let real = Real::start(server, &folder.join("data"), &[]);
    real.write_concurrently(DATABASE, "first", 100);
    let audit = Program::new(real.port, &folder.join("trust")).with(&[
        "--json",
        "--log-level",
        "debug",
        "--audit-sample",
        "0",
    ]);
    let writing = AtomicBool::new(true);
    let verdicts = thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                if !writing.load(Ordering::Relaxed) {
                    break;
                }
                real.write_concurrently(DATABASE, &format!("round{round}"), 500);
            }
        });
        let mut running = audit.start(&["--audit-interval", "20ms"]);
        running.wait_for_times(&format!("database={DATABASE} verdict="), AUDITS);
        running.signal("TERM");
        let code = running.end();
        writing.store(false, Ordering::Relaxed);
        assert_eq!(code, Some(0), "{}", running.log());
        let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
        for line in running.log().lines() {
            if let Some((_, rest)) = line.split_once(" verdict=") {
                let verdict = rest.split(' ').next().unwrap_or(rest);
                *verdicts.entry(verdict.to_owned()).or_default() += 1;
            }
        }
        verdicts
    });
    println!("{}: {verdicts:?}", server.display());
    let fine = ["first-seen", "consistent", "unprovable"];
    assert!(
        verdicts
            .keys()
            .all(|verdict| fine.contains(&verdict.as_str())),
        "{verdicts:?}"
    );
    assert!(verdicts["consistent"] * 2 > AUDITS, "{verdicts:?}");
    // after the last write, every state can be proven
    real.write(DATABASE, "last", 5);
    let run = audit.once();
    let line = run.is(0, DATABASE, "consistent").line(DATABASE);
    let state = real.does(&["state", "--db", DATABASE]);
    assert_eq!(state.split_whitespace().next(), Some(member(line, "tx")));
}

#[test]
fn a_busy_1_2_4_is_never_accused() {
    if let Some(server) = program("1.2.4") {
        never_accused(&server);
    }
}

#[test]
fn a_busy_0_9_2_is_never_accused() {
    if let Some(server) = program("0.9.2") {
        never_accused(&server);
    }
}
