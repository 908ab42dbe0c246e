//! A notification that waits in a queue, and one that left it undelivered.

use std::time::Instant;

use super::notification::{Notification, Priority};
use super::outbox::Kept;
use super::reachability::Summary;

/// The number of refusals after which later changes are tried too. A receiver that refuses everything for a few seconds
/// gets its notifications in their order.
pub(super) const MAX_HOLDING_REFUSALS: u32 = 3;

/// One waiting notification.
#[derive(Debug)]
pub(super) struct Item {
    pub kept: Kept,
    /// Failed tries, including those of the notifications that this one replaced; they decide the waiting time.
    pub tries: u32,
    /// Failed tries of this notification, which decide when it is given up.
    pub own_tries: u32,
    /// The number of times that the receiver refused this notification.
    pub refusals: u32,
    /// The round of the last try, if there was one.
    pub last_round: Option<u64>,
    pub due: Instant,
    /// The time since when the receiver has not received this topic.
    pub since: Instant,
    /// The database, or the topic if it is about no single database.
    pub subject: Result<String, String>,
    /// The databases, if it is a summary about several of them.
    pub summary: Option<Summary>,
}

impl Item {
    pub fn new(kept: Kept, now: Instant) -> Item {
        let (subject, summary) = (kept.notification.subject(), kept.notification.summary());
        Item {
            kept,
            tries: 0,
            own_tries: 0,
            refusals: 0,
            last_round: None,
            due: now,
            since: now,
            subject,
            summary,
        }
    }

    /// Returns whether the receiver refused this change so often that it may never accept it.
    pub fn is_refused_often(&self) -> bool {
        self.is_change() && self.refusals >= MAX_HOLDING_REFUSALS
    }

    pub fn is_change(&self) -> bool {
        self.kept.notification.priority == Priority::Change
    }

    /// Returns whether this notification is about the same topic as `notification`. Two summaries are about the same
    /// topic only if they name the same databases, because otherwise neither contains the content of the other.
    pub fn is_about(&self, notification: &Notification) -> bool {
        let own = &self.kept.notification;
        let is_same =
            (own.priority, &own.dedup_key) == (notification.priority, &notification.dedup_key);
        is_same
            && self.summary.as_ref().is_none_or(|own| {
                let other = notification.summary();
                other.is_some_and(|other| own.has_databases_of(&other))
            })
    }

    /// Takes over age, tries and waiting time from the notification that this one replaces. So a receiver that is
    /// down does not look younger, and gets no more requests for each change.
    pub fn replace(&mut self, replaced: &Item) {
        self.tries = replaced.tries;
        self.due = replaced.due;
        self.since = self.since.min(replaced.since);
    }
}

/// A notification that leaves the queue undelivered.
#[derive(Debug)]
pub(super) enum Gone {
    /// A later notification of the same topic replaces it, or an earlier one has the same content.
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

    /// Returns whether the receiver is never notified of its content, not even by another notification.
    pub fn is_loss(&self) -> bool {
        matches!(self, Gone::GivenUp(_))
    }
}
