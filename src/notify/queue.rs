//! What one receiver is due, in which order, and how long to wait after a failure. Pure: times are given.

use std::time::{Duration, Instant};

use super::notification::{Notification, Rank};
use super::outbox::Kept;

/// The first wait after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// The longest wait that a receiver may ask for.
const LONGEST: Duration = Duration::from_secs(3600);
/// Tries before a notification is given up: three days of them. By attempts, not by the clock, so
/// that a clock that was put forward loses nothing; tampering is never given up.
pub(super) const TRIES: u32 = 441;
/// Notifications that wait at most, those of tampering not counted.
const MOST: usize = 1000;

/// One notification that waits.
#[derive(Debug)]
pub(super) struct Item {
    pub kept: Kept,
    pub tries: u32,
    pub due: Instant,
    pub since: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Queue(Vec<Item>);

impl Queue {
    /// Does another of the same topic tell it already? Then the first of a finding stays, and of a
    /// change the last. Answers what is let go: the new one itself, or one that waited.
    pub fn tells(&self, notification: &Notification) -> bool {
        notification.rank == Rank::Tampering && self.same(notification).is_some()
    }

    /// Adds one; answers those that it folds or displaces.
    pub fn add(&mut self, kept: Kept, now: Instant) -> Vec<Kept> {
        let mut gone = Vec::new();
        if kept.notification.rank == Rank::Change {
            if let Some(index) = self.same(&kept.notification) {
                gone.push(self.0.remove(index).kept);
            }
        }
        self.0.push(Item {
            kept,
            tries: 0,
            due: now,
            since: now,
        });
        let changes = |item: &Item| item.kept.notification.rank == Rank::Change;
        if self.0.iter().filter(|item| changes(item)).count() > MOST {
            if let Some(oldest) = self.0.iter().position(changes) {
                gone.push(self.0.remove(oldest).kept);
            }
        }
        gone
    }

    fn same(&self, notification: &Notification) -> Option<usize> {
        let is_same = |item: &Item| {
            let other = &item.kept.notification;
            (other.rank, &other.topic) == (notification.rank, &notification.topic)
        };
        self.0.iter().position(is_same)
    }

    /// Takes the one that is due: tampering first, then the oldest.
    pub fn take_due(&mut self, now: Instant) -> Option<Item> {
        let due = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, item)| item.due <= now);
        let first = due.min_by_key(|(_, item)| (item.kept.notification.rank, item.kept.sequence));
        let index = first.map(|(index, _)| index)?;
        Some(self.0.remove(index))
    }

    /// Puts one back after a failed try; `Some`: it is given up. `luck` is from 0 to 1.
    pub fn put_back(
        &mut self,
        mut item: Item,
        asked: Option<Duration>,
        luck: f64,
        now: Instant,
    ) -> Option<Kept> {
        item.tries += 1;
        if item.tries >= TRIES && item.kept.notification.rank == Rank::Change {
            return Some(item.kept);
        }
        item.due = now
            + asked
                .unwrap_or_default()
                .min(LONGEST)
                .max(wait(item.tries, luck));
        // one of the same topic may have come meanwhile
        if self.same(&item.kept.notification).is_some() {
            return Some(item.kept);
        }
        self.0.push(item);
        None
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().map(|item| item.due).min()
    }

    /// Has each been tried?
    pub fn all_tried(&self) -> bool {
        self.0.iter().all(|item| item.tries > 0)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn oldest(&self) -> Option<Instant> {
        self.0.iter().map(|item| item.since).min()
    }
}

/// Twice as long after each try, and up to half of it left to luck, so that auditors of many servers
/// do not come back all at once.
fn wait(tries: u32, luck: f64) -> Duration {
    let doubled = WAITS
        .0
        .saturating_mul(2u32.saturating_pow(tries.saturating_sub(1)));
    doubled
        .min(WAITS.1)
        .mul_f64(1.0 - luck.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(sequence: u64, rank: Rank, topic: &str) -> Kept {
        Kept {
            sequence,
            notification: Notification {
                id: sequence.to_string(),
                rank,
                topic: topic.into(),
                body: "{}".into(),
            },
        }
    }

    #[test]
    fn tampering_goes_first_and_then_the_oldest() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for (sequence, rank) in [(0, Rank::Change), (1, Rank::Change), (2, Rank::Tampering)] {
            assert!(
                queue
                    .add(kept(sequence, rank, &sequence.to_string()), now)
                    .is_empty()
            );
        }
        let order: Vec<u64> = std::iter::from_fn(|| queue.take_due(now))
            .map(|item| item.kept.sequence)
            .collect();
        assert_eq!(order, [2, 0, 1]);
    }

    #[test]
    fn repeats_of_one_database_are_folded_to_the_last_change_and_the_first_finding() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(kept(0, Rank::Change, "a"), now);
        let gone = queue.add(kept(1, Rank::Change, "a"), now);
        assert_eq!(
            gone.iter().map(|kept| kept.sequence).collect::<Vec<_>>(),
            [0]
        );
        queue.add(kept(2, Rank::Tampering, "a"), now);
        assert!(queue.tells(&kept(3, Rank::Tampering, "a").notification));
        assert!(!queue.tells(&kept(3, Rank::Tampering, "b").notification));
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn a_change_is_given_up_after_three_days_of_tries_and_tampering_never() {
        let now = Instant::now();
        for (rank, ends) in [(Rank::Change, true), (Rank::Tampering, false)] {
            let mut queue = Queue::default();
            queue.add(kept(0, rank, "a"), now);
            let (mut at, mut given_up) = (now, false);
            for _ in 0..TRIES {
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
        queue.add(kept(0, Rank::Change, "a"), now);
        let item = queue.take_due(now).unwrap();
        queue.put_back(item, Some(Duration::from_secs(999_999)), 0.5, now);
        assert_eq!(queue.next(), Some(now + LONGEST));
    }

    #[test]
    fn what_waits_is_bounded_but_for_tampering() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for n in 0..3000 {
            queue.add(kept(n, Rank::Change, &n.to_string()), now);
            queue.add(kept(10_000 + n, Rank::Tampering, &n.to_string()), now);
        }
        assert_eq!(queue.len(), MOST + 3000);
        queue.take_due(now).unwrap();
    }
}
