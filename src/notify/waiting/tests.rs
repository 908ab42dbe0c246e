//! Tests of which notifications are repeats of those that wait.

use std::path::{Path, PathBuf};

use super::*;
use crate::clock::Clock;
use crate::notify::notification::{Priority, dedup_key};
use crate::notify::record::tests::alarm as alarm_of;

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

fn now() -> Instant {
    Clock::system().instant()
}

fn alarm(reason: &str, opened: u64) -> Alarm {
    alarm_of("db", reason, opened)
}

fn key() -> ReceiverKey {
    ReceiverKey::of_name("down")
}

/// A receiver that is down, and its directory.
struct Down {
    directory: PathBuf,
    receiver: ReceiverStats,
    waiting: Waiting,
}

impl Down {
    fn new(name: &str) -> Down {
        let name = format!("immuaudit-waiting-{name}-{}", std::process::id());
        Down::at(&std::env::temp_dir().join(name))
    }

    /// Opens the directory, as the next process does.
    fn at(directory: &Path) -> Down {
        let receiver = ReceiverStats::new("down");
        let open = OpenAlarms::default();
        Down {
            directory: directory.to_owned(),
            waiting: Waiting::start(directory, &key(), &receiver, &open, &Clock::system()),
            receiver,
        }
    }

    fn outbox(&self) -> PathBuf {
        self.directory.join(DIRECTORY).join(key().to_string())
    }

    /// Enqueues the notification of the first of these alarms, and notes all of them.
    fn of_alarms(&mut self, alarms: &[Alarm]) {
        let notification = Notification::of_alarm("s", &alarms[0], alarms.len() - 1);
        self.enqueue(notification, Noted::Alarms(alarms));
    }

    fn enqueue(&mut self, notification: Notification, noted: Noted) {
        assert!(self.is_stored(notification, noted));
    }

    /// Enqueues a notification. Returns whether it is on disk.
    fn is_stored(&mut self, notification: Notification, noted: Noted) -> bool {
        let waiting = &mut self.waiting;
        waiting.enqueue(&self.receiver, notification, noted, now())
    }

    /// Makes one try of each notification fail. Returns the number of those that still wait.
    fn fail(&mut self) -> usize {
        let now = now();
        let items: Vec<Item> = std::iter::from_fn(|| self.waiting.queue.take_due(now)).collect();
        for item in items {
            self.waiting
                .put_back(&self.receiver, item, FailedTry::default(), 0.0, now);
        }
        self.waiting.queue.len()
    }
}

impl Drop for Down {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn an_alarm_that_opens_with_one_whose_notification_waits_is_sent() {
    let mut down = Down::new("second");
    down.of_alarms(&[alarm("one", 10)]);
    // the first alarm is closed, and opens again together with another one
    down.of_alarms(&[alarm("one", 20), alarm("two", 20)]);
    assert_eq!(down.waiting.queue.len(), 2);
    // tries that fail replace none of them
    assert_eq!(down.fail(), 2);
    // one check after another repeats what both report
    down.of_alarms(&[alarm("one", 20), alarm("two", 20)]);
    let repeated = Notification::of_alarm("s", &alarm("one", 20), 0);
    down.enqueue(repeated, Noted::Nothing);
    assert_eq!(down.waiting.queue.len(), 2);
}

/// The record is written after the notification. A kill in between leaves the alarm unrecorded.
#[test]
fn a_notification_that_a_killed_process_left_is_not_sent_twice_and_hides_no_other_alarm() {
    let mut down = Down::new("killed");
    down.of_alarms(&[alarm("one", 10)]);
    std::fs::remove_dir_all(down.directory.join(super::super::record::DIRECTORY)).unwrap();
    let mut next = Down::at(&down.directory);
    assert_eq!(next.waiting.queue.len(), 1);
    next.of_alarms(&[alarm("one", 10)]);
    assert_eq!(next.waiting.queue.len(), 1);
    assert!(next.waiting.record.has_alarm(&alarm("one", 10)));
    next.of_alarms(&[alarm("one", 10), alarm("two", 10)]);
    assert_eq!(next.waiting.queue.len(), 2);
}

#[test]
fn a_later_list_of_untrusted_databases_is_sent_too() {
    let mut down = Down::new("untrusted");
    let of = |id: &str, body: &str| Notification {
        id: id.into(),
        priority: Priority::Tampering,
        dedup_key: "topic".into(),
        body: body.into(),
    };
    for id in ["first", "first", "second"] {
        down.enqueue(of(id, "{\"db\":\"\"}"), Noted::Id);
    }
    assert_eq!(down.waiting.queue.len(), 2);
    // an alarm that cannot be stored is found by each process
    for id in ["third", "fourth"] {
        let mut notification = of(id, "{\"db\":\"db\"}");
        notification.dedup_key = "alarm".into();
        down.enqueue(notification, Noted::Id);
    }
    assert_eq!(down.waiting.queue.len(), 3);
}

/// A missing directory stands for a disk that is full for a while.
#[test]
fn what_could_not_be_written_is_written_later() {
    let mut down = Down::new("full");
    let outbox = down.outbox();
    std::fs::remove_dir_all(&outbox).unwrap();
    let change = Notification {
        id: "change".into(),
        priority: Priority::Change,
        dedup_key: "other".into(),
        body: "{\"db\":\"other\"}".into(),
    };
    assert!(!down.is_stored(change, Noted::Nothing));
    let found = [alarm("one", 10)];
    for _ in 0..2 {
        // a repeated finding is not recorded as known before its notification is on disk
        let notification = Notification::of_alarm("s", &found[0], 0);
        assert!(!down.is_stored(notification, Noted::Alarms(&found)));
        assert!(!down.waiting.record.has_alarm(&found[0]));
    }
    // nor while it is being delivered
    let item = down.waiting.queue.take_due(now()).unwrap();
    let notification = Notification::of_alarm("s", &found[0], 0);
    std::fs::create_dir(&outbox).unwrap();
    assert!(!down.is_stored(notification, Noted::Alarms(&found)));
    down.waiting
        .put_back(&down.receiver, item, FailedTry::default(), 0.0, now());
    assert!(down.waiting.store_unstored(&down.receiver, now()));
    assert_eq!(Down::at(&down.directory).waiting.queue.len(), 2);
}

/// A file in place of the directory stands for any reason why the outbox cannot be opened when the program starts.
#[test]
fn an_outbox_that_is_opened_later_has_the_earlier_notifications_first() {
    let change = |topic: &str, id: &str| Notification {
        id: id.into(),
        priority: Priority::Change,
        dedup_key: topic.into(),
        body: format!("{{\"db\":\"{topic}\"}}"),
    };
    let mut before = Down::new("unopened");
    before.enqueue(change("shop", "old"), Noted::Nothing);
    before.enqueue(change("bank", "outdated"), Noted::Nothing);
    before.of_alarms(&[alarm("one", 10)]);
    let (outbox, aside) = (before.outbox(), before.directory.join("aside"));
    std::fs::rename(&outbox, &aside).unwrap();
    std::fs::write(&outbox, "").unwrap();

    let mut down = Down::at(&before.directory);
    assert_eq!(down.waiting.queue.len(), 0);
    assert!(!down.is_stored(change("shop", "new"), Noted::Nothing));
    let found = [alarm_of("bank", "two", 20)];
    let notification = Notification::of_alarm("s", &found[0], 0);
    assert!(!down.is_stored(notification, Noted::Alarms(&found)));
    assert!(!down.waiting.store_unstored(&down.receiver, now()));
    assert_eq!(down.waiting.queue.len(), 2);

    std::fs::remove_file(&outbox).unwrap();
    std::fs::rename(&aside, &outbox).unwrap();
    assert!(down.waiting.store_unstored(&down.receiver, now()));
    let due = |down: &mut Down| -> Vec<Kept> {
        let items = std::iter::from_fn(|| down.waiting.queue.take_due(now()));
        items.map(|item| item.kept).collect()
    };
    let sent = due(&mut down);
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert!(sent[0].notification.body.contains("one"), "{sent:?}");
    assert!(sent[1].notification.body.contains("two"), "{sent:?}");
    assert_eq!(sent[2].notification.id, "new", "{sent:?}");
    // the same notifications are on disk, for the next process
    let left = due(&mut Down::at(&before.directory));
    let order = |sent: &[Kept]| -> Vec<(u64, String)> {
        let sent = sent.iter();
        sent.map(|kept| (kept.sequence, kept.notification.id.clone()))
            .collect()
    };
    assert_eq!(order(&left), order(&sent));
}

/// Tampering is delivered first, so a change before it is outdated, and one after it is not.
#[test]
fn the_order_stays_while_the_outbox_cannot_be_opened() {
    let change = |id: &str| Notification {
        id: id.into(),
        priority: Priority::Change,
        dedup_key: "shop".into(),
        body: "{\"db\":\"shop\"}".into(),
    };
    for is_change_first in [true, false] {
        let before = Down::new("unordered");
        let outbox = before.outbox();
        std::fs::remove_dir_all(&outbox).unwrap();
        std::fs::write(&outbox, "").unwrap();
        let mut down = Down::at(&before.directory);
        let found = [alarm_of("shop", "one", 10)];
        let finding = || Notification::of_alarm("s", &found[0], 0);
        let (first, second) = match is_change_first {
            true => (change("change"), finding()),
            false => (finding(), change("change")),
        };
        down.is_stored(first, Noted::Nothing);
        let item = down.waiting.queue.take_due(now()).unwrap();
        down.is_stored(second, Noted::Nothing);
        let failed = FailedTry::default();
        down.waiting
            .put_back(&down.receiver, item, failed, 0.0, now());

        std::fs::remove_file(&outbox).unwrap();
        assert!(down.waiting.store_unstored(&down.receiver, now()));
        let left = std::iter::from_fn(|| down.waiting.queue.take_due(now() + HOUR));
        let left: Vec<_> = left.map(|item| item.is_change()).collect();
        let expected = if is_change_first {
            &[false][..]
        } else {
            &[false, true]
        };
        assert_eq!(left, expected);
    }
}

#[test]
fn the_alarms_of_a_lost_notification_are_forgotten() {
    let mut down = Down::new("lost");
    let other = alarm_of("other", "one", 10);
    down.waiting
        .record
        .note_alarms(std::slice::from_ref(&other))
        .unwrap();
    down.of_alarms(&[alarm("one", 10), alarm("two", 10)]);
    let outbox = down.outbox();
    // a change about a database with an open alarm has the alarm's topic too
    let change = Notification {
        id: "change".into(),
        priority: Priority::Change,
        dedup_key: dedup_key("other", &other.id),
        body: "{\"db\":\"other\"}".into(),
    };
    down.enqueue(change, Noted::Nothing);
    for entry in std::fs::read_dir(&outbox).unwrap() {
        std::fs::write(entry.unwrap().path(), "torn").unwrap();
    }
    let next = Down::at(&down.directory);
    let record = &next.waiting.record;
    assert!(!record.has_alarm(&alarm("one", 10)) && !record.has_alarm(&alarm("two", 10)));
    assert!(record.has_alarm(&other));
}
