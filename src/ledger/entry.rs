//! Entries of a transaction: their digests, the root over them and their values (protocol.md §3, §6).

use super::digest::{Digest, Term};
use super::header::{HeaderVersion, TxHeader};
use super::refusal::{At, Reason, Refusal, Step};
use super::tree::{Frontier, Inclusion};

/// The metadata of an entry, in addition to key and value (from 1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvMetadata {
    /// Whether this entry deletes the key.
    pub deleted: bool,
    /// Unix seconds after which the value has expired.
    pub expires_at: Option<i64>,
    /// Whether the entry cannot be found by key.
    pub non_indexable: bool,
}

impl KvMetadata {
    /// Returns the bytes that are hashed: each attribute that is present, in this order (protocol.md §3).
    fn serialise(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.deleted {
            bytes.push(0);
        }
        if let Some(expires_at) = self.expires_at {
            bytes.push(1);
            bytes.extend(expires_at.to_be_bytes());
        }
        if self.non_indexable {
            bytes.push(2);
        }
        bytes
    }
}

/// One entry as a transaction carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxEntry {
    /// Key as stored: its first byte is the kind (0 key-value, 1 sorted set, 2 SQL, 3 document).
    pub key: Vec<u8>,
    /// The metadata; absent before 1.2.
    pub metadata: Option<KvMetadata>,
    /// Hash of the value as stored.
    pub h_value: Digest,
    /// The value as stored, if the server sent one. An empty value is absent on the wire.
    pub value: Vec<u8>,
    /// Length of the value in bytes, as the server claims it: no hash covers it (protocol.md §6).
    pub claimed_length: u64,
}

impl TxEntry {
    /// Returns the entry's digest, a leaf of its transaction's tree (protocol.md §3).
    ///
    /// # Errors
    /// [`Step::Entries`] for metadata under a version 0 header, or a key of more than 65,535 bytes under version 1.
    pub fn digest(&self, header: &TxHeader) -> Result<Digest, Refusal> {
        digest(
            at(Step::Entries, header),
            header.version(),
            &self.key,
            self.metadata.as_ref(),
            &self.h_value,
        )
    }

    /// Verifies that the value hashes to the ledger's hash (protocol.md §6). If a value was edited on the server's
    /// disk, every consistency proof still holds; this check detects it.
    ///
    /// # Errors
    /// [`Step::Value`] at this transaction, if the hash differs.
    pub fn verify_value(&self, header: &TxHeader) -> Result<(), Refusal> {
        let got = Digest::of(&[&self.value]);
        at(Step::Value, header).same("the value's hash", &self.h_value, &got)
    }
}

fn at(step: Step, header: &TxHeader) -> At {
    At {
        step,
        tx: header.id(),
    }
}

/// Returns the digest of any entry (protocol.md §3).
fn digest(
    at: At,
    version: HeaderVersion,
    key: &[u8],
    metadata: Option<&KvMetadata>,
    h_value: &Digest,
) -> Result<Digest, Refusal> {
    let metadata = metadata.map(KvMetadata::serialise).unwrap_or_default();
    let too_long = |what, length: usize| {
        at.refuse(Reason::Range {
            what,
            value: i128::try_from(length).unwrap_or(i128::MAX),
        })
    };
    match version {
        HeaderVersion::V0 if metadata.is_empty() => Ok(Digest::of(&[key, h_value.as_bytes()])),
        HeaderVersion::V0 => too_long(
            "the metadata's length in an entry of version 0",
            metadata.len(),
        ),
        HeaderVersion::V1 => {
            let Ok(key_len) = u16::try_from(key.len()) else {
                return too_long("the key's length", key.len());
            };
            // at most 11 bytes, see KvMetadata::serialise
            let metadata_len = u16::try_from(metadata.len()).unwrap_or(u16::MAX);
            Ok(Digest::of(&[
                &metadata_len.to_be_bytes(),
                &metadata,
                &key_len.to_be_bytes(),
                key,
                h_value.as_bytes(),
            ]))
        }
    }
}

/// Verifies that the entries are those of the transaction: their number is `nentries`, and the root over their
/// digests is `eH` (protocol.md §3, *eH*; §4, *A fetched transaction*). Without this check, entries could be
/// added, left out or exchanged. It does not check values; see [`TxEntry::verify_value`].
///
/// # Errors
/// [`Step::Entries`].
pub fn verify_entries(header: &TxHeader, entries: &[TxEntry]) -> Result<(), Refusal> {
    let at = at(Step::Entries, header);
    at.count("entries", u64::from(header.nentries()), entries.len())?;
    let mut tree = Frontier::new();
    for entry in entries {
        tree.push(&entry.digest(header)?);
    }
    let root = tree.root().unwrap_or(Digest::OF_NOTHING);
    at.same("the entries' root", header.eh(), &root)
}

/// A response to `VerifiableGet` or `Get{atTx}`: a plain value, or a reference to one (protocol.md §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetEntry {
    /// The transaction of the value.
    pub tx: u64,
    /// Key without its kind byte.
    pub key: Vec<u8>,
    /// Value without its kind byte.
    pub value: Vec<u8>,
    /// The entry's metadata, if it is no reference.
    pub metadata: Option<KvMetadata>,
    /// The reference that led to the value.
    pub referenced_by: Option<Reference>,
}

/// A reference to an entry (protocol.md §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The transaction of the reference itself.
    pub tx: u64,
    /// The reference's own key, without its kind byte.
    pub key: Vec<u8>,
    /// The transaction it points to; 0: the latest.
    pub at_tx: u64,
    /// The reference's metadata.
    pub metadata: Option<KvMetadata>,
}

impl GetEntry {
    /// Returns the transaction that stores the requested entry: the reference's transaction if there is a
    /// reference.
    pub fn stored_in(&self) -> u64 {
        self.referenced_by
            .as_ref()
            .map_or(self.tx, |reference| reference.tx)
    }

    /// Returns the key as stored, with its kind byte.
    pub fn stored_key(&self) -> Vec<u8> {
        let key = match &self.referenced_by {
            Some(reference) => &reference.key,
            None => &self.key,
        };
        [&[KEY_VALUE][..], key].concat()
    }

    /// Returns the hash of the value as stored (protocol.md §6).
    pub fn stored_value_hash(&self) -> Digest {
        match &self.referenced_by {
            None => Digest::of(&[&[PLAIN], &self.value]),
            Some(reference) => Digest::of(&[
                &[REFERENCE],
                &reference.at_tx.to_be_bytes(),
                &[KEY_VALUE],
                &self.key,
            ]),
        }
    }

    /// Verifies that the entry is one of the transaction's: `proof` shows that `eH` includes its digest (protocol.md
    /// §6, *VerifiableGet*; RFC 9162 §2.1.3.2). Without this check, the server could send any value for the key.
    ///
    /// # Errors
    /// [`Step::Answer`] for another transaction; [`Step::Entries`] if the proof does not show the entry in its tree.
    pub fn verify(&self, header: &TxHeader, proof: &EntryInclusion) -> Result<(), Refusal> {
        at(Step::Answer, header).id("the entry's transaction", header.id(), self.stored_in())?;
        let at = at(Step::Entries, header);
        let width = u64::from(header.nentries());
        at.id(
            "the width of the entry's inclusion proof",
            width,
            proof.width,
        )?;
        let metadata = match &self.referenced_by {
            Some(reference) => reference.metadata.as_ref(),
            None => self.metadata.as_ref(),
        };
        let digest = digest(
            at,
            header.version(),
            &self.stored_key(),
            metadata,
            &self.stored_value_hash(),
        )?;
        let position = proof.leaf.saturating_add(1);
        Inclusion::new(at, "entry's inclusion terms", position, width, &proof.terms)?
            .verify(&digest, header.eh())
    }
}

/// Kind byte of key-value keys (protocol.md §2).
pub const KEY_VALUE: u8 = 0;
/// First byte of a plain value as stored (protocol.md §2).
const PLAIN: u8 = 0;
/// First byte of a reference as stored (protocol.md §2).
const REFERENCE: u8 = 1;

/// The position of an entry in its transaction's tree, with the proof of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryInclusion {
    /// Index of the leaf, from 0.
    pub leaf: u64,
    /// Number of leaves.
    pub width: u64,
    /// The audit path.
    pub terms: Vec<Term>,
}
