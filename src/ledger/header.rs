//! Transaction headers and the accumulative linear hash, Alh (protocol.md §3).

use super::digest::Digest;
use super::refusal::{At, Reason, Refusal, Step};

/// The maximum length of `extra`, in bytes (protocol.md §3).
pub const MAX_EXTRA: usize = 256;

/// The version of a header, which decides how the header and its entries are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderVersion {
    /// All servers before 1.2; later servers for old transactions.
    V0,
    /// From 1.2.
    V1,
}

/// The metadata of a transaction, in addition to its entries (version 1 only).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxMetadata {
    /// Values of transactions before this one were dropped; 0: none were.
    pub truncated_tx_id: u64,
    /// Free bytes, at most [`MAX_EXTRA`].
    pub extra: Vec<u8>,
}

/// A transaction header with its Alh. Only [`TxHeader::new`] creates one, and it refuses headers that cannot be
/// hashed unambiguously.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxHeader {
    fields: HeaderFields,
    entries: u32,
    version: HeaderVersion,
    metadata: Vec<u8>,
    /// The header's Alh, computed once.
    alh: Digest,
}

/// The fields of a received header, with the wire's types (protocol.md §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderFields {
    /// The transaction's id, from 1.
    pub id: u64,
    /// Alh of the transaction before.
    pub prev_alh: Digest,
    /// Unix seconds, as the server claims.
    pub ts: i64,
    /// Number of entries.
    pub nentries: i32,
    /// Root over the entries' digests.
    pub eh: Digest,
    /// Number of transactions in the main tree when this one was written.
    pub bl_tx_id: u64,
    /// Root of that tree.
    pub bl_root: Digest,
    /// 0 or 1.
    pub version: i32,
    /// Absent in version 0.
    pub metadata: Option<TxMetadata>,
}

impl TxHeader {
    /// Checks ranges and version (protocol.md §3), but not `blTxId`, which the steps check. Without these checks,
    /// fields that a version does not hash could have any content, so two headers could have the same Alh.
    ///
    /// # Errors
    /// [`Step::Header`] for an unknown version, metadata or more than 65,535 entries in a version 0 header, a
    /// negative number of entries, or an `extra` that is too long.
    pub fn new(mut fields: HeaderFields) -> Result<TxHeader, Refusal> {
        let at = At {
            step: Step::Header,
            tx: fields.id,
        };
        let version = match fields.version {
            0 => HeaderVersion::V0,
            1 => HeaderVersion::V1,
            other => return at.refuse(Reason::UnknownVersion(other)),
        };
        let range = |what, value| at.refuse(Reason::Range { what, value });
        let Ok(entries) = u32::try_from(fields.nentries) else {
            return range("nentries", i128::from(fields.nentries));
        };
        // metadata that serialises to nothing counts as absent
        let metadata = match fields.metadata.take() {
            Some(metadata) => {
                let bytes = metadata.serialise(at)?;
                fields.metadata = (!bytes.is_empty()).then_some(metadata);
                bytes
            }
            None => Vec::new(),
        };
        if version == HeaderVersion::V0 {
            if entries > u32::from(u16::MAX) {
                return range("nentries of a version 0 header", i128::from(entries));
            }
            if !metadata.is_empty() {
                let length = i128::try_from(metadata.len()).unwrap_or(i128::MAX);
                return range("the metadata's length in a version 0 header", length);
            }
        }
        let mut header = TxHeader {
            fields,
            entries,
            version,
            metadata,
            alh: Digest::ZERO,
        };
        header.alh = link(header.fields.id, &header.fields.prev_alh, &header.inner());
        Ok(header)
    }

    /// Returns the fields that the header was created from. They cannot be changed: with another field, it is
    /// another header.
    pub fn fields(&self) -> &HeaderFields {
        &self.fields
    }

    /// Returns the transaction's id.
    pub fn id(&self) -> u64 {
        self.fields.id
    }

    /// Returns the Alh of the transaction before.
    pub fn prev_alh(&self) -> &Digest {
        &self.fields.prev_alh
    }

    /// Returns the time at which it was written, in unix seconds: the server's claim.
    pub fn ts(&self) -> i64 {
        self.fields.ts
    }

    /// Returns the number of entries.
    pub fn nentries(&self) -> u32 {
        self.entries
    }

    /// Returns the root over the entries' digests.
    pub fn eh(&self) -> &Digest {
        &self.fields.eh
    }

    /// Returns the number of transactions in the main tree when this transaction was written.
    pub fn bl_tx_id(&self) -> u64 {
        self.fields.bl_tx_id
    }

    /// Returns the root of that tree.
    pub fn bl_root(&self) -> &Digest {
        &self.fields.bl_root
    }

    /// Returns the version, which decides how its entries are hashed.
    pub fn version(&self) -> HeaderVersion {
        self.version
    }

    /// Returns the transaction's metadata, if it has any.
    pub fn metadata(&self) -> Option<&TxMetadata> {
        self.fields.metadata.as_ref()
    }

    /// Returns the transaction's own part of the Alh (protocol.md §3, *Alh*): a term of linear proofs.
    pub fn inner(&self) -> Digest {
        let fields = &self.fields;
        let ts = fields.ts.to_be_bytes();
        let bl_tx_id = fields.bl_tx_id.to_be_bytes();
        let entries = self.entries.to_be_bytes();
        let (eh, bl_root) = (fields.eh.as_bytes(), fields.bl_root.as_bytes());
        match self.version {
            // u32(nentries) has the same bytes as u16(0) || u16(nentries) in protocol.md §3
            HeaderVersion::V0 => Digest::of(&[&ts, &entries, eh, &bl_tx_id, bl_root]),
            HeaderVersion::V1 => {
                // at most 9 + 3 + MAX_EXTRA bytes, see TxMetadata::serialise
                let length = u16::try_from(self.metadata.len()).unwrap_or(u16::MAX);
                Digest::of(&[
                    &ts,
                    &1u16.to_be_bytes(),
                    &length.to_be_bytes(),
                    &self.metadata,
                    &entries,
                    eh,
                    &bl_tx_id,
                    bl_root,
                ])
            }
        }
    }

    /// Returns the accumulative linear hash: `H(u64(id) || prevAlh || inner)` (protocol.md §3).
    pub fn alh(&self) -> Digest {
        self.alh
    }
}

/// Computes one step along the chain: the Alh of `id` from the Alh before it and its own part.
pub(super) fn link(id: u64, prev_alh: &Digest, inner: &Digest) -> Digest {
    Digest::of(&[&id.to_be_bytes(), prev_alh.as_bytes(), inner.as_bytes()])
}

impl TxMetadata {
    /// Returns the bytes that are hashed: each attribute that is present, in this order (protocol.md §3).
    fn serialise(&self, at: At) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        if self.truncated_tx_id > 0 {
            bytes.push(0);
            bytes.extend(self.truncated_tx_id.to_be_bytes());
        }
        if !self.extra.is_empty() {
            let length = match u16::try_from(self.extra.len()) {
                Ok(length) if self.extra.len() <= MAX_EXTRA => length,
                _ => {
                    return at.refuse(Reason::Range {
                        what: "the length of the metadata's extra bytes",
                        value: i128::try_from(self.extra.len()).unwrap_or(i128::MAX),
                    });
                }
            };
            bytes.push(1);
            bytes.extend(length.to_be_bytes());
            bytes.extend(&self.extra);
        }
        Ok(bytes)
    }
}
