//! The embedded ledger responds like a real 1.11.1. Both get the same requests in the same order,
//! starting with an empty database, and the responses are compared except for hashes and times.

use crate::support::caller::{Answer, Caller};
use crate::support::real::{self, Real};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options};
use immuaudit::wire::{self, method, proto};
use protobuf::{Message, MessageField};

type Request = (&'static str, Vec<u8>);

fn bytes(message: &impl Message) -> Vec<u8> {
    message.write_to_bytes().unwrap()
}

fn kv(key: &str, value: &str) -> proto::KeyValue {
    proto::KeyValue {
        key: key.into(),
        value: value.into(),
        ..Default::default()
    }
}

fn set(kvs: Vec<proto::KeyValue>) -> Request {
    let request = proto::SetRequest {
        kvs,
        ..Default::default()
    };
    (method::SET, bytes(&request))
}

fn get(key: &str, at_tx: u64, at_revision: i64) -> Request {
    let request = proto::KeyRequest {
        key: key.into(),
        at_tx,
        at_revision,
        ..Default::default()
    };
    (method::GET, bytes(&request))
}

fn refer(key: &str, to: &str, at_tx: u64, bound: bool) -> proto::ReferenceRequest {
    proto::ReferenceRequest {
        key: key.into(),
        referenced_key: to.into(),
        at_tx,
        bound_ref: bound,
        ..Default::default()
    }
}

fn add(set: &str, score: f64, key: &str, at_tx: u64) -> proto::ZAddRequest {
    proto::ZAddRequest {
        set: set.into(),
        score,
        key: key.into(),
        at_tx,
        bound_ref: at_tx > 0,
        ..Default::default()
    }
}

fn delete(keys: &[&str]) -> Request {
    let request = proto::DeleteKeysRequest {
        keys: keys.iter().map(|key| key.as_bytes().to_vec()).collect(),
        ..Default::default()
    };
    (method::DELETE, bytes(&request))
}

fn exec_all(operations: Vec<proto::op::Operation>) -> Request {
    let op = |operation| proto::Op {
        operation: Some(operation),
        ..Default::default()
    };
    let request = proto::ExecAllRequest {
        operations: operations.into_iter().map(op).collect(),
        ..Default::default()
    };
    (method::EXEC_ALL, bytes(&request))
}

fn scan(change: impl FnOnce(&mut proto::ScanRequest)) -> Request {
    let mut request = proto::ScanRequest::default();
    change(&mut request);
    (method::SCAN, bytes(&request))
}

fn z_scan(change: impl FnOnce(&mut proto::ZScanRequest)) -> Request {
    let mut request = proto::ZScanRequest {
        set: b"s".to_vec(),
        ..Default::default()
    };
    change(&mut request);
    (method::Z_SCAN, bytes(&request))
}

fn history(key: &str, offset: u64, limit: i32, desc: bool) -> Request {
    let request = proto::HistoryRequest {
        key: key.into(),
        offset,
        limit,
        desc,
        ..Default::default()
    };
    (method::HISTORY, bytes(&request))
}

fn count(prefix: &str) -> Request {
    let request = proto::KeyPrefix {
        prefix: prefix.into(),
        ..Default::default()
    };
    (method::COUNT, bytes(&request))
}

fn requiring(precondition: proto::precondition::Precondition) -> Request {
    let request = proto::SetRequest {
        kvs: vec![kv("a", "required")],
        preconditions: vec![proto::Precondition {
            precondition: Some(precondition),
            ..Default::default()
        }],
        ..Default::default()
    };
    (method::SET, bytes(&request))
}

fn writes() -> Vec<Request> {
    let expired = proto::KeyValue {
        metadata: MessageField::some(proto::KVMetadata {
            expiration: MessageField::some(proto::Expiration {
                expires_at: 5,
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..kv("expired", "1")
    };
    let hidden = proto::KeyValue {
        metadata: MessageField::some(proto::KVMetadata {
            non_indexable: true,
            ..Default::default()
        }),
        ..kv("hidden", "1")
    };
    use proto::op::Operation::{Kv, Ref, ZAdd};
    let mut requests = vec![
        set(vec![kv("a", "1"), kv("b", "2"), kv("c", "3")]),
        set(vec![kv("a", "1"), kv("a", "2")]),
        set(Vec::new()),
        set(vec![kv("", "1")]),
        set(vec![kv(&"k".repeat(1024), "1")]),
        set(vec![kv(&"k".repeat(1023), "1")]),
        set((0..1025).map(|n| kv(&format!("m{n}"), "1")).collect()),
        set(vec![kv("a", "1b")]),
        set(vec![expired, hidden]),
        exec_all(vec![
            Kv(kv("e1", "v")),
            Ref(refer("e2", "e1", 0, false)),
            ZAdd(add("es", 7.0, "e1", 0)),
        ]),
        exec_all(vec![Kv(kv("e1", "w")), Ref(refer("e3", "e1", 0, true))]),
        exec_all(vec![Ref(refer("e6", "e7", 0, false)), Kv(kv("e7", "x"))]),
        exec_all(Vec::new()),
        delete(&["c"]),
        delete(&["c"]),
        delete(&["never"]),
        delete(&[]),
    ];
    let references = [
        ("ra", "a", 0, false),
        ("rb", "a", 1, true),
        ("rc", "a", 1, false),
        ("rd", "a", 0, true),
        ("re", "never", 0, false),
        ("rf", "ra", 0, false),
        ("a", "b", 0, false),
        ("rg", "b", 2, true),
        ("", "b", 0, false),
    ];
    for (key, to, at_tx, bound) in references {
        let request = refer(key, to, at_tx, bound);
        requests.push((method::SET_REFERENCE, bytes(&request)));
    }
    let members = [
        ("s", 1.5, "a", 0),
        ("s", -2.0, "b", 0),
        ("s", 0.0, "b", 0),
        ("s", 1.5, "b", 0),
        ("s", 3.0, "a", 1),
        ("s", f64::INFINITY, "a", 0),
        ("s", 3.0, "never", 0),
        ("s", 3.0, "ra", 0),
        ("", 3.0, "a", 0),
        ("s", 3.0, "", 0),
    ];
    for (name, score, key, at_tx) in members {
        requests.push((method::Z_ADD, bytes(&add(name, score, key, at_tx))));
    }
    requests
}

fn preconditions() -> Vec<Request> {
    use proto::precondition::Precondition::{KeyMustExist, KeyMustNotExist, KeyNotModifiedAfter};
    let of = |key: &str, tx_id| proto::KeyPrecondition {
        key: key.into(),
        tx_id,
        ..Default::default()
    };
    vec![
        requiring(KeyMustExist(of("b", 0))),
        requiring(KeyMustExist(of("never", 0))),
        requiring(KeyMustExist(of("c", 0))),
        requiring(KeyMustNotExist(of("b", 0))),
        requiring(KeyMustNotExist(of("c", 0))),
        requiring(KeyNotModifiedAfter(of("b", 99))),
        requiring(KeyNotModifiedAfter(of("a", 1))),
        requiring(KeyNotModifiedAfter(of("never", 1))),
    ]
}

fn reads() -> Vec<Request> {
    let score = |score| {
        MessageField::some(proto::Score {
            score,
            ..Default::default()
        })
    };
    let mut requests = vec![
        get("a", 0, 1),
        get("a", 0, -1),
        get("a", 0, 99),
        get("a", 1, 1),
        get("a", 1, 0),
        get("b", 2, 0),
        get("never", 0, 0),
        get("", 0, 0),
        get("ra", 0, 0),
        get("rb", 0, 0),
        get("e2", 0, 0),
        get("e3", 0, 0),
        get("c", 0, 0),
        get("c", 1, 0),
        get("expired", 0, 0),
        get("hidden", 0, 0),
        scan(|_| {}),
        scan(|request| request.desc = true),
        scan(|request| request.prefix = b"r".to_vec()),
        scan(|request| {
            request.prefix = b"r".to_vec();
            request.desc = true;
        }),
        scan(|request| {
            request.limit = 2;
            request.offset = 1;
        }),
        scan(|request| request.limit = 2501),
        z_scan(|_| {}),
        z_scan(|request| request.set.clear()),
        z_scan(|request| request.set = b"never".to_vec()),
        z_scan(|request| {
            request.limit = 2;
            request.offset = 1;
        }),
        z_scan(|request| {
            request.min_score = score(1.0);
            request.max_score = score(2.0);
        }),
        z_scan(|request| {
            request.max_score = score(2.0);
            request.min_score = score(1.0);
            request.desc = true;
        }),
        z_scan(|request| {
            request.seek_key = b"a".to_vec();
            request.seek_score = 1.5;
        }),
        history("a", 0, 0, false),
        history("a", 0, 0, true),
        history("a", 1, 1, false),
        history("a", 1, 0, true),
        history("c", 0, 0, false),
        history("c", 2, 0, false),
        history("ra", 0, 0, false),
        history("expired", 0, 0, false),
        history("never", 0, 0, false),
        history("a", 0, 9999, false),
        history("a", 0, -1, false),
        (method::COUNT_ALL, Vec::new()),
    ];
    requests.extend(["", "a", "r", "c", "never", "expired", "hidden"].map(count));
    for (desc, inclusive) in [(false, false), (false, true), (true, false), (true, true)] {
        requests.push(scan(|request| {
            request.seek_key = b"b".to_vec();
            request.inclusive_seek = inclusive;
            request.desc = desc;
        }));
        requests.push(scan(|request| {
            request.end_key = b"e2".to_vec();
            request.inclusive_end = inclusive;
            request.desc = desc;
        }));
    }
    let keys = ["a", "never", "ra", "c"].map(|key| key.as_bytes().to_vec());
    let request = proto::KeyListRequest {
        keys: keys.into(),
        ..Default::default()
    };
    requests.push((method::GET_ALL, bytes(&request)));
    requests
}

/// Returns the text of a response without its hashes and times, which differ between servers.
fn comparable(call: &str, answer: Answer) -> String {
    let bytes = match answer {
        Answer::Message(bytes) => bytes,
        other => return format!("{other:?}"),
    };
    match call {
        method::GET => format!("{:?}", proto::Entry::parse_from_bytes(&bytes)),
        method::COUNT | method::COUNT_ALL => {
            format!("{:?}", proto::EntryCount::parse_from_bytes(&bytes))
        }
        method::Z_SCAN => format!("{:?}", proto::ScoredEntries::parse_from_bytes(&bytes)),
        method::SCAN | method::HISTORY | method::GET_ALL => {
            format!("{:?}", proto::Entries::parse_from_bytes(&bytes))
        }
        method::TX_BY_ID => {
            let tx = proto::Tx::parse_from_bytes(&bytes).unwrap();
            format!("{:?}", tx.entries)
        }
        _ => {
            let header = proto::TxHeader::parse_from_bytes(&bytes).unwrap();
            format!("transaction {} of {} entries", header.id, header.nentries)
        }
    }
}

#[test]
fn the_responses_are_those_of_a_real_1_11_1() {
    let Some(program) = real::program("1.11.1") else {
        return;
    };
    let folder = TempDir::new();
    let real = Real::start(&program, &folder.join("real"), &[]);
    let embedded = Embedded::start(Options::default()).unwrap();
    let mut callers = [real.port, embedded.port()].map(|port| {
        let mut caller = Caller::new(port);
        caller.log_in("defaultdb").unwrap();
        caller
    });
    let mut requests = [writes(), reads(), preconditions(), reads()].concat();
    let last = 40;
    for tx in 1..=last {
        requests.push((method::TX_BY_ID, wire::tx_by_id(tx, wire::Entries::Digests)));
    }
    for (number, (call, request)) in requests.into_iter().enumerate() {
        let [expected, answered] = callers.each_mut().map(|caller| {
            let answer = caller.call(call, request.clone());
            comparable(call, answer)
        });
        assert_eq!(
            answered,
            expected,
            "request {number}, {}",
            method::short(call)
        );
    }
}
