//! Searches for a header that records a truncation. It reads only headers, from the trusted state back. A header after
//! the trusted state explains nothing until a later state is trusted.

use std::collections::BTreeMap;

use super::reader::{Ended, ReadInterrupted, Reader};
use crate::ledger::{Digest, TxHeader};
use crate::ranges::Ranges;
use crate::server::{Scanned, ServerErrorKind};
use crate::wire::Entries;

/// Whether a proven header records that a transaction's values were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    Yes,
    No,
    /// The search is not over, or the server does not show the headers.
    Unknown,
}

/// The length of a search before a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// The search may take as long as the reading. The next reading continues it.
    Unlimited,
    /// The search ends after [`MAX_CALLS_SHORT`] calls, because a finding waits for it.
    Short,
}

/// The number of headers that one call asks for.
const HEADERS_PER_CALL: u32 = 1_000;
/// The limit of calls that one reading spends on the search, each for a thousand headers.
const MAX_CALLS: u32 = 1_000;
/// The limit of calls if a finding waits for the search.
const MAX_CALLS_SHORT: u32 = 64;

impl Reader<'_> {
    /// Searches the headers after transaction `tx` for one that records that its values were dropped, as long as
    /// there is time.
    pub(super) fn is_truncated(&mut self, tx: u64, search: Search) -> Result<Recorded, Ended> {
        let whole = search == Search::Unlimited && self.comes_back;
        let most = match search {
            Search::Unlimited => MAX_CALLS,
            Search::Short => MAX_CALLS_SHORT,
        };
        loop {
            if self.truncation.covers(tx) {
                return Ok(Recorded::Yes);
            }
            let Some((last, hash, below)) = self.truncation.next(&self.trusted, tx) else {
                return Ok(Recorded::No);
            };
            match whole {
                // each reading makes at least one call, else a slow search would never end
                true if self.searches > 0 && !self.in_time() => {
                    return Err(ReadInterrupted::Late.into());
                }
                false if self.searches >= most || !self.in_time() => {
                    return Ok(Recorded::Unknown);
                }
                _ => {}
            }
            self.searches += 1;
            if !self.search(last, hash, below)? {
                return Ok(Recorded::Unknown);
            }
        }
    }

    /// Returns the transactions whose values were refused for the first time, if the ledger has grown since the trusted
    /// state: a header after that state may record the truncation. The next check proves it, or reports the refusal.
    pub(super) fn maybe_truncated(&mut self) -> Ranges {
        let mut refused = self.report.due_values.clone();
        refused.subtract(&self.due_before);
        match !refused.is_empty() && self.has_grown() {
            true => refused,
            false => Ranges::new(),
        }
    }

    fn has_grown(&mut self) -> bool {
        let state = self.server.state(self.database);
        state.is_ok_and(|shown| shown.state.tx > self.trusted.tx)
    }

    /// Searches the headers of one call, from `last` with this hash down to the one after `below`. Returns whether
    /// the server showed any headers that chain.
    fn search(&mut self, last: u64, hash: Digest, below: u64) -> Result<bool, Ended> {
        let most = u64::from(self.scan.most().min(HEADERS_PER_CALL));
        let first = last
            .saturating_sub(most.saturating_sub(1))
            .max(below.saturating_add(1));
        let limit = last.saturating_sub(first).saturating_add(1);
        let limit = u32::try_from(limit).unwrap_or(HEADERS_PER_CALL);
        let scan = self
            .server
            .tx_scan(self.database, first, limit, Entries::Excluded)
            .and_then(Scanned::decode);
        let list = match scan {
            Ok(list) => list,
            Err(failure) if failure.kind == ServerErrorKind::LimitExceeded && limit > 1 => {
                self.scan.limit_exceeded(limit);
                return Ok(true); // the next scan is smaller
            }
            Err(failure) => {
                self.still_there(failure)?;
                return Ok(false);
            }
        };
        let headers: BTreeMap<u64, TxHeader> = list
            .into_iter()
            .filter_map(Result::ok)
            .map(|tx| (tx.header.id(), tx.header))
            .collect();
        let (mut due, mut from) = (hash, None);
        for id in (first..=last).rev() {
            match headers.get(&id) {
                Some(header) if header.alh() == due => {
                    self.truncation.note(header);
                    due = *header.prev_alh();
                    from = Some(id);
                }
                _ => break, // a header outside the chain proves nothing
            }
        }
        if let Some(from) = from {
            self.truncation.passed(from, last, due);
        }
        Ok(from.is_some())
    }
}
