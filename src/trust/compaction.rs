//! The stored part of a history. The last 1,900 lines stay. Of those before, one line stays for every 4 minutes up to
//! an age of 7 days, for every hour up to 90 days, and for every day after that. Lines that are no plain proofs, and
//! states that an alarm names, also stay.
//!
//! If the alarms cannot be read, their states are not known. Then a history stays whole until it is half as long as the
//! longest that is read. From then on, only the states in readable evidence and in a readable list stay.
//!
//! Age is counted along the history itself, from its last line back, and not by the clock. A step backwards or a
//! jump of more than two days does not count, so a clock that jumps makes no line older.

use super::alarm::Alarm;
use super::failpoint::FileKind;
use super::files;
use super::history::{History, HistoryEntry, MAX_HISTORY_BYTES};
use super::store::Store;
use super::store_error::StoreError;
use super::warning::Warning;
use crate::ledger::State;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The shortest step between two lines that counts as a jump of the clock, or a ledger at rest.
const MIN_JUMP_SECONDS: u64 = 2 * DAY;
/// The number of last lines that always stay: almost 7 days at an interval of 5 minutes.
const MIN_KEPT_LINES: usize = 1_900;
/// The shortest interval between lines before those, even within 7 days; an auditor may have a shorter interval.
const MIN_LINE_INTERVAL_SECONDS: u64 = 4 * MINUTE;
/// The number of dropped lines from which on the file is written again.
const MIN_DROPPED_LINES: usize = 64;

/// The length from which on a history is thinned although its alarms cannot be read, in bytes: half of the longest
/// history that is read, so that the database does not fail because of the history too.
const MAX_WHOLE_BYTES: u64 = MAX_HISTORY_BYTES / 2;

/// Returns whether a history with this many lines is to be read to find lines to drop. It returns true once for as
/// many new lines as must be dropped, so that not every line costs a reading of all lines.
pub(super) fn is_due(lines: usize) -> bool {
    lines > MIN_KEPT_LINES + MIN_DROPPED_LINES && lines % MIN_DROPPED_LINES == 0
}

impl Store {
    /// Thins out the history if it has grown. A failure is only a warning, because it can be done later.
    pub(super) fn compact_history(&self, database: &str) {
        let path = self.history_path(database);
        let compacted = || {
            let Some(history) = self.read_history(&path, database)? else {
                return Ok(());
            };
            if compact(&history.entries, &[]).is_none() {
                return Ok(());
            }
            let alarms = match self.alarms(database) {
                Err(_) if history.length > MAX_WHOLE_BYTES => self.readable_alarms(database),
                alarms => alarms?,
            };
            let named = |alarm: &Alarm| [alarm.trusted, alarm.shown];
            let named: Vec<State> = alarms.iter().flat_map(named).flatten().collect();
            match compact(&history.entries, &named) {
                None => Ok(()),
                Some(kept) => {
                    let file = History::render(self.server(), database, &kept);
                    files::replace(FileKind::History, &path, &file)
                }
            }
        };
        let result: Result<(), StoreError> = compacted();
        if let Err(failure) = result {
            let error = failure.to_string();
            self.warn(Warning::NotThinned { path, error });
        }
    }
}

/// Returns the lines to keep; `None` if too few lines can be dropped. The first and the last line stay. Lines that
/// are not plain proofs (first uses, pins, adoptions) and states that are `named` also stay.
pub fn compact(entries: &[HistoryEntry], named: &[State]) -> Option<Vec<HistoryEntry>> {
    if entries.len() <= MIN_KEPT_LINES + MIN_DROPPED_LINES {
        return None;
    }
    let mut slot = None;
    let stays: Vec<bool> = entries
        .iter()
        .zip(spacings(entries))
        .zip((0..entries.len()).rev())
        .map(|((entry, spacing), behind)| {
            let this = Some((spacing, entry.time.unix() / spacing));
            let begins = std::mem::replace(&mut slot, this) != this;
            begins
                || behind < MIN_KEPT_LINES
                || entry.is_a_beginning()
                || named.contains(&entry.state)
        })
        .collect();
    let going = stays.iter().filter(|stays| !**stays).count();
    let kept = entries.iter().zip(stays).filter(|(_, stays)| *stays);
    (going >= MIN_DROPPED_LINES).then(|| kept.map(|(entry, _)| entry.clone()).collect())
}

/// Returns the interval at which lines of each line's age are kept, in seconds.
fn spacings(entries: &[HistoryEntry]) -> Vec<u64> {
    let mut age = 0;
    let mut later = entries.last().map_or(0, |last| last.time.unix());
    let mut spacings: Vec<u64> = entries
        .iter()
        .rev()
        .map(|entry| {
            let step = later.saturating_sub(entry.time.unix());
            later = entry.time.unix();
            age += if step > MIN_JUMP_SECONDS { 0 } else { step };
            match age {
                age if age <= 7 * DAY => MIN_LINE_INTERVAL_SECONDS,
                age if age <= 90 * DAY => HOUR,
                _ => DAY,
            }
        })
        .collect();
    spacings.reverse();
    spacings
}

#[cfg(test)]
mod tests {
    use super::super::aged::{Aged, trusted};
    use super::*;
    use crate::clock::Timestamp;
    use crate::ledger::Digest;
    use crate::trust::history::Change;
    use crate::trust::{Finding, Tampering, TrustOrigin};

    fn entry(tx: u64, time: u64) -> HistoryEntry {
        HistoryEntry {
            time: Timestamp::from_unix(time),
            change: Change::Accepted(if tx == 1 {
                TrustOrigin::FirstSeen
            } else {
                TrustOrigin::Proven
            }),
            state: State {
                tx,
                hash: Digest::of(&[&tx.to_be_bytes()]),
            },
            shape: None,
            uuid: Some("d4g5c2k23aku4h7nq1t0".into()),
        }
    }

    /// Returns the lines that remain after these times are appended one by one.
    fn after(times: impl Iterator<Item = u64>) -> (Vec<HistoryEntry>, usize) {
        let (mut entries, mut most) = (Vec::new(), 0);
        for (tx, time) in (10_000_000..).zip(times) {
            entries.push(entry(if entries.is_empty() { 1 } else { tx }, time));
            if let Some(kept) = compact(&entries, &[]) {
                entries = kept;
            }
            most = most.max(entries.len());
        }
        (entries, most)
    }

    const START: u64 = 1_795_319_313;

    #[test]
    fn a_year_at_five_minutes_stays_under_half_a_megabyte() {
        let (entries, most) = after((0..365 * 288).map(|i| START + i * 300));
        let bytes = History::render("127.0.0.1:3322", "defaultdb", &entries).len();
        let line = bytes / entries.len();
        assert!(most * (line + 1) < 500_000, "{most} lines of {line} bytes");
        assert_eq!(entries[0].state.tx, 1);
        let end = START + 365 * DAY;
        let since = |age| {
            entries
                .iter()
                .filter(move |e| e.time.unix() >= end - age)
                .count()
        };
        assert!(since(7 * DAY) >= 7 * 288 - 1);
        assert!(since(90 * DAY) - since(7 * DAY) >= 83 * 24 - 1);
        assert!(entries.len() - since(90 * DAY) >= 275 - 1);
    }

    #[test]
    fn a_short_interval_stays_bounded() {
        let (_, most) = after((0..20_000).map(|i| START + i / 100));
        assert!(most <= MIN_KEPT_LINES + MIN_DROPPED_LINES + 2, "{most}");
    }

    #[test]
    fn a_clock_that_jumps_deletes_nothing() {
        let week = |start: u64| (0..1_990).map(move |i| start + i * 300);
        let jumps = [START + 400 * DAY, START + 9_000 * DAY, START - 3_000 * DAY];
        let times = week(START).chain(jumps).chain(week(START + 7 * DAY));
        let entries: Vec<_> = (1..).zip(times).map(|(tx, time)| entry(tx, time)).collect();
        let kept = compact(&entries, &[]).unwrap_or_else(|| entries.clone());
        for entry in entries
            .iter()
            .filter(|e| !(START + DAY..START + 8 * DAY).contains(&e.time.unix()))
        {
            let recent = entry.time.unix() >= START + 7 * DAY;
            assert!(!recent || kept.contains(entry));
        }
        let (entries, _) = after(week(START).chain(jumps));
        assert_eq!(entries.len(), 1_990 + jumps.len());
    }

    #[test]
    fn named_entries_stay_and_thinning_is_idempotent() {
        let entries: Vec<_> = (1..40_000).map(|tx| entry(tx, START + tx * 300)).collect();
        let named: Vec<State> = [77, 78, 79, 5_001].map(|tx| entries[tx].state).into();
        let kept = compact(&entries, &named).unwrap();
        for state in &named {
            assert!(kept.iter().any(|entry| entry.state == *state));
        }
        assert_eq!(kept.first(), entries.first());
        assert_eq!(kept.last(), entries.last());
        assert_eq!(compact(&kept, &named), None);
    }

    /// Raises an alarm about transaction 777, and damages the list of alarms.
    fn with_damaged_alarms(name: &str, states: u64) -> Aged {
        let aged = Aged::new(name, states);
        let old = trusted(777);
        let finding = Finding {
            database: "db".into(),
            kind: Tampering::RolledBack,
            reason: "older".into(),
            shown: Some(trusted(778).state),
            trusted: Some(old),
            claim: None,
            uuid: None,
            identity_changed: false,
            answers: Vec::new(),
        };
        let raised = aged.store.raise(&finding, Timestamp::from_unix(START));
        raised.unwrap();
        std::fs::write(aged.store.alarms_path("db"), "damaged").unwrap();
        aged
    }

    #[test]
    fn a_damaged_list_of_alarms_keeps_a_short_history_whole_and_is_named() {
        let mut aged = with_damaged_alarms("list", 2_100);
        (0..64).for_each(|_| aged.check());
        assert_eq!(aged.store.history("db").unwrap().len(), 2_164);
        let warnings: Vec<String> = aged
            .store
            .warnings()
            .iter()
            .map(Warning::to_string)
            .collect();
        let path = aged.store.alarms_path("db").display().to_string();
        assert!(
            warnings
                .iter()
                .any(|it| it.contains("could not be shortened") && it.contains(&path)),
            "{warnings:?}"
        );
    }

    #[test]
    fn a_damaged_list_of_alarms_leaves_a_history_within_its_limit_with_the_states_of_its_evidence()
    {
        let mut aged = with_damaged_alarms("limit", 80_000);
        let path = aged.store.history_path("db");
        let bytes = |path| std::fs::metadata(path).unwrap().len();
        assert!(bytes(&path) > MAX_HISTORY_BYTES / 2);
        (0..64).for_each(|_| aged.check());
        assert!(bytes(&path) < MAX_HISTORY_BYTES / 8);
        let history = aged.store.history("db").unwrap();
        let has = |tx: u64| history.iter().any(|entry| entry.state == trusted(tx).state);
        assert!(has(1) && has(777) && has(778) && has(80_064));
        assert!(!has(779));
    }
}
