//! Lists every corrupt transaction of a history, for its repair: an alarm names only the first.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::CorruptEntry;
use super::reader::{ReadInterrupted, TxReadResult};
use super::report::Report;
use crate::audit::auditor::Auditor;
use crate::ledger::State;
use crate::server::ServerError;
use crate::trust::ValueProgress;

/// All corrupt transactions of a history, by kind of corruption.
#[derive(Debug, Default)]
pub struct CorruptionReport {
    /// The kinds of corruption in words, with the transactions of each.
    pub groups: BTreeMap<&'static str, Vec<CorruptTx>>,
    /// The number of corrupt transactions past the first [`MAX_LISTED_TXS`].
    pub more: u64,
    /// The number of transactions that were passed.
    pub passed: u64,
    /// The number of transactions in the range.
    pub of: u64,
    /// The number of transactions that could not be read.
    pub unread: u64,
    /// The call that ended the reading before its time.
    pub halted: Option<ServerError>,
}

/// A corrupt transaction.
#[derive(Debug)]
pub struct CorruptTx {
    /// The id.
    pub tx: u64,
    /// The time of writing in unix seconds, from its proven header; it is the server's claim.
    pub ts: Option<i64>,
    /// A description; text from the server is escaped.
    pub said: String,
}

/// The limit of listed corrupt transactions, because each takes memory. The others are counted.
const MAX_LISTED_TXS: u64 = 10_000;
/// The longest time of the reading.
const MAX_READ_TIME: Duration = Duration::from_secs(24 * 3600);

impl Auditor {
    /// Reads the history up to a trusted state and collects all corruption in it; `None` if the program is asked to
    /// end. Stores nothing, because the alarms exist already.
    pub fn find_corruption(
        &mut self,
        database: &str,
        trusted: State,
        mut passed: impl FnMut(u64, u64),
    ) -> Option<CorruptionReport> {
        let mut found = CorruptionReport {
            of: trusted.tx,
            ..CorruptionReport::default()
        };
        let since = self.store.load(database).ok().flatten()?.since;
        let progress = ValueProgress::new(database, since);
        let until = self.now() + MAX_READ_TIME;
        let mut reader = self.reader(database, trusted, None, until, &progress);
        reader.recorder = None;
        while found.passed < trusted.tx {
            let next = found.passed + 1;
            let headers = match reader.read_batch(next, trusted.tx) {
                Ok(headers) => headers,
                Err(ReadInterrupted::Stopped) => return None,
                Err(ReadInterrupted::ServerUnavailable | ReadInterrupted::Late) => {
                    found.halted = reader.report.halted.take();
                    break;
                }
            };
            let report = std::mem::take(&mut reader.report);
            let count = u64::try_from(headers.len()).unwrap_or(u64::MAX);
            if report.more_broken == 0 {
                let header = |tx: u64| {
                    let at = usize::try_from(tx.checked_sub(next)?).ok()?;
                    headers.get(at)?.as_ref()
                };
                found.take(report, |tx| header(tx).map(|header| header.ts()));
            } else {
                // one report cannot list all findings, so read each transaction alone
                for tx in next..next.saturating_add(count) {
                    let ts = match reader.read_one(tx) {
                        Ok(TxReadResult::Verified(header) | TxReadResult::HeaderOnly(header)) => {
                            Some(header.ts())
                        }
                        Ok(TxReadResult::Unproven) => None,
                        Err(ReadInterrupted::Stopped) => return None,
                        Err(ReadInterrupted::ServerUnavailable | ReadInterrupted::Late) => {
                            found.halted = reader.report.halted.take();
                            return Some(found);
                        }
                    };
                    found.take(std::mem::take(&mut reader.report), |_| ts);
                }
            }
            found.passed = found.passed.saturating_add(count);
            passed(found.passed, trusted.tx);
        }
        Some(found)
    }
}

impl CorruptionReport {
    /// Returns the total number of corrupt transactions.
    pub fn total(&self) -> u64 {
        let named: usize = self.groups.values().map(Vec::len).sum();
        u64::try_from(named)
            .unwrap_or(u64::MAX)
            .saturating_add(self.more)
    }

    fn take(&mut self, report: Report, ts: impl Fn(u64) -> Option<i64>) {
        self.unread += report.due.count();
        self.more += report.more_broken;
        for broken in report.broken {
            self.add(&broken, ts(broken.tx));
        }
    }

    fn add(&mut self, broken: &CorruptEntry, ts: Option<i64>) {
        if self.total() >= MAX_LISTED_TXS {
            self.more += 1;
            return;
        }
        let group = self.groups.entry(broken.what.words()).or_default();
        group.push(CorruptTx {
            tx: broken.tx,
            ts,
            said: broken.to_string(),
        });
    }
}
