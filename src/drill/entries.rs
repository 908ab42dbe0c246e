//! The calls that read entries by their keys (protocol.md §1 and §6).

use protobuf::MessageField;

use super::distort;
use super::emulate::Emulated;
use super::ledger::unix;
use super::lookup::{self, Found, Version};
use super::message;
use super::sorted;
use super::status::{Reply, Status, illegal_arguments, key_not_found};
use super::store::{ActiveLie, Store};
use super::transactions::shown;
use crate::wire::proto;

/// The maximum number of entries in one response if a version sets no limit itself, as in immudb 1.11.1.
const MAX_ENTRIES: u64 = 2500;

/// The maximum number of bytes of values in one response: entries can be large, and a list can name one again and
/// again.
const MAX_BYTES: usize = 64 << 20;

impl Store {
    pub(super) fn get(
        &mut self,
        database: &str,
        request: &proto::KeyRequest,
        active: Option<&ActiveLie>,
    ) -> Reply {
        let found = self.find(database, request, active)?;
        Ok(message::bytes(&found.entry))
    }

    pub(super) fn verifiable_get(
        &mut self,
        database: &str,
        request: &proto::VerifiableGetRequest,
        active: Option<&ActiveLie>,
    ) -> Reply {
        let key_request = request.key_request.clone().unwrap_or_default();
        let Found { entry, place } = self.find(database, &key_request, active)?;
        let since = request.prove_since_tx;
        let verifiable = self.verifiable_tx(database, place.tx, since, None, active)?;
        let stored = shown(self.ledger(database, active)?.tx(place.tx), active)?;
        let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        Ok(message::bytes(&proto::VerifiableEntry {
            entry: MessageField::some(entry),
            verifiable_tx: MessageField::some(verifiable),
            inclusion_proof: MessageField::some(proto::InclusionProof {
                leaf: number(place.entry),
                width: number(stored.entries.len()),
                terms: message::digests(&stored.entry_inclusion(place.entry)),
                ..Default::default()
            }),
            ..Default::default()
        }))
    }

    /// Responds with the entries of those keys that exist.
    pub(super) fn get_all(
        &mut self,
        database: &str,
        request: &proto::KeyListRequest,
        active: Option<&ActiveLie>,
    ) -> Reply {
        let count = u64::try_from(request.keys.len()).unwrap_or(u64::MAX);
        self.limited(count)?;
        let now = unix(&self.options.clock);
        let ledger = self.ledger(database, active)?;
        let latest = |key: &Vec<u8>| lookup::find(ledger, key, Version::Latest, now).ok();
        let found = request.keys.iter().filter_map(latest);
        entries(found.map(|found| found.entry), active)
    }

    /// Responds with the latest version of each key under a prefix, in the order of the keys.
    pub(super) fn scan(
        &mut self,
        database: &str,
        request: &proto::ScanRequest,
        active: Option<&ActiveLie>,
    ) -> Reply {
        let limit = self.limited(request.limit)?;
        let now = unix(&self.options.clock);
        let ledger = self.ledger(database, active)?;
        let within = |key: &[u8]| {
            let (seek, end) = (&request.seek_key[..], &request.end_key[..]);
            let from = seek.is_empty()
                || match request.inclusive_seek && key == seek {
                    true => true,
                    false => key != seek && request.desc == (key < seek),
                };
            let until = end.is_empty()
                || match request.inclusive_end && key == end {
                    true => true,
                    false => key != end && request.desc == (key > end),
                };
            from && until
        };
        let prefix = [&[0], &request.prefix[..]].concat();
        let keys = in_order(ledger.index().under(&prefix), request.desc);
        let found = keys
            .filter_map(|(key, _)| key.get(1..))
            .filter(|key| within(key))
            .filter_map(|key| lookup::find(ledger, key, Version::Latest, now).ok());
        let found = found.skip(skipped(request.offset)).take(limit);
        entries(found.map(|found| found.entry), active)
    }

    /// Responds with every version of a key, including deletions.
    pub(super) fn history(
        &mut self,
        database: &str,
        request: &proto::HistoryRequest,
        active: Option<&ActiveLie>,
    ) -> Reply {
        let negative = |_| Status::unknown("tbtree: illegal arguments");
        let limit = u64::try_from(request.limit).map_err(negative)?;
        let limit = self.limited(limit)?;
        let now = unix(&self.options.clock);
        let ledger = self.ledger(database, active)?;
        let versions = ledger.index().versions(&[&[0], &request.key[..]].concat());
        if versions.is_empty() {
            return Err(key_not_found());
        }
        let offset = skipped(request.offset);
        if offset >= versions.len() {
            return Err(Status::unknown("tbtree: no more entries"));
        }
        let versions = in_order(
            (1..)
                .zip(versions.iter().copied())
                .collect::<Vec<_>>()
                .into_iter(),
            request.desc,
        );
        let found = versions.skip(offset).take(limit);
        let found = found.filter_map(|(revision, place)| {
            let stored = ledger.entry(place)?;
            let mut entry = lookup::plain(place, revision, stored);
            entry.expired = lookup::has_expired(stored, now);
            if entry.expired {
                entry.value.clear();
            }
            Some(entry)
        });
        entries(found, active)
    }

    /// Responds with the number of keys under a prefix, including deleted ones.
    pub(super) fn count(
        &mut self,
        database: &str,
        request: &proto::KeyPrefix,
        active: Option<&ActiveLie>,
    ) -> Reply {
        let ledger = self.ledger(database, active)?;
        let prefix = [&[0], &request.prefix[..]].concat();
        let count = ledger.index().under(&prefix).count();
        Ok(message::bytes(&proto::EntryCount {
            count: u64::try_from(count).unwrap_or(u64::MAX),
            ..Default::default()
        }))
    }

    /// Responds with the members of a sorted set, by their scores.
    pub(super) fn z_scan(
        &mut self,
        database: &str,
        request: &proto::ZScanRequest,
        active: Option<&ActiveLie>,
    ) -> Reply {
        if request.set.is_empty() {
            return Err(illegal_arguments());
        }
        let limit = self.limited(request.limit)?;
        let now = unix(&self.options.clock);
        let ledger = self.ledger(database, active)?;
        let prefix = sorted::prefix(&request.set);
        let members = in_order(ledger.index().under(&prefix), request.desc);
        let members = members
            .filter(|(key, _)| sorted::is_wanted(key, request))
            .filter_map(|(key, _)| sorted::member(key))
            .filter_map(|member| {
                let found = lookup::find(ledger, member.key, member.version(), now).ok()?;
                Some((member, found.entry))
            });
        let mut list = proto::ScoredEntries::default();
        let mut bytes = 0;
        for (member, mut entry) in members.skip(skipped(request.offset)).take(limit) {
            counted(&mut bytes, &entry)?;
            distort::entry(active, &mut entry);
            list.entries.push(proto::ScoredEntry {
                set: member.set.to_vec(),
                key: member.key.to_vec(),
                entry: MessageField::some(entry),
                score: member.score,
                at_tx: member.at_tx,
                ..Default::default()
            });
        }
        Ok(message::bytes(&list))
    }

    fn find(
        &mut self,
        database: &str,
        request: &proto::KeyRequest,
        active: Option<&ActiveLie>,
    ) -> Result<Found, Status> {
        if request.key.is_empty() {
            return Err(Status::unknown("illegal arguments: empty key"));
        }
        let version = match (request.at_tx, request.at_revision) {
            _ if self.server == Emulated::V0_9_0 => Version::Latest,
            (0, 0) => Version::Latest,
            (0, revision) => Version::Revision(revision),
            (at_tx, 0) => Version::At(at_tx),
            _ => {
                return Err(Status::unknown(
                    "illegal arguments: AtRevision should not be specified when AtTx is used",
                ));
            }
        };
        let now = unix(&self.options.clock);
        let ledger = self.ledger(database, active)?;
        let mut found = lookup::find(ledger, &request.key, version, now)?;
        distort::entry(active, &mut found.entry);
        Ok(found)
    }

    /// Returns the number of entries in the response, for this requested number (0: all).
    fn limited(&self, asked: u64) -> Result<usize, Status> {
        let most = self.server.scan_limit().map_or(MAX_ENTRIES, u64::from);
        if asked > most {
            return Err(Status::unknown(format!(
                "result size limit exceeded: the specified limit ({asked}) is larger than the maximum allowed one ({most})"
            )));
        }
        let limit = if asked == 0 { most } else { asked };
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }
}

/// Encodes a response of entries.
///
/// # Errors
/// Their values are larger than a response may be.
fn entries(found: impl Iterator<Item = proto::Entry>, active: Option<&ActiveLie>) -> Reply {
    let mut list = proto::Entries::default();
    let mut bytes = 0;
    for mut entry in found {
        counted(&mut bytes, &entry)?;
        distort::entry(active, &mut entry);
        list.entries.push(entry);
    }
    Ok(message::bytes(&list))
}

/// Adds the bytes of an entry's value to the count, and returns an error if the response gets too large.
fn counted(bytes: &mut usize, entry: &proto::Entry) -> Result<(), Status> {
    *bytes = bytes.saturating_add(entry.value.len());
    match *bytes > MAX_BYTES {
        true => Err(Status::new(
            8,
            "the values are larger than the largest response: request fewer",
        )),
        false => Ok(()),
    }
}

fn skipped(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn in_order<'a, T: 'a>(
    items: impl DoubleEndedIterator<Item = T> + 'a,
    backwards: bool,
) -> Box<dyn Iterator<Item = T> + 'a> {
    match backwards {
        true => Box::new(items.rev()),
        false => Box::new(items),
    }
}
