//! The ledger, and the prover of these tests, compared with data of real servers.

use std::collections::BTreeMap;

use crate::support::prover::{consistency, inclusion, root, sha256};
use crate::support::vectors::{Case, folder, read_all};
use immuaudit::ledger::{Digest, Frontier, State, TxHeader, excuse};

/// The ids of two transactions.
type Pair = (u64, u64);

/// Recorded headers excuse the pairs that honest servers refused to prove, and every other pair of
/// the same ledger whose tree shrinks.
#[test]
fn recorded_headers_excuse_every_unprovable_pair() {
    let mut ledgers: BTreeMap<String, (BTreeMap<u64, TxHeader>, Vec<Pair>)> = BTreeMap::new();
    for vectors in read_all("real") {
        // in `A-under-B`, A wrote the ledger
        let writer = vectors
            .name
            .trim_end_matches(".toml")
            .split("-under-")
            .next();
        let (headers, unproven) = ledgers.entry(writer.unwrap().into()).or_default();
        for case in vectors.cases() {
            recorded_headers(case, headers);
            if case.text("why").contains("cannot prove") {
                let mut words = case.text("why").split([' ', ':']);
                let mut id = || words.by_ref().find_map(|word| word.parse().ok()).unwrap();
                unproven.push((id(), id()));
            }
        }
    }
    let (mut recorded, mut shrinking) = (0, 0);
    for (name, (headers, unproven)) in &ledgers {
        for (source, target) in pairs_without_a_gap(headers) {
            let sizes = excuse(&state(source), &state(target), headers);
            let shrinks = source.bl_tx_id() > target.bl_tx_id();
            assert_eq!(
                sizes.is_ok(),
                shrinks,
                "{name}: {} to {}",
                source.id(),
                target.id()
            );
            shrinking += u32::from(shrinks);
            recorded += u32::from(shrinks && unproven.contains(&(source.id(), target.id())));
        }
        for (source, target) in unproven {
            let (from, to) = (state(&headers[source]), state(&headers[target]));
            assert!(
                excuse(&from, &to, headers).is_ok(),
                "{name}: {source} to {target}"
            );
            assert!(excuse(&from, &to, &BTreeMap::new()).is_err());
        }
    }
    assert!(recorded == 2 && shrinking > 10, "{recorded} {shrinking}");
}

fn pairs_without_a_gap(headers: &BTreeMap<u64, TxHeader>) -> Vec<(&TxHeader, &TxHeader)> {
    let mut pairs = vec![];
    for (id, source) in headers {
        let run = (*id..).map_while(|id| headers.get(&id));
        pairs.extend(run.map(|target| (source, target)));
    }
    pairs
}

fn state(header: &TxHeader) -> State {
    State {
        tx: header.id(),
        hash: header.alh(),
    }
}

fn recorded_headers(case: Case, headers: &mut BTreeMap<u64, TxHeader>) {
    let mut keep = |header: TxHeader| drop(headers.insert(header.id(), header));
    if case.is("VerifiableTxById") {
        let answer = immuaudit::wire::verifiable_tx(&case.bytes("reply")).unwrap();
        answer.proof.source.into_iter().for_each(&mut keep);
        answer.proof.target.into_iter().for_each(&mut keep);
    }
    if case.is("TxById") {
        keep(immuaudit::wire::tx(&case.bytes("reply")).unwrap().header);
    }
    for part in case.list("header") {
        keep(immuaudit::wire::tx(&part.bytes("reply")).unwrap().header);
    }
}

/// A real server computed `tests/vectors/tree.txt` from its own tree.
#[test]
fn the_test_prover_makes_the_proofs_of_a_real_server() {
    let text = std::fs::read_to_string(folder().join("tree.txt")).unwrap();
    let leaves: Vec<Digest> = (1..=70u64).map(|i| sha256(&i.to_be_bytes())).collect();
    let joined = |digests: &[Digest]| {
        let bytes: Vec<u8> = digests.iter().flat_map(|d| *d.as_bytes()).collect();
        (digests.len(), sha256(&bytes))
    };
    let mut count = [0; 3];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |word: &str| word.parse::<usize>().unwrap();
        let expected = words.last().unwrap().parse().unwrap();
        match words[..] {
            ["root", size, _] => {
                let leaves = &leaves[..number(size)];
                let mut frontier = Frontier::new();
                leaves.iter().for_each(|leaf| frontier.push(leaf));
                assert_eq!(frontier.root(), Some(expected), "{line}");
                assert_eq!(root(leaves), expected, "{line}");
                count[0] += 1;
            }
            ["inclusion", i, j, terms, _] => {
                let got = inclusion(number(i) - 1, &leaves[..number(j)]);
                assert_eq!(joined(&got), (number(terms), expected), "{line}");
                count[1] += 1;
            }
            ["consistency", i, j, terms, _] => {
                let got = consistency(number(i), &leaves[..number(j)]);
                assert_eq!(joined(&got), (number(terms), expected), "{line}");
                count[2] += 1;
            }
            _ => panic!("{line}"),
        }
    }
    assert_eq!(count.iter().sum::<usize>(), text.lines().count() - 2);
    assert!(
        count[0] == 70 && count[1] > 900 && count[2] > 900,
        "{count:?}"
    );
}
