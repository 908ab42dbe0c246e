//! The auditor as a service of systemd: its installation, its unit, and its messages to systemd.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::loud::not_shown;
use crate::support::program::{Program, Run};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options, fill};

fn install(folder: &TempDir, more: &[&str]) -> Run {
    let config = folder.join("immuclient.toml").display().to_string();
    let mut args = vec!["audit-mode", "install", "--dry-run", "--config", &config];
    args.extend(more);
    let mut program = Program::new(4444, &folder.join("trust"));
    for (name, value) in [
        ("IMMUCLIENT_IMMUDB_PORT", "1"),
        ("IMMUCLIENT_AUDIT_USERNAME", "me"),
    ] {
        program.variables.push((name.to_owned(), value.to_owned()));
    }
    program.run(&args)
}

/// Returns the file that a step of a dry run would write.
fn written(run: &Run, name: &str) -> String {
    let mut lines = run.stdout.lines();
    lines
        .find(|line| line.starts_with("write: ") && line.contains(name))
        .unwrap_or_else(|| panic!("{name}: {run:#?}"));
    let text = lines.map_while(|line| line.strip_prefix("  | "));
    text.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_dry_run_prints_every_step_and_no_password() {
    let folder = TempDir::new();
    fs::write(folder.join("immuclient.toml"), "# ours\nmtls = false\n").unwrap();
    let run = install(
        &folder,
        &["--audit-password=hunter2", "--server-signing-pub-key", ""],
    );
    run.ends_with(0);
    // variables are written too, unless a flag overrides them
    assert_eq!(
        written(&run, "immuclient.toml"),
        format!(
            "# ours\nmtls = false\naudit-username = \"me\"\naudit-monitoring-port = 0\naudit-password = \"***\"\nserver-signing-pub-key = \"\"\nimmudb-port = 4444\ndir = \"{}\"\nserver-label = \"tested\"\n",
            folder.join("trust").display()
        )
    );
    assert!(!format!("{run:?}").contains("hunter2"), "{run:#?}");
    // the dry run changes nothing
    let kept = fs::read_to_string(folder.join("immuclient.toml")).unwrap();
    assert_eq!(kept, "# ours\nmtls = false\n");
    assert!(
        run.stdout
            .contains("run: systemctl restart immuaudit.service")
    );
}

/// The service would not see the alarms of earlier audits in another directory, and would trust every database afresh.
#[test]
fn the_service_keeps_its_directory_if_only_the_trusted_states_are_elsewhere() {
    let folder = TempDir::new();
    for (roots, directories) in [
        ("/var/lib/a", "StateDirectory=immuaudit a\nStateDir"),
        (
            "/srv/a",
            "StateDirectory=immuaudit\nReadWritePaths=\"/srv/a\"\nStateDir",
        ),
        ("/var/lib/immuaudit", "StateDirectory=immuaudit\nStateDir"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_immuaudit"))
            .args(["audit-mode", "install", "--dry-run"])
            .args(["--config", "immuclient.toml", "--roots-filepath", roots])
            .current_dir(folder.join(""))
            .env_clear()
            .env("HOME", folder.join("home"))
            .output();
        let run = Run::of(output.unwrap());
        let unit = written(run.ends_with(0), "immuaudit.service");
        assert!(unit.contains(directories), "{roots}: {unit}");
    }
}

/// Asserts that systemd accepts a unit, and that the unit restricts the service.
fn assert_valid_and_restricted(unit: &str, name: &str) {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        return not_shown("the check of the unit: there is no systemd-analyze here");
    }
    let folder = TempDir::new();
    let program = format!("ExecStart={}", env!("CARGO_BIN_EXE_immuaudit"));
    let lines = unit
        .lines()
        .map(|line| match line.strip_prefix("ExecStart=") {
            // the program is not yet installed at the path of the unit
            Some(_) => &program,
            None => line,
        });
    let unit: String = lines.map(|line| format!("{line}\n")).collect();
    let path = folder.join(name);
    fs::write(&path, unit).unwrap();
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&path)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&verified.stderr);
    // systemd-analyze prints messages about the machine's other units too
    let ours: Vec<&str> = stderr
        .lines()
        .filter(|line| line.contains("immuaudit"))
        .collect();
    assert!(ours.is_empty(), "{ours:#?}");

    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(&path)
        .output()
        .unwrap();
    if !output.status.success() {
        return not_shown("the rating of the unit: this systemd-analyze cannot rate offline");
    }
    let rating = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = rating
        .lines()
        .find(|line| line.contains("Overall exposure level"));
    let exposure: Option<f64> =
        line.and_then(|line| line.split(": ").nth(1)?.split(' ').next()?.parse().ok());
    assert!(exposure.is_some_and(|exposure| exposure <= 1.5), "{rating}");
}

#[test]
fn the_unit_is_valid_and_restricts_the_service() {
    let run = install(&TempDir::new(), &[]);
    let unit = written(&run, "immuaudit.service");
    assert_valid_and_restricted(&unit, "immuaudit.service");
}

#[test]
fn the_unit_of_instances_is_valid_and_restricts_them() {
    let unit = include_str!("../../deploy/debian/immuaudit@.service");
    assert_valid_and_restricted(unit, "immuaudit@shop.service");
}

#[test]
fn without_systemd_the_alternatives_are_printed() {
    if Path::new("/run/systemd/system").is_dir() {
        return not_shown("a host without systemd: systemd runs here");
    }
    let folder = TempDir::new();
    let program = Program::new(1, &folder.join("trust"));
    for word in ["install", "uninstall", "start", "stop", "restart", "status"] {
        let run = program.run(&["audit-mode", word]);
        run.ends_with(3);
        for printed in ["cron:", "OpenRC:", "Windows:"] {
            assert!(run.stderr.contains(printed), "{run:#?}");
        }
    }
}

/// Returns the next message to systemd.
fn next(listener: &UnixDatagram) -> String {
    let mut buffer = [0; 1000];
    let length = listener.recv(&mut buffer).expect("a message in time");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// Returns all messages up to `last`.
fn messages_until(listener: &UnixDatagram, last: &str) -> Vec<String> {
    let mut messages = Vec::new();
    loop {
        let message = next(listener);
        let is_last = message == last;
        messages.push(message);
        if is_last {
            return messages;
        }
    }
}

#[test]
fn systemd_is_notified_of_start_progress_and_end() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).unwrap();
    fill(&embedded, "defaultdb");
    let socket = folder.join("notify");
    let listener = UnixDatagram::bind(&socket).unwrap();
    listener
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut program = Program::new(embedded.port(), &folder.join("trust"));
    for (name, value) in [
        ("NOTIFY_SOCKET", socket.display().to_string()),
        ("WATCHDOG_USEC", "200000".to_owned()),
    ] {
        program.variables.push((name.to_owned(), value));
    }
    let mut running = program.start(&["audit-mode", "--audit-interval=1h"]);
    // a call may take 10 s, so the service requests a longer watchdog
    assert_eq!(
        messages_until(&listener, "WATCHDOG=1")[0],
        "READY=1\nWATCHDOG_USEC=120000000"
    );
    // `systemctl status` shows the result of the cycle
    let mut status = String::new();
    while !status.starts_with("STATUS=") {
        status = next(&listener);
    }
    let printed = "STATUS=All is well: 1 database good; the last cycle ended at 20";
    assert!(status.starts_with(printed), "{status}");
    // waiting for the next cycle counts as progress
    running.wait_for("first-seen");
    for _ in 0..3 {
        messages_until(&listener, "WATCHDOG=1");
    }
    running.signal("TERM");
    let messages = messages_until(&listener, "STOPPING=1");
    assert!(
        messages
            .iter()
            .all(|m| m == "WATCHDOG=1" || m == "STOPPING=1"),
        "{messages:?}"
    );
    assert_eq!(running.end(), Some(0));
}

/// tests/systemd.rs checks the reaction of systemd.
#[test]
fn a_hanging_loop_stops_the_watchdog_messages() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).unwrap();
    fill(&embedded, "defaultdb");
    let socket = folder.join("notify");
    let listener = UnixDatagram::bind(&socket).unwrap();
    let mut program = Program::new(embedded.port(), &folder.join("trust"));
    for (name, value) in [
        ("NOTIFY_SOCKET", socket.display().to_string()),
        ("WATCHDOG_USEC", "200000".to_owned()),
    ] {
        program.variables.push((name.to_owned(), value));
    }
    // a call that never ends, with a long deadline
    let mut running = program.start(&["--audit-interval=100ms", "--call-timeout=1h"]);
    running.wait_for("first-seen");
    embedded.lie(LieSchedule::from(Lie::NeverAnswers));
    listener
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut buffer = [0; 1000];
    let mut silent = false;
    for _ in 0..10_000 {
        silent = listener.recv(&mut buffer).is_err();
        if silent {
            break;
        }
    }
    assert!(silent, "the watchdog gets messages although the loop hangs");
    // the other threads still run, and this does not count as progress
    assert!(running.is_running());
    embedded.be_honest();
}
