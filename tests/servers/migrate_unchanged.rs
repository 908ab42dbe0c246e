//! Migration from immuclient and immugw with a real server: their command lines, environments and
//! files work unchanged. Also runs under cron.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::support::immuclient::{Immuclient, Scene};
use crate::support::program::Program;
use crate::support::real::Real;
use crate::support::temp_dir::TempDir;

/// Runs a command from the documentation of immuclient or immugw until the server has been audited.
/// Only ports, paths and the log level are set for the test.
fn runs_unchanged(real: &Real, args: &[&str], variables: &[(&str, &str)], files: &[(&str, &str)]) {
    let folder = TempDir::new();
    let here = |text: &str| {
        let path = folder.path().display().to_string();
        text.replace("PORT", &real.port.to_string())
            .replace("FOLDER", &path)
    };
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, here(text)).unwrap();
    }
    let log = folder.join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_immuaudit"));
    command
        .args(args.iter().map(|word| here(word)))
        .env_clear()
        .env("HOME", folder.path())
        .env("STATE_DIRECTORY", folder.join("state")) // root's default is a system directory
        .env("IMMUAUDIT_LOG_LEVEL", "debug") // unchanged verdicts are logged only then
        .env("IMMUAUDIT_AUDIT_MONITORING_PORT", "0") // several run concurrently
        .envs(variables.iter().map(|(name, value)| (*name, here(value))))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap());
    let mut running = Immuclient(command.spawn().unwrap());
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let printed = fs::read_to_string(&log).unwrap();
        // the second cycle shows that the program continues
        if printed.contains("verdict=first-seen") && printed.contains("verdict=consistent") {
            return;
        }
        assert!(Instant::now() < end, "{printed}");
        assert!(
            running.0.try_wait().unwrap().is_none(),
            "it ended: {printed}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// The interval; immuclient reads it from this variable only.
const SECOND: (&str, &str) = ("audit-agent-interval", "1s");

#[test]
fn immuclients_documented_commands_run_unchanged() {
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

    // the variables of immuclient's help; the files do not exist, and mTLS is off
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

    // the settings file of immuclient's service
    let file = "dir = \"FOLDER/immuclient\"\naddress = \"0.0.0.0\"\nport = 3323\nimmudb-address = \"127.0.0.1\"\nimmudb-port = PORT\npidfile = \"FOLDER/immuclient.pid\"\nlogfile = \"FOLDER/immuclient.log\"\nmtls = false\ndetached = false\nservername = \"localhost\"\naudit-username = \"immudb\"\naudit-password = \"immudb\"\npkey = \"\"\ncertificate = \"\"\nclientcas = \"\"\n";
    for file_name in ["configs/immuclient.toml", "immuclient.toml"] {
        runs_unchanged(
            &scene.real,
            &["audit-mode"],
            &[SECOND],
            &[(file_name, file)],
        );
    }
    let named = ["audit-mode", "--config", "FOLDER/etc/own.toml"];
    runs_unchanged(&scene.real, &named, &[SECOND], &[("etc/own.toml", file)]);
}

#[test]
fn immugws_documented_commands_run_unchanged() {
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
    for file_name in ["configs/immugw.toml", "immugw.toml"] {
        runs_unchanged(&scene.real, &["--as=immugw"], &[], &[(file_name, file)]);
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
        "FOLDER/immugw.pid",
        "--logfile",
        "FOLDER/immugw.log",
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
fn a_quiet_run_under_cron_prints_only_problems() {
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
    // a killed auditor leaves no lock behind
    let mut running = scene.auditor().start(&["audit-mode"]);
    running.wait_for("auditing server=");
    running.signal("KILL");
    running.end();
    assert_eq!(cron(&scene.auditor()).code, Some(0));
    let Scene { folder, real } = scene;
    let port = real.port;
    real.stop();
    let run = cron(&Program::new(port, &folder.join("trust")));
    run.ends_with(1);
    assert!(run.stdout.contains("unreachable"), "{run:#?}");
    // the only line is about the list of databases, which could not be read
    assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
    assert!(
        run.stderr
            .contains("the list of databases could not be read"),
        "{run:#?}"
    );
}
