//! An auditor within the memory limit of its unit and the manifests, with scraped metrics and a
//! webhook.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use immuaudit::drill::{Embedded, Options};

use super::cgroup::Cgroup;
use super::http::get;
use super::program::{Program, Running, high_water};
use super::receiver::Receiver;
use super::temp_dir::TempDir;

/// The limit of the unit and the manifests, in bytes.
const LIMIT: u64 = 64 << 20;
/// The most resident memory, in KiB: the rest of the limit is for the kernel's sockets and files.
const MAX_MEMORY_KIB: u64 = 48 << 10;
const MAX_SCRAPE_BYTES: usize = 3_000_000;
/// The database that the server lies about.
pub const DATABASE: &str = "defaultdb";

/// A server, a webhook, and an auditor within the limit.
pub struct Scene {
    pub folder: TempDir,
    pub server: Embedded,
    pub receiver: Receiver,
    pub program: Program,
    cgroup: Cgroup,
}

impl Scene {
    pub fn new(options: Options, args: &[&str]) -> Scene {
        let server = Embedded::start(options).expect("an embedded ledger");
        let (folder, receiver) = (TempDir::new(), Receiver::start());
        let cgroup = Cgroup::of(LIMIT);
        let program = Program::new(server.port(), &folder.join("trust"))
            .with(&["--log-level", "debug"])
            .with(args)
            .run_by(cgroup.prefix());
        Scene {
            folder,
            server,
            receiver,
            cgroup,
            program,
        }
    }

    /// Starts the auditor with its monitoring and the webhook.
    pub fn start(&self, interval: &str) -> Running {
        let url = self.receiver.url();
        self.program.start(&[
            "--audit-interval",
            interval,
            "--audit-notification-url",
            &url,
        ])
    }

    pub fn evidence(&self) -> Vec<PathBuf> {
        let directory = self.folder.join("trust/tested/evidence").join(DATABASE);
        let files = fs::read_dir(directory).into_iter().flatten();
        files.map(|file| file.expect("a file").path()).collect()
    }

    /// Checks the memory that a run used, in KiB.
    #[track_caller]
    pub fn check_memory(&self, what: &str, peak: u64) {
        assert_eq!(self.cgroup.kills(), 0, "{what}");
        assert!(peak <= MAX_MEMORY_KIB, "{what}: {peak} KiB");
    }

    /// Ends the program and checks that it was still running, was not killed, and used little
    /// memory. Returns the largest resident memory in KiB.
    #[track_caller]
    pub fn end(&self, what: &str, running: &mut Running) -> u64 {
        let peak = high_water(running.id()).unwrap_or_else(|| panic!("{what}: {}", running.log()));
        running.signal("TERM");
        assert_eq!(running.end(), Some(0), "{what}: {}", running.log());
        self.check_memory(what, peak);
        peak
    }
}

/// Scrapes the metrics, checks their size, and returns it.
#[track_caller]
pub fn scrape(what: &str, running: &Running) -> usize {
    let log = running.log();
    let after = log.split("status page on http://").nth(1);
    let address = after
        .and_then(|after| after.split('/').next())
        .expect("its URL");
    let port = address
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    let scraped = get(port.expect("a port"), "/metrics", "*/*").body.len();
    assert!(scraped <= MAX_SCRAPE_BYTES, "{what}: {scraped} bytes");
    scraped
}

/// Waits until `is`, and scrapes the metrics at the start and in every second.
#[track_caller]
pub fn wait_scraping(what: &str, running: &mut Running, mut is: impl FnMut(&str) -> bool) {
    let (begin, mut scraped) = (Instant::now(), 0);
    loop {
        let seconds = begin.elapsed().as_secs() + 1;
        let log = running.log();
        assert!(running.is_running(), "{what}: it ended: {log}");
        if scraped < seconds && log.contains("status page on http://") {
            scrape(what, running);
            scraped = seconds;
        }
        if is(&log) {
            return;
        }
        assert!(seconds < 90, "{what}: never: {log}");
        thread::sleep(Duration::from_millis(20));
    }
}
