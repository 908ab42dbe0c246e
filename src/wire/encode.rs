//! Requests as bytes (protocol.md §2).

use protobuf::{Message, MessageField};

use super::proto;

fn bytes(message: &impl Message) -> Vec<u8> {
    // writing fails only above 2 GiB or if a required field is absent, and neither is possible here
    message.write_to_bytes().unwrap_or_default()
}

/// Returns the empty request.
pub fn empty() -> Vec<u8> {
    Vec::new()
}

/// Encodes `Login`.
pub fn login(user: &str, password: &str) -> Vec<u8> {
    bytes(&proto::LoginRequest {
        user: user.into(),
        password: password.into(),
        ..Default::default()
    })
}

/// Encodes `OpenSession`.
pub fn open_session(user: &str, password: &str, database: &str) -> Vec<u8> {
    bytes(&proto::OpenSessionRequest {
        username: user.into(),
        password: password.into(),
        database_name: database.into(),
        ..Default::default()
    })
}

/// Encodes `UseDatabase`.
pub fn database(name: &str) -> Vec<u8> {
    bytes(&proto::Database {
        database_name: name.into(),
        ..Default::default()
    })
}

/// The requested entries of a transaction. Servers before 1.2 ignore the request and send all digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries {
    /// None: only header and proof.
    Excluded,
    /// All entries, only their digests.
    Digests,
    /// All entries with their values as stored (from 1.2; see protocol.md §6 for the exceptions).
    Raw,
}

impl Entries {
    fn spec(self) -> MessageField<proto::EntriesSpec> {
        let of = |action: proto::EntryTypeAction| {
            MessageField::some(proto::EntryTypeSpec {
                action: action.into(),
                ..Default::default()
            })
        };
        let raw = || of(proto::EntryTypeAction::RAW_VALUE);
        match self {
            Entries::Excluded => MessageField::some(proto::EntriesSpec {
                kv_entries_spec: of(proto::EntryTypeAction::EXCLUDE),
                ..Default::default()
            }),
            Entries::Digests => MessageField::none(),
            Entries::Raw => MessageField::some(proto::EntriesSpec {
                kv_entries_spec: raw(),
                z_entries_spec: raw(),
                sql_entries_spec: raw(),
                ..Default::default()
            }),
        }
    }
}

/// Encodes `VerifiableTxById`: transaction `tx`, proven against `prove_since`.
pub fn verifiable_tx_by_id(tx: u64, prove_since: u64, entries: Entries) -> Vec<u8> {
    bytes(&proto::VerifiableTxRequest {
        tx,
        prove_since_tx: prove_since,
        entries_spec: entries.spec(),
        keep_references_unresolved: true, // the server does not wait for its index
        ..Default::default()
    })
}

/// Encodes `TxById`.
pub fn tx_by_id(tx: u64, entries: Entries) -> Vec<u8> {
    bytes(&proto::TxRequest {
        tx,
        entries_spec: entries.spec(),
        keep_references_unresolved: true,
        ..Default::default()
    })
}

/// Encodes `TxScan`: up to `limit` transactions from `initial` on.
pub fn tx_scan(initial: u64, limit: u32, entries: Entries) -> Vec<u8> {
    bytes(&proto::TxScanRequest {
        initial_tx: initial,
        limit,
        entries_spec: entries.spec(),
        ..Default::default()
    })
}

fn key_request(key: &[u8], at_tx: u64) -> proto::KeyRequest {
    proto::KeyRequest {
        key: key.into(),
        at_tx,
        ..Default::default()
    }
}

/// Encodes `Get`: the value that `key` (without its kind byte) got in transaction `at_tx`; 0: the latest.
pub fn get(key: &[u8], at_tx: u64) -> Vec<u8> {
    bytes(&key_request(key, at_tx))
}

/// Encodes `VerifiableGet`: as [`get`], proven against `prove_since`.
pub fn verifiable_get(key: &[u8], at_tx: u64, prove_since: u64) -> Vec<u8> {
    bytes(&proto::VerifiableGetRequest {
        key_request: MessageField::some(key_request(key, at_tx)),
        prove_since_tx: prove_since,
        ..Default::default()
    })
}
