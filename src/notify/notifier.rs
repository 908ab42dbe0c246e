//! Who is to be told of a check, and of what.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::Undelivered;
use super::courier::{Courier, Way};
use super::exec::Exec;
use super::heartbeat::{Heartbeat, Ping};
use super::identity::{Distinct, ReceiverKey};
use super::notification::{Notification, Rank, standing};
use super::post::Post;
use super::untrusted::Notified;
use crate::audit::{Cycle, Exit, Outcome};
use crate::clock::{self, Clock};
use crate::config::{NotifySettings, WatchSettings, When};
use crate::report::{Receiver, Untrusted};
use crate::trust::OutcomeRecord;

/// Time for one try over the network.
const TRY: Duration = Duration::from_secs(10);
/// Time for one run of a program.
const RUN: Duration = Duration::from_secs(30);
/// Time for everything under `--once`.
const ONCE: Duration = Duration::from_secs(5);

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
}

/// What came of a test notification.
pub struct Tested {
    /// The receiver.
    pub receiver: String,
    /// `Err`: why it was not taken.
    pub delivered: Result<(), Undelivered>,
}

impl Notifier {
    /// Begins to deliver what an earlier run left in the outboxes below `directory`, the server's.
    pub fn start(
        server: &str,
        directory: &Path,
        settings: &WatchSettings,
        outcomes: &[OutcomeRecord],
    ) -> Notifier {
        let (mut couriers, mut receivers) = (Vec::new(), Vec::new());
        for configured in configured(&settings.notify) {
            let Configured {
                receiver,
                key,
                way,
                when,
            } = configured;
            let outbox = directory.join("outbox").join(key.to_string());
            receivers.push(receiver.clone());
            couriers.push((Courier::start(&outbox, receiver, way), when));
        }
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

    /// A database's check.
    pub fn outcome(&mut self, outcome: &Outcome) {
        if self.couriers.is_empty() || outcome.is_stranger {
            return;
        }
        let is_news = self.is_news(outcome);
        if is_news || self.has_every_check() {
            let notification = Notification::of(&self.server, outcome, clock::now());
            self.give(&notification, is_news);
        }
    }

    /// Gives a notification to the receivers that it is for; `is_news`: it is one of more than another check.
    fn give(&self, notification: &Notification, is_news: bool) {
        for (courier, when) in &self.couriers {
            let is_due = match when {
                When::EveryCheck => true,
                When::Changes => is_news,
                When::Tampering => is_news && notification.rank == Rank::Tampering,
            };
            if is_due {
                courier.give(notification.clone());
            }
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
        if news.is_some() || fewer {
            if let Err(failure) = self.untrusted.save() {
                log::warn!("what was notified could not be written: {failure}");
            }
        }
        let every = self.has_every_check() && untrusted.unproven > 0;
        if every || news.is_some() {
            let notification = Notification::of_untrusted(&self.server, &untrusted, now);
            self.give(&notification, news.is_some());
        }
    }

    /// One try for whatever is due, before a program ends that does its work once.
    pub fn flush(&self) {
        let until = Clock::system().instant() + ONCE;
        for (courier, _) in &self.couriers {
            courier.flush(until);
        }
        if let Some((heartbeat, _)) = &self.heartbeat {
            heartbeat.flush(until);
        }
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
