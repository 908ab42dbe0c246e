//! A real replica of a real primary that was truncated before the replica copied it. The replica
//! has the digests of the truncated values, but not the values.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::in_process;
use crate::support::program::{Program, Run, member};
use crate::support::real::{Real, program};
use crate::support::real_disk::edit;
use crate::support::temp_dir::TempDir;
use immuaudit::ledger::Digest;
use immuaudit::server::ServerError;
use immuaudit::wire::Entries;

const DB: &str = "aged";
/// The number of transactions older than the retention period, and of the newer ones.
const AGED: u64 = 200;
const NEW: u64 = 20;

struct Scene {
    primary: Real,
    replica: Real,
    folder: TempDir,
}

impl Scene {
    /// Returns `None` if the real server was not built.
    fn new() -> Option<Scene> {
        let server = program("1.11.1")?;
        let folder = TempDir::new();
        let start = |name: &str| Real::start(&server, &folder.join(name), &[]);
        let primary = start("primary");
        primary.does(&["create-small", "--db", DB]);
        let data = primary.stop();
        let dir = data.to_str().expect("a path");
        let count = AGED.to_string();
        let done = Command::new(&server)
            .args(["write-aged", "--db", DB, "--n", &count, "--dir", dir])
            .output()
            .expect("the writer runs");
        assert!(done.status.success(), "{done:?}");
        let primary = start("primary");
        primary.write(DB, "new", u32::try_from(NEW).expect("a small number"));
        primary.does(&["truncate", "--db", DB]);
        let replica = start("replica");
        let of = primary.port.to_string();
        replica.does(&["replicate", "--of", &of, "--db", DB]);
        let scene = Scene {
            primary,
            replica,
            folder,
        };
        scene.wait_until_copied();
        Some(scene)
    }

    /// Waits until the replica has all transactions. The transaction that records the truncation
    /// has no entries, and 1.11.1 does not replicate it. The deadline only ends a failed test.
    fn wait_until_copied(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let state = self.replica.does(&["state", "--db", DB]);
            if state.starts_with(&format!("{} ", AGED + NEW)) {
                return;
            }
            assert!(Instant::now() < end, "the replica is at {state}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns each server with a directory name for its auditor.
    fn both(&self) -> [(&'static str, &Real); 2] {
        [("of-primary", &self.primary), ("of-replica", &self.replica)]
    }

    fn auditor(&self, real: &Real, name: &str) -> Program {
        Program::new(real.port, &self.folder.join(name)).with(&["--audit-databases", DB])
    }
}

/// Fails if a run reports tampering.
#[track_caller]
fn reports_no_tampering(run: &Run) {
    assert!(run.stdout.contains("\"open_alarms\":0"), "{run:#?}");
    assert!(!run.stdout.contains("\"tampered\":true"), "{run:#?}");
    assert!(!run.stderr.contains("TAMPERED"), "{run:#?}");
}

#[test]
fn a_replica_of_a_truncated_primary_has_digests_without_values() {
    let Some(scene) = Scene::new() else { return };
    let mut server = in_process::server_on(scene.replica.port);
    let tx = server.tx(DB, 1, Entries::Raw).expect("the transaction");
    let entry = &tx.entries[0];
    assert!(entry.value.is_empty(), "no value comes");
    assert_ne!(entry.h_value, Digest::of(&[]));
    let refused: ServerError = server.get(DB, b"aged-0", 1).expect_err("no value");
    assert_eq!(
        refused.message.as_str(),
        "data is corrupted: internal value consistency error - missing value prefix"
    );
}

/// Enough samples that a truncated value is certainly among them.
const SAMPLE: [&str; 2] = ["--audit-sample", "200"];

#[test]
fn a_truncated_primary_and_its_replica_raise_no_alarm() {
    let Some(scene) = Scene::new() else { return };
    for (name, real) in scene.both() {
        let auditor = scene.auditor(real, name).with(&SAMPLE);
        for _ in 0..2 {
            reports_no_tampering(&auditor.once());
        }
        reports_no_tampering(&auditor.run(&["sweep", "--json"]));
    }
}

#[test]
fn absent_values_of_a_truncated_primary_and_its_replica_are_counted() {
    let Some(scene) = Scene::new() else { return };
    for (name, real) in scene.both() {
        let auditor = scene.auditor(real, name).with(&SAMPLE);
        auditor.once().is(0, DB, "first-seen");
        auditor.once().is(0, DB, "consistent");
        let sweep = auditor.run(&["sweep"]);
        let status = auditor.run(&["status", "--json", "--audit-databases", DB]);
        let absent: u64 = member(status.line(DB), "values_absent")
            .parse()
            .expect("a number");
        if name == "of-primary" {
            // the primary's ledger records the truncation
            sweep.ends_with(0);
            assert!(
                sweep.stdout.contains("dropped by a truncation"),
                "{sweep:#?}"
            );
            assert_eq!(absent, 0, "{status:#?}");
        } else {
            sweep.ends_with(1);
            assert!(absent > 100, "{status:#?}");
            let printed = "does not have the values of transactions 1-";
            assert!(sweep.stdout.contains(printed), "{sweep:#?}");
        }
        let run = auditor.once();
        run.is(0, DB, "consistent");
        assert_eq!(
            run.line(DB).contains("does not have the values"),
            absent > 0
        );
    }
}

#[test]
fn an_edited_value_on_a_replica_is_found_among_absent_ones() {
    let Some(scene) = Scene::new() else { return };
    let auditor = scene.auditor(&scene.replica, "of-replica");
    let auditor = auditor.with(&["--audit-sample", "0"]);
    auditor.once().is(0, DB, "first-seen");
    let server = program("1.11.1").expect("the server program");
    let dir = scene.replica.stop();
    assert!(edit(&dir.join(DB), "val", "new-7-0 ") > 0);
    let replica = Real::start_at(&server, &dir, auditor.port, &[]);
    let run = auditor.run(&["sweep", "--json"]);
    run.ends_with(2);
    let accusing: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| line.contains("\"verdict\":\"bad-value\""))
        .collect();
    let named = |line: &&str| line.contains("new-7-0");
    assert!(accusing.iter().any(named), "{run:#?}");
    drop(replica);
}
