//! Measures the rate of reading values on one real 1.11.1 server: a sweep, `--audit-verify-values`,
//! a loop of TxScan without any verification, and immuclient's `--audit-verify-values`. Run `cargo
//! bench --bench values` after `tests/real/build 1.11.1 immuclient`. It prints one table, and
//! asserts no time.

#[path = "../tests/support/caller.rs"]
#[allow(dead_code)] // the tests use the rest
mod caller;
#[path = "../tests/support/loud.rs"]
mod loud;
#[path = "../tests/support/real.rs"]
#[allow(dead_code)]
mod real;
#[path = "../tests/support/temp_dir.rs"]
#[allow(dead_code)]
mod temp_dir;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use caller::Caller;
use immuaudit::audit::{Auditor, Cycle, Policy, SweepStatus};
use immuaudit::clock;
use immuaudit::config::{NewValues, Secret, Values};
use immuaudit::server::{Endpoint, Login, Security, Server};
use immuaudit::stop::Stop;
use immuaudit::trust::{Location, Store};
use immuaudit::wire::{self, Entries, method};
use real::{Real, program};
use temp_dir::TempDir;

const TRANSACTIONS: u32 = 100_000;
const ROUNDS: usize = 9;
/// The number of transactions that the sweep requests in one call.
const BATCH: u32 = 1_000;
const DB: &str = "defaultdb";

fn main() {
    let Some(server) = program("1.11.1") else {
        return;
    };
    let folder = TempDir::new();
    let real = Real::start(&server, &folder.join("data"), &[]);
    write(&real, "first");
    let (mut scans, mut sweeps) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        scans.push(scan(&real));
        sweeps.push(sweep(&real, &folder.join(&format!("trust{round}"))));
    }
    let memory = memory(&real, &folder.join("trust"));
    let mut new = auditor(&real, &folder.join("new"), NewValues::All);
    proven(&new.cycle(|_| {}));
    let immuclient = server.with_file_name("immuclient-1.11.1");
    let immuclient = immuclient
        .exists()
        .then(|| Immuclient::trusting(&immuclient, &real, &folder));
    write(&real, "second");
    let begin = Instant::now();
    proven(&new.cycle(|_| {}));
    let new = rate(TRANSACTIONS, begin.elapsed());
    let theirs = immuclient.map(|immuclient| immuclient.rate());
    let (scan, sweep) = (median(scans), median(sweeps));
    println!("{TRANSACTIONS} transactions of one small entry, 1.11.1, median of {ROUNDS}");
    println!("TxScan alone, nothing verified      {scan:>9.0} transactions/s");
    println!(
        "immuaudit sweep                     {sweep:>9.0} transactions/s, {:.2} of that, {memory} KiB",
        sweep / scan
    );
    println!("immuaudit --audit-verify-values     {new:>9.0} transactions/s");
    match theirs {
        Some(theirs) => println!(
            "immuclient --audit-verify-values    {theirs:>9.0} transactions/s: the sweep is {:.0} times as fast, the same flag {:.0} times",
            sweep / theirs,
            new / theirs
        ),
        None => println!("immuclient --audit-verify-values    not built"),
    }
}

fn write(real: &Real, prefix: &str) {
    let n = TRANSACTIONS.to_string();
    real.does(&[
        "write",
        "--db",
        DB,
        "--prefix",
        prefix,
        "--n",
        &n,
        "--writers",
        "50",
    ]);
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn rate(transactions: u32, time: Duration) -> f64 {
    f64::from(transactions) / time.as_secs_f64()
}

/// Scans all transactions with their values, discards the responses, and returns the rate.
fn scan(real: &Real) -> f64 {
    let mut caller = Caller::new(real.port);
    caller.log_in(DB).expect("a login");
    let begin = Instant::now();
    for first in (1..=TRANSACTIONS).step_by(BATCH as usize) {
        let request = wire::tx_scan(first.into(), BATCH, Entries::Raw);
        assert!(!caller.call(method::TX_SCAN, request).bytes().is_empty());
    }
    rate(TRANSACTIONS, begin.elapsed())
}

/// Returns an auditor that reads the values of new transactions according to `new`, and no others.
fn auditor(real: &Real, trust: &Path, new: NewValues) -> Auditor {
    let endpoint = Endpoint {
        address: "127.0.0.1".into(),
        port: real.port,
        security: Security::Plaintext,
        max_answer: 4 << 20,
    };
    let login = Login {
        username: "immudb".into(),
        password: Secret::new("immudb".into()),
    };
    let location = Location {
        dir: trust.into(),
        roots: None,
        server: "bench".into(),
    };
    let server = Server::new(endpoint, login, Duration::from_secs(10), Stop::new());
    let store = Store::open(&location, clock::now()).expect("a store");
    let policy = Policy {
        values: Values {
            new,
            ..Values::NONE
        },
        ..Policy::of_consistency()
    };
    Auditor::new(server.expect("no TLS"), store, policy)
}

fn proven(cycle: &Cycle) {
    let mut outcomes = cycle.outcomes.iter();
    assert!(
        outcomes.all(|outcome| outcome.verdict.is_proven()),
        "{cycle:?}"
    );
}

/// Sweeps a trusted ledger, and returns the rate.
fn sweep(real: &Real, trust: &Path) -> f64 {
    let mut auditor = auditor(real, trust, NewValues::Sampled);
    proven(&auditor.cycle(|_| {}));
    let begin = Instant::now();
    loop {
        let slice = auditor.sweep(DB);
        assert!(slice.outcome.is_none(), "{slice:?}");
        match slice.status {
            SweepStatus::InProgress { .. } => {}
            SweepStatus::Completed(swept) => {
                assert_eq!(swept.read, u64::from(TRANSACTIONS));
                return rate(TRANSACTIONS, begin.elapsed());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Returns the highest memory of the program in a sweep, in KiB.
fn memory(real: &Real, trust: &Path) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_immuaudit"));
    command
        .args(["sweep", "--immudb-port", &real.port.to_string(), "--quiet"])
        .args(["--log-level", "error", "--dir"])
        .arg(trust)
        .stdin(Stdio::null());
    peak(command.spawn().expect("the program starts"))
}

/// Returns the largest resident memory of a program, in KiB.
fn peak(mut child: Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("its status").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        most = most.max(kib.unwrap_or(0));
        thread::sleep(Duration::from_millis(2));
    }
    most
}

/// An immuclient, whose own log has its times.
struct Immuclient {
    program: PathBuf,
    port: u16,
    home: PathBuf,
}

impl Immuclient {
    /// Starts an immuclient that has audited the first transactions.
    fn trusting(program: &Path, real: &Real, folder: &TempDir) -> Immuclient {
        let immuclient = Immuclient {
            program: program.to_owned(),
            port: real.port,
            home: folder.join("immuclient"),
        };
        fs::create_dir_all(&immuclient.home).expect("a directory");
        immuclient.audited(TRANSACTIONS);
        immuclient
    }

    /// Returns the rate for as many new transactions.
    fn rate(&self) -> f64 {
        rate(TRANSACTIONS, self.audited(2 * TRANSACTIONS))
    }

    fn start(&self, log: &Path) -> Child {
        let file = fs::File::create(log).expect("a log");
        Command::new(&self.program)
            .args(["audit-mode", "--immudb-address", "127.0.0.1"])
            .args([
                "--immudb-port",
                &self.port.to_string(),
                "--audit-verify-values",
            ])
            .args(["--audit-username", "immudb", "--audit-password", "immudb"])
            .args([
                "--audit-monitoring-host",
                "127.0.0.1",
                "--audit-monitoring-port",
                "0",
            ])
            .arg("--dir")
            .arg(&self.home)
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("TMPDIR", &self.home)
            .env("audit-agent-interval", "1s")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log"))
            .stderr(file)
            .spawn()
            .expect("immuclient starts")
    }

    /// Runs immuclient until it has reached transaction `tx`, and returns the time of that audit.
    fn audited(&self, tx: u32) -> Duration {
        let log = self.home.join("log");
        let mut child = self.start(&log);
        let state = format!("at tx: {tx}");
        let end = Instant::now() + Duration::from_secs(120);
        let mut took = Duration::ZERO;
        while Instant::now() < end && took.is_zero() {
            thread::sleep(Duration::from_millis(100));
            let text = fs::read_to_string(&log).unwrap_or_default();
            let after = text.find(&state).and_then(|at| text.get(at..));
            let line = after.and_then(|text| text.lines().find(|l| l.contains("finished in")));
            took = line.map(finished_in).unwrap_or_default();
        }
        let _ = child.kill();
        let _ = child.wait();
        took
    }
}

/// Parses `audit #7 finished in 2.554260957s @ …`, in milliseconds, seconds, or minutes and
/// seconds.
fn finished_in(line: &str) -> Duration {
    let time = line
        .split("finished in ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let time = time.unwrap_or_default();
    let seconds = |text: &str| text.parse::<f64>().unwrap_or_default();
    let seconds = if let Some(ms) = time.strip_suffix("ms") {
        seconds(ms) / 1000.0
    } else {
        let time = time.trim_end_matches('s');
        match time.split_once('m') {
            Some((minutes, rest)) => seconds(minutes) * 60.0 + seconds(rest),
            None => seconds(time),
        }
    };
    Duration::from_secs_f64(seconds)
}
