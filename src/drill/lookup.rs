//! The entries of a key: its versions, their expiry, and its references (protocol.md §2, *Entry keys as stored*).

use protobuf::MessageField;

use super::index::Place;
use super::ledger::Ledger;
use super::message;
use super::status::{Status, key_not_found};
use crate::ledger::TxEntry;
use crate::wire::proto;

/// The wanted version of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Version {
    /// The latest version.
    Latest,
    /// The version that was written in this transaction.
    At(u64),
    /// A revision: from 1 on, the oldest first; below 0, counted back from the latest.
    Revision(i64),
}

/// A requested entry and its place; for a reference, the place of the reference.
pub(super) struct Found {
    pub entry: proto::Entry,
    pub place: Place,
}

/// Finds an entry by its key. `now`, in seconds since 1970, decides whether it has expired.
///
/// # Errors
/// The version does not exist, was deleted, or has expired.
pub(super) fn find(
    ledger: &Ledger,
    key: &[u8],
    version: Version,
    now: i64,
) -> Result<Found, Status> {
    let (place, revision) = place(ledger, &[&[0], key].concat(), version)?;
    let stored = ledger.entry(place).ok_or_else(key_not_found)?;
    check_live(stored, now)?;
    let metadata = stored.metadata.as_ref().map(message::kv_metadata);
    let entry = match reference(&stored.value) {
        Some((at_tx, target)) => {
            let version = match at_tx {
                0 => Version::Latest,
                at_tx => Version::At(at_tx),
            };
            let (to, to_revision) = self::place(ledger, target, version)?;
            let referenced = ledger.entry(to).ok_or_else(key_not_found)?;
            check_live(referenced, now)?;
            proto::Entry {
                referenced_by: MessageField::some(proto::Reference {
                    tx: place.tx,
                    key: key.to_vec(),
                    at_tx,
                    metadata: metadata.into(),
                    revision,
                    ..Default::default()
                }),
                ..plain(to, to_revision, referenced)
            }
        }
        None => plain(place, revision, stored),
    };
    Ok(Found { entry, place })
}

/// Returns an entry without its kind bytes, as in a response.
pub(super) fn plain(place: Place, revision: u64, stored: &TxEntry) -> proto::Entry {
    proto::Entry {
        tx: place.tx,
        key: stored.key.get(1..).unwrap_or_default().to_vec(),
        value: stored.value.get(1..).unwrap_or_default().to_vec(),
        metadata: stored.metadata.as_ref().map(message::kv_metadata).into(),
        revision,
        ..Default::default()
    }
}

/// Returns whether an entry has expired.
pub(super) fn has_expired(entry: &TxEntry, now: i64) -> bool {
    let expires_at = entry.metadata.as_ref().and_then(|m| m.expires_at);
    expires_at.is_some_and(|at| at <= now)
}

/// Finds a version of a key as stored, and its revision; 0: it is not counted.
fn place(ledger: &Ledger, key: &[u8], version: Version) -> Result<(Place, u64), Status> {
    let versions = ledger.index().versions(key);
    let count = u64::try_from(versions.len()).unwrap_or(u64::MAX);
    let found = match version {
        Version::Latest => versions.last().map(|place| (*place, count)),
        Version::At(tx) => ledger.place_in(tx, key).map(|place| (place, 0)),
        Version::Revision(revision) => {
            let back = revision.unsigned_abs();
            let wanted = match revision > 0 {
                true => back,
                false => count.saturating_sub(back),
            };
            let index = wanted.checked_sub(1).and_then(|i| usize::try_from(i).ok());
            let place = index.and_then(|index| versions.get(index));
            let invalid = || Status::unknown("invalid key revision number");
            Some((*place.ok_or_else(invalid)?, wanted))
        }
    };
    found.ok_or_else(key_not_found)
}

/// Refuses an entry that was deleted or has expired.
fn check_live(entry: &TxEntry, now: i64) -> Result<(), Status> {
    if entry.metadata.as_ref().is_some_and(|m| m.deleted) {
        return Err(key_not_found());
    }
    match has_expired(entry, now) {
        true => Err(Status::unknown("tbtree: key not found: expired entry")),
        false => Ok(()),
    }
}

/// Returns the transaction (0: the latest) and the key, as it is stored, that a stored value refers to, if it is a
/// reference.
fn reference(value: &[u8]) -> Option<(u64, &[u8])> {
    let (at_tx, key) = value.strip_prefix(&[1])?.split_first_chunk::<8>()?;
    (!key.is_empty()).then(|| (u64::from_be_bytes(*at_tx), key))
}
