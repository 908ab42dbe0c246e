//! One slice of a sweep: it reads for a short time, and then the program may check databases or end.
//!
//! What had no time in a slice is read again: by the next cycle, or at the end of a sweep that an operator started,
//! which no cycle follows.

use std::time::Duration;

use super::finding::UnreadReason;
use super::reader::{ReadInterrupted, Reader};
use super::report::Report;
use super::scan::Prefetch;
use super::sweep::read;
use super::truncation::Truncation;
use crate::audit::auditor::Auditor;
use crate::ranges::Ranges;
use crate::trust::{SweepInProgress, SweepTrigger, TrustedState, ValueProgress};

/// The approximate time of one slice of a sweep.
const SLICE_TIME: Duration = Duration::from_millis(400);

/// The number of runs of transactions that an operator's sweep remembers because there was no time for them. If there
/// are more, it also reads those between them again.
const MAX_LATE_RANGES: usize = 1_000;

/// The number of slices of a sweep that may run out of time at a transaction that is read alone.
const MAX_LATE_SLICES: u32 = 2;

/// The results of a slice.
pub(super) struct Part {
    pub report: Report,
    /// The reason why the slice ended early.
    pub done: Result<(), ReadInterrupted>,
    pub truncation: Truncation,
    /// The transactions that were tried.
    pub passed: Ranges,
    /// The transactions that are read again later, so that the report does not have them. A verdict on them now would
    /// change after every slice and every cycle.
    pub later: Ranges,
}

/// Returns whether the program is asked to end, or the server is unavailable.
pub(super) fn is_cut_off(done: Result<(), ReadInterrupted>) -> bool {
    let early = [ReadInterrupted::Stopped, ReadInterrupted::ServerUnavailable];
    done.is_err_and(|interrupted| early.contains(&interrupted))
}

impl Auditor {
    /// Reads the next transactions of a sweep, up to `goal`. At the end of a sweep by an operator, reads those again
    /// that had no time before.
    pub(super) fn read_part(
        &mut self,
        database: &str,
        trusted: &TrustedState,
        progress: &ValueProgress,
        sweep: &mut SweepInProgress,
        goal: u64,
    ) -> Part {
        match sweep.begun == SweepTrigger::Manual && sweep.at >= trusted.state.tx {
            true => self.read_late_part(database, trusted, progress, sweep),
            false => self.read_next_part(database, trusted, progress, sweep, goal),
        }
    }

    fn read_next_part(
        &mut self,
        database: &str,
        trusted: &TrustedState,
        progress: &ValueProgress,
        sweep: &mut SweepInProgress,
        goal: u64,
    ) -> Part {
        let from = sweep.at;
        let stuck = self.stuck_at(database, from);
        let until = self.now() + SLICE_TIME;
        let mut reader = self.reader(database, trusted.state, Some(trusted), until, progress);
        reader.comes_back = true;
        if let Some(stuck) = stuck {
            // no slice could read this transaction: it becomes due, and the sweep continues after it
            reader.report.add_unread(stuck, UnreadReason::Slow);
        }
        if sweep.begun == SweepTrigger::Scheduled {
            reader.prefetch = Prefetch::Off;
        }
        let goal = goal.min(trusted.state.tx);
        let (report, done, truncation) = read(reader, sweep, goal, stuck);
        self.note_slice(database, from, sweep.at, done == Err(ReadInterrupted::Late));
        let mut report = report.sorted();
        report.explain(truncation.before);
        let later = report.take_slow();
        if sweep.begun == SweepTrigger::Manual {
            self.note_late(database, &later);
        }
        let mut passed = Ranges::new();
        passed.insert(from.saturating_add(1), sweep.at, ());
        Part {
            report,
            done,
            truncation,
            passed,
            later,
        }
    }

    /// Reads again what had no time. As long as that brings the sweep further, the rest is left for another slice;
    /// otherwise the report has it.
    fn read_late_part(
        &mut self,
        database: &str,
        trusted: &TrustedState,
        progress: &ValueProgress,
        sweep: &mut SweepInProgress,
    ) -> Part {
        let late = std::mem::take(&mut self.databases.of(database).late);
        let reached = self.databases.of(database).partials.reached();
        let until = self.now() + self.overdue_after();
        let reader = self.reader(database, trusted.state, Some(trusted), until, progress);
        let (report, done, truncation) = read_late(reader, sweep, &late);
        let mut report = report.sorted();
        report.explain(truncation.before);
        let gets_on = report.late() < late.count()
            || self.databases.of(database).partials.reached() > reached;
        let later = match gets_on || is_cut_off(done) {
            true => report.take_slow(),
            false => Ranges::new(),
        };
        self.note_late(database, &later);
        Part {
            report,
            done,
            truncation,
            passed: late,
            later,
        }
    }

    /// Remembers transactions for which a slice of an operator's sweep had no time.
    fn note_late(&mut self, database: &str, later: &Ranges) {
        let late = &mut self.databases.of(database).late;
        late.extend(later);
        late.join_closest(MAX_LATE_RANGES, |(), ()| ());
    }

    /// Returns the transaction that a sweep could not get past in [`MAX_LATE_SLICES`] slices.
    fn stuck_at(&self, database: &str, at: u64) -> Option<u64> {
        let (before, slices) = self.databases.get(database)?.late_slices?;
        match before == at && slices >= MAX_LATE_SLICES {
            true => at.checked_add(1),
            false => None,
        }
    }

    /// Counts consecutive slices that ran out of time at the same transaction.
    fn note_slice(&mut self, database: &str, from: u64, at: u64, late: bool) {
        let record = self.databases.of(database);
        if !late || at != from {
            record.late_slices = None;
            return;
        }
        if !record.scan.is_of_one() {
            return; // a smaller scan may succeed
        }
        let before = record.late_slices.filter(|(before, _)| *before == at);
        let slices = before.map_or(0, |(_, slices)| slices);
        record.late_slices = Some((at, slices.saturating_add(1)));
    }
}

/// Reads these transactions again, until the reader's time is over. Those that were not reached stay due.
fn read_late(
    mut reader: Reader<'_>,
    sweep: &mut SweepInProgress,
    late: &Ranges,
) -> (Report, Result<(), ReadInterrupted>, Truncation) {
    let mut done = Ok(());
    for (first, last, ()) in late.iter() {
        let mut next = first;
        while next <= last && done.is_ok() {
            if !reader.in_time() {
                done = Err(ReadInterrupted::Late);
                break;
            }
            match reader.read_batch(next, last) {
                Ok(headers) => next = next.saturating_add(headers.len() as u64),
                Err(interrupted) => done = Err(interrupted),
            }
        }
        if next <= last {
            reader.report.add_late(next, last);
        }
    }
    sweep.note_read(&reader.report.all_read());
    sweep.unavailable.add(reader.report.unavailable);
    reader.finish();
    (reader.report, done, reader.truncation)
}
