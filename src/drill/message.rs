//! Encodes `ledger` types as the wire's messages (protocol.md §2): the reverse of `wire`'s decoding.

use protobuf::{Message, MessageField};

use super::emulate::Emulated;
use super::ledger::Stored;
use crate::ledger::{
    ClaimedState, Digest, DualProof, HeaderVersion, KvMetadata, Signature, StateShape, Term,
    TxEntry, TxHeader,
};
use crate::wire::proto;

pub(super) fn bytes(message: &impl Message) -> Vec<u8> {
    // writing fails only above 2 GiB or if a required field is absent, and neither is possible here
    message.write_to_bytes().unwrap_or_default()
}

/// Returns an `ImmutableState` in the shape that the claimed state has.
pub(super) fn state(claimed: &ClaimedState, server: Emulated) -> Vec<u8> {
    let hash = claimed.state.hash.as_bytes().to_vec();
    let signature: MessageField<_> = claimed.signature.as_ref().map(signature).into();
    match claimed.shape {
        StateShape::WithDatabase => {
            let mut message = proto::ImmutableState {
                db: claimed.database.clone(),
                tx_id: claimed.state.tx,
                tx_hash: hash.clone(),
                signature,
                ..Default::default()
            };
            if server == Emulated::V1_11_1 {
                message.precommitted_tx_id = claimed.state.tx;
                message.precommitted_tx_hash = hash;
            }
            bytes(&message)
        }
        StateShape::WithoutDatabase => bytes(&proto::ImmutableState090 {
            tx_id: claimed.state.tx,
            tx_hash: hash,
            signature,
            ..Default::default()
        }),
    }
}

pub(super) fn signature(signature: &Signature) -> proto::Signature {
    proto::Signature {
        public_key: signature.public_key.clone(),
        signature: signature.der.clone(),
        ..Default::default()
    }
}

pub(super) fn header(header: &TxHeader) -> proto::TxHeader {
    proto::TxHeader {
        id: header.id(),
        prev_alh: vec(header.prev_alh()),
        ts: header.ts(),
        nentries: i32::try_from(header.nentries()).unwrap_or(i32::MAX),
        eh: vec(header.eh()),
        bl_tx_id: header.bl_tx_id(),
        bl_root: vec(header.bl_root()),
        version: match header.version() {
            HeaderVersion::V0 => 0,
            HeaderVersion::V1 => 1,
        },
        metadata: header
            .metadata()
            .map(|metadata| proto::TxMetadata {
                truncated_tx_id: metadata.truncated_tx_id,
                extra: metadata.extra.clone(),
                ..Default::default()
            })
            .into(),
        ..Default::default()
    }
}

pub(super) fn kv_metadata(metadata: &KvMetadata) -> proto::KVMetadata {
    proto::KVMetadata {
        deleted: metadata.deleted,
        expiration: metadata
            .expires_at
            .map(|expires_at| proto::Expiration {
                expires_at,
                ..Default::default()
            })
            .into(),
        non_indexable: metadata.non_indexable,
        ..Default::default()
    }
}

/// Returns an entry without its value. The value's length is in field 3; before 1.2 in field 4, which later got
/// the metadata (protocol.md §2, *TxEntry*).
pub(super) fn entry(entry: &TxEntry, server: Emulated) -> proto::TxEntry {
    let mut message = proto::TxEntry {
        key: entry.key.clone(),
        h_value: vec(&entry.h_value),
        metadata: entry.metadata.as_ref().map(kv_metadata).into(),
        ..Default::default()
    };
    let field = if server.heeds_spec() { 3 } else { 4 };
    let unknown = message.special_fields.mut_unknown_fields();
    unknown.add_varint(field, entry.claimed_length);
    message
}

/// Returns a transaction's header and all its entries, with digests only.
pub(super) fn tx(stored: &Stored, server: Emulated) -> proto::Tx {
    proto::Tx {
        header: MessageField::some(header(&stored.header)),
        entries: stored.entries.iter().map(|e| entry(e, server)).collect(),
        ..Default::default()
    }
}

/// Returns a dual proof as it is sent.
pub fn dual_proof(proof: &DualProof) -> proto::DualProof {
    proto::DualProof {
        source_tx_header: proof.source.as_ref().map(header).into(),
        target_tx_header: proof.target.as_ref().map(header).into(),
        inclusion_proof: terms(&proof.inclusion),
        consistency_proof: terms(&proof.consistency),
        target_bl_tx_alh: term(&proof.target_bl_tx_alh),
        last_inclusion_proof: terms(&proof.last_inclusion),
        linear_proof: proof
            .linear
            .as_ref()
            .map(|linear| proto::LinearProof {
                source_tx_id: linear.source_tx,
                target_tx_id: linear.target_tx,
                terms: terms(&linear.terms),
                ..Default::default()
            })
            .into(),
        linear_advance_proof: proof
            .linear_advance
            .as_ref()
            .map(|advance| proto::LinearAdvanceProof {
                linear_proof_terms: terms(&advance.linear),
                inclusion_proofs: advance
                    .inclusions
                    .iter()
                    .map(|inclusion| proto::InclusionProof {
                        terms: terms(inclusion),
                        ..Default::default()
                    })
                    .collect(),
                ..Default::default()
            })
            .into(),
        ..Default::default()
    }
}

pub(super) fn digests(digests: &[Digest]) -> Vec<Vec<u8>> {
    digests.iter().map(vec).collect()
}

fn terms(terms: &[Term]) -> Vec<Vec<u8>> {
    terms.iter().map(term).collect()
}

fn term(term: &Term) -> Vec<u8> {
    term.digest().map(|digest| vec(&digest)).unwrap_or_default()
}

fn vec(digest: &Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}
