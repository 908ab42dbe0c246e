//! The waiting notifications of one receiver: its queue, with the outbox and the record on disk.

use std::path::{Path, PathBuf};
use std::time::Instant;

use log::Level;

use super::OpenAlarms;
use super::identity::ReceiverKey;
use super::item::{Gone, Item};
use super::notification::Notification;
use super::outbox::{DIRECTORY, Kept, Opened, Outbox};
use super::queue::{FailedTry, Queue};
use super::record::Record;
use crate::clock::Clock;
use crate::report::{Event, ReceiverStats};
use crate::trust::{Alarm, StoreError};

/// The part of a notification that the receiver's record stores.
#[derive(Clone, Copy)]
pub(super) enum Noted<'a> {
    /// Nothing: the notification repeats an earlier one, or is not about tampering.
    Nothing,
    /// The receiver is notified of these alarms.
    Alarms(&'a [Alarm]),
    /// The id: the receiver gets this notification once.
    Id,
}

/// The waiting notifications of one receiver.
pub(super) struct Waiting {
    pub queue: Queue,
    clock: Clock,
    /// The outbox, or its directory until it can be opened; until then notifications are sent without it.
    outbox: Result<Outbox, PathBuf>,
    /// The number of the next notification until the outbox is open.
    next_unstored: u64,
    pub record: Record,
    /// Whether alarms were removed from the record after the start, because their notification in the outbox is lost.
    pub has_forgotten: bool,
    pub is_delivering: bool,
    /// Whether no further try is to begin, and the thread is to end: another worker may have its place after a
    /// change of the settings.
    pub is_closed: bool,
    /// The reason why the last try failed.
    pub why: Option<String>,
}

impl Waiting {
    /// Opens the outbox below `directory`, the server's, and queues the notifications that an earlier run left in it.
    pub fn start(
        directory: &Path,
        key: &ReceiverKey,
        receiver: &ReceiverStats,
        open: &OpenAlarms,
        clock: &Clock,
    ) -> Waiting {
        let mut record = Record::load(directory, key);
        report(receiver, record.begin(receiver.name(), open));
        let mut waiting = Waiting {
            queue: Queue::default(),
            clock: clock.clone(),
            outbox: Err(directory.join(DIRECTORY).join(key.to_string())),
            next_unstored: 0,
            record,
            has_forgotten: false,
            is_delivering: false,
            is_closed: false,
            why: None,
        };
        waiting.open(receiver, clock.instant());
        waiting.has_forgotten = false; // the start compares the record with the open alarms
        waiting
    }

    /// Opens the outbox if it is not open. The notifications that an earlier run left in it are earlier than those that
    /// wait.
    fn open(&mut self, receiver: &ReceiverStats, now: Instant) {
        let Err(directory) = &self.outbox else {
            return;
        };
        let opened = match Outbox::open(directory) {
            Ok(opened) => opened,
            Err(failure) => return report(receiver, Err(failure)),
        };
        let Opened {
            mut outbox,
            kept,
            unreadable,
        } = opened;
        for unreadable in &unreadable {
            unreadable.log(receiver.name());
            if unreadable.is_lost {
                receiver.dropped(1);
                report(receiver, self.record.forget_lost(unreadable));
                self.has_forgotten = true;
            }
        }
        let mut own = self.queue.take_all();
        own.sort_by_key(|item| item.kept.sequence); // a failed try moves a notification to the end
        let mut gone = self.queue.load(kept, now, self.clock.now());
        for mut item in own {
            item.kept.sequence = outbox.number();
            gone.extend(self.queue.take_outdated(&item.kept.notification));
            gone.extend(self.queue.insert(item));
        }
        self.outbox = Ok(outbox);
        for gone in gone {
            self.drop_undelivered(receiver, &gone, 0);
        }
    }

    /// Stores a notification and queues it for delivery, unless one that waits reports the same. Returns whether it is
    /// on disk.
    pub fn enqueue(
        &mut self,
        receiver: &ReceiverStats,
        notification: Notification,
        noted: Noted,
        now: Instant,
    ) -> bool {
        if matches!(noted, Noted::Id) && self.record.has_id(&notification.id) {
            return true;
        }
        let id = notification.id.clone();
        let outdated = self.queue.take_outdated(&notification);
        let is_safe = match self.is_repeat(&notification, noted) {
            true => {
                receiver.dropped(1);
                self.store_unstored(receiver, now)
            }
            false => self.put(receiver, notification, now),
        };
        // not earlier: now the notification that replaces them is on disk
        for gone in outdated {
            self.drop_undelivered(receiver, &gone, 0);
        }
        let record = &mut self.record;
        let written = match noted {
            Noted::Alarms(alarms) if is_safe => record.note_alarms(alarms),
            Noted::Id if is_safe => record.note_id(&id),
            Noted::Id => {
                // otherwise every cycle would enqueue it again
                record.note_id_in_memory(&id);
                Ok(())
            }
            Noted::Alarms(_) | Noted::Nothing => Ok(()),
        };
        report(receiver, written);
        is_safe
    }

    /// Returns whether a notification that waits or is being delivered reports all that this one reports.
    fn is_repeat(&self, notification: &Notification, noted: Noted) -> bool {
        if !self.queue.has_finding(notification) {
            return false;
        }
        let is_same = self.queue.has_id(&notification.id);
        match noted {
            Noted::Nothing => true,
            Noted::Alarms(alarms) => {
                let own = notification.alarm().filter(|_| is_same);
                let is_notified =
                    |alarm: &Alarm| self.record.has_alarm(alarm) || own.as_ref() == Some(&alarm.id);
                alarms.iter().all(is_notified)
            }
            // without a database, it lists the untrusted databases of its own time; otherwise the alarm of one database
            // could not be stored, and each process finds that again
            Noted::Id => is_same || notification.database().is_some(),
        }
    }

    /// Writes a notification to disk and queues it. Returns whether it is on disk.
    fn put(&mut self, receiver: &ReceiverStats, notification: Notification, now: Instant) -> bool {
        let kept = match &mut self.outbox {
            Ok(outbox) => {
                let (kept, written) = outbox.keep(notification);
                report(receiver, written);
                kept
            }
            // numbered again when the outbox is opened
            Err(_) => {
                let sequence = self.next_unstored;
                self.next_unstored = sequence.saturating_add(1);
                Kept {
                    sequence,
                    notification,
                    is_stored: false,
                }
            }
        };
        let is_safe = kept.is_stored;
        for gone in self.queue.add(kept, now) {
            self.drop_undelivered(receiver, &gone, 0);
        }
        is_safe
    }

    /// Opens the outbox if that failed before. Writes the notifications to disk that could not be written before, until
    /// one fails. Returns whether all are on disk now.
    pub fn store_unstored(&mut self, receiver: &ReceiverStats, now: Instant) -> bool {
        // a notification that is being delivered has no number yet, by which a later one could be recognised
        if !self.is_delivering {
            self.open(receiver, now);
        }
        if let Ok(outbox) = &self.outbox {
            let mut unstored = self.queue.unstored();
            report(receiver, unstored.try_for_each(|kept| outbox.store(kept)));
        }
        self.queue.are_all_stored()
    }

    /// Logs each notification that is not on disk, when the process no longer delivers it.
    pub fn log_unstored(&mut self, receiver: &ReceiverStats) {
        for kept in self.queue.unstored() {
            let id = &kept.notification.id;
            event(Level::Error, "notification lost", receiver.name(), id, 0)
                .text("reason", "it could not be written to the outbox")
                .log();
        }
    }

    /// Removes a notification that was delivered.
    pub fn end(&mut self, receiver: &ReceiverStats, item: &Item) {
        self.queue.delivered();
        self.remove(receiver, &item.kept);
    }

    /// Queues a notification again after a failed try.
    pub fn put_back(
        &mut self,
        receiver: &ReceiverStats,
        item: Item,
        failed: FailedTry,
        jitter: f64,
        now: Instant,
    ) {
        let tries = item.tries + 1;
        if let Some(gone) = self.queue.put_back(item, failed, jitter, now) {
            self.drop_undelivered(receiver, &gone, tries);
        }
    }

    /// Removes a notification that left the queue undelivered. It is an error only if no other notification
    /// replaces it.
    fn drop_undelivered(&self, receiver: &ReceiverStats, gone: &Gone, tries: u32) {
        receiver.dropped(1);
        self.remove(receiver, gone.kept());
        let (level, message) = match gone.is_loss() {
            true => (Level::Error, "notification given up"),
            false => (Level::Debug, "notification replaced by a later one"),
        };
        let id = &gone.kept().notification.id;
        event(level, message, receiver.name(), id, tries).log();
    }

    fn remove(&self, receiver: &ReceiverStats, kept: &Kept) {
        if let Ok(outbox) = &self.outbox {
            report(receiver, outbox.remove(kept));
        }
    }
}

pub(super) fn event(level: Level, message: &str, receiver: &str, id: &str, tries: u32) -> Event {
    Event::new(level, message)
        .text("receiver", receiver)
        .text("id", id)
        .number("tries", tries.into())
}

pub(super) fn report(receiver: &ReceiverStats, done: Result<(), StoreError>) {
    if let Err(failure) = done {
        let message = format!("the outbox: {failure}");
        Event::new(Level::Warn, message)
            .text("receiver", receiver.name())
            .log();
    }
}

#[cfg(test)]
mod tests;
