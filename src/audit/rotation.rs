//! The rotation of untrusted databases. A cycle may not have the time to check all of them; the next one continues
//! after the one that was checked last.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::auditor::Auditor;
use super::round::Named;
use crate::trust::WITHOUT_KEY;

/// The bound of the keys for the places of untrusted databases, which are stored as signed numbers.
const MAX_PLACE_KEY: u64 = 1 << 62;

impl Auditor {
    /// Sorts untrusted databases by their places, beginning after the one that was checked last.
    pub(super) fn rotate(&mut self, untrusted: &mut [Named<'_>]) {
        let last = self.last_untrusted.clone();
        if let Some(last) = last.filter(|_| untrusted.len() > 1) {
            let key = self.place_key();
            let last = place(&last, key);
            untrusted.sort_by_cached_key(|named| {
                let place = place(named.name, key);
                (place <= last, place)
            });
        }
    }

    /// Returns the key for the places of untrusted databases. It is random, also in the only cycle of a process,
    /// because otherwise a server could invent names that always come before a certain other name. The next process
    /// continues with the same key, so that each database has its turn.
    fn place_key(&mut self) -> u64 {
        let random = &self.random;
        let draw = || random.below(MAX_PLACE_KEY).unwrap_or(WITHOUT_KEY);
        *self.place_key.get_or_insert_with(draw)
    }
}

/// Returns a name's place in the rotation of untrusted databases, which does not depend on the other names. The order
/// of names is not used: if new names always ascend, the names after them would wait for ever.
fn place(name: &str, key: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, name).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::schedule::tests::auditor;
    use crate::drill::{Embedded, Options};
    use crate::trust::OutcomeRecord;

    /// Returns the key of the next process, which reads that `last` was checked last.
    fn key_of_the_next_process(embedded: &Embedded, name: &str, last: Option<u64>) -> u64 {
        let name = format!("immuaudit-places-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let first = auditor(embedded, dir.clone());
        let record = OutcomeRecord {
            database: "new".into(),
            verdict: "refused".into(),
            reason: String::new(),
            checked: crate::clock::now(),
            proven: None,
            unproven_since: None,
            grown: None,
            trusted_tx: None,
            proven_state: None,
            listed: true,
            complete: false,
            absent: false,
            contradicted: false,
            open: false,
            slow: false,
            known: false,
            last_untrusted: last,
        };
        first.store.save_outcomes(&[record], &[]).unwrap();
        drop(first);
        let mut next = auditor(embedded, dir.clone());
        next.cycles = 1; // the only cycle of a run under cron
        let key = next.place_key();
        next.cycles = 2;
        assert_eq!(next.place_key(), key, "the key of a process stays");
        drop(next);
        std::fs::remove_dir_all(dir).unwrap();
        key
    }

    #[test]
    fn invented_names_do_not_keep_a_new_database_from_its_turn() {
        let embedded = Embedded::start(Options::default()).unwrap();
        // a server that knows the places invents names for which the keyed order is another one
        let mut names: Vec<String> = (0..100).map(|i| format!("new-{i}")).collect();
        names.sort_by_key(|name| place(name, WITHOUT_KEY));
        let keys = [
            key_of_the_next_process(&embedded, "none", None),
            key_of_the_next_process(&embedded, "without", Some(WITHOUT_KEY)),
        ];
        for key in keys {
            assert!(!names.is_sorted_by_key(|name| place(name, key)), "{keys:?}");
        }
        assert_ne!(keys[0], keys[1], "the keys are drawn");
        // the next process continues in the order of the last one
        let kept = key_of_the_next_process(&embedded, "kept", Some(77));
        assert_eq!(kept, 77);
    }
}
