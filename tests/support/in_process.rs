//! An auditor's parts in the test's own process, so that its cycles and calls can be told apart.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use immuaudit::clock::{self, Timestamp};
use immuaudit::config::{Secret, Values};
use immuaudit::report::InstanceInfo;
use immuaudit::server::{Endpoint, Login, Server};
use immuaudit::stop::Stop;
use immuaudit::trust::{Location, Store, StoreError};

/// A server that is logged in to as the embedded ledger wants it.
pub fn server(endpoint: Endpoint, timeout: Duration, stop: &Stop) -> Server {
    let login = Login {
        username: "immudb".into(),
        password: Secret::new("immudb".into()),
    };
    Server::new(endpoint, login, timeout, stop.clone()).expect("no TLS")
}

/// Makes a server on this port of the machine that waits ten seconds for an answer.
pub fn server_on(port: u16) -> Server {
    let endpoint = Endpoint::on_loopback(port);
    server(endpoint, Duration::from_secs(10), &Stop::new())
}

/// Where everything is kept of the server called `tested`.
pub fn location(dir: impl Into<PathBuf>) -> Location {
    Location {
        dir: dir.into(),
        roots: None,
        server: "tested".into(),
    }
}

/// What the board says of the program, as in a test of the board alone.
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

/// Its files.
pub fn store(dir: impl Into<PathBuf>) -> Store {
    open(&location(dir), clock::now())
}

/// Opens files. A program that another test starts has a copy of every lock of this process for a moment, between fork and exec.
pub fn open(location: &Location, now: Timestamp) -> Store {
    for _ in 0..200 {
        match Store::open(location, now) {
            Err(StoreError::Locked { .. }) => thread::sleep(Duration::from_millis(10)),
            store => return store.expect("a store"),
        }
    }
    Store::open(location, now).expect("a store")
}
