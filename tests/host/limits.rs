//! The program in a memory cgroup of 64 MiB without swap, as in its unit and its manifests. Its
//! metrics are scraped, a webhook is notified, and no lie of the server gets it killed.

use std::sync::Mutex;
use std::{fs, thread};

use crate::support::limited::{DATABASE, Scene, scrape, wait_scraping};
use immuaudit::drill::{AuditorSetup, Emulated, Lie, LieSchedule, NewEntry, Options, fill};

/// The other database, which is honest in every lie about a single database.
const OTHER: &str = "otherdb";
/// The number of concurrent scenes. A small machine has fewer cores, but some lies only wait for
/// timeouts.
const MAX_CONCURRENT_SCENES: usize = 4;
/// The evidence files of one reading, each for one transaction (`audit::values::report` has the
/// limit).
const FINDINGS: usize = 16;

fn run_lie_in_cgroup(lie: Lie) -> u64 {
    let name = lie.name();
    let mut options = lie.options();
    options.databases.push(OTHER.into());
    let reads = lie.auditor() == AuditorSetup::ReadingValues;
    let sample = if reads { "1000" } else { "0" };
    let mut scene = Scene::new(options, &["--call-timeout=4s", "--audit-sample", sample]);
    if reads {
        scene.program = scene.program.with(&["--audit-verify-values"]);
    }
    if lie.auditor() == AuditorSetup::WithKey {
        let key = scene.folder.join("server.pub");
        let pem = scene.server.public_pem().expect("a signing server");
        fs::write(&key, pem).expect("a file");
        let key = key.to_str().expect("UTF-8");
        scene.program = scene.program.with(&["--server-signing-pub-key", key]);
    }
    let server = &scene.server;
    fill(server, DATABASE);
    fill(server, OTHER);
    if lie.auditor() != AuditorSetup::New {
        scene.program.once().is(0, DATABASE, "first-seen");
        server.grow(DATABASE, 7);
        scene.program.once().is(0, DATABASE, "consistent");
    }
    if !lie.forges() {
        server.grow(DATABASE, 5);
    }
    let telling = LieSchedule::from(lie);
    let of_all = lie.is_server_wide();
    server.lie(if of_all {
        telling
    } else {
        telling.of(DATABASE)
    });
    let mut running = scene.start("200ms");
    let expected: Vec<String> = lie
        .due()
        .verdicts
        .iter()
        .map(|verdict| format!("database={DATABASE} verdict={verdict}"))
        .collect();
    wait_scraping(name, &mut running, |log| {
        let accused = log.contains("TAMPERED");
        let cycles = log.matches("INFO  cycle ").count() >= 2;
        cycles
            && expected.iter().any(|expected| log.contains(expected))
            && (!accused || !scene.evidence().is_empty())
    });
    let accused = running.log().contains("TAMPERED");
    let tampering = ["inconsistent", "rolled-back", "bad-signature", "bad-value"];
    let must = lie
        .due()
        .verdicts
        .iter()
        .all(|verdict| tampering.contains(verdict));
    assert!(accused || !must, "{name}: {}", running.log());
    scrape(name, &running);
    scene.end(name, &mut running)
}

#[test]
fn every_lie_gets_its_verdict_within_64_mib_of_memory() {
    let queue: Mutex<Vec<Lie>> = Mutex::new(Lie::ALL.to_vec());
    let peaks = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..MAX_CONCURRENT_SCENES {
            scope.spawn(|| {
                while let Some(lie) = next(&queue) {
                    let peak = run_lie_in_cgroup(lie);
                    peaks.lock().expect("no panic").push((peak, lie.name()));
                }
            });
        }
    });
    let mut peaks = peaks.into_inner().expect("no panic");
    peaks.sort_unstable();
    println!(
        "{} lies; most KiB resident: {:?}",
        peaks.len(),
        peaks.iter().rev().take(5).collect::<Vec<_>>()
    );
    assert_eq!(peaks.len(), Lie::ALL.len());
}

fn next(queue: &Mutex<Vec<Lie>>) -> Option<Lie> {
    queue.lock().ok()?.pop()
}

/// Each value is nearly as large as the default of `--max-recv-msg-size` allows, and has its own
/// transaction.
#[test]
fn twenty_edited_values_of_4_mb_are_found_within_64_mib() {
    for server in [Emulated::V1_11_1, Emulated::V1_1_0] {
        for sweeps in [false, true] {
            let options = Options {
                server,
                ..Options::default()
            };
            let what = format!("{server:?}, sweep {sweeps}");
            let mut scene = Scene::new(options, &["--call-timeout=30s", "--audit-sample=0"]);
            let value = "v".repeat(3_900_000);
            for number in 0..20 {
                let entry = NewEntry::set(format!("large/{number}"), value.as_str());
                scene.server.commit(DATABASE, vec![entry]);
            }
            scene.program.once().is(0, DATABASE, "first-seen");
            scene.server.lie(Lie::EditedValue);
            let peak = if sweeps {
                let (run, peak) = scene.program.run_measured(&["sweep"]);
                run.ends_with(2);
                scene.check_memory(&what, peak);
                peak
            } else {
                scene.program = scene.program.with(&["--audit-sample=1000"]);
                let mut running = scene.start("1s");
                let cycles = |log: &str| log.matches("INFO  cycle ").count();
                wait_scraping(&what, &mut running, |log| cycles(log) >= 2);
                scene.end(&what, &mut running)
            };
            let kept = scene.evidence().len();
            assert!(kept >= FINDINGS, "{what}: {kept}");
            println!("{what}: {peak} KiB, evidence of {kept}");
        }
    }
}
