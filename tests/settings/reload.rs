//! SIGHUP: settings are read again, and used only if all of them are valid.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::http::get;
use crate::support::program::{Program, Running};
use crate::support::receiver::Receiver;
use crate::support::temp_dir::TempDir;
use crate::support::watched::port_of;
use immuaudit::drill::{Embedded, Lie, LieSchedule, Options, fill};

const SECOND: &str = "otherdb";
const READ: &str = "the settings were read again and are in use";
const NOT_USED: &str = "the settings were read again and are not used";

struct Scene {
    folder: TempDir,
    server: Embedded,
    config: PathBuf,
}

impl Scene {
    fn new() -> Scene {
        let server =
            Embedded::start(Options::default().with_databases(&[SECOND])).expect("a ledger");
        fill(&server, "defaultdb");
        fill(&server, SECOND);
        let folder = TempDir::new();
        let config = folder.join("settings.toml");
        Scene {
            folder,
            server,
            config,
        }
    }

    fn settings(&self, text: &str) {
        fs::write(&self.config, text).expect("a file");
        fs::set_permissions(&self.config, fs::Permissions::from_mode(0o600)).expect("its mode");
    }

    /// Creates a signing key, and returns the setting that names it.
    fn new_key(&self, name: &str) -> String {
        let file = self.folder.join(name).display().to_string();
        let program = Program::new(self.server.port(), &self.folder.join("trust"));
        let run = program.run(&["key", "new", "--name", name, &file]);
        run.ends_with(0);
        format!("audit-signing-key = \"{file}\"\n")
    }

    fn start(&self, text: &str) -> Running {
        self.settings(text);
        let config = format!("--config={}", self.config.display());
        let program = Program::new(self.server.port(), &self.folder.join("trust"));
        let mut running = program.start(&["audit-mode", &config]);
        running.wait_for("INFO  cycle ");
        running
    }
}

/// Sends SIGHUP, and waits for the expected log message.
fn reload(running: &mut Running, expected: &str) {
    let before = running.log().matches(expected).count();
    running.signal("HUP");
    running.wait_for_times(expected, before + 1);
}

#[test]
fn settings_are_read_again_and_a_cycle_follows_immediately() {
    let scene = Scene::new();
    let mut running = scene.start("audit-interval = \"1h\"\naudit-databases = [\"defaultdb\"]\n");
    assert!(!running.log().contains(SECOND), "{}", running.log());
    scene.settings("audit-interval = \"100ms\"\n");
    reload(&mut running, READ);
    running.wait_for(&format!("database={SECOND} verdict=first-seen"));
    // the new interval is used too
    running.wait_for_cycles(3);
    let id = running.id();
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
    assert!(running.log().contains("stopped"), "{id}: {}", running.log());
}

#[test]
fn wrong_settings_are_reported_and_the_former_ones_stay_in_use() {
    let scene = Scene::new();
    let mut running = scene.start("audit-interval = \"50ms\"\naudit-databases = [\"defaultdb\"]\n");
    for (text, message) in [
        (
            "audit-databases = []\naudit-interval = \"soon\"\n",
            "settings.toml:2",
        ),
        (
            "audit-databases = []\nno-such-key = 1\n",
            "settings.toml:2: unknown key",
        ),
        ("audit-password-file = \"/nowhere\"\n", "/nowhere"),
        ("tls-ca = \"/dev/null\"\n", "no CERTIFICATE block in it"),
        ("not TOML", "settings.toml:1: not TOML"),
    ] {
        scene.settings(text);
        reload(&mut running, NOT_USED);
        running.wait_for(message);
        running.wait_for_cycles(2);
    }
    let log = running.log();
    assert!(!log.contains(SECOND) && log.contains("ERROR"), "{log}");
    fs::set_permissions(&scene.config, fs::Permissions::from_mode(0o666)).expect("its mode");
    reload(&mut running, NOT_USED);
    running.wait_for("other users can write it");
    scene.settings("audit-interval = \"50ms\"\n");
    reload(&mut running, READ);
    running.wait_for(&format!("database={SECOND} verdict=first-seen"));
}

#[test]
fn a_setting_that_needs_a_restart_is_named_and_nothing_changes() {
    let scene = Scene::new();
    let mut running = scene.start("audit-interval = \"50ms\"\naudit-databases = [\"defaultdb\"]\n");
    for (text, name) in [
        ("log-level = \"debug\"\n", "--log-level"),
        ("no-monitoring = true\n", "--no-monitoring"),
        ("immudb-address = \"localhost\"\n", "--immudb-address"),
        ("roots-filepath = \"/nowhere\"\n", "--roots-filepath"),
    ] {
        scene.settings(text);
        reload(&mut running, NOT_USED);
        running.wait_for(name);
        running.wait_for_cycles(2);
    }
    assert!(
        running
            .log()
            .contains("cannot change while the program runs: restart it")
    );
    assert!(!running.log().contains(SECOND), "{}", running.log());
}

#[test]
fn a_login_that_was_changed_is_used() {
    let scene = Scene::new();
    let mut running = scene.start("audit-interval = \"100ms\"\naudit-password = \"immudb\"\n");
    scene.settings("audit-interval = \"100ms\"\naudit-password = \"another\"\n");
    reload(&mut running, READ);
    running.wait_for("wrong user or password");
    scene.settings("audit-interval = \"100ms\"\naudit-password = \"immudb\"\n");
    reload(&mut running, READ);
    running.wait_for_more(" proven=2 ", 2);
}

#[test]
fn a_pin_that_was_changed_is_compared() {
    let scene = Scene::new();
    let known = scene.server.state("defaultdb").expect("a state");
    scene.server.grow("defaultdb", 20);
    let settings = |pin: &str| format!("audit-interval = \"1h\"\npin = [\"{pin}\"]\n");
    let mut running = scene.start(&settings(&format!("defaultdb:{known}")));
    let forged = format!("defaultdb:{}:{}", known.tx + 3, "ab".repeat(32));
    scene.settings(&settings(&forged));
    reload(&mut running, READ);
    running.wait_for("split-view");
}

fn delivery_threads(running: &Running) -> usize {
    let threads = fs::read_dir(format!("/proc/{}/task", running.id())).expect("its threads");
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm"));
    let names = threads.filter_map(|thread| name(thread.ok()?).ok());
    names.filter(|name| name.trim() == "delivery").count()
}

#[test]
fn a_new_receiver_is_notified_of_open_alarms_and_the_old_one_is_not() {
    let scene = Scene::new();
    let (first, second) = (Receiver::start(), Receiver::start());
    let to = |receiver: &Receiver| {
        scene.settings(&format!(
            "audit-interval = \"50ms\"\naudit-notification-url = \"{}\"\n",
            receiver.url()
        ));
    };
    let mut running = scene.start("audit-interval = \"50ms\"\n");
    to(&first);
    reload(&mut running, READ);
    scene
        .server
        .lie(LieSchedule::from(Lie::Rollback).of("defaultdb"));
    first.wait_for(|received| received.body.contains("\"tampered\":true"));
    to(&second);
    reload(&mut running, READ);
    second.wait_for(|received| received.body.contains("\"tampered\":true"));
    let before = first.received().len();
    scene.server.lie(LieSchedule::from(Lie::Rollback));
    second.wait_for(|received| received.body.contains(SECOND));
    assert_eq!(first.received().len(), before);
    // no thread of a former receiver remains
    for _ in 0..5 {
        to(&first);
        reload(&mut running, READ);
        to(&second);
        reload(&mut running, READ);
    }
    running.wait_for_cycles(2);
    assert_eq!(delivery_threads(&running), 1);
}

#[test]
fn metrics_and_page_use_the_new_settings() {
    let scene = Scene::new();
    let mut running = scene.start("audit-interval = \"1h\"\n");
    let log = running.log();
    let address = log
        .split("status page on http://")
        .nth(1)
        .expect("an address");
    let port = address
        .split('/')
        .next()
        .and_then(|address| address.rsplit(':').next());
    let port = port.and_then(|port| port.parse().ok()).expect("a port");
    let interval =
        |seconds: u32| format!("immuaudit_interval_seconds{{server=\"tested\"}} {seconds}\n");
    let metrics = get(port, "/metrics", "*/*").body;
    assert!(metrics.contains(&interval(3600)), "{metrics}");
    scene.settings("audit-interval = \"2h\"\n");
    reload(&mut running, READ);
    let metrics = get(port, "/metrics", "*/*").body;
    assert!(metrics.contains(&interval(7200)), "{metrics}");
}

#[test]
fn only_the_alarms_of_a_deselected_database_count() {
    let scene = Scene::new();
    let settings = |databases: &str| {
        scene.settings(&format!(
            "audit-interval = \"50ms\"\naudit-sweep = \"1s\"\naudit-databases = [{databases}]\n"
        ));
    };
    let mut running = scene.start("audit-interval = \"50ms\"\n");
    scene.server.lie(LieSchedule::from(Lie::Garbage).of(SECOND));
    running.wait_for(&format!("database={SECOND} verdict=malformed"));
    running.wait_for_cycles(5);
    let port = port_of(&running);
    let of = |name: &str, rest: &str| {
        format!("immuaudit_{name}{{server=\"tested\",database=\"{SECOND}\"{rest}}}")
    };
    let (overdue, verdict) = (of("overdue", ""), of("verdict", ",verdict=\"malformed\""));
    let metrics = get(port, "/metrics", "*/*");
    assert_eq!(metrics.sample(&verdict), 1.0);
    assert_eq!(metrics.sample(&overdue), 1.0);
    settings("\"defaultdb\"");
    reload(&mut running, READ);
    running.wait_for_cycles(2);
    let metrics = get(port, "/metrics", "*/*");
    assert_eq!(metrics.sample(&verdict), 0.0);
    assert_eq!(metrics.sample(&overdue), 0.0);
    let mut lines = metrics.body.lines();
    let legacy = lines.find(|line| line.starts_with("immuclient_audit_result_per_server{"));
    assert!(
        legacy.is_some_and(|line| line.ends_with(" 1")),
        "{legacy:?}"
    );
    // a database that is no longer selected is not swept either
    scene.server.be_honest();
    settings("");
    reload(&mut running, READ);
    let swept = |database: &str| format!("sweep finished server=tested database={database}");
    running.wait_for(&swept(SECOND));
    settings("\"defaultdb\"");
    reload(&mut running, READ);
    let before = running.log().matches(&swept(SECOND)).count();
    running.wait_for_more(&swept("defaultdb"), 3);
    assert_eq!(running.log().matches(&swept(SECOND)).count(), before);
}

#[test]
fn settings_that_cannot_be_used_change_nothing() {
    let scene = Scene::new();
    let key = scene.new_key("zone-a");
    let mut running = scene.start("audit-interval = \"1h\"\n");
    let port = port_of(&running);
    let config = |body: &str| {
        let line = body
            .lines()
            .find(|line| line.starts_with("immuaudit_config_info{"));
        line.expect("the settings").to_owned()
    };
    let before = get(port, "/metrics", "*/*");
    scene.settings(&format!("audit-interval = \"2h\"\n{key}"));
    // the open alarms cannot be read
    let files = scene.folder.join("trust/tested");
    fs::rename(&files, scene.folder.join("moved")).expect("a directory");
    reload(&mut running, NOT_USED);
    let after = get(port, "/metrics", "*/*");
    let interval = "immuaudit_interval_seconds{server=\"tested\"}";
    assert_eq!(after.sample(interval), 3600.0);
    assert_eq!(config(&after.body), config(&before.body));
    assert_eq!(get(port, "/checkpoints", "*/*").status, 404);
}

#[test]
fn no_checkpoint_is_served_after_its_key_was_removed_or_replaced() {
    let scene = Scene::new();
    let (first, second) = (scene.new_key("first"), scene.new_key("second"));
    let by = |key: &str| format!("audit-interval = \"50ms\"\n{key}");
    let mut running = scene.start(&by(&first));
    let port = port_of(&running);
    let status = |path: &str| get(port, path, "*/*").status;
    let single = format!("/checkpoints/{SECOND}");
    for (key, all) in [("", 404), (&second[..], 200)] {
        while status(&single) != 200 {
            running.wait_for_cycles(1);
        }
        // so that no later check replaces the checkpoint
        scene.server.lie(LieSchedule::from(Lie::Garbage).of(SECOND));
        running.wait_for_cycles(2);
        assert_eq!(status(&single), 200);
        scene.settings(&by(key));
        reload(&mut running, READ);
        assert_eq!((status(&single), status("/checkpoints")), (404, all));
        scene.server.be_honest();
        scene.settings(&by(&first));
        reload(&mut running, READ);
    }
}

#[test]
fn a_reload_is_no_start_of_the_program() {
    let scene = Scene::new();
    let mut running = scene.start("audit-interval = \"1h\"\n");
    let port = port_of(&running);
    let started = || get(port, "/metrics", "*/*").sample("process_start_time_seconds");
    let before = started();
    // the times are whole seconds
    std::thread::sleep(std::time::Duration::from_millis(1100));
    scene.settings("audit-interval = \"2h\"\n");
    reload(&mut running, READ);
    let metrics = get(port, "/metrics", "*/*");
    let interval = "immuaudit_interval_seconds{server=\"tested\"}";
    assert_eq!(metrics.sample(interval), 7200.0);
    assert_eq!(started(), before);
}

#[test]
fn a_single_run_ends_on_hangup() {
    let scene = Scene::new();
    scene.server.lie(LieSchedule::from(Lie::NeverAnswers));
    let program = Program::new(scene.server.port(), &scene.folder.join("trust"));
    let mut running = program.start(&["--once", "--call-timeout=1h"]);
    while scene.server.calls().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    running.signal("HUP");
    assert_eq!(running.end(), None, "{}", running.log());
}
