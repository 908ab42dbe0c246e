//! What comes instead of a proof or a list, or is missing beside one: an excuse counts only where it is
//! shown, and what is unclear accuses nobody. Each answer is put in place by a proxy.

mod support;

use std::time::Duration;

use immuaudit::audit::{Auditor, Cycle, Exit, Impossible, Outcome, Pin, Policy, Reason, Verdict};
use immuaudit::config::{DatabaseFilter, Values};
use immuaudit::drill::{Draft, Embedded, Lag, Ledger, Lie, NewEntry, Options, dual_proof_message};
use immuaudit::ledger::{DualProof, Term, TxMetadata};
use immuaudit::server::Endpoint;
use immuaudit::stop::Stop;
use immuaudit::text::Shown;
use immuaudit::trust::Tampering;
use immuaudit::wire::proto;
use protobuf::{Message, MessageField};
use support::in_process;
use support::place::Place;
use support::proxy::{Body, Distort, Proxy, Reply};

const DB: &str = "defaultdb";
const INCONSISTENT: Verdict = Verdict::Tampered(Tampering::Inconsistent);

/// A server behind a proxy, and a place for what an auditor trusts of it.
struct Scene {
    embedded: Embedded,
    proxy: Proxy,
    place: Place,
}

impl Scene {
    fn new(lag: Lag) -> Scene {
        let options = Options {
            lag,
            ..Options::default()
        };
        let embedded = Embedded::start(options).expect("an embedded ledger");
        Scene {
            proxy: Proxy::before(embedded.port()),
            embedded,
            place: Place::new(),
        }
    }

    /// Ten transactions that an auditor trusts, and two more.
    fn grown(lag: Lag) -> Scene {
        let scene = Scene::new(lag);
        scene.embedded.grow(DB, 10);
        assert_eq!(scene.cycle().verdict, Verdict::FirstSeen);
        scene.embedded.grow(DB, 2);
        scene
    }

    fn cycle(&self) -> Outcome {
        self.cycle_with(Policy::of_consistency())
    }

    fn cycle_reading_values(&self) -> Outcome {
        self.cycle_with(Policy {
            values: Values {
                sample: 5,
                ..Values::NONE
            },
            ..Policy::of_consistency()
        })
    }

    fn cycle_with(&self, policy: Policy) -> Outcome {
        let mut cycle = self.whole_cycle(policy);
        assert_eq!(cycle.outcomes.len(), 1, "{cycle:?}");
        cycle.outcomes.remove(0)
    }

    fn whole_cycle(&self, policy: Policy) -> Cycle {
        let endpoint = Endpoint::on_loopback(self.proxy.port);
        let server = in_process::server(endpoint, Duration::from_secs(10), &Stop::new());
        let store = in_process::store(self.place.join("trust"));
        Auditor::new(server, store, policy).cycle(|_| {})
    }
}

/// Every answer of a call is an error.
fn fails(call: &'static str, code: i32, words: &'static str) -> Distort {
    Box::new(move |name, _, reply| {
        if name == call {
            reply.body = Body::Error(code, words.into());
        }
    })
}

const CANNOT_PROVE: &str = "binary linking mismatch at tx 10";
const CORRUPTED: &str = "tx data is corrupted";
const NOT_FOUND: &str = "tx not found";

/// The ledger with another tenth transaction, which is the trusted one.
fn rewritten(honest: &Ledger) -> Ledger {
    let mut forged = honest.clone();
    forged.truncate(9);
    for value in ["another", "and", "more"] {
        forged.commit(vec![NewEntry::set("key", value)]);
    }
    forged
}

/// The tree of transaction 12 is smaller than that of the trusted one, though a proof is sent.
#[test]
fn a_proof_over_a_tree_that_shrank_is_unprovable_where_the_headers_show_it() {
    let scene = Scene::grown(Lag::Table(vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 4]));
    let ledger = scene.embedded.ledger(DB).expect("a database");
    let header = |tx| Some(ledger.tx(tx).expect("it is there").header.clone());
    let proof = dual_proof_message(&DualProof {
        source: header(10),
        target: header(12),
        inclusion: Vec::new(),
        consistency: Vec::new(),
        target_bl_tx_alh: Term::from(ledger.state().hash),
        last_inclusion: Vec::new(),
        linear: None,
        linear_advance: None,
    });
    let answer = proto::VerifiableTx {
        tx: MessageField::some(proto::Tx {
            header: proof.target_tx_header.clone(),
            ..Default::default()
        }),
        dual_proof: MessageField::some(proof),
        ..Default::default()
    };
    let answer = answer.write_to_bytes().expect("a message");
    scene.proxy.distort(move |call, _, reply| {
        if call == "VerifiableTxById" {
            reply.body = Body::Messages(vec![answer.clone()]);
        }
    });
    let outcome = scene.cycle();
    assert_eq!(outcome.verdict, Verdict::Unprovable, "{outcome:?}");
}

/// Before 1.2 the same words are an excuse, and what a server says whose log was edited.
#[test]
fn words_of_a_corrupted_log_without_an_excuse_are_the_servers_own_finding() {
    let scene = Scene::grown(Lag::None);
    scene.proxy.distort(fails("VerifiableTxById", 2, CORRUPTED));
    let outcome = scene.cycle();
    let due = Verdict::Tampered(Tampering::Value);
    assert_eq!(outcome.verdict, due, "{outcome:?}");
    // that it cannot prove says nothing of damage
    let scene = Scene::grown(Lag::None);
    scene
        .proxy
        .distort(fails("VerifiableTxById", 2, CANNOT_PROVE));
    let outcome = scene.cycle();
    assert_eq!(outcome.verdict, Verdict::Malformed, "{outcome:?}");
}

#[test]
fn whatever_excuse_is_given_headers_of_another_history_are_inconsistent() {
    for words in [CORRUPTED, CANNOT_PROVE] {
        let scene = Scene::grown(Lag::None);
        let honest = scene.embedded.ledger(DB).expect("a database");
        scene.embedded.put_ledger(DB, rewritten(&honest));
        scene.proxy.distort(fails("VerifiableTxById", 2, words));
        let outcome = scene.cycle();
        assert_eq!(outcome.verdict, INCONSISTENT, "{words}: {outcome:?}");
    }
}

/// Headers that the proof needs: the server leaves out the linear advance, as before 1.4.
#[test]
fn a_header_that_does_not_come_is_malformed_where_it_is_not_there_and_unreachable_where_nobody_is()
{
    for (code, words, due) in [
        (2, NOT_FOUND, Verdict::Malformed),
        (14, "connection refused", Verdict::Unreachable),
        (7, "permission denied", Verdict::Refused),
    ] {
        let scene = Scene::grown(Lag::By(5));
        scene.embedded.lie(Lie::WithheldAdvance);
        scene.proxy.distort(fails("TxById", code, words));
        let outcome = scene.cycle();
        assert_eq!(outcome.verdict, due, "{words}: {outcome:?}");
    }
}

#[test]
fn as_many_headers_are_fetched_for_a_proof_as_are_allowed_and_no_more() {
    let scene = Scene::grown(Lag::By(5));
    scene.embedded.lie(Lie::WithheldAdvance);
    let allowed = |max_range| {
        scene.cycle_with(Policy {
            max_range,
            ..Policy::of_consistency()
        })
    };
    let outcome = allowed(1);
    let Reason::RangeTooLong { length, limit: 1 } = outcome.reason else {
        panic!("{outcome:?}");
    };
    assert!(length > 2, "{length}");
    assert_eq!(allowed(length - 1).verdict, Verdict::Unprovable);
    assert_eq!(allowed(length).verdict, Verdict::Consistent);
}

#[test]
fn an_excuse_that_is_too_long_to_be_looked_at_is_none() {
    let scene = Scene::grown(Lag::None);
    scene.proxy.distort(fails("VerifiableTxById", 2, CORRUPTED));
    let outcome = scene.cycle_with(Policy {
        max_range: 2,
        ..Policy::of_consistency()
    });
    assert_eq!(outcome.verdict, Verdict::Malformed, "{outcome:?}");
}

#[track_caller]
fn is_due_and_accuses_nobody(outcome: &Outcome) {
    assert_eq!(outcome.verdict, Verdict::Malformed, "{outcome:?}");
    assert_eq!(outcome.open_alarms, 0, "{outcome:?}");
    let Reason::Values(report) = &outcome.reason else {
        panic!("{outcome:?}");
    };
    assert!(!report.unread.is_empty());
}

/// Changes the header of the transaction that stands beside a proof.
fn header(reply: &mut Reply, change: impl FnOnce(&mut proto::TxHeader)) {
    reply.message(|answer: &mut proto::VerifiableTx| {
        let tx = answer.tx.mut_or_insert_default();
        change(tx.header.mut_or_insert_default());
    });
}

/// A transaction that calls itself the next one.
fn of_the_next(reply: &mut Reply) {
    reply.message(|tx: &mut proto::Tx| tx.header.mut_or_insert_default().id += 1);
}

#[test]
fn another_transaction_than_the_one_asked_for_is_no_rewrite() {
    let scene = Scene::grown(Lag::None);
    scene.cycle();
    scene.proxy.distort(|call, _, reply| {
        if call == "VerifiableTxById" {
            header(reply, |header| header.id += 1);
        }
    });
    is_due_and_accuses_nobody(&scene.cycle_reading_values());
    // nor beside an excuse
    scene.proxy.distort(|call, request, reply| match call {
        "VerifiableTxById" => reply.body = Body::Error(2, CANNOT_PROVE.into()),
        "TxById" => {
            let request = proto::TxRequest::parse_from_bytes(request).expect("a request");
            let spec = request.entries_spec.unwrap_or_default();
            let with_values = spec.sql_entries_spec.is_some();
            if with_values {
                of_the_next(reply);
            }
        }
        _ => {}
    });
    is_due_and_accuses_nobody(&scene.cycle_reading_values());
}

/// A scene in which all is proven, and one transaction after another is read alone.
fn reading(distort: impl FnMut(&str, &[u8], &mut Reply) + Send + 'static) -> Outcome {
    let scene = Scene::grown(Lag::None);
    scene.cycle();
    scene.proxy.distort(distort);
    scene.cycle_reading_values()
}

#[test]
fn another_header_in_a_transactions_place_is_a_rewrite() {
    let outcome = reading(|call, _, reply| {
        if call == "VerifiableTxById" {
            header(reply, |header| header.ts += 1);
        }
    });
    assert_eq!(outcome.verdict, INCONSISTENT, "{outcome:?}");
}

#[test]
fn reading_values_ends_in_what_stood_in_its_way() {
    let corrupted = "tx data is corrupted: ALH mismatch at tx 5";
    for (code, words, due) in [
        (2, corrupted, Verdict::Tampered(Tampering::Value)),
        (2, CORRUPTED, Verdict::Tampered(Tampering::Value)),
        (2, NOT_FOUND, Verdict::Malformed),
        (2, "any other words", Verdict::Malformed),
        (7, "permission denied", Verdict::Unreachable),
        (14, "connection refused", Verdict::Unreachable),
    ] {
        let outcome = reading(move |call, _, reply| {
            if call.contains("Tx") {
                reply.body = Body::Error(code, words.into());
            }
        });
        assert_eq!(outcome.verdict, due, "{words}: {outcome:?}");
    }
    let outcome = reading(|call, _, reply| {
        if call.contains("Tx") {
            reply.change(|bytes| *bytes = vec![0xff]);
        }
    });
    is_due_and_accuses_nobody(&outcome);
    assert!(outcome.why().contains("malformed"), "{outcome:?}");
}

/// It claims more, then says that it has less, and shows what is trusted when it is asked again.
#[test]
fn a_server_that_takes_back_what_it_claimed_is_malformed_and_not_rolled_back() {
    let scene = Scene::grown(Lag::None);
    let older = scene.embedded.ledger(DB).map(|mut ledger| {
        ledger.truncate(10);
        ledger
    });
    let other = Embedded::start(Options::default()).expect("an embedded ledger");
    other.put_ledger(DB, older.expect("a database"));
    let mut caller = support::caller::Caller::new(other.port());
    caller.log_in(DB).expect("a token");
    let name = immuaudit::wire::method::CURRENT_STATE;
    let trusted = caller.call(name, Vec::new()).bytes();
    let mut asked = 0;
    scene.proxy.distort(move |call, _, reply| match call {
        "CurrentState" => {
            asked += 1;
            if asked == 2 {
                reply.body = Body::Messages(vec![trusted.clone()]);
            }
        }
        "VerifiableTxById" => {
            let words = "illegal state: latest txID=9 is lower than specified as initial tx=10";
            reply.body = Body::Error(2, words.into());
        }
        _ => {}
    });
    let outcome = scene.cycle();
    assert_eq!(outcome.verdict, Verdict::Malformed, "{outcome:?}");
}

#[test]
fn a_first_state_whose_transaction_is_not_there_is_malformed() {
    let scene = Scene::new(Lag::None);
    scene.embedded.grow(DB, 10);
    scene.proxy.distort(fails("TxById", 2, NOT_FOUND));
    assert_eq!(scene.cycle().verdict, Verdict::Malformed);
}

#[test]
fn only_a_database_that_is_trusted_can_vanish() {
    for (trusted, due) in [
        (false, Verdict::Refused),
        (true, Verdict::Tampered(Tampering::RolledBack)),
    ] {
        let scene = match trusted {
            true => Scene::grown(Lag::None),
            false => Scene::new(Lag::None),
        };
        scene.embedded.grow(DB, 1);
        scene
            .proxy
            .distort(fails("UseDatabase", 5, "'defaultdb' does not exist"));
        let outcome = scene.cycle();
        assert_eq!(outcome.verdict, due, "{outcome:?}");
        assert_eq!(matches!(outcome.reason, Reason::Vanished), trusted);
    }
}

/// Values that a server refuses as truncated, of every transaction but the last.
fn truncates(request: &[u8], reply: &mut Reply) {
    let request = proto::VerifiableTxRequest::parse_from_bytes(request).expect("a request");
    let with_values = request
        .entries_spec
        .unwrap_or_default()
        .sql_entries_spec
        .is_some();
    if with_values && request.tx < 13 {
        reply.body = Body::Error(2, "value is not available any more".into());
    }
}

#[test]
fn values_are_truncated_where_a_header_says_so_that_is_chained_to_the_trusted_one() {
    let scene = Scene::grown(Lag::None);
    let draft = Draft {
        entries: vec![NewEntry::set("truncated", "")],
        metadata: Some(TxMetadata {
            truncated_tx_id: 13,
            extra: Vec::new(),
        }),
        ..Draft::default()
    };
    scene.embedded.write(DB, draft);
    scene.cycle();
    scene.proxy.distort(|call, request, reply| {
        if call == "VerifiableTxById" {
            truncates(request, reply);
        }
    });
    let outcome = scene.cycle_reading_values();
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");

    // the same words in a header that is not the ledger's
    let scene = Scene::grown(Lag::None);
    scene.embedded.grow(DB, 1);
    scene.cycle();
    scene.proxy.distort(|call, request, reply| match call {
        "VerifiableTxById" => truncates(request, reply),
        "TxScan" => reply.message(|list: &mut proto::TxList| {
            for tx in &mut list.txs {
                let header = tx.header.mut_or_insert_default();
                header.metadata.mut_or_insert_default().truncated_tx_id = 13;
            }
        }),
        _ => {}
    });
    is_due_and_accuses_nobody(&scene.cycle_reading_values());
}

#[test]
fn digests_of_another_transaction_are_no_rewrite() {
    let outcome = reading(|call, request, reply| match call {
        "VerifiableTxById" => truncates(request, reply),
        "TxById" => of_the_next(reply),
        _ => {}
    });
    is_due_and_accuses_nobody(&outcome);
}

#[test]
fn what_was_refused_once_is_due_in_the_next_cycle() {
    let scene = Scene::grown(Lag::None);
    scene.cycle();
    scene.proxy.distort(fails("VerifiableTxById", 2, NOT_FOUND));
    is_due_and_accuses_nobody(&scene.cycle_reading_values());
    is_due_and_accuses_nobody(&scene.cycle());
    scene.proxy.be_honest();
    assert_eq!(scene.cycle().verdict, Verdict::Consistent);
}

/// A list of databases without one of them.
fn unlisted(list: &mut proto::DatabaseListResponse) {
    list.databases
        .retain(|listed| listed.database_name != DB.as_bytes());
}

#[test]
fn a_database_that_is_listed_again_when_it_is_looked_for_is_not_hidden() {
    for (lists, due) in [
        (1, Verdict::Consistent),
        (2, Verdict::Tampered(Tampering::RolledBack)),
    ] {
        let scene = Scene::grown(Lag::None);
        let mut asked = 0;
        scene.proxy.distort(move |call, _, reply| {
            if call == "DatabaseList" {
                asked += 1;
                if asked <= lists {
                    reply.message(unlisted);
                }
            }
        });
        let outcome = scene.cycle();
        assert_eq!(outcome.verdict, due, "{lists}: {outcome:?}");
    }
}

#[test]
fn a_database_that_is_not_listed_and_cannot_be_opened_is_what_its_error_says() {
    let scene = Scene::grown(Lag::None);
    scene.proxy.distort(|call, _, reply| match call {
        "DatabaseList" => reply.message(unlisted),
        "UseDatabase" => reply.body = Body::Error(7, "permission denied".into()),
        _ => {}
    });
    let outcome = scene.cycle();
    let why = matches!(outcome.reason, Reason::Failure(_));
    assert!(why && outcome.verdict == Verdict::Refused, "{outcome:?}");
}

/// Accepting that it is hidden must not forget what is trusted of it.
#[test]
fn a_hidden_database_that_shows_nothing_is_hidden_at_what_is_trusted() {
    let scene = Scene::grown(Lag::None);
    let trusted = scene
        .embedded
        .ledger(DB)
        .and_then(|ledger| ledger.state_at(10));
    scene.proxy.distort(|call, _, reply| match call {
        "DatabaseList" => reply.message(unlisted),
        "CurrentState" => reply.body = Body::Error(2, "any other words".into()),
        _ => {}
    });
    let outcome = scene.cycle();
    let hidden = matches!(outcome.reason, Reason::Hidden);
    assert!(hidden && outcome.shown == trusted, "{outcome:?}");
}

#[test]
fn a_pinned_database_is_audited_whatever_is_selected() {
    let scene = Scene::new(Lag::None);
    scene.embedded.grow(DB, 10);
    let state = scene.embedded.state(DB).expect("a database");
    let outcome = scene.cycle_with(Policy {
        databases: DatabaseFilter::new(vec!["another".into()]),
        pins: vec![Pin {
            database: DB.into(),
            state,
        }],
        ..Policy::of_consistency()
    });
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");
}

#[test]
fn a_cycle_in_which_anything_was_left_out_is_not_good() {
    let scene = Scene::grown(Lag::None);
    let good = || scene.whole_cycle(Policy::of_consistency());
    assert_eq!(good().exit(), Exit::Good);
    for leave_out in [
        |cycle: &mut Cycle| cycle.too_many = 1,
        |cycle: &mut Cycle| cycle.stopped = true,
        |cycle: &mut Cycle| cycle.outcomes.clear(),
        |cycle: &mut Cycle| {
            cycle.impossible = Some(Impossible {
                count: 1,
                first: Shown::new("no name"),
            });
        },
    ] {
        let mut cycle = good();
        leave_out(&mut cycle);
        assert_eq!(cycle.exit(), Exit::Incomplete, "{cycle:?}");
    }
    scene
        .proxy
        .distort(fails("DatabaseList", 2, "any other words"));
    let cycle = good();
    assert_eq!(cycle.outcomes[0].verdict, Verdict::Consistent, "{cycle:?}");
    assert_eq!(cycle.exit(), Exit::Incomplete, "{cycle:?}");
}
