//! What is read of a database in a cycle, once its state is proven: what stayed due, what is new
//! where that was asked for, and a sample of everything.

use std::collections::BTreeSet;
use std::time::Instant;

use super::draw::draw;
use super::finding::Report;
use super::reader::{Halt, Reader};
use super::run::Next;
use super::truncation::Truncation;
use crate::audit::auditor::{Auditor, MIN_PATIENCE};
use crate::audit::proof::Limits;
use crate::clock::Timestamp;
use crate::config::NewValues;
use crate::ledger::State;
use crate::trust::Progress;

/// Drawn transactions that are asked for together, so that a distant server is not waited for one by one.
const TOGETHER: usize = 16;
/// Transactions that stayed due and are tried again, of a cycle.
const RETRIED: usize = 32;

impl Auditor {
    /// Reads what is to be read of a database in this cycle. `trusted` was proven just now, `before`
    /// is what was trusted until then, and the line of proofs is unbroken `since`. `None` where the
    /// program is asked to end.
    pub(in crate::audit) fn read_values(
        &mut self,
        database: &str,
        trusted: State,
        before: Option<State>,
        since: Timestamp,
    ) -> Option<Report> {
        let until = Instant::now() + self.policy.interval.max(MIN_PATIENCE);
        let mut progress = self.progress_of(database, since);
        let values = self.policy.values;
        let mut reading = Reading {
            reader: self.reader(database, trusted, until, &progress),
            progress: &mut progress,
            tried: BTreeSet::new(),
        };
        let done = reading.read(values.new, values.sample, before);
        let report = reading.end();
        self.progress.insert(database.into(), progress);
        match done {
            Err(Halt::Stopped) => None,
            Ok(()) | Err(Halt::Away) => Some(report),
        }
    }

    /// How far a database was read; anew where it has another history since.
    pub(in crate::audit) fn progress_of(&mut self, database: &str, since: Timestamp) -> Progress {
        self.progress
            .remove(database)
            .filter(|progress| progress.since == since)
            .unwrap_or_else(|| Progress::new(database, since))
    }

    pub(in crate::audit) fn reader<'a>(
        &'a mut self,
        database: &'a str,
        trusted: State,
        until: Instant,
        progress: &Progress,
    ) -> Reader<'a> {
        let truncation = Truncation::before(progress.truncated_before);
        Reader {
            server: &mut self.server,
            database,
            trusted,
            shape: self.shape,
            scan: self.scans.entry(database.into()).or_default(),
            truncation,
            limits: Limits {
                range: self.policy.max_range,
                until,
            },
            next: Next::AskedAhead,
            report: Report::default(),
        }
    }
}

struct Reading<'a> {
    reader: Reader<'a>,
    progress: &'a mut Progress,
    tried: BTreeSet<u64>,
}

impl Reading<'_> {
    fn read(&mut self, new: NewValues, sample: u64, before: Option<State>) -> Result<(), Halt> {
        let last = self.reader.trusted.tx;
        let due: Vec<u64> = self.progress.due.iter().copied().take(RETRIED).collect();
        for tx in due {
            if tx <= last {
                self.tried.insert(tx);
                self.reader.read_one(tx)?;
            } else {
                self.progress.due.remove(&tx);
            }
        }
        let mut unread = last;
        if new == NewValues::All {
            let known = self.progress.new_to.or(before.map(|before| before.tx));
            unread = known.unwrap_or(last).min(last);
            let read = self.read_run(unread + 1, last);
            let read_to = read.as_ref().map_or_else(|(at, _)| *at, |()| last);
            self.progress.new_to = Some(read_to);
            read.map_err(|(_, halt)| halt)?;
        }
        if sample >= last {
            return self.read_run(1, unread).map_err(|(_, halt)| halt);
        }
        // without randomness nothing can be drawn: better the same every time than nothing
        let drawn = draw(sample, last).unwrap_or_else(|| (1..=sample).collect());
        let drawn: Vec<u64> = drawn
            .into_iter()
            .filter(|tx| self.tried.insert(*tx))
            .collect();
        for together in drawn.chunks(TOGETHER) {
            self.reader.look_ahead(together);
            for tx in together {
                self.reader.read_one(*tx)?;
            }
        }
        Ok(())
    }

    /// Everything from `first` to `last`; an error says which transaction was the last one read.
    fn read_run(&mut self, first: u64, last: u64) -> Result<(), (u64, Halt)> {
        let mut at = first.saturating_sub(1);
        while at < last {
            if !self.reader.in_time() {
                return Err((at, Halt::Away)); // the next cycle goes on
            }
            let headers = self.reader.read_batch(at + 1, last);
            let read = headers.map_err(|halt| (at, halt))?.len() as u64;
            self.tried.extend(at + 1..=at + read);
            at += read;
        }
        Ok(())
    }

    /// What stays due is what was tried and did not come.
    fn end(self) -> Report {
        let Reading {
            reader,
            progress,
            tried,
        } = self;
        let report = reader.report.sorted();
        if report.halted.is_none() {
            progress.due.retain(|tx| !tried.contains(tx));
        }
        note(progress, &report, reader.truncation.before);
        report
    }
}

/// Takes what was read, and what was not, into the progress.
pub(super) fn note(progress: &mut Progress, report: &Report, truncated_before: u64) {
    progress.read = progress.read.saturating_add(report.read);
    progress.unavailable.add(report.unavailable);
    progress.truncated_before = progress.truncated_before.max(truncated_before);
    let due = report.unread.iter().filter(|unread| unread.why.is_due());
    progress.due.extend(due.map(|unread| unread.tx));
}
