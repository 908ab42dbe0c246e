//! The files of an auditor of one server, their content, and all small ways to damage a file.

use std::path::PathBuf;

use immuaudit::clock::Timestamp;
use immuaudit::ledger::State;
use immuaudit::trust::{Answer, Finding, Location, Store, Tampering, TrustOrigin, TrustedState};

use super::chain::Chain;
use super::temp_dir::TempDir;

pub fn at(second: u64) -> Timestamp {
    Timestamp::from_unix(1_795_319_313 + second)
}

pub fn location(folder: &TempDir) -> Location {
    Location {
        dir: folder.path().join("dir"),
        roots: None,
        server: "127.0.0.1:3322".into(),
    }
}

pub fn open(folder: &TempDir) -> Store {
    Store::open(&location(folder), at(0)).unwrap()
}

pub fn second_store(folder: &TempDir) -> Store {
    Store::open_shared(&location(folder)).unwrap()
}

pub fn home(folder: &TempDir) -> PathBuf {
    folder.path().join("dir").join("127%2e0%2e0%2e1%3a3322")
}

pub fn file(folder: &TempDir, name: &str) -> PathBuf {
    home(folder).join(name)
}

/// Returns a new directory, its store, a chain of nine transactions, and the trusted state after transaction 5 of
/// this chain.
pub fn grown_store() -> (TempDir, Store, Chain, TrustedState) {
    let folder = TempDir::new();
    let (store, chain) = (open(&folder), Chain::new(9, 1));
    let trusted = grown(&store, &chain);
    (folder, store, chain, trusted)
}

/// Trusts transaction 3 at first use, then 4 and 5 with proofs.
pub fn grown(store: &Store, chain: &Chain) -> TrustedState {
    let mut trusted = store
        .first_use("db", &chain.seen(3), TrustOrigin::FirstSeen, at(3))
        .unwrap();
    for tx in [4, 5] {
        let proven = chain.prove(tx - 1, tx);
        trusted = store
            .advance(&trusted, &proven, &chain.seen(tx), at(tx))
            .unwrap();
    }
    trusted
}

pub fn finding(trusted: Option<&TrustedState>, kind: Tampering, shown: Option<State>) -> Finding {
    Finding {
        database: "db".into(),
        kind,
        reason: "linear proof at transaction 5: no linear proof".into(),
        trusted: trusted.cloned(),
        claim: None,
        shown,
        uuid: Some("d4g5c2k23aku4h7nq1t0".into()),
        identity_changed: false,
        answers: vec![Answer {
            call: "VerifiableTxById".into(),
            request: vec![8, 5],
            reply: Ok(vec![0, 255, 7].into()),
            shortened: None,
        }],
    }
}

/// Returns a file with each possible truncation, flipped bit and zeroed end.
pub fn changes(whole: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let cut = (0..whole.len()).map(|length| (format!("cut to {length}"), whole[..length].to_vec()));
    let flipped = (0..whole.len() * 8).map(|bit| {
        let mut changed = whole.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {} of byte {}", bit % 8, bit / 8), changed)
    });
    let zeroed = (0..whole.len()).map(|from| {
        let mut changed = whole.to_vec();
        changed[from..].fill(0);
        (format!("zeros from {from}"), changed)
    });
    cut.chain(flipped).chain(zeroed)
}
