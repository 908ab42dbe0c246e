//! Coming from immuclient: its trusted states, its command line, environment and files, all against
//! a real server.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use immuaudit::wire::proto::{ImmutableState, ImmutableState090};
use protobuf::Message;

use support::place::Place;
use support::program::{Program, member};
use support::real::{Real, built, copy, program};

/// A real server, and an auditor that trusts nothing yet.
struct Scene {
    folder: Place,
    real: Real,
}

impl Scene {
    fn new(version: &str) -> Option<Scene> {
        let folder = Place::new();
        let real = Real::start(&program(version)?, &folder.join("data"), &[]);
        Some(Scene { folder, real })
    }

    fn auditor(&self) -> Program {
        Program::new(self.real.port, &self.folder.join("trust"))
    }

    fn import(&self, path: &Path) -> support::program::Run {
        let path = path.display().to_string();
        self.auditor().run(&["roots", "import", &path, "--json"])
    }

    /// Transaction and hash that the server says a database is at.
    fn state(&self, database: &str) -> (u64, Vec<u8>) {
        let shown = self.real.does(&["state", "--db", database]);
        let mut words = shown.split_whitespace();
        let tx = words.next().unwrap().parse().unwrap();
        let hash = words.next().unwrap();
        let byte = |at| u8::from_str_radix(&hash[at..at + 2], 16).unwrap();
        (tx, (0..hash.len()).step_by(2).map(byte).collect())
    }

    /// A state file as immuclient 1.x writes it, of what the server shows now.
    fn write_state(&self, path: &Path, database: &str, change: impl Fn(&mut ImmutableState)) {
        let (tx_id, tx_hash) = self.state(database);
        let mut state = ImmutableState {
            db: database.into(),
            tx_id,
            tx_hash,
            ..ImmutableState::default()
        };
        change(&mut state);
        write(path, database, &state.write_to_bytes().unwrap());
    }
}

fn write(path: &Path, database: &str, message: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("\n{database}:{}\n", base64(message))).unwrap();
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(*chunk.get(at).unwrap_or(&0))
        });
        for digit in 0..4 {
            let value = DIGITS[bits >> (18 - 6 * digit) & 63];
            text.push(if digit <= chunk.len() {
                value as char
            } else {
                '='
            });
        }
    }
    text
}

/// A real immuclient in audit mode, ended when it is dropped.
struct Immuclient(Child);

impl Immuclient {
    /// Audits until it has written a trusted state below `temporary`, and answers the file.
    fn audit(program: &Path, real: &Real, temporary: &Path) -> PathBuf {
        fs::create_dir_all(temporary).unwrap();
        let port = real.port.to_string();
        let child = Command::new(program)
            .arg("audit-mode")
            .env_clear()
            .env("TMPDIR", temporary)
            .env("HOME", temporary)
            .env("IMMUCLIENT_IMMUDB_ADDRESS", "127.0.0.1")
            .env("IMMUCLIENT_IMMUDB_PORT", port)
            .env("IMMUCLIENT_AUDIT_USERNAME", "immudb")
            .env("IMMUCLIENT_AUDIT_PASSWORD", "immudb")
            .env("IMMUCLIENT_AUDIT_MONITORING_HOST", "127.0.0.1")
            .env("IMMUCLIENT_AUDIT_MONITORING_PORT", "0")
            .env("audit-agent-interval", "1s")
            .current_dir(temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("immuclient starts");
        let mut running = Immuclient(child);
        let end = Instant::now() + Duration::from_secs(60);
        let auditor = temporary.join("auditor");
        loop {
            let of_servers = fs::read_dir(&auditor).into_iter().flatten().flatten();
            let written = of_servers
                .map(|server| server.path().join(".state"))
                .find(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(':')));
            if let Some(file) = written {
                return file;
            }
            assert!(Instant::now() < end, "immuclient wrote no state");
            assert!(running.0.try_wait().unwrap().is_none(), "immuclient ended");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Immuclient {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_a_real_immuclient_trusted_is_imported_and_continued() {
    let (Some(immuclient), Some(scene)) = (built("immuclient-1.11.1"), Scene::new("1.11.1")) else {
        return;
    };
    scene.real.write("defaultdb", "a", 20);
    let temporary = scene.folder.join("tmp");
    Immuclient::audit(&immuclient, &scene.real, &temporary);
    scene.real.write("defaultdb", "b", 7);

    let run = scene.import(&temporary);
    run.ends_with(0);
    let line = run.line("defaultdb");
    assert_eq!(
        (member(line, "result"), member(line, "tx")),
        ("imported", "20")
    );
    let run = scene.auditor().run(&["roots", "list", "--json"]);
    let line = run.ends_with(0).line("defaultdb");
    assert_eq!(
        (member(line, "tx"), member(line, "how")),
        ("20", "imported")
    );

    let run = scene.auditor().with(&["--require-trusted"]).once();
    assert_eq!(
        member(run.is(0, "defaultdb", "consistent").line("defaultdb"), "tx"),
        "27"
    );
    // again is harmless: it is an ancestor of what is trusted now
    let run = scene.import(&temporary);
    let line = run.ends_with(0).line("defaultdb");
    assert_eq!(member(line, "result"), "ancestor");
    let run = scene.auditor().run(&["roots", "list", "--json"]);
    assert_eq!(member(run.line("defaultdb"), "tx"), "27");
}

#[test]
fn a_state_that_the_server_does_not_extend_is_told_and_an_alarm_only_on_request() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let file = scene.folder.join("other/uuid/.state");
    scene.write_state(&file, "defaultdb", |state| state.tx_hash[0] ^= 1);

    let run = scene.import(&scene.folder.join("other"));
    let line = run.ends_with(2).line("defaultdb");
    assert_eq!(member(line, "result"), "inconsistent");
    let run = scene.auditor().run(&["roots", "list", "--json"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""));
    scene.auditor().run(&["status"]).ends_with(0);

    let path = file.display().to_string();
    let run = scene.auditor().run(&["roots", "import", &path, "--alarm"]);
    run.ends_with(2);
    assert!(run.stdout.contains("evidence: "), "{run:#?}");
    scene.auditor().run(&["status"]).ends_with(2);
    // nothing was trusted by it: the next audit is a first sight, with the alarm open
    scene.auditor().once().is(2, "defaultdb", "first-seen");
}

#[test]
fn an_import_never_replaces_what_is_trusted() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let (old, fork) = (
        scene.folder.join("old/.state"),
        scene.folder.join("fork/.state"),
    );
    scene.write_state(&old, "defaultdb", |_| {});
    scene.write_state(&fork, "defaultdb", |state| state.tx_hash[0] ^= 1);
    scene.real.write("defaultdb", "b", 5);
    let newer = scene.folder.join("newer/.state");
    scene.auditor().once().is(0, "defaultdb", "first-seen");
    let trusted = scene.auditor().run(&["roots", "list"]).stdout;
    scene.real.write("defaultdb", "c", 5);
    scene.write_state(&newer, "defaultdb", |_| {});
    for (path, code, result) in [
        (&old, 0, "ancestor"),
        (&newer, 0, "descendant"),
        (&fork, 2, "inconsistent"),
    ] {
        let run = scene.import(path);
        let line = run.ends_with(code).line("defaultdb");
        assert_eq!(member(line, "result"), result, "{run:#?}");
        assert_eq!(scene.auditor().run(&["roots", "list"]).stdout, trusted);
    }
}

#[test]
fn an_older_copy_of_the_server_does_not_extend_a_newer_state() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let Scene { folder, real } = scene;
    let data = real.stop();
    copy(&data, &folder.join("older"));
    let server = program("1.11.1").expect("it was there");
    let scene = Scene {
        real: Real::start(&server, &data, &[]),
        folder,
    };
    scene.real.write("defaultdb", "b", 5);
    let file = scene.folder.join("states/.state");
    scene.write_state(&file, "defaultdb", |_| {});
    let Scene { folder, real } = scene;
    real.stop();
    let scene = Scene {
        real: Real::start(&server, &folder.join("older"), &[]),
        folder,
    };
    let run = scene.import(&file);
    let line = run.ends_with(2).line("defaultdb");
    assert_eq!(member(line, "result"), "rolled-back");
}

#[test]
fn a_server_that_is_away_imports_nothing() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let file = scene.folder.join("states/.state");
    scene.write_state(&file, "defaultdb", |_| {});
    let Scene { folder, real } = scene;
    let port = real.port;
    real.stop();
    let auditor = Program::new(port, &folder.join("trust"));
    let path = file.display().to_string();
    let run = auditor.run(&["roots", "import", &path, "--json"]);
    assert_eq!(
        member(run.ends_with(1).line("defaultdb"), "result"),
        "unreachable"
    );
}

#[test]
fn states_of_every_version_are_imported() {
    for version in ["0.9.0", "0.9.2", "1.2.4", "1.11.1"] {
        let Some(scene) = Scene::new(version) else {
            continue;
        };
        scene.real.write("defaultdb", "a", 9);
        let file = scene.folder.join("states/.state");
        if version == "0.9.0" {
            let (tx_id, tx_hash) = scene.state("defaultdb");
            let state = ImmutableState090 {
                tx_id,
                tx_hash,
                ..ImmutableState090::default()
            };
            write(&file, "defaultdb", &state.write_to_bytes().unwrap());
        } else {
            scene.write_state(&file, "defaultdb", |_| {});
        }
        scene.real.write("defaultdb", "b", 3);
        let run = scene.import(&file);
        let line = run.ends_with(0).line("defaultdb");
        assert_eq!(member(line, "result"), "imported", "{version}");
        let audit = scene.auditor().with(&["--require-trusted"]);
        audit.once().is(0, "defaultdb", "consistent");
    }
}

#[test]
fn files_that_are_no_states_change_nothing_and_say_what_to_do() {
    let folder = Place::new();
    let auditor = Program::new(1, &folder.join("trust"));
    let import = |path: &Path| auditor.run(&["roots", "import", &path.display().to_string()]);
    fs::create_dir_all(folder.join("empty")).unwrap();
    fs::create_dir_all(folder.join("bad")).unwrap();
    fs::write(folder.join("bad/.state"), "\nshop:no state\n").unwrap();
    for (name, told) in [
        ("none", "none: No such file"),
        ("empty", "no file called .state in it: name the folder"),
        (
            "bad",
            ".state:2: not NAME:BASE64 of a state; nothing was imported",
        ),
    ] {
        let run = import(&folder.join(name));
        run.ends_with(3);
        assert!(run.stderr.contains(told), "{run:#?}");
    }
    assert!(!folder.join("trust").exists());
}

#[test]
fn what_the_operator_forgets_is_trusted_no_more() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    scene.auditor().once().is(0, "defaultdb", "first-seen");
    let run = scene.auditor().run(&["roots", "forget", "defaultdb"]);
    run.ends_with(0);
    let (before, after) = run.stdout.split_once("will be trusted no more").unwrap();
    assert!(
        before.contains("transaction 5") && after.contains("forgotten"),
        "{run:#?}"
    );
    scene
        .auditor()
        .run(&["roots", "forget", "defaultdb"])
        .ends_with(3);
    scene.auditor().once().is(0, "defaultdb", "first-seen");
}

/// Runs a command of immuclient's or immugw's documentation as it stands, but for what differs from
/// place to place, until the server has been audited.
fn runs_unchanged(real: &Real, words: &[&str], variables: &[(&str, &str)], files: &[(&str, &str)]) {
    let folder = Place::new();
    let here = |text: &str| {
        let place = folder.path().display().to_string();
        text.replace("PORT", &real.port.to_string())
            .replace("PLACE", &place)
    };
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, here(text)).unwrap();
    }
    let log = folder.join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_immuaudit"));
    command
        .args(words.iter().map(|word| here(word)))
        .env_clear()
        .env("HOME", folder.path())
        .env("STATE_DIRECTORY", folder.join("state")) // root's default is the machine's own
        .env("IMMUAUDIT_LOG_LEVEL", "debug") // where nothing is new nothing is said
        .env("IMMUAUDIT_AUDIT_MONITORING_PORT", "0") // several run at once
        .envs(variables.iter().map(|(name, value)| (*name, here(value))))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap());
    let mut running = Immuclient(command.spawn().unwrap());
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let said = fs::read_to_string(&log).unwrap();
        // the second cycle shows that it goes on
        if said.contains("verdict=first-seen") && said.contains("verdict=consistent") {
            return;
        }
        assert!(Instant::now() < end, "{said}");
        assert!(running.0.try_wait().unwrap().is_none(), "it ended: {said}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The interval, which immuclient takes from nowhere else.
const SECOND: (&str, &str) = ("audit-agent-interval", "1s");

#[test]
fn what_immuclients_documentation_says_runs_unchanged() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let command_line = [
        "audit-mode",
        "--immudb-address",
        "127.0.0.1",
        "--immudb-port",
        "PORT",
        "--audit-username",
        "immudb",
        "--audit-password",
        "immudb",
        "--audit-databases",
        "defaultdb",
    ];
    runs_unchanged(&scene.real, &command_line, &[SECOND], &[]);

    // immuclient's help lists these; none of the files is there, and mTLS is off
    let environment = [
        ("IMMUCLIENT_IMMUDB_ADDRESS", "127.0.0.1"),
        ("IMMUCLIENT_IMMUDB_PORT", "PORT"),
        ("IMMUCLIENT_AUTH", "true"),
        ("IMMUCLIENT_MTLS", "false"),
        ("IMMUCLIENT_SERVERNAME", "localhost"),
        (
            "IMMUCLIENT_PKEY",
            "./tools/mtls/4_client/private/localhost.key.pem",
        ),
        (
            "IMMUCLIENT_CERTIFICATE",
            "./tools/mtls/4_client/certs/localhost.cert.pem",
        ),
        (
            "IMMUCLIENT_CLIENTCAS",
            "./tools/mtls/2_intermediate/certs/ca-chain.cert.pem",
        ),
        SECOND,
    ];
    runs_unchanged(&scene.real, &["audit-mode"], &environment, &[]);

    // as immuclient's service has it
    let file = "dir = \"PLACE/immuclient\"\naddress = \"0.0.0.0\"\nport = 3323\nimmudb-address = \"127.0.0.1\"\nimmudb-port = PORT\npidfile = \"PLACE/immuclient.pid\"\nlogfile = \"PLACE/immuclient.log\"\nmtls = false\ndetached = false\nservername = \"localhost\"\naudit-username = \"immudb\"\naudit-password = \"immudb\"\npkey = \"\"\ncertificate = \"\"\nclientcas = \"\"\n";
    for place in ["configs/immuclient.toml", "immuclient.toml"] {
        runs_unchanged(&scene.real, &["audit-mode"], &[SECOND], &[(place, file)]);
    }
    let named = ["audit-mode", "--config", "PLACE/etc/own.toml"];
    runs_unchanged(&scene.real, &named, &[SECOND], &[("etc/own.toml", file)]);
}

#[test]
fn what_immugws_users_have_runs_unchanged() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let environment = [
        ("IMMUAUDIT_AS", "immugw"),
        ("IMMUGW_ADDRESS", "0.0.0.0"),
        ("IMMUGW_PORT", "3323"),
        ("IMMUGW_IMMUDB_ADDRESS", "127.0.0.1"),
        ("IMMUGW_IMMUDB_PORT", "PORT"),
        ("IMMUGW_AUDIT", "true"),
        ("IMMUGW_AUDIT_INTERVAL", "1s"),
        ("IMMUGW_AUDIT_USERNAME", "immudb"),
        ("IMMUGW_AUDIT_PASSWORD", "immudb"),
    ];
    runs_unchanged(&scene.real, &[], &environment, &[]);
    let file = "address = \"0.0.0.0\"\nport = 3323\nimmudb-address = \"127.0.0.1\"\nimmudb-port = PORT\npidfile = \"\"\nlogfile = \"\"\nmtls = false\ndetached = false\nservername = \"localhost\"\naudit = true\naudit-interval = \"1s\"\naudit-username = \"immudb\"\naudit-password = \"immudb\"\npkey = \"\"\ncertificate = \"\"\nclientcas = \"\"\n";
    for place in ["configs/immugw.toml", "immugw.toml"] {
        runs_unchanged(&scene.real, &["--as=immugw"], &[], &[(place, file)]);
    }
    let command_line = [
        "--as",
        "immugw",
        "-d",
        "-a",
        "0.0.0.0",
        "-p",
        "3323",
        "-k",
        "127.0.0.1",
        "-j",
        "PORT",
        "--pidfile",
        "PLACE/immugw.pid",
        "--logfile",
        "PLACE/immugw.log",
        "--audit",
        "--audit-interval",
        "1s",
        "--audit-username",
        "immudb",
        "--audit-password",
        "immudb",
        "--audit-signature",
        "ignore",
    ];
    runs_unchanged(&scene.real, &command_line, &[], &[]);
}

#[test]
fn from_cron_nothing_is_said_while_all_is_well_and_the_reason_when_not() {
    let Some(scene) = Scene::new("1.11.1") else {
        return;
    };
    scene.real.write("defaultdb", "a", 5);
    let cron = |program: &Program| program.run(&["--once", "--quiet"]);
    for _ in 0..2 {
        let run = cron(&scene.auditor());
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr.as_str()),
            (Some(0), "", "")
        );
    }
    // what a killed auditor leaves is no obstacle
    let mut running = scene.auditor().start(&["audit-mode"]);
    running.wait_for("auditing server=");
    running.signal("KILL");
    running.end();
    assert_eq!(cron(&scene.auditor()).code, Some(0));
    let Scene { folder, real } = scene;
    let port = real.port;
    real.stop();
    let run = cron(&Program::new(port, &folder.join("trust")));
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    assert!(run.stdout.contains("unreachable"), "{run:#?}");
}
