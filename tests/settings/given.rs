//! The effective settings, for each source and for all sources together.

use std::path::PathBuf;
use std::time::Duration;

#[cfg(unix)]
use crate::support::modes::set_mode;
use crate::support::process::{Setup, given};
use immuaudit::config::{
    FirstUse, Format, NewValues, Roots, RunMode, ServiceTask, SettingsWarning, Signatures, Task,
    Transport, Verbosity,
};
use log::{Level, LevelFilter};

const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkA5q60IvLAYkLlrIZdGENnh0CPF0\n\
OQr3ngzljn5AM3WdeL2zRB2iuLKph+IlvPiDcmHqtSx4rBMg2uwWzms6Jg==\n\
-----END PUBLIC KEY-----\n\
";
/// A certificate for CN=x, valid until 2126.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBbzCCARWgAwIBAgIUchrRtNBljVz7qvPmNLgA1m1USHUwCgYIKoZIzj0EAwIw\n\
DDEKMAgGA1UEAwwBeDAgFw0yNjExMjgyMTA5NTBaGA8yMTI2MTEwNDIxMDk1MFow\n\
DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO74gwOOe9gu\n\
8nxq0hN/MKYnIK39iVQo4foGmFri4AleCJazRELa646sflUH0UERtTbfUAd4Kl0f\n\
rQrqXOwiECSjUzBRMB0GA1UdDgQWBBQmlCDwq5SAHOKduycFCKbhUBm36zAfBgNV\n\
HSMEGDAWgBQmlCDwq5SAHOKduycFCKbhUBm36zAPBgNVHRMBAf8EBTADAQH/MAoG\n\
CCqGSM49BAMCA0gAMEUCIQD9JJSu8LCxXZDfY4K/IjKkoFtOLi//rpmuGo2+sdzQ\n\
7wIgYeH09VpCueb347Aa+bGxbElE/2spurbCyqHL81pVV1s=\n\
-----END CERTIFICATE-----\n\
";
/// The private key of the certificate.
const PRIVATE_KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiHWzuTbpGTsUFvPb\n\
EyY+0rFhDwqpcRg5xVeDpEhfBxihRANCAATu+IMDjnvYLvJ8atITfzCmJyCt/YlU\n\
KOH6Bpha4uAJXgiWs0RC2uuOrH5VB9FBEbU231AHeCpdH60K6lzsIhAk\n\
-----END PRIVATE KEY-----\n\
";

#[test]
fn without_any_setting_the_documented_defaults_hold() {
    let run = given(&[]).run();
    assert_eq!(run.task, Task::Audit);
    let (server, audit, report) = (run.settings.server, run.settings.audit, run.settings.report);
    assert_eq!((server.address.as_str(), server.port), ("127.0.0.1", 3322));
    assert_eq!(server.name, "127.0.0.1:3322");
    assert!(matches!(server.transport, Transport::Plain));
    assert_eq!(server.login.username, "immudb");
    assert_eq!(server.login.password.expose(), "immudb");
    assert_eq!(server.call_timeout, Duration::from_secs(10));
    assert_eq!(server.max_recv_msg_size, 4_194_304);
    assert!(audit.databases.selects("anything"));
    assert_eq!(
        (audit.run_mode, audit.interval),
        (RunMode::UntilStopped, Duration::from_secs(300))
    );
    assert_eq!(audit.signatures, Signatures::NotRequired);
    assert!(audit.pins.is_empty());
    assert_eq!(audit.first_use, FirstUse::Trust);
    assert_eq!((audit.max_idle, audit.max_fetch), (None, 10_000));
    assert_eq!(audit.values.sample, 32);
    assert_eq!(
        (audit.values.new, audit.values.sweep),
        (NewValues::Sampled, None)
    );
    assert_eq!(
        (report.format, report.verbosity),
        (Format::Text, Verbosity::Normal)
    );
    assert_eq!(report.log_level, LevelFilter::Info);
}

#[test]
fn immuclients_documented_command_line_is_accepted() {
    let setup = given(&[
        "audit-mode",
        "--immudb-address",
        "db",
        "-p",
        "4444",
        "--audit-databases",
        "shop,bank",
        "--audit-username=auditor",
        "--audit-password",
        "enc:c2VjcmV0",
        "--audit-verify-values",
        "--mtls=false",
        "--tokenfile",
        "x",
        "--value-only",
        "--revision-separator",
        "@",
        "--database",
        "d",
    ]);
    let run = setup.run();
    let server = &run.settings.server;
    assert_eq!((server.address.as_str(), server.port), ("db", 4444));
    assert_eq!(server.login.username, "auditor");
    assert_eq!(server.login.password.expose(), "secret");
    assert_eq!(run.settings.audit.values.new, NewValues::All);
    assert!(!run.settings.audit.databases.selects("other"));
    let unused = run
        .warnings
        .iter()
        .filter(|warning| warning.level() == Level::Debug);
    assert_eq!(unused.count(), 4);
}

#[test]
fn every_flag_of_immuclients_audit_mode_is_known() {
    let help = given(&["--help", "--all"]).text();
    for flag in "--audit-databases --audit-monitoring-host --audit-monitoring-port \
        --audit-notification-url --audit-notification-username --audit-notification-password \
        --audit-username --audit-password --audit-verify-values --certificate --clientcas --config \
        --database --dir --immudb-address --immudb-port --max-recv-msg-size --mtls --password --pkey \
        --revision-separator --roots-filepath --server-signing-pub-key --servername --tokenfile \
        --username --value-only"
        .split_whitespace()
    {
        let is_there = |line: &str| line.split_whitespace().any(|word| word == flag);
        assert!(help.lines().any(is_there), "{flag}");
    }
    for letter in ["-a, --immudb-address", "-p, --immudb-port", "-m, --mtls"] {
        assert!(help.contains(letter), "{letter}");
    }
}

#[test]
fn the_settings_file_of_immuclients_service_is_accepted() {
    let states = match cfg!(windows) {
        true => "C:/immuclient",
        false => "/var/lib/immuclient",
    };
    let file = "address = \"0.0.0.0\"\nport = 3323\nimmudb-address = \"127.0.0.1\"\nimmudb-port = 3322\npidfile = \"/var/lib/immuclient/immuclient.pid\"\nlogfile = \"/var/log/immuclient/immuclient.log\"\nmtls = false\ndetached = false\nservername = \"localhost\"\naudit-username = \"immudb\"\naudit-password = \"immudb\"\npkey = \"\"\ncertificate = \"\"\nclientcas = \"\"\n";
    let file = format!("dir = \"{states}\"\n{file}");
    let run = Setup::new().file("etc/immuclient.toml", &file).run();
    assert_eq!(run.settings.trust.directory, PathBuf::from(states));
    let unused = run
        .warnings
        .iter()
        .filter(|warning| matches!(warning, SettingsWarning::UnusedKey { .. }));
    assert_eq!(unused.count(), 5);
}

#[test]
fn settings_files_are_found_in_order_of_precedence() {
    let mut setup = Setup::new();
    for (port, name) in [
        (1, "etc/immuclient.toml"),
        (2, "home/immuclient.toml"),
        (3, "immuclient.toml"),
        (4, "configs/immuclient.toml"),
        (5, "etc/immuaudit.toml"),
        (6, "home/immuaudit.toml"),
        (7, "immuaudit.toml"),
        (8, "configs/immuaudit.toml"),
    ] {
        setup = setup.file(name, &format!("immudb-port = {port}\n"));
        assert_eq!(setup.run().settings.server.port, port);
    }
    let setup = setup
        .file("own.toml", "IMMUDB-PORT = 9\n")
        .arguments(&["--config", "own.toml"]);
    assert_eq!(setup.run().settings.server.port, 9);
}

#[test]
fn the_interval_is_also_taken_from_immuclients_own_variable() {
    let setup = given(&["--once"]).variable("audit-agent-interval", "1s");
    assert_eq!(setup.run().settings.audit.interval, Duration::from_secs(1));
    let setup = setup.variable("IMMUCLIENT_AUDIT_INTERVAL", "2s");
    let audit = setup.run().settings.audit;
    assert_eq!(
        (audit.interval, audit.run_mode),
        (Duration::from_secs(2), RunMode::Once)
    );
}

#[test]
fn username_counts_without_audit_username() {
    let login = given(&["--username=a", "--password=b"])
        .run()
        .settings
        .server
        .login;
    assert_eq!(
        (login.username.as_str(), login.password.expose()),
        ("a", "b")
    );
    let line = [
        "--username=a",
        "--password=b",
        "--audit-username=c",
        "--audit-password=d",
    ];
    let login = given(&line).run().settings.server.login;
    assert_eq!(
        (login.username.as_str(), login.password.expose()),
        ("c", "d")
    );
}

#[test]
fn a_password_comes_from_a_file_a_credential_or_a_variable() {
    let password = |setup: &Setup| {
        setup
            .run()
            .settings
            .server
            .login
            .password
            .expose()
            .to_owned()
    };
    let setup = Setup::new().file("immuaudit.toml", "audit-password = \"in the file\"\n");
    assert_eq!(password(&setup), "in the file");
    let directory = setup.at("credentials");
    let setup = setup
        .file("credentials/audit-password", "of systemd\n")
        .variable("CREDENTIALS_DIRECTORY", &directory);
    assert_eq!(password(&setup), "of systemd");
    let path = setup.at("secret");
    let setup = setup
        .file("secret", "enc:c2VjcmV0\n")
        .variable("IMMUCLIENT_AUDIT_PASSWORD_FILE", &path);
    assert_eq!(password(&setup), "secret");
    let setup = setup.variable("IMMUAUDIT_AUDIT_PASSWORD", "variable");
    assert_eq!(password(&setup), "variable");
}

#[test]
fn tls_opens_only_the_files_it_needs() {
    let setup = given(&["--certificate=none", "--pkey=none", "--clientcas=none"]);
    assert!(matches!(
        setup.run().settings.server.transport,
        Transport::Plain
    ));
    let setup = given(&["--tls", "--servername=db"]);
    let Transport::Tls {
        roots: Roots::System,
        server_name,
    } = setup.run().settings.server.transport
    else {
        panic!()
    };
    assert_eq!(server_name.as_deref(), Some("db"));

    let setup = Setup::new()
        .file("ca.pem", CERTIFICATE)
        .file("key.pem", PRIVATE_KEY);
    let (ca, key) = (setup.at("ca.pem"), setup.at("key.pem"));
    let setup = setup.arguments(&["--tls-ca", &ca]);
    let Transport::Tls {
        roots: Roots::Pem(pem),
        server_name: None,
    } = setup.run().settings.server.transport
    else {
        panic!()
    };
    assert_eq!(pem, CERTIFICATE);
    let setup = setup.arguments(&[
        "-m",
        "--certificate",
        &ca,
        "--pkey",
        &key,
        "--clientcas",
        &ca,
    ]);
    let Transport::Mutual {
        key, server_name, ..
    } = setup.run().settings.server.transport
    else {
        panic!()
    };
    assert_eq!(
        (key.expose(), server_name.as_str()),
        (PRIVATE_KEY, "localhost")
    );
}

#[test]
fn signing_keys_are_read() {
    let setup = Setup::new().file("keys.pem", &PUBLIC_KEY.repeat(2));
    let path = setup.at("keys.pem");
    let setup = setup.arguments(&["--server-signing-pub-key", &path]);
    let signatures = setup.run().settings.audit.signatures;
    assert!(matches!(signatures, Signatures::By(keys) if keys.len() == 2));
}

// docs/windows.md names the paths on Windows
#[cfg(unix)]
#[test]
fn trusted_states_have_a_persistent_directory() {
    let directory = |setup: &Setup| setup.run().settings.trust.directory.display().to_string();
    let setup = Setup::new();
    assert_eq!(directory(&setup), setup.at("home/.local/state/immuaudit"));
    let setup = setup.variable("XDG_STATE_HOME", "relative");
    assert_eq!(directory(&setup), setup.at("home/.local/state/immuaudit"));
    let mut setup = setup.variable("XDG_STATE_HOME", "/xdg");
    assert_eq!(directory(&setup), "/xdg/immuaudit");
    setup.process.privilege = immuaudit::config::Privilege::Root;
    assert_eq!(directory(&setup), "/var/lib/immuaudit");
    let setup = setup.variable("STATE_DIRECTORY", "/service:/other");
    assert_eq!(directory(&setup), "/service");
    // systemd sorts them: the first one can be that of --roots-filepath
    let setup = setup.variable("STATE_DIRECTORY", "/var/lib/a:/var/lib/immuaudit");
    assert_eq!(directory(&setup), "/var/lib/immuaudit");
    assert_eq!(directory(&setup.arguments(&["--dir=/own"])), "/own");
}

#[test]
fn the_label_of_a_server_is_its_address_or_configured() {
    let name = |arguments: &[&str]| given(arguments).run().settings.server.name.clone();
    assert_eq!(name(&["-a=db", "-p=1"]), "db:1");
    assert_eq!(name(&["-a=[::1]", "-p=1"]), "[::1]:1");
    assert_eq!(name(&["-a=db", "--server-label=primary"]), "primary");
}

/// Returns the warnings about these settings, without the directory of the test.
fn warned(setup: Setup) -> Vec<String> {
    let warnings = setup.run().warnings;
    warnings
        .iter()
        .filter(|r| r.level() == Level::Warn)
        .map(|r| r.to_string().replace(&setup.at(""), ""))
        .collect()
}

#[test]
fn risky_settings_are_warned_about() {
    assert_eq!(
        warned(given(&[])),
        [
            "the login uses immudb's default password: change it on the server, and give the new one with --audit-password-file"
        ]
    );
    assert_eq!(
        warned(given(&["--audit-password=x"])),
        [
            "other users of this machine can see --audit-password on the command line: use --audit-password-file"
        ]
    );
    let setup = given(&["-a=db.example"]).variable("IMMUAUDIT_AUDIT_PASSWORD", "x");
    assert_eq!(
        warned(setup),
        ["the password goes to \"db.example\" unencrypted: use --tls, --tls-ca or --mtls"]
    );
}

// Windows has no file modes
#[cfg(unix)]
#[test]
fn a_password_file_that_others_can_read_is_warned_about() {
    let setup = Setup::new().file("password", "x");
    let path = setup.at("password");
    set_mode(&path, 0o644).unwrap();
    let setup = setup.arguments(&["--audit-password-file", &path]);
    assert_eq!(
        warned(setup),
        ["every user of this machine can read the password in password: run chmod o= password"]
    );
    let setup = Setup::new().file("immuaudit.toml", "audit-password = \"x\"\n");
    let path = setup.at("immuaudit.toml");
    set_mode(&path, 0o644).unwrap();
    assert_eq!(
        warned(setup),
        [
            "every user of this machine can read the password in immuaudit.toml: run chmod o= immuaudit.toml"
        ]
    );
}

/// Otherwise the service would audit another server than the one in the file.
#[test]
fn a_service_reads_the_settings_file_that_exists() {
    const OURS: &str = "immuaudit.toml";
    const COMPAT: &str = "immuclient.toml";
    let install = |files: &[&str]| {
        let setup = given(&["audit-mode", "install"]);
        let file = |setup: Setup, name: &&str| {
            setup.file(&format!("etc/{name}"), "immudb-address = \"db.example\"\n")
        };
        files.iter().fold(setup, file)
    };
    for (files, config, address) in [
        (&[][..], COMPAT, "127.0.0.1"),
        (&[COMPAT], COMPAT, "db.example"),
        (&[OURS], OURS, "db.example"),
    ] {
        let setup = install(files);
        let run = setup.run();
        let Task::Service(ServiceTask::Install(installation)) = &run.task else {
            panic!("{:?}", run.task);
        };
        assert_eq!(installation.config, setup.path.join("etc").join(config));
        assert_eq!(run.settings.server.address, address);
    }
    let both = install(&[COMPAT, OURS]);
    let message = both.wrong().replace('\\', "/");
    assert_eq!(
        message,
        "etc/immuclient.toml and etc/immuaudit.toml both exist, and the service reads only one file: name it with --config"
    );
    // the instances would read the settings that the command writes
    let instances = install(&[OURS]).file("etc/immuaudit.d/shop.toml", "");
    let message = instances.wrong().replace('\\', "/");
    assert_eq!(
        message,
        "etc/immuaudit.toml is the common settings file of the instances: name another file for this service with --config"
    );
    let config = both.at("etc/immuaudit.toml");
    let named = both.arguments(&["audit-mode", "install", "--config", &config]);
    assert_eq!(named.run().settings.server.address, "db.example");
}
