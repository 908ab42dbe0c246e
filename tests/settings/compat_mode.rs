//! The compatibility mode for immugw: its variables, file, flags and defaults.

#[cfg(unix)]
use crate::support::http::get;
use crate::support::process::{Setup, given};
use crate::support::program::Program;
use crate::support::temp_dir::TempDir;
use immuaudit::config::{CompatMode, Run, SettingsWarning, Signatures};
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options, fill};
use log::Level;

#[test]
fn immuclient_is_the_default_mode() {
    let run = given(&[]).variable("IMMUGW_IMMUDB_PORT", "1").run();
    assert_eq!(run.settings.compat_mode, CompatMode::Immuclient);
    assert_eq!(run.settings.server.port, 3322);
}

#[test]
fn a_flag_a_variable_or_the_name_selects_immugw() {
    let by_flag = given(&["--as", "immugw"]);
    let by_variable = given(&[]).variable("IMMUAUDIT_AS", "immugw");
    let mut by_name = given(&[]);
    by_name.process.name = "immugw".to_owned();
    for setup in [by_flag, by_variable, by_name] {
        let setup = setup.variable("IMMUGW_AUDIT", "true");
        assert_eq!(setup.run().settings.compat_mode, CompatMode::Immugw);
    }
    // the flag takes precedence over the program's name
    let mut setup = given(&["--as=immuclient"]);
    setup.process.name = "immugw".to_owned();
    assert_eq!(setup.run().settings.compat_mode, CompatMode::Immuclient);
}

#[test]
fn immugw_mode_reads_immugws_variables_and_file() {
    let setup = given(&["--as=immugw"])
        .file("etc/immugw.toml", "audit = true\nport = 3323\naddress = \"0.0.0.0\"\nimmudb-address = \"file\"\naudit-interval = \"5m\"\n")
        .file("etc/immuclient.toml", "immudb-port = 9\n")
        .variable("IMMUCLIENT_IMMUDB_PORT", "8")
        .variable("IMMUGW_AUDIT_USERNAME", "auditor")
        .variable("IMMUGW_IMMUDB_PORT", "7")
        .variable("IMMUGW_ADDRESS", "0.0.0.0")
        .variable("IMMUGW_PORT", "3323");
    let server = setup.run().settings.server;
    assert_eq!((server.address.as_str(), server.port), ("file", 7));
    assert_eq!(server.login.username, "auditor");
    let setup = setup.variable("IMMUAUDIT_IMMUDB_PORT", "6");
    assert_eq!(setup.run().settings.server.port, 6);
}

/// Every flag of immugw's help, with its letters and defaults.
#[test]
fn immugws_documented_command_line_is_accepted() {
    let long = [
        "--as=immugw",
        "--address",
        "0.0.0.0",
        "--audit",
        "--audit-interval",
        "5m0s",
        "--audit-password",
        "enc:c2VjcmV0",
        "--audit-username",
        "me",
        "--certificate",
        "./tools/mtls/4_client/certs/localhost.cert.pem",
        "--clientcas",
        "./tools/mtls/2_intermediate/certs/ca-chain.cert.pem",
        "--detached",
        "--dir",
        "trust",
        "--immudb-address",
        "db",
        "--immudb-port",
        "4444",
        "--logfile",
        "/tmp/immugw/immugw.log",
        "--mtls=false",
        "--pidfile",
        "/var/run/immugw.pid",
        "--pkey",
        "./tools/mtls/4_client/private/localhost.key.pem",
        "--port",
        "3323",
        "--servername",
        "localhost",
    ];
    // in this mode -a and -p are the gateway's own address and port
    let short = [
        "--as=immugw",
        "--audit",
        "-a0.0.0.0",
        "-d",
        "-k",
        "db",
        "-j=4444",
        "-m=false",
        "-p",
        "3323",
        "--audit-username=me",
        "--audit-password=secret",
    ];
    for (line, unused) in [(&long[..], 5), (&short[..], 3)] {
        let run = given(line).run();
        let server = &run.settings.server;
        assert_eq!((server.address.as_str(), server.port), ("db", 4444));
        assert_eq!(server.login.username, "me");
        assert_eq!(server.login.password.expose(), "secret");
        let of_no_use =
            |warning: &&SettingsWarning| matches!(warning, SettingsWarning::UnusedSetting { .. });
        let warnings: Vec<&SettingsWarning> = run.warnings.iter().filter(of_no_use).collect();
        assert_eq!(warnings.len(), unused, "{warnings:?}");
        assert!(
            warnings
                .iter()
                .all(|warning| warning.level() == Level::Debug)
        );
    }
    // in the other mode these flags do not exist
    for flag in [
        "--address=x",
        "--pidfile=x",
        "--logfile=x",
        "--detached",
        "-d",
        "-k=x",
        "-j=1",
    ] {
        assert!(
            given(&[flag]).wrong().starts_with("unknown option"),
            "{flag}"
        );
    }
}

#[test]
fn immugws_defaults_are_its_own() {
    let port = |run: &Run| {
        run.settings
            .monitoring
            .listen
            .as_ref()
            .map(|listen| listen.port)
    };
    let immugw = given(&["--as=immugw", "--audit"]).run();
    assert_eq!(port(&immugw), Some(9476));
    assert_eq!(immugw.settings.server.login.username, "immugwauditor");
    assert_eq!(immugw.settings.server.port, 3322);
    let immuclient = given(&[]).run();
    assert_eq!(port(&immuclient), Some(9477));
    let other = given(&["--as=immugw", "--audit", "--audit-monitoring-port=1"]).run();
    assert_eq!(port(&other), Some(1));
}

#[cfg(unix)] // a link to the program
#[test]
fn immugw_mode_has_immugws_metrics() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default()).unwrap();
    fill(&embedded, "defaultdb");
    let program = Program::new(embedded.port(), &folder.join("trust"));
    let immugw = program.with(&["--as=immugw", "--audit", "--audit-username=immudb"]);
    let mut running = immugw.start(&[]);
    running.wait_for("cycle finished server=");
    let log = running.log();
    let address = log.split("status page on http://").nth(1).unwrap();
    let port = address.split('/').next().unwrap().rsplit(':').next();
    let metrics = get(port.unwrap().parse().unwrap(), "/metrics", "*/*").body;
    for name in ["result", "curr_root", "prev_root", "run_at"] {
        let series = format!("\nimmugw_audit_{name}_per_server{{server_id=\"");
        assert!(metrics.contains(&series), "{name}: {metrics}");
    }
    assert!(!metrics.contains("immuclient_audit_"), "{metrics}");
    // the default port, if the program's name is immugw
    let called = folder.join("immugw");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_immuaudit"), &called).unwrap();
    let mut config = std::process::Command::new(called);
    let shown = config.args(["config", "--audit"]).env_clear();
    let shown = shown.env("HOME", folder.path()).output().unwrap().stdout;
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(
        shown.contains("\naudit-monitoring-port = 9476 # default\n"),
        "{shown}"
    );
}

#[test]
fn immugw_mode_audits_only_with_the_flag_audit() {
    let message = "with --as immugw the audit is off by default: give --audit (IMMUGW_AUDIT=true, or audit = true in immugw.toml)";
    assert_eq!(given(&["--as=immugw"]).wrong(), message);
    assert_eq!(given(&["--as=immugw", "--audit=false"]).wrong(), message);
    given(&["--as=immugw", "--audit"]).run();
    // other commands need no --audit
    given(&["--as=immugw", "status"]).run();
}

#[test]
fn immugws_settings_are_refused_in_the_other_mode() {
    assert_eq!(
        given(&["--audit"]).wrong(),
        "--audit: a setting of immugw: give --as immugw too, or remove it"
    );
    let setup = Setup::new().variable("IMMUAUDIT_AUDIT_SIGNATURE", "validate");
    assert_eq!(
        setup.wrong(),
        "audit-signature (IMMUAUDIT_AUDIT_SIGNATURE): a setting of immugw: give --as immugw too, or remove it"
    );
    assert_eq!(
        given(&["--as=immudb"]).wrong(),
        "--as: \"immudb\" is not valid; expected one of immuclient, immugw"
    );
}

#[test]
fn a_key_is_never_ignored_silently() {
    let signatures = |arguments: &[&str]| given(arguments).run().settings.audit.signatures;
    let immugw = ["--as=immugw", "--audit"];
    assert_eq!(signatures(&immugw), Signatures::NotRequired);
    let validate = [immugw[0], immugw[1], "--audit-signature=validate"];
    assert_eq!(signatures(&validate), Signatures::ByTheAnswersOwnKey);
    let ignore = [
        immugw[0],
        immugw[1],
        "--audit-signature=ignore",
        "--server-signing-pub-key=x",
    ];
    assert_eq!(
        given(&ignore).wrong(),
        "--audit-signature=ignore and --server-signing-pub-key exclude each other: leave one of them out"
    );
}

#[test]
fn validate_without_a_key_uses_the_servers_key_and_warns() {
    let folder = TempDir::new();
    let embedded = Embedded::start(Options::default().signed()).unwrap();
    fill(&embedded, "defaultdb");
    let immugw = Program::new(embedded.port(), &folder.join("trust")).with(&[
        "--as=immugw",
        "--audit",
        "--audit-signature=validate",
        "--audit-username=immudb",
    ]);
    let run = immugw.once();
    run.is(0, "defaultdb", "first-seen");
    assert!(run.stderr.contains("proves no identity"), "{run:#?}");
    embedded.lie(LieSchedule::from(Lie::Unsigned));
    immugw.once().is(2, "defaultdb", "bad-signature");
}

#[test]
fn without_audit_nothing_is_started() {
    let folder = TempDir::new();
    let run = Program::new(1, &folder.join("trust")).run(&["--as", "immugw", "--once"]);
    run.ends_with(3);
    assert!(run.stderr.contains("give --audit"), "{run:#?}");
    assert!(!folder.join("trust").exists());
}
