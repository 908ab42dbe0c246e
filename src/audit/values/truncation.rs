//! Values that a retention dropped: believed only of a proven header that records it
//! (protocol.md §6).

use std::collections::BTreeMap;

use super::reader::{Ended, Reader};
use crate::ledger::{HeaderVersion, TxHeader};
use crate::server::Scanned;
use crate::wire::Entries;

/// The furthest truncation that a proven header records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncation {
    /// Values of transactions before this one were dropped; 0: of none.
    pub before: u64,
    /// Headers after this one and up to a trusted state were looked through.
    pub looked_from: u64,
    /// The state that they were looked through from.
    pub looked_to: u64,
}

impl Truncation {
    /// As it was noted before.
    pub fn before(before: u64) -> Truncation {
        Truncation {
            before,
            ..Truncation::default()
        }
    }

    /// Takes note of a header: a proven one.
    pub(super) fn note(&mut self, header: &TxHeader) {
        let metadata = header.metadata();
        let before = metadata.map_or(0, |metadata| metadata.truncated_tx_id);
        self.before = self.before.max(before);
    }

    fn covers(&self, header: &TxHeader) -> bool {
        header.id() < self.before
    }
}

/// Headers that a scan asks for at once.
const HEADERS: u64 = 500;

impl Reader<'_> {
    /// Does a proven header record that this one's values were dropped? Looks for it among the
    /// headers up to the trusted state, each chained to it, as far back as a range may go.
    pub(super) fn is_truncated(&mut self, header: &TxHeader) -> Result<bool, Ended> {
        if self.truncation.covers(header) || header.version() == HeaderVersion::V0 {
            return Ok(self.truncation.covers(header));
        }
        let known = match self.truncation.looked_to == self.trusted.tx {
            true => self.truncation.looked_from,
            false => u64::MAX,
        };
        let floor = self.trusted.tx.saturating_sub(self.limits.range);
        let floor = floor.max(header.id());
        if known <= floor {
            return Ok(false);
        }
        let mut due = self.trusted.hash;
        let mut last = self.trusted.tx;
        while last > floor && !self.truncation.covers(header) {
            let first = last.saturating_sub(HEADERS - 1).max(floor + 1);
            let limit = u32::try_from(last - first + 1).unwrap_or(u32::MAX);
            let scan = self
                .server
                .tx_scan(self.database, first, limit, Entries::Excluded)
                .and_then(Scanned::decode);
            let list = match scan {
                Ok(list) => list,
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
            for id in (first..=last).rev() {
                match headers.get(&id) {
                    Some(header) if header.alh() == due => {
                        self.truncation.note(header);
                        due = *header.prev_alh();
                    }
                    // what does not chain proves nothing
                    _ => return Ok(self.truncation.covers(header)),
                }
            }
            last = first - 1;
        }
        self.truncation.looked_from = floor;
        self.truncation.looked_to = self.trusted.tx;
        Ok(self.truncation.covers(header))
    }
}
