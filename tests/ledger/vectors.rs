//! Every recorded response is verified, and every changed or constructed one gets the expected
//! verdict.

#![allow(clippy::result_large_err)] // the error types are the program's

use std::collections::BTreeMap;

use crate::support::vectors::{Case, Vectors, read, read_all};
use immuaudit::ledger::{
    Fault, Parts, PublicKey, Reason, Refusal, StateShape, TxHeader, verify, verify_entries,
};
use immuaudit::wire::{self, Malformed};

/// Verifies the proof of one `VerifiableTxById`, from its bytes to the verdict.
fn prove(case: Case) -> Result<(), Malformed> {
    let (source, target) = (case.state("source_"), case.state("target_"));
    let answer = wire::verifiable_tx(&case.bytes("reply"))?;
    let proven = verify(&source, &target, &answer.proof, &parts(case)?)?;
    assert_eq!((proven.source(), proven.target()), (source, target));
    Ok(())
}

/// Returns the parts that the auditor fetched in addition to the proof.
fn parts(case: Case) -> Result<Parts, Malformed> {
    let mut inclusions = BTreeMap::new();
    for part in case.list("part") {
        let answer = wire::verifiable_tx(&part.bytes("reply"))?;
        let id = answer.proof.source.as_ref().map_or(0, TxHeader::id);
        inclusions.insert(id, answer.proof.inclusion);
    }
    Ok(Parts {
        headers: headers(case)?,
        inclusions,
    })
}

fn headers(case: Case) -> Result<BTreeMap<u64, TxHeader>, Malformed> {
    case.list("header")
        .map(|header| {
            let tx = wire::tx(&header.bytes("reply"))?;
            Ok((tx.header.id(), tx.header))
        })
        .collect()
}

fn verdict(result: Result<(), Malformed>) -> &'static str {
    match result {
        Ok(()) => "holds",
        Err(Malformed::Refused(refusal)) => match refusal.fault() {
            Fault::Inconsistent => "inconsistent",
            Fault::Malformed => "malformed",
        },
        Err(_) => "malformed",
    }
}

fn label(vectors: &Vectors, case: Case) -> String {
    format!(
        "{}: {} {}",
        vectors.name,
        case.text("call"),
        case.text("why")
    )
}

#[test]
fn every_recorded_proof_holds() {
    let mut count = 0;
    for vectors in read_all("real") {
        for case in vectors.cases().filter(|case| case.is("VerifiableTxById")) {
            assert_eq!(prove(case), Ok(()), "{}", label(&vectors, case));
            count += 1;
        }
    }
    assert_eq!(count, 254);
}

#[test]
fn a_recorded_proof_without_its_parts_names_the_missing_ones() {
    let mut count = 0;
    for vectors in read_all("real") {
        for case in vectors.cases().filter(|case| case.is("VerifiableTxById")) {
            if case.list("header").count() == 0 {
                continue;
            }
            let answer = wire::verifiable_tx(&case.bytes("reply")).unwrap();
            let (source, target) = (case.state("source_"), case.state("target_"));
            let refused = verify(&source, &target, &answer.proof, &Parts::default()).unwrap_err();
            let Reason::PartsNeeded(wanted) = refused.reason else {
                panic!("{}: {refused}", label(&vectors, case));
            };
            let given = parts(case).unwrap();
            assert!(
                wanted.headers.eq(given.headers.keys().copied()),
                "{}",
                label(&vectors, case)
            );
            let inclusions = given.inclusions.keys().copied();
            assert!(
                wanted.inclusions.eq(inclusions),
                "{}",
                label(&vectors, case)
            );
            count += 1;
        }
    }
    assert_eq!(count, 18);
}

#[test]
fn every_changed_proof_gets_its_verdict() {
    let vectors = read("mutated.toml");
    let mut count = 0;
    for case in vectors.cases() {
        assert_eq!(
            verdict(prove(case)),
            case.text("verdict"),
            "{}",
            label(&vectors, case)
        );
        count += 1;
    }
    assert_eq!(count, 348);
}

#[test]
fn every_second_history_is_refused_and_the_honest_one_holds() {
    let vectors = read("two-histories.toml");
    for case in vectors.cases() {
        assert_eq!(
            verdict(prove(case)),
            case.text("verdict"),
            "{}",
            label(&vectors, case)
        );
    }
    assert_eq!(vectors.cases().count(), 18);
}

#[test]
fn every_recorded_state_is_decoded() {
    for vectors in read_all("real").iter().chain([&read("signatures.toml")]) {
        for case in vectors.cases().filter(|case| case.is("CurrentState")) {
            let claimed = wire::state(&case.bytes("reply")).unwrap();
            assert_eq!(claimed.state, case.state(""), "{}", label(vectors, case));
        }
    }
}

#[test]
fn every_recorded_signature_covers_its_database_and_state() {
    let vectors = read("signatures.toml");
    let pem = vectors.file["public_key"].as_str().unwrap();
    let keys = PublicKey::from_pem(pem).unwrap();
    for case in vectors.cases() {
        let label = label(&vectors, case);
        let claimed = wire::state(&case.bytes("reply")).unwrap();
        let database = case.text("database");
        assert_eq!(claimed.verify_signature(database, &keys), Ok(()), "{label}");
        let other = claimed.verify_signature("other", &keys);
        // a signature of 0.9.0 does not cover the database
        assert_eq!(
            other.is_ok(),
            claimed.shape == StateShape::WithoutDatabase,
            "{label}"
        );

        let mut changed = claimed.clone();
        changed.state.tx += 1;
        assert!(
            changed.verify_signature(database, &keys).is_err(),
            "{label}"
        );
        let mut unsigned = claimed;
        unsigned.signature = None;
        assert!(
            unsigned.verify_signature(database, &keys).is_err(),
            "{label}"
        );
    }
}

#[test]
fn recorded_transactions_and_entries_match_their_hashes() {
    let mut values = 0;
    for vectors in read_all("real") {
        for case in vectors.cases() {
            let label = label(&vectors, case);
            let txs = if case.is("TxById") {
                vec![wire::tx(&case.bytes("reply")).unwrap()]
            } else if case.is("TxScan") {
                let list = wire::tx_list(&case.bytes("reply")).unwrap();
                list.into_iter().map(Result::unwrap).collect()
            } else {
                continue;
            };
            for pair in txs.windows(2) {
                assert_eq!(*pair[1].header.prev_alh(), pair[0].header.alh(), "{label}");
            }
            for tx in &txs {
                if case.has("alh") {
                    assert_eq!(tx.header.alh(), case.digest("alh"), "{label}");
                }
                let entries = u32::try_from(tx.entries.len()).unwrap();
                if entries == tx.header.nentries() {
                    assert_eq!(verify_entries(&tx.header, &tx.entries), Ok(()), "{label}");
                }
                for entry in tx.entries.iter().filter(|entry| !entry.value.is_empty()) {
                    assert_eq!(entry.verify_value(&tx.header), Ok(()), "{label}");
                    values += 1;
                }
            }
        }
    }
    assert!(values > 20, "{values}");
}

#[test]
fn every_recorded_verified_get_holds() {
    let mut count = 0;
    for vectors in read_all("gets") {
        let trusted = Case(&vectors.file).state("state_");
        for case in vectors.cases().filter(|case| case.is("VerifiableGet")) {
            let label = label(&vectors, case);
            let answer = wire::verifiable_entry(&case.bytes("reply")).unwrap();
            assert_eq!(answer.header.alh(), case.digest("alh"), "{label}");
            assert_eq!(
                answer.entry.verify(&answer.header, &answer.inclusion),
                Ok(()),
                "{label}"
            );
            assert_eq!(
                answer
                    .proof
                    .verify_answer(case.number("tx"), &answer.header),
                Ok(())
            );
            let of_entry = case.state("");
            let held = verify(&of_entry, &trusted, &answer.proof, &Parts::default());
            assert!(held.is_ok(), "{label}: {held:?}");

            let mut changed = answer.entry.clone();
            changed.value.push(0);
            if changed.referenced_by.is_none() {
                let refused: Refusal = changed
                    .verify(&answer.header, &answer.inclusion)
                    .unwrap_err();
                assert_eq!(refused.fault(), Fault::Inconsistent, "{label}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 16);
}
