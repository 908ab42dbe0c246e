//! Measures the real program on one large embedded ledger: a sweep, the evenness of a paced sweep,
//! the hashes of `--audit-keep-hashes`, and `locate` after a rewrite in the middle. `cargo bench
//! --bench large -- 1000000` takes the number of transactions (default: 10,000,000). It prints one
//! table, and asserts results but no time.

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
#[path = "../tests/support/watched.rs"]
#[allow(dead_code)]
mod watched;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use http::get;
use immuaudit::drill::{Embedded, NewEntry, Options};
use program::{Program, Run, Running, high_water, member};
use temp_dir::TempDir;
use watched::port_of;

const DB: &str = "defaultdb";
/// The number of audits while the ledger grows, at equal distances.
const AUDITS: u64 = 100;
/// The number of equal parts of the time of a paced sweep.
const PARTS: usize = 20;
/// The number of different keys, so that the index of the embedded ledger stays small.
const KEYS: u64 = 1_000;
/// The time between two checks of a running auditor.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The longest time of one measurement, which only ends a bench that failed.
const MAX_TIME: Duration = Duration::from_secs(3600);

fn main() {
    let number = std::env::args().find_map(|word| word.parse().ok());
    // a multiple, so that the audits are at equal distances
    let all = number.unwrap_or(10_000_000_u64).next_multiple_of(AUDITS);
    assert!(
        all >= 100 * AUDITS,
        "at least {} transactions",
        100 * AUDITS
    );
    let bench = Bench::new(all);
    let mut table = Table::new(all);
    bench.grow(all / 10);
    let tenth = bench.sweep("tenth", all / 10);
    table.row(
        &format!("`immuaudit sweep`, of the first {}", grouped(all / 10)),
        tenth.of(all / 10),
    );
    bench.grow(all);
    let sweep = bench.sweep("sweep", all);
    let seconds = sweep.seconds;
    table.row("`immuaudit sweep`, of all", sweep.of(all));
    bench.paced(&mut table, seconds);
    bench.keep(&mut table);
    bench.locate(&mut table);
    table.print();
}

/// An embedded ledger, and the directories of its auditors.
struct Bench {
    ledger: Embedded,
    folder: TempDir,
    all: u64,
}

impl Bench {
    fn new(all: u64) -> Bench {
        Bench {
            ledger: Embedded::start(Options::default()).expect("a ledger"),
            folder: TempDir::new(),
            all,
        }
    }

    fn auditor(&self, name: &str) -> Program {
        Program::new(self.ledger.port(), &self.folder.join(name))
    }

    /// Returns the auditor that audits while the ledger grows, and that keeps the hashes later.
    fn watching(&self) -> Program {
        self.auditor("watching")
    }

    /// Returns the distance of its audits, in transactions.
    fn apart(&self) -> u64 {
        self.all / AUDITS
    }

    /// Returns the first rewritten transaction: in the middle of the history, between two audits.
    fn rewritten(&self) -> u64 {
        self.all / 2 + self.apart() / 2
    }

    /// Writes transactions up to this one, with an audit at each distance.
    fn grow(&self, to: u64) {
        let begin = Instant::now();
        let from = self.ledger.state(DB).expect("a database").tx + 1;
        for tx in from..=to {
            self.ledger.commit(DB, entry(tx, "value"));
            if tx % self.apart() == 0 {
                self.watching().run(&["--once", "--quiet"]).ends_with(0);
            }
        }
        progress(&format!("wrote {} transactions", grouped(to)), begin);
    }

    fn sweep(&self, name: &str, transactions: u64) -> Measured {
        let measured = measure(&self.auditor(name), &["sweep"], 0);
        let read = format!("{transactions} of {transactions} transactions read with all values");
        assert!(measured.run.stdout.contains(&read), "{:#?}", measured.run);
        measured
    }

    /// Measures a paced sweep that has three times the time of an immediate one, and at least a minute.
    fn paced(&self, table: &mut Table, seconds: f64) {
        let period = ((seconds * 0.3).ceil() * 10.0).max(60.0);
        let flags = [&format!("--audit-sweep={period}s"), "--audit-interval=10s"];
        let begin = Instant::now();
        let mut running = self.auditor("paced").start(&flags);
        running.wait_for("cycle finished server=");
        let port = port_of(&running);
        let ended = format!("sweep finished server=tested database={DB}");
        let (mut knots, mut most) = (Vec::new(), 0);
        while !running.log().contains(&ended) {
            watch(&mut running, begin, &mut most);
            let status = get(port, "/status.json", "*/*").body;
            let position = member(&status, "sweep_position")
                .parse::<u64>()
                .unwrap_or(0);
            if knots.last().is_none_or(|(_, last)| position > *last) {
                knots.push((begin.elapsed().as_secs_f64(), position));
            }
        }
        knots.push((begin.elapsed().as_secs_f64(), self.all));
        let read = format!("read={} of={}", self.all, self.all);
        assert!(running.log().contains(&read), "{}", running.log());
        drop(running);
        let took = knots[knots.len() - 1].0 - knots[0].0;
        let shares = shares(&knots);
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = shares.iter().copied().fold(0.0, f64::max);
        let name = format!("a running auditor with `--audit-sweep {period}s`");
        let note =
            format!("{least:.2} to {largest:.2} of the even share in each twentieth of the time");
        progress("a paced sweep", begin);
        table.row(
            &name,
            Row {
                seconds: Some(took),
                transactions: Some(self.all),
                memory: most,
                note,
                ..Row::default()
            },
        );
    }

    /// Measures the first storing of all hashes, and a check after one new transaction.
    fn keep(&self, table: &mut Table) {
        let begin = Instant::now();
        let keeping = self.watching().with(&["--audit-keep-hashes"]);
        let mut running = keeping.start(&["--audit-interval=1h"]);
        let mut most = 0;
        // seals of 72 bytes before each 1,024 hashes, and at the end the rest of a line
        let due = self.all * 32 + self.all.div_ceil(1024) * 72;
        let bytes = || {
            self.mirror()
                .and_then(|file| Some(fs::metadata(file).ok()?.len()))
        };
        while bytes().is_none_or(|bytes| bytes <= due) {
            watch(&mut running, begin, &mut most);
        }
        let took = begin.elapsed().as_secs_f64();
        drop(running);
        progress("stored the hashes", begin);
        table.row(
            "`--audit-keep-hashes`: storing all hashes",
            Row {
                seconds: Some(took),
                transactions: Some(self.all),
                memory: most,
                note: format!("{} bytes on disk", grouped(bytes().unwrap_or(0))),
                ..Row::default()
            },
        );
        self.ledger.commit(DB, entry(self.all + 1, "value"));
        let before = bytes().unwrap_or(0);
        let checked = measure(&keeping, &["--once", "--json"], 0);
        checked.run.is(0, DB, "consistent");
        let added = bytes().unwrap_or(0).saturating_sub(before);
        assert!(added >= 32, "the new hash is not stored");
        table.row(
            "the same: `--once` after one new transaction",
            checked.row(),
        );
    }

    /// Rewrites the history in the middle, and measures how the program finds the transaction.
    fn locate(&self, table: &mut Table) {
        let (first, begin) = (self.rewritten(), Instant::now());
        self.ledger.change_ledger(DB, |ledger| {
            ledger.truncate(first - 1);
            for tx in first..=self.all + 2 {
                let word = if tx == first { "forged" } else { "value" };
                ledger.commit(entry(tx, word));
            }
        });
        progress("rewrote the history", begin);
        let watching = self.watching();
        let alarm = measure(&watching, &["--once", "--json"], 2);
        alarm.run.is(2, DB, "inconsistent");
        table.row("`--once` that finds a rewritten history", alarm.row());
        let number = |run: &Run, name: &str| member(&run.stdout, name).parse::<u64>().ok();
        let whole = measure(&watching, &["locate", DB, "--json"], 2);
        let located = number(&whole.run, "first_rewritten");
        assert_eq!(located, Some(first), "{:#?}", whole.run);
        fs::remove_file(self.mirror().expect("a mirror")).expect("it is removed");
        let without = measure(&watching, &["locate", DB, "--json"], 2);
        let from = self.all / 2 + 1;
        let to = self.all / 2 + self.apart();
        let located = ["doubtful_from", "doubtful_to"].map(|name| number(&without.run, name));
        assert_eq!(located, [Some(from), Some(to)], "{:#?}", without.run);
        let row = |measured: &Measured, note| Row {
            calls: number(&measured.run, "calls"),
            note,
            ..measured.row()
        };
        let note = format!("transactions {} to {}", grouped(from), grouped(to));
        table.row(
            "`immuaudit locate`, without kept hashes",
            row(&without, note),
        );
        let note = format!("transaction {}", grouped(first));
        table.row("`immuaudit locate`, with kept hashes", row(&whole, note));
    }

    /// Returns the file of the kept hashes.
    fn mirror(&self) -> Option<PathBuf> {
        let folder = fs::read_dir(self.folder.join("watching/tested")).ok()?;
        let mut files = folder.filter_map(|file| Some(file.ok()?.path()));
        files.find(|file| file.extension().is_some_and(|of| of == "mirror"))
    }
}

fn entry(tx: u64, word: &str) -> Vec<NewEntry> {
    vec![NewEntry::set(
        format!("key/{}", tx % KEYS),
        format!("{word} {tx}"),
    )]
}

/// A run with its time and its highest memory.
struct Measured {
    run: Run,
    seconds: f64,
    memory: u64,
}

impl Measured {
    fn row(&self) -> Row {
        Row {
            seconds: Some(self.seconds),
            memory: self.memory,
            ..Row::default()
        }
    }

    fn of(&self, transactions: u64) -> Row {
        Row {
            transactions: Some(transactions),
            ..self.row()
        }
    }
}

fn measure(program: &Program, args: &[&str], code: i32) -> Measured {
    let begin = Instant::now();
    let (run, memory) = program.run_measured(args);
    let seconds = begin.elapsed().as_secs_f64();
    run.ends_with(code);
    progress(&args.join(" "), begin);
    Measured {
        run,
        seconds,
        memory,
    }
}

/// Waits a moment, and takes the highest memory of an auditor that must still run.
fn watch(running: &mut Running, begin: Instant, most: &mut u64) {
    thread::sleep(POLL_INTERVAL);
    assert!(running.is_running(), "{}", running.log());
    assert!(begin.elapsed() < MAX_TIME, "{}", running.log());
    *most = high_water(running.id()).unwrap_or(0).max(*most);
}

/// Returns the number of transactions in each part of the time, relative to an even one. Between
/// two positions the sweep is taken as even.
fn shares(knots: &[(f64, u64)]) -> Vec<f64> {
    let (begin, end) = (knots[0], knots[knots.len() - 1]);
    let at = |time: f64| {
        let next = knots
            .partition_point(|(knot, _)| *knot < time)
            .clamp(1, knots.len() - 1);
        let (from, to) = (knots[next - 1], knots[next]);
        from.1 as f64 + (to.1 - from.1) as f64 * (time - from.0) / (to.0 - from.0)
    };
    let part = (end.0 - begin.0) / PARTS as f64;
    let even = (end.1 - begin.1) as f64 / PARTS as f64;
    let part = |number: usize| begin.0 + part * number as f64;
    (0..PARTS)
        .map(|number| (at(part(number + 1)) - at(part(number))) / even)
        .collect()
}

/// One row of the table.
#[derive(Default)]
struct Row {
    seconds: Option<f64>,
    transactions: Option<u64>,
    calls: Option<u64>,
    memory: u64,
    note: String,
}

struct Table(String);

impl Table {
    fn new(all: u64) -> Table {
        let head = format!(
            "| ledger of {} transactions | seconds | transactions/s | calls | KiB | |",
            grouped(all)
        );
        Table(head + "\n|---|---|---|---|---|---|\n")
    }

    fn row(&mut self, name: &str, row: Row) {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".into());
        let rate = |n: u64| Some(grouped((n as f64 / row.seconds?) as u64));
        self.0.push_str(&format!(
            "| {name} | {} | {} | {} | {} | {} |\n",
            or_none(row.seconds.map(|seconds| format!("{seconds:.2}"))),
            or_none(row.transactions.and_then(rate)),
            or_none(row.calls.map(grouped)),
            grouped(row.memory),
            row.note
        ));
    }

    fn print(&self) {
        print!("{}", self.0);
    }
}

/// Returns a number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Reports the progress of the bench, and its own memory.
fn progress(what: &str, begin: Instant) {
    let memory = usage::status(std::process::id(), "VmRSS").unwrap_or(0);
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!("{what}: {seconds:.1} s; the ledger has {memory} KiB");
}
