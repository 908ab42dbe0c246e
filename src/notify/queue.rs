//! The notifications that one receiver is to get, their order, and the wait after a failure. Times are parameters.

use std::time::{Duration, Instant};

use super::item::{Gone, Item};
use super::notification::{Notification, Priority};
use super::outbox::Kept;

/// The first and the longest wait after a failed delivery.
const RETRY_WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// The longest wait that a receiver may request.
const MAX_REQUESTED_WAIT: Duration = Duration::from_secs(3600);
/// The maximum number of tries for a change: three days of them. Tries are counted instead of time, so that a
/// clock that was set forward loses nothing; tampering is never given up.
pub(super) const MAX_TRIES: u32 = 441;
/// The maximum number of waiting notifications, without those of tampering.
const MAX_WAITING_CHANGES: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Queue {
    items: Vec<Item>,
    /// The time until which the receiver requested no further tries.
    paused: Option<Instant>,
    /// The notification that is being delivered.
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    id: String,
    priority: Priority,
    dedup_key: String,
}

impl Queue {
    /// Returns whether a notification of tampering of the same topic is waiting or being delivered. The first
    /// notification of a finding stays.
    pub fn has_finding(&self, notification: &Notification) -> bool {
        let is_under_way = self.under_way.as_ref().is_some_and(|own| {
            (own.priority, &own.dedup_key) == (notification.priority, &notification.dedup_key)
        });
        let is_told = is_under_way || self.same(notification).is_some();
        notification.priority == Priority::Tampering && is_told
    }

    /// Returns whether the notification with this id is waiting or being delivered.
    pub fn has_id(&self, id: &str) -> bool {
        let under_way = self.under_way.iter().map(|own| &own.id);
        let waiting = self.items.iter().map(|item| &item.kept.notification.id);
        under_way.chain(waiting).any(|own| own == id)
    }

    /// Adds a notification. Returns the notifications that it replaces or displaces.
    pub fn add(&mut self, kept: Kept, now: Instant) -> Vec<Gone> {
        let mut gone = Vec::new();
        let mut item = Item::new(kept, now);
        if item.is_change() {
            if let Some(index) = self.same(&item.kept.notification) {
                let replaced = self.items.remove(index);
                item.replace(&replaced);
                gone.push(Gone::Replaced(replaced.kept));
            }
        }
        self.items.push(item);
        if self.items.iter().filter(|item| item.is_change()).count() > MAX_WAITING_CHANGES {
            if let Some(oldest) = self.items.iter().position(Item::is_change) {
                gone.push(Gone::GivenUp(self.items.remove(oldest).kept));
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
        let is_outdated = |item: &Item| item.is_change() && item.is_of_subject(notification);
        let items = std::mem::take(&mut self.items);
        let (outdated, rest) = items.into_iter().partition(is_outdated);
        self.items = rest;
        let outdated: Vec<Item> = outdated;
        let outdated = outdated.into_iter();
        outdated.map(|item| Gone::Replaced(item.kept)).collect()
    }

    fn same(&self, notification: &Notification) -> Option<usize> {
        self.items
            .iter()
            .position(|item| item.is_about(notification))
    }

    /// Takes the due notification: tampering first, then the oldest; none while the receiver has requested a
    /// pause.
    pub fn take_due(&mut self, now: Instant) -> Option<Item> {
        if self.is_paused(now) {
            return None;
        }
        let due = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.due <= now);
        let first =
            due.min_by_key(|(_, item)| (item.kept.notification.priority, item.kept.sequence));
        let index = first.map(|(index, _)| index)?;
        let item = self.items.remove(index);
        let own = &item.kept.notification;
        self.under_way = Some(UnderWay {
            id: own.id.clone(),
            priority: own.priority,
            dedup_key: own.dedup_key.clone(),
        });
        Some(item)
    }

    /// Records that the current notification was delivered.
    pub fn delivered(&mut self) {
        self.under_way = None;
    }

    /// Puts a notification back after a failed try. `asked` is the pause that the receiver requested, `luck` a
    /// number from 0 to 1. Returns what leaves the queue: this notification, or one of the same topic that came
    /// meanwhile.
    pub fn put_back(
        &mut self,
        mut item: Item,
        asked: Option<Duration>,
        luck: f64,
        now: Instant,
    ) -> Option<Gone> {
        self.under_way = None;
        let asked = asked.unwrap_or_default().min(MAX_REQUESTED_WAIT);
        self.paused = (!asked.is_zero()).then(|| now + asked);
        item.tries = item.tries.saturating_add(1);
        item.own_tries = item.own_tries.saturating_add(1);
        item.due = now + asked.max(wait(item.tries, luck));
        // of tampering, each notification has content of its own
        let later = self.same(&item.kept.notification);
        if let Some(index) = later.filter(|_| item.is_change()) {
            let mut later = self.items.remove(index);
            later.replace(&item);
            self.items.push(later);
            return Some(Gone::Replaced(item.kept));
        }
        if item.own_tries >= MAX_TRIES && item.is_change() {
            return Some(Gone::GivenUp(item.kept));
        }
        self.items.push(item);
        None
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.paused.is_some_and(|until| now < until)
    }

    /// Returns the time at which the next notification is due.
    pub fn next(&self) -> Option<Instant> {
        let next = self.items.iter().map(|item| item.due).min()?;
        Some(self.paused.map_or(next, |until| until.max(next)))
    }

    /// Returns whether every due notification was tried.
    pub fn all_tried(&self, now: Instant) -> bool {
        self.is_paused(now) || self.items.iter().all(|item| item.tries > 0)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn oldest(&self) -> Option<Instant> {
        self.items.iter().map(|item| item.since).min()
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
mod tests {
    use super::*;

    fn kept(sequence: u64, priority: Priority, dedup_key: &str) -> Kept {
        Kept {
            sequence,
            notification: Notification {
                id: sequence.to_string(),
                priority,
                dedup_key: dedup_key.into(),
                body: "{}".into(),
            },
        }
    }

    #[test]
    fn tampering_goes_first_and_then_the_oldest() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for (sequence, priority) in [
            (0, Priority::Change),
            (1, Priority::Change),
            (2, Priority::Tampering),
        ] {
            assert!(
                queue
                    .add(kept(sequence, priority, &sequence.to_string()), now)
                    .is_empty()
            );
        }
        let order: Vec<u64> = std::iter::from_fn(|| queue.take_due(now))
            .map(|item| item.kept.sequence)
            .collect();
        assert_eq!(order, [2, 0, 1]);
    }

    #[test]
    fn a_finding_drops_later_changes_of_its_database() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let of = |sequence, priority, dedup_key: &str, database: &str| {
            let mut kept = kept(sequence, priority, dedup_key);
            kept.notification.body = format!("{{\"db\":\"{database}\"}}");
            kept
        };
        queue.add(of(0, Priority::Tampering, "shop finding", "shop"), now);
        queue.add(of(1, Priority::Change, "shop", "shop"), now);
        queue.add(of(2, Priority::Change, "bank", "bank"), now);
        queue.add(of(3, Priority::Change, "untrusted", ""), now);
        queue.add(of(4, Priority::Change, "reachability", ""), now);
        let mut gone = |kept: Kept| {
            let gone = queue.take_outdated(&kept.notification);
            gone.iter()
                .map(|gone| gone.kept().sequence)
                .collect::<Vec<_>>()
        };
        assert_eq!(gone(of(5, Priority::Change, "bank", "bank")), []);
        assert_eq!(
            gone(of(5, Priority::Tampering, "shop finding", "shop")),
            [1]
        );
        assert_eq!(gone(of(6, Priority::Tampering, "untrusted", "")), [3]);
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn repeats_of_one_database_are_folded_to_the_last_change_and_the_first_finding() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(kept(0, Priority::Change, "a"), now);
        let gone = queue.add(kept(1, Priority::Change, "a"), now);
        assert_eq!(
            gone.iter()
                .map(|gone| gone.kept().sequence)
                .collect::<Vec<_>>(),
            [0]
        );
        queue.add(kept(2, Priority::Tampering, "a"), now);
        assert!(queue.has_finding(&kept(3, Priority::Tampering, "a").notification));
        assert!(!queue.has_finding(&kept(3, Priority::Tampering, "b").notification));
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn a_change_is_given_up_after_three_days_but_tampering_never_is() {
        let now = Instant::now();
        for (priority, ends) in [(Priority::Change, true), (Priority::Tampering, false)] {
            let mut queue = Queue::default();
            queue.add(kept(0, priority, "a"), now);
            let (mut at, mut given_up) = (now, false);
            for _ in 0..MAX_TRIES {
                let Some(item) = queue.take_due(at) else {
                    break;
                };
                given_up = queue.put_back(item, None, 0.0, at).is_some();
                at = queue.next().unwrap_or(at);
            }
            assert_eq!(given_up, ends);
            assert!(
                at - now > Duration::from_secs(3 * 24 * 3600 - 3600),
                "{:?}",
                at - now
            );
        }
    }

    #[test]
    fn a_receiver_may_ask_for_an_hour_and_no_more() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(kept(0, Priority::Change, "a"), now);
        let item = queue.take_due(now).unwrap();
        queue.put_back(item, Some(Duration::from_secs(999_999)), 0.5, now);
        assert_eq!(queue.next(), Some(now + MAX_REQUESTED_WAIT));
    }

    #[test]
    fn the_queue_is_limited_except_for_tampering() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for n in 0..3000 {
            queue.add(kept(n, Priority::Change, &n.to_string()), now);
            queue.add(kept(10_000 + n, Priority::Tampering, &n.to_string()), now);
        }
        assert_eq!(queue.len(), MAX_WAITING_CHANGES + 3000);
        queue.take_due(now).unwrap();
    }

    /// Makes one try fail.
    fn fail(queue: &mut Queue, at: Instant, asked: Option<Duration>) -> Option<Gone> {
        let item = queue.take_due(at).unwrap();
        queue.put_back(item, asked, 0.0, at)
    }

    #[test]
    fn a_change_that_replaces_another_keeps_its_age_its_tries_and_its_waiting_time() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(kept(0, Priority::Change, "a"), now);
        let mut at = now;
        for _ in 0..12 {
            assert!(fail(&mut queue, at, None).is_none());
            at = queue.next().unwrap();
        }
        let due = queue.next();
        let gone = queue.add(kept(1, Priority::Change, "a"), at);
        assert!(!gone[0].is_loss());
        assert_eq!((queue.oldest(), queue.next()), (Some(now), due));
        let item = queue.take_due(at).unwrap();
        assert_eq!((item.kept.sequence, item.tries), (1, 12));
        // a notification that replaces another during its try continues its retry schedule
        queue.add(kept(2, Priority::Change, "a"), at);
        let gone = queue.put_back(item, None, 0.0, at).unwrap();
        assert_eq!((gone.kept().sequence, gone.is_loss()), (1, false));
        let expected = (Some(now), Some(at + RETRY_WAITS.1));
        assert_eq!((queue.oldest(), queue.next()), expected);
    }

    #[test]
    fn the_last_change_is_tried_for_three_days_though_earlier_ones_were() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(kept(0, Priority::Change, "a"), now);
        let mut at = now;
        for _ in 0..MAX_TRIES - 1 {
            assert!(fail(&mut queue, at, None).is_none());
            at = queue.next().unwrap();
        }
        queue.add(kept(1, Priority::Change, "a"), at);
        for _ in 0..MAX_TRIES - 1 {
            assert!(fail(&mut queue, at, None).is_none());
            at = queue.next().unwrap();
        }
        assert!(fail(&mut queue, at, None).unwrap().is_loss());
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_receiver_that_asks_for_a_pause_gets_nothing_during_it() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for n in 0..30 {
            queue.add(kept(n, Priority::Change, &n.to_string()), now);
        }
        fail(&mut queue, now, Some(Duration::from_secs(100)));
        queue.add(kept(99, Priority::Tampering, "b"), now);
        let end = now + Duration::from_secs(100);
        assert!(queue.all_tried(now));
        assert!(queue.take_due(end - Duration::from_millis(1)).is_none());
        assert_eq!(queue.next(), Some(end));
        assert!(!queue.all_tried(end));
        // at that time one is tried, tampering first
        assert_eq!(queue.take_due(end).unwrap().kept.sequence, 99);
    }

    #[test]
    fn a_finding_in_delivery_is_not_sent_again() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let again = kept(1, Priority::Tampering, "a").notification;
        queue.add(kept(0, Priority::Tampering, "a"), now);
        let item = queue.take_due(now).unwrap();
        assert!(queue.has_finding(&again));
        queue.put_back(item, None, 0.0, now);
        assert!(queue.has_finding(&again));
        queue.take_due(now + RETRY_WAITS.1).unwrap();
        queue.delivered();
        assert!(!queue.has_finding(&again));
    }

    /// Tests one check a minute, each with a notification, and a finding on the third day.
    #[test]
    fn a_receiver_that_is_down_for_a_week_is_retried_every_ten_minutes() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        let week = 7 * 24 * 60;
        let (mut tries, mut lost) = (0, 0);
        for minute in 0..week {
            let now = start + Duration::from_secs(60 * minute);
            queue.add(kept(minute, Priority::Change, "a"), now);
            if minute == 2 * 24 * 60 {
                queue.add(kept(1_000_000, Priority::Tampering, "finding"), now);
            }
            while let Some(item) = queue.take_due(now) {
                tries += 1;
                let gone = queue.put_back(item, None, 0.5, now);
                lost += u32::from(gone.is_some_and(|gone| gone.is_loss()));
            }
        }
        let end = start + Duration::from_secs(60 * week);
        assert_eq!(queue.oldest(), Some(start));
        assert_eq!(lost, 0);
        println!("{tries} tries in a week");
        assert!((1_500..=2_500).contains(&tries), "{tries}");
        let end = end + RETRY_WAITS.1;
        let arrived: Vec<u64> = std::iter::from_fn(|| queue.take_due(end))
            .map(|item| item.kept.sequence)
            .collect();
        assert_eq!(arrived, [1_000_000, week - 1]);
    }
}
