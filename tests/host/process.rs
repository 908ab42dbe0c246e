//! Faults of the auditor's process: no free descriptors, a request to stop, a kill, or closed
//! outputs. None of them is reported as tampering, no state is lost, and the audit continues.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::loud::not_shown;
use crate::support::program::{Program, Run, Running, status};
use crate::support::trusting::{DATABASE, Scene};
use immuaudit::drill::{Lie, LieSchedule};
use immuaudit::wire::method;

/// Runs the program from a shell that has set the limit.
fn limited(program: &Program, limit: &str, args: &[&str]) -> Run {
    let command = program.command(args);
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("ulimit {limit}; exec \"$0\" \"$@\""))
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .env("HOME", &program.dir)
        .current_dir(program.dir.parent().expect("a folder around it"));
    let output = shell.output().expect("a shell");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn without_descriptors_nothing_is_tampering_and_no_state_is_lost() {
    let scene = Scene::trusted();
    let before = scene.trusted_tx_in_status();
    let mut ends = std::collections::BTreeMap::new();
    for descriptors in 3..24 {
        let run = limited(
            &scene.program,
            &format!("-n {descriptors}"),
            &["--once", "--json", "--call-timeout", "500ms"],
        );
        assert!(run.code != Some(2), "{descriptors}: {run:#?}");
        assert!(
            !run.stdout.contains("first-seen"),
            "{descriptors}: {run:#?}"
        );
        *ends.entry(run.code).or_insert(0) += 1;
    }
    println!("exit codes under 3 to 23 descriptors: {ends:?}");
    let now = scene.trusted_tx_in_status();
    assert!(
        now == before || now == scene.state().tx.to_string(),
        "{now}"
    );
    scene.program.once().is(0, DATABASE, "consistent");
}

/// Sets the soft limit of a running process; its open descriptors stay open.
fn descriptors(running: &Running, limit: &str) -> bool {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &running.id().to_string(), limit]);
    prlimit.status().is_ok_and(|status| status.success())
}

#[test]
fn a_running_auditor_recovers_from_a_lack_of_descriptors() {
    let scene = Scene::trusted();
    let program = scene.program.with(&["--log-level", "debug"]);
    let mut running = program.start(&["--audit-interval", "20ms"]);
    running.wait_for("verdict=consistent");
    for round in 1..=3 {
        let before = scene.trusted_tx_in_status();
        if !descriptors(&running, "--nofile=0:") {
            return not_shown("a lack of descriptors: there is no prlimit here");
        }
        scene.server.grow(DATABASE, 2);
        running.wait_for_times("Too many open files", 2 * round);
        assert_eq!(scene.trusted_tx_in_status(), before);
        assert!(!running.log().contains("TAMPERED"), "{}", running.log());
        assert!(descriptors(&running, "--nofile=1024:"));
        let hash = scene.state().hash;
        running.wait_for(&format!(" hash={hash}"));
    }
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{}", running.log());
    assert_eq!(scene.trusted_tx_in_status(), scene.state().tx.to_string());
}

#[test]
fn a_stop_request_works_in_every_phase() {
    // while it waits for a response to each of these calls
    for call in [
        method::LOGIN,
        method::DATABASE_LIST,
        method::USE_DATABASE,
        method::CURRENT_STATE,
        method::VERIFIABLE_TX_BY_ID,
    ] {
        let scene = Scene::trusted();
        let silent = LieSchedule::from(Lie::NeverAnswers).in_call(call);
        scene.server.lie(silent);
        let program = scene.program.with(&["--call-timeout", "1h"]);
        let mut running = program.start(&["--audit-interval", "1h"]);
        while scene.server.calls().get(call).is_none_or(|n| *n < 2) && {
            // an earlier run has already made most of these calls once
            scene
                .server
                .calls()
                .get(method::LOGIN)
                .is_none_or(|n| *n < 2)
        } {
            std::thread::sleep(Duration::from_millis(5));
        }
        running.signal("TERM");
        assert_eq!(running.end(), Some(0), "{call}: {}", running.log());
        scene.server.be_honest();
        scene.program.once().is(0, DATABASE, "consistent");
    }
    // while it sleeps
    let scene = Scene::trusted();
    let mut running = scene.program.start(&["--audit-interval", "1h"]);
    running.wait_for("INFO  cycle ");
    running.signal("TERM");
    assert_eq!(running.end(), Some(0), "{}", running.log());
    // while it reads, proves or writes, at different moments
    for moment in 0..25 {
        scene.server.grow(DATABASE, 1);
        let mut running = scene.program.start(&["--audit-interval", "1ms"]);
        if cfg!(windows) {
            // Wine loses an event that no handler exists for yet
            running.wait_for("auditing server=");
        }
        std::thread::sleep(Duration::from_millis(moment * 3));
        // before the program handles signals, SIGTERM ends it immediately; SIGINT could be
        // inherited as ignored, as in a shell's background jobs, and would be lost
        running.signal("TERM");
        let code = running.end();
        assert!(
            code == Some(0) || code.is_none(),
            "{moment}: {}",
            running.log()
        );
    }
    scene.program.once().is(0, DATABASE, "consistent");
}

#[test]
fn a_killed_auditor_never_repeats_its_first_use() {
    let scene = Scene::trusted();
    for moment in 0..40 {
        scene.server.grow(DATABASE, 1);
        let mut running = scene.program.start(&["--audit-interval", "1ms"]);
        std::thread::sleep(Duration::from_millis(10 + moment));
        running.signal("KILL");
        running.end();
        assert!(
            !running.log().contains("trusted on first use"),
            "{}",
            running.log()
        );
    }
    scene.server.grow(DATABASE, 1);
    scene.program.once().is(0, DATABASE, "consistent");
}

/// Returns the exit code of a command whose outputs a shell redirects.
fn redirected(command: &Command, redirection: &str) -> Option<i32> {
    let variables = command.get_envs();
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("exec \"$0\" \"$@\" {redirection}"))
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value?))))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.status().expect("a shell").code()
}

#[test]
fn the_exit_code_is_right_without_any_output() {
    let scene = Scene::trusted();
    let dir = scene.program.dir.display().to_string();
    let file = scene.folder.join("key").display().to_string();
    let new = ["key", "new", "--name", "zone-a", &file];
    scene.program.run(&new).ends_with(0);
    for (args, dir, redirection, expected) in [
        (
            &["status", "--no-such-flag"][..],
            &dir[..],
            "2>/dev/full",
            3,
        ),
        (&["status"], "/nowhere", "2>/dev/full", 3),
        // the data itself could not be written
        (&["states", "export"], &dir, ">/dev/full", 3),
        (
            &["checkpoint", "export", "--audit-signing-key", &file],
            &dir,
            ">/dev/full",
            3,
        ),
        (&["config"], &dir, ">/dev/full", 3),
        (&["status"], &dir, ">/dev/full", 0),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_immuaudit"));
        command
            .args(args)
            .args(["--dir", dir, "--server-label", "tested"])
            .env_clear();
        let code = redirected(&command, redirection);
        assert_eq!(code, Some(expected), "{args:?} {redirection}");
    }
}

#[test]
fn closed_or_full_outputs_stop_no_audit() {
    for redirection in [
        ">&-",
        "2>&-",
        ">&- 2>&-",
        ">/dev/full",
        "2>/dev/full",
        ">/dev/full 2>&1",
    ] {
        let scene = Scene::trusted();
        let command = scene.program.command(&["--once", "--json"]);
        let code = redirected(&command, redirection);
        assert_eq!(code, Some(0), "{redirection}");
        assert_eq!(
            scene.trusted_tx_in_status(),
            scene.state().tx.to_string(),
            "{redirection}"
        );
    }
}

/// The values are read from /proc while the process runs, so they cannot be of another process with
/// the same number.
#[test]
fn the_program_uses_few_threads_and_little_memory() {
    let scene = Scene::trusted();
    let mut running = scene.program.start(&["--audit-interval", "10ms"]);
    running.wait_for_times("INFO  cycle ", 5);
    let threads = status(running.id(), "Threads").expect("a running process");
    let memory = status(running.id(), "VmRSS").expect("a running process");
    assert!(
        threads <= 16 && memory < 32 << 10,
        "{threads} threads, {memory} KiB"
    );
}
