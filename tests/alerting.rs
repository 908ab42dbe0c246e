//! The alert's whole way: a ledger that begins to lie, the real binary, a real Prometheus with our
//! rules, a real Alertmanager, and the webhook that it calls.

mod support;

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use immuaudit::drill::{Embedded, Lie, Options, Telling};
use support::browser::{Browser, Theme};
use support::http::ask;
use support::loud::loud;
use support::place::Place;
use support::program::Program;
use support::receiver::Receiver;
use support::tool::{Tool, have};

/// Where the rules are.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus");

#[test]
fn the_rules_fire_when_they_should_and_only_then() {
    if !have("promtool", "prometheus") {
        return;
    }
    for args in [
        ["check", "rules", "immuaudit.rules.yml"],
        ["test", "rules", "immuaudit.rules.test.yml"],
    ] {
        let output = Command::new("promtool")
            .args(args)
            .current_dir(RULES)
            .output()
            .expect("promtool");
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn an_alert_reaches_a_webhook_through_prometheus_and_alertmanager() {
    if !have("prometheus", "prometheus")
        || !have("prometheus-alertmanager", "prometheus-alertmanager")
    {
        return;
    }
    let ledger = Embedded::start(Options::default().with_databases(&["shop"])).expect("a ledger");
    for database in ["defaultdb", "shop"] {
        ledger.grow(database, 3);
    }
    let (place, receiver) = (Place::new(), Receiver::start());
    let audit = free_port();
    let program = Program::new(ledger.port(), &place.join("state"))
        .with(&[
            "--audit-interval",
            "1s",
            "--audit-monitoring-host",
            "127.0.0.1",
        ])
        .with(&["--audit-monitoring-port", &audit.to_string()]);
    let mut running = program.start(&[]);
    running.wait_for("cycle server=");
    let alertmanager = free_port();
    let file = |name: &str, text: String| {
        let path = place.join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let config = file(
        "alertmanager.yml",
        format!(
            "route: {{receiver: hook, group_wait: 0s, group_by: [alertname]}}\nreceivers:\n- name: hook\n  webhook_configs:\n  - url: {}\n",
            receiver.url()
        ),
    );
    let _alertmanager = start(
        "prometheus-alertmanager",
        &place,
        &[
            &format!("--config.file={config}"),
            &format!("--storage.path={}", place.join("am").display()),
            &format!("--web.listen-address=127.0.0.1:{alertmanager}"),
            "--cluster.listen-address=",
        ],
    );
    let config = file(
        "prometheus.yml",
        format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{RULES}/immuaudit.rules.yml']\n\
         scrape_configs:\n- job_name: immuaudit\n  static_configs: [{{targets: ['127.0.0.1:{audit}']}}]\n\
         alerting:\n  alertmanagers:\n  - static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]\n"
        ),
    );
    let web = free_port();
    let _prometheus = start(
        "prometheus",
        &place,
        &[
            &format!("--config.file={config}"),
            &format!("--storage.tsdb.path={}", place.join("tsdb").display()),
            &format!("--web.listen-address=127.0.0.1:{web}"),
        ],
    );
    let query = "GET /api/v1/query?query=immuaudit_open_alarms HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let scraped = || ask(web, query).is_some_and(|answer| answer.body.contains("\"shop\""));
    for _ in 0..600 {
        if scraped() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(scraped(), "Prometheus never scraped the auditor");
    assert!(
        receiver.received().is_empty(),
        "an alert without a reason: {:?}",
        receiver.received()
    );
    let begin = Instant::now();
    ledger.lie(Telling::from(Lie::Rollback).of("shop"));
    let alert = receiver.wait_for(|received| received.body.contains("ImmudbTampered"));
    let took = begin.elapsed().as_secs_f64();
    loud(format!(
        "from the lie to the alert's webhook: {took:.1} s\n"
    ));
    if std::env::var_os("SCREENSHOTS").is_some() && have("chromium", "chromium") {
        let mut browser = Browser::start();
        let url = format!("http://127.0.0.1:{web}/classic/alerts");
        browser.load(&url, (1000, 640), Theme::Light);
        // where this machine has its files is nobody's business
        browser.evaluate("document.body.innerHTML = document.body.innerHTML.replace(/[/]\\S+[/](?=immuaudit.rules)/, ''); 'done'");
        browser.shoot("prometheus");
    }
    assert!(
        alert.body.contains("\"database\":\"shop\""),
        "{}",
        alert.body
    );
    assert!(
        !alert.body.contains("\"database\":\"defaultdb\""),
        "{}",
        alert.body
    );
}

fn start(program: &str, place: &Place, args: &[&str]) -> Tool {
    let log = fs::File::create(place.join(&format!("{program}.log"))).expect("a log");
    let child = Command::new(program)
        .args(args)
        .current_dir(place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Tool(child.expect("it starts"))
}

/// A port that was free just now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
