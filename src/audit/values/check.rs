//! Reads values of a database in a cycle, after its state is proven: due transactions, new ones if that is
//! configured, and a sample of all.

use std::time::Instant;

use super::reader::{ReadInterrupted, Reader};
use super::record::Recorder;
use super::report::{Left, Report};
use super::sample::sample_windows;
use super::scan::Prefetch;
use super::truncation::Truncation;
use crate::audit::auditor::Auditor;
use crate::clock::Timestamp;
use crate::config::NewValues;
use crate::ledger::State;
use crate::random::Random;
use crate::ranges::Ranges;
use crate::trust::{TrustedState, ValueProgress};

/// The number of sampled windows whose scans are requested concurrently, as many as for a sweep. So the delay of a
/// distant server does not add up.
const MAX_CONCURRENT_SCANS: usize = 2;

impl Auditor {
    /// Reads the values of a database in this cycle. `trusted` was proven just now, `before` was trusted until then,
    /// and the line of proofs is unbroken `since`. Nothing begins after `until`. Also returns whether the program
    /// is asked to end.
    pub(in crate::audit) fn read_values(
        &mut self,
        database: &str,
        trusted: State,
        before: Option<&TrustedState>,
        since: Timestamp,
        until: Instant,
    ) -> (Report, bool) {
        let mut progress = self.progress_of(database, since);
        let closed = self.make_closed_due(database, &mut progress, trusted.tx);
        let values = self.policy.values;
        let random = self.random.clone();
        let mut reading = Reading {
            reader: self.reader(database, trusted, before, until, &progress),
            progress: &mut progress,
            tried: Ranges::new(),
            run: Ranges::new(),
            cut: 0,
            random,
        };
        let before = before.map(|before| before.state);
        let done = reading.read(values.new, values.sample, before);
        let report = reading.end(values.new);
        self.settle_closed(database, closed, &progress);
        self.databases.of(database).progress = Some(Box::new(progress));
        (report, done == Err(ReadInterrupted::Stopped))
    }

    /// Returns the progress of a database's value check; the check starts again if the history is another one.
    pub(in crate::audit) fn progress_of(
        &mut self,
        database: &str,
        since: Timestamp,
    ) -> ValueProgress {
        let known = self.databases.of(database).progress.take();
        let mut progress = known
            .map(|known| *known)
            .filter(|progress| progress.since == since)
            .unwrap_or_else(|| ValueProgress::new(database, since));
        progress.clamp_to(self.wall_time());
        progress
    }

    /// Returns a reader of a database. `trusted` was proven just now; `before` was trusted until then.
    pub(in crate::audit) fn reader<'a>(
        &'a mut self,
        database: &'a str,
        trusted: State,
        before: Option<&TrustedState>,
        until: Instant,
        progress: &ValueProgress,
    ) -> Reader<'a> {
        let recorder = Recorder {
            store: &self.store,
            unstored: &mut self.unstored,
            cycle: self.cycles,
            database,
            before: before.cloned(),
            proven: trusted,
        };
        let record = self.databases.of(database);
        Reader {
            server: &mut self.server,
            database,
            trusted,
            shape: self.shape,
            scan: &mut record.scan,
            truncation: Truncation::of(progress),
            due_before: progress.due.clone(),
            searches: 0,
            comes_back: false,
            answered: None,
            range: self.policy.max_fetch,
            until,
            prefetch: Prefetch::On,
            partials: &mut record.partials,
            recorder: Some(recorder),
            report: Report::default(),
        }
    }
}

/// The reading of one database in a cycle.
pub(super) struct Reading<'a> {
    pub reader: Reader<'a>,
    pub progress: &'a mut ValueProgress,
    /// Transactions that were tried in this reading.
    tried: Ranges,
    /// The tried transactions that were read in runs, by a sweep or as new ones. They are stored as completely read.
    /// Transactions of a sample are not, because they would be thousands of short runs.
    run: Ranges,
    /// The number of transactions of the sample for which there was no time.
    cut: u64,
    /// The random numbers for the sample.
    random: Random,
}

impl Reading<'_> {
    fn read(
        &mut self,
        new: NewValues,
        sample: u64,
        before: Option<State>,
    ) -> Result<(), ReadInterrupted> {
        let last = self.reader.trusted.tx;
        self.retry(last)?;
        let mut unread = last;
        if new == NewValues::All {
            let known = self.progress.new_to.or(before.map(|before| before.tx));
            unread = known.unwrap_or(last).min(last);
            let (read_to, read) = self.read_run(unread.saturating_add(1), last);
            self.progress.new_to = Some(read_to);
            read?;
        }
        if sample >= last {
            return self.read_all(unread);
        }
        // without randomness, a fixed sample is better than none
        let drawn = sample_windows(&self.random, sample, last).unwrap_or_else(|| vec![(1, sample)]);
        let drawn: Vec<(u64, u64)> = drawn
            .into_iter()
            .filter(|(first, end)| !(*first..=*end).all(|tx| self.tried.contains(tx)))
            .collect();
        self.cut = drawn.iter().map(|(first, end)| end - first + 1).sum();
        for together in drawn.chunks(MAX_CONCURRENT_SCANS) {
            if !self.reader.in_time() {
                return Err(ReadInterrupted::Late);
            }
            self.reader.look_ahead(together);
            for (first, end) in together {
                self.try_window(*first, *end)?;
            }
        }
        Ok(())
    }

    /// Reads a window of the sample. After a scan that brings only one transaction, the rest is read one by one,
    /// because further scans of so few transactions save no time.
    fn try_window(&mut self, first: u64, last: u64) -> Result<(), ReadInterrupted> {
        let mut at = first;
        let mut together = true;
        while at <= last {
            let read = match together {
                true => self.try_neighbours(at, last)?,
                false => self.try_one(at).map(|_| 1)?,
            };
            together = read > 1;
            self.cut = self.cut.saturating_sub(read);
            at = at.saturating_add(read);
        }
        Ok(())
    }

    /// Reads all transactions up to `last`, beginning where the last cycle ran out of time.
    fn read_all(&mut self, last: u64) -> Result<(), ReadInterrupted> {
        let from = self.progress.read_from.clamp(1, last.max(1));
        self.cut = last;
        for (first, last) in [(from, last), (1, from.saturating_sub(1))] {
            let (at, read) = self.read_run(first, last);
            self.cut = self.cut.saturating_sub((at + 1).saturating_sub(first));
            self.progress.read_from = at.saturating_add(1);
            read?;
        }
        self.progress.read_from = 0;
        Ok(())
    }

    /// Reads one transaction, and proves its tree if that is due; returns the number of due transactions, 0 or 1.
    pub(super) fn try_one(&mut self, tx: u64) -> Result<u64, ReadInterrupted> {
        if !self.reader.in_time() {
            return Err(ReadInterrupted::Late);
        }
        match self.progress.unproven_trees.contains(tx) {
            true => self.reader.read_with_tree(tx)?,
            false => self.reader.read_one(tx).map(drop)?,
        }
        self.tried.insert(tx, tx, ());
        Ok(u64::from(self.reader.report.due.contains(tx)))
    }

    /// Reads neighbours from `first`, as many as one scan returns and at least one. Returns the last one and the
    /// number of due ones among them.
    pub(super) fn try_batch(
        &mut self,
        first: u64,
        last: u64,
    ) -> Result<(u64, u64), ReadInterrupted> {
        let read = self.try_neighbours(first, last)?;
        let mut span = Ranges::new();
        span.insert(first, first.saturating_add(read).saturating_sub(1), ());
        self.run.extend(&span);
        let due = self.reader.report.due.common(&span).count();
        Ok((span.last().unwrap_or(first), due))
    }

    /// Reads neighbours from `first`, as many as one scan returns and at least one. Returns their number.
    fn try_neighbours(&mut self, first: u64, last: u64) -> Result<u64, ReadInterrupted> {
        if !self.reader.in_time() {
            return Err(ReadInterrupted::Late);
        }
        let read = self.reader.read_batch(first, last)?.len() as u64;
        let end = first.saturating_add(read).saturating_sub(1);
        self.tried.insert(first, end, ());
        Ok(read)
    }

    /// Reads everything from `first` to `last`. Returns the last transaction that was read.
    fn read_run(&mut self, first: u64, last: u64) -> (u64, Result<(), ReadInterrupted>) {
        let mut at = first.saturating_sub(1);
        while at < last {
            match self.try_batch(at + 1, last) {
                Ok((end, _)) => at = end,
                Err(interrupted) => return (at, Err(interrupted)), // the next cycle continues
            }
        }
        (at, Ok(()))
    }

    /// Adds the results of the reading to the progress.
    fn end(self, new: NewValues) -> Report {
        let Reading {
            mut reader,
            progress,
            tried,
            run,
            cut,
            random: _,
        } = self;
        reader.finish();
        let later = reader.maybe_truncated();
        let now = reader.server.clock().now();
        let last = reader.trusted.tx;
        let mut report = reader.report.sorted();
        note(progress, &report, reader.truncation, &tried, &run, now);
        reader.partials.retain(|tx| progress.due.contains(tx));
        let behind = match (new, progress.new_to) {
            (NewValues::All, Some(to)) => last.saturating_sub(to),
            _ => 0,
        };
        progress.behind_since = match behind {
            0 => None,
            _ => progress.behind_since.or(Some(now)),
        };
        progress.cut_since = match cut {
            0 => None,
            _ => progress.cut_since.or(Some(now)),
        };
        report.leave_out(&later);
        report.left = Left {
            cut,
            due: progress.due.count().saturating_sub(later.count()),
            due_since: progress.due_since(),
            behind,
            behind_since: progress.behind_since,
        };
        report
    }
}

/// Adds the results of a reading to the progress. The `tried` transactions that did not come are due. The ones in
/// `run` were read in runs.
pub(super) fn note(
    progress: &mut ValueProgress,
    report: &Report,
    truncation: Truncation,
    tried: &Ranges,
    run: &Ranges,
    now: Timestamp,
) {
    progress.read = progress.read.saturating_add(report.read);
    progress.unavailable.add(report.unavailable);
    progress.note_trees(&report.proven_trees, &report.unproven_trees);
    progress.note_read(&report.all_read());
    progress.note_due(tried, &report.due, &report.due_values, now);
    let (mut neighbours, mut alone) = (Ranges::new(), Ranges::new());
    for (first, last, ()) in report.whole.iter() {
        match run.contains(first) {
            true => neighbours.insert(first, last, ()),
            false => alone.insert(first, last, ()),
        }
    }
    progress.note_complete(&neighbours, true);
    progress.note_complete(&alone, false);
    progress.note_absent(&report.absent);
    let mut read = tried.clone();
    read.subtract(&report.due);
    progress.note_broken(&read, &report.found_in);
    truncation.note_in(progress);
}
