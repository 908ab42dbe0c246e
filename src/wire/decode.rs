//! Responses from bytes to [`ledger`](crate::ledger) types (protocol.md §2).

use super::budget::Budget;
use super::malformed::Malformed;
use super::message::{Message, Value, next_field};
use super::names::Names;
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

/// A transaction with its dual proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiableTx {
    /// The requested transaction; the caller checks that it is present.
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
    /// The proof that the entry is in its transaction.
    pub inclusion: EntryInclusion,
}

/// Returns a response's bytes as a message, and its budget.
fn open<'a>(name: &'static str, bytes: &'a [u8]) -> Result<(Message<'a>, Budget), Malformed> {
    Ok((Message::new(name, bytes)?, Budget::new(name, bytes.len())))
}

/// The maximum length of a token or a session's id, in bytes: one is stored for each database.
const MAX_TOKEN: usize = 8192;

/// Decodes `LoginResponse`, `UseDatabaseReply` or `OpenSessionResponse`, and returns the token or the session's id:
/// field 1 of all three. One that no header can carry is refused, because it would be stored and would fail every later
/// call.
pub fn token(bytes: &[u8]) -> Result<String, Malformed> {
    let token = Message::new("login", bytes)?.text(1)?;
    let wrong = |what, value| Malformed::Field {
        message: "login",
        reason: Reason::Range { what, value },
    };
    let unsendable = |byte: &u8| !(b' '..=b'~').contains(byte);
    if token.len() > MAX_TOKEN {
        let length = i128::try_from(token.len()).unwrap_or(i128::MAX);
        return Err(wrong("the token's length", length));
    }
    match token.bytes().find(unsendable) {
        Some(byte) => Err(wrong("a byte of the token", i128::from(byte))),
        None => Ok(token.to_owned()),
    }
}

/// Decodes `DatabaseListResponse`, and returns the names unchanged; they need not be UTF-8.
pub fn database_list(bytes: &[u8]) -> Result<Names, Malformed> {
    let (reply, mut budget) = open("DatabaseListResponse", bytes)?;
    let space = reply.each(1).map(<[u8]>::len).sum(); // slightly more than the names need
    let mut names = Names::with_buffers(budget.list(reply.times(1))?, budget.list(space)?);
    for database in reply.each(1) {
        names.push(Message::new("Database", database)?.bytes(1));
    }
    Ok(names)
}

/// Decodes `ImmutableState` in either of its shapes (protocol.md §2). Transaction 0 must have the hash of nothing.
pub fn state(bytes: &[u8]) -> Result<ClaimedState, Malformed> {
    let shape = state_shape(bytes);
    let (name, tx, hash, signature) = match shape {
        StateShape::WithDatabase => ("ImmutableState", 2, 3, 4),
        StateShape::WithoutDatabase => ("ImmutableState of 0.9.0", 3, 4, 5),
    };
    let (reply, mut budget) = open(name, bytes)?;
    let claimed = ClaimedState {
        shape,
        database: match shape {
            StateShape::WithDatabase => budget.copy(reply.bytes(1))?,
            StateShape::WithoutDatabase => Vec::new(),
        },
        state: State {
            tx: reply.number(tx),
            hash: reply.digest(hash, "txHash")?,
        },
        signature: match reply.part(signature, "Signature")? {
            Some(signature) => Some(Signature {
                public_key: budget.copy(bounded(signature.bytes(1), "bytes of a public key")?)?,
                der: budget.copy(bounded(signature.bytes(2), "bytes of a signature")?)?,
            }),
            None => None,
        },
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

/// The maximum length of a public key and of a signature of a state, in bytes. Those of ECDSA P-256 have 65 and
/// about 72 (protocol.md §5). Longer ones would only fill the files that store them.
const MAX_SIGNATURE: usize = 512;

fn bounded<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a [u8], Malformed> {
    if bytes.len() <= MAX_SIGNATURE {
        return Ok(bytes);
    }
    let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    Err(Malformed::Field {
        message: "Signature",
        reason: Reason::Count {
            what,
            due: count(MAX_SIGNATURE),
            got: count(bytes.len()),
        },
    })
}

/// Returns the newer shape if field 1 or 2 exists or field 3 is length-delimited, else the older one (protocol.md
/// §2).
fn state_shape(mut bytes: &[u8]) -> StateShape {
    while let Some(field) = next_field(&mut bytes) {
        match (field.number, field.value) {
            (1 | 2, _) | (3, Value::Bytes(_)) => return StateShape::WithDatabase,
            _ => {}
        }
    }
    StateShape::WithoutDatabase
}

/// Decodes `VerifiableTx`.
pub fn verifiable_tx(bytes: &[u8]) -> Result<VerifiableTx, Malformed> {
    let (reply, mut budget) = open("VerifiableTx", bytes)?;
    from_verifiable_tx(&reply, &mut budget)
}

fn from_verifiable_tx(reply: &Message, budget: &mut Budget) -> Result<VerifiableTx, Malformed> {
    let message = reply.part(1, "Tx")?;
    let proof = reply.part(2, "DualProof")?;
    let proof = proof.ok_or(Malformed::absent("VerifiableTx", "dualProof"))?;
    let tx = match &message {
        Some(message) => Some(from_tx(message, budget)?),
        None => None,
    };
    let seen = message.zip(tx.as_ref()).map(|(message, tx)| Seen {
        bytes: message.bytes(1),
        header: &tx.header,
    });
    let proof = from_dual_proof(&proof, seen, budget)?;
    Ok(VerifiableTx { tx, proof })
}

/// A header that was read before: most responses contain one twice. The same bytes are the same header, so it need
/// not be hashed again.
#[derive(Clone, Copy)]
struct Seen<'a> {
    bytes: &'a [u8],
    header: &'a TxHeader,
}

/// Decodes `Tx`.
pub fn tx(bytes: &[u8]) -> Result<Tx, Malformed> {
    let (reply, mut budget) = open("Tx", bytes)?;
    from_tx(&reply, &mut budget)
}

/// Decodes `TxList`, each transaction separately, so that one with a malformed field hides no other. Any other
/// fault makes the complete list malformed.
pub fn tx_list(bytes: &[u8]) -> Result<Vec<Result<Tx, Malformed>>, Malformed> {
    let (reply, mut budget) = open("TxList", bytes)?;
    let mut txs = budget.list(reply.times(1))?;
    for tx in reply.each(1) {
        txs.push(match from_tx(&Message::new("Tx", tx)?, &mut budget) {
            Err(malformed) if !malformed.is_of_a_field() => return Err(malformed),
            tx => tx,
        });
    }
    Ok(txs)
}

fn from_tx(tx: &Message, budget: &mut Budget) -> Result<Tx, Malformed> {
    let header = tx.part(1, "TxHeader")?;
    let header = from_header(&header.ok_or(Malformed::absent("Tx", "header"))?, budget)?;
    let mut entries = budget.list(tx.times(2))?;
    for entry in tx.each(2) {
        entries.push(from_tx_entry(&Message::new("TxEntry", entry)?, budget)?);
    }
    Ok(Tx { header, entries })
}

fn from_tx_entry(entry: &Message, budget: &mut Budget) -> Result<TxEntry, Malformed> {
    Ok(TxEntry {
        h_value: entry.digest(2, "hValue")?,
        metadata: kv_metadata(entry, 4)?,
        key: budget.copy(entry.bytes(1))?,
        value: budget.copy(entry.bytes(5))?,
        // before 1.2 the length is in field 4, which later became the metadata (protocol.md §2)
        claimed_length: entry.number(3).max(entry.number(4)),
    })
}

/// Decodes `KVMetadata`. In an entry before 1.2 the same field is a number, the value's length.
fn kv_metadata(of: &Message, field: usize) -> Result<Option<KvMetadata>, Malformed> {
    let Some(metadata) = of.part(field, "KVMetadata")? else {
        return Ok(None);
    };
    let expiration = metadata.part(2, "Expiration")?;
    Ok(Some(KvMetadata {
        deleted: metadata.flag(1),
        expires_at: expiration.map(|expiration| expiration.signed(1)),
        non_indexable: metadata.flag(3),
    }))
}

fn from_header(header: &Message, budget: &mut Budget) -> Result<TxHeader, Malformed> {
    let metadata = match header.part(9, "TxMetadata")? {
        Some(metadata) => Some(TxMetadata {
            truncated_tx_id: metadata.number(1),
            extra: budget.copy(metadata.bytes(2))?,
        }),
        None => None,
    };
    Ok(TxHeader::new(HeaderFields {
        id: header.number(1),
        prev_alh: header.digest(2, "prevAlh")?,
        ts: header.signed(3),
        nentries: header.signed_32(4)?,
        eh: header.digest(5, "eH")?,
        bl_tx_id: header.number(6),
        bl_root: header.digest(7, "blRoot")?,
        version: header.signed_32(8)?,
        metadata,
    })?)
}

/// Decodes a header within a proof.
fn header_part(
    of: &Message,
    field: usize,
    seen: Option<Seen>,
    budget: &mut Budget,
) -> Result<Option<TxHeader>, Malformed> {
    let same = |seen: &Seen| of.times(field) == 1 && of.bytes(field) == seen.bytes;
    if let Some(seen) = seen.filter(same) {
        budget.spend(seen.bytes.len())?;
        return Ok(Some(seen.header.clone()));
    }
    let header = of.part(field, "TxHeader")?;
    header
        .map(|header| from_header(&header, budget))
        .transpose()
}

fn from_dual_proof(
    proof: &Message,
    seen: Option<Seen>,
    budget: &mut Budget,
) -> Result<DualProof, Malformed> {
    let linear = proof.part(7, "LinearProof")?;
    let advance = proof.part(8, "LinearAdvanceProof")?;
    Ok(DualProof {
        source: header_part(proof, 1, seen, budget)?,
        target: header_part(proof, 2, seen, budget)?,
        inclusion: terms(proof, 3, budget)?,
        consistency: terms(proof, 4, budget)?,
        target_bl_tx_alh: Term::from(proof.bytes(5)),
        last_inclusion: terms(proof, 6, budget)?,
        linear: match linear {
            Some(linear) => Some(LinearProof {
                source_tx: linear.number(1),
                target_tx: linear.number(2),
                terms: terms(&linear, 3, budget)?,
            }),
            None => None,
        },
        linear_advance: match advance {
            Some(advance) => Some(from_linear_advance(&advance, budget)?),
            None => None,
        },
    })
}

fn from_linear_advance(advance: &Message, budget: &mut Budget) -> Result<LinearAdvance, Malformed> {
    let mut inclusions = budget.list(advance.times(2))?;
    for inclusion in advance.each(2) {
        let inclusion = Message::new("InclusionProof", inclusion)?;
        inclusions.push(terms(&inclusion, 3, budget)?);
    }
    Ok(LinearAdvance {
        linear: terms(advance, 1, budget)?,
        inclusions,
    })
}

fn terms(of: &Message, field: usize, budget: &mut Budget) -> Result<Vec<Term>, Malformed> {
    let mut terms = budget.list(of.times(field))?;
    terms.extend(of.each(field).map(Term::from));
    Ok(terms)
}

/// Decodes `Entry`, the response to `Get`.
pub fn get_entry(bytes: &[u8]) -> Result<GetEntry, Malformed> {
    let (reply, mut budget) = open("Entry", bytes)?;
    from_entry(&reply, &mut budget)
}

fn from_entry(entry: &Message, budget: &mut Budget) -> Result<GetEntry, Malformed> {
    Ok(GetEntry {
        tx: entry.number(1),
        key: budget.copy(entry.bytes(2))?,
        value: budget.copy(entry.bytes(3))?,
        metadata: kv_metadata(entry, 5)?,
        referenced_by: match entry.part(4, "Reference")? {
            Some(reference) => Some(Reference {
                tx: reference.number(1),
                key: budget.copy(reference.bytes(2))?,
                at_tx: reference.number(3),
                metadata: kv_metadata(&reference, 4)?,
            }),
            None => None,
        },
    })
}

/// Decodes `VerifiableEntry`.
pub fn verifiable_entry(bytes: &[u8]) -> Result<VerifiableEntry, Malformed> {
    let (reply, mut budget) = open("VerifiableEntry", bytes)?;
    let absent = |field| Malformed::absent("VerifiableEntry", field);
    let entry = reply.part(1, "Entry")?.ok_or(absent("entry"))?;
    let tx = reply.part(2, "VerifiableTx")?;
    let tx = tx.ok_or(absent("verifiableTx"))?;
    let inclusion = reply.part(3, "InclusionProof")?;
    let inclusion = inclusion.ok_or(absent("inclusionProof"))?;
    let VerifiableTx { tx, proof } = from_verifiable_tx(&tx, &mut budget)?;
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
        entry: from_entry(&entry, &mut budget)?,
        proof,
        header: tx.ok_or(Malformed::absent("VerifiableTx", "tx"))?.header,
        inclusion: EntryInclusion {
            leaf: position("leaf", inclusion.signed_32(1)?)?,
            width: position("width", inclusion.signed_32(2)?)?,
            terms: terms(&inclusion, 3, &mut budget)?,
        },
    })
}
