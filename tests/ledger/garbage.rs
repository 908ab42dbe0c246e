//! Random proofs cause no panic, and forged proofs of endless length end at the first missing part.

use std::collections::BTreeMap;

use crate::support::prover::Tx;
use crate::support::question::{Question, random_term};
use crate::support::random::Random;
use immuaudit::ledger::{
    Digest, DualProof, Fault, LinearAdvance, LinearProof, Parts, Reason, State, Term, TxHeader,
    excuse, verify,
};

/// Returns an id at an end of its range, a small id that lets a step continue, or a random one.
fn random_id(random: &mut Random) -> u64 {
    let ends = [
        0,
        1,
        2,
        u64::MAX,
        u64::MAX - 1,
        1 << 63,
        (1 << 63) - 1,
        1 << 32,
    ];
    match random.below(3) {
        0 => ends[random.index(ends.len())],
        1 => random.below(12),
        _ => random.u64() >> random.below(64),
    }
}

fn random_header(random: &mut Random) -> TxHeader {
    let id = random_id(random);
    let mut fields = Tx::new(id, random.digest(), &[], random).fields;
    fields.bl_tx_id = random_id(random);
    fields.ts = random_id(random) as i64;
    TxHeader::new(fields).unwrap()
}

/// The headers hash to the states, and the ids fit, so that every step is reached.
#[test]
fn random_proofs_are_refused_quickly_and_without_a_panic() {
    let mut random = Random::new(7);
    let mut steps = BTreeMap::new();
    for _ in 0..200_000 {
        let (source, target) = (random_header(&mut random), random_header(&mut random));
        let state = |header: &TxHeader| State {
            tx: header.id(),
            hash: header.alh(),
        };
        let terms = |random: &mut Random| -> Vec<Term> {
            let length = random.index(70);
            (0..length).map(|_| random_term(random)).collect()
        };
        let question = Question {
            source: state(&source),
            target: state(&target),
            proof: DualProof {
                inclusion: terms(&mut random),
                consistency: terms(&mut random),
                target_bl_tx_alh: random_term(&mut random),
                last_inclusion: terms(&mut random),
                linear: Some(LinearProof {
                    source_tx: source.id(),
                    target_tx: target.id(),
                    terms: terms(&mut random),
                }),
                linear_advance: (random.below(2) == 0).then(|| LinearAdvance {
                    linear: terms(&mut random),
                    inclusions: vec![terms(&mut random)],
                }),
                source: Some(source.clone()),
                target: Some(target.clone()),
            },
            parts: Parts::default(),
        };
        if let Err(refused) = verify(
            &question.source,
            &question.target,
            &question.proof,
            &question.parts,
        ) {
            assert!(!refused.to_string().is_empty());
            *steps.entry(refused.step).or_insert(0u32) += 1;
        }
        let headers = [source, target, random_header(&mut random)]
            .map(|header| (header.id(), header))
            .into();
        if let Err(refused) = excuse(&question.source, &question.target, &headers) {
            assert!(!refused.to_string().is_empty());
        }
    }
    println!("{steps:?}");
}

/// A forged tree of 2^63 transactions is accepted by every step before the linear advance, which
/// would need 2^62 parts.
#[test]
fn a_forged_endless_advance_ends_at_the_first_missing_part() {
    let mut random = Random::new(8);
    let source = Tx::new(1 << 62, random.digest(), &[], &mut random);
    let last = random.digest();
    let siblings: Vec<Digest> = (0..62).map(|_| random.digest()).collect();
    let up = |data: &Digest| {
        let leaf = Digest::leaf(data);
        siblings
            .iter()
            .fold(leaf, |hash, sibling| Digest::node(sibling, &hash))
    };
    let (left, right) = (up(&source.alh), up(&last));
    let mut fields = Tx::new((1 << 63) + 1, last, &[], &mut random).fields;
    fields.bl_tx_id = 1 << 63;
    fields.bl_root = Digest::node(&left, &right);
    let target = TxHeader::new(fields).unwrap();
    let path = |end| -> Vec<Term> {
        let siblings = siblings.iter().copied();
        siblings.chain([end]).map(Term::from).collect()
    };
    let mut question = Question {
        source: source.state(),
        target: State {
            tx: target.id(),
            hash: target.alh(),
        },
        proof: DualProof {
            source: Some(source.header()),
            inclusion: path(right),
            consistency: vec![],
            target_bl_tx_alh: last.into(),
            last_inclusion: path(left),
            linear: Some(LinearProof {
                source_tx: 1 << 63,
                target_tx: target.id(),
                terms: vec![last.into(), target.inner().into()],
            }),
            linear_advance: None,
            target: Some(target),
        },
        parts: Parts::default(),
    };
    let refused = verify(
        &question.source,
        &question.target,
        &question.proof,
        &question.parts,
    );
    let Reason::PartsNeeded(wanted) = refused.unwrap_err().reason else {
        panic!("not for its parts");
    };
    assert_eq!(wanted.headers, 1..=1 << 62);
    assert_eq!(wanted.inclusions, 1..=(1 << 62) - 1);
    question.proof.linear_advance = Some(LinearAdvance {
        linear: vec![],
        inclusions: vec![],
    });
    assert_eq!(question.fault(), Some(Fault::Malformed));
}

#[test]
fn an_endless_excuse_ends_at_the_first_missing_header() {
    let mut random = Random::new(9);
    let tree = [random.digest()];
    let first = Tx::new(2, random.digest(), &tree, &mut random);
    let last = Tx::new(u64::MAX, random.digest(), &[], &mut random);
    let headers = [(2, first.header()), (u64::MAX, last.header())].into();
    let refused = excuse(&first.state(), &last.state(), &headers).unwrap_err();
    assert_eq!((refused.tx, refused.fault()), (3, Fault::Malformed));
}
