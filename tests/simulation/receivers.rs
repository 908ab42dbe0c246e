//! The receivers of a world's notifications. They accept them, refuse them for a while, ask for a
//! pause, and are added and removed. Pending notifications are in their outboxes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use immuaudit::audit::{Cycle, Outcome};
use immuaudit::clock::Clock;
use immuaudit::config::{Auth, Login, MonitoringSettings, NotifyOn, Roots, Secret, Url, Webhook};
use immuaudit::json::Json;
use immuaudit::notify::{DeliveryError, Notifier, OpenAlarms};
use immuaudit::trust::{Alarm, Location, Store};

use crate::oracle::{BrokenRule, Rule, broken};
use crate::webhooks::notifying;

/// No server listens there: [`Receivers::step`] delivers.
const CLOSED_URL: &str = "http://127.0.0.1:9/";
/// The most alarms of one database that have separate notifications at a start.
const MAX_SEPARATE_ALARMS: usize = 10;

#[derive(Default)]
pub struct Receivers {
    pub configured: BTreeSet<String>,
    notifier: Option<Notifier>,
    /// The time until which receivers refuse notifications, and the pause that they ask for.
    refusing: BTreeMap<String, (Duration, Option<Duration>)>,
    receivers: BTreeMap<String, ReceiverRecord>,
    /// Whether a receiver may be notified twice, or of an alarm that is not on disk.
    pub may_repeat: bool,
    /// The alarms that were on disk when they were reported. At the limit of a database's alarms, a later finding takes
    /// the place of the last one.
    on_disk: BTreeSet<String>,
    /// Whether the disk was full, and the verdicts were not stored since.
    was_full: bool,
    pub taken: u64,
}

/// The test's knowledge of a receiver.
#[derive(Default)]
struct ReceiverRecord {
    /// The IDs of the accepted notifications.
    ids: BTreeSet<String>,
    /// The alarms in accepted notifications.
    alarms: BTreeSet<String>,
    /// The alarms in notifications that were seen in the outbox.
    pending: BTreeSet<String>,
    /// The openings of alarms that were already judged.
    judged: BTreeSet<String>,
    /// The verdicts that the receiver knows.
    verdicts: Verdicts,
}

/// The verdicts that a receiver knows after all accepted notifications. Good verdicts count as one.
/// Tampering is left out, because alarms have their own rules.
#[derive(Default)]
struct Verdicts {
    /// Whether it was notified of every change since the first check of every database, and each
    /// first check was good.
    from_the_start: bool,
    /// The last verdict of each database; `None` if no notification named it.
    last: BTreeMap<String, Option<String>>,
}

impl Verdicts {
    fn take(&mut self, content: &NotificationContent) {
        if content.database.is_empty() {
            return self.take_reachability(content);
        }
        let verdict = (!content.tampered).then(|| standing(&content.verdict).to_owned());
        self.last.insert(content.database.clone(), verdict);
    }

    /// Takes a notification about several databases. The verdicts of databases that it does not
    /// name may have changed too.
    fn take_reachability(&mut self, content: &NotificationContent) {
        if content.databases.is_empty() {
            return; // about untrusted databases
        }
        let away = Some("unreachable".to_owned());
        for verdict in self.last.values_mut().filter(|verdict| **verdict == away) {
            *verdict = None;
        }
        if content.count > content.databases.len() {
            self.forget();
        }
        for database in &content.databases {
            let verdict = Some(standing(&content.verdict).to_owned());
            self.last.insert(database.clone(), verdict);
        }
    }

    fn forget(&mut self) {
        *self = Verdicts::default();
    }

    /// Returns the known verdict of a database.
    fn of(&self, database: &str) -> Option<&str> {
        match self.last.get(database) {
            Some(verdict) => verdict.as_deref(),
            None => self.from_the_start.then_some(GOOD),
        }
    }
}

const GOOD: &str = "good";

/// Returns the status by which changes are measured (docs/alerting.md, *Notifications*).
fn standing(verdict: &str) -> &str {
    match ["first-seen", "consistent", "empty"].contains(&verdict) {
        true => GOOD,
        false => verdict,
    }
}

impl Receivers {
    pub fn new(names: &[String]) -> Receivers {
        let known = |name: &String| {
            let mut known = ReceiverRecord::default();
            known.verdicts.from_the_start = true;
            (name.clone(), known)
        };
        Receivers {
            configured: names.iter().cloned().collect(),
            receivers: names.iter().map(known).collect(),
            ..Receivers::default()
        }
    }

    pub fn has_receivers(&self) -> bool {
        !self.configured.is_empty()
    }

    pub fn refuse(&mut self, name: &str, until: Duration, retry_after: Option<Duration>) {
        self.refusing.insert(name.to_owned(), (until, retry_after));
    }

    pub fn add(&mut self, name: String) {
        self.configured.insert(name);
        self.forget_verdicts(); // their order decides which of them are notified of changes
    }

    pub fn remove(&mut self, name: &str) {
        self.configured.remove(name);
        if let Some(known) = self.receivers.get_mut(name) {
            // its pending notifications go to other receivers; if it comes back, only those are sent to it again
            known.pending.clear();
            known.judged.clear();
        }
        self.may_repeat = true;
        self.forget_verdicts();
    }

    /// Records that the auditor's disk is full: notifications may get lost.
    pub fn may_lose(&mut self) {
        self.may_repeat = true;
        self.was_full = true;
        self.forget_verdicts();
    }

    fn forget_verdicts(&mut self) {
        for known in self.receivers.values_mut() {
            known.verdicts.forget();
        }
    }

    /// Records that the auditor's directory was replaced by an older copy.
    pub fn restore(&mut self) {
        for known in self.receivers.values_mut() {
            known.judged.clear(); // accepted notifications stay known
        }
        self.may_repeat = true;
        self.forget_verdicts();
    }

    /// Starts the notifier, as the program does.
    pub fn start(&mut self, store: &Store, clock: &Clock) {
        self.notifier = None;
        if !self.has_receivers() {
            return;
        }
        if self.was_full {
            self.forget_verdicts(); // a new process does not know the notifications of the last one
        }
        let mut open = OpenAlarms {
            alarms: Vec::new(),
            are_all: true,
        };
        for database in store.databases().unwrap_or_default() {
            match store.open_alarms(Some(&database)) {
                Ok(alarms) => open.alarms.extend(alarms),
                Err(_) => open.are_all = false,
            }
        }
        let outcomes = store.load_outcomes();
        let directory = store.directory();
        let settings = self.settings();
        let notifier = Notifier::start("simulated", directory, &settings, &outcomes, &open, clock);
        self.notifier = Some(notifier);
    }

    pub fn stop(&mut self) {
        self.notifier = None;
    }

    pub fn outcome(&mut self, outcome: &Outcome, location: &Location) {
        let Some(notifier) = &mut self.notifier else {
            return;
        };
        notifier.outcome(outcome);
        if !outcome.opened.is_empty() {
            let database = &outcome.database;
            let alarms = outcome.opened.iter().chain(&outcome.alarm);
            let ids = alarms.map(|alarm| alarm.id.clone());
            self.on_disk
                .extend(ids.filter(|id| is_on_disk(location, database, id)));
        }
    }

    pub fn open_alarms(&mut self, database: &str, open: &[Alarm]) {
        if let Some(notifier) = &mut self.notifier {
            notifier.open_alarms(database, open);
        }
    }

    pub fn checked(&mut self, cycle: &Cycle) {
        if let Some(notifier) = &mut self.notifier {
            notifier.checked(cycle);
        }
    }

    /// Ends a cycle.
    pub fn cycle(&mut self, cycle: &Cycle, is_full: bool) {
        self.was_full &= is_full || !cycle.is_recorded;
        if let Some(notifier) = &mut self.notifier {
            notifier.cycle(cycle);
        }
    }

    /// Judges after a start or a check: for each database with new open alarms, each receiver must
    /// have a notification of at least one of them, accepted or in its outbox.
    pub fn judge(&mut self, location: &Location, alarms: &[Alarm]) -> Result<(), BrokenRule> {
        self.on_disk
            .extend(alarms.iter().map(|alarm| alarm.id.clone()));
        for name in &self.configured {
            let known = self.receivers.entry(name.clone()).or_default();
            let mut by_database: BTreeMap<&str, Vec<&Alarm>> = BTreeMap::new();
            for alarm in alarms.iter().filter(|alarm| alarm.is_open()) {
                if !known.judged.contains(&opening(alarm)) {
                    by_database.entry(&alarm.database).or_default().push(alarm);
                }
            }
            if by_database.is_empty() {
                continue;
            }
            known.pending.extend(waiting(location, name));
            for (database, alarms) in by_database {
                let has = |alarm: &&&Alarm| {
                    known.alarms.contains(&alarm.id) || known.pending.contains(&alarm.id)
                };
                let count = alarms.iter().filter(has).count();
                if count == 0 {
                    let of = alarms.len().min(MAX_SEPARATE_ALARMS);
                    let missed = format!("{name} is not notified of {of} alarms of {database}");
                    return broken(Rule::Notified, missed);
                }
                known.judged.extend(alarms.into_iter().map(opening));
            }
        }
        Ok(())
    }

    /// Lets the receivers accept or refuse the due notifications.
    pub fn step(&mut self, now: Duration, location: &Location) -> Result<(), BrokenRule> {
        let Some(notifier) = &self.notifier else {
            return Ok(());
        };
        self.refusing.retain(|_, (until, _)| *until > now);
        let mut wrong = None;
        notifier.step(&mut |name, body| {
            if let Some((_, retry_after)) = self.refusing.get(name) {
                return Err(DeliveryError {
                    why: "refused".into(),
                    retry_after: *retry_after,
                    is_refusal: false,
                });
            }
            self.taken += 1;
            let known = self.receivers.entry(name.to_owned()).or_default();
            let content = NotificationContent::of(body);
            let is_new = known.ids.insert(content.id.clone());
            known.verdicts.take(&content);
            if !is_new && !self.may_repeat {
                wrong = Some(format!("{name} is notified twice: {body}"));
            }
            if let Some(alarm) = content.alarm {
                let was_on_disk = || {
                    self.on_disk.contains(&alarm) || is_on_disk(location, &content.database, &alarm)
                };
                if !self.may_repeat && !was_on_disk() {
                    wrong = Some(format!("{name} is notified of what is not on disk: {body}"));
                }
                known.alarms.insert(alarm);
            }
            Ok(())
        });
        match wrong {
            Some(wrong) => broken(Rule::Notified, wrong),
            None => Ok(()),
        }
    }

    /// Judges after a complete cycle and the due deliveries: a receiver of changes with an empty
    /// outbox knows the verdict of each database. From then on it counts as known.
    pub fn judge_verdicts(&mut self, cycle: &Cycle, clock: &Clock) -> Result<(), BrokenRule> {
        let Some(notifier) = &self.notifier else {
            return Ok(());
        };
        let of_changes = self.whens().filter(|(_, when)| *when == NotifyOn::Changes);
        let of_changes: Vec<String> = of_changes.map(|(name, _)| name.clone()).collect();
        for name in of_changes {
            let counts = notifier.receivers().into_iter().map(|of| of.counts(clock));
            let waits = counts.filter(|of| of.receiver == name);
            let known = self.receivers.get_mut(&name);
            let Some(known) = known.filter(|_| waits.map(|of| of.pending).sum::<u64>() == 0) else {
                continue;
            };
            for outcome in cycle.outcomes.iter().filter(|of| !of.is_untrusted) {
                let (database, verdict) = (&outcome.database, outcome.verdict);
                if verdict.is_tampering() {
                    continue;
                }
                let is = standing(verdict.word());
                let knows = known.verdicts.of(database);
                if knows.is_some_and(|knows| knows != is) {
                    let missed = format!("{database} is {verdict}, and {name} knows {knows:?}");
                    return broken(Rule::Notified, missed);
                }
                if cycle.is_recorded {
                    let last = &mut known.verdicts.last;
                    last.insert(database.clone(), Some(is.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Returns the receivers and when each is notified.
    fn whens(&self) -> impl Iterator<Item = (&String, NotifyOn)> {
        let numbered = self.configured.iter().enumerate();
        numbered.map(|(number, name)| match number % 2 {
            0 => (name, NotifyOn::Changes),
            _ => (name, NotifyOn::Tampering),
        })
    }

    fn settings(&self) -> MonitoringSettings {
        let webhook = |(name, when): (&String, NotifyOn)| Webhook {
            name: Some(name.clone()),
            url: Url::read(CLOSED_URL).expect("a URL"),
            login: Login {
                username: String::new(),
                password: Secret::new(String::new()),
            },
            auth: Auth::Body,
            secret: None,
            roots: Roots::Pem(String::new()),
            proxy: None,
            when,
        };
        notifying(self.whens().map(webhook).collect())
    }
}

/// The content of a notification.
struct NotificationContent {
    id: String,
    database: String,
    alarm: Option<String>,
    tampered: bool,
    verdict: String,
    /// The first names and the number of databases, if it is about several.
    databases: Vec<String>,
    count: usize,
}

impl NotificationContent {
    fn of(body: &str) -> NotificationContent {
        let body = Json::parse(body).expect("a body of JSON");
        let text = |name| body.member(name).and_then(Json::text).map(str::to_owned);
        let names = body.member("databases").and_then(Json::list);
        let names = names.into_iter().flatten();
        let count = body.member("database_count").and_then(Json::number);
        NotificationContent {
            id: text("id").unwrap_or_default(),
            database: text("db").unwrap_or_default(),
            alarm: text("alarm"),
            tampered: body.member("tampered") == Some(&Json::Word("true")),
            verdict: text("verdict").unwrap_or_default(),
            databases: names
                .filter_map(|name| name.text().map(str::to_owned))
                .collect(),
            count: count
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or_default(),
        }
    }
}

/// Returns a key for an opening of an alarm.
fn opening(alarm: &Alarm) -> String {
    format!("{} {} {}", alarm.database, alarm.id, alarm.opened())
}

/// Returns the alarms of the notifications in a receiver's outbox.
fn waiting(location: &Location, receiver: &str) -> Vec<String> {
    let home = location.dir.join(&location.server);
    let records = fs::read_dir(home.join("receivers")).into_iter().flatten();
    let named = format!("receiver {receiver}\n");
    let key = records.flatten().find(|record| {
        let text = fs::read_to_string(record.path());
        text.is_ok_and(|text| text.starts_with(&named))
    });
    let Some(key) = key else { return Vec::new() };
    let outbox = home.join("outbox").join(key.file_name());
    let files = fs::read_dir(outbox).into_iter().flatten().flatten();
    let bodies = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    let whole = bodies.filter(|body| body.ends_with('}'));
    whole
        .filter_map(|body| NotificationContent::of(&body).alarm)
        .collect()
}

fn is_on_disk(location: &Location, database: &str, alarm: &str) -> bool {
    let alarms = Store::open_shared(location).and_then(|store| store.all_alarms(database));
    alarms.is_ok_and(|alarms| alarms.iter().any(|known| known.id == *alarm))
}
