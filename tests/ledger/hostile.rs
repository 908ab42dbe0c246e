//! Hostile proofs: no bit and no count that a step uses can be changed, and fields that no step
//! uses may have any content.

use std::collections::BTreeMap;

use crate::support::prover::{Chain, Tx, advance, onward, prove};
use crate::support::question::{Question, random_term};
use crate::support::random::Random;
use immuaudit::ledger::{Digest, Fault, HeaderFields, LinearAdvance, Parts, Term, TxHeader};

/// A pair of transactions with its honest proof.
struct Sample {
    label: String,
    question: Question,
    source: Tx,
    target: Tx,
}

/// Returns pairs for every way through the steps.
fn samples() -> Vec<Sample> {
    let mut random = Random::new(4);
    let sizes = [
        0, 0, 1, 2, 2, 4, 6, 2, 8, 9, 3, 11, 11, 13, 5, 9, 16, 17, 17, 18,
    ];
    let chain = Chain::honest(20, &mut random, |id, _| sizes[id as usize - 1]);
    let mut samples = vec![];
    let mut ways = BTreeMap::new();
    for source in &chain.0 {
        for target in &chain.0[source.id() as usize - 1..] {
            let (s, t) = (source.tree.len(), target.tree.len());
            if s > t {
                continue;
            }
            // at most three samples for each way through the steps
            let way = (
                s.min(1),
                t.min(1),
                s == t,
                source.id().cmp(&target.fields.bl_tx_id),
                advance(source, target).is_some(),
                onward(source, target),
                source.fields.version,
            );
            let seen: &mut u32 = ways.entry(way).or_default();
            *seen += 1;
            if *seen > 3 {
                continue;
            }
            let (source_id, target_id) = (source.id() as usize, target.id() as usize);
            let (proof, parts) = prove(&chain.0[..source_id], &chain.0[..target_id]);
            let question = Question {
                source: source.state(),
                target: target.state(),
                proof,
                parts,
            };
            let label = format!("{source_id} (tree of {s}) to {target_id} (tree of {t})");
            let mut from_parts = question.clone();
            from_parts.proof.linear_advance = None;
            if advance(source, target).is_some() {
                samples.push(Sample {
                    label: format!("{label}, from parts"),
                    question: from_parts,
                    source: source.clone(),
                    target: target.clone(),
                });
            }
            samples.push(Sample {
                label,
                question,
                source: source.clone(),
                target: target.clone(),
            });
        }
    }
    assert!(ways.len() > 15, "{ways:?}");
    assert!(samples.iter().all(|sample| sample.question.holds()));
    samples
}

/// A list of terms in a question.
type Terms = fn(&mut Question) -> Vec<&mut Vec<Term>>;

const INCLUSION: Terms = |q| vec![&mut q.proof.inclusion];
const CONSISTENCY: Terms = |q| vec![&mut q.proof.consistency];
const LAST_INCLUSION: Terms = |q| vec![&mut q.proof.last_inclusion];
const LINEAR: Terms = |q| q.proof.linear.iter_mut().map(|l| &mut l.terms).collect();
const ADVANCE: Terms = |q| {
    let advance = q.proof.linear_advance.iter_mut();
    advance
        .flat_map(|a| std::iter::once(&mut a.linear).chain(&mut a.inclusions))
        .collect()
};
const FETCHED: Terms = |q| q.parts.inclusions.values_mut().collect();

impl Sample {
    /// Returns the lists of terms that some step uses, and the lists that no step uses.
    fn terms(&self) -> (Vec<Terms>, Vec<Terms>) {
        let (source, target) = (&self.source, &self.target);
        let sent = self.question.proof.linear_advance.is_some();
        let advance = advance(source, target).is_some();
        let lists = [
            (INCLUSION, source.id() < target.fields.bl_tx_id),
            (CONSISTENCY, !source.tree.is_empty()),
            (LAST_INCLUSION, !target.tree.is_empty()),
            (LINEAR, true),
            (ADVANCE, advance && sent),
            (FETCHED, advance && !sent),
        ];
        let (yes, no): (Vec<_>, Vec<_>) = lists.into_iter().partition(|(_, consulted)| *consulted);
        let only = |lists: Vec<(Terms, bool)>| lists.into_iter().map(|(list, _)| list).collect();
        (only(yes), only(no))
    }

    /// Returns the ids of the fetched headers that some step uses.
    fn used_headers(&self) -> Vec<u64> {
        let (source, target) = (&self.source, &self.target);
        let mut ids = vec![];
        if let (Some((start, end)), None) =
            (advance(source, target), &self.question.proof.linear_advance)
        {
            ids.extend(start + 1..=end);
        }
        if onward(source, target) {
            ids.extend(target.fields.bl_tx_id + 1..=source.id());
        }
        ids
    }
}

fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

fn flip_digest(digest: &Digest, bit: usize) -> Digest {
    Digest::try_from(&flip(digest.as_bytes(), bit)[..]).unwrap()
}

/// Returns every valid header that differs from this one in one bit.
fn headers_with_one_changed_bit(fields: &HeaderFields) -> Vec<TxHeader> {
    let with = |change: &dyn Fn(&mut HeaderFields)| {
        let mut fields = fields.clone();
        change(&mut fields);
        TxHeader::new(fields).ok()
    };
    let mut headers = vec![];
    for bit in 0..256 {
        headers.push(with(&|f| f.prev_alh = flip_digest(&f.prev_alh, bit)));
        headers.push(with(&|f| f.eh = flip_digest(&f.eh, bit)));
        headers.push(with(&|f| f.bl_root = flip_digest(&f.bl_root, bit)));
    }
    for bit in 0..64 {
        headers.push(with(&|f| f.id ^= 1 << bit));
        headers.push(with(&|f| f.ts ^= 1 << bit));
        headers.push(with(&|f| f.bl_tx_id ^= 1 << bit));
    }
    for bit in 0..32 {
        headers.push(with(&|f| f.nentries ^= 1 << bit));
        headers.push(with(&|f| f.version ^= 1 << bit));
    }
    let metadata = fields.metadata.clone().unwrap_or_default();
    for bit in 0..64 {
        let mut metadata = metadata.clone();
        metadata.truncated_tx_id ^= 1 << bit;
        headers.push(with(&|f| f.metadata = Some(metadata.clone())));
    }
    for bit in 0..8 * metadata.extra.len() {
        let mut metadata = metadata.clone();
        metadata.extra = flip(&metadata.extra, bit);
        headers.push(with(&|f| f.metadata = Some(metadata.clone())));
    }
    headers.into_iter().flatten().collect()
}

#[test]
fn no_bit_of_a_used_field_can_be_changed() {
    let mut bits = 0u64;
    for sample in samples() {
        let question = &sample.question;
        let mut refused = |what: &str, bit: usize, changed: Question| {
            assert!(!changed.holds(), "{}: {what}, bit {bit}", sample.label);
            bits += 1;
        };
        for bit in 0..256 {
            let changed = question.changed(|q| q.source.hash = flip_digest(&q.source.hash, bit));
            refused("trusted hash", bit, changed);
            let changed = question.changed(|q| q.target.hash = flip_digest(&q.target.hash, bit));
            refused("claimed hash", bit, changed);
            if !sample.target.tree.is_empty() {
                let changed = question.changed(|q| {
                    let alh = q.proof.target_bl_tx_alh.digest().unwrap();
                    q.proof.target_bl_tx_alh = flip_digest(&alh, bit).into();
                });
                refused("targetBlTxAlh", bit, changed);
            }
        }
        for bit in 0..64 {
            refused(
                "trusted id",
                bit,
                question.changed(|q| q.source.tx ^= 1 << bit),
            );
            refused(
                "claimed id",
                bit,
                question.changed(|q| q.target.tx ^= 1 << bit),
            );
            for source in [true, false] {
                let changed = question.changed(|q| {
                    let linear = q.proof.linear.as_mut().unwrap();
                    let end = if source {
                        &mut linear.source_tx
                    } else {
                        &mut linear.target_tx
                    };
                    *end ^= 1 << bit;
                });
                refused("linear proof's ids", bit, changed);
            }
        }
        for terms in sample.terms().0 {
            let lengths: Vec<usize> = terms(&mut question.clone())
                .iter()
                .map(|l| l.len())
                .collect();
            for (list, length) in lengths.into_iter().enumerate() {
                for (term, bit) in (0..length).flat_map(|t| (0..256).map(move |bit| (t, bit))) {
                    let changed = question.changed(|q| {
                        let term = &mut terms(q)[list][term];
                        *term = flip_digest(&term.digest().unwrap(), bit).into();
                    });
                    refused("term", bit, changed);
                }
            }
        }
        for (bit, header) in headers_with_one_changed_bit(&sample.source.fields)
            .into_iter()
            .enumerate()
        {
            refused(
                "source header",
                bit,
                question.changed(|q| q.proof.source = Some(header)),
            );
        }
        for (bit, header) in headers_with_one_changed_bit(&sample.target.fields)
            .into_iter()
            .enumerate()
        {
            refused(
                "target header",
                bit,
                question.changed(|q| q.proof.target = Some(header)),
            );
        }
    }
    println!("{bits} bits");
    assert!(bits > 200_000, "{bits}");
}

#[test]
fn no_field_of_a_used_fetched_header_can_be_changed() {
    let mut random = Random::new(5);
    for sample in samples() {
        for id in sample.used_headers() {
            let forged = Tx::new(id, random.digest(), &[], &mut random);
            let changed = sample
                .question
                .changed(|q| drop(q.parts.headers.insert(id, forged.header())));
            assert_eq!(
                changed.fault(),
                Some(Fault::Inconsistent),
                "{}: {id}",
                sample.label
            );
            // the right previous hash with other content, and another id
            let right = &sample.question.parts.headers[&id];
            let own = Tx::new(id, *right.prev_alh(), &[], &mut random).header();
            let changed = sample
                .question
                .changed(|q| drop(q.parts.headers.insert(id, own)));
            assert_eq!(
                changed.fault(),
                Some(Fault::Inconsistent),
                "{}: {id}",
                sample.label
            );
            let other_id = Tx::new(id + 1, *right.prev_alh(), &[], &mut random).header();
            let changed = sample
                .question
                .changed(|q| drop(q.parts.headers.insert(id, other_id)));
            assert_eq!(
                (changed.fault(), changed.refused_at()),
                (Some(Fault::Malformed), Some(id)),
                "{}: {id}",
                sample.label
            );
            let absent = sample
                .question
                .changed(|q| drop(q.parts.headers.remove(&id)));
            assert_eq!(
                absent.fault(),
                Some(Fault::Malformed),
                "{}: {id}",
                sample.label
            );
        }
    }
}

#[test]
fn a_wrong_count_or_length_of_a_used_field_is_malformed() {
    let mut count = 0;
    for sample in samples() {
        let question = &sample.question;
        let mut malformed = |changed: Question| {
            assert_eq!(changed.fault(), Some(Fault::Malformed), "{}", sample.label);
            count += 1;
        };
        for terms in sample.terms().0 {
            for list in 0..terms(&mut question.clone()).len() {
                malformed(question.changed(|q| terms(q)[list].push(Digest::ZERO.into())));
                let length = terms(&mut question.clone())[list].len();
                if length > 0 {
                    malformed(question.changed(|q| terms(q)[list].truncate(length - 1)));
                    malformed(question.changed(|q| terms(q)[list].clear()));
                }
                for at in 0..length {
                    for bytes in [0, 31, 33] {
                        let term = Term::from(&vec![7; bytes][..]);
                        malformed(question.changed(|q| terms(q)[list][at] = term));
                    }
                }
            }
        }
        malformed(question.changed(|q| q.proof.source = None));
        malformed(question.changed(|q| q.proof.target = None));
        malformed(question.changed(|q| q.proof.linear = None));
        malformed(
            question
                .changed(|q| q.parts = Parts::default())
                .or_malformed_without_parts(&sample),
        );
        if !sample.target.tree.is_empty() {
            let short = Term::from(&[7; 31][..]);
            malformed(question.changed(|q| q.proof.target_bl_tx_alh = short));
        }
        if let Some(advance) = &question.proof.linear_advance {
            let mut more = advance.clone();
            more.inclusions.push(vec![]);
            malformed(question.changed(|q| q.proof.linear_advance = Some(more)));
            let mut less = advance.clone();
            less.inclusions.pop();
            malformed(question.changed(|q| q.proof.linear_advance = Some(less)));
        }
    }
    assert!(count > 2_000, "{count}");
}

impl Question {
    /// Returns the question, or another malformed one if no step needs the parts.
    fn or_malformed_without_parts(self, sample: &Sample) -> Question {
        if !sample.used_headers().is_empty() {
            return self;
        }
        assert!(self.holds(), "{}", sample.label);
        self.changed(|q| q.proof.linear = None)
    }
}

#[test]
fn unused_fields_may_have_any_content() {
    let mut random = Random::new(6);
    let mut count = 0;
    for sample in samples() {
        let junk = |random: &mut Random| -> Vec<Term> {
            let length = random.index(5);
            (0..length).map(|_| random_term(random)).collect()
        };
        let mut question = sample.question.clone();
        for terms in sample.terms().1 {
            for list in terms(&mut question) {
                *list = junk(&mut random);
                count += 1;
            }
        }
        if advance(&sample.source, &sample.target).is_none() {
            question.proof.linear_advance = Some(LinearAdvance {
                linear: junk(&mut random),
                inclusions: vec![junk(&mut random)],
            });
        }
        if sample.target.tree.is_empty() {
            question.proof.target_bl_tx_alh = Term::from(&[1, 2, 3][..]);
        }
        let needed = sample.used_headers();
        for id in 0..25 {
            if !needed.contains(&id) {
                let other = Tx::new(id, random.digest(), &[], &mut random);
                question
                    .parts
                    .headers
                    .insert(random.below(2) * id, other.header());
                count += 1;
            }
        }
        for id in needed {
            let header = sample.question.parts.headers[&id].clone();
            question.parts.headers.insert(id, header);
        }
        assert!(question.holds(), "{}", sample.label);
    }
    assert!(count > 100, "{count}");
}
