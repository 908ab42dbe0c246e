//! The calls that write. Each writes a transaction into the honest ledger, and responds with its header or its
//! proof.

use std::collections::BTreeSet;

use super::ledger::{Ledger, NewEntry, NewTransaction, unix};
use super::lookup::{Version, find};
use super::message;
use super::sorted::Member;
use super::status::{Reply, Status, illegal_arguments, key_not_found, parse, tx_not_found};
use super::store::{ActiveLie, Store};
use crate::ledger::KvMetadata;
use crate::wire::method;
use crate::wire::proto::{self, op::Operation, precondition::Precondition};

/// The maximum number of entries of a transaction, the same in every version.
const MAX_ENTRIES: usize = 1024;

/// The maximum length of a key as stored, in bytes.
const MAX_KEY: usize = 1024;

/// The data that a call writes.
struct Wanted {
    entries: Vec<NewEntry>,
    preconditions: Vec<proto::Precondition>,
}

impl Store {
    /// Responds to a call that writes.
    pub(super) fn written(
        &mut self,
        call: &str,
        database: &str,
        request: &[u8],
        active: Option<&ActiveLie>,
    ) -> Reply {
        let now = unix(&self.options.clock);
        let ledger = self.ledger(database, None)?;
        let (wanted, since) = match call {
            method::SET => (plain(parse(request)?), None),
            method::VERIFIABLE_SET => {
                let request: proto::VerifiableSetRequest = parse(request)?;
                let set = request.set_request.unwrap_or_default();
                (plain(set), Some(request.prove_since_tx))
            }
            method::DELETE => (deleted(ledger, &parse(request)?, now)?, None),
            method::EXEC_ALL => (all(ledger, parse(request)?, now)?, None),
            method::SET_REFERENCE => (reference(ledger, parse(request)?, now)?, None),
            method::VERIFIABLE_SET_REFERENCE => {
                let request: proto::VerifiableReferenceRequest = parse(request)?;
                let reference =
                    reference(ledger, request.reference_request.unwrap_or_default(), now)?;
                (reference, Some(request.prove_since_tx))
            }
            method::Z_ADD => (member(ledger, &parse(request)?, now)?, None),
            method::VERIFIABLE_Z_ADD => {
                let request: proto::VerifiableZAddRequest = parse(request)?;
                let added = request.z_add_request.unwrap_or_default();
                (member(ledger, &added, now)?, Some(request.prove_since_tx))
            }
            _ => return Err(Status::unimplemented(call)),
        };
        check(ledger, &wanted, now)?;
        let is_plain = wanted.entries.iter().all(|entry| entry.metadata.is_none());
        if !is_plain && !self.server.heeds_spec() {
            return Err(illegal_arguments());
        }
        let draft = NewTransaction {
            entries: wanted.entries,
            ..NewTransaction::default()
        };
        let gone = || Status::unknown("database does not exist");
        let tx = self.write(database, draft).ok_or_else(gone)?;
        match since {
            Some(since) => {
                let proof = self.verifiable_tx(database, tx, since, None, active)?;
                Ok(message::bytes(&proof))
            }
            None => {
                let stored = self.ledger(database, None)?.tx(tx);
                let stored = stored.ok_or_else(tx_not_found)?;
                Ok(message::bytes(&message::header(&stored.header)))
            }
        }
    }
}

/// Refuses entries that no ledger accepts, and writes whose preconditions do not hold.
fn check(ledger: &Ledger, wanted: &Wanted, now: i64) -> Result<(), Status> {
    let mut keys = BTreeSet::new();
    for NewEntry { key, .. } in &wanted.entries {
        if key.len() <= 1 {
            return Err(illegal_arguments());
        }
        if key.len() > MAX_KEY {
            return Err(Status::unknown("max key length exceeded"));
        }
        if !keys.insert(key) {
            let words = "duplicated keys are not supported in single batch transaction";
            return Err(Status::new(3, words));
        }
    }
    match wanted.entries.len() {
        0 => return Err(Status::unknown("no entries provided")),
        1..=MAX_ENTRIES => {}
        _ => return Err(Status::unknown("max number of entries per tx exceeded")),
    }
    wanted
        .preconditions
        .iter()
        .try_for_each(|precondition| check_precondition(ledger, precondition, now))
}

fn check_precondition(
    ledger: &Ledger,
    precondition: &proto::Precondition,
    now: i64,
) -> Result<(), Status> {
    let latest = |key: &[u8]| find(ledger, key, Version::Latest, now).ok();
    let (holds, name) = match &precondition.precondition {
        Some(Precondition::KeyMustExist(wanted)) => (latest(&wanted.key).is_some(), "KeyMustExist"),
        Some(Precondition::KeyMustNotExist(wanted)) => {
            (latest(&wanted.key).is_none(), "KeyMustNotExist")
        }
        Some(Precondition::KeyNotModifiedAfter(wanted)) if wanted.tx_id > 0 => {
            let versions = ledger.index().versions(&[&[0], &wanted.key[..]].concat());
            let untouched = versions.last().is_none_or(|last| last.tx <= wanted.tx_id);
            (untouched, "KeyNotModifiedAfterTxID")
        }
        Some(Precondition::KeyNotModifiedAfter(_)) => {
            return Err(Status::unknown(
                "invalid precondition: invalid transaction ID",
            ));
        }
        None => return Err(Status::unknown("invalid precondition: null")),
    };
    match holds {
        true => Ok(()),
        false => Err(Status::new(9, format!("precondition failed: {name}"))),
    }
}

fn plain(request: proto::SetRequest) -> Wanted {
    Wanted {
        entries: request.kvs.into_iter().map(key_value).collect(),
        preconditions: request.preconditions,
    }
}

fn key_value(kv: proto::KeyValue) -> NewEntry {
    NewEntry {
        metadata: kv.metadata.as_ref().map(|metadata| KvMetadata {
            deleted: metadata.deleted,
            expires_at: metadata.expiration.as_ref().map(|e| e.expires_at),
            non_indexable: metadata.non_indexable,
        }),
        ..NewEntry::set(kv.key, kv.value)
    }
}

fn deleted(
    ledger: &Ledger,
    request: &proto::DeleteKeysRequest,
    now: i64,
) -> Result<Wanted, Status> {
    let deleted = |key: &Vec<u8>| {
        find(ledger, key, Version::Latest, now)?;
        Ok(NewEntry::deletion(key))
    };
    Ok(Wanted {
        entries: request.keys.iter().map(deleted).collect::<Result<_, _>>()?,
        preconditions: Vec::new(),
    })
}

fn reference(
    ledger: &Ledger,
    request: proto::ReferenceRequest,
    now: i64,
) -> Result<Wanted, Status> {
    let entry = referring(ledger, &request, &BTreeSet::new(), now)?;
    Ok(Wanted {
        entries: vec![entry],
        preconditions: request.preconditions,
    })
}

fn member(ledger: &Ledger, request: &proto::ZAddRequest, now: i64) -> Result<Wanted, Status> {
    Ok(Wanted {
        entries: vec![added(ledger, request, &BTreeSet::new(), now)?],
        preconditions: Vec::new(),
    })
}

/// Collects writes of every kind. A reference may refer to a key that comes before it.
fn all(ledger: &Ledger, request: proto::ExecAllRequest, now: i64) -> Result<Wanted, Status> {
    if request.operations.is_empty() {
        return Err(Status::new(3, "empty set"));
    }
    let mut beside = BTreeSet::new();
    let mut entries = Vec::new();
    for op in request.operations {
        entries.push(match op.operation {
            Some(Operation::Kv(kv)) => {
                beside.insert(kv.key.clone());
                key_value(kv)
            }
            Some(Operation::ZAdd(request)) => added(ledger, &request, &beside, now)?,
            Some(Operation::Ref(request)) => referring(ledger, &request, &beside, now)?,
            None => return Err(Status::new(3, "operation is not set")),
        });
    }
    Ok(Wanted {
        entries,
        preconditions: request.preconditions,
    })
}

fn referring(
    ledger: &Ledger,
    request: &proto::ReferenceRequest,
    beside: &BTreeSet<Vec<u8>>,
    now: i64,
) -> Result<NewEntry, Status> {
    let proto::ReferenceRequest {
        key,
        referenced_key,
        at_tx,
        bound_ref,
        ..
    } = request;
    let at_tx = target(ledger, referenced_key, *at_tx, *bound_ref, beside, now)?;
    let held = find(ledger, key, Version::Latest, now).ok();
    if beside.contains(key) || held.is_some_and(|held| held.entry.referenced_by.is_none()) {
        let words = "final key cannot be converted into a reference";
        return Err(Status::unknown(words));
    }
    Ok(NewEntry::reference(key, referenced_key, at_tx))
}

fn added(
    ledger: &Ledger,
    request: &proto::ZAddRequest,
    beside: &BTreeSet<Vec<u8>>,
    now: i64,
) -> Result<NewEntry, Status> {
    let proto::ZAddRequest {
        set,
        key,
        score,
        at_tx,
        bound_ref,
        ..
    } = request;
    if set.is_empty() {
        return Err(illegal_arguments());
    }
    let member = Member {
        set,
        score: *score,
        key,
        at_tx: target(ledger, key, *at_tx, *bound_ref, beside, now)?,
    };
    Ok(NewEntry {
        key: member.stored_key(),
        ..NewEntry::default()
    })
}

/// Returns the transaction that a reference to `key` is bound to; 0 if it is not bound.
///
/// # Errors
/// The key does not exist, or is a reference itself.
fn target(
    ledger: &Ledger,
    key: &[u8],
    at_tx: u64,
    bound: bool,
    beside: &BTreeSet<Vec<u8>>,
    now: i64,
) -> Result<u64, Status> {
    if at_tx == 0 && beside.contains(key) {
        let next = ledger.last().saturating_add(1);
        return Ok(if bound { next } else { 0 });
    }
    if key.is_empty() || bound != (at_tx > 0) {
        return Err(illegal_arguments());
    }
    let version = match at_tx {
        0 => Version::Latest,
        at_tx => Version::At(at_tx),
    };
    let found = find(ledger, key, version, now).map_err(|_| key_not_found())?;
    match found.entry.referenced_by.is_some() {
        true => Err(Status::unknown("referenced key cannot be a reference")),
        false => Ok(at_tx),
    }
}
