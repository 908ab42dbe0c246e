//! Real servers whose data directories were edited while they were stopped. Only reading the values
//! and transactions finds these edits.

use std::path::Path;
use std::process::Command;

use crate::support::program::{Run, member};
use crate::support::real::{Real, for_versions, program};
use crate::support::real_disk::edit;
use crate::support::real_scene::Scene;

for_versions!(
    a_value_edited_on_disk_is_found_and_named,
    a_key_edited_in_the_transaction_log_is_found_and_named,
    an_honest_ledger_is_swept_without_findings,
);

/// The key of the 30th transaction, and the beginning of its value.
const KEY: &str = "edited-30-0";
const VALUE: &str = "edited-30-0 ";

/// Sweeps the server's databases with an auditor of the scene.
fn sweep(scene: &Scene, real: &Real) -> Run {
    scene.auditor(real).run(&["sweep", "--json"])
}

/// Writes sixty transactions, trusts them and stops the server. Then changes the byte after `text`
/// in the files of `defaultdb` under `part`, and starts the server again.
fn edited(scene: &Scene, part: &str, text: &str) -> Real {
    let real = scene.start(&[]);
    real.write("defaultdb", "edited", 60);
    scene.auditor(&real).once().is(0, "defaultdb", "first-seen");
    let data = real.stop();
    let edits = edit(&data.join("defaultdb"), part, text);
    assert!(edits > 0, "{text:?} is nowhere in {part}");
    scene.start(&[])
}

/// Returns the lines with a verdict after the first one, which is the ordinary check's.
fn findings(run: &Run) -> Vec<&str> {
    verdicts(run).skip(1).collect()
}

/// Returns the lines with a verdict, without the result of the sweep.
fn verdicts(run: &Run) -> impl Iterator<Item = &str> {
    let lines = run.stdout.lines();
    lines.filter(|line| line.contains("\"verdict\":"))
}

fn a_value_edited_on_disk_is_found_and_named(server: &Path) {
    let scene = Scene::new(server);
    let real = edited(&scene, "val", VALUE);
    let run = sweep(&scene, &real);
    run.ends_with(2);
    let findings = findings(&run);
    assert_eq!(findings.len(), 1, "{run:#?}");
    assert_eq!(member(findings[0], "verdict"), "bad-value", "{run:#?}");
    assert!(findings[0].contains(KEY), "{run:#?}");
    assert!(!run.stderr.contains("and 1 more"), "{run:#?}");
}

fn a_key_edited_in_the_transaction_log_is_found_and_named(server: &Path) {
    let scene = Scene::new(server);
    let real = edited(&scene, "tx", KEY);
    let run = sweep(&scene, &real);
    run.ends_with(2);
    let mut words = verdicts(&run).map(|line| member(line, "verdict"));
    assert!(words.any(|word| word == "bad-value"), "{run:#?}");
    // 1.2 itself writes the first transaction
    let named = |line: &str| line.contains("transaction 30") || line.contains("transaction 31");
    assert!(run.stdout.lines().any(named), "{run:#?}");
}

fn an_honest_ledger_is_swept_without_findings(server: &Path) {
    let scene = Scene::new(server);
    let real = scene.start(&[]);
    real.write_concurrently("defaultdb", "a", 150);
    real.write("defaultdb", "b", 60);
    real.does(&["mixed", "--db", "defaultdb"]);
    let run = sweep(&scene, &real);
    run.is(0, "defaultdb", "first-seen");
    assert_eq!(findings(&run), Vec::<&str>::new(), "{run:#?}");
    assert!(run.stderr.contains("sweep finished"), "{run:#?}");
}

/// Values dropped by retention on a real server. The test's writer can set the clock, so the values
/// are two days old.
#[test]
fn truncated_values_are_reported_without_an_alarm() {
    let Some(server) = program("1.11.1") else {
        return;
    };
    let scene = Scene::new(&server);
    let real = scene.start(&[]);
    real.does(&["create-small", "--db", "aged"]);
    let data = real.stop();
    let dir = data.to_str().expect("a path");
    let aged = ["write-aged", "--db", "aged", "--n", "200", "--dir", dir];
    let done = Command::new(&server).args(aged).output();
    let done = done.expect("the writer runs");
    assert!(done.status.success(), "{done:?}");
    let real = scene.start(&[]);
    real.write("aged", "new", 20);
    let before = sweep(&scene, &real);
    before.is(0, "aged", "first-seen");
    assert!(
        before.stderr.contains("read=220 of=220 unavailable=none"),
        "{before:#?}"
    );
    real.does(&["truncate", "--db", "aged"]);
    let after = sweep(&scene, &real);
    after.is(0, "aged", "consistent");
    // the server adds a transaction that records the truncation
    let counts = "read=221 of=221 unavailable=\"";
    let (_, rest) = after
        .stderr
        .split_once(counts)
        .unwrap_or_else(|| panic!("{after:#?}"));
    let (count, reason) = rest.split_once(' ').expect("a count");
    assert!(
        reason.starts_with("dropped by a truncation\""),
        "{after:#?}"
    );
    // only complete files are dropped: the last one has values of both ages
    let count: u64 = count.parse().expect("a count");
    assert!((50..200).contains(&count), "{count}");
    let status = scene.auditor(&real).run(&["status"]);
    assert!(
        status
            .stdout
            .contains("the ledger records that the values of transactions before"),
        "{status:#?}"
    );
}

/// A value of 8 MiB, and a transaction with a thousand entries.
#[test]
fn a_too_large_transaction_is_reported_with_the_size_to_set() {
    let Some(server) = program("1.11.1") else {
        return;
    };
    let scene = Scene::new(&server);
    let real = scene.start(&[]);
    real.write("defaultdb", "before", 30);
    real.does(&["write", "--n", "1", "--entries", "1000", "--prefix", "many"]);
    let size = (8u32 << 20).to_string();
    real.does(&[
        "write",
        "--n",
        "1",
        "--value-size",
        &size,
        "--prefix",
        "large",
    ]);
    real.write("defaultdb", "after", 30);
    let run = sweep(&scene, &real);
    run.ends_with(1);
    let message = verdicts(&run).last().expect("a line");
    let (_, size) = message
        .split_once("transaction 32 is larger than --max-recv-msg-size allows: set it to ")
        .unwrap_or_else(|| panic!("{run:#?}"));
    let size = size.split(' ').next().expect("a number");
    assert!(run.stderr.contains("read=61 of=62"), "{run:#?}");
    let larger = ["sweep", "--json", "--max-recv-msg-size", size];
    let run = scene.auditor(&real).run(&larger);
    run.is(0, "defaultdb", "consistent");
    assert!(run.stderr.contains("read=62 of=62"), "{run:#?}");
}
