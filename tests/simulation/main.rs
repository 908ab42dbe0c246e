//! Simulated worlds: the real auditor and the embedded ledger in one thread, with simulated time,
//! network and disk, all drawn from a seed. After each cycle an oracle, which knows what really
//! happened, judges the auditor's results (`oracle.rs` has the rules).
//!
//! `./dev simulate [--seed N] [--worlds N] [--years N] [--only N,N,...] [--long] [--peers]
//! [--print] [--go-on]`; without arguments it runs worlds for a minute from a drawn seed, which it
//! prints. As a test, without arguments: the first worlds, always the same, and half a minute of
//! drawn ones.

mod disk;
mod draft;
mod machine;
#[path = "../support/meter.rs"]
#[allow(dead_code)] // a part of it is enough here
mod meter;
mod monitoring_port;
mod oracle;
mod peers;
#[path = "../support/random.rs"]
#[allow(dead_code)] // a part of it is enough here
mod random;
mod receivers;
mod record;
mod rules;
mod run;
mod scene;
mod shrink;
mod tally;
#[path = "../support/temp_dir.rs"]
mod temp_dir;
mod trouble;
#[path = "../support/webhooks.rs"]
mod webhooks;
mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use immuaudit::random::Random as Seeded;
use meter::Meter;
use run::{Violation, WorldResult, run};
use tally::Tally;
use world::{DAY, MINUTE, Moment, World};

#[global_allocator]
static METER: Meter = Meter;

/// The seed of the first world that every test run includes.
const FIXED: u64 = 1;
/// The number of worlds that every test run includes from there on.
const WORLDS: u64 = 40;

/// The time of drawn worlds that every test run adds, in seconds.
const SECONDS_DRAWN: u64 = 30;
/// The number of worlds between two reports of the counts of a long run.
const BETWEEN_REPORTS: u64 = 100;
/// The same number for worlds of a year.
const BETWEEN_LONG_REPORTS: u64 = 5;

/// The arguments of the command line.
#[derive(Default)]
struct Arguments {
    seed: Option<u64>,
    worlds: Option<u64>,
    years: Option<u64>,
    /// The numbers of the events to keep.
    only: Option<Vec<usize>>,
    print: bool,
    /// Whether broken rules are only counted and do not end the run.
    go_on: bool,
    /// Whether only worlds with two auditors run.
    peers: bool,
    /// Whether the worlds last a year.
    long: bool,
    /// Whether drawn worlds run for a minute.
    drawn: bool,
}

fn asked() -> Result<Arguments, String> {
    let mut asked = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().unwrap_or_default();
            let parsed = value.parse::<u64>();
            parsed.map_err(|_| format!("{word} takes a number, not \"{value}\""))
        };
        match word.as_str() {
            "--seed" => asked.seed = Some(number()?),
            "--worlds" => asked.worlds = Some(number()?),
            "--years" => asked.years = Some(number()?),
            "--print" => asked.print = true,
            "--go-on" => asked.go_on = true,
            "--peers" => asked.peers = true,
            "--long" => asked.long = true,
            "--drawn" => asked.drawn = true,
            "--only" => {
                let list = words.next().unwrap_or_default();
                let numbers = list.split(',').map(|word| word.parse::<usize>());
                let numbers: Result<Vec<usize>, _> = numbers.collect();
                asked.only =
                    Some(numbers.map_err(|_| "--only takes numbers of events".to_owned())?);
            }
            // cargo passes these to every test
            "--quiet" | "-q" | "--nocapture" => {}
            _ => {
                return Err(format!(
                    "\"{word}\" is none of --seed --worlds --years --only --long --peers --print --go-on --drawn"
                ));
            }
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(3);
        }
    };
    let mut tally = Tally::default();
    let good = match &asked {
        Arguments { drawn: true, .. } => drawn(&mut tally, MINUTE),
        Arguments {
            seed: None,
            worlds: None,
            years: None,
            ..
        } => fixed(&mut tally) && drawn(&mut tally, Duration::from_secs(SECONDS_DRAWN)),
        _ => as_asked(&asked, &mut tally),
    };
    tally.report();
    match good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn as_asked(asked: &Arguments, tally: &mut Tally) -> bool {
    let first = asked.seed.unwrap_or(FIXED);
    let time = DAY * 365 * u32::try_from(asked.years.unwrap_or(0)).unwrap_or(u32::MAX);
    let one = u64::from(asked.years.is_none());
    let worlds = asked.worlds.unwrap_or(one);
    for seed in first.. {
        if tally.worlds >= worlds && tally.time >= time {
            break;
        }
        let mut world = match asked.long {
            true => World::of_a_year(seed),
            false => World::of_seed(seed),
        };
        if asked.peers && !world.has_a_peer {
            continue;
        }
        if let Some(only) = &asked.only {
            let events = only
                .iter()
                .filter_map(|number| world.events.get(*number).cloned());
            world.events = events.collect();
        }
        if asked.go_on {
            counted(&world, tally);
            let between = match asked.long {
                true => BETWEEN_LONG_REPORTS,
                false => BETWEEN_REPORTS,
            };
            if tally.worlds % between == 0 {
                tally.report();
            }
        } else if !passes(&world, tally, asked.print) {
            return false;
        }
    }
    tally.violations == 0
}

/// Runs the worlds of every test run, the first of them twice.
fn fixed(tally: &mut Tally) -> bool {
    let [first, again] = [(); 2].map(|()| run(&World::of_seed(FIXED), false).digest);
    if first != again {
        println!("seed {FIXED} ran in two ways: {first} and {again}");
        return false;
    }
    (FIXED..FIXED + WORLDS).all(|seed| passes(&World::of_seed(seed), tally, false))
}

/// Runs worlds from a drawn seed, which it prints, for this time.
fn drawn(tally: &mut Tally, time: Duration) -> bool {
    let drawn = Seeded::system().below(1 << 32).unwrap_or(FIXED);
    println!("worlds from seed {drawn}, drawn for this run");
    let begin = Instant::now();
    let mut seeds = drawn..;
    while begin.elapsed() < time {
        let seed = seeds.next().unwrap_or_default();
        if !passes(&World::of_seed(seed), tally, false) {
            return false;
        }
    }
    true
}

/// Runs a world and prints a violation.
fn passes(world: &World, tally: &mut Tally, print: bool) -> bool {
    let begin = Instant::now();
    let WorldResult {
        tally: of_world,
        digest,
        violation,
    } = run(world, print);
    let took = begin.elapsed();
    println!(
        "{world}: {} cycles in {took:.1?}, record {}",
        of_world.cycles,
        short(digest)
    );
    let Some(violation) = violation else {
        tally.add(&of_world);
        return true;
    };
    println!(
        "{:?}: {}",
        violation.broken.rule, violation.broken.description
    );
    println!("looking for the fewest events that break the same rule...");
    let (least, violation) = shrink::shrink(world, violation);
    explain(world, &least, &violation);
    false
}

/// Runs a world and counts it, with or without a violation.
fn counted(world: &World, tally: &mut Tally) {
    let ran = run(world, false);
    tally.add(&ran.tally);
    if let Some(violation) = ran.violation {
        tally.violations += 1;
        let Violation { broken, at, .. } = violation;
        println!(
            "seed {}: {:?} at {}: {}",
            world.seed,
            broken.rule,
            Moment(at),
            broken.description
        );
    }
}

fn explain(world: &World, least: &World, violation: &Violation) {
    for line in &violation.lines {
        println!("{line}");
    }
    println!(
        "\n{:?}: {}",
        violation.broken.rule, violation.broken.description
    );
    println!("{least}");
    let mut numbers = Vec::new();
    for event in &least.events {
        let same = |other: &world::Event| (other.at, &other.what) == (event.at, &event.what);
        let number = world.events.iter().position(same).unwrap_or_default();
        println!("  event {number}: {event}");
        numbers.push(number.to_string());
    }
    let seed = world.seed;
    let long = if world.is_long() { " --long" } else { "" };
    println!(
        "again: ./dev simulate --seed {seed}{long} --only {}",
        numbers.join(",")
    );
}

fn short(digest: immuaudit::ledger::Digest) -> String {
    digest.to_string().chars().take(16).collect()
}
