//! The notifications that one receiver is to get, their order, and the wait after a failure. Times are parameters.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::item::{Gone, Item, MAX_HOLDING_REFUSALS};
use super::notification::{Notification, Priority};
use super::order::Order;
use super::outbox::Kept;
use crate::clock::Timestamp;

/// The first and the longest wait after a failed delivery.
const RETRY_WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// The longest wait that a receiver may request, so that a wrong response does not end the deliveries.
const MAX_REQUESTED_WAIT: Duration = Duration::from_secs(3600);
/// The maximum number of tries for a change: they take three days at most ([`wait`] shortens each pause). Tries are
/// counted instead of time, so that a clock that was set forward loses nothing; tampering is never given up.
pub(super) const MAX_TRIES: u32 = 441;
/// The age after which the first refusal of a notification that an earlier run left suffices to try later ones too.
const MAX_HOLDING_AGE: Duration = Duration::from_secs(3600);
/// The maximum number of waiting notifications, without those of tampering.
const MAX_WAITING_CHANGES: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Queue {
    items: Vec<Item>,
    /// The time until which the receiver requested no further tries.
    paused: Option<Instant>,
    /// The notification that is being delivered.
    under_way: Option<UnderWay>,
    /// The number of the present round: the tries until nothing is due any more.
    round: u64,
}

/// A failed try.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FailedTry {
    /// The pause that the receiver requested.
    pub requested_wait: Option<Duration>,
    /// Whether the receiver refused this notification.
    pub is_refusal: bool,
}

#[derive(Debug)]
struct UnderWay {
    id: String,
    priority: Priority,
    dedup_key: String,
    /// The time since when the receiver has not received this topic.
    since: Instant,
    is_stored: bool,
}

impl Queue {
    /// Adds the notifications that an earlier run left, the oldest first; `clock` is the time. Returns those that are replaced, displaced,
    /// or outdated by a later finding: that run may have ended before it removed them.
    pub fn load(&mut self, kept: Vec<Kept>, now: Instant, clock: Timestamp) -> Vec<Gone> {
        let findings = kept
            .iter()
            .filter(|kept| kept.notification.priority == Priority::Tampering);
        let last: HashMap<_, u64> = findings
            .map(|kept| (kept.notification.subject(), kept.sequence))
            .collect();
        let mut gone = Vec::new();
        for kept in kept {
            let later = last.get(&kept.notification.subject());
            let is_outdated = later.is_some_and(|later| kept.sequence < *later);
            match kept.notification.priority == Priority::Change && is_outdated {
                true => gone.push(Gone::Replaced(kept)),
                false => {
                    let age = kept.notification.time().map(|time| clock.since(time));
                    let mut item = Item::new(kept, now);
                    if age.is_some_and(|age| age > MAX_HOLDING_AGE) {
                        // earlier runs of a scheduled job have tried it, each of them once
                        item.refusals = MAX_HOLDING_REFUSALS - 1;
                    }
                    gone.extend(self.insert(item));
                }
            }
        }
        gone
    }

    /// Returns whether a notification of tampering of the same topic is waiting or being delivered. The first
    /// notification of a finding stays.
    pub fn has_finding(&self, notification: &Notification) -> bool {
        let is_under_way = self.under_way.as_ref().is_some_and(|own| {
            (own.priority, &own.dedup_key) == (notification.priority, &notification.dedup_key)
        });
        let is_known = is_under_way || self.same(notification).is_some();
        notification.priority == Priority::Tampering && is_known
    }

    /// Returns whether the notification with this id is waiting or being delivered.
    pub fn has_id(&self, id: &str) -> bool {
        let under_way = self.under_way.iter().map(|own| &own.id);
        let waiting = self.items.iter().map(|item| &item.kept.notification.id);
        under_way.chain(waiting).any(|own| own == id)
    }

    /// Removes all waiting notifications and returns them.
    pub fn take_all(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.items)
    }

    /// Adds a notification. Returns the notifications that it replaces or displaces.
    pub fn add(&mut self, kept: Kept, now: Instant) -> Vec<Gone> {
        self.insert(Item::new(kept, now))
    }

    /// Adds a notification that has waited already, as [`Self::add`] does.
    pub fn insert(&mut self, mut item: Item) -> Vec<Gone> {
        let mut gone = Vec::new();
        if item.is_change() {
            if let Some(index) = self.same(&item.kept.notification) {
                let replaced = self.items.remove(index);
                item.replace(&replaced);
                gone.push(Gone::Replaced(replaced.kept));
            }
        }
        self.items.push(item);
        if self.items.iter().filter(|item| item.is_change()).count() > MAX_WAITING_CHANGES {
            // not the first one, because each failed try moves a notification to the end
            let changes = self.items.iter().enumerate();
            let changes = changes.filter(|(_, item)| item.is_change());
            let oldest = changes.min_by_key(|(_, item)| item.kept.sequence);
            if let Some(index) = oldest.map(|(index, _)| index) {
                gone.push(Gone::GivenUp(self.items.remove(index).kept));
            }
        }
        gone
    }

    /// Removes the changes that are outdated by a finding of tampering. Tampering is delivered first, so a change
    /// after it would report a good state.
    pub fn take_outdated(&mut self, notification: &Notification) -> Vec<Gone> {
        if notification.priority != Priority::Tampering {
            return Vec::new();
        }
        let subject = notification.subject();
        let is_outdated = |item: &Item| item.is_change() && item.subject == subject;
        let items = std::mem::take(&mut self.items);
        let (outdated, rest) = items.into_iter().partition(is_outdated);
        self.items = rest;
        let outdated: Vec<Item> = outdated;
        let outdated = outdated.into_iter();
        outdated.map(|item| Gone::Replaced(item.kept)).collect()
    }

    /// Returns the waiting notifications that are not on disk.
    pub fn unstored(&mut self) -> impl Iterator<Item = &mut Kept> {
        let kept = self.items.iter_mut().map(|item| &mut item.kept);
        kept.filter(|kept| !kept.is_stored)
    }

    /// Returns whether all notifications are on disk, also the one that is being delivered.
    pub fn are_all_stored(&self) -> bool {
        let under_way = self.under_way.iter().map(|own| own.is_stored);
        let waiting = self.items.iter().map(|item| item.kept.is_stored);
        under_way.chain(waiting).all(|is_stored| is_stored)
    }

    fn same(&self, notification: &Notification) -> Option<usize> {
        self.items
            .iter()
            .position(|item| item.is_about(notification))
    }

    /// Takes the due notification: tampering first, then the oldest; none while the receiver has requested a
    /// pause. A change waits for an earlier one about the same databases, also if that one is not due ([`Order`]).
    pub fn take_due(&mut self, now: Instant) -> Option<Item> {
        if self.is_paused(now) {
            return None;
        }
        let order = Order::of(&self.items, self.round);
        let due = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| order.due(item).is_some_and(|due| due <= now));
        let first =
            due.min_by_key(|(_, item)| (item.kept.notification.priority, item.kept.sequence));
        let Some((index, _)) = first else {
            self.round = self.round.saturating_add(1);
            return None;
        };
        let item = self.items.remove(index);
        let own = &item.kept.notification;
        self.under_way = Some(UnderWay {
            id: own.id.clone(),
            priority: own.priority,
            dedup_key: own.dedup_key.clone(),
            since: item.since,
            is_stored: item.kept.is_stored,
        });
        Some(item)
    }

    /// Records that the current notification was delivered.
    pub fn delivered(&mut self) {
        self.under_way = None;
    }

    /// Puts a notification back after a failed try; `luck` is a number from 0 to 1. Returns what leaves the queue: this
    /// notification, or one of the same topic that came meanwhile.
    pub fn put_back(
        &mut self,
        mut item: Item,
        failed: FailedTry,
        luck: f64,
        now: Instant,
    ) -> Option<Gone> {
        self.under_way = None;
        item.last_round = Some(self.round);
        // a receiver that is unreachable or requests a pause may accept this notification later
        item.refusals = match failed.is_refusal && failed.requested_wait.is_none() {
            true => item.refusals.saturating_add(1),
            false => 0,
        };
        let asked = failed.requested_wait.unwrap_or_default();
        let asked = asked.min(MAX_REQUESTED_WAIT);
        self.paused = (!asked.is_zero()).then(|| now + asked);
        item.tries = item.tries.saturating_add(1);
        item.own_tries = item.own_tries.saturating_add(1);
        item.due = now + asked.max(wait(item.tries, luck));
        if item.is_refused_often() {
            // all of them are tried in the same round, so that later changes are tried in it too
            let others = self.items.iter().filter(|other| other.is_refused_often());
            let next = others.map(|other| other.due).max();
            item.due = next.filter(|next| *next > now).unwrap_or(item.due);
        }
        // of tampering, each notification has content of its own
        let later = self.same(&item.kept.notification);
        if let Some(index) = later.filter(|_| item.is_change()) {
            let mut later = self.items.remove(index);
            later.replace(&item);
            self.items.push(later);
            return Some(Gone::Replaced(item.kept));
        }
        if self.has_later_finding(&item) {
            return Some(Gone::Replaced(item.kept));
        }
        if item.own_tries >= MAX_TRIES && item.is_change() {
            return Some(Gone::GivenUp(item.kept));
        }
        self.items.push(item);
        None
    }

    /// Returns whether a change is outdated by a finding that came during its try.
    fn has_later_finding(&self, change: &Item) -> bool {
        let is_finding = |item: &Item| {
            !item.is_change()
                && item.kept.sequence > change.kept.sequence
                && item.subject == change.subject
        };
        change.is_change() && self.items.iter().any(is_finding)
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.paused.is_some_and(|until| now < until)
    }

    /// Returns the time at which the next notification is due.
    pub fn next(&self) -> Option<Instant> {
        let order = Order::of(&self.items, self.round);
        let next = self.items.iter().filter_map(|item| order.due(item)).min()?;
        Some(self.paused.map_or(next, |until| until.max(next)))
    }

    /// Returns whether every due notification was tried, except those that wait for an earlier one.
    pub fn all_tried(&self, now: Instant) -> bool {
        let order = Order::of(&self.items, self.round);
        let mut free = self.items.iter().filter(|item| order.due(item).is_some());
        self.is_paused(now) || free.all(|item| item.tries > 0)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns the time since when the receiver has not received a topic, also one that is being delivered.
    pub fn oldest(&self) -> Option<Instant> {
        let under_way = self.under_way.iter().map(|own| own.since);
        let waiting = self.items.iter().map(|item| item.since);
        under_way.chain(waiting).min()
    }
}

/// Returns the wait before the next try. It doubles after each try. It is shortened at random by up to a half, so
/// that auditors of many servers do not retry at the same time.
fn wait(tries: u32, luck: f64) -> Duration {
    let doubled = RETRY_WAITS
        .0
        .saturating_mul(2u32.saturating_pow(tries.saturating_sub(1)));
    doubled
        .min(RETRY_WAITS.1)
        .mul_f64(1.0 - luck.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests;
