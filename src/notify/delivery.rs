//! The delivery worker of one receiver: a thread that delivers the notifications in its outbox and delays no other
//! receiver.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::Level;
use ring::rand::{SecureRandom, SystemRandom};

#[cfg(feature = "fault-points")]
use super::DeliveryError;
use super::OpenAlarms;
use super::identity::ReceiverKey;
use super::notification::Notification;
use super::sink::Sink;
use super::waiting::{Noted, Waiting, event};
use crate::clock::Clock;
use crate::report::ReceiverStats;
use crate::text::number;
use crate::trust::Alarm;

/// A receiver's delivery thread. Dropping it ends the thread after the current delivery.
pub(super) struct DeliveryWorker {
    shared: Arc<Shared>,
}

/// The notifications that still wait for a receiver when a program under `--once` ends.
pub struct PendingDeliveries {
    /// The receiver.
    pub receiver: String,
    /// The number of notifications that wait for it.
    pub count: u64,
    /// The reason why the last try failed; `None` if there was no try.
    pub why: Option<String>,
}

struct Shared {
    receiver: ReceiverStats,
    clock: Clock,
    /// The time under `--once` within which a try may begin.
    once_flush_timeout: Duration,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl DeliveryWorker {
    /// Starts to deliver the notifications that an earlier run left below `directory`, the server's.
    pub fn start(
        directory: &Path,
        key: &ReceiverKey,
        receiver: ReceiverStats,
        sink: Sink,
        open: &OpenAlarms,
        clock: &Clock,
    ) -> DeliveryWorker {
        let waiting = Waiting::start(directory, key, &receiver, open, clock);
        receiver.waiting(waiting.queue.len(), waiting.queue.oldest());
        let shared = Arc::new(Shared {
            receiver,
            clock: clock.clone(),
            once_flush_timeout: sink.once_flush_timeout(),
            waiting: Mutex::new(waiting),
            changed: Condvar::new(),
        });
        if !clock.is_simulated() {
            let theirs = shared.clone();
            let started = thread::Builder::new()
                .name("delivery".into())
                .spawn(move || theirs.deliver(&sink));
            if let Err(error) = started {
                log::error!(
                    "no notifications can be sent to {}: {error}",
                    shared.receiver.name()
                );
            }
        }
        DeliveryWorker { shared }
    }

    /// Returns whether the receiver was, or will be, notified of an alarm since it was opened.
    pub fn knows(&self, alarm: &Alarm) -> bool {
        self.shared.lock().record.has_alarm(alarm)
    }

    /// Returns whether the receiver got, or will get, the notification with this id, if it is not about an alarm.
    pub fn has_id(&self, id: &str) -> bool {
        self.shared.lock().record.has_id(id)
    }

    /// Stores a notification and queues it for delivery. Returns whether it is on disk.
    pub fn enqueue(&self, notification: Notification, noted: Noted) -> bool {
        let shared = &self.shared;
        // a try waits for this lock, so it begins after the record is written
        let mut waiting = shared.lock();
        let now = shared.clock.instant();
        let is_safe = waiting.enqueue(&shared.receiver, notification, noted, now);
        shared.count(&waiting);
        shared.changed.notify_all();
        is_safe
    }

    /// Writes the waiting notifications to disk that could not be written before, because the disk was full or the
    /// outbox could not be opened. Delivers those of an earlier run that are found then. Returns whether the receiver's
    /// record has changed meanwhile, because one of an earlier run about alarms is lost.
    pub fn store_unstored(&self) -> bool {
        let shared = &self.shared;
        let mut waiting = shared.lock();
        let before = waiting.queue.len();
        waiting.store_unstored(&shared.receiver, shared.clock.instant());
        if waiting.queue.len() != before {
            shared.count(&waiting);
            shared.changed.notify_all();
        }
        std::mem::take(&mut waiting.has_forgotten)
    }

    /// Waits until each notification has had a try. No try begins after the receiver's time, counted from `begin`;
    /// a try that has begun is waited for, so that its result counts.
    pub fn flush(&self, begin: Instant) {
        let until = begin + self.shared.once_flush_timeout;
        let mut waiting = self.shared.lock();
        loop {
            let now = self.shared.clock.instant();
            let is_over = waiting.queue.all_tried(now) || now >= until;
            if !waiting.is_delivering && is_over {
                return;
            }
            // the current try ends by its own timeout
            let time = match is_over {
                true => MAX_IDLE_WAIT,
                false => until.saturating_duration_since(now),
            };
            let woken = self.shared.changed.wait_timeout(waiting, time);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes the waiting notifications to disk that could not be written before. Logs those that are lost.
    pub fn store_or_log(&self) {
        self.shared.store_or_log(&mut self.shared.lock());
    }

    /// Begins no further try, waits for the end of the current one, and returns the undelivered notifications. Those
    /// that are not on disk are written now; if that fails, the log has an error for each, because they are lost.
    pub fn close(&self) -> Option<PendingDeliveries> {
        let mut waiting = self.shared.lock();
        waiting.is_closed = true;
        self.shared.changed.notify_all();
        while waiting.is_delivering {
            let woken = self.shared.changed.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        self.shared.store_or_log(&mut waiting);
        let count = number(waiting.queue.len());
        (count > 0).then(|| PendingDeliveries {
            receiver: self.shared.receiver.name().to_owned(),
            count,
            why: waiting.why.clone(),
        })
    }
}

#[cfg(feature = "fault-points")]
impl DeliveryWorker {
    /// Delivers the due notifications by `deliver` instead of the thread, because simulated time has no threads:
    /// for a test that is itself the receiver. `deliver` gets the receiver's name and the notification's body.
    pub fn step(&self, deliver: &mut dyn FnMut(&str, &str) -> Result<(), DeliveryError>) {
        let shared = &self.shared;
        let now = shared.clock.instant();
        let mut waiting = shared.lock();
        while let Some(item) = waiting.queue.take_due(now) {
            match deliver(shared.receiver.name(), &item.kept.notification.body) {
                Ok(()) => waiting.end(&shared.receiver, &item),
                Err(error) => {
                    waiting.put_back(&shared.receiver, item, error.failed_try(), 0.0, now);
                }
            }
        }
        shared.count(&waiting);
    }
}

impl Drop for DeliveryWorker {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store_or_log(&self, waiting: &mut Waiting) {
        waiting.store_unstored(&self.receiver, self.clock.instant());
        waiting.log_unstored(&self.receiver);
    }

    fn count(&self, waiting: &Waiting) {
        let pending = waiting.queue.len() + usize::from(waiting.is_delivering);
        let oldest = waiting.queue.oldest();
        self.receiver.waiting(pending, oldest);
    }

    fn deliver(&self, sink: &Sink) {
        let mut waiting = self.lock();
        while !waiting.is_closed {
            let now = self.clock.instant();
            let Some(item) = waiting.queue.take_due(now) else {
                let next = waiting.queue.next();
                let time = next.map_or(MAX_IDLE_WAIT, |next| next.saturating_duration_since(now));
                let woken = self.changed.wait_timeout(waiting, time);
                waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            waiting.is_delivering = true;
            drop(waiting);
            let delivered = sink.deliver(&item.kept.notification);
            waiting = self.lock();
            waiting.is_delivering = false;
            let (name, id) = (self.receiver.name(), item.kept.notification.id.clone());
            match delivered {
                Ok(()) => {
                    waiting.end(&self.receiver, &item);
                    self.receiver.sent();
                    event(Level::Info, "notified", name, &id, item.tries + 1).log();
                }
                Err(error) => {
                    self.receiver.failed();
                    let tries = item.tries + 1;
                    // a receiver that is down all night causes a dozen warnings, not 500
                    let level = match tries.is_power_of_two() {
                        true => Level::Warn,
                        false => Level::Debug,
                    };
                    event(level, "not notified yet", name, &id, tries)
                        .text("reason", &error.why)
                        .log();
                    let now = self.clock.instant();
                    waiting.put_back(&self.receiver, item, error.failed_try(), jitter(), now);
                    waiting.why = Some(error.why);
                }
            }
            self.count(&waiting);
            self.changed.notify_all();
        }
    }
}

/// The longest wait of a worker without work: new work wakes it.
const MAX_IDLE_WAIT: Duration = Duration::from_secs(3600);

fn jitter() -> f64 {
    let mut byte = [0];
    let _ = SystemRandom::new().fill(&mut byte); // if this fails, the retries are not spread
    f64::from(byte[0]) / 255.0
}
