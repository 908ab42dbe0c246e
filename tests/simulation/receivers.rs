//! The receivers of a world's notifications: they take them, refuse them for a while, ask to be left alone, are added and
//! removed. What the auditor owes them is in their outboxes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use immuaudit::audit::{Cycle, Outcome};
use immuaudit::config::{
    Auth, Login, MonitoringSettings, NotifyOn, NotifySettings, Proxies, Roots, Secret, Url, Webhook,
};
use immuaudit::json::Json;
use immuaudit::notify::{DeliveryError, Notifier, OpenAlarms};
use immuaudit::trust::{Alarm, Location, Store};

use crate::oracle::{Broken, Rule, broken};

/// Nobody listens there: the couriers' threads deliver nothing, and what is due is delivered by [`Receivers::step`].
const NOWHERE: &str = "http://127.0.0.1:9/";
/// Alarms of one database of which each has a notification of its own at a start.
const EACH: usize = 10;

#[derive(Default)]
pub struct Receivers {
    pub configured: BTreeSet<String>,
    notifier: Option<Notifier>,
    /// Receivers that refuse what comes until then, and how long they ask to be left alone.
    refusing: BTreeMap<String, (Duration, Option<Duration>)>,
    receivers: BTreeMap<String, Known>,
    /// Whether something happened after which a receiver may be notified twice, or of what is not on disk.
    pub may_repeat: bool,
    pub taken: u64,
}

/// What is known of a receiver.
#[derive(Default)]
struct Known {
    /// The ids of the notifications that it took.
    ids: BTreeSet<String>,
    /// The alarms that it took a notification of, and those of which one was seen to wait.
    alarms: BTreeSet<String>,
    /// The openings that were there when that was judged.
    judged: BTreeSet<String>,
}

impl Receivers {
    pub fn new(names: &[String]) -> Receivers {
        Receivers {
            configured: names.iter().cloned().collect(),
            ..Receivers::default()
        }
    }

    pub fn is_anybody(&self) -> bool {
        !self.configured.is_empty()
    }

    pub fn refuse(&mut self, name: &str, until: Duration, retry_after: Option<Duration>) {
        self.refusing.insert(name.to_owned(), (until, retry_after));
    }

    pub fn remove(&mut self, name: &str) {
        self.configured.remove(name);
        self.receivers.remove(name);
        self.may_repeat = true; // what waits for it is handed over
    }

    /// The auditor's directory was replaced by an older copy.
    pub fn restore(&mut self) {
        for known in self.receivers.values_mut() {
            known.judged.clear(); // what they took they have
        }
        self.may_repeat = true;
    }

    /// The auditor starts, as the program does it.
    pub fn start(&mut self, store: &Store) {
        self.notifier = None;
        if !self.is_anybody() {
            return;
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
        let notifier = Notifier::start("simulated", directory, &settings, &outcomes, &open);
        self.notifier = Some(notifier);
    }

    pub fn outcome(&mut self, outcome: &Outcome) {
        if let Some(notifier) = &mut self.notifier {
            notifier.outcome(outcome);
        }
    }

    pub fn checked(&mut self, cycle: &Cycle) {
        if let Some(notifier) = &mut self.notifier {
            notifier.checked(cycle);
        }
    }

    pub fn cycle(&mut self, cycle: &Cycle) {
        if let Some(notifier) = &mut self.notifier {
            notifier.cycle(cycle);
        }
    }

    /// Judges after a start or a check: for each database with open alarms that were not judged yet, each receiver has
    /// a notification of one of them at least, or takes it soon.
    pub fn judge(&mut self, location: &Location, alarms: &[Alarm]) -> Result<(), Broken> {
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
            known.alarms.extend(waiting(location, name));
            for (database, alarms) in by_database {
                let has = |alarm: &&&Alarm| known.alarms.contains(&alarm.id);
                let count = alarms.iter().filter(has).count();
                if count == 0 {
                    let of = alarms.len().min(EACH);
                    let missed = format!("{name} is not notified of {of} alarms of {database}");
                    return broken(Rule::Notified, missed);
                }
                known.judged.extend(alarms.into_iter().map(opening));
            }
        }
        Ok(())
    }

    /// The receivers take what is due, or refuse it.
    pub fn step(
        &mut self,
        now: Duration,
        instant: Instant,
        location: &Location,
    ) -> Result<(), Broken> {
        let Some(notifier) = &self.notifier else {
            return Ok(());
        };
        self.refusing.retain(|_, (until, _)| *until > now);
        let mut wrong = None;
        notifier.step(instant, &mut |name, body| {
            if let Some((_, retry_after)) = self.refusing.get(name) {
                return Err(DeliveryError {
                    why: "refused".into(),
                    retry_after: *retry_after,
                });
            }
            self.taken += 1;
            let known = self.receivers.entry(name.to_owned()).or_default();
            let told = Told::of(body);
            let is_new = known.ids.insert(told.id.clone());
            if !is_new && !self.may_repeat {
                wrong = Some(format!("{name} is notified twice: {body}"));
            }
            if let Some(alarm) = told.alarm {
                if !self.may_repeat && !is_on_disk(location, &told.database, &alarm) {
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

    fn settings(&self) -> MonitoringSettings {
        let webhook = |(number, name): (usize, &String)| Webhook {
            name: Some(name.clone()),
            url: Url::read(NOWHERE).expect("a URL"),
            login: Login {
                username: String::new(),
                password: Secret::new(String::new()),
            },
            auth: Auth::Body,
            secret: None,
            roots: Roots::Pem(String::new()),
            proxy: None,
            when: match number % 2 {
                0 => NotifyOn::Changes,
                _ => NotifyOn::Tampering,
            },
        };
        MonitoringSettings {
            listen: None,
            notify: NotifySettings {
                webhooks: self.configured.iter().enumerate().map(webhook).collect(),
                when: NotifyOn::Changes,
                exec: None,
            },
            heartbeat: None,
            proxies: Proxies::default(),
            peers: Vec::new(),
            peers_required: 0,
            signer: None,
        }
    }
}

/// What a notification says.
struct Told {
    id: String,
    database: String,
    alarm: Option<String>,
}

impl Told {
    fn of(body: &str) -> Told {
        let body = Json::parse(body).expect("a body of JSON");
        let text = |name| body.member(name).and_then(Json::text).map(str::to_owned);
        Told {
            id: text("id").unwrap_or_default(),
            database: text("db").unwrap_or_default(),
            alarm: text("alarm"),
        }
    }
}

/// Which opening of which alarm.
fn opening(alarm: &Alarm) -> String {
    format!("{} {} {}", alarm.database, alarm.id, alarm.opened())
}

/// The alarms of the notifications that wait for a receiver.
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
    whole.filter_map(|body| Told::of(&body).alarm).collect()
}

fn is_on_disk(location: &Location, database: &str, alarm: &str) -> bool {
    let alarms = Store::open_beside(location).and_then(|store| store.all_alarms(database));
    alarms.is_ok_and(|alarms| alarms.iter().any(|known| known.id == *alarm))
}
