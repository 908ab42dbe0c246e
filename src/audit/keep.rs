//! What a cycle leaves on disk beside trusted states and alarms: the last verdicts, and how far values
//! were read. Nothing is decided by either, so what changed in its times and counts alone is written
//! only now and then: three syncs of the disk cost more than the whole check.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::cycle::Cycle;
use super::outcome::Outcome;
use super::verdict::{Reason, Verdict};
use crate::clock::{self, Timestamp};
use crate::ledger::State;
use crate::trust::{How, OutcomeRecord, Progress};

/// Databases of which nothing is trusted and the last verdict is kept all the same, at most.
const MAX_STRANGERS: usize = 1000;
/// How old times and counts on disk may become while the program runs.
const RARELY: Duration = Duration::from_secs(10);

/// The last verdicts, and what was last written.
pub(super) struct Kept {
    outcomes: BTreeMap<String, OutcomeRecord>,
    outcomes_written: Option<Written<OutcomeRecord>>,
    /// The faults of the last cycle that concern no single database, as they were last written.
    troubles_written: Vec<String>,
    progress_written: Option<Written<Progress>>,
}

/// By database, and when.
type Written<T> = (Instant, BTreeMap<String, T>);

impl Kept {
    /// Returns the last transaction that was proven or taken on trust of a database.
    pub fn trusted_tx(&self, database: &str) -> Option<u64> {
        self.outcomes.get(database)?.trusted_tx
    }

    pub fn new(loaded: Vec<OutcomeRecord>) -> Kept {
        let loaded = loaded.into_iter();
        Kept {
            outcomes: loaded
                .map(|record| (record.database.clone(), record))
                .collect(),
            outcomes_written: None,
            troubles_written: Vec::new(),
            progress_written: None,
        }
    }
}

/// Is what is kept much the same as what was written, and that not long ago?
fn is_fresh<T>(
    written: Option<&Written<T>>,
    now: &BTreeMap<String, T>,
    same: impl Fn(&T, &T) -> bool,
) -> bool {
    written.is_some_and(|(when, then)| {
        when.elapsed() < RARELY
            && then.len() == now.len()
            && then
                .iter()
                .zip(now)
                .all(|((name, before), (other, now))| name == other && same(before, now))
    })
}

fn same_verdict(before: &OutcomeRecord, now: &OutcomeRecord) -> bool {
    before.verdict == now.verdict && before.reason == now.reason
}

/// All but the counts, and how far a sweep came: that has a pace of its own.
fn same_progress(before: &Progress, now: &Progress) -> bool {
    before.since == now.since
        && before.due == now.due
        && before.absent == now.absent
        && before.behind_since.is_some() == now.behind_since.is_some()
        && before.truncated_before == now.truncated_before
        && before.swept == now.swept
        && before.sweep.is_some() == now.sweep.is_some()
}

impl Auditor {
    /// For `status`, and for ages over a restart. What a server lists and nothing is trusted of is
    /// bounded, and forgotten once it is listed no more.
    pub(super) fn save_outcomes(&mut self, cycle: &Cycle, known: &[String]) {
        let now = clock::now();
        let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
        let mut before = std::mem::take(&mut self.kept.outcomes);
        let mut records = BTreeMap::new();
        let mut strangers = 0;
        for outcome in &cycle.outcomes {
            let before = before.remove(&outcome.database);
            if !known.contains(outcome.database.as_str()) && outcome.verdict != Verdict::FirstSeen {
                strangers += 1;
                if strangers > MAX_STRANGERS && !self.was_last(&outcome.database) {
                    continue;
                }
            }
            let mut record = record(outcome, before.as_ref(), now);
            record.listed = !self.unlisted.contains(&record.database);
            record.slow = self.slow.contains(&record.database);
            record.last_untrusted = self.was_last(&record.database);
            if matches!(outcome.reason, Reason::NotReached) {
                // it had no turn
                record.checked = before.as_ref().map_or(now, |before| before.checked);
            }
            if self.repaired.contains(&record.database) {
                // it was trusted before, and counts as shown
                let pinned = outcome.previous.map(|state| state.tx);
                record.trusted_tx = record.trusted_tx.max(pinned);
            }
            if record.trusted_tx.is_none() {
                record.trusted_tx = self.trusted_before_this_program(outcome);
            }
            records.insert(outcome.database.clone(), record);
        }
        // of what was not checked this time, such as where the program was asked to end
        before.retain(|name, _| known.contains(name.as_str()));
        records.extend(before);
        let troubles = match cycle.stopped {
            true => self.store.load_troubles(), // this cycle did not get to the end
            false => cycle.troubles().map(|of| of.to_string()).collect(),
        };
        let fresh = is_fresh(self.kept.outcomes_written.as_ref(), &records, same_verdict);
        if !fresh || troubles != self.kept.troubles_written {
            let list: Vec<OutcomeRecord> = records.values().cloned().collect();
            match self.store.save_outcomes(&list, &troubles) {
                Ok(()) => {
                    self.kept.outcomes_written = Some((Instant::now(), records.clone()));
                    self.kept.troubles_written = troubles;
                }
                Err(failure) => {
                    log::warn!(
                        "the last verdicts could not be written, status will be old: {failure}"
                    );
                }
            }
        }
        self.kept.outcomes = records;
    }

    /// Returns whether a database is the last one without a trusted state that had its turn.
    fn was_last(&self, database: &str) -> bool {
        self.last_untrusted.as_deref() == Some(database)
    }

    /// Returns the last transaction that 0.1.0 trusted, which did not write it down. A pin alone was never shown.
    fn trusted_before_this_program(&self, outcome: &Outcome) -> Option<u64> {
        let tx = outcome.previous?.tx;
        let trusted = self.store.load(&outcome.database).ok().flatten()?;
        (trusted.how != How::Pinned).then_some(tx)
    }

    /// How far the values were read, where it is due.
    pub(super) fn save_progress_if_due(&mut self) {
        if !is_fresh(
            self.kept.progress_written.as_ref(),
            &self.progress,
            same_progress,
        ) {
            self.save_progress();
        }
    }

    /// How far the values were read, now.
    pub(super) fn save_progress(&mut self) {
        if self.progress.is_empty() {
            return;
        }
        match self.store.save_progress(self.progress.values()) {
            Ok(()) => self.kept.progress_written = Some((Instant::now(), self.progress.clone())),
            Err(failure) => {
                log::warn!("how far the values were read could not be written: {failure}");
            }
        }
    }
}

fn record(outcome: &Outcome, before: Option<&OutcomeRecord>, now: Timestamp) -> OutcomeRecord {
    let proven = outcome.is_proven();
    let grew = proven && outcome.shown != outcome.previous;
    let tx = |state: Option<State>| state.map(|state| state.tx).filter(|tx| *tx > 0);
    let trusted = tx(outcome.shown).filter(|_| proven);
    OutcomeRecord {
        database: outcome.database.clone(),
        verdict: outcome.verdict.word().into(),
        reason: outcome.why(),
        checked: now,
        proven: if proven {
            Some(now)
        } else {
            before.and_then(|record| record.proven)
        },
        grown: match before.and_then(|record| record.grown) {
            Some(grown) if !grew => Some(grown),
            _ => proven.then_some(now), // the first proof counts as growth
        },
        trusted_tx: trusted.or(before.and_then(|record| record.trusted_tx)),
        listed: true,
        complete: outcome.is_complete(),
        absent: outcome.absent_after(before.is_some_and(|before| before.absent)),
        slow: false,
        last_untrusted: false,
    }
}
