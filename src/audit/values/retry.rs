//! Retrying due transactions: the oldest first, each once before any is retried again, and as many as there is time
//! for.

use super::check::Reading;
use super::reader::ReadInterrupted;
use crate::audit::budget::MAX_CALL_OVERRUN;
use crate::ranges::Ranges;
use crate::trust::{DueRun, Retried};

/// The number of retries in a cycle that may fail, as many as a sample has by default. Successful retries are only
/// limited by the time.
const MAX_FAILED: u64 = 32;
/// Retries may take one part in this number of a reading's time, so that a silent transaction leaves time for new ones
/// and for the sample.
const TIME_SHARE: u32 = 2;

impl Reading<'_> {
    /// Retries due transactions, beginning after the last one that was retried.
    pub(super) fn retry(&mut self, last: u64) -> Result<(), ReadInterrupted> {
        // these belong to a history that was given up
        self.progress.due.remove_after(last);
        self.progress.unproven_trees.remove_after(last);
        let until = self.reader.until;
        let clock = self.reader.server.clock();
        let end = clock.instant() + clock.until(until) / TIME_SHARE;
        self.reader.until = end;
        let before = self.reader.server.limit(end + MAX_CALL_OVERRUN);
        let retried = self.retry_in_time();
        self.reader.server.restore(before);
        self.reader.until = until;
        match retried {
            Err(ReadInterrupted::Late) => Ok(()), // the next cycle continues
            retried => retried,
        }
    }

    fn retry_in_time(&mut self) -> Result<(), ReadInterrupted> {
        let now = self.reader.server.clock().now();
        let began = *self.progress.round_began.get_or_insert(now);
        let (before, mut failed) = (self.progress.retried, 0);
        self.retry_behind(before, &mut failed, |run| {
            (run.due.since <= began).then_some(run)
        })?;
        if failed >= MAX_FAILED {
            return Ok(());
        }
        // from the oldest up to the place where this reading began, then those that became due since
        self.progress.round_began = Some(now);
        if let Some(before) = before {
            self.retry_behind(None, &mut failed, |run| run.up_to(before))?;
        }
        let end_of_round = Retried {
            since: began,
            tx: u64::MAX,
        };
        self.retry_behind(Some(end_of_round), &mut failed, Some)
    }

    /// Retries due transactions after a place in the order of retries, if `part` returns any of a run, until too many
    /// have failed.
    fn retry_behind(
        &mut self,
        mut place: Option<Retried>,
        failed: &mut u64,
        part: impl Fn(DueRun) -> Option<DueRun>,
    ) -> Result<(), ReadInterrupted> {
        while *failed < MAX_FAILED {
            let Some(run) = self.progress.due_behind(place).and_then(&part) else {
                break;
            };
            *failed += self.retry_run(run, MAX_FAILED - *failed)?;
            place = self.progress.retried;
        }
        Ok(())
    }

    /// Retries a run of neighbours: one by one, and by scans once one was read. A transaction whose tree is to be
    /// proven is also read alone. Returns the number that is still due, at most about `most`.
    fn retry_run(&mut self, run: DueRun, most: u64) -> Result<u64, ReadInterrupted> {
        let (mut next, mut failed, mut succeeded) = (run.first, 0, false);
        // values before the truncation, which may have been found meanwhile, are no longer due
        if run.due.values_only {
            next = next.max(self.reader.truncation.before);
        }
        while next <= run.last && failed < most {
            if !self.reader.in_time() {
                return Err(ReadInterrupted::Late);
            }
            self.progress.retried = Some(run.at(next)); // set first: a failure does not block the others
            let (end, due) = match succeeded {
                true => self.try_batch_and_trees(next, run.last)?,
                false => self.try_one(next).map(|due| (next, due))?,
            };
            failed += due;
            succeeded = due == 0;
            next = end.saturating_add(1);
        }
        let end = next.saturating_sub(1).max(run.first).min(run.last);
        self.progress.retried = Some(run.at(end));
        Ok(failed)
    }

    /// Reads neighbours by a scan, which compares them with each other, and then those alone whose trees are to be
    /// proven. Returns the last one and the number of due ones among them. The first tree that cannot be proven is the
    /// end.
    fn try_batch_and_trees(
        &mut self,
        first: u64,
        last: u64,
    ) -> Result<(u64, u64), ReadInterrupted> {
        let (mut end, _) = self.try_batch(first, last)?;
        let mut span = Ranges::new();
        span.insert(first, end, ());
        let trees = self.progress.unproven_trees.common(&span);
        for tx in trees.iter().flat_map(|(first, last, ())| first..=last) {
            if self.try_one(tx)? > 0 {
                end = tx;
                span.remove_after(end);
                break;
            }
        }
        Ok((end, self.reader.report.due.common(&span).count()))
    }
}
