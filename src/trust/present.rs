//! The present trusted state of a database, for a check: an unchanged history is not read again.
//!
//! The end of a history is remembered with the file's stamp. If another process has written the file since, it has
//! another stamp, and is read completely again. So a check costs the same however many lines there are.

use std::path::Path;
use std::time::Duration;

use super::failpoint::FileKind;
use super::files::{self, NEW, with_suffix};
use super::history::HistoryEntry;
use super::record::Record;
use super::state_file;
use super::store::{Hold, Store};
use super::store_error::StoreError;
use super::tail::{Parsed, Remembered, Tail};
use super::trusted_state::TrustedState;
use crate::ledger::Digest;
use crate::sys::{self, Stamp};

/// The time after which a history is read completely although its stamp is the same. Damage that leaves no stamp,
/// such as a bad block, is found after this time at the latest.
const FULL_READ_INTERVAL: Duration = Duration::from_secs(3600);

/// The trusted state, and the end of its history.
pub(super) struct Present {
    /// The trusted state.
    pub trusted: Option<TrustedState>,
    /// The end of the history, if there is one.
    pub tail: Option<Tail>,
}

impl Present {
    /// Returns the trusted state and the end of the history of a record.
    pub fn of(record: Record) -> Present {
        Present {
            tail: record.tail(),
            trusted: record.trusted,
        }
    }
}

impl Store {
    /// Returns the content of the files. The history is only read completely if its end is not known, or no longer
    /// known.
    pub(super) fn present(&self, database: &str) -> Result<Present, StoreError> {
        match self.remembered(database) {
            Some(present) => Ok(present),
            None => self.read_complete_history(database, |store| store.record(database)),
        }
    }

    /// Returns the content of the files, after it has made each file agree with it.
    pub(super) fn settled_present(
        &self,
        hold: &Hold,
        database: &str,
    ) -> Result<Present, StoreError> {
        match self.remembered(database) {
            Some(present) => Ok(present),
            None => self.read_complete_history(database, |store| store.settled(hold, database)),
        }
    }

    /// Writes new facts about a state that is already trusted; `present` is the content of its file.
    pub(super) fn rewrite_state(
        &self,
        _hold: &Hold,
        present: &TrustedState,
        trusted: TrustedState,
    ) -> Result<TrustedState, StoreError> {
        if *present != trusted {
            let path = self.state_path(&trusted.database);
            files::replace(
                FileKind::State,
                &path,
                &state_file::render(self.server(), &trusted),
            )?;
        }
        Ok(trusted)
    }

    /// Returns the trusted state and the end of its history, if the state is still that of `before`. Other facts, such
    /// as identity and signature, may have been noted since `before` was read. So a change starts from the returned
    /// value, not from `before`.
    pub(super) fn unchanged(
        &self,
        hold: &Hold,
        before: &TrustedState,
    ) -> Result<(TrustedState, Option<Tail>), StoreError> {
        let present = self.settled_present(hold, &before.database)?;
        match present.trusted {
            Some(trusted) if HistoryEntry::of(before).is_of(&trusted) => {
                Ok((trusted, present.tail))
            }
            _ => Err(StoreError::Changed {
                database: before.database.clone(),
            }),
        }
    }

    /// Forgets the remembered content of databases that `keeps` does not select, so that removed names do not use
    /// the place of others.
    pub fn keep_remembered(&self, keeps: impl Fn(&str) -> bool) {
        self.tails.keep(&keeps);
        self.parsed_alarms.keep(keeps);
    }

    /// Remembers the end of a history to which a line was appended just now.
    pub(super) fn remember_appended(&self, database: &str, tail: Tail) {
        let read = self.tails.get(database).map(|before| before.read);
        let stamp = self.stamp(database);
        let stamp = stamp.filter(|stamp| stamp.length() == tail.length);
        let remembered = read.zip(stamp).map(|(read, stamp)| Remembered {
            stamp,
            tail,
            read,
            state: None,
        });
        self.tails.put(database, remembered);
    }

    /// Returns the content of the files if the history is unchanged, and no change is incomplete.
    pub(super) fn remembered(&self, database: &str) -> Option<Present> {
        let Remembered {
            stamp,
            tail,
            read,
            state: known,
        } = self.tails.get(database)?;
        let state = self.state_path(database);
        if self.clock.since(read) >= FULL_READ_INTERVAL
            || sys::stamp(&self.history_path(database)) != Some(stamp)
            || files::exists(&with_suffix(&state, NEW)) != Ok(false)
        {
            self.tails.put(database, None);
            return None;
        }
        let trusted = self.read_known_state(&state, database, known)?;
        tail.last.is_of(&trusted).then_some(Present {
            trusted: Some(trusted),
            tail: Some(tail),
        })
    }

    /// Reads a state file, and parses it if its bytes differ from the last parsed ones.
    fn read_known_state(
        &self,
        path: &Path,
        database: &str,
        known: Option<Parsed>,
    ) -> Option<TrustedState> {
        let bytes = files::read(path, state_file::MAX_STATE_FILE_BYTES).ok()??;
        let digest = Digest::of(&[&bytes]);
        if let Some(known) = known.filter(|known| known.digest == digest) {
            return Some(known.trusted);
        }
        let trusted = state_file::parse(&bytes, self.server(), database).ok()?;
        let parsed = Parsed {
            digest,
            trusted: trusted.clone(),
        };
        self.tails.put_state(database, parsed);
        Some(trusted)
    }

    /// Reads a history completely, and remembers its end if it is complete and agrees with the state file.
    fn read_complete_history(
        &self,
        database: &str,
        read: impl FnOnce(&Store) -> Result<Record, StoreError>,
    ) -> Result<Present, StoreError> {
        // taken before reading, so that a write in between changes the stamp
        let stamp = self.stamp(database);
        let record = read(self)?;
        let is_torn = record.history.as_ref().is_some_and(|history| history.torn);
        let is_settled = record.unsettled.is_none() && !is_torn;
        let present = Present::of(record);
        let tail = present.tail.clone().filter(|_| is_settled);
        let remembered = stamp.zip(tail).map(|(stamp, tail)| Remembered {
            stamp,
            tail,
            read: self.clock.instant(),
            state: None,
        });
        self.tails.put(database, remembered);
        Ok(present)
    }

    /// Gives the history a stamp of its own; `None` if this is not the auditor, because only the auditor reads it
    /// again.
    fn stamp(&self, database: &str) -> Option<Stamp> {
        match self.is_auditor() {
            true => files::give_stamp(&self.history_path(database)),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::acknowledged::Acknowledged;
    use super::super::aged::{Aged, START, trusted};
    use super::super::files::BYTES_READ;
    use super::*;
    use crate::clock::{SimulatedTime, Timestamp};
    use crate::ledger::digests_computed;
    use crate::sys::Lock;

    /// Returns the average number of digests and of read bytes of a check, over this many checks.
    fn cost(aged: &mut Aged, checks: u64) -> (u64, u64) {
        let read = || u64::try_from(BYTES_READ.get()).unwrap();
        let (digests, bytes) = (digests_computed(), read());
        (0..checks).for_each(|_| aged.check());
        let digests = digests_computed() - digests;
        (digests / checks, (read() - bytes) / checks)
    }

    #[test]
    fn a_removed_database_is_forgotten() {
        let mut aged = Aged::new("gone", 3);
        aged.check();
        aged.store.keep_remembered(|name| name == "db");
        assert!(aged.store.tails.get("db").is_some());
        aged.store.keep_remembered(|name| name == "another");
        assert!(aged.store.tails.get("db").is_none());
        aged.check();
    }

    #[test]
    fn a_check_costs_the_same_however_long_the_history_is() {
        for (states, checks, readings) in [(10, 16, 0), (1_700, 16, 0), (5_000, 64, 3)] {
            let mut aged = Aged::new("cost", states);
            aged.check(); // reads the complete history
            let (digests, bytes) = cost(&mut aged, checks);
            // a line is 120 bytes; a long history is read to thin it, written, and read again
            let (all, every) = (states * readings, 64);
            assert!(digests <= 10 + all / every, "{states}: {digests}");
            assert!(bytes <= 2_000 + all * 120 / every, "{states}: {bytes}");
            let history = aged.store.history("db").unwrap();
            assert_eq!(history.last().unwrap().state, trusted(aged.last).state);
            assert!(history.len() < 3_000, "{}", history.len());
        }
    }

    #[test]
    fn a_line_that_is_changed_in_its_place_is_found_at_the_next_check() {
        let mut aged = Aged::new("changed", 100);
        let path = aged.store.history_path("db");
        for _ in 0..20 {
            aged.check();
            let whole = std::fs::read(&path).unwrap();
            let mut changed = whole.clone();
            let at = whole.len() / 2;
            changed[at] ^= 1;
            // immediately, in the same file, with the same length
            std::fs::write(&path, changed).unwrap();
            let read = aged.store.load("db");
            assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
            std::fs::write(&path, whole).unwrap();
        }
        aged.check();
        std::fs::remove_file(&path).unwrap();
        let read = aged.store.load("db");
        assert!(matches!(read, Err(StoreError::Missing { .. })), "{read:?}");
    }

    #[test]
    fn a_state_file_that_is_changed_in_its_place_is_found_at_the_next_check() {
        let mut aged = Aged::new("edited", 100);
        aged.check();
        let path = aged.store.state_path("db");
        assert_eq!(aged.store.load("db"), Ok(Some(trusted(aged.last))));
        let whole = std::fs::read(&path).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 2] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, changed).unwrap();
            let read = aged.store.load("db");
            assert!(
                matches!(read, Err(StoreError::Damaged { .. })),
                "{at}: {read:?}"
            );
            std::fs::write(&path, &whole).unwrap();
            assert_eq!(aged.store.load("db"), Ok(Some(trusted(aged.last))));
        }
    }

    #[test]
    fn damage_without_a_trace_is_looked_for_every_hour() {
        let mut aged = Aged::new("hour", 1_000);
        let time = SimulatedTime::starting_at(Timestamp::from_unix(START));
        aged.store.clock = time.clock();
        let mut readings = 0;
        for _ in 0..180 {
            let before = BYTES_READ.get();
            aged.store.load("db").unwrap();
            readings += usize::from(BYTES_READ.get() - before > 100_000);
            time.advance(Duration::from_secs(60));
        }
        assert_eq!(readings, 3);
    }

    #[test]
    fn a_check_without_alarms_waits_for_no_other_command() {
        let mut aged = Aged::new("held", 10);
        aged.check();
        let other = Store::open_shared(&aged.store.location).unwrap();
        let _hold = other.hold(Lock::Exclusive).unwrap();
        assert_eq!(aged.store.load("db"), Ok(Some(trusted(aged.last))));
        assert_eq!(aged.store.open_alarms(Some("db")), Ok(Vec::new()));
        assert_eq!(aged.store.alarms_awaiting_reading("db"), Ok(Vec::new()));
        assert_eq!(aged.store.acknowledged("db"), Ok(Acknowledged::default()));
    }

    #[test]
    fn a_second_process_writes_nothing_to_a_history() {
        let mut aged = Aged::new("beside", 10);
        aged.check();
        let path = aged.store.history_path("db");
        let before = sys::stamp(&path);
        let beside = Store::open_shared(&aged.store.location).unwrap();
        for _ in 0..2 {
            assert_eq!(beside.load("db"), Ok(Some(trusted(aged.last))));
        }
        assert_eq!(sys::stamp(&path), before);
        aged.check();
        assert_eq!(beside.load("db"), Ok(Some(trusted(aged.last))));
    }
}
