//! A ledger of 300 transactions with an audit every ten, and rewritten copies of it.

use std::path::Path;
use std::time::{Duration, Instant};

use immuaudit::audit::{Auditor, Exit, Policy};
use immuaudit::drill::{Embedded, Ledger, NewEntry, Options};
use immuaudit::server::{Endpoint, Server};
use immuaudit::stop::Stop;

use super::in_process;
use super::temp_dir::TempDir;

pub const DATABASE: &str = "defaultdb";
/// The transactions in the ledger, and between two audits.
pub const ALL: u64 = 300;
pub const APART: u64 = 10;

pub fn server(embedded: &Embedded, timeout: Duration) -> Server {
    let endpoint = Endpoint::on_loopback(embedded.port());
    in_process::server(endpoint, timeout, &Stop::new())
}

/// Starts another server with this ledger, and returns it with a client of it.
pub fn backup(ledger: Ledger) -> (Embedded, Server) {
    let backup = Embedded::start(Options::default()).unwrap();
    backup.put_ledger(DATABASE, ledger);
    let server = server(&backup, Duration::from_secs(5));
    (backup, server)
}

pub fn auditor(embedded: &Embedded, dir: &Path) -> Auditor {
    let server = server(embedded, Duration::from_secs(5));
    auditor_of(server, dir)
}

pub fn auditor_of(server: Server, dir: &Path) -> Auditor {
    let policy = Policy {
        max_fetch: 1000,
        ..Policy::of_consistency()
    };
    Auditor::new(server, in_process::store(dir), policy).with_mirror(Some(1 << 20))
}

/// Returns a ledger of 300 transactions that was audited every 10, and its auditor.
pub fn audited(folder: &TempDir) -> (Embedded, Auditor) {
    let embedded = Embedded::start(Options::default()).unwrap();
    let mut auditor = auditor(&embedded, folder.path());
    for _ in 0..ALL / APART {
        embedded.grow(DATABASE, APART);
        assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Good);
    }
    (embedded, auditor)
}

pub fn fill_mirror(auditor: &mut Auditor) {
    let until = Instant::now() + Duration::from_secs(60);
    let failures = auditor.mirror(until, until);
    assert!(failures.is_empty(), "{failures:?}");
}

/// Returns the ledger with one value changed after `parted`, and the same values after that.
pub fn rewritten(honest: &Ledger, parted: u64) -> Ledger {
    let mut forged = honest.clone();
    forged.truncate(parted);
    forged.commit(vec![NewEntry::set(format!("key/{parted}"), "forged")]);
    for tx in parted + 2..=ALL + 7 {
        forged.commit(vec![NewEntry::set(
            format!("key/{}", tx - 1),
            format!("value {}", tx - 1),
        )]);
    }
    forged
}
