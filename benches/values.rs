//! Reading values side by side on one real 1.11.1 server: this sweep, a loop that only calls TxScan
//! and looks at nothing, and immuclient's `--audit-verify-values`. `cargo bench --bench values`,
//! once `tests/real/build 1.11.1 immuclient` has run; prints one table and asserts nothing of time.

#[path = "../tests/support/caller.rs"]
#[allow(dead_code)] // the tests use the rest
mod caller;
#[path = "../tests/support/place.rs"]
mod place;
#[path = "../tests/support/real.rs"]
#[allow(dead_code)]
mod real;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use caller::Caller;
use immuaudit::wire::{self, Entries, method};
use place::Place;
use real::{Real, program};

const TRANSACTIONS: u32 = 20_000;
const ROUNDS: usize = 5;
const DB: &str = "defaultdb";

fn main() {
    let Some(server) = program("1.11.1") else {
        return;
    };
    let place = Place::new();
    let real = Real::start(&server, &place.join("data"), &[]);
    write(&real, "first");
    let (mut scans, mut sweeps, mut peak) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        scans.push(scan(&real));
        let (rate, memory) = sweep(&real, &place.join(&format!("trust{round}")));
        sweeps.push(rate);
        peak = peak.max(memory);
    }
    let immuclient = server.with_file_name("immuclient-1.11.1");
    let theirs = immuclient
        .exists()
        .then(|| immuclient_rate(&immuclient, &real, &place));
    let (scan, sweep) = (median(scans), median(sweeps));
    println!("{TRANSACTIONS} transactions of one small entry, 1.11.1, median of {ROUNDS}");
    println!("TxScan alone, looked at by nobody   {scan:>9.0} transactions/s");
    println!(
        "immuaudit sweep, the whole program  {sweep:>9.0} transactions/s, {:.2} of that, {peak} KiB at most",
        sweep / scan
    );
    match theirs {
        Some(theirs) => println!(
            "immuclient --audit-verify-values    {theirs:>9.0} transactions/s, immuaudit is {:.0} times as fast",
            sweep / theirs
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

/// A loop of scans, with values, whose answers are dropped as they come.
fn scan(real: &Real) -> f64 {
    let mut caller = Caller::new(real.port);
    caller.log_in(DB).expect("a login");
    let begin = Instant::now();
    for first in (1..=u64::from(TRANSACTIONS)).step_by(1_000) {
        let request = wire::tx_scan(first, 1_000, Entries::Raw);
        assert!(!caller.call(method::TX_SCAN, request).bytes().is_empty());
    }
    rate(TRANSACTIONS, begin.elapsed())
}

/// The sweep of a trusted ledger by the program itself: its rate, from the program's own log, and
/// the memory it had at most.
fn sweep(real: &Real, trust: &Path) -> (f64, u64) {
    let run = |verb: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_immuaudit"));
        command
            .args([
                verb,
                "--immudb-port",
                &real.port.to_string(),
                "--quiet",
                "--dir",
            ])
            .arg(trust)
            .args(["--audit-sample", "0", "--log-level", "error"])
            .stdin(Stdio::null());
        command.spawn().expect("the program starts")
    };
    // what the ordinary check takes, logging in included, is no part of the sweep
    measure(run("--once"));
    let (check, _) = measure(run("--once"));
    let (both, memory) = measure(run("sweep"));
    (rate(TRANSACTIONS, both.saturating_sub(check)), memory)
}

/// How long a program runs, and its largest resident memory in KiB.
fn measure(mut child: Child) -> (Duration, u64) {
    let begin = Instant::now();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("its status").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        most = most.max(kib.unwrap_or(0));
        thread::sleep(Duration::from_millis(2));
    }
    (begin.elapsed(), most)
}

/// What immuclient needs for as many new transactions, by its own log.
fn immuclient_rate(immuclient: &Path, real: &Real, place: &Place) -> f64 {
    let home = place.join("immuclient");
    fs::create_dir_all(&home).expect("a directory");
    let log = home.join("log");
    let start = || {
        let file = fs::File::create(&log).expect("a log");
        Command::new(immuclient)
            .args(["audit-mode", "--immudb-address", "127.0.0.1"])
            .args([
                "--immudb-port",
                &real.port.to_string(),
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
            .arg(&home)
            .current_dir(&home)
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .env("audit-agent-interval", "1s")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log"))
            .stderr(file)
            .spawn()
            .expect("immuclient starts")
    };
    let audited = |tx: u32| {
        let mut child = start();
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
    };
    audited(TRANSACTIONS); // its first sight
    write(real, "second");
    rate(TRANSACTIONS, audited(2 * TRANSACTIONS))
}

/// `audit #7 finished in 2.554260957s @ …`, in milliseconds, seconds, or minutes and seconds.
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
