//! An auditor whose metrics and status page are read.

use std::thread;
use std::time::Duration;

use immuaudit::drill::{Embedded, Options};

use super::http::{Answer, get};
use super::program::{Program, Running};
use super::temp_dir::TempDir;

/// A ledger with some databases, and a running auditor that has finished its first cycle.
pub struct Watched {
    pub ledger: Embedded,
    pub running: Running,
    pub port: u16,
    _folder: TempDir,
}

pub fn watched(names: &[&str], args: &[&str]) -> Watched {
    let ledger = Embedded::start(Options::default().with_databases(names)).expect("a ledger");
    for name in ["defaultdb"].iter().chain(names) {
        ledger.grow(name, 3);
    }
    let folder = TempDir::new();
    let program = Program::new(ledger.port(), &folder.join("state"))
        .with(&["--audit-interval", "100ms"])
        .with(args);
    watch(ledger, folder, &program)
}

/// Starts an auditor of this ledger, whose files are in `folder`, and waits for its first cycle.
pub fn watch(ledger: Embedded, folder: TempDir, program: &Program) -> Watched {
    let mut running = program.start(&[]);
    let json = program.args.iter().any(|arg| arg == "--log-format=json");
    running.wait_for(if json {
        "\"message\":\"cycle finished\""
    } else {
        "cycle finished server="
    });
    let port = port_of(&running);
    Watched {
        ledger,
        running,
        port,
        _folder: folder,
    }
}

/// Returns the port of the status page from the log.
pub fn port_of(running: &Running) -> u16 {
    let log = running.log();
    let at = log.split("status page on http://").nth(1).expect("its URL");
    let address = at.split('/').next().expect("an address");
    address
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("a port")
}

impl Watched {
    pub fn metrics(&self) -> Answer {
        get(self.port, "/metrics", "*/*")
    }

    /// Waits until a sample has this value; the deadline only ends a failed test.
    #[track_caller]
    pub fn wait_until(&self, sample: &str, value: f64) {
        for _ in 0..600 {
            if self.metrics().sample(sample) == value {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{sample} is never {value}: {}", self.metrics().body);
    }
}
