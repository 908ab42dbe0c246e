//! Alerts from end to end: a ledger that begins to lie, the program, a real Prometheus with the
//! rules of deploy/prometheus, a real Alertmanager, and its webhook. Another test runs the queries
//! of the dashboard.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::support::browser::{Browser, Theme};
use crate::support::http::ask;
use crate::support::json::{Leaf, leaves};
use crate::support::loud::loud;
use crate::support::program::{Program, Running};
use crate::support::receiver::{Received, Receiver};
use crate::support::temp_dir::TempDir;
use crate::support::tool::{Tool, have};
use crate::support::watched::port_of;
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};

/// The folder of the rules.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus");

#[test]
fn the_alert_rules_pass_their_promtool_tests() {
    if !have("promtool", "prometheus") {
        return;
    }
    for args in [
        ["check", "rules", "immuaudit.rules.yml"],
        ["test", "rules", "immuaudit.rules.test.yml"],
        ["test", "rules", "immuaudit.rules.days.test.yml"],
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
    if !have_watchers() {
        return;
    }
    let ledger = ledger();
    let folder = TempDir::new();
    let auditor = Auditor::start(&ledger, &folder, "one");
    let watchers = Watchers::start(&folder, &[&auditor]);
    watchers.wait_until("immuaudit_open_alarms{database=\"shop\"}", "0");
    let received = watchers.receiver.received();
    assert!(
        received.is_empty(),
        "an alert without a reason: {received:?}"
    );
    let begin = Instant::now();
    ledger.lie(LieSchedule::from(Lie::Rollback).of("shop"));
    let tampered = |received: &Received| received.body.contains("ImmudbTampered");
    let alert = watchers.receiver.wait_for(tampered);
    let took = begin.elapsed().as_secs_f64();
    loud(format!(
        "from the lie to the alert's webhook: {took:.1} s\n"
    ));
    if std::env::var_os("SCREENSHOTS").is_some() && have("chromium", "chromium") {
        let mut browser = Browser::start();
        let url = format!("http://127.0.0.1:{}/classic/alerts", watchers.web);
        browser.load(&url, (1000, 640), Theme::Light);
        // the picture must not contain paths of this machine
        browser.evaluate("document.body.innerHTML = document.body.innerHTML.replace(/[/]\\S+[/](?=immuaudit.rules)/, ''); 'done'");
        browser.shoot("prometheus");
    }
    let body = &alert.body;
    assert!(body.contains("\"database\":\"shop\""), "{body}");
    assert!(!body.contains("\"database\":\"defaultdb\""), "{body}");
}

#[test]
fn a_killed_auditor_is_an_alert_and_its_alarm_stays_open() {
    if !have_watchers() {
        return;
    }
    let ledger = ledger();
    let folder = TempDir::new();
    // only the first auditor sees the lie
    let mut first = Auditor::start(&ledger, &folder, "first");
    ledger.lie(LieSchedule::from(Lie::Rollback).of("shop"));
    first.running.wait_for("TAMPERED");
    ledger.be_honest();
    let second = Auditor::start(&ledger, &folder, "second");
    let watchers = Watchers::start(&folder, &[&first, &second]);
    let (instance, other) = (first.instance(), second.instance());
    let of = |alert: &'static str, status: &'static str, instance: &str| {
        let parts = [
            format!("\"alertname\":\"{alert}\""),
            format!("\"instance\":\"{instance}\""),
            format!("\"status\":\"{status}\""),
        ];
        move |received: &Received| parts.iter().all(|part| received.body.contains(part))
    };
    let wait = |alert, status| watchers.receiver.wait_for(of(alert, status, &instance));
    let came = |alert, status, instance: &str| {
        let fits = of(alert, status, instance);
        let received = watchers.receiver.received();
        received.iter().filter(|received| fits(received)).count()
    };
    wait("ImmudbTampered", "firing");
    drop(first); // the auditor is killed
    wait("ImmudbAuditorGone", "firing");
    // the auditor is missing in many evaluations, and its alarm is still open
    watchers.wait_until(
        "count_over_time(ALERTS{alertname=\"ImmudbAuditorGone\",alertstate=\"firing\"}[1m]) >= bool 6",
        "1",
    );
    let firing = "count(ALERTS{alertname=\"ImmudbTampered\",alertstate=\"firing\"})";
    assert_eq!(watchers.value(firing).as_deref(), Some("1"));
    assert_eq!(came("ImmudbTampered", "resolved", &instance), 0);
    assert_eq!(came("ImmudbAuditorGone", "firing", &other), 0);
    // the auditor runs again, and only the operator closes its alarm
    let first = Auditor::start(&ledger, &folder, "first");
    watchers.retarget(&folder, &[&first, &second]);
    let instance = first.instance();
    let again = format!("sum(immuaudit_open_alarms{{instance=\"{instance}\"}})");
    watchers.wait_until(&again, "1");
    assert_eq!(watchers.value(firing).as_deref(), Some("1"));
    let alarm = first.program.open_alarm("shop");
    first.program.run(&["alarm", "close", &alarm]).ends_with(0);
    watchers
        .receiver
        .wait_for(of("ImmudbTampered", "resolved", &instance));
}

#[test]
fn the_dashboard_shows_correct_values_of_auditors_only() {
    if !have_watchers() {
        return;
    }
    // defaultdb is empty, as on most servers
    let ledger = Embedded::start(Options::default().with_databases(&["shop"])).expect("a ledger");
    ledger.grow("shop", 3);
    let folder = TempDir::new();
    let auditors = ["first", "second"].map(|name| Auditor::start(&ledger, &folder, name));
    let watchers = Watchers::start(&folder, &auditors.each_ref());
    watchers.wait_until("sum(immuaudit_open_alarms)", "0");
    watchers.wait_until("count(up == 1)", "3");
    let panels = panels();
    assert!(panels.len() > 10, "{panels:?}");
    for (title, query) in &panels {
        let answer = watchers.query(query);
        assert!(
            answer.contains("\"status\":\"success\""),
            "{title}: {answer}"
        );
    }
    let series = |title: &str| {
        let query = &panels.iter().find(|(found, _)| found == title);
        watchers.series(&query.expect(title).1)
    };
    assert_eq!(series("Open alarms"), [("tested".to_owned(), 0.0)]);
    let memory = series("Memory");
    assert_eq!(
        memory.len(),
        2,
        "Prometheus itself is no auditor: {memory:?}"
    );
    let since = series("Since the last successful cycle, or the start");
    assert_eq!(since.len(), 2, "{since:?}");
    assert!(since.iter().all(|(_, value)| *value < 3600.0), "{since:?}");
    // an empty database has no values to read
    assert_eq!(series("Minimum share of values read").len(), 1);
    ledger.lie(LieSchedule::from(Lie::Rollback).of("shop"));
    watchers.wait_until("count(immuaudit_open_alarms > 0)", "2");
    assert_eq!(series("Open alarms"), [("tested".to_owned(), 1.0)]);
    // without a successful cycle, the panels count from the start of the auditor
    let queries = panels.iter().map(|(_, query)| query.as_str());
    let since = queries.filter(|query| query.contains("last_successful_cycle"));
    for query in since {
        let never = query.replace(
            "immuaudit_last_successful_cycle_timestamp_seconds",
            "(immuaudit_last_successful_cycle_timestamp_seconds * 0)",
        );
        let since = watchers.series(&never);
        assert_eq!(since.len(), 2, "{since:?}");
        assert!(since.iter().all(|(_, value)| *value < 3600.0), "{since:?}");
    }
}

/// Returns the panels of the dashboard: the title and the query of each.
fn panels() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana/immuaudit.json");
    let leaves = leaves(&fs::read_to_string(path).expect("the dashboard"));
    let text = |leaf: &Leaf| match leaf {
        Leaf::Text(text) => text.clone(),
        Leaf::Word(word) => panic!("{word} is no text"),
    };
    let queries = leaves.iter().filter(|(path, _)| path.ends_with(".expr"));
    let titled = |path: &str| {
        let panel = path.split(".targets").next().expect("a panel");
        let title = leaves
            .iter()
            .find(|(path, _)| *path == format!("{panel}.title"));
        text(&title.expect("a title").1)
    };
    queries
        .map(|(path, query)| (titled(path), text(query)))
        .collect()
}

fn have_watchers() -> bool {
    have("prometheus", "prometheus") && have("prometheus-alertmanager", "prometheus-alertmanager")
}

fn ledger() -> Embedded {
    let ledger = Embedded::start(Options::default().with_databases(&["shop"])).expect("a ledger");
    for database in ["defaultdb", "shop"] {
        ledger.grow(database, 3);
    }
    ledger
}

/// An auditor that Prometheus scrapes.
struct Auditor {
    program: Program,
    running: Running,
    port: u16,
}

impl Auditor {
    /// Starts an auditor with its own directory, and waits for its first cycle.
    fn start(ledger: &Embedded, folder: &TempDir, name: &str) -> Auditor {
        let program = Program::new(ledger.port(), &folder.join(name))
            .with(&["--audit-interval=1s", "--audit-monitoring-host=127.0.0.1"]);
        let mut running = program.start(&[]);
        running.wait_for("cycle finished server=");
        let port = port_of(&running);
        Auditor {
            program,
            running,
            port,
        }
    }

    /// Returns Prometheus' name for the auditor.
    fn instance(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// A Prometheus with the rules, an Alertmanager, and its webhook. The `for` of each rule has seconds
/// instead of minutes.
struct Watchers {
    receiver: Receiver,
    web: u16,
    _tools: [Tool; 2],
}

impl Watchers {
    fn start(folder: &TempDir, auditors: &[&Auditor]) -> Watchers {
        let receiver = Receiver::start();
        let (alertmanager, web) = (free_port(), free_port());
        let rules = fs::read_to_string(format!("{RULES}/immuaudit.rules.yml")).expect("rules");
        let quick: Vec<String> = rules
            .lines()
            .map(|line| match line.trim().strip_prefix("for: ") {
                Some(time) => line.replace(time, &time.replace('m', "s")),
                None => line.to_owned(),
            })
            .collect();
        let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file");
        write("immuaudit.rules.yml", quick.join("\n"));
        write(
            "alertmanager.yml",
            format!(
                "route: {{receiver: hook, group_wait: 0s, group_interval: 1s, group_by: ['...']}}\nreceivers:\n- name: hook\n  webhook_configs:\n  - url: {}\n",
                receiver.url()
            ),
        );
        write(
            "prometheus.yml",
            format!(
                "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [immuaudit.rules.yml]\n\
                 scrape_configs:\n- job_name: immuaudit\n  file_sd_configs: [{{files: [targets.json], refresh_interval: 1s}}]\n\
                 - job_name: prometheus\n  static_configs: [{{targets: ['127.0.0.1:{web}']}}]\n\
                 alerting:\n  alertmanagers:\n  - static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]\n"
            ),
        );
        Watchers::write_targets(folder, auditors);
        let tools = [
            start(
                "prometheus-alertmanager",
                folder,
                &[
                    "--config.file=alertmanager.yml",
                    "--storage.path=am",
                    &format!("--web.listen-address=127.0.0.1:{alertmanager}"),
                    "--cluster.listen-address=",
                ],
            ),
            start(
                "prometheus",
                folder,
                &[
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=tsdb",
                    &format!("--web.listen-address=127.0.0.1:{web}"),
                ],
            ),
        ];
        Watchers {
            receiver,
            web,
            _tools: tools,
        }
    }

    /// Replaces the scraped auditors.
    fn retarget(&self, folder: &TempDir, auditors: &[&Auditor]) {
        Watchers::write_targets(folder, auditors);
    }

    fn write_targets(folder: &TempDir, auditors: &[&Auditor]) {
        let targets: Vec<String> = auditors
            .iter()
            .map(|auditor| format!("\"{}\"", auditor.instance()))
            .collect();
        let text = format!("[{{\"targets\":[{}]}}]", targets.join(","));
        fs::write(folder.join("targets.new"), text).expect("a file");
        fs::rename(folder.join("targets.new"), folder.join("targets.json")).expect("a file");
    }

    /// Returns the response of Prometheus to a query; empty without a response.
    fn query(&self, query: &str) -> String {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let request = format!(
            "GET /api/v1/query?query={encoded} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let answer = ask(self.web, &request);
        answer.map_or(String::new(), |answer| answer.body)
    }

    /// Returns the series of a query: the label `server`, if there is one, and the value.
    fn series(&self, query: &str) -> Vec<(String, f64)> {
        let answer = self.query(query);
        let parts = answer.split("{\"metric\":").skip(1);
        parts
            .map(|part| {
                let server = part.split("\"server\":\"").nth(1);
                let server = server.and_then(|rest| rest.split('"').next());
                let value = part.split("\"value\":[").nth(1).expect("a value");
                let value = value.split('"').nth(1).expect("a value");
                let value = value.parse().expect("a number");
                (server.unwrap_or_default().to_owned(), value)
            })
            .collect()
    }

    /// Returns the value of the only series.
    fn value(&self, query: &str) -> Option<String> {
        match self.series(query).as_slice() {
            [(_, value)] => Some(value.to_string()),
            _ => None,
        }
    }

    /// Waits until a query has this single value; only a failing test reaches the deadline.
    #[track_caller]
    fn wait_until(&self, query: &str, value: &str) {
        for _ in 0..900 {
            if self.value(query).as_deref() == Some(value) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{query} is never {value}: {}", self.query(query));
    }
}

fn start(program: &str, folder: &TempDir, args: &[&str]) -> Tool {
    let log = fs::File::create(folder.join(&format!("{program}.log"))).expect("a log");
    let child = Command::new(program)
        .args(args)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Tool(child.expect("it starts"))
}

/// Returns a port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
