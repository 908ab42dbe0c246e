//! A copy of the files of a running auditor can be restored, if it is made by the command in
//! docs/replicas.md.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use crate::support::program::Program;
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options};

const DB: &str = "defaultdb";

/// Runs the command of the page.
fn copy(server_directory: &Path, to: &Path) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/replicas.md");
    let text = fs::read_to_string(page).expect("the page");
    let command = text
        .lines()
        .find(|line| line.starts_with("mkdir -m 700 BACKUP"));
    let command = command
        .expect("its command")
        .replace("BACKUP", &to.display().to_string())
        .replace("DIR", &server_directory.display().to_string())
        .replace("&& tar -C", "&& sleep 0.02 && tar -C"); // as on a slow disk
    let done = Command::new("sh").args(["-c", &command]).output();
    let done = done.expect("a shell");
    assert!(done.status.success(), "{command}: {done:?}");
}

#[test]
fn a_copy_of_a_running_auditor_can_be_restored() {
    let server = Embedded::start(Options::default()).expect("a ledger");
    server.grow(DB, 20);
    let folder = TempDir::new();
    let program = Program::new(server.port(), &folder.join("state"));
    program.once().is(0, DB, "first-seen");
    let mut running = program.start(&["--audit-interval", "1ms", "--audit-keep-hashes"]);
    running.wait_for("INFO  cycle ");
    let (port, dir, folder) = (server.port(), program.dir.as_path(), &folder);
    let copy_and_restore = |number: u32| {
        let copied = folder.join(&format!("copy{number}"));
        fs::create_dir(&copied).expect("a folder");
        copy(&dir.join("tested"), &copied.join("tested"));
        let restored = Program::new(port, &copied);
        restored.run(&["--once", "--json", "--audit-keep-hashes"])
    };
    let results = thread::scope(|threads| {
        let copying = threads.spawn(|| (0..15).map(copy_and_restore).collect::<Vec<_>>());
        while !copying.is_finished() {
            server.grow(DB, 1);
            thread::sleep(Duration::from_millis(1));
        }
        copying.join().expect("no panic")
    });
    for run in results {
        run.is(0, DB, "consistent");
        // about immudb's default password, and about a line that was appended during the copy
        let is_expected =
            |line: &str| line.contains("password") || line.contains(" is incomplete; ");
        let mut warnings = run.stderr.lines().filter(|line| line.contains("WARN"));
        assert!(warnings.all(is_expected), "{run:#?}");
    }
    running.signal("TERM");
    running.end();
}
