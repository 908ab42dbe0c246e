//! Secrets do not leak to files, to the output, to `ps` or to a core file.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::modes::set_mode;
use crate::support::program::{Program, Running};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};
use immuaudit::wire::method;

const DATABASE: &str = "defaultdb";
const PASSWORD: &str = "Correct-horse1!battery";
/// The password in base64, for `enc:`.
const ENCODED: &str = "Q29ycmVjdC1ob3JzZTEhYmF0dGVyeQ==";
const WRONG: &str = "Wrong-mule2!staple";

/// Returns each file and file name below a directory that contains one of `secrets`.
fn leaks(directory: &Path, secrets: &[String]) -> Vec<String> {
    let mut leaks = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.display().to_string();
        leaks.extend(found(&name, name.as_bytes(), secrets));
        if path.is_dir() {
            leaks.extend(self::leaks(&path, secrets));
        } else {
            leaks.extend(found(&name, &fs::read(&path).expect("a file"), secrets));
        }
    }
    leaks
}

fn found(source: &str, bytes: &[u8], secrets: &[String]) -> Vec<String> {
    let in_bytes = |secret: &&String| {
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        let raw = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        raw || bytes.windows(hex.len()).any(|w| w == hex.as_bytes())
    };
    let found = secrets.iter().filter(in_bytes);
    found
        .map(|secret| format!("{secret} in {source}"))
        .collect()
}

/// A way to give the password: arguments and variables.
struct Way {
    args: Vec<String>,
    variables: Vec<(String, String)>,
}

fn ways(secrets: &Path) -> Vec<Way> {
    let file = secrets.join("password");
    fs::write(&file, PASSWORD).expect("a file");
    set_mode(&file, 0o600).expect("its mode");
    let credentials = secrets.join("credentials");
    fs::create_dir_all(&credentials).expect("a directory");
    let credential = credentials.join("audit-password");
    fs::write(&credential, PASSWORD).expect("a file");
    set_mode(&credential, 0o600).expect("its mode");
    let settings = secrets.join("settings.toml");
    fs::write(&settings, format!("audit-password = \"{PASSWORD}\"\n")).expect("a file");
    set_mode(&settings, 0o600).expect("its mode");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let args = |args: &[&str]| Way {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        variables: vec![],
    };
    let variable = |name: &str, value: &str| Way {
        args: vec![],
        variables: vec![(name.into(), value.into())],
    };
    vec![
        args(&["--audit-password", PASSWORD]),
        args(&[&format!("--audit-password={PASSWORD}")]),
        args(&["--password", &format!("enc:{ENCODED}")]),
        args(&["--audit-password-file", &text(&file)]),
        args(&["--config", &text(&settings)]),
        variable("IMMUAUDIT_AUDIT_PASSWORD", PASSWORD),
        variable("IMMUCLIENT_AUDIT_PASSWORD", PASSWORD),
        variable("IMMUAUDIT_AUDIT_PASSWORD_FILE", &text(&file)),
        variable("CREDENTIALS_DIRECTORY", &text(&credentials)),
    ]
}

fn secrets() -> Vec<String> {
    [PASSWORD, ENCODED, WRONG].map(str::to_owned).to_vec()
}

/// Other products accepted such secrets, with which no signature can be correct.
#[test]
fn an_invalid_secret_is_refused_and_not_printed() {
    let folder = TempDir::new();
    let file = folder.join("secret");
    let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let config = |arguments: &[&str]| {
        let program = Program::new(1, &folder.join("state"));
        program.with(arguments).run(&["config", "--check"])
    };
    for (wrong, mistake) in [
        ("whsec_".to_owned(), "these are 0"),
        ("whsec_MQ==".to_owned(), "these are 1"),
        ("whsec_xyz!".to_owned(), "not base64"),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMQ".to_owned(),
            "are missing",
        ),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_".to_owned(),
            "URL-safe",
        ),
        (format!("v1,{good}"), "this is, or begins with, a signature"),
        (format!("\u{feff}{good}"), "byte order mark"),
        ("too short".to_owned(), "these are 9"),
    ] {
        let by_flag = config(&["--audit-notification-secret", &wrong]);
        fs::write(&file, &wrong).expect("a file");
        let path = file.display().to_string();
        let by_file = config(&["--audit-notification-secret-file", &path]);
        for run in [by_flag, by_file] {
            run.ends_with(3);
            assert!(
                run.stderr.contains("--audit-notification-secret"),
                "{run:?}"
            );
            assert!(run.stderr.contains(mistake), "{wrong}: {run:?}");
            let shown = wrong.len() > 9 && run.stderr.contains(&wrong);
            assert!(!shown, "{run:?}");
        }
    }
    for text in [format!("{good} \t\r\n"), good.to_owned()] {
        fs::write(&file, text).expect("a file");
        let path = file.display().to_string();
        config(&["--audit-notification-secret-file", &path]).ends_with(0);
    }
}

/// Returns the secrets in the command line that `ps` shows, and asserts that no core file can contain the memory of
/// the process.
fn shown_by_the_kernel(running: &Running) -> Vec<String> {
    let id = running.id();
    let shown = fs::read(format!("/proc/{id}/cmdline")).expect("its arguments");
    let limits = fs::read_to_string(format!("/proc/{id}/limits")).expect("its limits");
    let core = limits.lines().find(|line| line.starts_with("Max core"));
    let core: Vec<&str> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    found("ps", &shown, &secrets())
}

#[test]
fn a_password_never_leaks() {
    let kept = TempDir::new(); // outside the searched directory
    for way in ways(kept.path()) {
        let folder = TempDir::new();
        let server = Embedded::start(Options {
            password: PASSWORD.into(),
            ..Options::default()
        })
        .expect("an embedded ledger");
        server.grow(DATABASE, 10);
        let args: Vec<&str> = way.args.iter().map(String::as_str).collect();
        let mut program = Program::new(server.port(), &folder.join("trust"))
            .with(&args)
            .with(&["--log-level", "trace"]);
        program.variables = way.variables;
        let mut leaked = Vec::new();
        let mut tell = |run: crate::support::program::Run| {
            let text = format!("{}{}", run.stdout, run.stderr);
            leaked.extend(found("the output", text.as_bytes(), &secrets()));
        };
        tell(program.once());
        let run = program.once();
        run.is(0, DATABASE, "consistent");
        tell(run);
        // a refused, a malformed and a tampered check print different messages
        tell(program.with(&["--audit-password", WRONG]).once());
        server.lie(LieSchedule::from(Lie::Garbage).in_call(method::LOGIN));
        tell(program.once());
        server.lie(Lie::OtherHash);
        let run = program.once();
        run.is(2, DATABASE, "inconsistent");
        tell(run);
        tell(program.run(&["status"]));
        tell(program.run(&["config"]));
        tell(program.run(&["evidence", "list"]));
        tell(program.run(&["states", "export"]));

        let mut running = program.start(&["--audit-interval", "50ms"]);
        running.wait_for("INFO  cycle ");
        if cfg!(target_os = "linux") {
            leaked.extend(shown_by_the_kernel(&running));
        }
        running.signal("TERM");
        running.end();
        leaked.extend(leaks(folder.path(), &secrets()));
        assert!(leaked.is_empty(), "{:?}: {leaked:?}", program.args);
    }
}

/// The tokens of a server are secrets too.
#[test]
fn a_token_never_leaks() {
    let folder = TempDir::new();
    let server = Embedded::start(Options::default()).expect("an embedded ledger");
    server.grow(DATABASE, 10);
    let program =
        Program::new(server.port(), &folder.join("trust")).with(&["--log-level", "trace"]);
    let mut printed = program.once().stderr;
    server.lie(Lie::ChangingState);
    printed.push_str(&program.once().stderr);
    server.lie(Lie::LongToken);
    printed.push_str(&program.once().stderr);
    server.lie(Lie::TokenWithLineBreak);
    printed.push_str(&program.once().stderr);
    let tokens = server.tokens();
    assert!(tokens.len() > 3, "{}", tokens.len());
    assert_eq!(found("the log", printed.as_bytes(), &tokens), [""; 0]);
    assert_eq!(leaks(folder.path(), &tokens), [""; 0]);
}

/// The private key of mutual TLS: valid, not matching its certificate, and damaged.
#[test]
fn a_private_key_never_leaks() {
    let kept = TempDir::new(); // outside the searched directory
    for name in ["client", "other"] {
        let made = Command::new("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(' '))
            .args(["-days", "2", "-subj", "/CN=localhost"])
            .arg("-keyout")
            .arg(kept.join(&format!("{name}.key")))
            .arg("-out")
            .arg(kept.join(&format!("{name}.pem")))
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("openssl runs").success());
    }
    let path = |name: &str| kept.join(name).to_str().expect("UTF-8").to_owned();
    let pem = |name: &str| fs::read_to_string(kept.join(name)).expect("a key");
    // each line of a key is a secret
    let mut secrets: Vec<String> = Vec::new();
    for key in ["client.key", "other.key"] {
        let lines = pem(key).lines().map(str::to_owned).collect::<Vec<_>>();
        secrets.extend(lines.into_iter().filter(|line| !line.starts_with("-----")));
    }
    assert!(secrets.len() >= 6, "{secrets:?}");
    let damaged = pem("client.key").replacen('M', "*", 1);
    fs::write(
        kept.join("damaged.key"),
        damaged.replace("-----END", "----"),
    )
    .expect("a file");
    for key in ["client.key", "other.key", "damaged.key"] {
        set_mode(kept.join(key), 0o600).expect("its mode");
    }
    let (certificate, client) = (path("client.pem"), path("client.key"));
    let server = Embedded::start(Options::default()).expect("an embedded ledger");
    let folder = TempDir::new();
    let mutual = |key: &str| {
        Program::new(server.port(), &folder.join("trust")).with(&[
            "--mtls",
            "--certificate",
            &certificate,
            "--pkey",
            key,
            "--clientcas",
            &certificate,
            "--log-level",
            "trace",
            "--call-timeout",
            "2s",
        ])
    };
    let mut leaked = Vec::new();
    let mut tell = |code: i32, run: crate::support::program::Run| {
        let text = format!("{}{}", run.stdout, run.stderr);
        run.ends_with(code);
        leaked.extend(found("the output", text.as_bytes(), &secrets));
    };
    // the embedded ledger has no TLS, so the handshake fails; another test uses a real server
    tell(1, mutual(&client).run(&["--once"]));
    tell(0, mutual(&client).run(&["config"]));
    tell(1, mutual(&client).run(&["status"])); // of the failed cycle
    tell(3, mutual(&path("damaged.key")).run(&["--once"]));
    tell(3, mutual(&path("other.key")).run(&["--once"])); // this key does not match the certificate
    let mut running = mutual(&client).start(&["--audit-interval", "50ms"]);
    running.wait_for("INFO  cycle ");
    for file in ["cmdline", "environ"] {
        let shown = fs::read(format!("/proc/{}/{file}", running.id())).unwrap_or_default();
        leaked.extend(found(file, &shown, &secrets));
    }
    running.signal("TERM");
    running.end();
    leaked.extend(leaks(folder.path(), &secrets));
    assert!(leaked.is_empty(), "{leaked:?}");
}
