//! For tests: a database with a long history.

use std::path::PathBuf;

use super::failpoint::FileKind;
use super::files;
use super::history::{History, HistoryEntry};
use super::location::Location;
use super::state_file;
use super::store::Store;
use super::trusted_state::{TrustOrigin, TrustedState};
use crate::clock::Timestamp;
use crate::ledger::{Digest, State};
use crate::sys::Lock;

pub const START: u64 = 1_795_319_313;
const INTERVAL: u64 = 60;

/// Returns the trusted state of transaction `tx`.
pub fn trusted(tx: u64) -> TrustedState {
    let how = if tx == 1 {
        TrustOrigin::FirstSeen
    } else {
        TrustOrigin::Proven
    };
    TrustedState {
        database: "db".into(),
        state: State {
            tx,
            hash: Digest::of(&[&tx.to_be_bytes()]),
        },
        shape: None,
        signature: None,
        last_signed: None,
        uuid: Some("d4g5c2k23aku4h7nq1t0".into()),
        since: Timestamp::from_unix(START),
        accepted: Timestamp::from_unix(START + tx * INTERVAL),
        how,
    }
}

/// A store whose trusted state is the last of this many.
pub struct Aged {
    pub store: Store,
    pub dir: PathBuf,
    pub last: u64,
}

impl Aged {
    pub fn new(name: &str, states: u64) -> Aged {
        let dir = std::env::temp_dir();
        let dir = dir.join(format!("immuaudit-{name}-{states}-{}", std::process::id()));
        let location = Location {
            dir: dir.clone(),
            roots: None,
            server: "s".into(),
        };
        let store = Store::open(&location, Timestamp::from_unix(START)).unwrap();
        let entries: Vec<_> = (1..=states)
            .map(|tx| HistoryEntry::of(&trusted(tx)))
            .collect();
        let file = History::render("s", "db", &entries);
        files::replace(FileKind::History, &store.history_path("db"), &file).unwrap();
        let file = state_file::render("s", &trusted(states));
        files::replace(FileKind::State, &store.state_path("db"), &file).unwrap();
        Aged {
            store,
            dir,
            last: states,
        }
    }

    /// Accepts a new state as an auditor does for a database that has grown.
    pub fn check(&mut self) {
        let before = self.store.load("db").unwrap().unwrap();
        assert_eq!(before, trusted(self.last));
        self.last += 1;
        let hold = self.store.hold(Lock::Exclusive).unwrap();
        let (_, tail) = self.store.unchanged(&hold, &before).unwrap();
        let next = trusted(self.last);
        self.store.accept_state(&hold, tail, next).unwrap();
    }
}

impl Drop for Aged {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
    }
}
