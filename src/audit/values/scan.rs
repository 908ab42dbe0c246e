//! The size of a scan: as many transactions as the server returns and as fit into a response of the intended size.

use std::collections::VecDeque;

use crate::server::ServerErrorKind;

/// The size of a scan, as the server and the size of responses allow.
#[derive(Clone, Debug)]
pub struct Scan {
    pub(super) limit: u32,
    /// The most transactions that the server returns.
    most: u32,
    /// The number of successful scans before more is requested.
    scans_before_growth: u32,
    well: u32,
    /// Whether the server has no such call, as immudb 0.9.0.
    pub(super) none: bool,
    /// The prefetched scans that are not used yet, in order.
    pub(super) ahead: VecDeque<Span>,
}

/// Whether the next scan is requested before it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefetch {
    /// The next scan is prefetched, because everything must be read.
    On,
    /// The next scan is not prefetched, because this scan may be the last one.
    Off,
}

/// A run of transactions that one scan asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub first: u64,
    pub limit: u32,
}

impl Span {
    /// Returns the transaction after the span.
    pub fn next(self) -> u64 {
        self.first.saturating_add(u64::from(self.limit))
    }
}

impl Default for Scan {
    fn default() -> Scan {
        Scan {
            limit: FIRST_SCAN_TXS,
            most: MAX_SCAN_TXS,
            scans_before_growth: 1,
            well: 0,
            none: false,
            ahead: VecDeque::new(),
        }
    }
}

/// The number of transactions of the first scan: few enough to fit although their values are large.
const FIRST_SCAN_TXS: u32 = 64;
/// The intended size of a response in bytes; its decoded form takes several times as much.
const TARGET_ANSWER_BYTES: u64 = 1 << 20;
/// The number of transactions of a scan that every server returns (protocol.md §1). Newer servers return more, but not
/// faster.
const MAX_SCAN_TXS: u32 = 1_000;
/// The number of successful scans after a failed one before the size grows, so that not every second scan fails.
const SCANS_BEFORE_GROWTH: u32 = 16;
/// The factor by which scans grow while they succeed: after one, only the size of the responses decides.
pub(super) const SCAN_GROWTH: u32 = 16;
impl Scan {
    /// Requests more after successful scans, and as many as fit into a response of [`TARGET_ANSWER_BYTES`].
    pub(super) fn grow(&mut self, asked: u32, bytes: u64) {
        self.well += 1;
        let fit = u64::from(asked).saturating_mul(TARGET_ANSWER_BYTES) / bytes.max(1);
        let fit = clamp(fit).clamp(1, self.most);
        if self.well >= self.scans_before_growth {
            self.limit = self.limit.saturating_mul(SCAN_GROWTH).min(self.most);
            self.well = 0;
        }
        self.limit = self.limit.min(fit.max(2)); // a scan of one transaction is useless
    }

    /// Halves the scan, down to one transaction.
    pub(super) fn shrink(&mut self, kind: &ServerErrorKind, asked: u32) {
        self.limit = (asked / 2).max(1);
        self.well = 0;
        match kind {
            ServerErrorKind::LimitExceeded => self.limit_exceeded(asked),
            ServerErrorKind::TooLarge
            | ServerErrorKind::Deadline(_)
            | ServerErrorKind::CutShort => self.scans_before_growth = SCANS_BEFORE_GROWTH,
            ServerErrorKind::Unimplemented => self.none = true,
            _ => self.scans_before_growth = 1,
        }
    }

    /// Requests fewer if there was no time to read all of a response, because the rest is sent again.
    pub(super) fn had_time_for(&mut self, read: usize) {
        let most = u32::try_from(read).unwrap_or(u32::MAX).saturating_mul(2);
        self.limit = self.limit.min(most.max(2));
        self.well = 0;
    }

    /// Returns whether transactions are read one by one.
    pub(super) fn is_of_one(&self) -> bool {
        self.none || self.limit <= 1
    }

    /// Returns the number of transactions that the server returns in one call at most.
    pub(super) fn most(&self) -> u32 {
        self.most
    }

    /// Lowers the limit, because the server returns fewer transactions than `asked`.
    pub(super) fn limit_exceeded(&mut self, asked: u32) {
        self.most = (asked / 2).max(1);
        self.limit = self.limit.min(self.most);
    }

    /// Returns the scan to make from `first`, up to `last`: the prefetched scan, if there is one.
    pub(super) fn span(&mut self, first: u64, last: u64) -> Span {
        match self.ahead.pop_front() {
            Some(span) if span.first == first => span,
            _ => {
                self.ahead.clear();
                self.fresh(first, last)
            }
        }
    }

    pub(super) fn fresh(&self, first: u64, last: u64) -> Span {
        let limit = self
            .limit
            .min(clamp(last.saturating_sub(first)).saturating_add(1));
        Span { first, limit }
    }
}

fn clamp(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX - 1)
}
