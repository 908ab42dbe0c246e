//! Closed alarms about transactions. Their transactions are always read again, so that closing an alarm does not hide
//! an edit that is still there.

use crate::audit::auditor::Auditor;
use crate::ranges::Ranges;
use crate::trust::{Alarm, Tampering, ValueProgress};

/// The number of transactions before a finding that are read again with it, in addition to one after it. The first
/// is read alone and the rest by a scan. So a broken link to a neighbour is found again, and also corruption that
/// only a scan shows.
const TXS_BEFORE: u64 = 2;

/// A closed alarm that awaits a reading, and the transactions that must be read again for it.
pub(super) struct ClosedAlarm {
    alarm: Alarm,
    transactions: Ranges,
}

impl Auditor {
    /// Returns whether a closed alarm of a database awaits a reading.
    pub(in crate::audit) fn awaits_reading(&self, database: &str) -> bool {
        !self.alarms_awaiting_reading(database).is_empty()
    }

    /// Returns the closed alarms of a database that await a reading; a list that cannot be read is reported by the
    /// check.
    fn alarms_awaiting_reading(&self, database: &str) -> Vec<Alarm> {
        let alarms = self.store.alarms_awaiting_reading(database);
        alarms.unwrap_or_default()
    }

    /// Makes due the transactions of a database up to `last` that closed alarms are about, and returns these alarms.
    /// A transaction that is already due keeps its time. If a part of one was read before its alarm was closed, the
    /// reading begins again with its first entry. If an alarm is about the history, its own transaction is also read
    /// alone, with a proof of its tree.
    pub(super) fn make_closed_due(
        &mut self,
        database: &str,
        progress: &mut ValueProgress,
        last: u64,
    ) -> Vec<ClosedAlarm> {
        let alarms = self.alarms_awaiting_reading(database).into_iter();
        let closed = alarms.map(|alarm| {
            let mut transactions = match alarm.transaction() {
                Some(tx) => around(tx),
                None => progress.broken.clone(), // a finding without transaction: more than were recorded separately
            };
            transactions.remove_after(last); // the later ones belong to a history that was given up
            ClosedAlarm {
                alarm,
                transactions,
            }
        });
        let closed: Vec<ClosedAlarm> = closed.collect();
        for alarm in &closed {
            progress.make_due(&alarm.transactions, self.wall_time());
            // a scan alone would accept the transaction by its link to the next one
            let of_place = alarm.alarm.kind == Tampering::Inconsistent;
            if let Some(tx) = alarm
                .alarm
                .transaction()
                .filter(|tx| of_place && *tx <= last)
            {
                progress.unproven_trees.insert(tx, tx, ());
            }
        }
        let record = self.databases.of(database);
        let awaited = std::mem::take(&mut record.awaited);
        for alarm in &closed {
            // a finding that opens the alarm again increases its count, so each closing has another one
            let closing = (alarm.alarm.id.clone(), alarm.alarm.times);
            if !awaited.contains(&closing) {
                let partials = &mut record.partials;
                partials.retain(|tx| !alarm.transactions.contains(tx));
            }
            record.awaited.insert(closing);
        }
        closed
    }

    /// Records which of these alarms a reading settled: none of their transactions is due any more. A repeated
    /// finding has opened its alarm again.
    pub(super) fn settle_closed(
        &self,
        database: &str,
        closed: Vec<ClosedAlarm>,
        progress: &ValueProgress,
    ) {
        let is_read = |closed: &ClosedAlarm| progress.due.common(&closed.transactions).is_empty();
        let read = closed.into_iter().filter(is_read);
        let read: Vec<Alarm> = read.map(|closed| closed.alarm).collect();
        if read.is_empty() {
            return;
        }
        if let Err(failure) = self.store.note_read_again(database, &read) {
            log::warn!(
                database:% = database, reason:% = failure;
                "the transactions that were read after closed alarms could not be recorded, so they are read again"
            );
        }
    }
}

/// Returns a transaction and its neighbours.
fn around(tx: u64) -> Ranges {
    let mut around = Ranges::new();
    let first = tx.saturating_sub(TXS_BEFORE).max(1);
    around.insert(first, tx.saturating_add(1), ());
    around
}
