//! One slice of a sweep: it reads for a short time, and then the program may check databases or end.
//!
//! Transactions for which a slice had no time are read again: by the next cycle, or at the end of a sweep that an
//! operator started, because no cycle follows it. The next cycle also reads those again whose values may have been
//! dropped since the last one.

use std::time::Duration;

use super::chain::Headers;
use super::finding::{CorruptEntry, Corruption, UnreadReason};
use super::reader::{ReadInterrupted, Reader};
use super::report::Report;
use super::scan::Prefetch;
use super::tree::last_before_any;
use super::truncation::Truncation;
use super::walk::{Step, Walk};
use crate::audit::auditor::Auditor;
use crate::audit::check::membership;
use crate::ledger::TxHeader;
use crate::ranges::Ranges;
use crate::trust::{Answer, SweepInProgress, SweepTrigger, TrustedState, ValueProgress};
use crate::wire::Entries;

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
    /// Reads the next transactions of a sweep, up to `goal`. At the end of a sweep that runs `by` an operator, reads
    /// those again that had no time before. Otherwise the next cycle does.
    pub(super) fn read_part(
        &mut self,
        database: &str,
        trusted: &TrustedState,
        progress: &ValueProgress,
        sweep: &mut SweepInProgress,
        goal: u64,
        by: SweepTrigger,
    ) -> Part {
        match by == SweepTrigger::Manual && sweep.at >= trusted.state.tx {
            true => self.read_late_part(database, trusted, progress, sweep),
            false => self.read_next_part(database, trusted, progress, sweep, goal, by),
        }
    }

    fn read_next_part(
        &mut self,
        database: &str,
        trusted: &TrustedState,
        progress: &ValueProgress,
        sweep: &mut SweepInProgress,
        goal: u64,
        by: SweepTrigger,
    ) -> Part {
        let from = sweep.at;
        let stuck = self.stuck_at(database, from);
        let until = self.now() + SLICE_TIME;
        let mut reader = self.reader(database, trusted.state, Some(trusted), until, progress);
        reader.comes_back = true;
        if let Some(stuck) = stuck {
            // no slice could read this transaction: it becomes due, and the sweep continues after it
            reader.tree_is_unproven(stuck, UnreadReason::Slow);
        }
        if by == SweepTrigger::Scheduled {
            reader.prefetch = Prefetch::Off;
        }
        let goal = goal.min(trusted.state.tx);
        let done = read(&mut reader, sweep, goal, stuck);
        let mut later = reader.report.take_slow();
        if by == SweepTrigger::Scheduled {
            let maybe_truncated = reader.maybe_truncated();
            reader.report.leave_out(&maybe_truncated);
            later.extend(&maybe_truncated);
        }
        let (report, truncation) = (reader.report.sorted(), reader.truncation);
        self.note_slice(database, from, sweep.at, done == Err(ReadInterrupted::Late));
        if by == SweepTrigger::Manual {
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

    /// Reads the transactions again for which earlier slices had no time. As long as this makes progress, the rest is
    /// left for another slice; otherwise the report lists the rest.
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
        let trees = &progress.unproven_trees;
        let (report, done, truncation) = read_late(reader, sweep, &late, trees);
        let mut report = report.sorted();
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

/// Reads these transactions again, until the reader's time is over; those in `trees` alone, to prove their trees. Those
/// that were not reached stay due.
fn read_late(
    mut reader: Reader<'_>,
    sweep: &mut SweepInProgress,
    late: &Ranges,
    trees: &Ranges,
) -> (Report, Result<(), ReadInterrupted>, Truncation) {
    let mut done = Ok(());
    for (first, last, ()) in late.iter() {
        let mut next = first;
        while next <= last && done.is_ok() {
            if !reader.in_time() {
                done = Err(ReadInterrupted::Late);
                break;
            }
            let read = match trees.contains(next) {
                true => reader.read_with_tree(next).map(|()| 1),
                false => reader
                    .read_batch(next, last_before_any(trees, next, last))
                    .map(|headers| headers.len() as u64),
            };
            match read {
                Ok(read) => next = next.saturating_add(read),
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

/// Continues the reading until the goal is reached or the time is over.
fn read(
    reader: &mut Reader<'_>,
    sweep: &mut SweepInProgress,
    goal: u64,
    stuck: Option<u64>,
) -> Result<(), ReadInterrupted> {
    let last = reader.trusted.tx;
    let mut walk = Walk::restore(sweep.at, sweep.hash, std::mem::take(&mut sweep.peaks));
    let mut done = Ok(());
    let from = walk.at().saturating_add(1);
    if stuck.is_some() {
        walk.skip();
    }
    while walk.at() < goal {
        // a full scan costs hardly more than a short one
        let headers = match reader.read_batch(walk.at() + 1, last) {
            Ok(headers) => headers,
            Err(interrupted) => {
                done = Err(interrupted);
                break;
            }
        };
        done = pass_all(reader, &mut walk, headers);
        if done.is_err() || !reader.in_time() {
            break;
        }
    }
    let mut compared = Ranges::new();
    compared.insert(from, walk.at(), ());
    compared.subtract(&reader.report.unproven_trees);
    reader.report.proven_trees.extend(&compared);
    sweep.note_read(&reader.report.all_read());
    sweep.unavailable.add(reader.report.unavailable);
    sweep.at = walk.at();
    sweep.hash = walk.hash();
    sweep.peaks = walk.peaks();
    reader.finish();
    done
}

/// Requests again the proofs of the transactions that contradict each other, as evidence. The responses with the
/// headers follow.
fn answers_that_show(reader: &mut Reader<'_>, tx: u64, what: &Corruption) -> Vec<Answer> {
    let brought = reader.answers();
    reader.server.begin_transcript();
    let before = match what {
        Corruption::Chain { .. } => tx.saturating_sub(1),
        _ => tx,
    };
    for tx in before..=tx {
        // a response that proves nothing is evidence too
        let (database, trusted) = (reader.database, reader.trusted);
        let range = reader.range;
        drop(membership::prove_membership(
            reader.server,
            database,
            tx,
            &trusted,
            Entries::Excluded,
            range,
        ));
    }
    let mut answers = reader.answers();
    answers.extend(brought);
    answers
}

/// Passes the transactions of a run, in order. A tree that the walk no longer knows is proven (`tree`), which takes
/// calls: if there is no time for that, the next slice continues with this transaction. At least one transaction is
/// passed.
fn pass_all(
    reader: &mut Reader<'_>,
    walk: &mut Walk,
    headers: Headers,
) -> Result<(), ReadInterrupted> {
    for (passed, header) in headers.into_iter().enumerate() {
        let Some(header) = header else {
            walk.skip();
            if reader.report.due.contains(walk.at()) {
                reader.report.add_unproven_tree(walk.at());
            }
            continue;
        };
        let step = walk.fits(&header);
        if step == Step::TreeUnknown && passed > 0 && !reader.in_time() {
            reader.scan.had_time_for(passed);
            return Ok(());
        }
        walk.take(&header);
        match step {
            Step::Follows => {}
            Step::Broken(what) => found_by_walk(reader, &header, what),
            Step::TreeUnknown => reader.prove_tree(&header)?,
        }
    }
    Ok(())
}

/// Records that a transaction contradicts the passed ones.
fn found_by_walk(reader: &mut Reader<'_>, header: &TxHeader, what: Corruption) {
    let shown = what.clone();
    let broken = CorruptEntry {
        tx: header.id(),
        alh: Some(header.alh()),
        entry: None,
        what,
    };
    let id = header.id();
    reader.found_by(broken, |reader| answers_that_show(reader, id, &shown));
}
