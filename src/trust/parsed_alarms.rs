//! The alarms of files that were read before: a file with the same bytes is not parsed again.
//!
//! A check reads the list of alarms several times. The bytes are read and hashed each time, so that a change by another
//! command takes effect immediately. Parsing costs much more, and grows with the number of alarms.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::alarm::Alarm;
use crate::ledger::Digest;

/// The maximum number of alarms that are remembered, of all databases together: about a kilobyte each. The lists of
/// further databases are parsed each time.
const MAX_REMEMBERED_ALARMS: usize = 1_000;

/// The alarms of the last parsed files, by database.
#[derive(Debug, Default)]
pub(super) struct ParsedAlarms(Mutex<BTreeMap<String, Parsed>>);

/// The alarms of a file, and the digest of all its bytes.
#[derive(Debug)]
struct Parsed {
    digest: Digest,
    alarms: Vec<Alarm>,
}

impl ParsedAlarms {
    /// Returns the alarms of a file with this digest, if they are remembered.
    pub fn get(&self, database: &str, digest: Digest) -> Option<Vec<Alarm>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let parsed = known
            .get(database)
            .filter(|parsed| parsed.digest == digest)?;
        Some(parsed.alarms.clone())
    }

    /// Remembers the alarms of a file in place of those that were remembered of this database, if the limit allows.
    pub fn put(&self, database: &str, digest: Digest, alarms: &[Alarm]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(database);
        let remembered: usize = known.values().map(|parsed| parsed.alarms.len()).sum();
        if remembered.saturating_add(alarms.len()) <= MAX_REMEMBERED_ALARMS {
            let alarms = alarms.to_vec();
            known.insert(database.into(), Parsed { digest, alarms });
        }
    }

    /// Forgets the databases that `keeps` does not select.
    pub fn keep(&self, keeps: impl Fn(&str) -> bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, _| keeps(name));
    }
}

#[cfg(test)]
mod tests {
    use super::super::alarm::{self, Closed, PastClosing};
    use super::super::finding::Tampering;
    use super::super::location::Location;
    use super::*;
    use crate::clock::Timestamp;
    use crate::ledger::State;

    fn location() -> Location {
        Location {
            dir: "/dir".into(),
            roots: None,
            server: "tested".into(),
        }
    }

    /// Returns an alarm with every field that the file has.
    fn alarm(number: u64) -> Alarm {
        let at = Timestamp::from_unix;
        let state = |tx| State {
            tx,
            hash: Digest::of(&[b"any"]),
        };
        let closed = Closed::by("kim \"the\\ operator\"\n", at(number + 2));
        Alarm {
            id: format!("{number:012x}"),
            database: "db".into(),
            kind: Tampering::Inconsistent,
            reason: "a reason with \"quotes\", \u{1b} and \u{fffd}".into(),
            raised: at(number),
            last_seen: at(number + 1),
            times: number,
            evidence: format!("/evidence/{number:012x}").into(),
            location: location(),
            trusted: Some(state(9)),
            shown: (number % 2 == 0).then(|| state(8)),
            shared: number % 3,
            displaced: number % 5,
            closed: (number % 2 == 1).then(|| Closed::by_adoption("lee", at(number + 9))),
            past: vec![PastClosing {
                closed,
                reopened: at(number + 3),
            }],
            shown_again: (number % 4 == 0).then(|| at(number + 4)),
            awaits_reading: number % 3 == 1,
        }
    }

    #[test]
    fn a_file_is_parsed_to_exactly_the_alarms_that_were_written() {
        let alarms: Vec<Alarm> = (0..24).map(alarm).collect();
        let file = alarm::render("tested", "db", &alarms);
        let evidence = |id: &str| format!("/evidence/{id}").into();
        let parsed = alarm::parse(&file, &location(), "db", evidence);
        assert_eq!(parsed, Ok(alarms));
    }

    #[test]
    fn other_bytes_of_the_same_database_are_not_known() {
        let known = ParsedAlarms::default();
        let [one, other] = [b"one", b"two"].map(|bytes| Digest::of(&[bytes]));
        known.put("db", one, &[alarm(1)]);
        assert_eq!(known.get("db", one), Some(vec![alarm(1)]));
        assert_eq!(known.get("db", other), None);
        assert_eq!(known.get("another", one), None);
        known.put("db", other, &[alarm(2)]);
        assert_eq!(known.get("db", one), None);
        known.keep(|name| name != "db");
        assert_eq!(known.get("db", other), None);
    }

    #[test]
    fn the_remembered_alarms_are_bounded() {
        let known = ParsedAlarms::default();
        let digest = Digest::of(&[b"any"]);
        let most = vec![alarm(1); MAX_REMEMBERED_ALARMS];
        known.put("first", digest, &most);
        known.put("second", digest, &[alarm(2)]);
        assert_eq!(known.get("second", digest), None);
        known.put("first", digest, &most[1..]);
        known.put("second", digest, &[alarm(2)]);
        assert!(known.get("first", digest).is_some() && known.get("second", digest).is_some());
    }
}
