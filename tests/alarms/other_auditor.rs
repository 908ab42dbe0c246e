//! Another auditor, whose states are compared as a file or by the URL of its status page.

use std::fs;

use crate::support::program::{Program, Run, Running};
use crate::support::temp_dir::TempDir;

/// Exports the states of another auditor, and compares them.
pub fn compare(program: &Program, other: &Program, folder: &TempDir) -> Run {
    let export = other.run(&["states", "export"]);
    let file = folder.join("export.toml");
    fs::write(&file, &export.ends_with(0).stdout).expect("a file");
    program.run(&["compare", file.to_str().expect("UTF-8")])
}

/// Starts an auditor and returns it with the URL of its status page.
pub fn watching(program: &Program) -> (Running, String) {
    let mut running = program.start(&["--audit-interval", "50ms"]);
    running.wait_for("INFO  cycle ");
    let log = running.log();
    let url = log.split("status page on ").nth(1).expect("a status page");
    let url = url.split_whitespace().next().expect("a URL").to_owned();
    (running, url)
}
