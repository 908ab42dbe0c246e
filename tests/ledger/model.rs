//! A model of the steps in protocol.md §4 with perfect hashes. The tests search it for the attack
//! that the steps must prevent: one variant of a transaction is proven, and later another variant
//! in its place.
//!
//! The server has two variants of every transaction. Each variant may follow either variant of the
//! transaction before it, and may have a tree of any smaller size over any mix of variants. The
//! auditor moves from one trusted state to the next by accepted proofs, in any order. The search is
//! complete for short ledgers and random for longer ones. Without any one of the steps the search
//! finds replaced transactions, so it is able to find them.

use crate::support::prover::{Tx, prove, sha256};
use crate::support::random::Random;
use immuaudit::ledger::{Digest, verify};

/// The checks of a verifier, except for the ids and hashes of the two headers (steps 1 and 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rule {
    Inclusion,
    Consistency,
    LastInclusion,
    LastIsSource,
    LinearProof,
    LinearAdvance,
    OnwardLink,
}

const RULES: [Rule; 7] = [
    Rule::Inclusion,
    Rule::Consistency,
    Rule::LastInclusion,
    Rule::LastIsSource,
    Rule::LinearProof,
    Rule::LinearAdvance,
    Rule::OnwardLink,
];

/// A variant of a transaction. Bit i-1 of a mask selects the variant of transaction i.
#[derive(Clone, Copy, Debug, Default)]
struct Variant {
    /// The variants of transactions 1 to `bl` in the tree.
    tree: u16,
    bl: u32,
    /// The variants in the chain, including this one.
    chain: u16,
}

/// Both variants of every transaction, starting with transaction 1.
type Ledger = Vec<[Variant; 2]>;

fn at(mask: u16, id: u32) -> u16 {
    mask >> (id - 1) & 1
}

/// Returns the bits of the transactions `first` to `last`.
fn range(first: u32, last: u32) -> u16 {
    if first > last {
        return 0;
    }
    (u16::MAX >> (16 - last)) & !((1 << (first - 1)) - 1)
}

/// The id of a transaction, and one of its variants.
type Name = (u32, u16);

/// Returns whether a verifier without one rule accepts the best proof from `s` to `t` that a server
/// can make.
fn accepted(ledger: &Ledger, s: Name, t: Name, without: Option<Rule>) -> bool {
    let of = |(id, variant): Name| &ledger[id as usize - 1][variant as usize];
    let checks = |rule| without != Some(rule);
    let (source, target) = (of(s), of(t));
    let (id, size) = (s.0, target.bl);
    if id > t.0 || source.bl > size {
        return false;
    }
    if checks(Rule::Inclusion) && id < size && at(target.tree, id) != s.1 {
        return false;
    }
    if checks(Rule::Consistency) && (source.tree ^ target.tree) & range(1, source.bl) != 0 {
        return false;
    }
    if checks(Rule::LastIsSource) && size == id && at(target.tree, size) != s.1 {
        return false;
    }
    let rest = |last: u16| {
        if checks(Rule::LinearProof) {
            let (start, variant) = if id < size { (size, last) } else { s };
            if at(target.chain, start) != variant {
                return false;
            }
        }
        let end = if id < size { s } else { (size, last) };
        if checks(Rule::LinearAdvance) && end.0 > source.bl + 1 {
            let swallowed = range(source.bl + 1, end.0 - 1);
            if (target.tree ^ of(end).chain) & swallowed != 0 {
                return false;
            }
        }
        let onward = source.bl < size && size < id;
        !(checks(Rule::OnwardLink) && onward && at(source.chain, size) != last)
    };
    match size {
        0 => rest(0),
        // without this rule nothing ties targetBlTxAlh to the tree, so the server may choose it
        _ if !checks(Rule::LastInclusion) => rest(0) || rest(1),
        _ => rest(at(target.tree, size)),
    }
}

fn names(ledger: &Ledger) -> impl Iterator<Item = Name> + Clone + use<> {
    (1..=ledger.len() as u32).flat_map(|id| [(id, 0), (id, 1)])
}

/// Returns whether a transaction is proven against a trusted state, and its other variant against a
/// state that is trusted later.
fn replaced(ledger: &Ledger, without: Option<Rule>) -> bool {
    let index = |(id, variant): Name| (id - 1) as usize * 2 + variant as usize;
    // bit `index(x)` of `proven[s]`: a proof from x to s is accepted
    let mut proven = [0u32; 16];
    for t in names(ledger) {
        for s in names(ledger).filter(|s| s.0 <= t.0) {
            proven[index(t)] |= u32::from(accepted(ledger, s, t, without)) << index(s);
        }
    }
    // bit `index(s)` of `past[t]`: t can be trusted after s, in any number of steps
    let mut past = proven;
    for t in names(ledger) {
        for s in names(ledger).filter(|s| s.0 <= t.0) {
            if past[index(t)] >> index(s) & 1 == 1 {
                past[index(t)] |= past[index(s)];
            }
        }
    }
    names(ledger).any(|t| {
        let before = names(ledger).filter(|s| past[index(t)] >> index(*s) & 1 == 1);
        let shown = before.fold(0, |shown, s| shown | proven[index(s)]);
        // the other variant of each: bits swapped in pairs
        let others = (shown & 0x5555_5555) << 1 | (shown & 0xaaaa_aaaa) >> 1;
        others & proven[index(t)] != 0
    })
}

/// Returns every form that the next transaction can have, in both variants.
fn forms(ledger: &Ledger) -> Vec<[Variant; 2]> {
    let id = ledger.len() as u32 + 1;
    let mut forms = vec![];
    for chain in ledger
        .last()
        .map_or(vec![0], |last| last.map(|v| v.chain).to_vec())
    {
        for bl in 0..id {
            for tree in 0..1u16 << bl {
                let variant = |own: u16| Variant {
                    tree,
                    bl,
                    chain: chain | own << (id - 1),
                };
                forms.push([variant(0), variant(1)]);
            }
        }
    }
    forms
}

/// Visits every ledger of `length` transactions. Exchanging the two variants gives no new ledger.
fn every_ledger(ledger: &mut Ledger, length: usize, visit: &mut impl FnMut(&Ledger)) {
    if ledger.len() == length {
        return visit(ledger);
    }
    let forms = forms(ledger);
    for (i, first) in forms.iter().enumerate() {
        for second in &forms[i..] {
            ledger.push([first[0], second[1]]);
            every_ledger(ledger, length, visit);
            ledger.pop();
        }
    }
}

/// Returns a random ledger whose variants are mostly two separate histories, so that many proofs
/// are accepted.
fn some_ledger(length: u32, random: &mut Random) -> Ledger {
    let mut ledger: Ledger = vec![];
    let stray = 2 + random.below(6);
    for id in 1..=length {
        let variant = |own: u16, random: &mut Random| {
            let mut side = |own: u16| own ^ u16::from(random.below(stray) == 0);
            let behind = side(own);
            let chain = ledger.last().map_or(0, |last| last[behind as usize].chain);
            let bl = match random.below(3) {
                0 => random.below(id.into()) as u32,
                1 => id - 1,
                _ => (id - 1).saturating_sub(2),
            };
            let other = random.below(stray) == 0;
            let noise = (0..bl).fold(0, |mask, bit| {
                mask | u16::from(random.below(3 * stray) == 0) << bit
            });
            let tree = (chain ^ if other { u16::MAX } else { 0 } ^ noise) & range(1, bl);
            Variant {
                tree,
                bl,
                chain: chain | own << (id - 1),
            }
        };
        let both = [variant(0, random), variant(1, random)];
        ledger.push(both);
    }
    ledger
}

fn count_replaced<'a>(ledgers: impl Iterator<Item = &'a Ledger>, without: Option<Rule>) -> usize {
    ledgers.filter(|ledger| replaced(ledger, without)).count()
}

#[test]
fn no_transaction_is_replaced_in_any_ledger_of_four() {
    let mut count = 0;
    every_ledger(&mut vec![], 4, &mut |ledger| {
        assert!(!replaced(ledger, None), "{ledger:?}");
        count += 1;
    });
    println!("{count} ledgers");
    assert_eq!(count, 21 * 105 * 465);
}

#[test]
fn no_transaction_is_replaced_in_many_longer_ledgers() {
    let mut random = Random::new(10);
    for _ in 0..400_000 {
        let length = 5 + random.below(4) as u32;
        let ledger = some_ledger(length, &mut random);
        assert!(!replaced(&ledger, None), "{ledger:?}");
    }
}

#[test]
fn without_any_single_step_transactions_can_be_replaced() {
    let mut random = Random::new(11);
    let longer: Vec<Ledger> = (0..20_000).map(|_| some_ledger(7, &mut random)).collect();
    let mut short = vec![];
    every_ledger(&mut vec![], 3, &mut |ledger| short.push(ledger.clone()));
    for rule in RULES {
        let (in_short, in_longer) = (
            count_replaced(short.iter(), Some(rule)),
            count_replaced(longer.iter(), Some(rule)),
        );
        println!(
            "without {rule:?}: {in_short} of {} short ledgers, {in_longer} of {} longer ones",
            short.len(),
            longer.len()
        );
        assert!(in_longer > 10, "{rule:?}");
    }
}

/// The model agrees with the program: with real hashes, both accept the same proofs.
#[test]
fn the_ledger_and_the_model_accept_the_same_proofs() {
    let mut random = Random::new(12);
    let (mut yes, mut no) = (0, 0);
    for _ in 0..600 {
        let ledger = some_ledger(1 + random.below(7) as u32, &mut random);
        let txs = real(&ledger, &mut random);
        let chain = |(id, variant): Name| -> Vec<Tx> {
            let mask = ledger[id as usize - 1][variant as usize].chain;
            (1..=id)
                .map(|id| txs[id as usize - 1][at(mask, id) as usize].clone())
                .collect()
        };
        for t in names(&ledger) {
            for s in names(&ledger).filter(|s| s.0 <= t.0) {
                let (source, target) = (chain(s), chain(t));
                let (mut proof, parts) = prove(&source, &target);
                let state = |chain: &[Tx]| chain.last().unwrap().state();
                let expected = accepted(&ledger, s, t, None);
                if random.below(2) == 0 {
                    proof.linear_advance = None;
                }
                let got = verify(&state(&source), &state(&target), &proof, &parts);
                assert_eq!(got.is_ok(), expected, "{s:?} to {t:?}: {got:?} {ledger:?}");
                if expected { yes += 1 } else { no += 1 }
            }
        }
    }
    println!("{yes} accepted, {no} refused");
    assert!(yes > 5_000 && no > 5_000, "{yes} {no}");
}

/// Returns the transactions of the ledger with real hashes.
fn real(ledger: &Ledger, random: &mut Random) -> Vec<[Tx; 2]> {
    let mut txs: Vec<[Tx; 2]> = vec![];
    for (id, both) in (1..).zip(ledger) {
        let made = both.map(|variant| {
            let alh = |mask, id: u32| txs[id as usize - 1][at(mask, id) as usize].alh;
            let prev = match id {
                1 => sha256(b""),
                _ => alh(variant.chain, id - 1),
            };
            let tree: Vec<Digest> = (1..=variant.bl).map(|id| alh(variant.tree, id)).collect();
            Tx::new(id.into(), prev, &tree, random)
        });
        txs.push(made);
    }
    txs
}
