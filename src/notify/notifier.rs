//! Who is to be told of a check, and of what.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::Undelivered;
use super::courier::{Courier, Way};
use super::exec::Exec;
use super::heartbeat::{Heartbeat, Ping};
use super::http::agent;
use super::identity::{Distinct, ReceiverKey};
use super::notification::{Notification, standing};
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
    when: When,
    couriers: Vec<Courier>,
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
        for (receiver, key, way) in ways(&settings.notify) {
            let outbox = directory.join("outbox").join(key.to_string());
            receivers.push(receiver.clone());
            couriers.push(Courier::start(&outbox, receiver, way));
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
            when: settings.notify.when,
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
        if self.couriers.is_empty() || outcome.is_stranger || !self.is_news(outcome) {
            return;
        }
        self.give(&Notification::of(&self.server, outcome, clock::now()));
    }

    fn give(&self, notification: &Notification) {
        for courier in &self.couriers {
            courier.give(notification.clone());
        }
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
        let every = self.when == When::EveryCheck && untrusted.unproven > 0;
        if every || news.is_some() {
            self.give(&Notification::of_untrusted(&self.server, &untrusted, now));
        }
    }

    /// One try for whatever is due, before a program ends that does its work once.
    pub fn flush(&self) {
        let until = Clock::system().instant() + ONCE;
        for courier in &self.couriers {
            courier.flush(until);
        }
        if let Some((heartbeat, _)) = &self.heartbeat {
            heartbeat.flush(until);
        }
    }

    /// Sends a notification that says it is a test, once to each receiver, and one heartbeat.
    pub fn test(server: &str, settings: &WatchSettings) -> Vec<Tested> {
        let notification = Notification::test(server, clock::now());
        let ways = ways(&settings.notify).into_iter();
        let tested = ways.map(|(receiver, _, way)| Tested {
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
        self.when == When::EveryCheck || changed || absent || (outcome.opened_alarm && !repeated)
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
    let url = settings.heartbeat.as_ref()?;
    Some(Ping::new(url, agent(&settings.notify.roots, TRY)))
}

/// Every receiver: its name for people, its key, and the way to it.
fn ways(settings: &NotifySettings) -> Vec<(Receiver, ReceiverKey, Way)> {
    let mut distinct = Distinct::default();
    let mut all = Vec::new();
    for (number, url) in (1..).zip(&settings.urls) {
        // a path or query may hold a token
        let shown = url.split(['?', '#']).next().unwrap_or_default();
        let shown: Vec<&str> = shown.splitn(4, '/').take(3).collect();
        let receiver = Receiver::new(&format!("{number}:{}", shown.join("/")));
        let post = Post::new(url, settings, agent(&settings.roots, TRY));
        let key = distinct.next(ReceiverKey::of_url(url));
        all.push((receiver, key, Way::Post(Box::new(post))));
    }
    if let Some(words) = &settings.exec {
        let key = distinct.next(ReceiverKey::of_program(words));
        let exec = Exec::new(words, RUN);
        all.push((Receiver::new("exec"), key, Way::Exec(exec)));
    }
    all
}
