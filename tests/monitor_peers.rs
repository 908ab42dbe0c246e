//! The port of the status page: taken, not wanted, in the hands of hostile peers, and without
//! descriptors to answer by.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use immuaudit::drill::{Embedded, Options};
use support::http::ask;
use support::place::Place;
use support::program::Program;
use support::watched::watched;

#[test]
fn a_taken_port_ends_the_program_with_its_setting_and_remedy() {
    let watched = watched(&[], &[]);
    let place = Place::new();
    let run = Program::new(watched.ledger.port(), &place.join("state"))
        .with(&["--audit-monitoring-port", &watched.port.to_string()])
        .run(&[]);
    run.ends_with(3);
    for part in [
        "--audit-monitoring-port",
        "--no-monitoring",
        "another process listens",
    ] {
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
}

#[test]
fn no_monitoring_listens_nowhere() {
    let ledger = Embedded::start(Options::default()).expect("a ledger");
    let place = Place::new();
    let program = Program::new(ledger.port(), &place.join("state")).with(&["--no-monitoring"]);
    let mut running = program.start(&[]);
    running.wait_for("cycle server=");
    assert!(
        !running.log().contains("status page on"),
        "{}",
        running.log()
    );
}

#[test]
fn hostile_peers_are_held_off_and_the_audit_goes_on() {
    let watched = watched(&["shop"], &[]);
    let port = watched.port;
    let connect = || TcpStream::connect(("127.0.0.1", port));
    // 500 that say nothing
    let idle: Vec<_> = (0..500).filter_map(|_| connect().ok()).collect();
    // headers without an end
    let mut endless = connect().expect("a connection");
    endless
        .set_write_timeout(Some(Duration::from_secs(30)))
        .expect("a time-out");
    let header = format!("a: {}\r\n", "x".repeat(64 << 10));
    let mut sent = endless.write_all(b"GET / HTTP/1.1\r\n").map(|()| 0);
    while let Ok(count) = sent {
        if count > 300 << 20 {
            panic!("300 MB of header were taken");
        }
        sent = endless
            .write_all(header.as_bytes())
            .map(|()| count + header.len());
    }
    drop(idle);
    // connect, send, and hang up without reading
    for round in 0..3000 {
        if let Ok(mut stream) = connect() {
            let half: &[u8] = if round % 2 == 0 {
                b"GET /metrics HTTP/1.1\r\n\r\n"
            } else {
                b"GET /"
            };
            let _ = stream.write_all(half);
        }
    }
    // ask and never read
    let slow: Vec<_> = (0..40)
        .filter_map(|_| {
            let mut stream = connect().ok()?;
            stream
                .write_all(b"GET / HTTP/1.1\r\nAccept: text/html\r\n\r\n")
                .ok()?;
            Some(stream)
        })
        .collect();
    let mut answer = ask(port, "GET /metrics HTTP/1.1\r\n\r\n");
    for _ in 0..600 {
        if answer.as_ref().is_some_and(|answer| answer.status == 200) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
        answer = ask(port, "GET /metrics HTTP/1.1\r\n\r\n");
    }
    let metrics = answer.expect("an answer");
    assert_eq!(metrics.status, 200);
    drop(slow);
    assert!(
        metrics.sample("process_resident_memory_bytes") < 150e6,
        "{metrics:?}"
    );
    // and the audit goes on
    let cycles = |text: String| text.matches("cycle server=").count();
    let before = cycles(watched.running.log());
    while cycles(watched.running.log()) < before + 3 {
        thread::sleep(Duration::from_millis(20));
    }
    let log = watched.running.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}

#[test]
fn without_descriptors_it_waits_and_answers_again() {
    let ledger = Embedded::start(Options::default()).expect("a ledger");
    ledger.grow("defaultdb", 3);
    let place = Place::new();
    let program =
        Program::new(ledger.port(), &place.join("state")).with(&["--audit-interval", "100ms"]);
    let plain = program.command(&[]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args());
    limited
        .env_clear()
        .env("IMMUAUDIT_AUDIT_MONITORING_PORT", "0")
        .env("HOME", place.path());
    let log = place.join("log");
    let mut child = limited
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("a shell");
    let said = || fs::read_to_string(&log).unwrap_or_default();
    while !said().contains("cycle server=") {
        assert!(child.try_wait().expect("a status").is_none(), "{}", said());
        thread::sleep(Duration::from_millis(20));
    }
    let port: u16 = said()
        .split("status page on http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next()?.rsplit(':').next()?.parse().ok())
        .expect("a port");
    let mut idle: Vec<_> = (0..200)
        .filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok())
        .collect();
    for stream in &mut idle {
        stream
            .set_read_timeout(Some(Duration::from_millis(1)))
            .expect("a time-out");
        let _ = stream.read(&mut [0; 16]);
    }
    drop(idle);
    let mut status = None;
    for _ in 0..600 {
        status = ask(port, "GET /livez HTTP/1.1\r\n\r\n").map(|answer| answer.status);
        if status == Some(200) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!(status, Some(200), "{}", said());
    assert!(!said().contains("ERROR"), "{}", said());
}
