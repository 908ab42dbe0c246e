//! Storing the hash of every transaction, by a running auditor.

use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::support::locating::DATABASE;
use crate::support::program::Program;
use crate::support::simulated::{Simulation, taking};
use crate::support::temp_dir::TempDir;
use immuaudit::audit::Policy;
use immuaudit::drill::{Embedded, Lie, Options};
use immuaudit::trust::Mirror;

#[test]
fn a_running_auditor_stores_hashes_without_pauses() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).unwrap();
    embedded.grow(DATABASE, 10_000);
    embedded.lie(Lie::Slow);
    let audit = Program::new(embedded.port(), &folder.join("trust"));
    let flags = [
        "--audit-keep-hashes",
        "--audit-sample=0",
        "--audit-interval=1h",
    ];
    let mut running = audit.start(&flags);
    running.wait_for("cycle finished server=");
    let begin = Instant::now();
    let file = audit.dir.join("tested").join("defaultdb.mirror");
    // the first line, seals before each 1,024 hashes, and the hashes
    let expected = 10_000 * 32 + 10 * 72;
    while fs::metadata(&file).map_or(0, |file| file.len()) <= expected {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "{}",
            running.log()
        );
        thread::sleep(Duration::from_millis(20));
    }
    // ten scans and nine proofs take 200 ms each; a pause of a second after each proof would add nine seconds
    let took = begin.elapsed();
    assert!(took < Duration::from_millis(8_500), "{took:?}");
}

/// One call takes longer than a slice, so each slice requests one scan and one proof.
#[test]
fn the_mirror_of_a_slow_server_grows_with_each_slice() {
    const SECOND: Duration = Duration::from_secs(1);
    let simulation = Simulation::new(Options::default());
    simulation.embedded.grow(DATABASE, 3_500);
    let auditor = simulation.auditor(Policy::of_consistency(), taking(SECOND * 3));
    let mut auditor = auditor.with_mirror(Some(1 << 20));
    auditor.cycle(|_| {});
    let file = simulation.folder.path().join("tested/defaultdb.mirror");
    let mut stored = 0;
    for _ in 0..4 {
        let begin = simulation.clock.instant();
        let failures = auditor.mirror(begin + SECOND / 2, begin + SECOND * 60);
        assert!(failures.is_empty(), "{failures:?}");
        assert!(simulation.clock.instant() - begin <= SECOND * 7);
        let last = Mirror::read(&file).unwrap().last();
        assert!(last > stored, "{stored}");
        stored = last;
    }
    assert_eq!(stored, 3_500);
}
