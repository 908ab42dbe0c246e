//! `status`: prints the trusted states with their dates, and the last verdicts. It reads only files.

mod all;
mod json;
mod text;

use std::time::Duration;

pub use all::run as run_all;

use super::setup::{self, CommandError};
use crate::audit::{
    DetectionProbability, Exit, Overdue, Readings, allowed_without_proof,
    detection_probability_per_day,
};
use crate::clock;
use crate::config::{Format, Settings};
use crate::notify::waiting_since;
use crate::ranges::Ranges;
use crate::report::{Condition, Facts, JsonObject, MAX_DELIVERY_DELAY, Overall, ago, print};
use crate::text::counted_with;
use crate::trust::{
    Acknowledged, Alarm, OutcomeRecord, PeerRecord, Store, StoreError, TrustOrigin, TrustedState,
    ValueProgress,
};

/// Prints the overall condition, then every known database. The exit code is 0 only if the last check of each database
/// is complete and recent, without absent values and open alarms.
pub fn run(settings: &Settings) -> Result<Exit, CommandError> {
    let mut store = Store::open_shared(&setup::location(settings))?;
    let outcomes = store.load_outcomes();
    let progress = store.load_progress(clock::now());
    let troubles = store.load_troubles();
    let databases = setup::kept_or_checked(&store, &outcomes)?;
    let peers = store.load_peers(clock::now());
    let known: Vec<Known> = databases
        .into_iter()
        .map(|database| Known {
            trusted: store.load(&database),
            alarms: store.open_alarms(Some(&database)),
            closed: store.alarms_awaiting_reading(&database).unwrap_or_default(),
            last: outcomes.iter().find(|outcome| outcome.database == database),
            acknowledged: store.acknowledged(&database),
            values: progress.iter().find(|of| of.database == database),
            peers: peers.iter().filter(|of| of.database == database).collect(),
            database,
        })
        .collect();
    let late = i64::try_from(MAX_DELIVERY_DELAY.as_secs()).unwrap_or(i64::MAX);
    let waiting = waiting_since(store.directory(), clock::now().plus(-late));
    let mut condition = Condition::Good;
    let mut beside = Vec::new();
    if waiting > 0 {
        condition = condition.max(Condition::Attention);
        let of = counted_with(waiting, "notification", ["has", "have"]);
        let late = MAX_DELIVERY_DELAY.as_secs();
        beside.push((
            "",
            format!("{of} not been delivered for more than {late} s"),
        ));
    }
    if !troubles.is_empty() {
        condition = condition.max(Condition::Unproven);
        beside.extend(
            troubles
                .into_iter()
                .map(|trouble| ("last cycle: ", trouble)),
        );
    }
    let exits = known.iter().map(|known| known.exit(settings));
    let worst = exits.max().unwrap_or(Exit::Good).max(condition.exit());
    let server = &settings.server.name;
    if settings.report.format == Format::Text {
        print(&headline(settings, &known, condition));
    }
    for (source, reason) in beside {
        print(&match settings.report.format {
            Format::Json => object(settings)
                .text("server", Some(server))
                .text("database", None)
                .text("reason", Some(&reason))
                .end(),
            Format::Text => format!("{server}: {source}{reason}"),
        });
    }
    for known in &known {
        print(&match settings.report.format {
            Format::Json => known.json(settings),
            Format::Text => known.text(settings),
        });
    }
    for warning in store.warnings() {
        log::warn!("{warning}");
    }
    Ok(worst)
}

/// Begins a JSON object; the object of an instance has its name.
fn object(settings: &Settings) -> JsonObject {
    match &settings.instance {
        Some(instance) => JsonObject::new().text("instance", Some(instance.name())),
        None => JsonObject::new(),
    }
}

/// Returns the overall condition in one line, with the time of the last recorded check.
fn headline(settings: &Settings, known: &[Known], of_the_rest: Condition) -> String {
    let server = &settings.server.name;
    if known.is_empty() {
        return format!("{server}: no database has been audited yet");
    }
    let conditions = known.iter().map(|known| known.facts(settings).condition());
    let condition = conditions.max().unwrap_or(Condition::Good);
    let title = Overall::from(condition.max(of_the_rest)).title();
    let checked = known
        .iter()
        .filter_map(|known| known.last)
        .map(|last| last.checked);
    match checked.max() {
        Some(at) => {
            let age = ago(clock::now().since(at));
            format!("{server}: {title}, as of {at}, {age}")
        }
        None => format!("{server}: {title}, no check is recorded"),
    }
}

/// The age that recorded times may have while an auditor runs. The auditor writes them every ten seconds, in whole
/// seconds, and after a cycle that may also take ten seconds.
const MAX_WRITE_DELAY: Duration = Duration::from_secs(30);

struct Known<'a> {
    database: String,
    trusted: Result<Option<TrustedState>, StoreError>,
    alarms: Result<Vec<Alarm>, StoreError>,
    /// The closed alarms whose transactions were not read again yet.
    closed: Vec<Alarm>,
    last: Option<&'a OutcomeRecord>,
    acknowledged: Result<Acknowledged, StoreError>,
    values: Option<&'a ValueProgress>,
    /// The results of comparing the checkpoints of peers.
    peers: Vec<&'a PeerRecord>,
}

impl Known<'_> {
    /// Returns the trusted state, if it exists and can be read.
    fn trusted(&self) -> Option<&TrustedState> {
        self.trusted.as_ref().ok()?.as_ref()
    }

    /// Returns the exit code: by the condition, or because the auditor's own files cannot be read.
    fn exit(&self, settings: &Settings) -> Exit {
        let is_local = self
            .last
            .is_some_and(|last| last.verdict == "local-failure");
        let local = match self.trusted.is_err() || is_local {
            true => Exit::Local,
            false => Exit::Good,
        };
        self.facts(settings).condition().exit().max(local)
    }

    /// Returns the facts that decide the database's condition, by the files.
    fn facts(&self, settings: &Settings) -> Facts {
        let due = self.values.map_or(0, |values| values.due.count());
        let reread = u64::try_from(self.closed.len()).unwrap_or(u64::MAX);
        Facts {
            is_audited: self.is_audited(settings),
            // an alarm that cannot be read may be open
            is_alarming: !self.alarms.as_ref().is_ok_and(Vec::is_empty),
            is_complete: self.is_complete() && self.overdue(settings).is_none(),
            due: due.saturating_add(reread),
            behind: self.behind().unwrap_or(0),
            absent: self
                .values
                .map_or(0, |values| self.unexplained(values).0.count()),
            is_unsigned: self.is_unsigned(),
        }
    }

    /// Returns whether the last check proved the state and read everything that was due. An open alarm reports
    /// tampering; after it is closed, the next check must prove the state.
    fn is_complete(&self) -> bool {
        self.trusted.is_ok()
            && self.last.is_some_and(|last| {
                let is_proven =
                    ["first-seen", "consistent", "empty"].contains(&last.verdict.as_str());
                (is_proven && last.complete) || self.is_adopted_since(last)
            })
    }

    /// Returns whether the state was signed before and is not signed now, without an acknowledgement.
    fn is_unsigned(&self) -> bool {
        let Some(trusted) = self.trusted().filter(|trusted| trusted.signature.is_none()) else {
            return false;
        };
        let acknowledged = self.acknowledged.as_ref().ok();
        let acknowledged = acknowledged.and_then(|of| of.unsigned_after);
        trusted.last_signed.is_some() && acknowledged != trusted.last_signed
    }

    /// Returns whether the settings select the database, so that checks of it are expected.
    fn is_audited(&self, settings: &Settings) -> bool {
        setup::is_audited(settings, &self.database)
    }

    /// Returns whether an operator adopted another state after the last check, whose verdict is therefore out of date.
    fn is_adopted_since(&self, last: &OutcomeRecord) -> bool {
        self.trusted().is_some_and(|trusted| {
            matches!(trusted.how, TrustOrigin::Adopted { .. }) && trusted.accepted >= last.checked
        })
    }

    /// Returns the time without a proof if it is too long, even if no auditor runs that would notice this. A database
    /// that was never trusted cannot be overdue.
    fn overdue(&self, settings: &Settings) -> Option<Overdue> {
        let last = self
            .last
            .filter(|last| self.trusted().is_some() || last.was_trusted())?;
        let proven = last.proven?;
        let age = clock::now().since(proven);
        let allowed =
            allowed_without_proof(settings.audit.interval).saturating_add(MAX_WRITE_DELAY);
        (self.is_audited(settings) && age > allowed).then_some(Overdue::Unproven(age))
    }

    /// Returns whether the last check is recent, so that an auditor is running.
    fn was_checked_recently(&self, settings: &Settings) -> bool {
        let allowed =
            allowed_without_proof(settings.audit.interval).saturating_add(MAX_WRITE_DELAY);
        self.last
            .is_some_and(|last| clock::now().since(last.checked) <= allowed)
    }

    /// Returns the transactions with unacknowledged absent values, and those of them that had been read completely.
    fn unexplained(&self, values: &ValueProgress) -> (Ranges, Ranges) {
        match &self.acknowledged {
            Ok(acknowledged) => values.unexplained(acknowledged),
            Err(_) => values.unexplained(&Acknowledged::default()),
        }
    }

    /// Returns the number of new transactions that are not read yet, if all new ones are due.
    fn behind(&self) -> Option<u64> {
        let of = self.trusted()?.state.tx;
        let values = self.values?;
        values.behind_since?;
        Some(of.saturating_sub(values.new_to?))
    }

    fn probability(&self, settings: &Settings, of: u64) -> DetectionProbability {
        let audit = &settings.audit;
        let readings = Readings::of(self.values);
        detection_probability_per_day(&audit.values, audit.interval, of, readings, clock::now())
    }
}
