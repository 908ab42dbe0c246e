//! Notifications of the real binary, and receivers that are down, slow, or say no.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use immuaudit::drill::{Embedded, Lie, Options, Telling};
use immuaudit::ledger::encode_base64;
use ring::hmac;
use support::http::get;
use support::place::Place;
use support::program::{Program, Run, member};
use support::receiver::{Received, Receiver};

/// A ledger of three transactions and a directory, audited once already.
struct Scene {
    ledger: Embedded,
    place: Place,
}

impl Scene {
    fn new() -> Scene {
        let ledger = Embedded::start(Options::default().signed()).expect("a ledger");
        ledger.grow("defaultdb", 3);
        let scene = Scene {
            ledger,
            place: Place::new(),
        };
        scene.program(&[]).once().ends_with(0);
        scene
    }

    fn program(&self, args: &[&str]) -> Program {
        Program::new(self.ledger.port(), &self.place.join("state")).with(args)
    }

    fn roll_back(&self) {
        self.ledger.lie(Telling::from(Lie::Rollback));
    }

    /// What waits in all outboxes.
    fn waiting(&self) -> Vec<PathBuf> {
        files(&self.place.join("state/tested/outbox"))
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    };
    entries.flat_map(|entry| below(entry.path())).collect()
}

fn is_tampering(received: &Received) -> bool {
    received.body.contains("\"tampered\":true")
}

fn id(received: &Received) -> String {
    member(&received.body, "id").to_owned()
}

#[track_caller]
fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if is() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("never: {what}");
}

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
fn it_is_signed_as_standard_webhooks_and_logged_in_where_asked_for() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let secret = scene.place.join("secret");
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
fn once_gives_a_dead_receiver_one_try_and_its_exit_code_does_not_change() {
    let scene = Scene::new();
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = gone.local_addr().expect("an address").port();
    drop(gone);
    let url = format!("http://127.0.0.1:{port}/secret-token");
    scene.roll_back();
    let program = scene.program(&["--audit-notification-url", &url]);
    let run: Run = program.once();
    run.ends_with(2);
    assert!(run.stderr.contains("not notified yet"), "{}", run.stderr);
    assert!(!run.stderr.contains("secret-token"), "{}", run.stderr);
    let waiting = scene.waiting();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let mode = fs::metadata(&waiting[0])
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0);
    // the next run finds the receiver alive, and the same finding is told once
    let receiver = Receiver::on(TcpListener::bind(("127.0.0.1", port)).expect("the port"));
    program.once().ends_with(2);
    receiver.wait_for(is_tampering);
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
}

#[test]
fn no_password_stands_in_the_outbox() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    scene.roll_back();
    let secrets = [
        "--audit-notification-password",
        "hunter2",
        "--audit-notification-secret",
        "hunter3",
    ];
    scene
        .program(&["--audit-notification-url", &receiver.url()])
        .with(&secrets)
        .once()
        .ends_with(2);
    let waiting = scene.waiting();
    assert_eq!(waiting.len(), 1);
    let text = fs::read_to_string(&waiting[0]).expect("a file");
    assert!(
        text.contains("\"db\":\"defaultdb\"") && !text.contains("hunter"),
        "{text}"
    );
}

#[test]
fn what_was_killed_before_delivery_is_delivered_by_the_next_run_with_the_same_id() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("500 No");
    scene.roll_back();
    let args = [
        "--audit-interval",
        "100ms",
        "--audit-notification-url",
        &receiver.url(),
    ];
    let program = scene.program(&args);
    let mut running = program.start(&[]);
    let first = receiver.wait_for(is_tampering);
    let second = receiver.wait_for(|received| {
        is_tampering(received) && received.head != first.head || receiver.received().len() > 1
    });
    running.signal("KILL");
    running.end();
    receiver.answer("200 OK");
    let before = receiver.received().len();
    let _running = program.start(&[]);
    wait_until("it is delivered", || scene.waiting().is_empty());
    let all = receiver.received();
    assert!(all.len() > before);
    assert_eq!(id(&first), id(&second));
    assert!(
        all.iter().all(|received| id(received) == id(&first)),
        "{all:?}"
    );
}

#[test]
fn one_receivers_trouble_delays_neither_another_nor_the_audit() {
    let (scene, slow, quick) = (Scene::new(), Receiver::start(), Receiver::start());
    slow.answer("slow");
    let urls = format!("{},{}", slow.url(), quick.url());
    let args = ["--audit-interval", "100ms", "--audit-notify", "every-check"];
    let program = scene
        .program(&args)
        .with(&["--audit-notification-url", &urls]);
    let mut running = program.start(&[]);
    running.wait_for("status page on");
    wait_until("five arrive at the quick one", || {
        quick.received().len() >= 5
    });
    assert_eq!(slow.received().len(), 1);
    scene.roll_back();
    quick.wait_for(is_tampering);
    let log = running.log();
    let port = log
        .split("http://0.0.0.0:")
        .nth(1)
        .and_then(|rest| rest.split('/').next()?.parse().ok());
    let metrics = get(port.expect("a port"), "/metrics", "*/*");
    let label =
        |number: u32, port: u16| format!("{{receiver=\"{number}:http://127.0.0.1:{port}\"}}");
    assert!(
        metrics.sample(&format!(
            "immuaudit_notifications_sent_total{}",
            label(2, quick.port)
        )) >= 5.0
    );
    assert!(
        metrics.sample(&format!(
            "immuaudit_notifications_pending{}",
            label(1, slow.port)
        )) >= 1.0
    );
    // folded: one on the way, one change, one finding, whatever the number of checks
    assert!(
        metrics.sample(&format!(
            "immuaudit_notifications_pending{}",
            label(1, slow.port)
        )) <= 3.0
    );
    assert!(!metrics.body.contains("token"), "{}", metrics.body);
}

#[test]
fn a_change_and_its_end_are_told_once_each() {
    let (mut scene, receiver) = (Scene::new(), Receiver::start());
    let args = [
        "--audit-interval",
        "50ms",
        "--audit-notification-url",
        &receiver.url(),
    ];
    let mut running = scene.program(&args).start(&[]);
    running.wait_for("cycle server=");
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
fn retry_after_is_obeyed() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("503 Later\r\nRetry-After: 3600");
    scene.roll_back();
    let args = [
        "--audit-interval",
        "100ms",
        "--audit-notification-url",
        &receiver.url(),
    ];
    let mut running = scene.program(&args).start(&[]);
    running.wait_for("not notified yet");
    thread::sleep(Duration::from_secs(3)); // without the header there would be a second try by now
    assert_eq!(receiver.received().len(), 1);
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
fn a_program_gets_the_json_and_neither_descriptors_nor_environment_nor_blocked_signals() {
    let scene = Scene::new();
    let (script, told) = (scene.place.join("script"), scene.place.join("told"));
    let text = format!(
        "#!/bin/sh\n{{ cat; echo; ls /proc/self/fd; env; grep SigBlk /proc/self/status; echo args: $#; }} >{}\n",
        told.display()
    );
    fs::write(&script, text).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("its mode");
    scene.roll_back();
    let command = format!("{} one two;three", script.display());
    let mut program = scene.program(&["--audit-exec", &command]);
    program.variables.push(("SECRET".into(), "hunter2".into()));
    program.once().ends_with(2);
    let told = fs::read_to_string(&told).expect("it ran");
    assert!(told.contains("\"verdict\":\"rolled-back\""), "{told}");
    assert!(
        told.contains("args: 2") && !told.contains("hunter2"),
        "{told}"
    );
    assert!(told.contains("SigBlk:\t0000000000000000"), "{told}");
    let descriptors: Vec<&str> = told
        .lines()
        .filter(|line| line.parse::<u8>().is_ok())
        .collect();
    assert_eq!(descriptors, ["0", "1", "2", "3"], "{told}"); // 3 is the directory that ls reads
    assert_eq!(scene.waiting(), Vec::<PathBuf>::new());
}

#[test]
fn a_settings_file_that_anybody_can_write_names_no_program() {
    let scene = Scene::new();
    let file = scene.place.join("settings.toml");
    fs::create_dir(scene.place.join("etc")).expect("a directory");
    let good = scene.place.join("etc/settings.toml");
    for (path, mode, wanted) in [(&good, 0o666, 3), (&good, 0o600, 0), (&file, 0o600, 3)] {
        fs::write(path, "audit-exec = \"/bin/true\"\n").expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
        let run = scene
            .program(&["--config", &path.display().to_string()])
            .once();
        run.ends_with(wanted);
        if wanted == 3 {
            assert!(
                run.stderr.contains("audit-exec") && run.stderr.contains("not taken from"),
                "{}",
                run.stderr
            );
        }
    }
}

#[test]
fn a_settings_file_that_is_another_one_when_it_is_looked_at_names_no_program() {
    let scene = Scene::new();
    let file = scene.place.join("settings.toml");
    let real = scene.place.join("etc/settings.toml");
    fs::create_dir(scene.place.join("etc")).expect("a directory");
    fs::write(&real, "").expect("a file");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).expect("its mode");
    let made = Command::new("mkfifo").arg(&file).status();
    assert!(made.expect("mkfifo").success());
    let (pipe, link) = (file.clone(), scene.place.join("link"));
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

/// A receiver behind TLS, with a certificate of a CA of its own; it takes one connection.
struct Secure {
    port: u16,
    child: Child,
}

impl Secure {
    fn start(place: &Place, answer: &str) -> Secure {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a port").port();
        let mut child = Command::new("openssl")
            .args(["s_server", "-quiet", "-naccept", "1"])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .args(["-cert", "leaf.pem", "-key", "leaf.key"])
            .current_dir(place.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        // it is sent as soon as somebody is there
        let text = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
        let stdin = child.stdin.as_mut().expect("its stdin");
        stdin.write_all(text.as_bytes()).expect("a pipe");
        let listening = || fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let line = format!(":{port:04X} 00000000:0000 0A ");
        wait_until("it listens", || listening().contains(&line));
        Secure { port, child }
    }

    /// What came, once it has ended.
    fn came(&mut self) -> String {
        drop(self.child.stdin.take());
        let mut bytes = Vec::new();
        let stdout = self.child.stdout.as_mut().expect("its stdout");
        stdout.read_to_end(&mut bytes).expect("a pipe");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two CAs, and a certificate of the first for 127.0.0.1.
fn certificates(place: &Place) {
    fs::write(place.join("ext"), "subjectAltName=IP:127.0.0.1\n").expect("a file");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for words in [
        format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ours"),
        format!("req -x509 {key} -keyout other.key -out other.pem -subj /CN=other"),
        format!("req {key} -keyout leaf.key -out leaf.csr -subj /CN=receiver"),
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -out leaf.pem"
            .to_owned(),
    ] {
        let output = Command::new("openssl")
            .args(words.split(' '))
            .current_dir(place.path())
            .output()
            .expect("openssl runs");
        assert!(output.status.success(), "{words}: {output:?}");
    }
}

#[test]
fn a_receiver_behind_tls_is_checked_by_the_ca_that_is_given_and_by_no_other() {
    let scene = Scene::new();
    certificates(&scene.place);
    let test = |port: u16, ca: Option<&str>, host: &str| {
        let url = format!("--audit-notification-url=https://{host}:{port}/hook");
        let mut words = vec!["notify", "--test", &url];
        let ca = ca.map(|ca| {
            let path = scene.place.join(ca).display().to_string();
            format!("--audit-notification-ca={path}")
        });
        words.extend(ca.as_deref());
        scene.program(&[]).run(&words)
    };
    let mut right = Secure::start(&scene.place, "204 No Content");
    test(right.port, Some("ca.pem"), "127.0.0.1").ends_with(0);
    let came = right.came();
    assert!(came.starts_with("POST /hook HTTP/1.1\r\n"), "{came}");
    assert!(came.contains("\"verdict\":\"test\""), "{came}");
    // another CA, those of the system, and another name than the certificate's
    for (ca, host) in [
        (Some("other.pem"), "127.0.0.1"),
        (None, "127.0.0.1"),
        (Some("ca.pem"), "localhost"),
    ] {
        let mut wrong = Secure::start(&scene.place, "204 No Content");
        let run = test(wrong.port, ca, host);
        run.ends_with(1);
        assert!(run.stdout.contains("not delivered: TLS: "), "{run:#?}");
        assert_eq!(wrong.came(), "", "{ca:?}");
    }
}

#[test]
fn what_cannot_be_written_to_the_outbox_is_sent_all_the_same() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    // a file where the outbox' directory should be stops root too
    let outbox = scene.place.join("state/tested/outbox");
    let _ = fs::remove_dir_all(&outbox);
    fs::write(&outbox, "in the way").expect("a file");
    scene.roll_back();
    let run = scene
        .program(&["--audit-notification-url", &receiver.url()])
        .once();
    run.ends_with(2);
    assert!(run.stderr.contains("the outbox"), "{}", run.stderr);
    receiver.wait_for(is_tampering);
    assert_eq!(receiver.received().len(), 1);
    assert!(fs::metadata(&outbox).expect("the file").is_file());
}

#[test]
fn what_cannot_be_written_while_it_runs_is_sent_all_the_same() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    let args = [
        "--audit-interval=100ms",
        "--audit-notification-url",
        &receiver.url(),
    ];
    let mut running = scene.program(&args).start(&[]);
    running.wait_for("cycle server=");
    let outbox = scene.place.join("state/tested/outbox");
    fs::remove_dir_all(&outbox).expect("the outbox");
    scene.roll_back();
    receiver.wait_for(is_tampering);
    running.wait_for("the outbox");
    running.wait_for("notified receiver=");
}

/// A receiver that is down, one that fails, one that hangs, and one that is gone for good.
#[test]
fn whatever_ails_a_receiver_the_notification_waits_and_arrives_once_it_is_well() {
    for ailment in [
        "500 Broken",
        "503 Busy\r\nRetry-After: 1",
        "302 Away\r\nLocation: /x",
        "gone",
    ] {
        let (scene, receiver) = (Scene::new(), Receiver::start());
        let port = receiver.port;
        let url = receiver.url();
        let gone = ailment == "gone";
        let url = match gone {
            true => {
                let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
                url.replace(&port.to_string(), &free.expect("a port").port().to_string())
            }
            false => url,
        };
        receiver.answer(ailment);
        scene.roll_back();
        let args = ["--audit-interval=100ms", "--audit-notification-url", &url];
        let mut running = scene.program(&args).start(&[]);
        running.wait_for("not notified yet");
        assert_eq!(scene.waiting().len(), 1, "{ailment}");
        let back = gone.then(|| {
            let port = url
                .split(':')
                .nth(2)
                .and_then(|rest| rest.split('/').next());
            let address = format!("127.0.0.1:{}", port.expect("a port"));
            Receiver::on(TcpListener::bind(address).expect("the port"))
        });
        let well = back.as_ref().unwrap_or(&receiver);
        well.answer("200 OK");
        running.wait_for("notified receiver=");
        well.wait_for(is_tampering);
        wait_until("the outbox is empty", || scene.waiting().is_empty());
        let ids: Vec<String> = well.received().iter().map(id).collect();
        assert!(ids.iter().all(|each| *each == ids[0]), "{ids:?}");
    }
}

#[test]
fn a_receiver_that_never_answers_is_hung_up_on_and_asked_again() {
    let (scene, receiver) = (Scene::new(), Receiver::start());
    receiver.answer("slow");
    scene.roll_back();
    let args = [
        "--audit-interval=100ms",
        "--audit-notification-url",
        &receiver.url(),
    ];
    let mut running = scene.program(&args).start(&[]);
    running.wait_for("no answer in time");
    receiver.answer("200 OK");
    running.wait_for("notified receiver=");
    let ids: Vec<String> = receiver.received().iter().map(id).collect();
    assert!(
        ids.len() >= 2 && ids.iter().all(|each| *each == ids[0]),
        "{ids:?}"
    );
}

#[test]
fn a_receiver_that_is_gone_for_good_is_tried_ever_more_rarely_and_the_audit_goes_on() {
    let scene = Scene::new();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let url = format!("http://{}/", free.expect("a port"));
    scene.roll_back();
    let args = [
        "--audit-interval=50ms",
        "--log-level=debug",
        "--audit-notification-url",
        &url,
    ];
    let mut running = scene.program(&args).start(&[]);
    running.wait_for_times("cycle server=", 60);
    let tries = running.log().matches("not notified yet").count();
    assert!((1..=4).contains(&tries), "{tries} tries in 3 seconds");
    assert_eq!(scene.waiting().len(), 1);
}

#[test]
fn a_test_without_receivers_says_what_is_missing() {
    let run = Scene::new().program(&[]).run(&["notify", "--test"]);
    run.ends_with(3);
    assert!(
        run.stderr.contains("--audit-notification-url"),
        "{}",
        run.stderr
    );
}
