//! The decision which receivers are notified of a check, and with which content.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::catch_up::catch_up;
use super::configured::{Configured, configured, ping};
use super::delivery::{DeliveryWorker, PendingDeliveries};
use super::disagreements::Disagreements;
use super::heartbeat::{HEARTBEAT, Heartbeat};
use super::known_alarms::KnownAlarms;
use super::last_check::LastCheck;
use super::notification::{GOOD, Notification, Priority, fresh_id, standing};
use super::outage::Outage;
use super::stranded::HandOver;
use super::unrecorded::Unrecorded;
use super::untrusted::Notified;
use super::waiting::Noted;
use super::{DeliveryError, OpenAlarms};
use crate::audit::{Cycle, Exit, Outcome};
use crate::clock::{self, Clock};
use crate::config::{MonitoringSettings, NotifyOn};
use crate::report::{ReceiverStats, Untrusted};
use crate::trust::{Alarm, OutcomeRecord};

/// The deadline of the heartbeat under `--once`.
const ONCE_HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);

/// Notifies the receivers of the results of checks.
pub struct Notifier {
    server: String,
    clock: Clock,
    /// Each delivery worker, and the events that notify its receiver.
    workers: Vec<(DeliveryWorker, NotifyOn)>,
    receivers: Vec<ReceiverStats>,
    heartbeat: Option<(Heartbeat, ReceiverStats)>,
    /// The last check of each database that is not untrusted.
    last: HashMap<String, LastCheck>,
    /// The changes of which receivers are notified before they are on disk as the last verdicts.
    unrecorded: Unrecorded,
    /// The earlier notifications about untrusted databases.
    untrusted: Notified,
    outage: Outage,
    alarms: KnownAlarms,
    /// Whether the next cycle compares all open alarms with the receivers' records, as the start does.
    is_catching_up: bool,
}

/// The result of a test notification.
pub struct Tested {
    /// The receiver.
    pub receiver: String,
    /// `Err`: the reason why it was not delivered.
    pub delivered: Result<(), DeliveryError>,
}

impl Notifier {
    /// Starts to deliver the notifications that an earlier run left in the outboxes below `directory`, the
    /// server's. Notifies each receiver of the open alarms that are not in its record, and hands over the
    /// notifications of receivers that are not configured.
    pub fn start(
        server: &str,
        directory: &Path,
        settings: &MonitoringSettings,
        outcomes: &[OutcomeRecord],
        open: &OpenAlarms,
        clock: &Clock,
    ) -> Notifier {
        let (mut workers, mut receivers, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for configured in configured(&settings.notify) {
            let Configured {
                receiver,
                key,
                sink,
                when,
            } = configured;
            receivers.push(receiver.clone());
            let worker = DeliveryWorker::start(directory, &key, receiver, sink, open, clock);
            catch_up(server, &worker, &open.alarms);
            workers.push((worker, when));
            keys.push(key);
        }
        let left = HandOver {
            directory,
            known: &keys,
            workers: workers.iter().map(|(worker, _)| worker).collect(),
            open,
            clock,
        };
        receivers.extend(left.run());
        let heartbeat = ping(settings).map(|ping| {
            let receiver = ReceiverStats::new(HEARTBEAT);
            (Heartbeat::start(ping, receiver.clone()), receiver)
        });
        let known = outcomes.iter();
        let known = known.filter(|outcome| outcome.was_trusted() || outcome.known);
        let last = known.map(|outcome| {
            let last = LastCheck {
                verdict: outcome.verdict.clone(),
                absent: outcome.absent,
                disagreements: match outcome.contradicted {
                    true => Disagreements::UpTo(outcome.checked),
                    false => Disagreements::default(),
                },
                unlisted: false,
                open: outcome.open,
                unrecorded: Vec::new(),
            };
            (outcome.database.clone(), last)
        });
        let mut last: HashMap<String, LastCheck> = last.collect();
        let unrecorded = Unrecorded::load(directory);
        for (database, verdicts) in unrecorded.changes() {
            let last = last.entry(database.clone()).or_default();
            last.unrecorded.extend(verdicts.iter().cloned());
        }
        let mut alarms = KnownAlarms::default();
        alarms.add(&open.alarms);
        Notifier {
            server: server.to_owned(),
            clock: clock.clone(),
            workers,
            receivers,
            heartbeat,
            last,
            unrecorded,
            untrusted: Notified::load(directory),
            outage: Outage::default(),
            alarms,
            is_catching_up: false,
        }
    }

    /// Returns the receivers' counts.
    pub fn receivers(&self) -> Vec<ReceiverStats> {
        self.receivers.clone()
    }

    /// Returns the heartbeat's counts, if there is a heartbeat.
    pub fn heartbeat(&self) -> Option<ReceiverStats> {
        let counts = self.heartbeat.as_ref().map(|(_, receiver)| receiver);
        counts.cloned()
    }

    /// Processes a database's check. A change that all databases of the server may share is held until the end of
    /// the cycle.
    pub fn outcome(&mut self, outcome: &Outcome) {
        if self.workers.is_empty() || outcome.is_untrusted {
            return;
        }
        if outcome.open_alarms == 0 && outcome.unreadable_alarms.is_none() {
            self.alarms.forget(&outcome.database);
        }
        let alarm = outcome.alarm.as_ref();
        let is_known =
            outcome.opened.is_empty() && alarm.is_some_and(|alarm| self.alarms.has(alarm));
        let last = self.last.entry(outcome.database.clone()).or_default();
        let (now, is_news) = last.next(outcome, is_known);
        let is_closed = last.is_closed_by(&now);
        let before = std::mem::replace(last, now);
        // if another command opened the alarm of the verdict, this notification is the first about it
        let found = alarm.filter(|_| is_news);
        let found = found.filter(|alarm| !self.alarms.has(alarm));
        let opened = match (&outcome.opened[..], found) {
            ([], Some(alarm)) => std::slice::from_ref(alarm),
            (opened, _) => opened,
        };
        self.alarms.add(opened);
        if !is_news && !self.has_every_check() {
            return;
        }
        let now = self.clock.now();
        let notification = Notification::of(&self.server, outcome, is_closed, now);
        let noted = match (opened, &outcome.alarm) {
            ([], _) => Noted::Nothing,
            (opened, Some(_)) => Noted::Alarms(opened),
            (_, None) => Noted::Id,
        };
        // tampering, alarms and warnings are not in the summary of an outage, which calls databases good again
        let is_good = standing(outcome.verdict.word()) == GOOD;
        let has_alarms = !outcome.opened.is_empty() || (is_good && outcome.open_alarms > 0);
        let has_more = has_alarms || is_closed || !outcome.warnings.is_empty();
        if notification.priority == Priority::Tampering || has_more || !is_news {
            if is_news {
                self.record(outcome);
            }
            return self.enqueue(&notification, noted, is_news);
        }
        self.give_to(NotifyOn::EveryCheck, &notification);
        if let Some(alone) = self.outage.hold(&before, outcome, notification) {
            self.record(outcome);
            self.give_to(NotifyOn::Changes, &alone);
        }
    }

    /// Notifies each receiver of the open alarms of a database that another command opened while this process ran.
    pub fn open_alarms(&mut self, database: &str, open: &[Alarm]) {
        if self.workers.is_empty() {
            return;
        }
        let news = self.alarms.news(database, open);
        let alarms = match self.is_catching_up {
            true => open,
            false => &news,
        };
        for (worker, _) in &self.workers {
            catch_up(&self.server, worker, alarms);
        }
    }

    /// Writes a change to disk before receivers of changes are notified of it.
    fn record(&mut self, outcome: &Outcome) {
        if self.notifies_of_changes() {
            let change = (outcome.database.as_str(), outcome.verdict.word());
            self.unrecorded.add([change]);
        }
    }

    /// Enqueues a notification for its receivers; `is_news`: it reports more than another check.
    fn enqueue(&self, notification: &Notification, noted: Noted, is_news: bool) {
        for (worker, when) in &self.workers {
            let is_due = match when {
                NotifyOn::EveryCheck => true,
                NotifyOn::Changes => is_news,
                NotifyOn::Tampering => is_news && notification.priority == Priority::Tampering,
            };
            if is_due {
                worker.enqueue(notification.clone(), noted);
            }
        }
    }

    /// Enqueues a notification of a change for the receivers with this setting.
    fn give_to(&self, setting: NotifyOn, notification: &Notification) {
        let workers = self.workers.iter().filter(|(_, when)| *when == setting);
        for (worker, _) in workers {
            worker.enqueue(notification.clone(), Noted::Nothing);
        }
    }

    /// Enqueues the notifications that were held until the end of the cycle. Receivers of every check have them
    /// already.
    fn release(&mut self, cycle: Option<&Cycle>) {
        let now = self.clock.now();
        if self.notifies_of_changes() {
            self.unrecorded.add(self.outage.changes());
        }
        for notification in self.outage.release(&self.server, cycle, now) {
            self.give_to(NotifyOn::Changes, &notification);
        }
    }

    /// Returns whether a receiver is notified of every check.
    fn has_every_check(&self) -> bool {
        self.any(|when| when == NotifyOn::EveryCheck)
    }

    /// Returns whether a receiver is notified of changes that are no tampering.
    fn notifies_of_changes(&self) -> bool {
        self.any(|when| when != NotifyOn::Tampering)
    }

    fn any(&self, is: impl Fn(NotifyOn) -> bool) -> bool {
        self.workers.iter().any(|(_, when)| is(*when))
    }

    /// Processes the outcomes of a cycle before they are written. The next process does not find the changes of
    /// verdicts again, so held notifications are put into the outboxes now.
    pub fn checked(&mut self, cycle: &Cycle) {
        self.release(Some(cycle));
    }

    /// Processes the end of a cycle.
    pub fn cycle(&mut self, cycle: &Cycle) {
        let good = cycle.exit() == Exit::Good;
        if let Some((heartbeat, _)) = self.heartbeat.as_mut().filter(|_| good) {
            heartbeat.beat();
        }
        if cycle.is_recorded {
            self.unrecorded.recorded_by(cycle);
        }
        self.last.retain(|database, _| !cycle.forgets(database));
        self.is_catching_up = false;
        for (worker, _) in &self.workers {
            self.is_catching_up |= worker.store_unstored();
        }
        if !self.workers.is_empty() {
            self.untrusted(cycle);
        }
    }

    /// Notifies of all untrusted databases together. A list that is absent or incomplete proves nothing about the
    /// databases that it lacks.
    fn untrusted(&mut self, cycle: &Cycle) {
        let untrusted = Untrusted::of(cycle);
        let is_whole = cycle.list_error.is_none() && !cycle.stopped && cycle.not_reached == 0;
        if !is_whole && untrusted.unproven == 0 {
            return;
        }
        let now = self.clock.now();
        let news = self.untrusted.news(&untrusted, now);
        let fewer = is_whole && self.untrusted.lower_to(&untrusted);
        let of = |id: &str| Notification::of_untrusted(&self.server, &untrusted, id, now);
        let accusation = self.untrusted.id().filter(|_| untrusted.is_tampering());
        if let Some(id) = accusation {
            // once for each receiver, also for one that was added later
            for (worker, _) in self.workers.iter().filter(|(worker, _)| !worker.has_id(id)) {
                worker.enqueue(of(id), Noted::Id);
            }
        }
        let is_again = news.is_none() && untrusted.unproven > 0 && self.has_every_check();
        if is_again || (news.is_some() && accusation.is_none()) {
            self.enqueue(&of(&fresh_id()), Noted::Nothing, news.is_some());
        }
        // saved last, so that a kill leads to a second notification and not to a missing one
        if news.is_some() || fewer {
            if let Err(failure) = self.untrusted.save() {
                log::warn!("the record of sent notifications could not be written: {failure}");
            }
        }
    }

    /// Waits for one try of each due notification, in a program that does its work once.
    pub fn flush(&mut self) {
        self.release(None);
        let begin = self.clock.instant();
        for (worker, _) in &self.workers {
            worker.flush(begin);
        }
        if let Some((heartbeat, _)) = &self.heartbeat {
            heartbeat.flush(begin + ONCE_HEARTBEAT_TIMEOUT);
        }
    }

    /// Writes the waiting notifications to disk that could not be written before, at the end of a program that runs
    /// until it is stopped. Logs those that are lost.
    pub fn store_or_log(&self) {
        for (worker, _) in &self.workers {
            worker.store_or_log();
        }
    }

    /// Begins no further try before such a program ends. Returns the notifications that wait for the next process.
    pub fn close(&self) -> Vec<PendingDeliveries> {
        let workers = self.workers.iter();
        workers.filter_map(|(worker, _)| worker.close()).collect()
    }

    /// Delivers the due notifications by `deliver` instead of the workers' threads, because simulated time has no
    /// threads: for a test that is itself the receivers. `deliver` gets a receiver's name and a notification's
    /// body.
    #[cfg(feature = "fault-points")]
    pub fn step(&self, deliver: &mut dyn FnMut(&str, &str) -> Result<(), DeliveryError>) {
        for (worker, _) in &self.workers {
            worker.step(deliver);
        }
    }

    /// Sends a notification that is marked as a test once to each receiver, and one heartbeat.
    pub fn test(server: &str, settings: &MonitoringSettings) -> Vec<Tested> {
        let notification = Notification::test(server, clock::now());
        let configured = configured(&settings.notify).into_iter();
        let tested = configured.map(|Configured { receiver, sink, .. }| Tested {
            receiver: receiver.name().to_owned(),
            delivered: sink.deliver(&notification),
        });
        let ping = ping(settings).map(|ping| Tested {
            receiver: ping.name(),
            delivered: ping.send(),
        });
        tested.chain(ping).collect()
    }
}
