//! One receiver's courier: a thread that delivers what its outbox holds, and delays nobody else.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::Level;
use ring::rand::{SecureRandom, SystemRandom};

use super::Undelivered;
use super::exec::Exec;
use super::notification::Notification;
use super::outbox::{Kept, Outbox};
use super::post::Post;
use super::queue::Queue;
use crate::clock::Clock;
use crate::report::{Event, Receiver};
use crate::trust::LocalFailure;

/// The way to a receiver.
pub(super) enum Way {
    Post(Box<Post>),
    Exec(Exec),
}

impl Way {
    /// One try.
    pub fn deliver(&self, notification: &Notification) -> Result<(), Undelivered> {
        match self {
            Way::Post(post) => post.deliver(notification),
            Way::Exec(exec) => exec.deliver(notification),
        }
    }
}

/// A receiver's courier. Dropping it leaves the thread to the end of the process.
pub(super) struct Courier {
    shared: Arc<Shared>,
}

struct Shared {
    receiver: Receiver,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

struct Waiting {
    queue: Queue,
    /// `None` where it could not be opened: notifications are sent all the same.
    outbox: Option<Outbox>,
    on_the_way: bool,
}

impl Courier {
    /// Takes up what an earlier run left, and begins to deliver.
    pub fn start(directory: &Path, receiver: Receiver, way: Way) -> Courier {
        let mut queue = Queue::default();
        let outbox = match Outbox::open(directory) {
            Ok((outbox, left)) => {
                let now = Clock::system().instant();
                for kept in left {
                    for gone in queue.add(kept, now) {
                        tell(&receiver, outbox.remove(&gone));
                        receiver.dropped(1);
                    }
                }
                Some(outbox)
            }
            Err(failure) => {
                tell(&receiver, Err(failure));
                None
            }
        };
        receiver.waiting(queue.len(), queue.oldest());
        let shared = Arc::new(Shared {
            receiver,
            waiting: Mutex::new(Waiting {
                queue,
                outbox,
                on_the_way: false,
            }),
            changed: Condvar::new(),
        });
        let theirs = shared.clone();
        let started = thread::Builder::new()
            .name("courier".into())
            .spawn(move || theirs.deliver(&way));
        if let Err(error) = started {
            log::error!("no notifications to {}: {error}", shared.receiver.name());
        }
        Courier { shared }
    }

    /// Writes a notification down, and has it delivered.
    pub fn give(&self, notification: Notification) {
        let shared = &self.shared;
        let mut waiting = shared.lock();
        if waiting.queue.tells(&notification) {
            return shared.receiver.dropped(1);
        }
        let kept = match &mut waiting.outbox {
            Some(outbox) => {
                let (kept, written) = outbox.keep(notification);
                tell(&shared.receiver, written);
                kept
            }
            None => Kept {
                sequence: 0,
                notification,
            },
        };
        let gone = waiting.queue.add(kept, Clock::system().instant());
        shared.receiver.dropped(gone.len());
        for kept in gone {
            waiting.remove(&shared.receiver, &kept);
        }
        shared.count(&waiting);
        shared.changed.notify_all();
    }

    /// Waits until each notification has had a try, but no longer than until then.
    pub fn flush(&self, until: Instant) {
        let mut waiting = self.shared.lock();
        while waiting.on_the_way || !waiting.queue.all_tried() {
            let left = until.saturating_duration_since(Clock::system().instant());
            if left.is_zero() {
                return;
            }
            let woken = self.shared.changed.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Waiting {
    fn remove(&self, receiver: &Receiver, kept: &Kept) {
        if let Some(outbox) = &self.outbox {
            tell(receiver, outbox.remove(kept));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, waiting: &Waiting) {
        let pending = waiting.queue.len() + usize::from(waiting.on_the_way);
        let oldest = waiting.queue.oldest();
        self.receiver.waiting(pending, oldest);
    }

    fn deliver(&self, way: &Way) {
        let mut waiting = self.lock();
        loop {
            let now = Clock::system().instant();
            let Some(item) = waiting.queue.take_due(now) else {
                let next = waiting.queue.next();
                let time = next.map_or(IDLE, |next| next.saturating_duration_since(now));
                let woken = self.changed.wait_timeout(waiting, time);
                waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            waiting.on_the_way = true;
            drop(waiting);
            let delivered = way.deliver(&item.kept.notification);
            waiting = self.lock();
            waiting.on_the_way = false;
            let (name, id) = (self.receiver.name(), item.kept.notification.id.clone());
            match delivered {
                Ok(()) => {
                    waiting.remove(&self.receiver, &item.kept);
                    self.receiver.sent();
                    tell_of(Level::Info, "notified", name, &id, item.tries + 1).log();
                }
                Err(Undelivered { why, retry_after }) => {
                    self.receiver.failed();
                    let tries = item.tries + 1;
                    // a receiver that is down all night is told a dozen times, not 500
                    let level = match tries.is_power_of_two() {
                        true => Level::Warn,
                        false => Level::Debug,
                    };
                    tell_of(level, "not notified yet", name, &id, tries)
                        .text("reason", why)
                        .log();
                    let now = Clock::system().instant();
                    if let Some(gone) = waiting.queue.put_back(item, retry_after, luck(), now) {
                        self.receiver.dropped(1);
                        waiting.remove(&self.receiver, &gone);
                        tell_of(Level::Error, "notification given up", name, &id, tries).log();
                    }
                }
            }
            self.count(&waiting);
            self.changed.notify_all();
        }
    }
}

/// How long a courier sleeps with nothing to do; it is woken before.
const IDLE: Duration = Duration::from_secs(3600);

fn luck() -> f64 {
    let mut byte = [0];
    let _ = SystemRandom::new().fill(&mut byte); // without, nobody's tries are spread
    f64::from(byte[0]) / 255.0
}

fn tell_of(level: Level, told: &str, receiver: &str, id: &str, tries: u32) -> Event {
    Event::new(level, told)
        .text("receiver", receiver)
        .text("id", id)
        .number("tries", tries.into())
}

fn tell(receiver: &Receiver, done: Result<(), LocalFailure>) {
    if let Err(failure) = done {
        let told = format!("the outbox: {failure}");
        Event::new(Level::Warn, told)
            .text("receiver", receiver.name())
            .log();
    }
}
