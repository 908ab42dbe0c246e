//! The files of a cycle except trusted states and alarms: the last verdicts, and the progress of the value checks.
//! A state is trusted without them; they only show whether the files of a trusted state were lost, and whether a server
//! behind a pin had reached it. If only times and counts change, they are written rarely, because three syncs of the
//! disk take longer than the whole check.

use std::collections::BTreeSet;

use super::auditor::Auditor;
use super::cycle::Cycle;
use super::outcome::Outcome;
use super::verdict::Reason;
use super::written::Facts;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::trust::{MAX_LAST_REASON_CHARS, OutcomeRecord, TrustOrigin, WITHOUT_KEY};

impl Auditor {
    /// Stores the outcomes for `status`, and for the overdue times after a restart. Untrusted databases are limited
    /// in number and are forgotten when the server no longer lists them. Returns whether the verdicts are on disk.
    pub(super) fn save_outcomes(&mut self, cycle: &Cycle, known: &BTreeSet<String>) -> bool {
        let (wall, now) = (self.wall_time(), self.now());
        let mut reported = BTreeSet::new();
        // of the untrusted databases only the reported ones, and the last one, after which the next process continues
        let last = cycle.untrusted.last.as_deref();
        let last = last.filter(|outcome| self.was_last(&outcome.database));
        for outcome in cycle.outcomes.iter().chain(last) {
            reported.insert(outcome.database.as_str());
            self.note_outcome(outcome, wall);
        }
        for (name, database) in self.databases.iter_mut() {
            // a known database that was not checked, for example because the program ends, keeps its outcome
            if !reported.contains(name) && !known.contains(name) {
                database.last = None;
            }
        }
        let troubles = match cycle.stopped {
            true => self.store.load_troubles(), // this cycle is incomplete
            false => cycle.errors().map(|of| of.to_string()).collect(),
        };
        let records = self.databases.iter();
        let records = records.filter_map(|(_, database)| database.last.as_deref());
        let mut facts = Facts::default();
        for record in records.clone() {
            facts.add((
                &record.database,
                &record.verdict,
                &record.reason,
                record.open,
            ));
        }
        facts.add(&troubles);
        if self.outcomes_written.is_fresh(&facts, now) {
            return true;
        }
        let saved = self.store.save_outcomes(records, &troubles);
        match &saved {
            Ok(()) => self.outcomes_written.note(&facts, now),
            Err(failure) => {
                log::warn!(reason:% = failure; "the last verdicts could not be written, so immuaudit status will be out of date");
            }
        }
        saved.is_ok()
    }

    /// Records an outcome as the last one of its database.
    fn note_outcome(&mut self, outcome: &Outcome, now: Timestamp) {
        let last_untrusted = self.was_last(&outcome.database);
        let database = self.databases.of(&outcome.database);
        let before = database.last.take();
        let mut record = record(outcome, before.as_deref(), now);
        record.listed = !database.unlisted;
        record.slow = database.slow;
        record.last_untrusted = last_untrusted.then(|| self.place_key.unwrap_or(WITHOUT_KEY));
        if matches!(outcome.reason, Reason::NotReached) {
            // the database was not checked
            record.checked = before.as_ref().map_or(now, |before| before.checked);
        }
        let previous = outcome.previous.map(|state| state.tx);
        if database.repaired {
            // the database was trusted before, so the pin counts as a trusted state
            record.trusted_tx = record.trusted_tx.max(previous);
        }
        if record.trusted_tx < previous {
            // version 0.1.0 did not store it, or a process was killed before it stored it
            let trusted = self.trusted_before(outcome);
            record.trusted_tx = record.trusted_tx.max(trusted);
        }
        if !outcome.is_proven() && previous.is_some() {
            // the clock may have been set back since the proof, so its time alone says nothing
            let age = self.databases.of(&outcome.database).age;
            record.unproven_since = Some(now.before(age.unproven(self.now())));
        }
        record.known = !outcome.is_untrusted && !record.was_trusted();
        self.databases.of(&outcome.database).last = Some(Box::new(record));
    }

    /// Returns whether a database is the untrusted one that was checked last.
    fn was_last(&self, database: &str) -> bool {
        self.last_untrusted.as_deref() == Some(database)
    }

    /// Returns the transaction that was trusted before a check. A pin alone does not count, because the server never
    /// showed it.
    fn trusted_before(&self, outcome: &Outcome) -> Option<u64> {
        let tx = outcome.previous?.tx;
        let trusted = self.store.load(&outcome.database).ok().flatten()?;
        (trusted.how != TrustOrigin::Pinned).then_some(tx)
    }

    /// Stores the progress of the value checks if that is due.
    pub(super) fn save_progress_if_due(&mut self) {
        let facts = self.progress_facts();
        if !self.progress_written.is_fresh(&facts, self.now()) {
            self.write_progress(&facts);
        }
    }

    /// Stores the progress of the value checks now.
    pub fn save_progress(&mut self) {
        let facts = self.progress_facts();
        self.write_progress(&facts);
    }

    fn write_progress(&mut self, facts: &Facts) {
        let all = self.databases.iter();
        let all = all.filter_map(|(_, database)| database.progress.as_deref());
        if all.clone().next().is_none() {
            return;
        }
        match self.store.save_progress(all) {
            Ok(()) => self.progress_written.note(facts, self.now()),
            Err(failure) => {
                log::warn!(reason:% = failure; "the progress of the value checks could not be written");
            }
        }
    }

    /// Returns the progress except the counts and the position of a sweep, which are stored at a pace of their own.
    fn progress_facts(&self) -> Facts {
        let mut facts = Facts::default();
        for (name, database) in self.databases.iter() {
            if let Some(progress) = &database.progress {
                facts.add((name, progress.since, &progress.due, &progress.absent));
                facts.add(&progress.broken);
                facts.add((progress.behind_since.is_some(), progress.truncated_before));
                facts.add((progress.swept, progress.sweep.is_some()));
            }
        }
        facts
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
        reason: outcome.why_within(MAX_LAST_REASON_CHARS),
        checked: now,
        proven: if proven {
            Some(now)
        } else {
            before.and_then(|record| record.proven)
        },
        unproven_since: None,
        grown: match before.and_then(|record| record.grown) {
            Some(grown) if !grew => Some(grown),
            _ => proven.then_some(now), // the first proof counts as growth
        },
        trusted_tx: trusted.or(before.and_then(|record| record.trusted_tx)),
        proven_state: match proven {
            true => outcome.shown.filter(|state| state.tx > 0),
            false => before.and_then(|record| record.proven_state),
        },
        listed: true,
        complete: outcome.is_complete(),
        absent: outcome.absent_after(before.is_some_and(|before| before.absent)),
        contradicted: outcome.is_contradicted(),
        open: outcome.open_after(before.is_some_and(|before| before.open)),
        slow: false,
        known: false,
        last_untrusted: None,
    }
}
