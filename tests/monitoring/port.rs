//! The port of the status page: already used, switched off, with hostile clients, and with too few
//! descriptors.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use crate::support::http::ask;
use crate::support::in_process::{self, about};
use crate::support::program::Program;
use crate::support::temp_dir::TempDir;
use crate::support::watched::{port_of, watched};
use immuaudit::config::Listen;
use immuaudit::drill::{Embedded, Options};
use immuaudit::monitor;
use immuaudit::report::{Prefix, StatusRegistry};

#[test]
fn a_taken_port_ends_the_program_with_its_setting_and_remedy() {
    let watched = watched(&[], &[]);
    let folder = TempDir::new();
    let run = Program::new(watched.ledger.port(), &folder.join("state"))
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
fn no_monitoring_opens_no_port() {
    let ledger = Embedded::start(Options::default()).expect("a ledger");
    let folder = TempDir::new();
    let program = Program::new(ledger.port(), &folder.join("state")).with(&["--no-monitoring"]);
    let mut running = program.start(&[]);
    running.wait_for("cycle finished server=");
    assert!(
        !running.log().contains("status page on"),
        "{}",
        running.log()
    );
}

#[test]
fn hostile_clients_do_not_stop_the_audit() {
    let watched = watched(&["shop"], &[]);
    let port = watched.port;
    let connect = || TcpStream::connect(("127.0.0.1", port));
    // 500 connections without a request
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
            panic!("300 MB of header were read");
        }
        sent = endless
            .write_all(header.as_bytes())
            .map(|()| count + header.len());
    }
    drop(idle);
    // connect, send, and disconnect without reading
    for round in 0..3000 {
        if let Ok(mut stream) = connect() {
            let half: &[u8] = if round % 2 == 0 {
                b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
            } else {
                b"GET /"
            };
            let _ = stream.write_all(half);
        }
    }
    // send a request and read no response
    let slow: Vec<_> = (0..40)
        .filter_map(|_| {
            let mut stream = connect().ok()?;
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n")
                .ok()?;
            Some(stream)
        })
        .collect();
    let mut answer = ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    for _ in 0..600 {
        if answer.as_ref().is_some_and(|answer| answer.status == 200) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
        answer = ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    let metrics = answer.expect("an answer");
    assert_eq!(metrics.status, 200);
    drop(slow);
    assert!(
        metrics.sample("process_resident_memory_bytes") < 150e6,
        "{metrics:?}"
    );
    // the audit continues
    let cycles = |text: String| text.matches("cycle finished server=").count();
    let before = cycles(watched.running.log());
    while cycles(watched.running.log()) < before + 3 {
        thread::sleep(Duration::from_millis(20));
    }
    let log = watched.running.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}

/// The buffers of the system count for the memory limit of the program.
#[test]
fn little_is_buffered_for_a_client_that_does_not_read() {
    let calls = in_process::server_on(1).calls();
    let registry = StatusRegistry::new(about(), calls);
    for number in 0..2_000 {
        registry.restore(&format!("database-{number}"), None, 0, None);
    }
    let listen = Listen {
        host: "127.0.0.1".into(),
        port: 0,
    };
    let address = monitor::start(&listen, registry, Prefix::Immuclient).expect("a port");
    let ask = || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let asked = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        asked.expect("a request");
        stream
    };
    let mut whole = String::new();
    ask().read_to_string(&mut whole).expect("an answer");
    assert!(whole.len() > 3_000_000, "{}", whole.len());
    let silent = ask();
    let peer = silent.local_addr().expect("an address").port();
    let (mut taken, mut still) = (0, 0);
    while still < 10 {
        thread::sleep(Duration::from_millis(50));
        let now = not_acknowledged(address.port(), peer);
        still = if now == taken && now > 0 {
            still + 1
        } else {
            0
        };
        taken = now;
    }
    assert!(taken <= 256 << 10, "{taken} bytes");
}

/// Returns the number of bytes that the system buffers for a client that has not received them
/// (proc(5), `/proc/net/tcp`).
fn not_acknowledged(port: u16, peer: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
    let row = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote, _, queues) = (
            fields.next()?,
            fields.next()?,
            fields.next()?,
            fields.next()?,
        );
        let is_it =
            local.ends_with(&format!(":{port:04X}")) && remote.ends_with(&format!(":{peer:04X}"));
        is_it.then(|| queues.split(':').next().map(str::to_owned))?
    });
    row.map_or(0, |queue| {
        u64::from_str_radix(&queue, 16).expect("hexadecimal")
    })
}

/// The highest number of connections of the program.
const CONNECTION_LIMIT: usize = 64;

#[test]
fn incomplete_heads_do_not_block_probes() {
    let watched = watched(&[], &[]);
    let port = watched.port;
    let begin = |_| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
            .expect("half a head");
        stream
    };
    let mut begun: Vec<TcpStream> = (0..CONNECTION_LIMIT).map(begin).collect();
    for _ in 0..3 {
        let probe = ask(port, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").expect("an answer");
        assert_eq!(probe.status, 200, "{probe:?}");
    }
    // the oldest connection was closed, with a response
    let mut oldest = begun.remove(0);
    oldest
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a time-out");
    let mut answer = String::new();
    oldest.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // the youngest connection still gets its response
    let mut youngest = begun.pop().expect("a connection");
    youngest.write_all(b"\r\n").expect("the rest");
    youngest.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn simultaneous_requests_all_get_a_response() {
    let ledger = Embedded::start(Options::default()).expect("a ledger");
    let folder = TempDir::new();
    // with few descriptors the program accepts ten connections at a time
    let limited = ["sh", "-c", "ulimit -n 40; exec \"$0\" \"$@\""];
    let program = Program::new(ledger.port(), &folder.join("state"))
        .run_by(limited.map(String::from).to_vec());
    let mut running = program.start(&[]);
    running.wait_for("cycle finished server=");
    let port = port_of(&running);
    // all requests wait when the program accepts the first one
    running.signal("STOP");
    let ask = |_| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("a question");
        stream
    };
    // not more than the system's queue accepts
    let asked: Vec<TcpStream> = (0..100).map(ask).collect();
    running.signal("CONT");
    for mut stream in asked {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[test]
fn the_port_recovers_from_a_lack_of_descriptors() {
    let ledger = Embedded::start(Options::default()).expect("a ledger");
    ledger.grow("defaultdb", 3);
    let folder = TempDir::new();
    let program =
        Program::new(ledger.port(), &folder.join("state")).with(&["--audit-interval", "100ms"]);
    let plain = program.command(&[]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args());
    limited
        .env_clear()
        .env("IMMUAUDIT_AUDIT_MONITORING_PORT", "0")
        .env("HOME", folder.path());
    let log = folder.join("log");
    let mut child = limited
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("a shell");
    let log_text = || fs::read_to_string(&log).unwrap_or_default();
    while !log_text().contains("cycle finished server=") {
        assert!(
            child.try_wait().expect("a status").is_none(),
            "{}",
            log_text()
        );
        thread::sleep(Duration::from_millis(20));
    }
    let port: u16 = log_text()
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
        status = ask(port, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").map(|answer| answer.status);
        if status == Some(200) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!(status, Some(200), "{}", log_text());
    assert!(!log_text().contains("ERROR"), "{}", log_text());
}
