//! Outboxes of receivers that are not configured any more: their tampering is handed over to the configured ones.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use log::Level;

use super::OpenAlarms;
use super::delivery::DeliveryWorker;
use super::identity::ReceiverKey;
use super::notification::Priority;
use super::outbox::{self, Kept, Opened, Outbox};
use super::record::{self, Record};
use super::waiting::Noted;
use crate::clock::Clock;
use crate::report::{Event, ReceiverStats};
use crate::text::number;
use crate::trust::{StoreError, files};

/// The time for which the record of a receiver that is not configured is stored. A receiver that comes back within
/// that time does not get its notifications again.
const MAX_RECORD_AGE: Duration = Duration::from_secs(90 * 24 * 3600);

/// The handling of outboxes of receivers that are not configured.
pub(super) struct HandOver<'a> {
    /// The directory of the server.
    pub directory: &'a Path,
    /// The receivers that are configured.
    pub known: &'a [ReceiverKey],
    /// The workers of the configured receivers.
    pub workers: Vec<&'a DeliveryWorker>,
    /// The open alarms, of which each configured receiver has been notified.
    pub open: &'a OpenAlarms,
    /// The clock for the age of records.
    pub clock: &'a Clock,
}

impl HandOver<'_> {
    /// Hands over tampering, drops changes, and logs each receiver that had notifications. Without any configured
    /// receiver, all notifications stay in place. Returns the receivers that still have notifications.
    pub fn run(&self) -> Vec<ReceiverStats> {
        let keys = |below: &str| files::list(&self.directory.join(below)).unwrap_or_default();
        let known: BTreeSet<String> = self.known.iter().map(ReceiverKey::to_string).collect();
        let found: BTreeSet<String> = keys(outbox::DIRECTORY)
            .into_iter()
            .chain(keys(record::DIRECTORY))
            .filter(|key| !known.contains(key) && !key.ends_with(files::NEW))
            .collect();
        let mut left = Vec::new();
        for key in found {
            match self.one(&key) {
                Ok(receiver) => left.extend(receiver),
                Err(failure) => log::warn!("the outbox of an unknown receiver: {failure}"),
            }
        }
        left
    }

    fn one(&self, key: &str) -> Result<Option<ReceiverStats>, StoreError> {
        let outbox = self.directory.join(outbox::DIRECTORY).join(key);
        let mut record = Record::at(self.directory.join(record::DIRECTORY).join(key));
        let waiting = match files::exists(&outbox)? {
            true => Some(Outbox::open(&outbox)?),
            false => None,
        };
        let name = match record.name() {
            "" => format!("unknown:{key}"),
            name => format!("unknown:{name}"),
        };
        for unreadable in waiting.iter().flat_map(|opened| &opened.unreadable) {
            unreadable.log(&name);
        }
        if self.workers.is_empty() {
            let count = waiting.map_or(0, |opened| opened.kept.len());
            return Ok((count > 0).then(|| leave(&name, count, self.clock)));
        }
        let since = record.is_unknown_since(self.clock.now())?;
        if let Some(Opened {
            outbox,
            kept: waiting,
            ..
        }) = waiting
        {
            let mut handed_over = 0;
            for kept in &waiting {
                if kept.notification.priority == Priority::Tampering {
                    if !self.hand_over(kept, &mut record)? {
                        continue; // the next process tries again
                    }
                    handed_over += 1;
                }
                outbox.remove(kept)?;
            }
            outbox.remove_directory()?;
            if !waiting.is_empty() {
                Event::new(
                    Level::Warn,
                    "a receiver is not configured any more; its notifications of tampering go to the other receivers",
                )
                .text("receiver", &name)
                .number("handed_over", handed_over)
                .number("dropped", number(waiting.len()).saturating_sub(handed_over))
                .log();
            }
        }
        if self.clock.now().since(since) >= MAX_RECORD_AGE {
            record.remove()?;
        }
        Ok(None)
    }

    /// Hands over one notification of tampering. Returns whether every receiver has it or will get it. The removed
    /// receiver does not have it: if it comes back, it is notified of the open alarm.
    fn hand_over(&self, kept: &Kept, record: &mut Record) -> Result<bool, StoreError> {
        let id = kept.notification.alarm();
        let mut open = self.open.alarms.iter();
        let open = open.find(|alarm| Some(&alarm.id) == id.as_ref());
        if id.is_some() && open.is_none() && self.open.are_all {
            return Ok(true); // an operator closed it
        }
        let mut is_safe = true;
        for worker in &self.workers {
            is_safe &= match open {
                Some(alarm) => worker.knows(alarm),
                None => worker.enqueue(kept.notification.clone(), Noted::Id),
            };
        }
        if is_safe {
            let database = kept.notification.database().unwrap_or_default();
            record.forget(&kept.notification.id, &database)?;
        }
        Ok(is_safe)
    }
}

fn leave(name: &str, count: usize, clock: &Clock) -> ReceiverStats {
    Event::new(
        Level::Warn,
        "notifications wait for a receiver that is not configured any more, and no other receiver is configured",
    )
    .text("receiver", name)
    .number("waiting", number(count))
    .log();
    let receiver = ReceiverStats::new(name);
    receiver.waiting(count, Some(clock.instant()));
    receiver
}
