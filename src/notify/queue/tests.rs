//! Tests of the order of notifications, of retries, and of replaced and displaced notifications.

mod order;

use super::*;
use crate::clock::Clock;

fn now() -> Instant {
    Clock::system().instant()
}

fn kept(sequence: u64, priority: Priority, dedup_key: &str) -> Kept {
    Kept {
        sequence,
        notification: Notification {
            id: sequence.to_string(),
            priority,
            dedup_key: dedup_key.into(),
            body: "{}".into(),
        },
        is_stored: true,
    }
}

#[test]
fn tampering_goes_first_and_then_the_oldest() {
    let (mut queue, now) = (Queue::default(), self::now());
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
    let (mut queue, now) = (Queue::default(), self::now());
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
    let (mut queue, now) = (Queue::default(), self::now());
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
    let now = self::now();
    for (priority, ends) in [(Priority::Change, true), (Priority::Tampering, false)] {
        let mut queue = Queue::default();
        queue.add(kept(0, priority, "a"), now);
        let (mut at, mut given_up) = (now, false);
        for _ in 0..MAX_TRIES {
            let Some(item) = queue.take_due(at) else {
                break;
            };
            given_up = queue
                .put_back(item, FailedTry::default(), 0.0, at)
                .is_some();
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
    let (mut queue, now) = (Queue::default(), self::now());
    queue.add(kept(0, Priority::Change, "a"), now);
    let item = queue.take_due(now).unwrap();
    queue.put_back(item, pause(Some(Duration::from_secs(999_999))), 0.5, now);
    assert_eq!(queue.next(), Some(now + MAX_REQUESTED_WAIT));
}

#[test]
fn the_queue_is_limited_except_for_tampering() {
    let (mut queue, now) = (Queue::default(), self::now());
    for n in 0..3000 {
        queue.add(kept(n, Priority::Change, &n.to_string()), now);
        queue.add(kept(10_000 + n, Priority::Tampering, &n.to_string()), now);
    }
    assert_eq!(queue.len(), MAX_WAITING_CHANGES + 3000);
    queue.take_due(now).unwrap();
}

/// Makes one try fail.
fn pause(requested_wait: Option<Duration>) -> FailedTry {
    FailedTry {
        requested_wait,
        ..FailedTry::default()
    }
}

fn fail(queue: &mut Queue, at: Instant, asked: Option<Duration>) -> Option<Gone> {
    let item = queue.take_due(at).unwrap();
    queue.put_back(item, pause(asked), 0.0, at)
}

#[test]
fn a_change_that_replaces_another_keeps_its_age_its_tries_and_its_waiting_time() {
    let (mut queue, now) = (Queue::default(), self::now());
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
    let gone = queue.put_back(item, FailedTry::default(), 0.0, at).unwrap();
    assert_eq!((gone.kept().sequence, gone.is_loss()), (1, false));
    let expected = (Some(now), Some(at + RETRY_WAITS.1));
    assert_eq!((queue.oldest(), queue.next()), expected);
}

#[test]
fn the_last_change_is_tried_for_three_days_though_earlier_ones_were() {
    let (mut queue, now) = (Queue::default(), self::now());
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
    let (mut queue, now) = (Queue::default(), self::now());
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
    let (mut queue, now) = (Queue::default(), self::now());
    let again = kept(1, Priority::Tampering, "a").notification;
    queue.add(kept(0, Priority::Tampering, "a"), now);
    let item = queue.take_due(now).unwrap();
    assert!(queue.has_finding(&again));
    queue.put_back(item, FailedTry::default(), 0.0, now);
    assert!(queue.has_finding(&again));
    queue.take_due(now + RETRY_WAITS.1).unwrap();
    queue.delivered();
    assert!(!queue.has_finding(&again));
}

/// Tests one check a minute, each with a notification, and a finding on the third day.
#[test]
fn a_receiver_that_is_down_for_a_week_is_retried_every_ten_minutes() {
    let (mut queue, start) = (Queue::default(), now());
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
            let gone = queue.put_back(item, FailedTry::default(), 0.5, now);
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

/// Returns a notification about a database.
fn about(sequence: u64, priority: Priority, database: &str) -> Kept {
    let mut kept = kept(sequence, priority, &format!("{priority:?} {database}"));
    kept.notification.body = format!("{{\"db\":\"{database}\"}}");
    kept
}

#[test]
fn a_change_that_fails_after_a_finding_of_its_database_came_is_not_tried_again() {
    let (mut queue, now) = (Queue::default(), self::now());
    queue.add(about(0, Priority::Change, "shop"), now);
    let item = queue.take_due(now).unwrap();
    queue.add(about(1, Priority::Tampering, "shop"), now);
    let gone = queue
        .put_back(item, FailedTry::default(), 0.0, now)
        .unwrap();
    assert_eq!((gone.kept().sequence, gone.is_loss()), (0, false));
    // a change after the finding, or of another database, is tried again
    assert!(fail(&mut queue, now, None).is_none());
    for database in ["shop", "bank"] {
        queue.add(about(2, Priority::Change, database), now);
        assert!(fail(&mut queue, now, None).is_none(), "{database}");
    }
    assert_eq!(queue.len(), 3);
}

#[test]
fn a_process_that_was_killed_leaves_no_change_that_a_finding_outdates() {
    let (mut queue, now) = (Queue::default(), self::now());
    let left = vec![
        about(0, Priority::Change, "shop"),
        about(1, Priority::Change, "bank"),
        about(2, Priority::Tampering, "shop"),
        about(3, Priority::Change, "shop"),
    ];
    let gone = queue.load(left, now, Timestamp::from_unix(0));
    let gone: Vec<(u64, bool)> = gone
        .iter()
        .map(|gone| (gone.kept().sequence, gone.is_loss()))
        .collect();
    assert_eq!(gone, [(0, false)]);
    assert_eq!(queue.len(), 3);
}

#[test]
fn the_oldest_change_is_given_up_although_its_last_try_is_the_latest() {
    let (mut queue, now) = (Queue::default(), self::now());
    let all = u64::try_from(MAX_WAITING_CHANGES).unwrap();
    for sequence in 0..all {
        queue.add(kept(sequence, Priority::Change, &sequence.to_string()), now);
    }
    assert!(fail(&mut queue, now, None).is_none());
    let gone = queue.add(kept(all, Priority::Change, "last"), now);
    assert_eq!(gone.len(), 1);
    assert_eq!((gone[0].kept().sequence, gone[0].is_loss()), (0, true));
}

#[test]
fn a_notification_that_is_being_delivered_counts_by_its_age() {
    let (mut queue, now) = (Queue::default(), self::now());
    queue.add(kept(0, Priority::Change, "a"), now);
    queue.take_due(now).unwrap();
    queue.add(
        kept(1, Priority::Change, "a"),
        now + Duration::from_secs(10),
    );
    assert_eq!(queue.oldest(), Some(now));
    queue.delivered();
    assert_eq!(queue.oldest(), Some(now + Duration::from_secs(10)));
}

/// Returns a summary about several databases.
fn summary(sequence: u64, verdict: &str, reason: &str, databases: &[&str]) -> Kept {
    let mut kept = kept(sequence, Priority::Change, "reachability");
    let names: Vec<String> = databases.iter().map(|name| format!("\"{name}\"")).collect();
    kept.notification.body = format!(
        "{{\"db\":\"\",\"verdict\":\"{verdict}\",\"reason\":\"{reason}\",\"database_count\":{},\"databases\":[{}]}}",
        names.len(),
        names.join(",")
    );
    kept
}

/// Returns the sequences of the due notifications, in the order of their delivery.
fn taken(queue: &mut Queue, at: Instant) -> Vec<u64> {
    let due = std::iter::from_fn(|| queue.take_due(at));
    due.map(|item| item.kept.sequence).collect()
}

#[test]
fn a_summary_is_replaced_only_by_one_about_the_same_databases() {
    let (mut queue, now) = (Queue::default(), self::now());
    let gone = |gone: Vec<Gone>| {
        gone.iter()
            .map(|gone| gone.kept().sequence)
            .collect::<Vec<_>>()
    };
    let (away, back) = ("unreachable", "consistent");
    let others = "2 of 4 databases unreachable (a, b): late; 2 databases reachable again (c, d)";
    assert_eq!(gone(queue.add(summary(0, away, "", &["a", "b"]), now)), []);
    assert_eq!(gone(queue.add(summary(1, back, "", &["c", "d"]), now)), []);
    assert_eq!(gone(queue.add(summary(2, back, "", &["a", "b"]), now)), [0]);
    assert_eq!(
        gone(queue.add(summary(3, away, others, &["a", "b"]), now)),
        []
    );
    assert_eq!(gone(queue.add(summary(4, back, "", &["a", "b"]), now)), [2]);
    assert_eq!(taken(&mut queue, now), [1, 3, 4]);
}
