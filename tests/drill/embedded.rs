//! The honest embedded ledger: its proofs hold, and its responses, errors, stops and restarts are
//! those of the real servers that it emulates.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::caller::{Answer, Caller};
use immuaudit::drill::{
    Access, Embedded, Emulated, Lag, Ledger, NewEntry, NewTransaction, Options, dual_proof_message,
    fill,
};
use immuaudit::ledger::{
    HeaderVersion, KvMetadata, Parts, Reason, Refusal, TxHeader, TxMetadata, excuse, verify,
    verify_entries,
};
use immuaudit::wire::{self, Entries, method, proto};
use protobuf::{Message, MessageField};

fn ledger(version: HeaderVersion, lag: Lag, size: u64) -> Ledger {
    let mut ledger = Ledger::new(version, lag);
    for number in 1..=size {
        let entry = |i| NewEntry::set(format!("{number}/{i}"), format!("value {i}"));
        let mut draft = NewTransaction {
            entries: (0..number % 4).map(entry).collect(),
            ..NewTransaction::default()
        };
        if version == HeaderVersion::V1 && number % 5 == 0 {
            draft.entries.push(NewEntry::set("e", "").with(KvMetadata {
                expires_at: Some(7),
                ..KvMetadata::default()
            }));
            draft.metadata = Some(TxMetadata {
                truncated_tx_id: number - 1,
                extra: b"extra".to_vec(),
            });
        }
        ledger.write(draft);
    }
    ledger
}

fn all_headers(ledger: &Ledger) -> BTreeMap<u64, TxHeader> {
    let headers = ledger.txs().iter().map(|stored| stored.header.clone());
    headers.map(|header| (header.id(), header)).collect()
}

/// Encodes and decodes a proof, as on the wire.
fn through_the_wire(proof: &immuaudit::ledger::DualProof) -> immuaudit::ledger::DualProof {
    let message = proto::VerifiableTx {
        dual_proof: MessageField::some(dual_proof_message(proof)),
        ..Default::default()
    };
    wire::verifiable_tx(&message.write_to_bytes().unwrap())
        .unwrap()
        .proof
}

#[test]
fn honest_proofs_hold_between_all_pairs_for_every_lag() {
    let lags = [
        Lag::None,
        Lag::By(1),
        Lag::By(7),
        Lag::Batches(9),
        Lag::Unsteady,
        Lag::Table(
            (0..60)
                .map(|id| if id % 13 < 6 { id / 2 } else { id })
                .collect(),
        ),
    ];
    let (mut proven, mut unprovable) = (0, 0);
    for (lag, version) in lags
        .into_iter()
        .zip([HeaderVersion::V1, HeaderVersion::V0].into_iter().cycle())
    {
        let ledger = ledger(version, lag.clone(), 60);
        let headers = all_headers(&ledger);
        for source in 1..=60 {
            for target in source..=60 {
                let (old, new) = (
                    ledger.state_at(source).unwrap(),
                    ledger.state_at(target).unwrap(),
                );
                let Ok(proof) = ledger.dual_proof(source, target).unwrap() else {
                    excuse(&old, &new, &headers).expect("a true excuse");
                    unprovable += 1;
                    continue;
                };
                let proof = through_the_wire(&proof);
                let parts = Parts {
                    headers: headers.clone(),
                    inclusions: BTreeMap::new(),
                };
                verify(&old, &new, &proof, &parts)
                    .unwrap_or_else(|refusal| panic!("{lag:?} {source} to {target}: {refusal}"));
                proven += 1;
                // servers before 1.4 send the parts of the linear advance proof one by one
                let mut early = proof.clone();
                early.linear_advance = None;
                let inclusions = (1..target)
                    .filter_map(|id| Some((id, ledger.dual_proof(id, target)?.ok()?.inclusion)))
                    .collect();
                let parts = Parts {
                    headers: headers.clone(),
                    inclusions,
                };
                match verify(&old, &new, &early, &parts) {
                    Ok(_) => {}
                    Err(Refusal {
                        reason: Reason::PartsNeeded(_),
                        ..
                    }) => {}
                    Err(refusal) => panic!("{lag:?} {source} to {target} by parts: {refusal}"),
                }
            }
        }
        for stored in ledger.txs() {
            verify_entries(&stored.header, &stored.entries).expect("its own entries");
        }
    }
    assert!(proven > 8000 && unprovable > 200, "{proven} {unprovable}");
}

#[test]
fn an_honest_server_of_any_version_is_consistent_as_it_grows() {
    for server in Emulated::ALL {
        let lag = if server < Emulated::V1_11_1 {
            Lag::Unsteady
        } else {
            Lag::None
        };
        let embedded = Embedded::start(Options {
            server,
            lag,
            ..Options::default()
        })
        .unwrap();
        embedded.grow("defaultdb", 30);
        let mut caller = Caller::new(embedded.port());
        caller.log_in("defaultdb").unwrap();
        let mut states = Vec::new();
        for _ in 0..20 {
            embedded.grow("defaultdb", 1);
            let claimed =
                wire::state(&caller.call(method::CURRENT_STATE, Vec::new()).bytes()).unwrap();
            assert_eq!(claimed.shape, server.state_shape());
            assert_eq!(Some(claimed.state), embedded.state("defaultdb"));
            states.push(claimed.state);
        }
        let headers = all_headers(&embedded.ledger("defaultdb").unwrap());
        let (mut proven, mut unprovable) = (0, 0);
        for (source, target) in states.iter().zip(&states[1..]) {
            let request = wire::verifiable_tx_by_id(target.tx, source.tx, Entries::Excluded);
            match caller.call(method::VERIFIABLE_TX_BY_ID, request) {
                Answer::Message(bytes) => {
                    let answered = wire::verifiable_tx(&bytes).unwrap();
                    let mut parts = Parts {
                        headers: headers.clone(),
                        ..Parts::default()
                    };
                    for id in 1..target.tx {
                        let request = wire::verifiable_tx_by_id(target.tx, id, Entries::Excluded);
                        if let Answer::Message(part) =
                            caller.call(method::VERIFIABLE_TX_BY_ID, request)
                        {
                            let part = wire::verifiable_tx(&part).unwrap();
                            parts.inclusions.insert(id, part.proof.inclusion);
                        }
                    }
                    verify(source, target, &answered.proof, &parts).unwrap();
                    proven += 1;
                }
                failed => {
                    assert!(
                        failed.message().starts_with("tx data is corrupted"),
                        "{failed:?}"
                    );
                    excuse(source, target, &headers).unwrap();
                    unprovable += 1;
                }
            }
        }
        assert!(
            proven > 5 && (unprovable > 0) == (server < Emulated::V1_11_1),
            "{server:?}: {proven} {unprovable}"
        );
        let entries = if server < Emulated::V1_2_4 { 1 } else { 0 };
        let tx = wire::tx(
            &caller
                .call(method::TX_BY_ID, wire::tx_by_id(3, Entries::Excluded))
                .bytes(),
        );
        assert_eq!(tx.unwrap().entries.len(), entries, "{server:?}");
        let scan = caller.call(method::TX_SCAN, wire::tx_scan(1, 10, Entries::Digests));
        match scan {
            Answer::Message(bytes) => assert_eq!(wire::tx_list(&bytes).unwrap().len(), 10),
            Answer::Failed { code, .. } => assert_eq!((code, server), (12, Emulated::V0_9_0)),
            Answer::NoMessage => panic!("no message"),
        }
    }
}

#[test]
fn entries_and_references_are_proven_by_key() {
    let server = Embedded::start(Options::default()).unwrap();
    fill(&server, "defaultdb");
    let state = server.state("defaultdb").unwrap();
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    for key in [
        "many/31/7",
        "large/3",
        "key/98",
        "reference/5",
        "expiring/6",
        "key/100",
    ] {
        let request = wire::verifiable_get(key.as_bytes(), 0, state.tx);
        let answer = caller.call(method::VERIFIABLE_GET, request).bytes();
        let answer = wire::verifiable_entry(&answer).unwrap();
        answer
            .entry
            .verify(&answer.header, &answer.inclusion)
            .unwrap_or_else(|e| panic!("{key}: {e}"));
        let stored = server
            .ledger("defaultdb")
            .unwrap()
            .state_at(answer.header.id())
            .unwrap();
        verify(&stored, &state, &answer.proof, &Parts::default()).unwrap();
    }
    let response = caller.call(method::GET, wire::get(b"empty/2", 0));
    assert_eq!(response.message(), "tbtree: key not found");
}

#[test]
fn a_wrong_password_has_another_code_on_0_9_only() {
    for server in Emulated::ALL {
        let options = Options {
            server,
            ..Options::default()
        };
        let embedded = Embedded::start(options).unwrap();
        let mut caller = Caller::new(embedded.port());
        let code = if server.name().starts_with("0.9.") {
            7
        } else {
            2
        };
        assert_eq!(
            caller.call(method::LOGIN, wire::login("immudb", "no")),
            Answer::Failed {
                code,
                message: "invalid user name or password".into(),
            },
            "{}",
            server.name()
        );
    }
}

#[test]
fn errors_are_those_of_a_1_11_1() {
    let server = Embedded::start(Options::default().with_databases(&["closed", "denied"])).unwrap();
    server.grow("defaultdb", 40);
    server.set_access("closed", Access::Unloaded);
    server.set_access("denied", Access::Denied);
    let mut caller = Caller::new(server.port());
    let failed = |code, message: &str| Answer::Failed {
        code,
        message: message.into(),
    };
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(2, "not logged in")
    );
    assert_eq!(
        caller.call(method::DATABASE_LIST, Vec::new()),
        failed(2, "please login")
    );
    let wrong = caller.call(method::LOGIN, wire::login("immudb", "no"));
    assert_eq!(wrong, failed(2, "invalid user name or password"));
    caller.log_in("defaultdb").unwrap();
    let cases = [
        (
            40,
            140,
            failed(
                2,
                "illegal state: latest txID=40 is lower than specified as initial tx=140",
            ),
        ),
        (41, 1, failed(2, "tx not found")),
        (0, 1, failed(3, "illegal arguments")),
    ];
    for (tx, since, expected) in cases {
        let request = wire::verifiable_tx_by_id(tx, since, Entries::Excluded);
        assert_eq!(caller.call(method::VERIFIABLE_TX_BY_ID, request), expected);
    }
    let scan = caller.call(
        method::TX_SCAN,
        wire::tx_scan(1, 100_000, Entries::Excluded),
    );
    assert_eq!(
        scan.message(),
        "result size limit exceeded: the specified limit (100000) is larger than the maximum allowed one (2500)"
    );
    assert_eq!(
        caller.call(method::USE_DATABASE, wire::database("nosuch")),
        failed(5, "'nosuch' does not exist")
    );
    assert_eq!(
        caller.call(method::USE_DATABASE, wire::database("closed")),
        failed(2, "already closed")
    );
    assert!(matches!(
        caller.call(method::USE_DATABASE, wire::database("denied")),
        Answer::Failed { code: 7, .. }
    ));
    server.forget_tokens();
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(2, "not logged in")
    );
    caller.token = Some(("authorization", "Bearer no token".into()));
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(13, "invalid token")
    );
    let anothers = "Bearer v2.public.of-another-server.aW1tdWRi";
    caller.token = Some(("authorization", anothers.into()));
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(2, "not logged in")
    );
    caller.token = Some(("sessionid", "none".into()));
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(7, "session not found")
    );
    caller.token = Some(("authorization", "Bearer ".into()));
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(2, "not logged in")
    );
    caller.log_in("defaultdb").unwrap();
    server.drop_database("defaultdb");
    assert_eq!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        failed(2, "database does not exist")
    );
}

#[test]
fn the_ledger_stops_restarts_counts_calls_and_has_sessions() {
    let mut server = Embedded::start(Options::default()).unwrap();
    server.grow("defaultdb", 2);
    let mut caller = Caller::new(server.port());
    let session = wire::open_session("immudb", "immudb", "defaultdb");
    let session = wire::token(&caller.call(method::OPEN_SESSION, session).bytes()).unwrap();
    caller.token = Some(("sessionid", session));
    let state = wire::state(&caller.call(method::CURRENT_STATE, Vec::new()).bytes()).unwrap();
    assert_eq!(Some(state.state), server.state("defaultdb"));
    assert_eq!(caller.uuid, Some(server.uuid()));
    assert_eq!(server.calls().get(method::CURRENT_STATE), Some(&1));
    server.restart().unwrap();
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    server.stop();
    assert!(matches!(
        caller.call(method::CURRENT_STATE, Vec::new()),
        Answer::Failed { code: 14, .. }
    ));
}

/// gRPC's core ends the process if a call reaches a completion queue that was shut down.
#[test]
fn the_ledger_restarts_repeatedly_during_calls() {
    let mut server = Embedded::start(Options::default()).unwrap();
    server.grow("defaultdb", 2);
    let port = server.port();
    let done = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let mut caller = Caller::new(port);
                    while !done.load(Ordering::SeqCst)
                        && matches!(caller.call(method::HEALTH, Vec::new()), Answer::Message(_))
                    {
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        for _ in 0..30 {
            let before = answered.load(Ordering::SeqCst);
            while answered.load(Ordering::SeqCst) < before + 20 {
                thread::sleep(Duration::from_millis(1));
            }
            server.restart().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
}

/// The system may give a free port to another program meanwhile, for a short time.
#[test]
fn a_restart_waits_until_the_port_is_free_again() {
    let mut server = Embedded::start(Options::default()).unwrap();
    server.stop();
    let other = std::net::TcpListener::bind(("127.0.0.1", server.port())).unwrap();
    let holding = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(other);
    });
    server.restart().unwrap();
    holding.join().unwrap();
    Caller::new(server.port()).log_in("defaultdb").unwrap();
}
