//! Random proofs, trees and entries, honest ones and changed ones.

use immuaudit::ledger::{
    Digest, EntryInclusion, GetEntry, KvMetadata, LinearAdvance, Parts, Reference, State, Term,
    TxEntry, TxHeader,
};

use super::prover::{Chain, Tx, inclusion, prove, root, sha256};
use super::question::{Question, random_term};
use super::random::Random;

/// Makes two variants of each transaction, each after either variant of the previous one, with a
/// tree of either. Most of them belong to no honest ledger, so that each step has something to
/// refuse.
fn tangle(length: u64, random: &mut Random) -> Vec<[Vec<Tx>; 2]> {
    let mut chains: Vec<[Vec<Tx>; 2]> = vec![];
    let stray = 2 + random.below(12);
    for id in 1..=length {
        let lag = random.below(3) * random.below(4);
        let both = [0, 1].map(|own: usize| {
            let mut side = || own ^ usize::from(random.below(stray) == 0);
            let behind = side();
            let mut tree: Vec<Digest> = chains.last().map_or(vec![], |last| {
                last[side()].iter().map(|tx| tx.alh).collect()
            });
            for (alh, variants) in tree.iter_mut().zip(&chains) {
                if random.below(3 * stray) == 0 {
                    *alh = variants[random.index(2)].last().unwrap().alh;
                }
            }
            tree.truncate(usize::try_from((id - 1).saturating_sub(lag)).unwrap());
            let mut chain = chains.last().map_or(vec![], |last| last[behind].clone());
            let prev = chain.last().map_or_else(|| sha256(b""), |tx| tx.alh);
            chain.push(Tx::new(id, prev, &tree, random));
            chain
        });
        chains.push(both);
    }
    chains
}

/// Returns the best possible proofs within a tangle, with a linear advance or with the parts of
/// one.
pub fn tangled(random: &mut Random, count: usize) -> Vec<Question> {
    let mut questions = vec![];
    while questions.len() < count {
        let length = 1 + random.below(14);
        let chains = tangle(length, random);
        for _ in 0..20 {
            let mut pick = || &chains[random.index(chains.len())][random.index(2)];
            let (a, b) = (pick(), pick());
            let (source, target) = if a.len() <= b.len() { (a, b) } else { (b, a) };
            let (mut proof, mut parts) = prove(source, target);
            if random.below(3) == 0 {
                show_what_the_tree_has(&mut parts, &chains, &target.last().unwrap().tree);
            }
            if random.below(2) == 0 {
                proof.linear_advance = None;
            }
            questions.push(Question {
                source: source.last().unwrap().state(),
                target: target.last().unwrap().state(),
                proof,
                parts,
            });
        }
    }
    questions
}

/// Replaces each fetched header except for the last by the variant in the tree, whatever precedes
/// it.
fn show_what_the_tree_has(parts: &mut Parts, chains: &[[Vec<Tx>; 2]], tree: &[Digest]) {
    let last = parts.headers.keys().next_back().copied();
    for ((id, alh), variants) in (1..).zip(tree).zip(chains) {
        let variant = variants.iter().filter_map(|chain| chain.last());
        let of_tree = variant.into_iter().find(|tx| tx.alh == *alh);
        if let (Some(header), Some(tx)) = (parts.headers.get_mut(&id), of_tree) {
            if Some(id) != last {
                *header = tx.header();
            }
        }
    }
}

/// Returns honest proofs over trees of every size up to 70.
pub fn honest(random: &mut Random) -> Vec<Question> {
    let chain = Chain::honest(70, random, |id, random| (id - 1) - random.below(id.min(20)));
    let mut questions = vec![];
    for target in 1..=70 {
        for _ in 0..12 {
            let source = 1 + random.below(target);
            let (proof, parts) = prove(&chain.up_to(source).0, &chain.up_to(target).0);
            let mut question = Question {
                source: chain.tx(source).state(),
                target: chain.tx(target).state(),
                proof,
                parts,
            };
            questions.push(question.clone());
            question.proof.linear_advance = None;
            questions.push(question);
        }
    }
    questions
}

/// Makes one random change.
pub fn change(q: &mut Question, random: &mut Random) {
    match random.below(15) {
        0 => number(&mut q.source.tx, random),
        1 => number(&mut q.target.tx, random),
        2 => q.source.hash = random.digest(),
        3 => q.target.hash = random.digest(),
        4 => q.proof.target_bl_tx_alh = random_term(random),
        5 => change_header(q, random),
        6 => match &mut q.proof.linear {
            Some(linear) => number(
                match random.below(2) {
                    0 => &mut linear.source_tx,
                    _ => &mut linear.target_tx,
                },
                random,
            ),
            None => q.proof.source = None,
        },
        7 => match random.below(4) {
            0 => q.proof.linear = None,
            1 => q.proof.linear_advance = None,
            2 => q.proof.target = None,
            _ => {
                q.proof.linear_advance = Some(LinearAdvance {
                    linear: vec![],
                    inclusions: vec![],
                })
            }
        },
        8..=11 => {
            let ids: Vec<u64> = q.parts.headers.keys().copied().collect();
            if ids.is_empty() {
                return;
            }
            let id = ids[random.index(ids.len())];
            let other = q.parts.headers[&ids[random.index(ids.len())]].clone();
            match random.below(4) {
                0 => drop(q.parts.headers.remove(&id)),
                1 => drop(q.parts.headers.insert(id, other)),
                2 => {
                    // correct apart from its content: the last header is compared with the end only
                    let id = *ids.last().unwrap();
                    let prev = *q.parts.headers[&id].prev_alh();
                    let forged = Tx::new(id, prev, &[], random).header();
                    q.parts.headers.insert(id, forged);
                }
                _ => {
                    let forged = Tx::new(id, random.digest(), &[], random).header();
                    q.parts.headers.insert(id, forged);
                }
            }
        }
        12 => {
            let ids: Vec<u64> = q.parts.inclusions.keys().copied().collect();
            if !ids.is_empty() {
                q.parts.inclusions.remove(&ids[random.index(ids.len())]);
            }
        }
        _ => {
            let mut lists = lists(q);
            let at = random.index(lists.len());
            change_terms(lists[at], random);
        }
    }
}

fn lists(q: &mut Question) -> Vec<&mut Vec<Term>> {
    let proof = &mut q.proof;
    let mut lists = vec![
        &mut proof.inclusion,
        &mut proof.consistency,
        &mut proof.last_inclusion,
    ];
    lists.extend(proof.linear.iter_mut().map(|linear| &mut linear.terms));
    if let Some(advance) = &mut proof.linear_advance {
        lists.push(&mut advance.linear);
        lists.extend(&mut advance.inclusions);
    }
    lists.extend(q.parts.inclusions.values_mut());
    lists
}

pub fn change_terms(terms: &mut Vec<Term>, random: &mut Random) {
    let at = random.index(terms.len() + 1);
    match random.below(5) {
        0 => terms.insert(at, random_term(random)),
        1 if at < terms.len() => drop(terms.remove(at)),
        2 if at < terms.len() => {
            let other = random.index(terms.len());
            terms.swap(at, other);
        }
        _ if at < terms.len() => terms[at] = random_term(random),
        _ => terms.push(random_term(random)),
    }
}

pub fn number(number: &mut u64, random: &mut Random) {
    *number = match random.below(6) {
        0 => 0,
        1 => u64::MAX,
        2 => random.u64(),
        3 => number.wrapping_add(1),
        4 => number.wrapping_sub(1),
        _ => random.below(20),
    };
}

/// Changes a field of a header, and in most cases the state to match that header.
pub fn change_header(q: &mut Question, random: &mut Random) {
    let of_source = random.below(2) == 0;
    let (header, state) = match of_source {
        true => (&mut q.proof.source, &mut q.source),
        false => (&mut q.proof.target, &mut q.target),
    };
    let Some(header) = header else { return };
    let mut fields = header.fields().clone();
    match random.below(5) {
        0 => number(&mut fields.id, random),
        1 => fields.prev_alh = random.digest(),
        2 => fields.bl_root = random.digest(),
        _ => number(&mut fields.bl_tx_id, random),
    }
    if let Ok(changed) = TxHeader::new(fields) {
        if random.below(4) > 0 {
            *state = State {
                tx: changed.id(),
                hash: changed.alh(),
            };
        }
        *header = changed;
    }
}

/// Returns a root over `leaf` at `index` (from 0) in a tree of `size`, by the recursive definition
/// (RFC 6962 §2.1.1), and the terms of its audit path.
pub fn large_tree(index: u64, size: u64, leaf: Digest, random: &mut Random) -> (Digest, Vec<Term>) {
    if size == 1 {
        return (leaf, vec![]);
    }
    let split = 1 << (size - 1).ilog2();
    let term = random.digest();
    let node = |left: &Digest, right: &Digest| {
        sha256(&[&[1], &left.as_bytes()[..], right.as_bytes()].concat())
    };
    let (root, mut terms) = if index < split {
        let (left, terms) = large_tree(index, split, leaf, random);
        (node(&left, &term), terms)
    } else {
        let (right, terms) = large_tree(index - split, size - split, leaf, random);
        (node(&term, &right), terms)
    };
    terms.push(term.into());
    (root, terms)
}

/// Returns a random entry.
pub fn entry(version: i32, random: &mut Random) -> TxEntry {
    let (key, value) = (random.index(40), random.index(40));
    let value = random.bytes(value);
    TxEntry {
        key: random.bytes(key),
        metadata: (version == 1 && random.below(2) == 0).then(|| KvMetadata {
            deleted: random.below(2) == 0,
            expires_at: (random.below(2) == 0).then(|| random.u64() as i64),
            non_indexable: random.below(2) == 0,
        }),
        h_value: sha256(&value),
        claimed_length: value.len() as u64,
        value,
    }
}

/// Returns an entry as a get returns it, with the header of its transaction and its audit path.
/// Some of them have a change.
pub fn got(random: &mut Random) -> (TxHeader, GetEntry, EntryInclusion) {
    let mut fields = Tx::new(7, random.digest(), &[], random).fields;
    let count = 1 + random.index(12);
    let leaf = random.index(count);
    let drawn = entry(fields.version, random);
    let mut got = GetEntry {
        tx: 7,
        key: drawn.key,
        value: drawn.value,
        metadata: drawn.metadata,
        referenced_by: None,
    };
    if random.below(2) == 0 {
        got.referenced_by = Some(Reference {
            tx: std::mem::replace(&mut got.tx, 3),
            key: random.bytes(5),
            at_tx: random.below(2) * 3,
            metadata: got.metadata.take(),
        });
    }
    // the same entry, as the transaction stores it
    let stored = TxEntry {
        key: got.stored_key(),
        metadata: match &got.referenced_by {
            Some(reference) => reference.metadata.clone(),
            None => got.metadata.clone(),
        },
        h_value: got.stored_value_hash(),
        value: vec![],
        claimed_length: 0,
    };
    fields.nentries = i32::try_from(count).unwrap();
    let header = TxHeader::new(fields.clone()).unwrap();
    let mut digests: Vec<Digest> = (0..count).map(|_| random.digest()).collect();
    digests[leaf] = stored.digest(&header).unwrap();
    fields.eh = root(&digests);
    let mut proof = EntryInclusion {
        leaf: leaf as u64,
        width: count as u64,
        terms: terms(inclusion(leaf, &digests)),
    };
    match random.below(12) {
        0 => got.value.push(0),
        1 => got.key.push(0),
        2 => got.tx += 1,
        3 => number(&mut proof.leaf, random),
        4 => number(&mut proof.width, random),
        5 => change_terms(&mut proof.terms, random),
        6 => got.metadata = entry(1, random).metadata,
        _ => {}
    }
    (TxHeader::new(fields).unwrap(), got, proof)
}

fn terms(digests: Vec<Digest>) -> Vec<Term> {
    digests.into_iter().map(Term::from).collect()
}
