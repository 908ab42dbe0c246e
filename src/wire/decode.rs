//! Answers from bytes to [`ledger`](crate::ledger) types (protocol.md §2).

use protobuf::Message;

use super::budget::{self, Shape};
use super::malformed::Malformed;
use super::proto;
use crate::ledger::{
    ClaimedState, Digest, DualProof, EntryInclusion, GetEntry, HeaderFields, KvMetadata,
    LinearAdvance, LinearProof, Reason, Reference, Signature, State, StateShape, Term, TxEntry,
    TxHeader, TxMetadata,
};

/// A transaction: its header and its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tx {
    /// The header.
    pub header: TxHeader,
    /// Entries in order, as many as the server chose to send.
    pub entries: Vec<TxEntry>,
}

/// A transaction with a dual proof beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiableTx {
    /// The transaction asked for: its presence is the asker's to see to.
    pub tx: Option<Tx>,
    /// The proof.
    pub proof: DualProof,
}

/// An entry with its inclusion proof and its transaction's dual proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiableEntry {
    /// The entry.
    pub entry: GetEntry,
    /// Its transaction's proof.
    pub proof: DualProof,
    /// The transaction's header.
    pub header: TxHeader,
    /// The entry in its transaction.
    pub inclusion: EntryInclusion,
}

fn parse<M: Message>(shape: &Shape, bytes: &[u8]) -> Result<M, Malformed> {
    budget::check(shape, bytes)?;
    M::parse_from_bytes(bytes).map_err(|_| Malformed::NotProtobuf {
        message: shape.name,
    })
}

/// `LoginResponse`: the token.
pub fn login_token(bytes: &[u8]) -> Result<String, Malformed> {
    let reply: proto::LoginResponse = parse(&budget::TOKEN, bytes)?;
    token(reply.token)
}

/// `UseDatabaseReply`: the token.
pub fn use_database_token(bytes: &[u8]) -> Result<String, Malformed> {
    let reply: proto::UseDatabaseReply = parse(&budget::TOKEN, bytes)?;
    token(reply.token)
}

/// `OpenSessionResponse`: the session's id.
pub fn session_id(bytes: &[u8]) -> Result<String, Malformed> {
    let reply: proto::OpenSessionResponse = parse(&budget::TOKEN, bytes)?;
    token(reply.session_id)
}

/// Bytes that a token or a session's id may have: it is kept, one for each database.
const MAX_TOKEN: usize = 8192;

fn token(token: String) -> Result<String, Malformed> {
    if token.len() <= MAX_TOKEN {
        return Ok(token);
    }
    Err(Malformed::Field {
        message: "login",
        reason: Reason::Range {
            what: "the token's length",
            value: i128::try_from(token.len()).unwrap_or(i128::MAX),
        },
    })
}

/// `DatabaseListResponse`: names as they came, which may be no text at all.
pub fn database_list(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    let reply: proto::DatabaseListResponse = parse(&budget::DATABASE_LIST, bytes)?;
    Ok(reply
        .databases
        .into_iter()
        .map(|database| database.database_name)
        .collect())
}

/// `ImmutableState` in either of its shapes (protocol.md §2).
pub fn state(bytes: &[u8]) -> Result<ClaimedState, Malformed> {
    let claimed = match state_shape(bytes) {
        StateShape::WithDatabase => {
            let reply: proto::ImmutableState = parse(&budget::STATE, bytes)?;
            ClaimedState {
                shape: StateShape::WithDatabase,
                database: reply.db,
                state: State {
                    tx: reply.tx_id,
                    hash: digest("ImmutableState", "txHash", &reply.tx_hash)?,
                },
                signature: reply.signature.0.map(|s| signature(*s)),
            }
        }
        StateShape::WithoutDatabase => {
            let reply: proto::ImmutableState090 = parse(&budget::STATE_090, bytes)?;
            ClaimedState {
                shape: StateShape::WithoutDatabase,
                database: Vec::new(),
                state: State {
                    tx: reply.tx_id,
                    hash: digest("ImmutableState of 0.9.0", "txHash", &reply.tx_hash)?,
                },
                signature: reply.signature.0.map(|s| signature(*s)),
            }
        }
    };
    if claimed.state.tx == 0 && claimed.state != State::EMPTY {
        return Err(Malformed::Field {
            message: "ImmutableState",
            reason: Reason::Differs {
                what: "the hash of an empty database",
                due: Digest::OF_NOTHING,
                got: claimed.state.hash,
            },
        });
    }
    Ok(claimed)
}

/// The newer shape if field 1 or 2 is there or field 3 is length-delimited (protocol.md §2).
fn state_shape(mut bytes: &[u8]) -> StateShape {
    while let Some(field) = budget::next_field(&mut bytes) {
        match field.number {
            1 | 2 => return StateShape::WithDatabase,
            3 if field.value.bytes().is_some() => return StateShape::WithDatabase,
            _ => {}
        }
    }
    StateShape::WithoutDatabase
}

fn signature(signature: proto::Signature) -> Signature {
    Signature {
        public_key: signature.public_key,
        der: signature.signature,
    }
}

/// `VerifiableTx`.
pub fn verifiable_tx(bytes: &[u8]) -> Result<VerifiableTx, Malformed> {
    from_verifiable_tx(parse(&budget::VERIFIABLE_TX, bytes)?)
}

fn from_verifiable_tx(reply: proto::VerifiableTx) -> Result<VerifiableTx, Malformed> {
    let absent = |field| Malformed::absent("VerifiableTx", field);
    Ok(VerifiableTx {
        tx: reply.tx.0.map(|tx| from_tx(*tx)).transpose()?,
        proof: from_dual_proof(*reply.dual_proof.0.ok_or(absent("dualProof"))?)?,
    })
}

/// `Tx`.
pub fn tx(bytes: &[u8]) -> Result<Tx, Malformed> {
    budget::check(&budget::TX, bytes)?;
    super::tx::tx(bytes)
}

/// `TxList`: each transaction by itself, so that a malformed one hides no other.
pub fn tx_list(bytes: &[u8]) -> Result<Vec<Result<Tx, Malformed>>, Malformed> {
    budget::check(&budget::TX_LIST, bytes)?;
    Ok(super::tx::txs(bytes)?
        .into_iter()
        .map(super::tx::tx)
        .collect())
}

pub(super) fn from_tx(tx: proto::Tx) -> Result<Tx, Malformed> {
    let header = tx.header.0.ok_or(Malformed::absent("Tx", "header"))?;
    Ok(Tx {
        header: from_header(*header)?,
        entries: tx
            .entries
            .into_iter()
            .map(from_tx_entry)
            .collect::<Result<_, _>>()?,
    })
}

fn from_tx_entry(entry: proto::TxEntry) -> Result<TxEntry, Malformed> {
    Ok(TxEntry {
        h_value: digest("TxEntry", "hValue", &entry.h_value)?,
        metadata: entry.metadata.0.map(|metadata| from_kv_metadata(&metadata)),
        key: entry.key,
        value: entry.value,
    })
}

fn from_kv_metadata(metadata: &proto::KVMetadata) -> KvMetadata {
    KvMetadata {
        deleted: metadata.deleted,
        expires_at: metadata.expiration.as_ref().map(|e| e.expires_at),
        non_indexable: metadata.non_indexable,
    }
}

fn from_header(header: proto::TxHeader) -> Result<TxHeader, Malformed> {
    let of = |field, bytes: &[u8]| digest("TxHeader", field, bytes);
    Ok(TxHeader::new(HeaderFields {
        id: header.id,
        prev_alh: of("prevAlh", &header.prev_alh)?,
        ts: header.ts,
        nentries: header.nentries,
        eh: of("eH", &header.eh)?,
        bl_tx_id: header.bl_tx_id,
        bl_root: of("blRoot", &header.bl_root)?,
        version: header.version,
        metadata: header.metadata.0.map(|metadata| TxMetadata {
            truncated_tx_id: metadata.truncated_tx_id,
            extra: metadata.extra,
        }),
    })?)
}

fn from_dual_proof(proof: proto::DualProof) -> Result<DualProof, Malformed> {
    let header = |header: Option<Box<proto::TxHeader>>| header.map(|h| from_header(*h)).transpose();
    Ok(DualProof {
        source: header(proof.source_tx_header.0)?,
        target: header(proof.target_tx_header.0)?,
        inclusion: terms(&proof.inclusion_proof),
        consistency: terms(&proof.consistency_proof),
        target_bl_tx_alh: Term::from(&proof.target_bl_tx_alh[..]),
        last_inclusion: terms(&proof.last_inclusion_proof),
        linear: proof.linear_proof.0.map(|linear| LinearProof {
            source_tx: linear.source_tx_id,
            target_tx: linear.target_tx_id,
            terms: terms(&linear.terms),
        }),
        linear_advance: proof.linear_advance_proof.0.map(|advance| LinearAdvance {
            linear: terms(&advance.linear_proof_terms),
            inclusions: advance
                .inclusion_proofs
                .iter()
                .map(|inclusion| terms(&inclusion.terms))
                .collect(),
        }),
    })
}

fn terms(terms: &[Vec<u8>]) -> Vec<Term> {
    terms.iter().map(|term| Term::from(&term[..])).collect()
}

pub(super) fn digest(
    message: &'static str,
    field: &'static str,
    bytes: &[u8],
) -> Result<Digest, Malformed> {
    Digest::try_from(bytes).map_err(|bad| Malformed::Field {
        message,
        reason: Reason::DigestLength {
            what: field,
            bytes: bad.0,
        },
    })
}

/// `Entry`, as `Get` answers it.
pub fn get_entry(bytes: &[u8]) -> Result<GetEntry, Malformed> {
    Ok(from_entry(parse(&budget::ENTRY, bytes)?))
}

fn from_entry(entry: proto::Entry) -> GetEntry {
    GetEntry {
        tx: entry.tx,
        key: entry.key,
        value: entry.value,
        metadata: entry.metadata.as_ref().map(from_kv_metadata),
        referenced_by: entry.referenced_by.0.map(|reference| Reference {
            tx: reference.tx,
            at_tx: reference.at_tx,
            metadata: reference.metadata.as_ref().map(from_kv_metadata),
            key: reference.key,
        }),
    }
}

/// `VerifiableEntry`.
pub fn verifiable_entry(bytes: &[u8]) -> Result<VerifiableEntry, Malformed> {
    let reply: proto::VerifiableEntry = parse(&budget::VERIFIABLE_ENTRY, bytes)?;
    let absent = |field| Malformed::absent("VerifiableEntry", field);
    let entry = *reply.entry.0.ok_or(absent("entry"))?;
    let tx = *reply.verifiable_tx.0.ok_or(absent("verifiableTx"))?;
    let inclusion = *reply.inclusion_proof.0.ok_or(absent("inclusionProof"))?;
    let VerifiableTx { tx, proof } = from_verifiable_tx(tx)?;
    let position = |field, value: i32| {
        u64::try_from(value).map_err(|_| Malformed::Field {
            message: "InclusionProof",
            reason: Reason::Range {
                what: field,
                value: value.into(),
            },
        })
    };
    Ok(VerifiableEntry {
        entry: from_entry(entry),
        proof,
        header: tx.ok_or(Malformed::absent("VerifiableTx", "tx"))?.header,
        inclusion: EntryInclusion {
            leaf: position("leaf", inclusion.leaf)?,
            width: position("width", inclusion.width)?,
            terms: terms(&inclusion.terms),
        },
    })
}
