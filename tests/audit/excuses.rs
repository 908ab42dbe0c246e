//! Errors and invalid responses in place of a proof or of the list of databases. An excuse counts
//! only if the headers prove it, and unclear responses are not reported as tampering. A proxy
//! replaces the responses.

use crate::support::distorted::{
    CANNOT_PROVE, CORRUPTED, DB, INCONSISTENT, NOT_FOUND, Scene, fails,
};
use crate::support::proxy::Body;
use immuaudit::audit::{Cycle, Exit, Impossible, Policy, Reason, Verdict};
use immuaudit::config::DatabaseFilter;
use immuaudit::config::Pin;
use immuaudit::drill::{Embedded, Lag, Ledger, Lie, NewEntry, Options, dual_proof_message};
use immuaudit::ledger::{DualProof, Term};
use immuaudit::text::Escaped;
use immuaudit::trust::Tampering;
use immuaudit::wire::proto;
use protobuf::{Message, MessageField};

/// Returns the ledger with another transaction 10, which is the trusted one, and two transactions
/// after it.
fn rewritten(honest: &Ledger) -> Ledger {
    let mut forged = honest.clone();
    forged.truncate(9);
    for value in ["another", "and", "more"] {
        forged.commit(vec![NewEntry::set("key", value)]);
    }
    forged
}

/// The server sends a proof, but the tree of transaction 12 is smaller than the tree of the trusted
/// transaction.
#[test]
fn a_proof_over_a_smaller_tree_is_unprovable_if_headers_show_it() {
    let scene = Scene::grown(Lag::Table(vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 4]));
    let ledger = scene.embedded.ledger(DB).expect("a database");
    let header = |tx| Some(ledger.tx(tx).expect("a transaction").header.clone());
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

/// Servers before 1.2 use this error as an excuse, and also for a damaged log.
#[test]
fn an_error_about_a_corrupt_log_without_an_excuse_is_a_bad_value() {
    let scene = Scene::grown(Lag::None);
    scene.proxy.distort(fails("VerifiableTxById", 2, CORRUPTED));
    let outcome = scene.cycle();
    let expected = Verdict::Tampered(Tampering::BadValue);
    assert_eq!(outcome.verdict, expected, "{outcome:?}");
    // the error for an impossible proof does not report damage
    let scene = Scene::grown(Lag::None);
    scene
        .proxy
        .distort(fails("VerifiableTxById", 2, CANNOT_PROVE));
    let outcome = scene.cycle();
    assert_eq!(outcome.verdict, Verdict::Malformed, "{outcome:?}");
}

#[test]
fn headers_of_another_history_are_inconsistent_despite_an_excuse() {
    for message in [CORRUPTED, CANNOT_PROVE] {
        let scene = Scene::grown(Lag::None);
        let honest = scene.embedded.ledger(DB).expect("a database");
        scene.embedded.put_ledger(DB, rewritten(&honest));
        scene.proxy.distort(fails("VerifiableTxById", 2, message));
        let outcome = scene.cycle();
        assert_eq!(outcome.verdict, INCONSISTENT, "{message}: {outcome:?}");
    }
}

/// The proof needs more headers, because the server leaves out the linear advance, as servers
/// before 1.4 do.
#[test]
fn the_error_for_a_missing_header_decides_the_verdict() {
    for (code, message, expected) in [
        (2, NOT_FOUND, Verdict::Malformed),
        (14, "connection refused", Verdict::Unreachable),
        (7, "permission denied", Verdict::Refused),
    ] {
        let scene = Scene::grown(Lag::By(5));
        scene.embedded.lie(Lie::WithheldAdvance);
        scene.proxy.distort(fails("TxById", code, message));
        let outcome = scene.cycle();
        assert_eq!(outcome.verdict, expected, "{message}: {outcome:?}");
    }
}

#[test]
fn the_number_of_headers_fetched_for_a_proof_is_limited() {
    let scene = Scene::grown(Lag::By(5));
    scene.embedded.lie(Lie::WithheldAdvance);
    let allowed = |max_fetch| {
        scene.cycle_with(Policy {
            max_fetch,
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
fn an_excuse_over_too_many_headers_is_rejected() {
    let scene = Scene::grown(Lag::None);
    scene.proxy.distort(fails("VerifiableTxById", 2, CORRUPTED));
    let outcome = scene.cycle_with(Policy {
        max_fetch: 2,
        ..Policy::of_consistency()
    });
    assert_eq!(outcome.verdict, Verdict::Malformed, "{outcome:?}");
}

/// The server claims more transactions, then denies them, and returns the trusted state when it is
/// asked again.
#[test]
fn a_server_that_withdraws_its_claim_is_malformed_not_rolled_back() {
    let scene = Scene::grown(Lag::None);
    let older = scene.embedded.ledger(DB).map(|mut ledger| {
        ledger.truncate(10);
        ledger
    });
    let other = Embedded::start(Options::default()).expect("an embedded ledger");
    other.put_ledger(DB, older.expect("a database"));
    let mut caller = crate::support::caller::Caller::new(other.port());
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
            let message = "illegal state: latest txID=9 is lower than specified as initial tx=10";
            reply.body = Body::Error(2, message.into());
        }
        _ => {}
    });
    let outcome = scene.cycle();
    assert_eq!(outcome.verdict, Verdict::Malformed, "{outcome:?}");
}

#[test]
fn a_first_state_without_its_transaction_is_malformed() {
    let scene = Scene::new(Lag::None);
    scene.embedded.grow(DB, 10);
    scene.proxy.distort(fails("TxById", 2, NOT_FOUND));
    assert_eq!(scene.cycle().verdict, Verdict::Malformed);
}

#[test]
fn only_a_trusted_database_can_vanish() {
    for (trusted, expected) in [
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
        assert_eq!(outcome.verdict, expected, "{outcome:?}");
        assert_eq!(matches!(outcome.reason, Reason::Vanished), trusted);
    }
}

/// Removes the database from a list.
fn unlisted(list: &mut proto::DatabaseListResponse) {
    list.databases
        .retain(|listed| listed.database_name != DB.as_bytes());
}

#[test]
fn a_database_in_a_second_list_is_not_hidden() {
    for (lists, expected) in [
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
        assert_eq!(outcome.verdict, expected, "{lists}: {outcome:?}");
    }
}

#[test]
fn an_unlisted_database_gets_the_verdict_of_its_open_error() {
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

/// The finding names the trusted state, so no command offers to give it up.
#[test]
fn a_hidden_database_without_a_state_has_the_trusted_one() {
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
fn a_pinned_database_is_audited_despite_the_filter() {
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
fn a_cycle_that_skipped_anything_is_incomplete() {
    let scene = Scene::grown(Lag::None);
    let good = || scene.complete_cycle(Policy::of_consistency());
    assert_eq!(good().exit(), Exit::Good);
    for leave_out in [
        |cycle: &mut Cycle| cycle.skipped_databases = 1,
        |cycle: &mut Cycle| cycle.stopped = true,
        |cycle: &mut Cycle| cycle.outcomes.clear(),
        |cycle: &mut Cycle| {
            cycle.impossible = Some(Impossible {
                count: 1,
                first: Escaped::new("no name"),
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
