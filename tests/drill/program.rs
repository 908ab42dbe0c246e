//! `immuaudit drill`: every lie is detected, honest servers raise no alarm, and `--serve` starts a
//! ledger to try the auditor on.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::program::Program;
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Lie, PeerLie, Split};

fn drill(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_immuaudit"));
    command.arg("drill").args(args).stdin(Stdio::null());
    command
}

#[test]
fn every_lie_is_detected_without_a_false_alarm() {
    let output = drill(&[]).output().expect("the drill runs");
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{table}");
    for lie in Lie::ALL {
        assert!(
            table.contains(lie.name()),
            "{} is missing: {table}",
            lie.name()
        );
    }
    assert!(table.contains(" 0 wrong results, "), "{table}");
}

#[test]
fn every_lie_is_listed_and_can_run_alone() {
    let output = drill(&["--list"]).output().expect("the list");
    let healed = 1;
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).lines().count(),
        Lie::ALL.len() + Split::ALL.len() + healed + PeerLie::ALL.len()
    );
    let output = drill(&["--lie", "fork"]).output().expect("one lie");
    assert_eq!(output.status.code(), Some(0));
    for (lie, message) in [
        ("split-view", "give --views 2 instead"),
        ("peer-stale", "the lie of a peer, not of a server"),
    ] {
        let output = drill(&["--serve", "--lie", lie]).output().expect("no lie");
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains(message));
    }
    let output = drill(&["--lie", "white"]).output().expect("no lie");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_served_ledger_prints_its_port_and_is_audited() {
    let mut serving = drill(&["--serve", "--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a ledger");
    let stdout = serving.stdout.take().expect("its stdout");
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("its first line");
    let port = line
        .strip_prefix("listening on 127.0.0.1:")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|port| port.parse().ok())
        .unwrap_or_else(|| panic!("no port in {line:?}"));
    let folder = TempDir::new();
    let run = Program::new(port, &folder.join("trust")).once();
    serving.kill().expect("it ends");
    serving.wait().expect("it ends");
    run.is(0, "defaultdb", "first-seen");
}
