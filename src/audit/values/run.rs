//! Reads a run of transactions by scans. One call brings many transactions and one proof covers them all, because each
//! `prevAlh` is the Alh of the transaction before (protocol.md §6, end).

use super::chain::{Headers, Values};
use super::finding::UnreadReason;
use super::reader::{Ended, ReadInterrupted, Reader};
use super::scan::{Prefetch, SCAN_GROWTH, Span};
use crate::server::{Scanned, ServerError};
use crate::wire::{Entries, Malformed, Tx};

/// The longest scan, in transactions, whose values all count as dropped if the server has neither those of the first
/// nor those of the last transaction. A truncation drops whole files, so the remaining values come after the dropped
/// ones.
const MAX_DROPPED_SCAN: u32 = 32;
/// The number of scans that are requested while one is verified, so that the server always has one to work on.
const MAX_PREFETCHED_SCANS: usize = 2;

impl Reader<'_> {
    /// Reads from `first` up to `last`, which is at most the trusted transaction: as many as one scan returns, and at
    /// least one.
    pub fn read_batch(&mut self, first: u64, last: u64) -> Result<Headers, ReadInterrupted> {
        loop {
            let span = self.scan.span(first, last);
            let limit = span.limit;
            if self.scan.none || limit <= 1 {
                if !self.scan.none {
                    self.scan.grow(1, 0);
                }
                return self.read_alone(first);
            }
            self.server.begin_transcript();
            match self.scan(span, last) {
                Ok(list) => return self.take(first, limit, list, Values::Sent),
                Err(failure) => {
                    let before = self.scan.limit;
                    self.scan.shrink(&failure.kind, limit);
                    self.still_there(failure)?; // smaller scans find the transaction that failed
                    if !self.in_time() {
                        return Err(ReadInterrupted::Late);
                    }
                    if limit <= MAX_DROPPED_SCAN && self.truncation.covers(span.next() - 1) {
                        if let Some(list) = self.dropped(span)? {
                            // the size was right, so larger scans may succeed
                            let more = before.saturating_mul(SCAN_GROWTH).min(MAX_DROPPED_SCAN);
                            self.scan.limit = more.max(before);
                            return self.take(first, limit, list, Values::Dropped);
                        }
                    }
                }
            }
        }
    }

    /// Returns the transactions of a span without their values, if the server has neither the values of the
    /// first nor those of the last.
    fn dropped(
        &mut self,
        span: Span,
    ) -> Result<Option<Vec<Result<Tx, Malformed>>>, ReadInterrupted> {
        for tx in [span.first, span.next().saturating_sub(1)] {
            match self.server.tx(self.database, tx, Entries::Raw) {
                Ok(_) => return Ok(None),
                Err(failure) => drop(self.still_there(failure)?),
            }
        }
        let digests = self
            .server
            .tx_scan(self.database, span.first, span.limit, Entries::Digests)
            .and_then(Scanned::decode);
        match digests {
            Ok(list) => Ok(Some(list)),
            Err(failure) => {
                self.still_there(failure)?;
                Ok(None) // read them one by one
            }
        }
    }

    /// Makes one scan. The next scans are requested before this one is decoded.
    fn scan(&mut self, span: Span, last: u64) -> Result<Vec<Result<Tx, Malformed>>, ServerError> {
        let scanned = self
            .server
            .tx_scan(self.database, span.first, span.limit, Entries::Raw)?;
        self.scan.grow(span.limit, scanned.size());
        if self.prefetch == Prefetch::On {
            self.ask_ahead(span, last);
        }
        scanned.decode()
    }

    /// Requests the scans after `span`, and the proofs of their ends, so that the server works while `span` is
    /// verified.
    fn ask_ahead(&mut self, span: Span, last: u64) {
        while self.scan.ahead.len() < MAX_PREFETCHED_SCANS {
            let behind = self.scan.ahead.back().copied().unwrap_or(span);
            if behind.next() > last {
                return;
            }
            let next = self.scan.fresh(behind.next(), last);
            if next.limit <= 1 {
                return; // a scan of one transaction is useless
            }
            self.begin_span(next);
        }
    }

    pub(super) fn read_alone(&mut self, tx: u64) -> Result<Headers, ReadInterrupted> {
        self.read_one(tx).map(|done| vec![done.header()])
    }

    /// Takes the transactions of a scan, in order and without gaps; after a gap, the next transaction is read alone.
    fn take(
        &mut self,
        first: u64,
        limit: u32,
        list: Vec<Result<Tx, Malformed>>,
        values: Values,
    ) -> Result<Headers, ReadInterrupted> {
        let due = (first..).take(usize::try_from(limit).unwrap_or(usize::MAX));
        let brought = list.len();
        let is_due = |(id, tx): &(u64, &Result<Tx, Malformed>)| {
            tx.as_ref().is_ok_and(|tx| tx.header.id() == *id)
        };
        let fit = due.zip(&list).take_while(is_due).count();
        // the transaction is read alone, which reports the error
        let malformed = matches!(list.get(fit), Some(Err(_)));
        // reuses the list's memory
        let mut run: Vec<Tx> = list.into_iter().take(fit).map_while(Result::ok).collect();
        let next = first.saturating_add(len(&run));
        let whole = brought == run.len() && run.len() as u64 == u64::from(limit);
        if !whole && !malformed {
            self.report.add_unread(next, UnreadReason::Scan);
        }
        if !self.end_of(&mut run)? {
            return self.read_alone(first);
        }
        let mut headers = self.chain(run, values)?;
        if !whole {
            // a missing transaction in a scan may still exist
            let tx = first.saturating_add(headers.len() as u64);
            if tx == next {
                headers.extend(self.read_alone(tx)?);
            }
        }
        Ok(headers)
    }

    /// Shortens a run to its last proven transaction; returns whether anything is left.
    fn end_of(&mut self, run: &mut Vec<Tx>) -> Result<bool, ReadInterrupted> {
        let mut tries = 0;
        while let Some(last) = run.last() {
            let (id, alh) = (last.header.id(), last.header.alh());
            if id == self.trusted.tx {
                return Ok(true); // the chain compares it with the trusted hash
            }
            if tries > 0 && !self.in_time() {
                return Ok(false); // the first transaction is read alone, so that each reading gets on
            }
            match self.prove_membership(id, Entries::Excluded) {
                Ok(Ok(proven)) if proven.header.alh() == alh => return Ok(true),
                Err(Ended::Interrupted(interrupted)) => return Err(interrupted),
                // not proven: another hash, a pair that an old server cannot prove, or no response. Another end
                // nearby is as good, and reading this transaction later reports the cause
                _ => {
                    tries += 1;
                    let shorter = if tries < 3 {
                        run.len() - 1
                    } else {
                        run.len() / 2
                    };
                    run.truncate(shorter);
                }
            }
        }
        Ok(false)
    }
}

fn len(run: &[Tx]) -> u64 {
    u64::try_from(run.len()).unwrap_or(u64::MAX)
}
