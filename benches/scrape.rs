//! Measures whether scrapes of the running program delay its cycles, and how long a scrape takes.
//! `cargo bench --bench scrape` prints two tables, and asserts no time.
//!
//! Cycles over 100 databases alternate with and without scrapes, so that both have the same
//! conditions: 1,000 scrapes in all, 50 each second. Then 1,000 databases are scraped 500 times.

#[path = "../tests/support/http.rs"]
#[allow(dead_code)] // the tests use the rest
mod http;
#[path = "../tests/support/program.rs"]
#[allow(dead_code)]
mod program;
#[path = "../tests/support/signals.rs"]
mod signals;
#[path = "../tests/support/temp_dir.rs"]
#[allow(dead_code)]
mod temp_dir;
#[path = "../tests/support/usage.rs"]
#[allow(dead_code)]
mod usage;

use std::thread;
use std::time::{Duration, Instant};

use http::get;
use immuaudit::drill::{Embedded, Options};
use program::{Program, Running};
use temp_dir::TempDir;

const ROUNDS: usize = 10;
const SCRAPES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);
const SINGLE: usize = 500;

fn main() {
    delay();
    scrapes();
}

fn delay() {
    let mut audited = Audited::start(100, "300ms");
    let (mut with, mut without, mut delays) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let quiet = audited.cycles_while(|_| thread::sleep(PAUSE));
        let scraped = audited.cycles_while(|port| {
            let begin = Instant::now();
            assert_eq!(get(port, "/metrics", "*/*").status, 200);
            thread::sleep(PAUSE.saturating_sub(begin.elapsed()));
        });
        delays.push(median(scraped.clone()) / median(quiet.clone()));
        without.extend(quiet);
        with.extend(scraped);
    }
    let scraped = SCRAPES as usize * ROUNDS;
    println!(
        "cycles over 100 databases, median of {} and of {}",
        without.len(),
        with.len()
    );
    println!("without scrapes      {:>7.1} ms", median(without));
    println!("with {scraped} scrapes    {:>7.1} ms", median(with));
    println!(
        "delay                {:>7.1} %, median of {ROUNDS} rounds",
        (median(delays) - 1.0) * 100.0
    );
}

fn scrapes() {
    let audited = Audited::start(1000, "1h");
    let cpu = || get(audited.port, "/metrics", "*/*").sample("process_cpu_seconds_total");
    let (mut bytes, before) = (0, cpu());
    let mut times: Vec<f64> = (0..SINGLE)
        .map(|_| {
            let begin = Instant::now();
            bytes = get(audited.port, "/metrics", "*/*").body.len();
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let cpu = (cpu() - before) * 1e3 / SINGLE as f64;
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    println!("{SINGLE} scrapes of 1000 databases, {bytes} bytes each");
    println!("median               {:>7.1} ms", at(0.5));
    println!("99th percentile      {:>7.1} ms", at(0.99));
    println!("processor            {cpu:>7.1} ms");
    println!("slowest              {:>7.1} ms", at(1.0));
}

/// An auditor of an embedded ledger, after its first cycle.
struct Audited {
    ledger: Embedded,
    names: Vec<String>,
    running: Running,
    port: u16,
    _folder: TempDir,
}

impl Audited {
    fn start(databases: usize, interval: &str) -> Audited {
        let names: Vec<String> = (1..databases).map(|n| format!("db{n:04}")).collect();
        let others: Vec<&str> = names.iter().map(String::as_str).collect();
        let ledger = Embedded::start(Options::default().with_databases(&others)).expect("a ledger");
        let names: Vec<String> = std::iter::once("defaultdb".to_owned())
            .chain(names)
            .collect();
        for name in &names {
            ledger.grow(name, 20);
        }
        let folder = TempDir::new();
        let program = Program::new(ledger.port(), &folder.join("state"));
        let mut running = program.start(&["--audit-interval", interval]);
        running.wait_for("cycle finished server=");
        let log = running.log();
        let address = log.split("status page on http://").nth(1);
        let port = address.and_then(|rest| rest.split('/').next()?.rsplit(':').next());
        let port = port.and_then(|port| port.parse().ok()).expect("a port");
        Audited {
            ledger,
            names,
            running,
            port,
            _folder: folder,
        }
    }

    /// Returns the milliseconds of the cycles that began and ended during the work. The work is
    /// done `SCRAPES` times, or more often until three cycles have ended.
    fn cycles_while(&mut self, work: impl Fn(u16)) -> Vec<f64> {
        for name in &self.names {
            self.ledger.grow(name, 1);
        }
        let before = self.durations().len();
        self.running
            .wait_for_times("cycle finished server=", before + 2); // the new transactions are proven
        let before = self.durations().len();
        let mut done = 0;
        while done < SCRAPES || self.durations().len() < before + 4 {
            work(self.port);
            done += 1;
        }
        let durations = self.durations();
        // the first cycle began before the work
        durations.get(before + 1..).unwrap_or_default().to_vec()
    }

    fn durations(&self) -> Vec<f64> {
        let log = self.running.log();
        let of = log.split("duration_ms=").skip(1);
        let of = of.filter_map(|rest| rest.split_whitespace().next()?.parse().ok());
        of.collect()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "no cycle ended in time");
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
