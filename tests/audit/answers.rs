//! Prefetched responses that must not be used, those that must, and responses that must not be forgotten because
//! they already proved tampering.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::in_process::server_on;
use crate::support::proxy::{Body, Proxy, Reply};
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Outcome, Policy, Verdict};
use immuaudit::clock;
use immuaudit::config::Values;
use immuaudit::drill::{Embedded, Emulated, Lie, LieSchedule, Options};
use immuaudit::ledger::State;
use immuaudit::server::{Peeked, Server};
use immuaudit::trust::{Location, Store, Tampering};
use immuaudit::wire::{Entries, method, proto};
use protobuf::Message;

const DB: &str = "defaultdb";

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn peeked(server: &mut Server) -> Option<State> {
    match server.peek_state(DB, soon()) {
        Peeked::State(state) => Some(state),
        Peeked::NotYet | Peeked::Nothing => None,
    }
}

/// Returns a ledger of one transaction, and a server that has prefetched its state.
fn server_with_a_prefetched_state(auth: bool) -> (Embedded, Server) {
    let options = Options {
        auth,
        ..Options::default()
    };
    let embedded = Embedded::start(options).expect("an embedded ledger");
    embedded.grow(DB, 1);
    let mut server = server_on(embedded.port());
    server.state(DB).expect("a state");
    server.prefetch_states([DB].into_iter(), soon());
    assert_eq!(peeked(&mut server), embedded.state(DB));
    (embedded, server)
}

/// Asserts that the next state is the present one, not a prefetched one.
#[track_caller]
fn assert_next_state_is_current(embedded: &Embedded, server: &mut Server) {
    let taken = server.state(DB).expect("a state").state;
    assert_eq!(Some(taken), embedded.state(DB));
}

#[test]
fn a_prefetched_response_is_used_once() {
    let (embedded, mut server) = server_with_a_prefetched_state(true);
    let before = embedded.state(DB);
    embedded.grow(DB, 1);
    assert_eq!(server.state(DB).ok().map(|taken| taken.state), before);
    assert_next_state_is_current(&embedded, &mut server);
}

#[test]
fn a_response_prefetched_in_an_earlier_cycle_is_not_used() {
    let (embedded, mut server) = server_with_a_prefetched_state(true);
    embedded.grow(DB, 1);
    server.begin_cycle();
    assert_next_state_is_current(&embedded, &mut server);
}

#[test]
fn the_first_prefetched_state_stays_if_other_states_are_requested() {
    let (embedded, mut server) = server_with_a_prefetched_state(true);
    server.begin_cycle();
    server.prefetch_list();
    server.prefetch_state(DB);
    let before = embedded.state(DB);
    assert_eq!(peeked(&mut server), before);
    embedded.grow(DB, 1);
    server.prefetch_states([DB].into_iter(), soon());
    assert_eq!(server.state(DB).ok().map(|taken| taken.state), before);

    server.prefetch_list();
    server.prefetch_state(DB);
    let before = embedded.state(DB);
    assert_eq!(peeked(&mut server), before);
    embedded.grow(DB, 1);
    server.prefetch_states(["another"].into_iter(), soon());
    assert_eq!(server.state(DB).ok().map(|taken| taken.state), before);
    assert_next_state_is_current(&embedded, &mut server);
}

/// The server made that claim, whether the database exists now or not.
#[test]
fn a_state_that_came_before_the_database_was_reopened_is_used() {
    for auth in [true, false] {
        let (embedded, mut server) = server_with_a_prefetched_state(auth);
        let before = embedded.state(DB);
        embedded.grow(DB, 1);
        server.open(DB).expect("a database");
        assert_eq!(server.state(DB).ok().map(|taken| taken.state), before);
        assert_next_state_is_current(&embedded, &mut server);
    }
}

#[test]
fn a_state_of_one_server_is_not_used_for_another() {
    let (_, mut server) = server_with_a_prefetched_state(true);
    let other = Embedded::start(Options::default()).expect("an embedded ledger");
    other.grow(DB, 3);
    server.take_setup_of(server_on(other.port()));
    assert_next_state_is_current(&other, &mut server);
}

/// A server may return the same token again, so a token cannot distinguish the calls.
#[test]
fn a_call_sent_before_the_token_was_renewed_is_repeated() {
    let embedded = Embedded::start(Options::default()).expect("an embedded ledger");
    embedded.grow(DB, 3);
    let proxy = Proxy::before(embedded.port());
    let token = Mutex::new(None);
    let (proofs, forgets) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (count, forget) = (proofs.clone(), forgets.clone());
    proxy.distort(move |call, _, reply| match call {
        "UseDatabase" => reply.change(|bytes| {
            let mut token = token.lock().expect("no panic");
            bytes.clone_from(token.get_or_insert_with(|| bytes.clone()));
        }),
        "CurrentState" if forget.load(Ordering::SeqCst) == 1 => {
            forget.store(2, Ordering::SeqCst);
            reply.body = Body::Error(13, "invalid token".into());
        }
        "VerifiableTxById" if count.fetch_add(1, Ordering::SeqCst) == 0 => {
            reply.change(|bytes| *bytes = b"the answer from before".into());
        }
        _ => {}
    });
    let mut server = server_on(proxy.port);
    server.state(DB).expect("a state");
    server.prefetch_verifiable_tx(DB, 3, 1, Entries::Excluded);
    while proofs.load(Ordering::SeqCst) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    forgets.store(1, Ordering::SeqCst);
    server.state(DB).expect("a state, with a renewed token");
    assert_eq!(forgets.load(Ordering::SeqCst), 2);
    let proof = server.verifiable_tx(DB, 3, 1, Entries::Excluded);
    assert!(proof.is_ok(), "{:?}", proof.err());
}

/// The response that replaces a later one, after corrupt data was shown.
#[derive(Clone, Copy, Debug)]
enum LaterReply {
    Refused,
    Away,
}

impl LaterReply {
    fn answer(self, reply: &mut Reply) {
        reply.body = match self {
            LaterReply::Refused => Body::Error(2, "tx not found".into()),
            LaterReply::Away => Body::Error(14, "connection refused".into()),
        };
    }
}

/// An auditor that trusts ten transactions of a ledger behind a proxy, and reads a sample of them.
struct Scene {
    embedded: Embedded,
    proxy: Proxy,
    auditor: Auditor,
    _folder: TempDir,
}

impl Scene {
    fn reading(sample: u64) -> Scene {
        Scene::reading_of(Options::default(), sample)
    }

    fn reading_of(options: Options, sample: u64) -> Scene {
        let embedded = Embedded::start(options).expect("an embedded ledger");
        embedded.grow(DB, 10);
        let proxy = Proxy::before(embedded.port());
        let folder = TempDir::new();
        let location = Location {
            dir: folder.path().join("trust"),
            roots: None,
            server: "tested".into(),
        };
        let store = Store::open(&location, clock::now()).expect("a store");
        let values = Values {
            sample,
            ..Values::NONE
        };
        let policy = Policy {
            values,
            ..Policy::of_consistency()
        };
        let mut auditor = Auditor::new(server_on(proxy.port), store, policy);
        assert_eq!(cycle(&mut auditor).verdict, Verdict::FirstSeen);
        Scene {
            embedded,
            proxy,
            auditor,
            _folder: folder,
        }
    }

    /// Leaves the responses to the first `times` requests for each single transaction unchanged, and
    /// replaces all later responses by `then`.
    fn show_each(&self, times: u64, then: LaterReply) {
        let mut shown = BTreeMap::new();
        self.proxy.distort(move |call, request, reply| {
            if call == "VerifiableTxById" {
                let request = proto::VerifiableTxRequest::parse_from_bytes(request);
                let shown: &mut u64 = shown.entry(request.expect("a request").tx).or_default();
                *shown += 1;
                if *shown > times {
                    then.answer(reply);
                }
            }
        });
    }

    #[track_caller]
    fn finds(&mut self, expected: Tampering, then: LaterReply) {
        let outcome = cycle(&mut self.auditor);
        let expected = Verdict::Tampered(expected);
        assert_eq!(outcome.verdict, expected, "{then:?}: {outcome:?}");
        assert!(outcome.open_alarms > 0, "{then:?}: {outcome:?}");
    }
}

fn cycle(auditor: &mut Auditor) -> Outcome {
    let mut cycle = auditor.cycle(|_| {});
    assert_eq!(cycle.outcomes.len(), 1, "{cycle:?}");
    cycle.outcomes.remove(0)
}

#[test]
fn a_corrupt_transaction_that_is_shown_only_once_is_tampering() {
    for then in [LaterReply::Refused, LaterReply::Away] {
        // a sample of one transaction is read alone, not by a scan
        let mut scene = Scene::reading(1);
        let lie = LieSchedule::from(Lie::EditedValue);
        scene.embedded.lie(lie.in_call(method::VERIFIABLE_TX_BY_ID));
        scene.show_each(1, then);
        scene.finds(Tampering::BadValue, then);
    }
}

/// A 0.9.0 confuses its responses to concurrent callers, so one response is not enough for an
/// accusation.
#[test]
fn a_corrupt_transaction_of_a_0_9_0_needs_a_second_response() {
    for (times, expected) in [
        (1, Verdict::Malformed),
        (2, Verdict::Tampered(Tampering::BadValue)),
    ] {
        let options = Options {
            server: Emulated::V0_9_0,
            ..Options::default()
        };
        let mut scene = Scene::reading_of(options, 5);
        let lie = LieSchedule::from(Lie::EditedKey);
        scene.embedded.lie(lie.in_call(method::VERIFIABLE_TX_BY_ID));
        scene.show_each(times, LaterReply::Refused);
        let outcome = cycle(&mut scene.auditor);
        assert_eq!(outcome.verdict, expected, "{times}: {outcome:?}");
    }
}

#[test]
fn a_corrupt_transaction_shown_only_in_a_scan_is_tampering() {
    for then in [LaterReply::Refused, LaterReply::Away] {
        for lie in [Lie::EditedValue, Lie::EditedKey] {
            let mut scene = Scene::reading(u64::MAX);
            let lie = LieSchedule::from(lie).about(7);
            scene.embedded.lie(lie.in_call(method::TX_SCAN));
            // no transaction can be read alone; only the end of the scan is proven, because it is
            // the trusted state
            scene.show_each(0, then);
            scene.finds(Tampering::BadValue, then);
        }
    }
}

#[test]
fn an_unproven_header_shown_only_in_a_scan_is_tampering() {
    for then in [LaterReply::Refused, LaterReply::Away] {
        let mut scene = Scene::reading(u64::MAX);
        scene.proxy.distort(move |call, request, reply| match call {
            "TxScan" => reply.message(|list: &mut proto::TxList| {
                for tx in &mut list.txs {
                    if let Some(header) = tx.header.as_mut().filter(|header| header.id == 7) {
                        header.ts += 1;
                    }
                }
            }),
            "VerifiableTxById" => {
                let request = proto::VerifiableTxRequest::parse_from_bytes(request);
                if request.is_ok_and(|request| request.tx == 7) {
                    then.answer(reply);
                }
            }
            _ => {}
        });
        scene.finds(Tampering::Inconsistent, then);
    }
}

/// A scan may contain anything for its last transaction, which counts only after it is proven.
#[test]
fn the_end_of_a_scan_is_proven_before_its_content_counts() {
    let mut scene = Scene::reading(u64::MAX);
    scene.embedded.grow(DB, 2_000);
    let mut forged = None;
    scene.proxy.distort(move |call, _, reply| {
        if call == "TxScan" {
            reply.message(|list: &mut proto::TxList| {
                let last = list.txs.last().map_or(0, |tx| tx.header.id);
                let forged = *forged.get_or_insert(last);
                assert!(
                    forged < 2_010,
                    "the end of the first scan is not the trusted state"
                );
                for tx in &mut list.txs {
                    if let Some(header) = tx.header.as_mut().filter(|header| header.id == forged) {
                        header.ts += 1;
                    }
                }
            });
        }
    });
    let outcome = cycle(&mut scene.auditor);
    let expected = Verdict::Tampered(Tampering::Inconsistent);
    assert_eq!(outcome.verdict, expected, "{outcome:?}");
}

/// Makes all calls within a database fail with this error.
fn refuse(scene: &Scene, code: i32, message: &'static str) {
    scene.proxy.distort(move |call, _, reply| {
        if !["Login", "UseDatabase", "DatabaseList"].contains(&call) {
            reply.body = Body::Error(code, message.into());
        }
    });
}

#[test]
fn a_server_that_is_older_than_its_data_is_not_accused() {
    let message = "tx created with a newer version or data is corrupted";
    let mut scene = Scene::reading(5);
    refuse(&scene, 2, message);
    let outcome = cycle(&mut scene.auditor);
    assert_eq!(outcome.verdict, Verdict::Refused, "{outcome:?}");
    // now the server returns a state, but no transaction
    scene.embedded.grow(DB, 5);
    scene.proxy.distort(move |call, _, reply| {
        if ["VerifiableTxById", "TxById", "TxScan", "Get"].contains(&call) {
            reply.body = Body::Error(2, message.into());
        }
    });
    let outcome = cycle(&mut scene.auditor);
    assert!(!outcome.verdict.is_tampering(), "{outcome:?}");
    assert!(!outcome.verdict.is_proven(), "{outcome:?}");
    assert_eq!(outcome.open_alarms, 0, "{outcome:?}");
    assert!(outcome.why().contains("newer version"), "{}", outcome.why());
}

#[test]
fn a_rate_limit_is_unreachable_for_one_cycle_without_size_advice() {
    let mut scene = Scene::reading(5);
    refuse(&scene, 8, "rate limit exceeded");
    let outcome = cycle(&mut scene.auditor);
    assert_eq!(outcome.verdict, Verdict::Unreachable, "{outcome:?}");
    let why = outcome.why();
    assert!(why.contains("rate limited"), "{why}");
    assert!(!why.contains("max-recv-msg-size"), "{why}");
    scene.proxy.distort(|_, _, _| {});
    let outcome = cycle(&mut scene.auditor);
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
}
