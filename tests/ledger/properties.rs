//! Properties of all proofs: an honest proof is never refused, and a backward proof or one with
//! headers of another history always is. `support::prover`, which shares no code with the ledger,
//! makes the proofs.

use std::collections::BTreeMap;

use crate::support::prover::{Chain, Tx, advance, onward, prove, sha256};
use crate::support::random::Random;
use immuaudit::ledger::{
    Digest, DualProof, Fault, Parts, Reason, State, Step, TxHeader, excuse, verify,
};

/// Returns histories with trees of different sizes: those that servers were seen to write, and
/// others (protocol.md §3, *The main tree*).
fn histories(random: &mut Random) -> Vec<(&'static str, Chain)> {
    let mut stuck = 0;
    let mut constant = |lag: u64| Chain::honest(45, random, move |id, _| id.saturating_sub(lag));
    let (none, two, five, thirty) = (constant(1), constant(2), constant(5), constant(30));
    vec![
        ("no lag", none),
        ("a lag of 2", two),
        ("a lag of 5", five),
        ("a lag of 30", thirty),
        ("no tree at all", Chain::honest(12, random, |_, _| 0)),
        (
            "any tree",
            Chain::honest(45, random, |id, random| random.below(id)),
        ),
        (
            "no lag, but a random one now and then",
            Chain::honest(45, random, |id, random| match random.below(4) {
                0 => random.below(id),
                _ => id - 1,
            }),
        ),
        (
            "a tree that does not grow for long",
            Chain::honest(45, random, move |id, random| {
                if random.below(9) == 0 {
                    stuck = id - 1;
                }
                stuck
            }),
        ),
    ]
}

fn all_pairs(chain: &Chain) -> impl Iterator<Item = (&Tx, &Tx)> {
    let txs = chain.0.iter();
    txs.clone()
        .flat_map(move |source| txs.clone().map(move |target| (source, target)))
        .filter(|(source, target)| source.id() <= target.id())
}

fn proof_of(chain: &Chain, source: &Tx, target: &Tx) -> (DualProof, Parts) {
    let upto = |tx: &Tx| usize::try_from(tx.id()).unwrap();
    prove(&chain.0[..upto(source)], &chain.0[..upto(target)])
}

#[test]
fn an_honest_proof_is_never_refused_as_sent_or_from_parts() {
    let mut random = Random::new(1);
    let (mut advances, mut onwards, mut shrinking) = (0, 0, 0);
    for (name, chain) in histories(&mut random) {
        for (source, target) in all_pairs(&chain) {
            let (from, to) = (source.state(), target.state());
            if source.tree.len() > target.tree.len() {
                shrinking += 1;
                an_honest_excuse_holds(&chain, source, target);
                continue;
            }
            let (mut proof, parts) = proof_of(&chain, source, target);
            let proven = verify(&from, &to, &proof, &parts);
            let label = format!("{name}: {} to {}: {proven:?}", from.tx, to.tx);
            assert_eq!(
                proven.map(|p| (p.source(), p.target())),
                Ok((from, to)),
                "{label}"
            );

            let (expected, link) = (advance(source, target).is_some(), onward(source, target));
            proof.linear_advance = None;
            assert!(
                verify(&from, &to, &proof, &parts).is_ok(),
                "{label}: from parts"
            );
            let alone = verify(&from, &to, &proof, &Parts::default());
            assert_eq!(alone.is_err(), expected || link, "{label}: without parts");
            if let Err(refused) = alone {
                let Reason::PartsNeeded(wanted) = refused.reason else {
                    panic!("{label}: {refused}");
                };
                let step = if expected {
                    Step::LinearAdvance
                } else {
                    Step::OnwardLink
                };
                assert_eq!((refused.step, refused.tx), (step, from.tx));
                let enough = parts
                    .headers
                    .keys()
                    .filter(|id| wanted.headers.contains(id));
                assert!(
                    wanted.headers.clone().eq(enough.copied()),
                    "{label}: {wanted:?}"
                );
                assert_eq!(wanted.inclusions.is_empty(), !expected, "{label}");
                if expected {
                    assert!(
                        wanted.inclusions.eq(parts.inclusions.keys().copied()),
                        "{label}"
                    );
                }
            }
            advances += u32::from(expected);
            onwards += u32::from(link);
        }
    }
    // there are enough pairs of each kind
    assert!(
        advances > 500 && onwards > 100 && shrinking > 300,
        "{advances} {onwards} {shrinking}"
    );
}

/// Asserts that no proof is possible if the tree shrinks, and that only the chain's own headers
/// excuse that.
fn an_honest_excuse_holds(chain: &Chain, source: &Tx, target: &Tx) {
    let (from, to) = (source.state(), target.state());
    let headers: BTreeMap<u64, TxHeader> = (from.tx..=to.tx)
        .map(|id| (id, chain.tx(id).header()))
        .collect();
    // the verification ends before the inclusion, consistency and linear parts
    let (mut proof, _) = proof_of(chain, target, target);
    proof.source = Some(source.header());
    let refused = verify(&from, &to, &proof, &Parts::default()).unwrap_err();
    assert!(
        matches!(refused.reason, Reason::TreeShrinks { .. }),
        "{refused}"
    );

    let sizes = excuse(&from, &to, &headers).unwrap();
    assert_eq!(sizes.source_tree, source.tree.len() as u64);
    assert_eq!(sizes.target_tree, target.tree.len() as u64);

    for id in from.tx..=to.tx {
        let mut fewer = headers.clone();
        fewer.remove(&id);
        let refused = excuse(&from, &to, &fewer).unwrap_err();
        assert_eq!(
            (refused.step, refused.fault()),
            (Step::Excuse, Fault::Malformed)
        );

        let mut other = headers.clone();
        let mut fields = chain.tx(id).fields.clone();
        fields.ts ^= 1;
        other.insert(id, TxHeader::new(fields).unwrap());
        let refused = excuse(&from, &to, &other).unwrap_err();
        assert_eq!(
            (refused.step, refused.fault()),
            (Step::Excuse, Fault::Inconsistent)
        );

        let mut misplaced = headers.clone();
        let mut fields = chain.tx(id).fields.clone();
        fields.id += 1;
        misplaced.insert(id, TxHeader::new(fields).unwrap());
        let refused = excuse(&from, &to, &misplaced).unwrap_err();
        assert_eq!(refused.fault(), Fault::Malformed, "{refused}");
    }
}

#[test]
fn provable_pairs_rollbacks_and_impossible_trees_have_no_excuse() {
    let mut random = Random::new(2);
    let chain = Chain::honest(9, &mut random, |id, _| if id == 8 { 3 } else { id - 1 });
    let mut headers: BTreeMap<u64, TxHeader> =
        chain.0.iter().map(|tx| (tx.id(), tx.header())).collect();
    let state = |id| chain.tx(id).state();
    assert!(excuse(&state(7), &state(8), &headers).is_ok());
    for (source, target) in [(7, 7), (7, 9), (8, 9), (1, 2)] {
        let refused = excuse(&state(source), &state(target), &headers).unwrap_err();
        assert_eq!(
            (refused.step, refused.fault()),
            (Step::Excuse, Fault::Malformed)
        );
    }
    // transaction 9 is later and has the larger tree, so the way from 9 to 8 is a rollback
    let refused = excuse(&state(9), &state(8), &headers).unwrap_err();
    assert!(matches!(refused.reason, Reason::Range { .. }), "{refused}");
    assert!(excuse(&State::EMPTY, &state(8), &headers).is_err());
    // two hashes of one transaction are two histories, not an excuse
    let other = State {
        hash: Digest::ZERO,
        ..state(7)
    };
    for (source, target) in [(other, state(7)), (state(7), other)] {
        let refused = excuse(&source, &target, &headers).unwrap_err();
        assert_eq!((refused.tx, refused.fault()), (7, Fault::Inconsistent));
    }

    // a tree with more transactions than the ledger
    let alhs: Vec<Digest> = chain.0.iter().map(|tx| tx.alh).collect();
    let first = Tx::new(1, sha256(b""), &alhs, &mut random);
    let second = Tx::new(2, first.alh, &[], &mut random);
    headers.extend([(1, first.header()), (2, second.header())]);
    let refused = excuse(&first.state(), &second.state(), &headers).unwrap_err();
    assert!(matches!(refused.reason, Reason::Range { .. }), "{refused}");
}

/// All trees of up to 130 leaves, and some larger ones, as the trees of two transactions. For each
/// pair of sizes this tests the inclusion, the last inclusion and the consistency proof.
#[test]
fn every_pair_of_tree_sizes_is_proven() {
    let mut random = Random::new(3);
    let chain = Chain::honest(420, &mut random, |id, _| id - 1);
    let tree: Vec<Digest> = chain.0.iter().map(|tx| tx.alh).collect();
    let far: Vec<(u64, u64)> = (0..400)
        .map(|_| {
            let new = 131 + random.below(280);
            (1 + random.below(new), new)
        })
        .collect();
    let near = (1..=130).flat_map(|new| (1..=new).map(move |old| (old, new)));
    for (old, new) in near.chain(far) {
        // source: transaction old + 1 over a tree of `old`; target: new + 1 over one of `new`
        let (source, target) = (chain.tx(old + 1), chain.tx(new + 1));
        assert_eq!(target.tree, tree[..usize::try_from(new).unwrap()]);
        let (proof, parts) = proof_of(&chain, source, target);
        let proven = verify(&source.state(), &target.state(), &proof, &parts);
        assert!(proven.is_ok(), "{old} to {new}: {proven:?}");
    }
}

/// Without a check of the ids the hashes would differ, which would be reported as tampering.
#[test]
fn a_backward_proof_or_one_from_nothing_is_malformed() {
    let mut random = Random::new(13);
    let chain = Chain::honest(9, &mut random, |id, _| if id < 8 { id - 1 } else { 7 });
    for (older, newer) in [(8, 9), (4, 9), (1, 2)] {
        let (older, newer) = (chain.tx(older), chain.tx(newer));
        let (mut proof, parts) = proof_of(&chain, older, newer);
        std::mem::swap(&mut proof.source, &mut proof.target);
        let refused = verify(&newer.state(), &older.state(), &proof, &parts).unwrap_err();
        assert_eq!(
            (refused.step, refused.fault()),
            (Step::Ids, Fault::Malformed),
            "{refused}"
        );
    }
    let (first, second) = (chain.tx(1), chain.tx(2));
    let (proof, parts) = proof_of(&chain, first, second);
    let refused = verify(&State::EMPTY, &second.state(), &proof, &parts).unwrap_err();
    assert_eq!(refused.fault(), Fault::Malformed, "{refused}");
}

#[test]
fn a_transaction_with_a_proof_must_be_its_source_or_target() {
    let mut random = Random::new(14);
    let chain = Chain::honest(9, &mut random, |id, _| id - 1);
    let (source, target) = (chain.tx(4), chain.tx(9));
    let (proof, _) = proof_of(&chain, source, target);
    for tx in [source, target] {
        assert_eq!(proof.verify_answer(tx.id(), &tx.header()), Ok(()));
        // the same id with other content, and another requested id
        let other = Tx::new(tx.id(), *tx.header().prev_alh(), &[], &mut random);
        let refused = proof.verify_answer(tx.id(), &other.header()).unwrap_err();
        assert_eq!(refused.fault(), Fault::Inconsistent, "{refused}");
        let refused = proof.verify_answer(5, &tx.header()).unwrap_err();
        assert_eq!(refused.fault(), Fault::Malformed, "{refused}");
    }
    let refused = proof.verify_answer(5, &chain.tx(5).header()).unwrap_err();
    assert_eq!(refused.fault(), Fault::Malformed, "{refused}");
}

/// CVE-2022-36111 with fetched parts: the tree has another transaction than the trusted chain, and
/// the server returns the header of that other transaction.
#[test]
fn a_fetched_header_of_a_forged_tree_is_inconsistent() {
    let mut random = Random::new(15);
    let chain = Chain::honest(8, &mut random, |id, _| id.saturating_sub(4));
    let source = chain.tx(6); // its tree has transactions 1 and 2
    for swapped in 4..=5 {
        let other = Tx::new(swapped, chain.tx(swapped - 1).alh, &[], &mut random);
        let mut tree: Vec<Digest> = chain.0.iter().map(|tx| tx.alh).collect();
        tree[swapped as usize - 1] = other.alh;
        let target = Tx::new(9, chain.tx(8).alh, &tree, &mut random);
        let longer = [&chain.0[..], std::slice::from_ref(&target)].concat();
        let (mut proof, mut parts) = prove(&chain.0[..6], &longer);
        proof.linear_advance = None;
        parts.headers.insert(swapped, other.header());
        let refused = verify(&source.state(), &target.state(), &proof, &parts).unwrap_err();
        assert_eq!(
            (refused.step, refused.tx, refused.fault()),
            (Step::LinearAdvance, swapped + 1, Fault::Inconsistent),
            "{refused}"
        );
    }
}
