//! Who is to be told of a check, and of what.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use super::courier::{Courier, Noted, Undone, Way};
use super::exec::Exec;
use super::heartbeat::{Heartbeat, Ping};
use super::identity::{Distinct, ReceiverKey};
use super::notification::{Notification, Rank, standing};
use super::outage::Outage;
use super::post::Post;
use super::stranded::HandOver;
use super::untrusted::Notified;
use super::{OpenAlarms, Undelivered};
use crate::audit::{Cycle, Exit, Outcome};
use crate::clock::{self, Clock, Timestamp};
use crate::config::{NotifySettings, WatchSettings, When};
use crate::report::{Receiver, Untrusted};
use crate::trust::{Alarm, OutcomeRecord};

/// Time for one try over the network.
const TRY: Duration = Duration::from_secs(10);
/// Time for one run of a program.
const RUN: Duration = Duration::from_secs(30);
/// Time for the heartbeat under `--once`.
const BEAT: Duration = Duration::from_secs(5);
/// Open alarms of one database that a receiver without a record of them is notified of one by one: what the next ones
/// say, the list of alarms says better.
const EACH: usize = 10;

/// Tells the receivers of what a check found.
pub struct Notifier {
    server: String,
    /// Each courier, and when its receiver is notified.
    couriers: Vec<(Courier, When)>,
    receivers: Vec<Receiver>,
    heartbeat: Option<(Heartbeat, Receiver)>,
    /// The last check of each database of which something is trusted.
    last: HashMap<String, Last>,
    /// What was notified of the others.
    untrusted: Notified,
    outage: Outage,
    /// Whether no whole cycle has come yet.
    is_first: bool,
}

/// What came of a test notification.
pub struct Tested {
    /// The receiver.
    pub receiver: String,
    /// `Err`: why it was not taken.
    pub delivered: Result<(), Undelivered>,
}

impl Notifier {
    /// Begins to deliver what an earlier run left in the outboxes below `directory`, the server's. Notifies each receiver of
    /// the open alarms that it has no record of, and hands over what waits for receivers that are not configured.
    pub fn start(
        server: &str,
        directory: &Path,
        settings: &WatchSettings,
        outcomes: &[OutcomeRecord],
        open: &OpenAlarms,
    ) -> Notifier {
        let (mut couriers, mut receivers, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let has_alarms = |database: &str| {
            let mut alarms = open.alarms.iter();
            !open.are_all || alarms.any(|alarm| alarm.database == database)
        };
        let now = clock::now();
        for configured in configured(&settings.notify) {
            let Configured {
                receiver,
                key,
                way,
                when,
            } = configured;
            receivers.push(receiver.clone());
            let courier = Courier::start(directory, &key, receiver, way, has_alarms);
            catch_up(server, &courier, &open.alarms, now);
            couriers.push((courier, when));
            keys.push(key);
        }
        let left = HandOver {
            directory,
            known: &keys,
            couriers: couriers.iter().map(|(courier, _)| courier).collect(),
            open,
            now,
        };
        receivers.extend(left.run());
        let heartbeat = ping(settings).map(|ping| {
            let receiver = Receiver::new(HEARTBEAT);
            (Heartbeat::start(ping, receiver.clone()), receiver)
        });
        let trusted = outcomes.iter().filter(|outcome| outcome.was_trusted());
        let last = trusted.map(|outcome| {
            let last = Last {
                verdict: outcome.verdict.clone(),
                absent: outcome.absent,
                unlisted: false,
            };
            (outcome.database.clone(), last)
        });
        Notifier {
            server: server.to_owned(),
            couriers,
            receivers,
            heartbeat,
            last: last.collect(),
            untrusted: Notified::load(directory),
            outage: Outage::default(),
            is_first: true,
        }
    }

    /// The receivers' counts.
    pub fn receivers(&self) -> Vec<Receiver> {
        self.receivers.clone()
    }

    /// The heartbeat's counts, if there is one.
    pub fn heartbeat(&self) -> Option<Receiver> {
        let counts = self.heartbeat.as_ref().map(|(_, receiver)| receiver);
        counts.cloned()
    }

    /// Takes a database's check. A change that all databases of the server may share waits for the end of the cycle.
    pub fn outcome(&mut self, outcome: &Outcome) {
        if self.couriers.is_empty() || outcome.is_stranger {
            return;
        }
        let before = self.last.get(&outcome.database);
        let before = before.map_or_else(String::new, |last| last.verdict.clone());
        let is_news = self.is_news(outcome);
        if !is_news && !self.has_every_check() {
            return;
        }
        let now = clock::now();
        let notification = Notification::of(&self.server, outcome, now);
        let noted = match (outcome.opened_alarm, &outcome.alarm) {
            (false, _) => Noted::Nothing,
            (true, Some(_)) => Noted::Alarms(&outcome.database, now),
            (true, None) => Noted::Id,
        };
        // a warning is news of its own
        let has_more = outcome.opened_alarm || !outcome.warnings.is_empty();
        if notification.rank == Rank::Tampering || has_more || !is_news {
            return self.give(&notification, noted, is_news);
        }
        self.give_to(When::EveryCheck, &notification);
        if let Some(alone) = self.outage.hold(&before, outcome, notification) {
            self.give_to(When::Changes, &alone);
        }
    }

    /// Gives a notification to the receivers that it is for; `is_news`: it is one of more than another check.
    fn give(&self, notification: &Notification, noted: Noted, is_news: bool) {
        for (courier, when) in &self.couriers {
            let is_due = match when {
                When::EveryCheck => true,
                When::Changes => is_news,
                When::Tampering => is_news && notification.rank == Rank::Tampering,
            };
            if is_due {
                courier.give(notification.clone(), noted);
            }
        }
    }

    /// Gives a notification of a change to the receivers with this setting.
    fn give_to(&self, setting: When, notification: &Notification) {
        let couriers = self.couriers.iter().filter(|(_, when)| *when == setting);
        for (courier, _) in couriers {
            courier.give(notification.clone(), Noted::Nothing);
        }
    }

    /// Gives what waited for the end of the cycle. Receivers of every check have it already.
    fn release(&mut self, cycle: Option<&Cycle>) {
        for notification in self.outage.release(&self.server, cycle, clock::now()) {
            self.give_to(When::Changes, &notification);
        }
    }

    fn has_every_check(&self) -> bool {
        let mut whens = self.couriers.iter().map(|(_, when)| when);
        whens.any(|when| *when == When::EveryCheck)
    }

    /// A cycle's end.
    pub fn cycle(&mut self, cycle: &Cycle) {
        let good = cycle.exit() == Exit::Good;
        if let Some((heartbeat, _)) = self.heartbeat.as_mut().filter(|_| good) {
            heartbeat.beat();
        }
        self.last.retain(|database, _| !cycle.forgets(database));
        if !self.couriers.is_empty() {
            self.release(Some(cycle));
            self.untrusted(cycle);
        }
    }

    /// The databases of which nothing is trusted, all together. A list that did not come, or not to its end, says
    /// nothing of them.
    fn untrusted(&mut self, cycle: &Cycle) {
        let untrusted = Untrusted::of(cycle);
        let is_whole = cycle.no_list.is_none() && !cycle.stopped && cycle.not_reached == 0;
        if !is_whole && untrusted.unproven == 0 {
            return;
        }
        let now = clock::now();
        let news = self.untrusted.news(&untrusted, now);
        let fewer = is_whole && self.untrusted.lower_to(&untrusted);
        let every = self.has_every_check() && untrusted.unproven > 0;
        let is_first = std::mem::take(&mut self.is_first);
        let notification = Notification::of_untrusted(&self.server, &untrusted, now);
        let noted = match news.is_some() && untrusted.is_tampering() {
            true => Noted::Id,
            false => Noted::Nothing,
        };
        if every || news.is_some() {
            self.give(&notification, noted, news.is_some());
        } else if is_first && untrusted.is_tampering() {
            // a receiver that was added since has not heard of it
            for (courier, _) in self.couriers.iter().filter(|(courier, _)| courier.is_new()) {
                courier.give(notification.clone(), Noted::Id);
            }
        }
        // last: after a kill it is notified of twice, and not never
        if news.is_some() || fewer {
            if let Err(failure) = self.untrusted.save() {
                log::warn!("what was notified could not be written: {failure}");
            }
        }
    }

    /// Waits for one try of whatever is due, in a program that does its work once.
    pub fn flush(&mut self) {
        self.release(None);
        let begin = Clock::system().instant();
        for (courier, _) in &self.couriers {
            courier.flush(begin);
        }
        if let Some((heartbeat, _)) = &self.heartbeat {
            heartbeat.flush(begin + BEAT);
        }
    }

    /// Begins no further try before such a program ends. Returns what waits for the next one.
    pub fn close(&self) -> Vec<Undone> {
        let couriers = self.couriers.iter();
        couriers
            .filter_map(|(courier, _)| courier.close())
            .collect()
    }

    /// Sends a notification that says it is a test, once to each receiver, and one heartbeat.
    pub fn test(server: &str, settings: &WatchSettings) -> Vec<Tested> {
        let notification = Notification::test(server, clock::now());
        let configured = configured(&settings.notify).into_iter();
        let tested = configured.map(|Configured { receiver, way, .. }| Tested {
            receiver: receiver.name().to_owned(),
            delivered: way.deliver(&notification),
        });
        let ping = ping(settings).map(|ping| Tested {
            receiver: HEARTBEAT.to_owned(),
            delivered: ping.send(),
        });
        tested.chain(ping).collect()
    }

    /// Returns whether the receivers are to be notified: the verdict changed, values went absent, or the check opened an alarm. An open alarm
    /// that is found again sends nothing.
    fn is_news(&mut self, outcome: &Outcome) -> bool {
        let last = self.last.entry(outcome.database.clone());
        let last = last.or_insert_with(|| Last {
            verdict: "consistent".into(),
            absent: false,
            unlisted: false,
        });
        let now = Last {
            verdict: outcome.verdict.word().to_owned(),
            absent: outcome.absent_after(last.absent),
            unlisted: outcome.opened_alarm && outcome.alarm.is_none(),
        };
        // an alarm that cannot be written down is opened by every check
        let repeated = now.unlisted && last.unlisted;
        let absent = now.absent && !last.absent;
        let changed = standing(&now.verdict) != standing(&last.verdict);
        *last = now;
        changed || absent || (outcome.opened_alarm && !repeated)
    }
}

/// Notifies a receiver of the open alarms that it has no record of: one that was added, or whose address was corrected,
/// since they were found, and all if a kill came between the alarm and its notification.
fn catch_up(server: &str, courier: &Courier, open: &[Alarm], now: Timestamp) {
    let mut by_database: BTreeMap<&str, Vec<&Alarm>> = BTreeMap::new();
    for alarm in open.iter().filter(|alarm| !courier.knows(alarm)) {
        by_database.entry(&alarm.database).or_default().push(alarm);
    }
    for (database, alarms) in by_database {
        let more = alarms.len().saturating_sub(EACH);
        let each: Vec<&&Alarm> = alarms.iter().take(EACH).collect();
        let last = each.len().saturating_sub(1);
        // opened by a clock that was ahead, an alarm would be notified of at each start
        let opened = alarms.iter().map(|alarm| alarm.opened()).max();
        let until = opened.map_or(now, |opened| opened.max(now));
        let mut all_are_safe = true;
        for (index, alarm) in each.into_iter().enumerate() {
            // the record says that all are notified of, so it is written with the last one
            let (more, noted) = match index == last {
                true if all_are_safe => (more, Noted::Alarms(database, until)),
                true => (more, Noted::Nothing),
                false => (0, Noted::Nothing),
            };
            all_are_safe &= courier.give(Notification::of_alarm(server, alarm, more), noted);
        }
    }
}

/// The last check of a database.
struct Last {
    verdict: String,
    /// Whether values were absent for no reason that is known.
    absent: bool,
    /// Whether the check opened an alarm that could not be written down.
    unlisted: bool,
}

/// The heartbeat's name for people.
const HEARTBEAT: &str = "heartbeat";

/// The heartbeat, if there is one.
fn ping(settings: &WatchSettings) -> Option<Ping> {
    let heartbeat = settings.heartbeat.as_ref()?;
    Some(Ping::new(heartbeat, TRY))
}

/// A receiver: its name for people, its key, the way to it, and when it is notified.
struct Configured {
    receiver: Receiver,
    key: ReceiverKey,
    way: Way,
    when: When,
}

/// Every receiver. Of a URL no more is shown than scheme, host and port.
fn configured(settings: &NotifySettings) -> Vec<Configured> {
    let mut distinct = Distinct::default();
    let mut all = Vec::new();
    for (number, webhook) in (1..).zip(&settings.webhooks) {
        let (name, key) = match &webhook.name {
            Some(name) => (name.clone(), ReceiverKey::of_name(name)),
            None => {
                let key = ReceiverKey::of_url(webhook.url.expose());
                (format!("{number}:{}", webhook.url), key)
            }
        };
        all.push(Configured {
            receiver: Receiver::new(&name),
            key: distinct.next(key),
            way: Way::Post(Box::new(Post::new(webhook, TRY))),
            when: webhook.when,
        });
    }
    if let Some(words) = &settings.exec {
        all.push(Configured {
            receiver: Receiver::new("exec"),
            key: distinct.next(ReceiverKey::of_program(words)),
            way: Way::Exec(Exec::new(words, RUN)),
            when: settings.when,
        });
    }
    all
}
