//! The formal definitions of docs/proof and `ledger::verify` give the same verdict, step by step:
//! for every recorded, changed and constructed vector, and for thousands of random proofs. `./dev
//! proof` compiles the definitions and names the program that evaluates them. Without this program
//! the comparison is skipped with a notice.

#![allow(clippy::result_large_err)] // the error types are the program's

use std::collections::{BTreeMap, BTreeSet};

use crate::support::formal::Questions;
use crate::support::formal_drawn::{change, entry, got, honest, large_tree, number, tangled};
use crate::support::prover::{Chain, Tx, prove, sha256};
use crate::support::question::{Question, random_term};
use crate::support::random::Random;
use crate::support::vectors::{Case, read, read_all};
use immuaudit::audit::{Step, Walk};
use immuaudit::ledger::{Digest, HeaderFields, Parts, Reason, State, TxEntry, TxHeader, verify};
use immuaudit::wire;

/// Returns the question of a vector, or `None` if its bytes are not a valid response.
fn question(case: Case) -> Option<Question> {
    let answer = wire::verifiable_tx(&case.bytes("reply")).ok()?;
    let mut parts = Parts::default();
    for part in case.list("part") {
        let answer = wire::verifiable_tx(&part.bytes("reply")).ok()?;
        let id = answer.proof.source.as_ref().map_or(0, TxHeader::id);
        parts.inclusions.insert(id, answer.proof.inclusion);
    }
    for header in case.list("header") {
        let tx = wire::tx(&header.bytes("reply")).ok()?;
        parts.headers.insert(tx.header.id(), tx.header);
    }
    Some(Question {
        source: case.state("source_"),
        target: case.state("target_"),
        proof: answer.proof,
        parts,
    })
}

fn recorded() -> Vec<Question> {
    let real = read_all("real");
    let made = ["mutated.toml", "two-histories.toml"].map(read);
    let cases = real.iter().chain(&made).flat_map(|vectors| vectors.cases());
    let proofs = cases.filter(|case| case.is("VerifiableTxById"));
    proofs.filter_map(question).collect()
}

#[test]
fn every_vector_gets_the_verdict_of_the_formal_definitions() {
    let mut questions = Questions::default();
    for question in recorded() {
        questions.verify(&question);
        let bare = question.changed(|q| q.parts = Parts::default());
        questions.verify(&bare);
    }
    for vectors in read_all("gets") {
        let trusted = Case(&vectors.file).state("state_");
        for case in vectors.cases().filter(|case| case.is("VerifiableGet")) {
            let answer = wire::verifiable_entry(&case.bytes("reply")).unwrap();
            questions.get(&answer.header, &answer.entry, &answer.inclusion);
            questions.answer(&answer.proof, case.number("tx"), &answer.header);
            questions.verify(&Question {
                source: case.state(""),
                target: trusted,
                proof: answer.proof,
                parts: Parts::default(),
            });
        }
    }
    for vectors in read_all("real") {
        for case in vectors.cases().filter(|case| case.is("TxById")) {
            let tx = wire::tx(&case.bytes("reply")).unwrap();
            questions.entries(&tx.header, &tx.entries);
            for entry in &tx.entries {
                questions.value(&tx.header, entry);
            }
        }
    }
    assert!(questions.lines.len() > 1_000, "{}", questions.lines.len());
    questions.compare();
}

#[test]
fn random_proofs_get_the_verdict_of_the_formal_definitions() {
    let mut random = Random::new(23);
    let mut questions = Questions::default();
    let mut all = honest(&mut random);
    all.extend(tangled(&mut random, 3_000));
    for question in &all {
        questions.verify(question);
    }
    all.extend(recorded());
    for _ in 0..4_000 {
        let mut question = all[random.index(all.len())].clone();
        for _ in 0..1 + random.below(2) {
            change(&mut question, &mut random);
        }
        questions.verify(&question);
    }
    for _ in 0..1_000 {
        let question = &all[random.index(all.len())];
        let other = &all[random.index(all.len())].proof;
        let headers = [&question.proof, other].map(|proof| [&proof.source, &proof.target]);
        let Some(header) = headers[random.index(2)][random.index(2)] else {
            continue;
        };
        let asked = header.id() + random.below(4) / 3;
        questions.answer(&question.proof, asked, header);
    }
    let verdicts: BTreeSet<&str> = questions.verdicts().into_keys().collect();
    for step in [
        "Ids Malformed",
        "Alh Inconsistent",
        "Alh TreeShrinks",
        "Inclusion Malformed",
        "Inclusion Inconsistent",
        "Consistency Malformed",
        "Consistency Inconsistent",
        "LastInclusion Malformed",
        "LastInclusion Inconsistent",
        "LinearProof Malformed",
        "LinearProof Inconsistent",
        "LinearAdvance Malformed",
        "LinearAdvance Inconsistent",
        "LinearAdvance PartsNeeded",
        "OnwardLink Malformed",
        "OnwardLink Inconsistent",
        "OnwardLink PartsNeeded",
        "accepted",
    ] {
        assert!(
            verdicts.contains(step),
            "no question has the verdict {step}"
        );
    }
    questions.compare();
}

#[test]
fn trees_of_every_size_are_verified_alike() {
    let mut random = Random::new(24);
    let mut questions = Questions::default();
    for _ in 0..60 {
        let bits = 64 - random.below(63);
        let target_id = (random.u64() >> (64 - bits)).max(3);
        let size = 2 + random.below(target_id - 2);
        let source_id = 1 + random.below(size - 1);
        let mut source = Tx::new(source_id, random.digest(), &[], &mut random).fields;
        source.bl_tx_id = random.below(source_id);
        let source_header = TxHeader::new(source).unwrap();
        let leaf = sha256(&[&[0], &source_header.alh().as_bytes()[..]].concat());
        let (root, terms) = large_tree(source_id - 1, size, leaf, &mut random);
        let mut target = Tx::new(target_id, random.digest(), &[], &mut random).fields;
        target.bl_tx_id = size;
        target.bl_root = root;
        let target_header = TxHeader::new(target).unwrap();
        let state = |header: &TxHeader| State {
            tx: header.id(),
            hash: header.alh(),
        };
        let (source, target) = (state(&source_header), state(&target_header));
        let (mut proof, parts) = prove(
            &[Tx::new(1, sha256(b""), &[], &mut random)],
            &[Tx::new(1, sha256(b""), &[], &mut random)],
        );
        proof.source = Some(source_header);
        proof.target = Some(target_header);
        // every number of terms, and the right one
        for length in (0..=64).chain([terms.len()]) {
            let mut some = terms.clone();
            some.resize(length, random_term(&mut random));
            proof.inclusion = some;
            let (proof, parts) = (proof.clone(), parts.clone());
            let question = Question {
                source,
                target,
                proof,
                parts,
            };
            questions.verify(&question);
        }
        for length in 0..=65 {
            proof.consistency = vec![Digest::ZERO.into(); length];
            let (proof, parts) = (proof.clone(), parts.clone());
            let question = Question {
                source,
                target,
                proof,
                parts,
            };
            questions.verify(&question);
        }
    }
    for expected in [
        "Consistency Malformed",
        "Consistency Inconsistent",
        "LastInclusion Malformed",
    ] {
        assert!(questions.verdicts().contains_key(expected), "{expected}");
    }
    questions.compare();
}

/// A sweep (docs/proof/Walk.v) reaches transaction 1,601, whose tree of 500 has another transaction
/// 450 than the chain. The walk does not store so old a tree. The transactions at the ends of scans
/// cannot be proven against it, because their trees are larger. The last transaction in the tree
/// always can, because its own tree is smaller.
#[test]
fn an_old_tree_is_proven_from_its_last_transaction() {
    let mut random = Random::new(28);
    let mut history = Chain::honest(1_600, &mut random, |id, _| id - 1).0;
    let mut tree: Vec<Digest> = history[..500].iter().map(|tx| tx.alh).collect();
    let other = Tx::new(450, history[448].alh, &tree[..449], &mut random);
    let trusted_before = history[399].state();
    let honest = Tx::new(1_601, history[1_599].alh, &tree, &mut random);
    tree[449] = other.alh;
    let forged = Tx::new(1_601, history[1_599].alh, &tree, &mut random);
    let fault = |source: &[Tx], target: &[Tx]| {
        let (proof, parts) = prove(source, target);
        let state = |chain: &[Tx]| chain.last().unwrap().state();
        let refused = verify(&state(source), &state(target), &proof, &parts).err();
        refused.map(|refusal| refusal.reason)
    };

    let mut walk = Walk::default();
    for tx in &history {
        assert_eq!(walk.pass(&tx.header()), Step::Follows, "{}", tx.id());
    }
    assert_eq!(walk.pass(&forged.header()), Step::TreeUnknown);
    history.push(forged);
    assert_eq!(fault(&history[..400], &history), None, "{trusted_before}");
    let shown = [&history[..449], &[other]].concat();
    assert_eq!(
        fault(&shown, &history),
        None,
        "another transaction 450 than in the chain"
    );
    let shrinks = fault(&history[..1_000], &history);
    assert!(matches!(shrinks, Some(Reason::TreeShrinks { .. })));

    let differs = fault(&history[..500], &history);
    assert!(
        matches!(differs, Some(Reason::Differs { .. })),
        "{differs:?}"
    );
    history.pop();
    history.push(honest);
    assert_eq!(fault(&history[..500], &history), None);
}

#[test]
fn headers_are_hashed_and_refused_alike() {
    let mut random = Random::new(25);
    let mut questions = Questions::default();
    for _ in 0..1_500 {
        let id = random.u64() >> random.below(64);
        let mut fields = Tx::new(id, random.digest(), &[], &mut random).fields;
        match random.below(8) {
            0 => fields.version = random.u64() as i32 >> random.below(32),
            1 => fields.nentries = random.u64() as i32 >> random.below(32),
            2 => fields.version = 0,
            3 => {
                let metadata = fields.metadata.get_or_insert_default();
                let length = random.index(300);
                metadata.extra = random.bytes(length);
            }
            _ => fields.bl_tx_id = random.u64(),
        }
        questions.header(&fields);
    }
    for (version, nentries) in [(0, 65_535), (0, 65_536), (1, 65_536), (1, i32::MAX), (2, 0)] {
        let fields = Tx::new(1, random.digest(), &[], &mut random).fields;
        let metadata = None;
        questions.header(&HeaderFields {
            version,
            nentries,
            metadata,
            ..fields
        });
    }
    let refused = questions.verdicts()["Malformed"];
    assert!(refused > 100 && refused < 1_000, "{refused}");
    questions.compare();
}

#[test]
fn excuses_are_accepted_and_refused_alike() {
    let mut random = Random::new(26);
    let mut questions = Questions::default();
    for _ in 0..2_000 {
        let length = 2 + random.below(8);
        let chain = Chain::honest(length, &mut random, |id, random| random.below(id));
        let target = 1 + random.below(length);
        let source = 1 + random.below(target);
        let mut headers: BTreeMap<u64, TxHeader> =
            chain.0.iter().map(|tx| (tx.id(), tx.header())).collect();
        let (mut source, mut target) = (chain.tx(source).state(), chain.tx(target).state());
        match random.below(13) {
            0 => source.hash = random.digest(),
            1 => target.hash = random.digest(),
            2 => number(&mut source.tx, &mut random),
            3 => number(&mut target.tx, &mut random),
            4 => drop(headers.remove(&(1 + random.below(length)))),
            5 => {
                let id = 1 + random.below(length);
                let forged = Tx::new(id, random.digest(), &[], &mut random).header();
                headers.insert(1 + random.below(length), forged);
            }
            6 => {
                // a tree that is not smaller than its ledger
                let mut large = headers[&source.tx].fields().clone();
                large.bl_tx_id = source.tx + random.below(2);
                let large = TxHeader::new(large).unwrap();
                source.hash = large.alh();
                headers.insert(source.tx, large);
            }
            _ => {}
        }
        questions.excuse(&source, &target, &headers);
    }
    for expected in ["accepted", "Excuse Malformed", "Excuse Inconsistent"] {
        assert!(questions.verdicts()[expected] > 50, "{expected}");
    }
    questions.compare();
}

#[test]
fn entries_and_values_are_judged_alike() {
    let mut random = Random::new(27);
    let mut questions = Questions::default();
    for _ in 0..600 {
        let mut fields = Tx::new(7, random.digest(), &[], &mut random).fields;
        let count = random.index(12);
        let mut entries: Vec<TxEntry> = (0..count)
            .map(|_| entry(fields.version, &mut random))
            .collect();
        fields.nentries = i32::try_from(count).unwrap();
        let header = TxHeader::new(fields.clone()).unwrap();
        let digests = entries.iter().map(|entry| entry.digest(&header));
        let digests: Vec<Digest> = digests.collect::<Result<_, _>>().unwrap();
        fields.eh = match digests.as_slice() {
            [] => sha256(b""),
            digests => crate::support::prover::root(digests),
        };
        match random.below(6) {
            0 => drop(entries.pop()),
            1 => entries.push(entry(1, &mut random)),
            2 if count > 0 => entries[random.index(count)] = entry(1, &mut random),
            3 if count > 1 => entries.swap(0, count - 1),
            _ => {}
        }
        let header = TxHeader::new(fields).unwrap();
        questions.entries(&header, &entries);
        if let Some(entry) = entries.first_mut() {
            if random.below(2) == 0 {
                entry.value.push(1);
            }
            questions.value(&header, entry);
        }
    }
    for _ in 0..1_500 {
        let (header, entry, proof) = got(&mut random);
        questions.get(&header, &entry, &proof);
    }
    // the longest valid key has 65,535 bytes
    let header = Tx::new(7, random.digest(), &[], &mut random).fields;
    let header = TxHeader::new(HeaderFields {
        nentries: 1,
        version: 1,
        ..header
    })
    .unwrap();
    for length in [65_535, 65_536] {
        let mut long = entry(1, &mut random);
        long.key = random.bytes(length);
        questions.entries(&header, &[long]);
    }
    for expected in ["accepted", "Malformed", "Inconsistent"] {
        assert!(questions.verdicts()[expected] > 50, "{expected}");
    }
    questions.compare();
}
