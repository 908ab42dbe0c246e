//! One database of the embedded server: transactions, the chain of their Alhs, the main tree that
//! may lag behind it, and the proofs over both (protocol.md §3 and §4).

use std::collections::BTreeMap;

use super::index::{Index, Place};
use super::tree::MerkleTree;
use crate::clock::Clock;
use crate::ledger::{
    Digest, DualProof, HeaderFields, HeaderVersion, KvMetadata, LinearAdvance, LinearProof, State,
    Term, TxEntry, TxHeader, TxMetadata,
};

/// The lag of the main tree when a transaction is written (protocol.md §3, *The main tree*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lag {
    /// No lag: transaction i is written over a tree of i - 1, as from 1.3.2 on.
    None,
    /// Always this many transactions.
    By(u64),
    /// The tree grows in steps of this size.
    Batches(u64),
    /// The lag varies, as under 1.1.0 with many writers.
    Unsteady,
    /// Transaction i is written over a tree of `table[i - 1]`; after the end of the table, without lag.
    Table(Vec<u64>),
}

impl Lag {
    /// Returns the size of the tree that transaction `id` is written over: always below `id`.
    pub fn tree_size(&self, id: u64) -> u64 {
        let all = id.saturating_sub(1);
        let size = match self {
            Lag::None => all,
            Lag::By(behind) => all.saturating_sub(*behind),
            Lag::Batches(batch) => all - all % (*batch).max(1),
            Lag::Unsteady => all.saturating_sub((id * 7 + id / 3) % 11),
            Lag::Table(sizes) => usize::try_from(all)
                .ok()
                .and_then(|index| sizes.get(index))
                .map_or(all, |size| *size),
        };
        size.min(all)
    }
}

/// An entry to write, key and value as stored (protocol.md §2, *Entry keys as stored*).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEntry {
    /// The key, with its kind byte.
    pub key: Vec<u8>,
    /// The value, with its first byte if it is a key-value's.
    pub value: Vec<u8>,
    /// The metadata, from 1.2.
    pub metadata: Option<KvMetadata>,
}

impl NewEntry {
    /// Returns a plain key and value.
    pub fn set(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> NewEntry {
        NewEntry {
            key: [&[0], key.as_ref()].concat(),
            value: [&[0], value.as_ref()].concat(),
            metadata: None,
        }
    }

    /// Returns a key that refers to the value that `target` got in transaction `at_tx` (0: its latest value).
    pub fn reference(key: impl AsRef<[u8]>, target: impl AsRef<[u8]>, at_tx: u64) -> NewEntry {
        NewEntry {
            key: [&[0], key.as_ref()].concat(),
            value: [&[1], &at_tx.to_be_bytes()[..], &[0], target.as_ref()].concat(),
            metadata: None,
        }
    }

    /// Returns the deletion of a key: an empty value.
    pub fn deletion(key: impl AsRef<[u8]>) -> NewEntry {
        NewEntry {
            key: [&[0], key.as_ref()].concat(),
            value: Vec::new(),
            metadata: Some(KvMetadata {
                deleted: true,
                ..KvMetadata::default()
            }),
        }
    }

    /// Returns an entry of another kind: 1 sorted set, 2 SQL, 3 document.
    pub fn of_kind(kind: u8, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> NewEntry {
        NewEntry {
            key: [&[kind], key.as_ref()].concat(),
            value: value.as_ref().to_vec(),
            metadata: None,
        }
    }

    /// Returns the same entry with metadata.
    pub fn with(self, metadata: KvMetadata) -> NewEntry {
        NewEntry {
            metadata: Some(metadata),
            ..self
        }
    }

    pub(super) fn stored(self) -> TxEntry {
        TxEntry {
            h_value: Digest::of(&[&self.value]),
            key: self.key,
            metadata: self.metadata,
            claimed_length: u64::try_from(self.value.len()).unwrap_or(u64::MAX),
            value: self.value,
        }
    }
}

/// A transaction to write.
#[derive(Clone, Debug, Default)]
pub struct NewTransaction {
    /// Its entries in order.
    pub entries: Vec<NewEntry>,
    /// The transaction's own metadata (version 1).
    pub metadata: Option<TxMetadata>,
    /// The size of the tree it is written over, if the ledger's [`Lag`] does not decide it.
    pub tree_size: Option<u64>,
    /// The Alh of the transaction before, if it differs from that transaction's: no correct server writes so.
    pub prev_alh: Option<Digest>,
}

/// A stored transaction.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its header.
    pub header: TxHeader,
    /// Its entries with their values.
    pub entries: Vec<TxEntry>,
}

impl Stored {
    /// Returns the terms that prove that entry `index` (from 0) is in the transaction's `eH`.
    pub fn entry_inclusion(&self, index: usize) -> Vec<Digest> {
        let digests = self.entries.iter().map(|entry| entry.digest(&self.header));
        let tree = MerkleTree::over(digests.map_while(Result::ok));
        tree.inclusion(index as u64 + 1, self.entries.len() as u64)
    }
}

/// No dual proof exists: the source's tree is larger than the target's (protocol.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlinkable {
    /// The transaction that a server names in its error.
    pub tx: u64,
}

/// The ledger of one database.
#[derive(Clone, Debug)]
pub struct Ledger {
    version: HeaderVersion,
    lag: Lag,
    clock: Clock,
    txs: Vec<Stored>,
    /// The headers that the tree has in place of the transactions' own, by id; an honest ledger has none.
    held: BTreeMap<u64, TxHeader>,
    /// The tree over the Alhs of the transactions, and of these headers.
    tree: MerkleTree,
    index: Index,
}

impl Ledger {
    /// Creates a ledger without transactions, whose headers are of this version.
    pub fn new(version: HeaderVersion, lag: Lag) -> Ledger {
        Ledger {
            version,
            lag,
            clock: Clock::system(),
            txs: Vec::new(),
            held: BTreeMap::new(),
            tree: MerkleTree::default(),
            index: Index::default(),
        }
    }

    /// Returns the same ledger, but transactions get their time from `clock` instead of the system.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Ledger {
        Ledger { clock, ..self }
    }

    /// Returns the id of the last transaction; 0 if there is none.
    pub fn last(&self) -> u64 {
        self.txs.len() as u64
    }

    /// Returns the state (protocol.md §3).
    pub fn state(&self) -> State {
        self.state_at(self.last()).unwrap_or(State::EMPTY)
    }

    /// Returns the state as it was after transaction `tx`.
    pub fn state_at(&self, tx: u64) -> Option<State> {
        self.tx(tx).map(|stored| State {
            tx,
            hash: stored.header.alh(),
        })
    }

    /// Returns a transaction.
    pub fn tx(&self, id: u64) -> Option<&Stored> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        self.txs.get(index)
    }

    /// Returns all transactions, in order.
    pub fn txs(&self) -> &[Stored] {
        &self.txs
    }

    /// Returns the index of the keys of all transactions.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// Returns an entry.
    pub(super) fn entry(&self, place: Place) -> Option<&TxEntry> {
        self.tx(place.tx)?.entries.get(place.entry)
    }

    /// Returns the place of a key, as it is stored, in a transaction.
    pub(super) fn place_in(&self, tx: u64, key: &[u8]) -> Option<Place> {
        let entries = &self.tx(tx)?.entries;
        let entry = entries.iter().position(|entry| entry.key == key)?;
        Some(Place { tx, entry })
    }

    /// Writes a transaction of these entries, and returns the state after it.
    pub fn commit(&mut self, entries: Vec<NewEntry>) -> State {
        self.write(NewTransaction {
            entries,
            ..NewTransaction::default()
        })
    }

    /// Writes a transaction, and returns the state after it.
    ///
    /// # Panics
    /// Panics if no server accepts the draft (metadata in a ledger of version 0, too many entries): the embedded
    /// server's own callers prevent that.
    pub fn write(&mut self, draft: NewTransaction) -> State {
        let id = self.last() + 1;
        let entries: Vec<TxEntry> = draft.entries.into_iter().map(NewEntry::stored).collect();
        let size = draft.tree_size.unwrap_or_else(|| self.lag.tree_size(id));
        let size = size.min(self.last());
        let fields = HeaderFields {
            id,
            prev_alh: draft.prev_alh.unwrap_or(self.state().hash),
            ts: unix(&self.clock),
            nentries: i32::try_from(entries.len()).unwrap_or(i32::MAX),
            eh: Digest::OF_NOTHING,
            bl_tx_id: size,
            bl_root: self.tree.root(size),
            version: match self.version {
                HeaderVersion::V0 => 0,
                HeaderVersion::V1 => 1,
            },
            metadata: draft.metadata,
        };
        let header = |fields| TxHeader::new(fields).expect("a header that a server writes");
        // a digest of an entry depends on the header's version, and the header contains the root over the digests
        let bare = header(fields.clone());
        let digests = entries.iter().map(|entry| {
            let digest = entry.digest(&bare);
            digest.expect("an entry that a server writes")
        });
        let tree = MerkleTree::over(digests);
        let eh = match tree.size() {
            0 => Digest::OF_NOTHING,
            size => tree.root(size),
        };
        let header = header(HeaderFields { eh, ..fields });
        self.tree.push(&header.alh());
        self.index.add(id, &entries);
        self.txs.push(Stored { header, entries });
        self.state()
    }

    /// Removes every transaction after `last`, from the tree too.
    pub fn truncate(&mut self, last: u64) {
        self.index.truncate(last);
        self.held.retain(|id, _| *id <= last);
        self.txs
            .truncate(usize::try_from(last).unwrap_or(usize::MAX));
        self.rebuild();
    }

    /// Puts another transaction into the tree than the one that is shown. No honest server does this.
    pub fn hold(&mut self, header: TxHeader) {
        if self.tx(header.id()).is_some() {
            self.held.insert(header.id(), header);
        }
        self.rebuild();
    }

    fn rebuild(&mut self) {
        let headers = (1..=self.last()).map_while(|id| self.held(id));
        self.tree = MerkleTree::over(headers.map(TxHeader::alh));
    }

    /// Returns the dual proof between two transactions, the smaller one first (protocol.md §4); `None` if one of
    /// them does not exist.
    ///
    /// # Errors
    /// The source's tree is larger than the target's.
    pub fn dual_proof(&self, source: u64, target: u64) -> Option<Result<DualProof, Unlinkable>> {
        let source_header = &self.tx(source)?.header;
        let target_header = &self.tx(target)?.header;
        let (old, new) = (source_header.bl_tx_id(), target_header.bl_tx_id());
        if old > new {
            return Some(Err(Unlinkable { tx: source }));
        }
        let in_tree = source < new;
        let start = if in_tree { new } else { source };
        let inclusion = match in_tree {
            true => self.tree.inclusion(source, new),
            false => Vec::new(),
        };
        Some(Ok(DualProof {
            source: Some(source_header.clone()),
            target: Some(target_header.clone()),
            inclusion: terms(inclusion),
            consistency: terms(self.tree.consistency(old, new)),
            target_bl_tx_alh: Term::from(match new {
                0 => Digest::ZERO,
                new => self.held(new).map_or(Digest::ZERO, TxHeader::alh),
            }),
            last_inclusion: terms(self.tree.inclusion(new, new)),
            linear: Some(LinearProof {
                source_tx: start,
                target_tx: target,
                terms: chain((start..=target).map_while(|id| self.header(id))),
            }),
            linear_advance: self.linear_advance(old, source.min(new), new),
        }))
    }

    /// Returns the linear advance of step 7: the transactions after `start` up to `end`, which a tree of `size`
    /// has taken in; `None` if there is nothing to prove.
    fn linear_advance(&self, start: u64, end: u64, size: u64) -> Option<LinearAdvance> {
        if end <= start + 1 {
            return None;
        }
        let inclusion = |id| terms(self.tree.inclusion(id, size));
        Some(LinearAdvance {
            linear: chain((start + 1..=end).map_while(|id| self.held(id))),
            inclusions: (start + 1..end).map(inclusion).collect(),
        })
    }

    fn held(&self, id: u64) -> Option<&TxHeader> {
        self.held.get(&id).or_else(|| self.header(id))
    }

    fn header(&self, id: u64) -> Option<&TxHeader> {
        self.tx(id).map(|stored| &stored.header)
    }
}

/// Returns the terms of a linear proof: the Alh of the first header, then the inner hashes of the rest.
fn chain<'a>(mut headers: impl Iterator<Item = &'a TxHeader>) -> Vec<Term> {
    let first = headers.next().map(TxHeader::alh);
    terms(first.into_iter().chain(headers.map(TxHeader::inner)))
}

fn terms(digests: impl IntoIterator<Item = Digest>) -> Vec<Term> {
    digests.into_iter().map(Term::from).collect()
}

/// Returns the time of day in seconds since 1970.
pub(super) fn unix(clock: &Clock) -> i64 {
    i64::try_from(clock.now().unix()).unwrap_or(i64::MAX)
}
