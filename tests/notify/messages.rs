//! Notifications of the program: content, occasion and receiver. They are sent over HTTP and TLS,
//! signed if so configured, and to a program of the operator.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::support::http::get;
use crate::support::notify_scene::{Scene, id, is_tampering, wait_until};
use crate::support::program::{Program, member};
use crate::support::receiver::Receiver;
use crate::support::secure::{Secure, certificates};
use crate::support::watched::port_of;
use immuaudit::drill::Lie;
use immuaudit::ledger::encode_base64;
use ring::hmac;

#[test]
fn a_notification_has_immuclients_members_in_order_and_then_ours() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let trusted = scene.ledger.state("defaultdb").expect("a state");
    scene.roll_back();
    let run = scene
        .program(&["--audit-notification-url", &receiver.url()])
        .with(&[
            "--audit-notification-username",
            "us\"er",
            "--audit-notification-password",
            "pass",
        ])
        .once();
    run.ends_with(2);
    let received = receiver.wait_for(is_tampering);
    let members = [
        "{\"username\":\"us\\\"er\"",
        ",\"password\":\"pass\"",
        ",\"db\":\"defaultdb\"",
        ",\"run_at\":\"20",
        ",\"tampered\":true",
        &format!(
            ",\"previous_state\":{{\"tx\":3,\"hash\":\"{}\",\"signature\":{{\"signature\":\"",
            encode_base64(trusted.hash.as_bytes())
        ),
        "\"public_key\":\"",
        ",\"current_state\":{\"tx\":1,\"hash\":\"",
        ",\"server\":\"tested\"",
        ",\"verdict\":\"rolled-back\"",
        ",\"reason\":\"fewer",
        ",\"evidence\":\"/",
        ",\"alarm\":\"",
        ",\"close_command\":\"immuaudit alarm close --dir=",
        ",\"adopt_command\":\"immuaudit alarm adopt --dir=",
        ",\"id\":\"",
    ];
    let mut rest = received.body.as_str();
    for wanted in members {
        let at = rest
            .find(wanted)
            .unwrap_or_else(|| panic!("{wanted} in {}", received.body));
        rest = &rest[at + wanted.len()..];
    }
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("authorization"), None);
    assert!(
        received.head.starts_with("POST /hook/token HTTP/1.1"),
        "{}",
        received.head
    );
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
}

#[test]
fn notifications_are_signed_and_authenticated_if_configured() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let secret = scene.folder.join("secret");
    fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("a file");
    let run = scene.program(&[]).run(&[
        "notify",
        "--test",
        &format!("--audit-notification-url={}", receiver.url()),
        &format!("--audit-notification-secret-file={}", secret.display()),
        "--audit-notification-auth=basic",
        "--audit-notification-username=Aladdin",
        "--audit-notification-password=open sesame",
    ]);
    run.ends_with(0);
    let received = receiver.wait_for(|received| received.body.contains("\"verdict\":\"test\""));
    let header = |name| {
        received
            .header(name)
            .unwrap_or_else(|| panic!("{received:?}"))
    };
    let signed = format!(
        "{}.{}.{}",
        header("webhook-id"),
        header("webhook-timestamp"),
        received.body
    );
    let secret = immuaudit::ledger::decode_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.expect("base64"));
    let tag = encode_base64(hmac::sign(&key, signed.as_bytes()).as_ref());
    assert_eq!(header("webhook-signature"), format!("v1,{tag}"));
    assert_eq!(header("webhook-id"), id(&received));
    assert_eq!(
        header("authorization"),
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    ); // RFC 7617 §2
}

#[test]
fn a_change_and_its_end_are_notified_once_each() {
    let (mut scene, receiver) = (Scene::new(), Receiver::start());
    let args = [
        "--audit-interval",
        "50ms",
        "--audit-notification-url",
        &receiver.url(),
    ];
    let mut running = scene.program(&args).start(&[]);
    running.wait_for("cycle finished server=");
    scene.ledger.stop();
    let away = receiver.wait_for(|received| received.body.contains("\"verdict\":\"unreachable\""));
    assert!(away.body.contains("\"tampered\":false"), "{}", away.body);
    scene.ledger.restart().expect("its port is free");
    receiver.wait_for(|received| received.body.contains("\"verdict\":\"consistent\""));
    assert_eq!(receiver.received().len(), 2, "{:?}", receiver.received());
}

#[test]
fn a_redirect_is_not_followed() {
    let (scene, receiver, other) = (Scene::new(), Receiver::start(), Receiver::start());
    receiver.answer(&format!("307 Elsewhere\r\nLocation: {}", other.url()));
    let run = scene
        .program(&["--audit-notification-url", &receiver.url()])
        .run(&["notify", "--test"]);
    run.ends_with(1);
    assert!(
        run.stdout.contains("not delivered: status 307"),
        "{}",
        run.stdout
    );
    assert!(other.received().is_empty());
}

#[test]
fn a_heartbeat_follows_a_good_cycle_and_no_bad_one() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let program = scene.program(&["--audit-heartbeat-url", &receiver.url()]);
    program.once().ends_with(0);
    let beat = receiver.wait_for(|_| true);
    assert!(
        beat.head.starts_with("GET /hook/token HTTP/1.1"),
        "{beat:?}"
    );
    scene.roll_back();
    program.once().ends_with(2);
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn a_heartbeat_that_fails_is_counted_and_the_test_of_notifications_tries_it() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    let program = scene.program(&["--audit-heartbeat-url", &receiver.url()]);
    let run = program.run(&["notify", "--test"]);
    run.ends_with(1);
    // scheme, host and port; the path may be a secret
    let url = receiver.url();
    let (base, path) = url.rsplit_once("/hook").expect("a path");
    let message = format!("heartbeat to {base}: not delivered: status 500");
    assert!(run.stdout.contains(&message), "{}", run.stdout);
    assert!(!run.stdout.contains(path), "{}", run.stdout);
    let mut running = program.start(&["--audit-interval", "50ms", "--audit-monitoring-port", "0"]);
    running.wait_for("status page on");
    running.wait_for(&message);
    let port = port_of(&running);
    let sample = |name: &str| get(port, "/metrics", "*/*").sample(name);
    let failures = "immuaudit_heartbeat_failures_total";
    wait_until("a failure is counted", || sample(failures) > 1.0);
    let sent = "immuaudit_heartbeats_sent_total";
    assert_eq!(get(port, "/metrics", "*/*").sample(sent), 0.0);
    receiver.answer("204 No Content");
    wait_until("a heartbeat is counted", || sample(sent) > 0.0);
    let run = program.run(&["notify", "--test"]);
    let message = format!("heartbeat to {base}: delivered");
    assert!(run.ends_with(0).stdout.contains(&message), "{}", run.stdout);
}

/// Writes a script that its owner can run.
fn script(scene: &Scene, text: &str) -> String {
    let path = scene.folder.join("script");
    fs::write(&path, format!("#!/bin/sh\n{text}")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("its mode");
    path.display().to_string()
}

#[test]
fn the_stderr_of_a_program_is_reported_escaped_and_shortened() {
    let scene = Scene::new();
    let bell = "printf 'no route\\033[31m to \\nERROR forged' >&2";
    let test = |text: &str| {
        let program = scene.program(&["--audit-exec", &script(&scene, text)]);
        program.run(&["notify", "--test"])
    };
    let failed = test(&format!("{bell}; exit 7"));
    failed.ends_with(1);
    let message =
        "exec: not delivered: exit status: 7; its stderr: no route\\u{1b}[31m to \\nERROR forged";
    assert!(failed.stdout.contains(message), "{}", failed.stdout);
    // more output than a pipe holds, and a child process that keeps the pipe open
    let noisy =
        test("head -c 300000 /dev/zero | tr '\\0' x >&2; sleep 60 & echo the end >&2; exit 1");
    noisy.ends_with(1);
    assert!(noisy.stdout.len() < 600, "{}", noisy.stdout.len());
    assert!(noisy.stdout.contains("stderr: ...xxx"), "{}", noisy.stdout);
    assert!(noisy.stdout.contains("the end"), "{}", noisy.stdout);
    scene.roll_back();
    let well = scene
        .program(&["--audit-exec", &script(&scene, &format!("{bell}; exit 0"))])
        .once();
    well.ends_with(2);
    let line = well.stderr.lines().find(|line| line.contains("no route"));
    let line = line.unwrap_or_else(|| panic!("{}", well.stderr));
    assert!(line.contains("INFO"), "{line}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_kernel_kills_a_program_first_if_memory_is_short() {
    let scene = Scene::new();
    let message = scene.folder.join("message");
    let text = format!(
        "for i in 1 2 3 4 5 6 7 8 9 10; do read a </proc/self/oom_score_adj; [ $a = 1000 ] && break; sleep 0.3; done; echo $a >{}",
        message.display()
    );
    let program = scene.program(&["--audit-exec", &script(&scene, &text)]);
    program.run(&["notify", "--test"]).ends_with(0);
    assert_eq!(fs::read_to_string(&message).expect("it ran"), "1000\n");
}

#[test]
fn a_program_inherits_no_descriptors_environment_or_blocked_signals() {
    let scene = Scene::new();
    let (script, message) = (scene.folder.join("script"), scene.folder.join("message"));
    let text = format!(
        "#!/bin/sh\n{{ cat; echo; ls /proc/self/fd; env; grep SigBlk /proc/self/status; echo args: $#; }} >{}\n",
        message.display()
    );
    fs::write(&script, text).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("its mode");
    scene.roll_back();
    let command = format!("{} one two;three", script.display());
    let mut program = scene.program(&["--audit-exec", &command]);
    program.variables.push(("SECRET".into(), "hunter2".into()));
    program.once().ends_with(2);
    let message = fs::read_to_string(&message).expect("it ran");
    assert!(message.contains("\"verdict\":\"rolled-back\""), "{message}");
    assert!(
        message.contains("args: 2") && !message.contains("hunter2"),
        "{message}"
    );
    assert!(message.contains("SigBlk:\t0000000000000000"), "{message}");
    let descriptors: Vec<&str> = message
        .lines()
        .filter(|line| line.parse::<u8>().is_ok())
        .collect();
    assert_eq!(descriptors, ["0", "1", "2", "3"], "{message}"); // 3 is the directory that ls reads
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
}

#[test]
fn a_settings_file_that_others_can_write_cannot_name_a_program() {
    let scene = Scene::new();
    let file = scene.folder.join("settings.toml");
    fs::create_dir(scene.folder.join("etc")).expect("a directory");
    let good = scene.folder.join("etc/settings.toml");
    for (path, mode, wanted, message) in [
        (&good, 0o666, 3, "other users can write it"),
        (&good, 0o600, 0, ""),
        (&file, 0o600, 3, "audit-exec (/"),
        (&file, 0o600, 3, "ignored in"),
    ] {
        fs::write(path, "audit-exec = \"/bin/true\"\n").expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
        let run = scene
            .program(&["--config", &path.display().to_string()])
            .once();
        run.ends_with(wanted);
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
}

#[test]
fn a_settings_file_that_is_replaced_during_its_read_is_refused() {
    let scene = Scene::new();
    let file = scene.folder.join("settings.toml");
    let real = scene.folder.join("etc/settings.toml");
    fs::create_dir(scene.folder.join("etc")).expect("a directory");
    fs::write(&real, "").expect("a file");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).expect("its mode");
    let made = Command::new("mkfifo").arg(&file).status();
    assert!(made.expect("mkfifo").success());
    let (pipe, link) = (file.clone(), scene.folder.join("link"));
    std::os::unix::fs::symlink(&real, &link).expect("a link");
    let writer = std::thread::spawn(move || {
        let mut pipe_end = fs::OpenOptions::new()
            .write(true)
            .open(&pipe)
            .expect("a reader");
        fs::rename(&link, &pipe).expect("another file in its place");
        std::io::Write::write_all(&mut pipe_end, b"audit-exec = \"/bin/true\"\n").expect("its end");
    });
    let run = scene
        .program(&["--config", &file.display().to_string()])
        .once();
    writer.join().expect("no panic");
    assert!(
        run.ends_with(3)
            .stderr
            .contains("it changed while it was read"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_tls_receiver_is_verified_by_the_configured_ca_only() {
    let scene = Scene::new();
    certificates(&scene.folder);
    let test = |port: u16, ca: Option<&str>, host: &str| {
        let url = format!("--audit-notification-url=https://{host}:{port}/hook");
        let mut args = vec!["notify", "--test", &url];
        let ca = ca.map(|ca| {
            let path = scene.folder.join(ca).display().to_string();
            format!("--audit-notification-ca={path}")
        });
        args.extend(ca.as_deref());
        scene.program(&[]).run(&args)
    };
    let mut right = Secure::start(&scene.folder, "204 No Content", "");
    test(right.port, Some("ca.pem"), "127.0.0.1").ends_with(0);
    let received_text = right.received_text();
    assert!(
        received_text.starts_with("POST /hook HTTP/1.1\r\n"),
        "{received_text}"
    );
    assert!(
        received_text.contains("\"verdict\":\"test\""),
        "{received_text}"
    );
    // another CA, the CAs of the system, and a host name that the certificate does not have
    for (ca, host) in [
        (Some("other.pem"), "127.0.0.1"),
        (None, "127.0.0.1"),
        (Some("ca.pem"), "localhost"),
    ] {
        let mut wrong = Secure::start(&scene.folder, "204 No Content", "");
        let run = test(wrong.port, ca, host);
        run.ends_with(1);
        assert!(run.stdout.contains("not delivered: TLS: "), "{run:#?}");
        assert_eq!(wrong.received_text(), "", "{ca:?}");
    }
}

#[test]
fn a_test_without_receivers_names_the_missing_setting() {
    let run = Scene::new().program(&[]).run(&["notify", "--test"]);
    run.ends_with(3);
    assert!(
        run.stderr.contains("--audit-notification-url"),
        "{}",
        run.stderr
    );
}

/// Each check is a new process, as under cron.
#[test]
fn values_that_become_absent_are_notified_once() {
    let scene = Scene::new();
    let receiver = Receiver::start();
    let program = scene.program(&["--audit-notification-url", &receiver.url()]);
    program.once().ends_with(0);
    scene.ledger.lie(Lie::AbsentValues);
    for _ in 0..3 {
        program.once().is(0, "defaultdb", "consistent");
    }
    let received = receiver.received();
    assert_eq!(received.len(), 1, "{received:#?}");
    let message = "does not have the values of 3 transactions";
    assert!(received[0].body.contains(message), "{received:#?}");
}

/// Each check is a new process, as under cron.
#[test]
fn an_outage_of_a_never_proven_database_is_notified_once_with_its_end() {
    let (mut scene, receiver) = (Scene::new(), Receiver::start());
    let state = scene.ledger.state("defaultdb").expect("a state");
    let pin = format!("defaultdb:{state}");
    let args = ["--pin", &pin, "--audit-notification-url", &receiver.url()];
    let program = Program::new(scene.ledger.port(), &scene.folder.join("fresh")).with(&args);
    scene.ledger.stop();
    for _ in 0..3 {
        program.once().is(1, "defaultdb", "unreachable");
    }
    scene.ledger.restart().expect("its port is free");
    for _ in 0..2 {
        program.once().is(0, "defaultdb", "consistent");
    }
    let received = receiver.received();
    let verdicts: Vec<&str> = received
        .iter()
        .map(|of| member(&of.body, "verdict"))
        .collect();
    assert_eq!(verdicts, ["unreachable", "consistent"], "{received:#?}");
}
