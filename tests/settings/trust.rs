//! Settings that are refused: files that other users can write, TLS that cannot work, and labels
//! that would cause another first use. The settings files of immudb and immugw are accepted
//! unchanged.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::process::{Command, Stdio};

use crate::support::certificates::{authority, certificate, openssl};
use crate::support::loud::not_shown;
use crate::support::process::{Setup, given};
use crate::support::program::Program;
use crate::support::temp_dir::TempDir as Folder;
use crate::support::trusting::{DATABASE, Scene};
use immuaudit::clock;
use immuaudit::config::SettingsWarning;
use immuaudit::trust::{Location, Store};
use log::Level;

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("/proc").uid() == 0
}

#[test]
fn a_settings_file_that_others_can_write_is_refused() {
    for mode in [0o620, 0o602, 0o666] {
        for name in [
            "immuclient.toml",
            "configs/immuaudit.toml",
            "etc/immuaudit.toml",
        ] {
            let setup = given(&[]).file(name, "immudb-address = \"stranger\"\n");
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(setup.path.join(name), permissions).unwrap();
            let message = setup.wrong();
            assert!(
                message.starts_with(&format!("settings file {name}: other users can write it")),
                "{message}"
            );
        }
    }
    let setup = given(&["--config=own.toml"]).file("own.toml", "");
    fs::set_permissions(
        setup.path.join("own.toml"),
        fs::Permissions::from_mode(0o666),
    )
    .unwrap();
    assert!(
        setup.wrong().contains("other users can write it"),
        "{}",
        setup.wrong()
    );
}

#[test]
fn a_settings_file_or_link_of_another_user_is_refused() {
    if !is_root() {
        return not_shown("settings files of another user: only root can make one");
    }
    for name in ["immuclient.toml", "configs/immuaudit.toml", "own.toml"] {
        let setup = given(&["--config=own.toml"][..usize::from(name == "own.toml")]).file(
            name,
            "immudb-address = \"stranger\"\naudit-password-file = \"/root/secret\"\n",
        );
        chown(setup.path.join(name), Some(47_117), None).unwrap();
        let message = setup.wrong();
        assert!(message.contains("it belongs to user 47117"), "{message}");
    }
    let setup = given(&[]).file("elsewhere.toml", "immudb-address = \"stranger\"\n");
    let link = setup.path.join("immuaudit.toml");
    symlink(setup.path.join("elsewhere.toml"), &link).unwrap();
    lchown(&link, Some(47_117), None).unwrap();
    assert!(
        setup.wrong().contains("it belongs to user 47117"),
        "{}",
        setup.wrong()
    );
    // a link that root owns is accepted
    lchown(&link, Some(0), None).unwrap();
    assert_eq!(setup.run().settings.server.address, "stranger");
}

/// Returns the warnings at a visible log level.
fn visible_warnings(setup: &Setup) -> Vec<String> {
    let run = setup.run();
    let heard = |warning: &&SettingsWarning| {
        warning.level() <= Level::Info && **warning != SettingsWarning::DefaultPassword
    };
    run.warnings
        .iter()
        .filter(heard)
        .map(SettingsWarning::to_string)
        .collect()
}

/// The keys and values of configs/immuclient.toml of immudb.
const IMMUCLIENT: [(&str, &str); 10] = [
    ("immudb-address", "\"127.0.0.1\""),
    ("immudb-port", "3322"),
    ("auth", "true"),
    ("tokenfile", "\"token-0.7.0\""),
    ("mtls", "false"),
    ("servername", "\"localhost\""),
    (
        "pkey",
        "\"./tools/mtls/4_client/private/localhost.key.pem\"",
    ),
    (
        "certificate",
        "\"./tools/mtls/4_client/certs/localhost.cert.pem\"",
    ),
    (
        "clientcas",
        "\"./tools/mtls/2_intermediate/certs/ca-chain.cert.pem\"",
    ),
    ("audit-signature", "\"ignore\""),
];

/// The keys and values of configs/immugw.toml of immugw, without those for TLS, which are the same.
const IMMUGW: [(&str, &str); 13] = [
    ("dir", "\".\""),
    ("address", "\"0.0.0.0\""),
    ("port", "3323"),
    ("immudb-address", "\"127.0.0.1\""),
    ("immudb-port", "3322"),
    ("pidfile", "\"\""),
    ("logfile", "\"\""),
    ("detached", "false"),
    ("audit", "false"),
    ("audit-interval", "\"5m\""),
    ("audit-username", "\"immugwauditor\""),
    ("audit-password", "\"\""),
    ("audit-signature", "\"ignore\""),
];

fn toml<'a>(keys: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> String {
    let lines = keys
        .into_iter()
        .map(|(key, value)| format!("{key} = {value}\n"));
    lines.collect()
}

#[test]
fn the_settings_file_of_immudb_is_accepted_unchanged() {
    let setup = given(&[]).file("immuclient.toml", &toml(&IMMUCLIENT));
    assert_eq!(visible_warnings(&setup), Vec::<String>::new());
    // the variable is accepted too, and has no influence on a key
    let setup = given(&[]).variable("IMMUCLIENT_AUDIT_SIGNATURE", "ignore");
    setup.run();
    let setup =
        given(&["--server-signing-pub-key=none.pem"]).file("immuclient.toml", &toml(&IMMUCLIENT));
    assert!(setup.wrong().contains("none.pem"), "{}", setup.wrong());
}

#[test]
fn the_settings_file_of_immugw_is_accepted_without_its_relative_dir() {
    let tls = IMMUCLIENT.iter().filter(|(key, _)| {
        ["mtls", "servername", "pkey", "certificate", "clientcas"].contains(key)
    });
    let text = toml(IMMUGW.iter().chain(tls));
    let setup = given(&["--as=immugw", "--audit"]).file("immugw.toml", &text);
    let message = visible_warnings(&setup);
    assert_eq!(message.len(), 1, "{message:?}");
    assert!(
        message[0]
            .contains("dir = \".\" would depend on the directory in which the program is started"),
        "{message:?}"
    );
    let kept = setup.run().settings.trust.directory;
    assert_eq!(kept, setup.path.join("home/.local/state/immuaudit"));
}

#[test]
fn a_relative_directory_of_states_in_a_file_is_refused() {
    for key in ["dir", "roots-filepath"] {
        let setup = given(&[]).file("immuaudit.toml", &format!("{key} = \"states\"\n"));
        let message = setup.wrong();
        assert!(
            message.starts_with(&format!(
                "{key} (immuaudit.toml:1): \"states\" is not valid; expected an absolute path"
            )),
            "{message}"
        );
        given(&[&format!("--{key}=states")]).run();
    }
}

#[test]
fn settings_without_effect_are_warned_about() {
    for (arguments, message) in [
        (
            &["--certificate=a.pem"][..],
            "--certificate (flag --certificate) has no effect without --mtls",
        ),
        (
            &["--tls", "--pkey=a.key"],
            "--pkey (flag --pkey) has no effect without --mtls",
        ),
        (
            &["--servername=db"],
            "--servername (flag --servername) has no effect without TLS",
        ),
    ] {
        let visible_warnings = visible_warnings(&given(arguments));
        assert_eq!(visible_warnings.len(), 1, "{visible_warnings:?}");
        assert!(
            visible_warnings[0].starts_with(message),
            "{visible_warnings:?}"
        );
    }
    assert_eq!(
        visible_warnings(&given(&["--tls", "--servername=db"])),
        Vec::<String>::new()
    );
}

#[test]
fn the_former_name_of_the_label_is_accepted_with_a_warning() {
    let setup = given(&["--server-name=primary"]);
    assert_eq!(setup.run().settings.server.name, "primary");
    assert!(visible_warnings(&setup)[0].contains("is called --server-label now"));
    let setup = given(&["--server-label=b"]).file("immuaudit.toml", "server-name = \"a\"\n");
    assert_eq!(setup.run().settings.server.name, "b");
}

/// A former name that is no longer read must not be ignored silently.
#[test]
fn other_former_names_of_settings_are_refused() {
    let file = given(&[]).file("immuaudit.toml", "require-trusted = true\n");
    let message = file.wrong();
    assert!(
        message.ends_with(
            "immuaudit.toml:1: require-trusted is called no-first-use now: use that name"
        ),
        "{message}"
    );
    for (former, now) in [
        ("IMMUAUDIT_REQUIRE_TRUSTED", "IMMUAUDIT_NO_FIRST_USE"),
        (
            "IMMUCLIENT_AUDIT_MIRROR_MAX",
            "IMMUCLIENT_AUDIT_KEEP_HASHES_MAX",
        ),
    ] {
        let message = given(&[]).variable(former, "65536").wrong();
        assert_eq!(
            message,
            format!("{former} is called {now} now: use that name")
        );
        given(&[]).variable(former, "").run();
    }
}

#[test]
fn certificates_and_keys_are_checked_before_the_start() {
    let folder = Folder::new();
    authority(&folder, "ca");
    certificate(&folder, "ca", "one");
    certificate(&folder, "ca", "other");
    openssl(&folder, "genrsa -traditional -out rsa.key 2048");
    openssl(
        &folder,
        "req -x509 -key rsa.key -subj /CN=rsa -days 2 -out rsa.pem",
    );
    openssl(&folder, "genpkey -algorithm ed25519 -out ed.key");
    openssl(
        &folder,
        "req -x509 -key ed.key -subj /CN=ed -days 2 -out ed.pem",
    );
    openssl(&folder, "genpkey -algorithm RSA -out rsa8.key");
    openssl(
        &folder,
        "req -x509 -key rsa8.key -subj /CN=rsa -days 2 -out rsa8.pem",
    );
    openssl(&folder, "ec -in one.key -out sec1.key");
    fs::copy(folder.join("one.pem"), folder.join("sec1.pem")).unwrap();
    fs::write(
        folder.join("junk.pem"),
        "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let flags = |certificate: &str, key: &str, ca: &str| {
        let at = |name: &str| folder.join(name).display().to_string();
        let flags = [
            "--mtls".to_owned(),
            format!("--certificate={}", at(certificate)),
            format!("--pkey={}", at(key)),
            format!("--clientcas={}", at(ca)),
        ];
        given(&flags.each_ref().map(String::as_str))
    };
    let names = ["one", "rsa", "ed", "rsa8", "sec1"];
    for name in names {
        flags(&format!("{name}.pem"), &format!("{name}.key"), "ca.pem").run();
        let other = flags(&format!("{name}.pem"), "other.key", "ca.pem").wrong();
        assert!(
            other.contains("other.key")
                && other.contains("it does not belong to the certificate in"),
            "{other}"
        );
    }
    for name in &names[1..] {
        let message = flags("other.pem", &format!("{name}.key"), "ca.pem").wrong();
        assert!(
            message.contains("it does not belong to"),
            "{name}: {message}"
        );
    }
    for message in [
        flags("junk.pem", "one.key", "ca.pem").wrong(),
        flags("one.pem", "one.key", "junk.pem").wrong(),
        given(&[&format!("--tls-ca={}", folder.join("junk.pem").display())]).wrong(),
    ] {
        assert!(
            message.contains("junk.pem") && message.contains("there is no certificate (X.509)"),
            "{message}"
        );
    }
    // the exit code is 3
    let program = Program::new(1, &folder.join("trust"));
    let junk = format!("--tls-ca={}", folder.join("junk.pem").display());
    program.run(&["--once", &junk]).ends_with(3);
    assert!(!folder.join("trust").exists());
}

#[test]
fn a_tls_mismatch_is_hinted_at() {
    let scene = Scene::new();
    authority(&scene.folder, "ca");
    certificate(&scene.folder, "ca", "leaf");
    let ca = format!("--tls-ca={}", scene.folder.join("ca.pem").display());
    let run = scene.program.with(&[&ca]).run(&["--once"]);
    run.ends_with(1);
    assert!(
        run.stderr.contains("does not use TLS: remove --tls"),
        "{run:#?}"
    );

    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.unwrap().port();
    let mut server = Command::new("openssl")
        .args([
            "s_server", "-quiet", "-cert", "leaf.pem", "-key", "leaf.key",
        ])
        .args(["-accept", &format!("127.0.0.1:{port}")])
        .current_dir(scene.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let line = format!(":{port:04X} 00000000:0000 0A ");
    for _ in 0..3000 {
        let listening = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        if listening.contains(&line) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let run = Program::new(port, &scene.folder.join("other")).run(&["--once"]);
    server.kill().unwrap();
    server.wait().unwrap();
    run.ends_with(1);
    assert!(
        run.stderr
            .contains("a server that requires TLS closes connections without TLS"),
        "{run:#?}"
    );
    // no hint if the server is just down
    let run = Program::new(1, &scene.folder.join("third")).run(&["--once"]);
    assert!(!run.stderr.contains("TLS"), "{run:#?}");
}

#[test]
fn a_new_label_for_an_address_that_was_audited_is_refused() {
    let scene = Scene::trusted();
    let renamed = scene.program.with(&["--server-label=renamed"]);
    for verb in ["--once", "sweep"] {
        let run = renamed.run(&[verb]);
        run.ends_with(3);
        assert!(
            run.stderr.contains("was audited under the label tested"),
            "{run:#?}"
        );
        assert!(
            run.stderr.contains("give --server-label tested"),
            "{run:#?}"
        );
    }
    let check = renamed.run(&["config", "--check"]);
    check.ends_with(3);
    assert!(
        check.stderr.contains("was audited under the label tested"),
        "{check:#?}"
    );
    assert_eq!(fs::read_dir(&scene.program.dir).unwrap().count(), 1);
    scene.program.once().is(0, DATABASE, "consistent");
    // a server that moves keeps its label, and another server may use the address
    let moved = Scene::within(Folder::new(), "unused");
    let program = Program::new(moved.server.port(), &scene.program.dir);
    program.once();
    let run = renamed.once();
    run.is(0, DATABASE, "first-seen");
}

#[test]
fn a_label_for_an_address_that_0_1_0_used_as_label_is_refused() {
    let scene = Scene::new();
    let location = |server: &str| Location {
        dir: scene.program.dir.clone(),
        roots: None,
        server: server.to_owned(),
    };
    let address = format!("127.0.0.1:{}", scene.server.port());
    // 0.1.0 stored no address, and used the address as the default label
    drop(Store::open(&location(&address), clock::now()).unwrap());
    let refused = Store::check_label(&location("primary"), &address).unwrap_err();
    let remedy = format!("give --server-label {address}");
    assert!(refused.to_string().contains(&remedy), "{refused}");
    Store::check_label(&location("primary"), "127.0.0.1:1").unwrap();
    Store::check_label(&location(&address), &address).unwrap();
    // a configured label has no relation to the address
    drop(Store::open(&location("given"), clock::now()).unwrap());
    let run = scene.program.run(&["--once"]);
    run.ends_with(3);
    assert!(run.stderr.contains(&remedy), "{run:#?}");
}

#[test]
fn a_check_of_the_settings_prints_all_warnings_of_a_start() {
    let folder = Folder::new();
    let program = Program::new(1, &folder.join("trust"));
    let warned = program.with(&[
        "--audit-password=immudb",
        "--certificate=a.pem",
        "--immudb-address=db",
    ]);
    let run = warned.run(&["config", "--check"]);
    run.ends_with(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{run:#?}");
    assert_eq!(lines[0], "the settings are valid");
    for (visible_warnings, line) in [
        ("on the command line", lines[1]),
        ("default password", lines[3]),
        ("goes to \"db\" unencrypted", lines[4]),
        ("--certificate (flag --certificate) has no effect", lines[2]),
    ] {
        assert!(
            line.starts_with("warning: ") && line.contains(visible_warnings),
            "{lines:#?}"
        );
    }
}
