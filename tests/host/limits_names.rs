//! A server that lists new names of databases each time, within a limit on memory.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::limited::{Scene, scrape, wait_scraping};
use crate::support::program::{Running, status};
use immuaudit::drill::{Lie, Options};

fn resident(running: &Running) -> u64 {
    status(running.id(), "VmRSS").expect("a running process")
}

/// None of the new databases is trusted, and each list has other names.
#[test]
fn new_names_in_every_list_use_constant_memory() {
    let trusted = ["defaultdb", "shop", "bank"];
    let cycles = 60;
    let scene = Scene::new(
        Options::default().with_databases(&trusted[1..]),
        &["--call-timeout=30s", "--audit-sample=0"],
    );
    trusted.iter().for_each(|name| scene.server.grow(name, 3));
    scene.program.once().ends_with(0);
    scene.server.lie(Lie::FreshNames);
    let mut running = scene.start("400ms");
    let what = "fresh names";
    let ended = |log: &str| log.matches("INFO  cycle ").count();
    wait_scraping(what, &mut running, |log| ended(log) >= 20);
    let early = resident(&running);
    let mut most = 0;
    let begin = Instant::now();
    while ended(&running.log()) < cycles {
        assert!(
            running.is_running() && begin.elapsed() < Duration::from_secs(600),
            "{}",
            running.log()
        );
        most = most.max(scrape(what, &running));
        thread::sleep(Duration::from_secs(1));
    }
    let late = resident(&running);
    let log = running.log();
    for name in trusted {
        let proven = log
            .matches(&format!("database={name} verdict=consistent"))
            .count();
        assert!(
            proven + 1 >= ended(&log),
            "{name}: {proven} of {}",
            ended(&log)
        );
    }
    let webhooks = scene.receiver.received().len();
    println!(
        "{cycles} cycles: {early} KiB early, {late} late, scrapes of {most} bytes, {webhooks} webhooks"
    );
    assert!(webhooks <= 2, "{webhooks} webhooks");
    assert!(late <= early + 2048, "{early} KiB, then {late}");
    scene.end(what, &mut running);
}
