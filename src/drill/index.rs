//! The index of a ledger: the entries of each key as stored, the oldest first.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::ledger::TxEntry;

/// The place of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The transaction's id.
    pub tx: u64,
    /// The entry's place in the transaction, from 0.
    pub entry: usize,
}

/// Every key with its versions, without entries that are marked as not indexable.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    keys: BTreeMap<Vec<u8>, Vec<Place>>,
}

impl Index {
    /// Adds the entries of a transaction that is later than all in the index.
    pub fn add(&mut self, tx: u64, entries: &[TxEntry]) {
        for (entry, TxEntry { key, metadata, .. }) in entries.iter().enumerate() {
            if metadata.as_ref().is_some_and(|m| m.non_indexable) {
                continue;
            }
            let versions = self.keys.entry(key.clone()).or_default();
            if versions.last().is_none_or(|last| last.tx < tx) {
                versions.push(Place { tx, entry });
            }
        }
    }

    /// Removes every transaction after `last`.
    pub fn truncate(&mut self, last: u64) {
        self.keys.retain(|_, versions| {
            versions.retain(|place| place.tx <= last);
            !versions.is_empty()
        });
    }

    /// Returns the versions of a key.
    pub fn versions(&self, key: &[u8]) -> &[Place] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// Returns the keys that begin with `prefix`, in order.
    pub fn under(
        &self,
        prefix: &[u8],
    ) -> impl DoubleEndedIterator<Item = (&[u8], &[Place])> + use<'_> {
        let after = match after(prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Unbounded,
        };
        let range = self.keys.range((Bound::Included(prefix.to_vec()), after));
        range.map(|(key, versions)| (key.as_slice(), versions.as_slice()))
    }
}

/// Returns the first key after all keys that begin with `prefix`; `None` if there can be none.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let end = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix.get(..=end)?.to_vec();
    *after.last_mut()? += 1;
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &[u8]) -> TxEntry {
        crate::drill::NewEntry::set(key, "value").stored()
    }

    #[test]
    fn keys_under_a_prefix_are_those_that_begin_with_it() {
        let mut index = Index::default();
        let keys: [&[u8]; 6] = [b"", b"a", b"a\xff", b"a\xff\xff", b"b", b"\xff\xff"];
        for (id, key) in (1..).zip(keys) {
            index.add(id, &[entry(key)]);
        }
        let under = |prefix: &[u8]| -> Vec<u64> {
            let prefix = [&[0], prefix].concat();
            index
                .under(&prefix)
                .map(|(_, places)| places[0].tx)
                .collect()
        };
        assert_eq!(under(b""), [1, 2, 3, 4, 5, 6]);
        assert_eq!(under(b"a"), [2, 3, 4]);
        assert_eq!(under(b"a\xff"), [3, 4]);
        assert_eq!(under(b"\xff"), [6]);
        assert_eq!(after(b"\xff\xff"), None);
    }

    #[test]
    fn truncated_transactions_leave_the_index() {
        let mut index = Index::default();
        index.add(1, &[entry(b"a"), entry(b"a")]);
        index.add(2, &[entry(b"a"), entry(b"b")]);
        index.truncate(1);
        assert_eq!(index.versions(b"\0a"), [Place { tx: 1, entry: 0 }]);
        assert_eq!(index.versions(b"\0b"), []);
    }
}
