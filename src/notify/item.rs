//! A notification that waits in a queue, and one that left it undelivered.

use std::time::Instant;

use super::notification::{Notification, Priority};
use super::outbox::Kept;

/// One notification that waits.
#[derive(Debug)]
pub(super) struct Item {
    pub kept: Kept,
    /// Failed tries, those of the notifications that this one replaced included: how long to wait goes by them.
    pub tries: u32,
    /// Failed tries of this notification: giving it up goes by them.
    pub own_tries: u32,
    pub due: Instant,
    /// Since when the receiver is due something of this topic.
    pub since: Instant,
}

impl Item {
    pub fn new(kept: Kept, now: Instant) -> Item {
        Item {
            kept,
            tries: 0,
            own_tries: 0,
            due: now,
            since: now,
        }
    }

    pub fn is_change(&self) -> bool {
        self.kept.notification.priority == Priority::Change
    }

    pub fn is_about(&self, notification: &Notification) -> bool {
        let own = &self.kept.notification;
        (own.priority, &own.dedup_key) == (notification.priority, &notification.dedup_key)
    }

    /// Returns whether it is about the same database, or about the same of none.
    pub fn is_of_subject(&self, notification: &Notification) -> bool {
        let own = &self.kept.notification;
        match (own.database(), notification.database()) {
            (Some(own), Some(other)) => own == other,
            (None, None) => own.dedup_key == notification.dedup_key,
            _ => false,
        }
    }

    /// Takes over age, tries and waiting time from the notification that this one replaces, so that a receiver that is
    /// down looks no younger and is asked no more often for each change.
    pub fn replace(&mut self, replaced: &Item) {
        self.tries = replaced.tries;
        self.due = replaced.due;
        self.since = self.since.min(replaced.since);
    }
}

/// What leaves the queue undelivered.
#[derive(Debug)]
pub(super) enum Gone {
    /// A later notification of the same topic says what counts now, or an earlier one says the same.
    Replaced(Kept),
    /// The receiver is not notified of it.
    GivenUp(Kept),
}

impl Gone {
    /// Returns the notification.
    pub fn kept(&self) -> &Kept {
        match self {
            Gone::Replaced(kept) | Gone::GivenUp(kept) => kept,
        }
    }

    /// Returns whether the receiver is not notified of it, by another one either.
    pub fn is_loss(&self) -> bool {
        matches!(self, Gone::GivenUp(_))
    }
}
