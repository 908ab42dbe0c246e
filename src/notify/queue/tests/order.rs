//! Tests of the order of changes about the same databases.

use super::*;

#[test]
fn a_change_waits_for_an_earlier_one_about_its_database() {
    for is_summary_first in [false, true] {
        let (mut queue, now) = (Queue::default(), self::now());
        let both = |sequence| summary(sequence, "consistent", "", &["shop", "bank"]);
        let one = |sequence| about(sequence, Priority::Change, "shop");
        let (first, second) = match is_summary_first {
            true => (both(0), one(1)),
            false => (one(0), both(1)),
        };
        queue.add(first, now);
        assert!(fail(&mut queue, now, None).is_none());
        queue.add(second, now);
        queue.add(kept(2, Priority::Change, "untrusted"), now);
        queue.add(about(3, Priority::Tampering, "mail"), now);
        // tampering and another topic do not wait, and the thread sleeps until the first one is due
        assert!(!queue.all_tried(now));
        assert_eq!(taken(&mut queue, now), [3, 2]);
        assert!(queue.all_tried(now));
        let due = now + RETRY_WAITS.0;
        assert_eq!(queue.next(), Some(due));
        assert_eq!(taken(&mut queue, due), [0, 1]);
    }
}

/// Lets the receiver refuse the next notification that is due, which must be this one.
fn refuse(queue: &mut Queue, at: Instant, sequence: u64) {
    let item = queue.take_due(at).unwrap();
    assert_eq!(item.kept.sequence, sequence);
    let failed = FailedTry {
        is_refusal: true,
        ..FailedTry::default()
    };
    assert!(queue.put_back(item, failed, 0.0, at).is_none());
}

#[test]
fn a_change_that_is_always_refused_delays_no_later_one_for_long() {
    let (mut queue, mut at) = (Queue::default(), now());
    queue.add(summary(0, "unreachable", "", &["shop", "bank"]), at);
    queue.add(about(1, Priority::Change, "shop"), at);
    queue.add(about(2, Priority::Change, "bank"), at);
    queue.add(summary(3, "consistent", "", &["shop", "mail"]), at);
    for _ in 1..MAX_HOLDING_REFUSALS {
        refuse(&mut queue, at, 0);
        assert!(queue.take_due(at).is_none() && queue.all_tried(at));
        at = queue.next().unwrap();
    }
    // each round begins with the earliest one
    for _ in 0..2 {
        for sequence in [0, 1, 2] {
            refuse(&mut queue, at, sequence);
        }
        // it waits for the changes of one database, which were not refused often yet
        assert!(queue.take_due(at).is_none());
        assert!(queue.next().unwrap() > at);
        at = queue.next().unwrap();
    }
    // the receiver refuses only the first one
    refuse(&mut queue, at, 0);
    assert_eq!(taken(&mut queue, at), [1, 2, 3]);
    assert_eq!(queue.len(), 1);
}

#[test]
fn the_order_stays_if_the_receiver_is_unreachable_for_long() {
    let (mut queue, mut at) = (Queue::default(), now());
    queue.add(summary(0, "unreachable", "", &["shop", "bank"]), at);
    queue.add(about(1, Priority::Change, "shop"), at);
    for _ in 0..20 {
        assert!(fail(&mut queue, at, None).is_none());
        assert!(queue.take_due(at).is_none());
        at = queue.next().unwrap();
    }
    assert_eq!(taken(&mut queue, at), [0, 1]);
}

/// A scheduled job tries each notification once in each of its runs.
#[test]
fn a_change_of_an_earlier_run_that_is_refused_again_does_not_delay_the_others() {
    let (mut queue, now) = (Queue::default(), now());
    let left = || {
        let mut summary = summary(0, "unreachable", "", &["shop", "bank"]);
        let run_at = "{\"run_at\":\"2026-11-30T12:00:00Z\",";
        summary.notification.body = summary.notification.body.replacen('{', run_at, 1);
        vec![summary, about(1, Priority::Change, "shop")]
    };
    let at = |time: &str| time.parse::<Timestamp>().unwrap();
    assert!(
        queue
            .load(left(), now, at("2026-11-30T13:00:01Z"))
            .is_empty()
    );
    refuse(&mut queue, now, 0);
    assert!(!queue.all_tried(now));
    assert_eq!(taken(&mut queue, now), [1]);
    // a recent one may be refused by chance
    let mut queue = Queue::default();
    assert!(
        queue
            .load(left(), now, at("2026-11-30T12:30:00Z"))
            .is_empty()
    );
    refuse(&mut queue, now, 0);
    assert!(queue.take_due(now).is_none());
}

#[test]
fn a_change_that_is_always_refused_does_not_delay_tampering() {
    let (mut queue, mut at) = (Queue::default(), now());
    queue.add(about(0, Priority::Change, "shop"), at);
    for _ in 0..12 {
        refuse(&mut queue, at, 0);
        at = queue.next().unwrap();
    }
    refuse(&mut queue, at, 0);
    queue.add(about(1, Priority::Tampering, "bank"), at);
    for wait in [1, 2, 4] {
        refuse(&mut queue, at, 1);
        assert_eq!(queue.next(), Some(at + Duration::from_secs(wait)));
        at = queue.next().unwrap();
    }
}

/// The state of a receiver, which changes only between two moments.
#[derive(Clone, Copy, Debug)]
enum Receiver {
    Accepts,
    Refuses,
    RequestsPause,
    IsUnreachable,
}

#[test]
fn changes_about_the_same_databases_arrive_in_their_order() {
    let mut state: u64 = 7;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut delivered_in_all = 0;
    for _ in 0..200 {
        let (mut queue, mut at) = (Queue::default(), now());
        let mut delivered: Vec<Item> = Vec::new();
        for sequence in 0..30 {
            let kept = match draw(4) {
                0 => summary(sequence, "unreachable", "", &["shop", "bank"]),
                1 => summary(sequence, "consistent", "", &["shop", "mail"]),
                2 => about(sequence, Priority::Change, "bank"),
                _ => about(sequence, Priority::Change, "shop"),
            };
            queue.add(kept, at);
            let receiver = match draw(5) {
                0 => Receiver::Accepts,
                1 | 2 => Receiver::Refuses,
                3 => Receiver::RequestsPause,
                _ => Receiver::IsUnreachable,
            };
            for _ in 0..draw(6) {
                while let Some(item) = queue.take_due(at) {
                    let failed = match receiver {
                        Receiver::Accepts => {
                            queue.delivered();
                            delivered.push(item);
                            continue;
                        }
                        Receiver::Refuses => (None, true),
                        Receiver::RequestsPause => (Some(Duration::from_secs(2)), true),
                        Receiver::IsUnreachable => (None, false),
                    };
                    let (requested_wait, is_refusal) = failed;
                    let failed = FailedTry {
                        requested_wait,
                        is_refusal,
                    };
                    queue.put_back(item, failed, 0.0, at);
                }
                at = queue.next().map_or(at, |next| next.max(at));
            }
        }
        for (index, later) in delivered.iter().enumerate() {
            let is_related = |earlier: &&Item| {
                earlier.subject == later.subject
                    || earlier.summary.is_some() != later.summary.is_some()
            };
            let before = delivered[..index].iter().filter(is_related);
            let sequences: Vec<u64> = before.map(|item| item.kept.sequence).collect();
            let own = later.kept.sequence;
            assert!(sequences.iter().all(|of| *of < own), "{sequences:?} {own}");
        }
        delivered_in_all += delivered.len();
    }
    assert!(delivered_in_all > 500, "{delivered_in_all}");
}
