//! The parts of an auditor in the test's own process, so that a test can separate its cycles and
//! calls.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use immuaudit::clock::{self, Timestamp};
use immuaudit::config::{Secret, Values};
use immuaudit::report::InstanceInfo;
use immuaudit::server::{Endpoint, Login, Server};
use immuaudit::stop::Stop;
use immuaudit::trust::{Location, Store, StoreError};

/// Returns a client of a server with the login of the embedded ledger.
pub fn server(endpoint: Endpoint, timeout: Duration, stop: &Stop) -> Server {
    let login = Login {
        username: "immudb".into(),
        password: Secret::new("immudb".into()),
    };
    Server::new(endpoint, login, timeout, stop.clone()).expect("no TLS")
}

/// Returns a client of the server on this local port, with a timeout of ten seconds.
pub fn server_on(port: u16) -> Server {
    let endpoint = Endpoint::on_loopback(port);
    server(endpoint, Duration::from_secs(10), &Stop::new())
}

/// Returns the location of the files of the server called `tested`.
pub fn location(dir: impl Into<PathBuf>) -> Location {
    Location {
        dir: dir.into(),
        roots: None,
        server: "tested".into(),
    }
}

/// Returns the instance data for a test of the status registry alone.
pub fn about() -> InstanceInfo {
    InstanceInfo {
        server: "tested".into(),
        address: "nowhere".into(),
        interval: Duration::from_secs(60),
        values: Values::NONE,
        call_timeout: Duration::from_secs(10),
        config: String::new(),
        started: clock::now(),
    }
}

/// Opens the files below a directory.
pub fn store(dir: impl Into<PathBuf>) -> Store {
    open(&location(dir), clock::now())
}

/// Opens files, with retries. A program that another test starts holds a copy of each lock of this
/// process for a moment, between fork and exec.
pub fn open(location: &Location, now: Timestamp) -> Store {
    for _ in 0..200 {
        match Store::open(location, now) {
            Err(StoreError::Locked { .. }) => thread::sleep(Duration::from_millis(10)),
            store => return store.expect("a store"),
        }
    }
    Store::open(location, now).expect("a store")
}
