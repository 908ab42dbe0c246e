//! A slow and simple prover: the recursive definitions of RFC 6962 §2.1 over a list of leaves, and
//! a second implementation of the ledger's hashing (protocol.md §3).

use std::collections::BTreeMap;

use immuaudit::ledger::{
    Digest, DualProof, HeaderFields, LinearAdvance, LinearProof, Parts, State, Term, TxHeader,
    TxMetadata,
};
use ring::digest::{SHA256, digest};

use super::random::Random;

pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::try_from(digest(&SHA256, bytes).as_ref()).unwrap()
}

fn hash(parts: &[&[u8]]) -> Digest {
    sha256(&parts.concat())
}

/// Returns the largest power of two below `n`.
fn split(n: usize) -> usize {
    assert!(n > 1);
    let mut k = 1;
    while 2 * k < n {
        k *= 2;
    }
    k
}

/// Returns MTH(D[n]) of at least one leaf.
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [leaf] => hash(&[&[0], leaf.as_bytes()]),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            hash(&[&[1], root(left).as_bytes(), root(right).as_bytes()])
        }
    }
}

/// Returns PATH(m, D[n]); `index` begins at 0.
pub fn inclusion(index: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return vec![];
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) = if index < k {
        (inclusion(index, left), root(right))
    } else {
        (inclusion(index - k, right), root(left))
    };
    path.push(sibling);
    path
}

/// Returns PROOF(m, D[n]) with immudb's two differences (protocol.md §4, *consistency*): the start
/// node is always included, and trees of the same size get the root's children, the right one
/// first.
pub fn consistency(old: usize, leaves: &[Digest]) -> Vec<Digest> {
    match leaves.len() {
        1 => vec![],
        n if n == old => {
            let (left, right) = leaves.split_at(split(n));
            vec![root(right), root(left)]
        }
        _ => sub_proof(old, leaves),
    }
}

/// Returns SUBPROOF(m, D[n], false).
fn sub_proof(old: usize, leaves: &[Digest]) -> Vec<Digest> {
    if old == leaves.len() {
        return vec![root(leaves)];
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if old <= k {
        (sub_proof(old, left), root(right))
    } else {
        (sub_proof(old - k, right), root(left))
    };
    proof.push(other);
    proof
}

/// Returns the inner hash of a header (protocol.md §3).
fn inner(of: &HeaderFields) -> Digest {
    let mut bytes = of.ts.to_be_bytes().to_vec();
    bytes.extend(u16::try_from(of.version).unwrap().to_be_bytes());
    if of.version == 0 {
        bytes.extend(u16::try_from(of.nentries).unwrap().to_be_bytes());
    } else {
        let metadata = of.metadata.as_ref().map(serialise).unwrap_or_default();
        bytes.extend(u16::try_from(metadata.len()).unwrap().to_be_bytes());
        bytes.extend(metadata);
        bytes.extend(of.nentries.to_be_bytes());
    }
    bytes.extend(of.eh.as_bytes());
    bytes.extend(of.bl_tx_id.to_be_bytes());
    bytes.extend(of.bl_root.as_bytes());
    sha256(&bytes)
}

fn serialise(metadata: &TxMetadata) -> Vec<u8> {
    let mut bytes = vec![];
    if metadata.truncated_tx_id > 0 {
        bytes.push(0);
        bytes.extend(metadata.truncated_tx_id.to_be_bytes());
    }
    if !metadata.extra.is_empty() {
        bytes.push(1);
        bytes.extend(u16::try_from(metadata.extra.len()).unwrap().to_be_bytes());
        bytes.extend(&metadata.extra);
    }
    bytes
}

/// One transaction, honest or not.
#[derive(Clone, Debug)]
pub struct Tx {
    pub fields: HeaderFields,
    pub inner: Digest,
    pub alh: Digest,
    /// The Alhs of transactions 1 to blTxId in its tree.
    pub tree: Vec<Digest>,
}

impl Tx {
    /// Makes transaction `id` after `prev_alh` over `tree`, with random other fields.
    pub fn new(id: u64, prev_alh: Digest, tree: &[Digest], random: &mut Random) -> Tx {
        let version = i32::from(random.below(3) > 0);
        let metadata = (version == 1 && random.below(3) == 0).then(|| {
            let length = random.index(257);
            TxMetadata {
                truncated_tx_id: random.below(3),
                extra: random.bytes(length),
            }
        });
        let fields = HeaderFields {
            id,
            prev_alh,
            ts: random.u64() as i64,
            nentries: random.below(1000) as i32,
            eh: random.digest(),
            bl_tx_id: tree.len() as u64,
            bl_root: if tree.is_empty() {
                Digest::ZERO
            } else {
                root(tree)
            },
            version,
            metadata,
        };
        let inner = inner(&fields);
        let alh = hash(&[&id.to_be_bytes(), prev_alh.as_bytes(), inner.as_bytes()]);
        Tx {
            fields,
            inner,
            alh,
            tree: tree.into(),
        }
    }

    pub fn id(&self) -> u64 {
        self.fields.id
    }

    pub fn state(&self) -> State {
        State {
            tx: self.id(),
            hash: self.alh,
        }
    }

    pub fn header(&self) -> TxHeader {
        TxHeader::new(self.fields.clone()).unwrap()
    }
}

/// A history from transaction 1 on: each transaction has the previous one's Alh as its `prevAlh`.
#[derive(Clone, Debug, Default)]
pub struct Chain(pub Vec<Tx>);

impl Chain {
    /// Makes an honest history. `lag` returns the size of the tree of each transaction (from 1).
    pub fn honest(
        length: u64,
        random: &mut Random,
        mut lag: impl FnMut(u64, &mut Random) -> u64,
    ) -> Chain {
        let mut chain = Chain::default();
        for id in 1..=length {
            let alhs: Vec<Digest> = chain.0.iter().map(|tx| tx.alh).collect();
            let size = usize::try_from(lag(id, random)).unwrap();
            chain.push(Tx::new(id, chain.last(), &alhs[..size], random));
        }
        chain
    }

    fn push(&mut self, tx: Tx) {
        self.0.push(tx);
    }

    fn last(&self) -> Digest {
        self.0.last().map_or_else(|| sha256(b""), |tx| tx.alh)
    }

    /// Returns transaction `id`, from 1.
    pub fn tx(&self, id: u64) -> &Tx {
        &self.0[usize::try_from(id - 1).unwrap()]
    }

    /// Returns the history up to `id`.
    pub fn up_to(&self, id: u64) -> Chain {
        Chain(self.0[..usize::try_from(id).unwrap()].to_vec())
    }
}

fn terms(digests: Vec<Digest>) -> Vec<Term> {
    digests.into_iter().map(Term::from).collect()
}

/// Returns the terms of a chain from `start` to `end` (protocol.md §4, step 6).
fn linear(chain: &[Tx], start: u64, end: u64) -> Vec<Term> {
    let at = |id: u64| &chain[usize::try_from(id - 1).unwrap()];
    let mut digests = vec![at(start).alh];
    digests.extend((start + 1..=end).map(|id| at(id).inner));
    terms(digests)
}

/// Returns the begin and the end of a linear advance, if one must be proven (protocol.md §4, step
/// 7).
pub fn advance(source: &Tx, target: &Tx) -> Option<(u64, u64)> {
    let start = source.tree.len() as u64;
    let end = source.id().min(target.tree.len() as u64);
    (end > start + 1).then_some((start, end))
}

/// Returns whether an onward link is required (protocol.md §4, step 8).
pub fn onward(source: &Tx, target: &Tx) -> bool {
    source.tree.len() < target.tree.len() && (target.tree.len() as u64) < source.id()
}

/// Returns the proof and its additional parts from the last transaction of `source` to the last of
/// `target`. If both belong to one history, it is the honest proof. Otherwise it is the best
/// possible one, since any other has digests that differ from those in the headers.
pub fn prove(source: &[Tx], target: &[Tx]) -> (DualProof, Parts) {
    let (s, t) = (source.last().unwrap(), target.last().unwrap());
    let tree = &t.tree;
    let size = tree.len() as u64;
    let covered = s.id() < size;
    let path = |id: u64| terms(inclusion(usize::try_from(id - 1).unwrap(), tree));
    let start = if covered { size } else { s.id() };
    let swallowed = advance(s, t);
    let proof = DualProof {
        source: Some(s.header()),
        target: Some(t.header()),
        inclusion: if covered { path(s.id()) } else { vec![] },
        consistency: match s.tree.len() {
            0 => vec![],
            old if old > tree.len() => vec![], // no proof is possible
            old => terms(consistency(old, tree)),
        },
        target_bl_tx_alh: tree.last().copied().unwrap_or(Digest::ZERO).into(),
        last_inclusion: if size > 0 { path(size) } else { vec![] },
        linear: Some(LinearProof {
            source_tx: start,
            target_tx: t.id(),
            terms: linear(target, start, t.id()),
        }),
        linear_advance: swallowed.map(|(start, end)| LinearAdvance {
            linear: linear(source, start + 1, end),
            inclusions: (start + 1..end).map(path).collect(),
        }),
    };
    let first = s.tree.len() as u64 + 1;
    let headers: BTreeMap<u64, TxHeader> = if swallowed.is_some() || onward(s, t) {
        source
            .iter()
            .filter(|tx| tx.id() >= first)
            .map(|tx| (tx.id(), tx.header()))
            .collect()
    } else {
        BTreeMap::new()
    };
    let inclusions = swallowed
        .map(|(start, end)| (start + 1..end).map(|id| (id, path(id))).collect())
        .unwrap_or_default();
    (
        proof,
        Parts {
            headers,
            inclusions,
        },
    )
}
