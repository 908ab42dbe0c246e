//! Untrusted clients of the embedded ledger: its memory is limited, no request ends it, and an
//! unsupported call gets an error message.

use std::time::Duration;

use crate::support::caller::{Answer, Caller};
use crate::support::random::Random;
use immuaudit::clock::{SimulatedTime, Timestamp};
use immuaudit::drill::{Embedded, Lifetime, Options, fill};
use immuaudit::wire::{self, method, proto};
use protobuf::{Message, MessageField};

fn filled() -> (Embedded, Caller) {
    let server = Embedded::start(Options::default()).unwrap();
    fill(&server, "defaultdb");
    let mut caller = Caller::new(server.port());
    caller.log_in("defaultdb").unwrap();
    (server, caller)
}

fn bytes(message: &impl Message) -> Vec<u8> {
    message.write_to_bytes().unwrap()
}

fn failed(code: i32, message: &str) -> Answer {
    Answer::Failed {
        code,
        message: message.into(),
    }
}

fn key_value(key: &str, value: Vec<u8>) -> proto::KeyValue {
    proto::KeyValue {
        key: key.into(),
        value,
        ..Default::default()
    }
}

fn set(kvs: Vec<proto::KeyValue>) -> Vec<u8> {
    bytes(&proto::SetRequest {
        kvs,
        ..Default::default()
    })
}

#[test]
fn an_unused_session_ends_and_calls_keep_it_alive() {
    let time = SimulatedTime::starting_at(Timestamp::from_unix(1_800_000_000));
    let server = Embedded::start(Options {
        session_lifetime: Lifetime::Time(Duration::from_secs(180)),
        clock: time.clock(),
        ..Options::default()
    })
    .unwrap();
    let mut caller = Caller::new(server.port());
    let session = wire::open_session("immudb", "immudb", "defaultdb");
    let session = wire::token(&caller.call(method::OPEN_SESSION, session).bytes()).unwrap();
    caller.token = Some(("sessionid", session));
    for _ in 0..10 {
        time.advance(Duration::from_secs(170));
        caller.call(method::KEEP_ALIVE, Vec::new()).bytes();
    }
    caller.call(method::CURRENT_STATE, Vec::new()).bytes();
    time.advance(Duration::from_secs(181));
    let ended = failed(7, "session not found");
    assert_eq!(caller.call(method::CURRENT_STATE, Vec::new()), ended);
    assert_eq!(caller.call(method::KEEP_ALIVE, Vec::new()), ended);
    let session = wire::open_session("immudb", "immudb", "defaultdb");
    let session = wire::token(&caller.call(method::OPEN_SESSION, session).bytes()).unwrap();
    caller.token = Some(("sessionid", session));
    caller.call(method::CLOSE_SESSION, Vec::new()).bytes();
    assert_eq!(caller.call(method::CLOSE_SESSION, Vec::new()), ended);
}

#[test]
fn endless_logins_are_forgotten_except_the_used_ones() {
    let (server, mut used) = filled();
    let mut other = Caller::new(server.port());
    for number in 0..12_500 {
        other
            .call(method::LOGIN, wire::login("immudb", "immudb"))
            .bytes();
        if number % 500 == 0 {
            used.call(method::CURRENT_STATE, Vec::new()).bytes();
        }
    }
    assert!(server.tokens().len() <= 12_000, "{}", server.tokens().len());
    used.call(method::CURRENT_STATE, Vec::new()).bytes();
}

#[test]
fn only_a_limited_number_of_valid_databases_can_be_created() {
    let (server, mut caller) = filled();
    let mut create = |name: &str| caller.call(method::CREATE_DATABASE, wire::database(name));
    for name in ["", "a/b", "../x", "a b", "\u{1b}[2J", &"x".repeat(200)] {
        assert!(
            matches!(create(name), Answer::Failed { code: 2, .. }),
            "{name}"
        );
    }
    let refused = (0..2_000).find(|number| {
        matches!(
            create(&format!("new{number}")),
            Answer::Failed { code: 8, .. }
        )
    });
    assert_eq!(refused, Some(999));
    assert_eq!(server.state("new5").map(|state| state.tx), Some(0));
}

#[test]
fn a_request_for_too_many_or_too_large_values_is_refused() {
    let (server, mut caller) = filled();
    server.set("defaultdb", "large", &"x".repeat(1 << 20));
    let keys = |count| {
        bytes(&proto::KeyListRequest {
            keys: vec![b"large".to_vec(); count],
            ..Default::default()
        })
    };
    caller.call(method::GET_ALL, keys(3)).bytes();
    let large = caller.call(method::GET_ALL, keys(65));
    assert!(large.message().ends_with("request fewer"), "{large:?}");
    let many = caller.call(method::GET_ALL, keys(2_501));
    assert!(
        many.message().starts_with("result size limit exceeded"),
        "{many:?}"
    );
}

#[test]
fn an_invalid_transaction_is_refused() {
    let (server, mut caller) = filled();
    let before = server.state("defaultdb");
    let many = (0..1025)
        .map(|n| key_value(&n.to_string(), Vec::new()))
        .collect();
    let cases = [
        (set(Vec::new()), failed(2, "no entries provided")),
        (
            set(vec![key_value("", Vec::new())]),
            failed(3, "illegal arguments"),
        ),
        (
            set(vec![key_value(&"k".repeat(1024), Vec::new())]),
            failed(2, "max key length exceeded"),
        ),
        (
            set(many),
            failed(2, "max number of entries per tx exceeded"),
        ),
        (
            set(vec![key_value("k", Vec::new()); 2]),
            failed(
                3,
                "duplicated keys are not supported in single batch transaction",
            ),
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(caller.call(method::SET, request), expected);
    }
    assert_eq!(server.state("defaultdb"), before);
}

#[test]
fn an_unsupported_call_is_refused_with_a_message() {
    let (_server, mut caller) = filled();
    let calls = [
        ("/immudb.schema.ImmuService/SQLQuery", "SQL"),
        ("/immudb.schema.ImmuService/NewTx", "SQL"),
        ("/immudb.schema.ImmuService/streamSet", "streams"),
        ("/immudb.schema.ImmuService/exportTx", "streams"),
        ("/immudb.model.DocumentService/SearchDocuments", "documents"),
        (
            "/immudb.model.AuthorizationService/OpenSession",
            "documents",
        ),
        ("/immudb.schema.ImmuService/CreateUser", "users"),
    ];
    for (call, word) in calls {
        let refused = caller.call(call, Vec::new());
        assert!(
            matches!(&refused, Answer::Failed { code: 12, message } if message.contains(word)),
            "{call}: {refused:?}"
        );
    }
}

/// Sends calls with valid, empty and randomly changed requests.
#[test]
fn no_request_ends_the_ledger() {
    let (server, mut caller) = filled();
    let reference = proto::ReferenceRequest {
        key: b"r".to_vec(),
        referenced_key: b"key/10".to_vec(),
        at_tx: 10,
        bound_ref: true,
        ..Default::default()
    };
    let added = proto::ZAddRequest {
        set: b"s".to_vec(),
        score: -1.5,
        key: b"key/10".to_vec(),
        ..Default::default()
    };
    let scan = proto::ZScanRequest {
        set: b"s".to_vec(),
        seek_key: b"key/10".to_vec(),
        seek_score: f64::NAN,
        offset: u64::MAX,
        limit: 9,
        min_score: MessageField::some(proto::Score::default()),
        ..Default::default()
    };
    let keys = proto::KeyRequest {
        key: b"key/10".to_vec(),
        at_revision: i64::MIN,
        ..Default::default()
    };
    let history = proto::HistoryRequest {
        key: b"key/10".to_vec(),
        offset: u64::MAX,
        limit: i32::MIN,
        ..Default::default()
    };
    let calls = [
        (method::GET, bytes(&keys)),
        (method::HISTORY, bytes(&history)),
        (
            method::SCAN,
            bytes(&proto::ScanRequest {
                seek_key: vec![0xff; 9],
                desc: true,
                ..Default::default()
            }),
        ),
        (method::Z_SCAN, bytes(&scan)),
        (method::Z_ADD, bytes(&added)),
        (method::SET_REFERENCE, bytes(&reference)),
        (method::SET, set(vec![key_value("k", vec![1])])),
        (
            method::DELETE,
            bytes(&proto::DeleteKeysRequest {
                keys: vec![b"key/10".to_vec()],
                ..Default::default()
            }),
        ),
        (
            method::VERIFIABLE_GET,
            wire::verifiable_get(b"reference/5", 0, u64::MAX),
        ),
        (
            method::VERIFIABLE_TX_BY_ID,
            wire::verifiable_tx_by_id(u64::MAX, 1, wire::Entries::Excluded),
        ),
        (
            method::TX_SCAN,
            wire::tx_scan(u64::MAX, 9, wire::Entries::Digests),
        ),
        (method::VERIFIABLE_SET, Vec::new()),
        (method::VERIFIABLE_Z_ADD, Vec::new()),
        (method::VERIFIABLE_SET_REFERENCE, Vec::new()),
        (method::EXEC_ALL, Vec::new()),
        (method::COUNT, Vec::new()),
        (method::COUNT_ALL, Vec::new()),
        (method::DATABASE_LIST_V2, Vec::new()),
        (method::LOAD_DATABASE, Vec::new()),
        (method::UNLOAD_DATABASE, Vec::new()),
        (method::CREATE_DATABASE_V2, Vec::new()),
        (method::DATABASE_HEALTH, Vec::new()),
        (
            method::OPEN_SESSION,
            wire::open_session("immudb", "immudb", "defaultdb"),
        ),
    ];
    let mut random = Random::new(7);
    for (call, request) in calls {
        caller.call(call, request.clone());
        for _ in 0..100 {
            let mut changed = request.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(changed.len() as u64 + 1) as usize;
                match random.below(3) {
                    0 => changed.insert(at, random.below(256) as u8),
                    1 => changed.truncate(at),
                    _ => {
                        if let Some(byte) = changed.get_mut(at) {
                            *byte = random.below(256) as u8;
                        }
                    }
                }
            }
            caller.call(call, changed);
        }
    }
    assert!(server.state("defaultdb").unwrap().tx > 100);
    caller.call(method::CURRENT_STATE, Vec::new()).bytes();
    caller.call(method::SCAN, Vec::new()).bytes();
}
