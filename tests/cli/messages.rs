//! Messages about arguments and files of a command line: each names the error, its source and the remedy.
//! The real program runs against the embedded ledger.

use std::fs;

use crate::scene::{DB, Scene, trusted};
use crate::support::program::Program;
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options};

impl Scene {
    /// Writes a file, and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    /// Checks that a command ends with this code, and that its output contains each of these parts.
    #[track_caller]
    fn prints(&self, args: &[&str], code: i32, parts: &[&str]) {
        let run = self.program.run(args);
        let text = run.ends_with(code).stdout.clone() + &run.stderr;
        for part in parts {
            assert!(text.contains(part), "{args:?}: {part}: {text}");
        }
        // only `locate` may take the name of a missing file for a server
        assert!(
            !text.contains("DNS resolution failed") || args[0] == "locate",
            "{text}"
        );
    }
}

#[test]
fn an_unknown_database_has_one_message_in_every_command() {
    let scene = trusted();
    for args in [
        &["locate", "defaultd"][..],
        &["alarm", "list", "defaultd"],
        &["alarm", "close", "--database", "defaultd"],
        &["acknowledge", "defaultd", "--unsigned"],
        &["states", "forget", "defaultd"],
    ] {
        let message =
            "immuaudit: this auditor knows no database defaultd; known databases: defaultdb\n";
        scene.prints(args, 3, &[message]);
    }
    let message = "defaultd: this auditor audits no such database; known databases: defaultdb\n";
    scene.prints(&["sweep", "defaultd"], 1, &[message]);
    // the database is known, but its trusted state was forgotten
    scene.prints(&["states", "forget", DB], 0, &["forgotten"]);
    let message = "database defaultdb has no trusted state; immuaudit states list prints";
    scene.prints(&["states", "forget", DB], 3, &[message]);
}

#[test]
fn a_missing_or_wrong_file_is_reported_with_the_expected_file() {
    let scene = trusted();
    let folder = scene.folder.join("state").display().to_string();
    for (args, parts) in [
        (
            &["locate", DB, "--against", "./nofile"][..],
            &[
                "there is no file ./nofile",
                "DATABASE.mirror of another auditor",
            ][..],
        ),
        (
            &["locate", DB, "--against", &format!("{folder}/")],
            &[
                "is no file of immuaudit: it is a directory",
                "DATABASE.mirror of another auditor",
            ],
        ),
        (
            &["compare", "nofile"],
            &["there is no file nofile", "immuaudit states export"],
        ),
        (
            &["compare", &folder],
            &[
                "is no file of immuaudit: it is a directory",
                "immuaudit states export",
            ],
        ),
        (
            &["compare", "localhost:9477"],
            &[
                "there is no file localhost:9477",
                "write immuaudit compare http://localhost:9477",
            ],
        ),
        (
            &["evidence", "show", &folder],
            &[
                "is no file of immuaudit: it is a directory",
                "immuaudit evidence list names the evidence",
            ],
        ),
        (
            &["states", "import", "nofile"],
            &[
                "nofile: ",
                "name a state file of immuclient or immugw, or its folder",
            ],
        ),
        (
            &["key", "show", &folder],
            &["not a private key of immuaudit key new: give the file that it wrote"],
        ),
        (
            &["key", "show", &scene.file("password", "hunter2\n")],
            &["not of the form PRIVATE+KEY+NAME+HASH+KEY, which immuaudit key new writes"],
        ),
    ] {
        scene.prints(args, 3, parts);
    }
    let run = scene
        .program
        .run(&["key", "show", &scene.file("password", "hunter2\n")]);
    assert!(!run.stderr.contains("hunter2"), "{run:?}");
    // an argument that may be a host is taken for one, and the message names the other possibility
    let message = "Not compared with nofile.invalid:";
    let why = "(there is no file nofile.invalid, so this is taken for a server)";
    scene.prints(
        &["locate", DB, "--against", "nofile.invalid"],
        1,
        &[message, why],
    );
}

#[test]
fn an_export_and_a_file_of_checkpoints_are_not_mistaken_for_each_other() {
    let scene = trusted();
    let key = scene.folder.join("key").display().to_string();
    let new = scene.program.run(&["key", "new", "--name", "zone-a", &key]);
    let public = new.ends_with(0).stdout.trim().to_owned();
    let other = scene.folder.join("other").display().to_string();
    let new = scene
        .program
        .run(&["key", "new", "--name", "zone-b", &other]);
    let another = new.ends_with(0).stdout.trim().to_owned();
    let text = scene
        .program
        .run(&["checkpoint", "export", "--audit-signing-key", &key]);
    let checkpoints = scene.file("checkpoints", &text.ends_with(0).stdout);
    let text = scene.program.run(&["states", "export"]);
    let export = scene.file("export", &text.ends_with(0).stdout);
    scene.prints(&["compare", &export], 0, &["agrees"]);
    scene.prints(
        &["compare", &checkpoints, "--peer-key", &public],
        0,
        &["agrees"],
    );
    scene.prints(
        &["compare", &checkpoints],
        3,
        &[
            "the file has checkpoints: give the public key",
            "--peer-key KEY",
        ],
    );
    for args in [
        &["compare", &export, "--peer-key", &public][..],
        &["checkpoint", "show", &export],
        &["checkpoint", "verify", &export, "--key", &public],
    ] {
        let message =
            "the file has no checkpoints, because states export wrote it: compare it with";
        scene.prints(args, 3, &[message]);
    }
    scene.prints(
        &["compare", &checkpoints, "--peer-key", &another],
        1,
        &["1 checkpoint is invalid, the first: it is not signed by this key"],
    );
    scene.prints(
        &["checkpoint", "verify", &checkpoints, "--key", &another],
        1,
        &["confirmed by 0 of 1 required\n  none of the given keys signed it; it names zone-a as its signer"],
    );
    let broken = scene.file("broken", "defaultdb\n1\n");
    scene.prints(
        &["checkpoint", "show", &broken],
        1,
        &["broken: checkpoint 1 is invalid: "],
    );
}

#[test]
fn an_unreachable_address_is_reported_with_the_next_step() {
    let scene = trusted();
    scene.prints(
        &["health", "--audit-monitoring-port", "1"],
        1,
        &[
            "no auditor responds: http://127.0.0.1:1/livez: ",
            "--audit-monitoring-port that it has",
        ],
    );
    scene.prints(
        &["compare", "http://127.0.0.1:1/states?token=hunter2"],
        1,
        &[
            "the other auditor at http://127.0.0.1:1: ",
            "check that it runs",
        ],
    );
    let run = scene
        .program
        .run(&["compare", "http://127.0.0.1:1/states?token=hunter2"]);
    assert!(!run.stderr.contains("hunter2"), "{run:?}");
    // the message is also on stdout, where a user expects the result
    let away = Program::new(1, &scene.folder.join("away"));
    let run = away.run(&["--once"]);
    let message = "tested: the list of databases could not be read: ";
    assert!(run.ends_with(1).stdout.starts_with(message), "{run:?}");
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    let run = away.run(&["--once", "--quiet"]);
    assert_eq!(run.ends_with(1).stdout, "", "{run:?}");
    assert!(run.stderr.starts_with(message), "{run:?}");
}

#[test]
fn config_check_warns_of_a_missing_program() {
    let scene = trusted();
    let message =
        "warning: --audit-exec (flag --audit-exec): \"/no/such/program\": there is no such file";
    scene.prints(
        &["config", "--check", "--audit-exec=/no/such/program -x"],
        0,
        &[message],
    );
    let run = scene
        .program
        .run(&["config", "--check", "--audit-exec=/bin/sh -x"]);
    assert!(!run.ends_with(0).stdout.contains("--audit-exec"), "{run:?}");
    let message =
        "there is no lie \"forks\"; the nearest is fork; immuaudit drill --list prints all";
    scene.prints(&["drill", "--lie", "forks"], 3, &[message]);
}

#[test]
fn paths_in_a_relative_directory_are_printed_as_absolute_paths() {
    let server = Embedded::start(Options::default()).expect("a ledger");
    server.grow(DB, 40);
    let folder = TempDir::new();
    let program = Program::new(server.port(), &folder.join("state"));
    // the last `--dir` is used; the program runs in the parent directory
    let relative = program.with(&["--dir", "state"]);
    relative.once().is(0, DB, "first-seen");
    let mut ledger = server.ledger(DB).expect("a database");
    ledger.truncate(20);
    server.put_ledger(DB, ledger);
    let run = relative.run(&["--once"]);
    let text = &run.ends_with(2).stdout;
    let root = folder.path().canonicalize().expect("a path");
    let evidence = format!("evidence: {}/state/tested/evidence/{DB}/", root.display());
    assert!(text.contains(&evidence), "{text}");
    for line in relative.run(&["alarm", "list"]).ends_with(2).stdout.lines() {
        assert!(!line.contains("evidence: state/"), "{line}");
    }
}

#[test]
fn another_address_than_the_audited_one_is_named() {
    let ledger = |count| {
        let ledger = Embedded::start(Options::default()).expect("an embedded ledger");
        ledger.grow(DB, count);
        ledger
    };
    let (audited, other) = (ledger(20), ledger(30));
    let folder = TempDir::new();
    let states = folder.join("states");
    let program = Program::new(audited.port(), &states).with(&["--audit-keep-hashes"]);
    program.once().is(0, DB, "first-seen");
    let (before, now) = (
        format!("127.0.0.1:{}", audited.port()),
        format!("127.0.0.1:{}", other.port()),
    );
    let warning = format!("the server was last audited at {before}, and the address is {now} now");
    let moved = Program::new(other.port(), &states);
    let run = moved.run(&["locate", "defaultdb"]);
    assert!(run.stderr.contains(&warning), "{run:#?}");
    let head = format!("defaultdb of server tested ({now})");
    assert!(run.stdout.starts_with(&head), "{run:#?}");
    for is_warned in [true, false] {
        let run = moved.once();
        assert_eq!(run.stderr.contains(&warning), is_warned, "{run:#?}");
    }
    // a search with this auditor's own hashes compares nothing
    let mirror = states.join("tested/defaultdb.mirror").display().to_string();
    let run = program.run(&["locate", "defaultdb", "--against", &mirror]);
    assert!(run.ends_with(3).stderr.contains("own mirror"), "{run:#?}");
}
