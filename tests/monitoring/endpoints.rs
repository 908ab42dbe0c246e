//! The metrics, the probes and the status page of the running program, and its log line for
//! tampering.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::support::http::{ask, get};
use crate::support::program::{Program, copied, member};
use crate::support::temp_dir::TempDir;
use crate::support::watched::{watch, watched};
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};

const TAMPERED: &str =
    "immuaudit_verdict{server=\"tested\",database=\"shop\",verdict=\"rolled-back\"}";

#[test]
fn every_endpoint_responds_to_browsers_and_programs() {
    let watched = watched(&["shop"], &[]);
    let port = watched.port;
    for (path, kind) in [
        ("/metrics", "text/plain; version=0.0.4"),
        ("/", "text/plain; version=0.0.4"),
        ("/livez", "application/json"),
        ("/readyz", "application/json"),
        ("/initz", "application/json"),
        ("/version", "application/json"),
        ("/status.json", "application/json"),
        ("/states", "application/json"),
    ] {
        let answer = get(port, path, "*/*");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(
            answer.head.contains(&format!("Content-Type: {kind}")),
            "{answer:?}"
        );
        assert!(answer.head.contains("Connection: close"), "{answer:?}");
        let head =
            ask(port, &format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n")).expect("an answer");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
    for path in ["/livez", "/readyz", "/initz"] {
        assert_eq!(get(port, path, "*/*").body, "{\"immudb\":\"OK\"}");
    }
    let version = get(port, "/version", "*/*").body;
    for member in [
        "component",
        "version",
        "buildtime",
        "builtby",
        "static",
        "fips",
    ] {
        assert!(version.contains(&format!("\"{member}\":")), "{version}");
    }
    let page = get(port, "/", "text/html,application/xhtml+xml,*/*;q=0.8");
    assert!(
        page.head.contains("Content-Type: text/html"),
        "{}",
        page.head
    );
    assert!(page.head.contains("default-src 'none'"), "{}", page.head);
    assert!(page.body.contains("<h1>All is well</h1>"), "{}", page.body);
    let state = watched.ledger.state("shop").expect("a state");
    let states = get(port, "/states", "*/*").body;
    let shop = format!(
        "{{\"database\":\"shop\",\"tx\":3,\"hash\":\"{}\"",
        state.hash
    );
    assert!(states.contains(&shop), "{states}");
    assert_eq!(get(port, "/nothing", "*/*").status, 404);
    let post = ask(
        port,
        "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
    );
    assert_eq!(post.map(|answer| answer.status), Some(400));
    let delete = ask(port, "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(delete.map(|answer| answer.status), Some(405));
}

#[test]
fn immuclients_gauges_always_show_the_worst_database() {
    let watched = watched(&["aaa", "shop", "zzz"], &[]);
    let labels = format!(
        "{{server_id=\"{}\",server_address=\"127.0.0.1:{}\"}}",
        watched.ledger.uuid(),
        watched.ledger.port()
    );
    let result = format!("immuclient_audit_result_per_server{labels}");
    watched.wait_until(&result, 1.0);
    assert_eq!(
        watched
            .metrics()
            .sample(&format!("immuclient_audit_curr_root_per_server{labels}")),
        3.0
    );
    watched
        .ledger
        .lie(LieSchedule::from(Lie::Rollback).of("shop"));
    watched.wait_until(&result, 0.0);
    watched.wait_until(TAMPERED, 1.0);
    for _ in 0..50 {
        let metrics = watched.metrics();
        assert_eq!(metrics.sample(&result), 0.0);
        assert_eq!(
            metrics.sample(&format!("immuclient_audit_prev_root_per_server{labels}")),
            3.0
        );
        let series = metrics
            .body
            .matches("immuclient_audit_result_per_server{")
            .count();
        assert_eq!(series, 1);
    }
    let page = get(watched.port, "/", "text/html");
    assert!(page.body.contains("<h1>Tampering</h1>"), "{}", page.body);
    assert!(page.body.contains("immuaudit alarm list"), "{}", page.body);
}

#[test]
fn a_closed_alarm_of_an_unselected_database_is_no_longer_counted() {
    let ledger = Embedded::start(Options::default().with_databases(&["shop"])).expect("a ledger");
    ledger.grow("defaultdb", 3);
    ledger.grow("shop", 3);
    let folder = TempDir::new();
    let program = Program::new(ledger.port(), &folder.join("state"));
    program.once().ends_with(0);
    ledger.lie(LieSchedule::from(Lie::Rollback).of("shop"));
    program.once().is(2, "shop", "rolled-back");
    let alarm = program.open_alarm("shop");
    let interval = ["--audit-interval", "100ms"];
    let selecting = program
        .with(&interval)
        .with(&["--audit-databases=defaultdb"]);
    let watched = watch(ledger, folder, &selecting);
    let open = "immuaudit_open_alarms{server=\"tested\",database=\"shop\"}";
    assert_eq!(watched.metrics().sample(open), 1.0);
    let legacy = |result: u8| {
        let uuid = watched.ledger.uuid();
        let port = watched.ledger.port();
        format!(
            "immuclient_audit_result_per_server{{server_id=\"{uuid}\",server_address=\"127.0.0.1:{port}\"}} {result}\n"
        )
    };
    assert!(watched.metrics().body.contains(&legacy(0)));
    program.run(&["alarm", "close", &alarm]).ends_with(0);
    watched.wait_until(open, 0.0);
    assert!(watched.metrics().body.contains(&legacy(1)));
    let page = get(watched.port, "/", "text/html").body;
    assert!(page.contains("<h1>All is well</h1>"), "{page}");
}

#[test]
fn an_unavailable_server_does_not_fail_the_liveness_probe() {
    let mut watched = watched(&[], &[]);
    watched.ledger.stop();
    watched.wait_until(
        "immuaudit_verdict{server=\"tested\",database=\"defaultdb\",verdict=\"unreachable\"}",
        1.0,
    );
    assert_eq!(get(watched.port, "/livez", "*/*").status, 200);
    let page = get(watched.port, "/", "text/html").body;
    assert!(
        page.contains("<h1>Not everything could be checked</h1>"),
        "{page}"
    );
    watched.ledger.restart().expect("its port is free");
    watched.wait_until(
        "immuaudit_verdict{server=\"tested\",database=\"defaultdb\",verdict=\"consistent\"}",
        1.0,
    );
}

#[test]
fn the_progress_of_values_is_exposed_from_the_start() {
    let watched = watched(&["shop"], &["--audit-sample=2", "--audit-sweep=1s"]);
    let series = |name: &str| format!("immuaudit_{name}{{server=\"tested\",database=\"shop\"}}");
    let first = watched.metrics();
    for name in [
        "values_read_total",
        "values_read_ratio",
        "last_sweep_timestamp_seconds",
        "values_overdue",
    ] {
        first.sample(&series(name));
    }
    // these series exist before the first call of a method
    for method in [
        "Login",
        "CurrentState",
        "VerifiableTxById",
        "TxById",
        "TxScan",
    ] {
        let labels = format!("{{server=\"tested\",method=\"{method}\"}}");
        first.sample(&format!("immuaudit_rpc_duration_seconds_count{labels}"));
        let failures = first.sample(&format!("immuaudit_rpc_failures_total{labels}"));
        assert_eq!(failures, 0.0, "{method}");
    }
    assert_eq!(
        first.sample("immuaudit_sweep_period_seconds{server=\"tested\"}"),
        1.0
    );
    watched.wait_until(&series("values_read_ratio"), 1.0);
    let metrics = watched.metrics();
    assert!(metrics.sample(&series("last_sweep_timestamp_seconds")) > 1.7e9);
    assert!(metrics.sample(&series("values_read_total")) >= 3.0);
    assert_eq!(metrics.sample(&series("values_overdue")), 0.0);
    let status = get(watched.port, "/status.json", "*/*").body;
    for member in [
        "\"values_read_share\":1.0000",
        "\"values_due\":0",
        "\"values_overdue\":false",
        "\"condition\":\"good\"",
        "\"detection_probability_24h\":\"100%\"",
        "\"last_sweep_ended\":\"20",
    ] {
        assert!(status.contains(member), "{member}: {status}");
    }
    let page = get(watched.port, "/", "text/html").body;
    assert!(
        page.contains(">100%<small>swept <time datetime=\"20"),
        "{page}"
    );
}

#[test]
fn values_that_cannot_be_read_are_overdue_after_three_intervals() {
    let watched = watched(&["shop"], &["--audit-interval=1s"]);
    let overdue = "immuaudit_values_overdue{server=\"tested\",database=\"shop\"}";
    assert_eq!(watched.metrics().sample(overdue), 0.0);
    watched
        .ledger
        .lie(LieSchedule::from(Lie::WithheldTransaction).of("shop"));
    watched.wait_until(overdue, 1.0);
    let page = get(watched.port, "/", "text/html").body;
    assert!(
        page.contains("overdue: a transaction could not be read for"),
        "{page}"
    );
}

#[test]
fn a_json_line_of_tampering_has_a_member_for_each_fact() {
    let watched = watched(&["shop"], &["--log-format=json"]);
    let mut running = watched.running;
    watched
        .ledger
        .lie(LieSchedule::from(Lie::Rollback).of("shop"));
    running.wait_for("TAMPERED");
    running.wait_for_times("\"message\":\"cycle finished\"", 3);
    let log = running.log();
    assert!(
        log.lines()
            .all(|line| line.starts_with("{\"time\":\"20") && line.ends_with('}'))
    );
    let line = log.lines().find(|line| line.contains("TAMPERED"));
    let line = line.expect("a line");
    let state = watched.ledger.state("shop").expect("a state");
    for (name, value) in [
        ("level", "error"),
        ("message", "TAMPERED"),
        ("server", "tested"),
        ("database", "shop"),
        ("verdict", "rolled-back"),
        ("previous_tx", "3"),
        ("previous_hash", &state.hash.to_string()),
        ("tx", "1"),
    ] {
        assert_eq!(member(line, name), value, "{line}");
    }
    assert_eq!(member(line, "hash").len(), 64, "{line}");
    assert!(fs::metadata(member(line, "evidence")).is_ok(), "{line}");
    assert!(
        member(line, "next_step").starts_with("do not change the server"),
        "{line}"
    );
    // `alarm adopt` asks for confirmation, and changes nothing without a terminal
    let adopt = copied(member(line, "adopt_command"));
    assert_eq!(adopt.status.code(), Some(3), "{adopt:?}");
    let command = member(line, "close_command");
    let close = copied(command);
    let printed = String::from_utf8_lossy(&close.stdout);
    assert!(printed.contains("is closed"), "{command:?}: {close:?}");
    let cycle = log
        .lines()
        .find(|line| line.contains("\"message\":\"cycle finished\""));
    assert!(
        cycle.is_some_and(|line| line.contains("\"databases\":2,")),
        "{log}"
    );
}

#[test]
fn a_thousand_databases_and_slow_scrapers_use_limited_memory() {
    let names: Vec<String> = (1..1000).map(|n| format!("db{n:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // new databases get only the rest of an interval, so the interval is long
    let watched = watched(&names, &["--audit-interval", "1m"]);
    let metrics = watched.metrics();
    assert_eq!(
        metrics.sample("immuaudit_databases{server=\"tested\"}"),
        1000.0
    );
    assert!(
        metrics.body.len() < 2_000_000,
        "{} bytes",
        metrics.body.len()
    );
    let cpu = || watched.metrics().sample("process_cpu_seconds_total");
    let (before, scrapes) = (cpu(), 20);
    let spent = (0..scrapes).map(|_| cpu()).fold(0.0, f64::max) - before;
    assert!(spent / f64::from(scrapes) < 0.05, "{spent} s");
    // these clients send a request and read no response
    let ask_only = |_| {
        let mut peer = TcpStream::connect(("127.0.0.1", watched.port)).expect("a connection");
        let asked = peer.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        asked.expect("a question");
        peer
    };
    let mut slow: Vec<TcpStream> = (0..60).map(ask_only).collect();
    let resident = watched.metrics().sample("process_resident_memory_bytes");
    assert!(resident < 48e6, "{resident} bytes");
    // more than the limit on connections: the one without progress for the longest time is closed
    slow.extend((0..20).map(ask_only));
    assert_eq!(get(watched.port, "/livez", "*/*").status, 200);
    drop(slow);
}

/// Runs promtool. If it is missing, the check is skipped with a notice; in CI that is an error.
fn promtool(args: &[&str], stdin: &str) {
    let mut command = Command::new("promtool");
    command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            return crate::support::loud::missing(&format!(
                "no promtool here (package prometheus): {error}"
            ));
        }
    };
    let sent = child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("promtool ends");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(sent.is_ok() && output.status.success(), "{printed}");
    if args.contains(&"metrics") {
        assert_eq!(printed, "");
    }
}

#[test]
fn promtool_accepts_the_metrics() {
    let watched = watched(&["shop"], &[]);
    // the names from immuclient cannot be changed
    let metrics = watched.metrics().body;
    promtool(&["check", "metrics"], &metrics);
}
