//! Other responses when the values of a transaction are read. Only a proven contradiction is
//! tampering; otherwise the transaction stays due. A proxy makes the responses.

use crate::support::distorted::{
    CANNOT_PROVE, CORRUPTED, DB, INCONSISTENT, NOT_FOUND, Scene, fails,
};
use crate::support::proxy::{Body, Reply};
use crate::support::value_scene::truncation;
use immuaudit::audit::{Outcome, Verdict};
use immuaudit::drill::Lag;
use immuaudit::trust::Tampering;
use immuaudit::wire::proto;
use protobuf::Message;

#[track_caller]
fn is_due_without_an_alarm(outcome: &Outcome) {
    let expected = [Verdict::Malformed, Verdict::Unread];
    assert!(expected.contains(&outcome.verdict), "{outcome:?}");
    assert_eq!(outcome.open_alarms, 0, "{outcome:?}");
    let report = outcome.values.as_ref().expect("a report of values");
    assert!(!report.unread.is_empty());
}

/// Changes the header of the transaction next to a proof.
fn header(reply: &mut Reply, change: impl FnOnce(&mut proto::TxHeader)) {
    reply.message(|answer: &mut proto::VerifiableTx| {
        let tx = answer.tx.mut_or_insert_default();
        change(tx.header.mut_or_insert_default());
    });
}

/// Makes a transaction have the number of the next one.
fn of_the_next(reply: &mut Reply) {
    reply.message(|tx: &mut proto::Tx| tx.header.mut_or_insert_default().id += 1);
}

#[test]
fn a_transaction_with_another_number_is_no_rewrite() {
    let scene = Scene::grown(Lag::None);
    scene.cycle();
    scene.proxy.distort(|call, _, reply| {
        if call == "VerifiableTxById" {
            header(reply, |header| header.id += 1);
        }
    });
    is_due_without_an_alarm(&scene.cycle_reading_values());
    // the same together with an excuse
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
    is_due_without_an_alarm(&scene.cycle_reading_values());
}

/// Checks once so that all is proven, and then reads single transactions over a changed connection.
fn reading(distort: impl FnMut(&str, &[u8], &mut Reply) + Send + 'static) -> Outcome {
    let scene = Scene::grown(Lag::None);
    scene.cycle();
    scene.proxy.distort(distort);
    scene.cycle_reading_values()
}

#[test]
fn another_header_of_a_transaction_is_a_rewrite() {
    let outcome = reading(|call, _, reply| {
        if call == "VerifiableTxById" {
            header(reply, |header| header.ts += 1);
        }
    });
    assert_eq!(outcome.verdict, INCONSISTENT, "{outcome:?}");
}

#[test]
fn the_error_of_a_failed_reading_decides_the_verdict() {
    let corrupted = "tx data is corrupted: ALH mismatch at tx 5";
    for (code, message, expected) in [
        (2, corrupted, Verdict::Tampered(Tampering::BadValue)),
        (2, CORRUPTED, Verdict::Tampered(Tampering::BadValue)),
        (2, NOT_FOUND, Verdict::Unread),
        (2, "any other words", Verdict::Unread),
        (7, "permission denied", Verdict::Unread),
        (14, "connection refused", Verdict::Unread),
    ] {
        let outcome = reading(move |call, _, reply| {
            if call.contains("Tx") {
                reply.body = Body::Error(code, message.into());
            }
        });
        assert_eq!(outcome.verdict, expected, "{message}: {outcome:?}");
    }
    let outcome = reading(|call, _, reply| {
        if call.contains("Tx") {
            reply.change(|bytes| *bytes = vec![0xff]);
        }
    });
    is_due_without_an_alarm(&outcome);
    assert!(outcome.why().contains("malformed"), "{outcome:?}");
}

/// Refuses the values of every transaction but the last as truncated.
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
fn only_a_header_of_the_trusted_history_explains_a_truncation() {
    let scene = Scene::grown(Lag::None);
    scene.embedded.write(DB, truncation(13));
    scene.cycle();
    scene.proxy.distort(|call, request, reply| {
        if call == "VerifiableTxById" {
            truncates(request, reply);
        }
    });
    let outcome = scene.cycle_reading_values();
    assert_eq!(outcome.verdict, Verdict::Consistent, "{outcome:?}");

    // the same metadata in a header that does not belong to the ledger
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
    is_due_without_an_alarm(&scene.cycle_reading_values());
}

#[test]
fn digests_of_another_transaction_are_no_rewrite() {
    let outcome = reading(|call, request, reply| match call {
        "VerifiableTxById" => truncates(request, reply),
        "TxById" => of_the_next(reply),
        _ => {}
    });
    is_due_without_an_alarm(&outcome);
}

#[test]
fn a_refused_transaction_is_due_in_the_next_cycle() {
    let scene = Scene::grown(Lag::None);
    scene.cycle();
    scene.proxy.distort(fails("VerifiableTxById", 2, NOT_FOUND));
    is_due_without_an_alarm(&scene.cycle_reading_values());
    is_due_without_an_alarm(&scene.cycle());
    scene.proxy.be_honest();
    assert_eq!(scene.cycle().verdict, Verdict::Consistent);
}

/// The error of `Get` for a value that a replica never received (protocol.md §6).
const NO_VALUE: &str = "data is corrupted: internal value consistency error - missing value prefix";

#[test]
fn a_value_missing_in_get_is_absent_and_other_damage_is_tampering() {
    for (message, expected) in [
        (NO_VALUE, Verdict::Consistent),
        (
            "data is corrupted: value length or digest mismatch",
            Verdict::Tampered(Tampering::BadValue),
        ),
    ] {
        // the value is missing, although its length is not zero
        let outcome = reading(move |call, _, reply| match call {
            "VerifiableTxById" => reply.message(|answer: &mut proto::VerifiableTx| {
                let tx = answer.tx.mut_or_insert_default();
                tx.entries.iter_mut().for_each(|entry| entry.value.clear());
            }),
            "Get" => reply.body = Body::Error(2, message.into()),
            _ => {}
        });
        assert_eq!(outcome.verdict, expected, "{message}: {outcome:?}");
        let absent = outcome
            .warnings
            .iter()
            .any(|warning| matches!(warning, immuaudit::audit::Warning::ValuesAbsent { .. }));
        assert_eq!(
            absent,
            expected == Verdict::Consistent,
            "{message}: {outcome:?}"
        );
    }
}
