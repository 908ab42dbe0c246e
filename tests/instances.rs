//! Many auditors on one host: instances of the template unit in a real systemd, and the status of
//! all of them together.

mod support;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use immuaudit::drill::{Embedded, Lie, LieSchedule, Options, fill};
use support::booted::Booted;
use support::http::get;
use support::loud::{loud, not_shown};
use support::program::member;
use support::tool::have;

/// The number of instances that audit the honest server; one more audits the other server.
const HONEST: usize = 19;
/// The most memory of one instance in KiB, twice the measured amount.
const MAX_KIB: u64 = 14 << 10;

fn name(n: usize) -> String {
    format!("n{n:02}")
}

/// Returns different ports that are free now.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
        .collect();
    let port = |of: &TcpListener| of.local_addr().expect("an address").port();
    listeners.iter().map(port).collect()
}

fn install(booted: &Booted, instance: &str, server: u16, port: u16) -> String {
    booted.does(&[
        "immuaudit",
        "audit-mode",
        "install",
        "--instance",
        instance,
        &format!("--immudb-port={server}"),
        &format!("--audit-monitoring-port={port}"),
    ])
}

/// Runs `status --all` until the exit code is this one.
#[track_caller]
fn status_of_all(booted: &Booted, code: i32, more: &[&str]) -> String {
    let args = [&["immuaudit", "status", "--all"], more].concat();
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let Output {
            status,
            stdout,
            stderr,
        } = booted.output(&args);
        let text = String::from_utf8_lossy(&stdout).into_owned();
        if status.code() == Some(code) {
            return text;
        }
        let errors = String::from_utf8_lossy(&stderr);
        assert!(Instant::now() < end, "{status}: {text}\n{errors}");
        thread::sleep(Duration::from_millis(500));
    }
}

/// Returns the memory of an instance's process in KiB, with its share of shared memory.
fn share(booted: &Booted, instance: &str) -> u64 {
    let process = booted.shows_of(&format!("immuaudit@{instance}.service"), "MainPID");
    let rollup = booted.does(&["cat", &format!("/proc/{process}/smaps_rollup")]);
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.expect("Pss").parse().expect("a number")
}

#[test]
fn twenty_instances_share_a_host_and_the_worst_is_listed_first() {
    let booted = match Booted::boot() {
        Ok(booted) => booted,
        Err(why) => {
            not_shown(&format!(
                "the instances were not run in a real systemd: {why}"
            ));
            return;
        }
    };
    let [honest, other] = [(); 2].map(|()| Embedded::start(Options::default()).expect("a ledger"));
    for ledger in [&honest, &other] {
        fill(ledger, "defaultdb");
    }
    // the settings file of the Debian package
    let common = "useradd --system --user-group immuaudit && mkdir -p /etc/immudb && \
        printf 'audit-interval = \"2s\"\\naudit-password = \"immudb\"\\ndir = \"/nowhere\"\\n' >/etc/immudb/immuaudit.toml && \
        chgrp immuaudit /etc/immudb/immuaudit.toml && chmod 0640 /etc/immudb/immuaudit.toml";
    booted.does(&["sh", "-c", common]);

    let ports = free_ports(HONEST + 1);
    for (n, port) in ports.iter().enumerate() {
        let server = if n < HONEST { &honest } else { &other };
        install(&booted, &name(n), server.port(), *port);
    }
    let liar = name(HONEST);
    each_instance_has_separate_files_and_a_separate_user(&booted);
    status_of_all(&booted, 0, &[]);
    each_prometheus_target_is_the_port_of_its_instance(&booted, &ports);
    one_instance_reloads_its_settings(&booted);

    let shares: Vec<u64> = (0..=HONEST).map(|n| share(&booted, &name(n))).collect();
    loud(format!(
        "{} instances take {} KiB together, the largest {} KiB\n",
        shares.len(),
        shares.iter().sum::<u64>(),
        shares.iter().max().expect("one"),
    ));
    assert!(shares.iter().all(|kib| *kib < MAX_KIB), "{shares:?}");

    an_idle_or_misconfigured_instance_is_reported(&booted);

    other.lie(LieSchedule::from(Lie::Rollback));
    let message = status_of_all(&booted, 2, &[]);
    assert!(
        message.starts_with(&format!("immuaudit@{liar}\n")),
        "{message}"
    );
    let message = status_of_all(&booted, 2, &["--json"]);
    let first = message.lines().next().expect("a line");
    assert_eq!(member(first, "instance"), liar, "{message}");
    assert_eq!(member(first, "condition"), "tampered", "{message}");
    let named: BTreeSet<&str> = message
        .lines()
        .map(|line| member(line, "instance"))
        .collect();
    assert_eq!(named.len(), HONEST + 1, "{message}");
    // each command accepts the instance
    let alarms = booted.output(&["immuaudit", "alarm", "list", "--instance", &liar]);
    let alarms = String::from_utf8_lossy(&alarms.stdout);
    assert!(alarms.contains("rolled-back"), "{alarms}");

    uninstalling_one_instance_keeps_the_others(&booted);
}

fn each_instance_has_separate_files_and_a_separate_user(booted: &Booted) {
    let unit = "immuaudit@n00.service";
    assert_eq!(booted.shows_of(unit, "ActiveState"), "active");
    assert_eq!(booted.shows_of(unit, "User"), "immuaudit-n00");
    assert_eq!(booted.shows_of(unit, "MemoryMax"), (64 << 20).to_string());
    let states = ["stat", "-c", "%a %U", "/var/lib/immuaudit.d/n00"];
    assert_eq!(booted.does(&states), "700 immuaudit-n00");
    let settings = "/etc/immudb/immuaudit.d/n00.toml";
    let owner = ["stat", "-c", "%a %U %G", settings];
    assert_eq!(booted.does(&owner), "640 root immuaudit-n00");
    // an instance cannot read the files of another one
    for path in [settings, "/var/lib/immuaudit.d/n00/"] {
        let other = ["runuser", "-u", "immuaudit-n01", "--", "ls", path];
        let reads = ["runuser", "-u", "immuaudit-n01", "--", "cat", path];
        let args: &[&str] = if path.ends_with('/') { &other } else { &reads };
        assert!(!booted.output(args).status.success(), "{path}");
    }
    // installing it again is harmless
    let process = booted.shows_of(unit, "MainPID");
    booted.does(&["immuaudit", "audit-mode", "install", "--instance", "n00"]);
    assert_eq!(booted.shows_of(unit, "MainPID"), process);
    // one instance gets a higher limit, and the others do not
    let more = "--max-recv-msg-size=33554432";
    let args = [
        "immuaudit",
        "audit-mode",
        "install",
        "--instance",
        "n00",
        more,
    ];
    booted.does(&args);
    assert_eq!(booted.shows_of(unit, "MemoryMax"), (288 << 20).to_string());
    let other = booted.shows_of("immuaudit@n01.service", "MemoryMax");
    assert_eq!(other, (64 << 20).to_string());
}

fn each_prometheus_target_is_the_port_of_its_instance(booted: &Booted, ports: &[u16]) {
    let targets = booted.does(&["sh", "-c", "cat /etc/immudb/immuaudit.d/*.json"]);
    let lines: Vec<&str> = targets.lines().collect();
    assert_eq!(lines.len(), ports.len());
    for (n, port) in ports.iter().enumerate() {
        let message = format!(
            "[{{\"targets\": [\"localhost:{port}\"], \"labels\": {{\"auditor\": \"{}\"}}}}]",
            name(n)
        );
        assert!(lines.contains(&message.as_str()), "{targets}");
    }
    let metrics = get(ports[0], "/metrics", "text/plain");
    assert!(metrics.body.contains("immuaudit_build_info"));

    // Prometheus reads the files as another user
    if !have("promtool", "prometheus") {
        return;
    }
    let config = "scrape_configs: [{job_name: immuaudit, file_sd_configs: [{files: ['/etc/immudb/immuaudit.d/*.json']}]}]";
    booted.does(&[
        "sh",
        "-c",
        &format!("echo \"{config}\" >/tmp/prometheus.yml"),
    ]);
    let found = booted.does(&[
        "runuser",
        "-u",
        "nobody",
        "--",
        "promtool",
        "check",
        "service-discovery",
        "--timeout=3s",
        "/tmp/prometheus.yml",
        "immuaudit",
    ]);
    for (n, port) in ports.iter().enumerate() {
        let address = format!("\"__address__\": \"localhost:{port}\"");
        let auditor = format!("\"auditor\": \"{}\"", name(n));
        assert!(
            found.contains(&address) && found.contains(&auditor),
            "{found}"
        );
    }
}

fn one_instance_reloads_its_settings(booted: &Booted) {
    let (unit, settings) = ("immuaudit@n00.service", "/etc/immudb/immuaudit.d/n00.toml");
    let process = booted.shows_of(unit, "MainPID");
    let again = |instance: &str| {
        let unit = format!("immuaudit@{instance}.service");
        let journal = booted.does(&["journalctl", "-u", &unit, "-o", "cat"]);
        journal.contains("the settings were read again and are in use")
    };
    booted.does(&["sh", "-c", &format!("echo 'audit-sample = 7' >>{settings}")]);
    booted.does(&["systemctl", "reload", unit]);
    let end = Instant::now() + Duration::from_secs(60);
    while !again("n00") {
        assert!(Instant::now() < end, "the settings were not read again");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(booted.shows_of(unit, "MainPID"), process);
    assert!(!again("n01"));
}

fn an_idle_or_misconfigured_instance_is_reported(booted: &Booted) {
    let folder = "/etc/immudb/immuaudit.d";
    for (file, text, code, part) in [
        ("idle.toml", "", 3, "has no stored states"),
        ("wrong.toml", "immudb-port = true", 3, "wrong.toml:1"),
        ("Not-A-Name.toml", "", 3, "not a valid name of an instance"),
    ] {
        let write = format!("echo '{text}' >{folder}/{file}");
        booted.does(&["sh", "-c", &write]);
        let message = status_of_all(booted, code, &["--json"]);
        let first = message.lines().next().expect("a line");
        assert!(member(first, "reason").contains(part), "{message}");
        booted.does(&["rm", &format!("{folder}/{file}")]);
    }
    // the server of this instance has never responded
    let ports = free_ports(2);
    install(booted, "alone", ports[0], ports[1]);
    let message = status_of_all(booted, 1, &[]);
    assert!(message.starts_with("immuaudit@alone\n"), "{message}");
    let args = [
        "immuaudit",
        "audit-mode",
        "uninstall",
        "--purge",
        "--instance",
        "alone",
    ];
    booted.does(&args);
}

fn uninstalling_one_instance_keeps_the_others(booted: &Booted) {
    let uninstall = |name: &str, more: &[&str]| {
        let args = ["immuaudit", "audit-mode", "uninstall", "--instance", name];
        booted.does(&[&args, more].concat());
    };
    uninstall("n00", &[]);
    for path in [
        "/etc/immudb/immuaudit.d/n00.toml",
        "/var/lib/immuaudit.d/n00",
    ] {
        booted.does(&["test", "-e", path]);
    }
    uninstall("n00", &["--purge"]);
    uninstall("n01", &["--purge"]);
    let gone = "! ls -d /etc/immudb/immuaudit.d/n0[01].* /var/lib/immuaudit.d/n0[01] && ! id immuaudit-n00";
    booted.does(&["sh", "-c", gone]);
    assert_eq!(
        booted.shows_of("immuaudit@n00.service", "ActiveState"),
        "inactive"
    );
    assert_eq!(
        booted.shows_of("immuaudit@n02.service", "ActiveState"),
        "active"
    );
    for n in 2..=HONEST {
        uninstall(&name(n), &["--purge"]);
    }
    booted.does(&["test", "!", "-e", "/etc/systemd/system/immuaudit@.service"]);
}

#[test]
fn an_instance_refuses_other_paths_for_its_files() {
    for (flag, value) in [
        ("--dir", "/srv"),
        ("--config", "/x.toml"),
        ("--roots-filepath", "/x"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_immuaudit"))
            .args([
                "audit-mode",
                "install",
                "--dry-run",
                "--instance",
                "shop",
                flag,
                value,
            ])
            .env_clear()
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("its own directory of states"), "{errors}");
    }
}
