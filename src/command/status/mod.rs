//! `status`: what is trusted, since when, and the last verdicts, from the files alone.

mod json;
mod text;

use std::time::Duration;

use super::open::{self, Failed};
use crate::audit::{Chance, Exit, Overdue, allowed_without_proof, chance_per_day};
use crate::clock;
use crate::config::{Format, Settings};
use crate::ranges::Ranges;
use crate::report::{JsonObject, print};
use crate::trust::{
    Acknowledged, Alarm, How, LocalFailure, OutcomeRecord, Progress, Store, Trusted,
};

/// Prints every known database. The exit code is 0 only if the last check of each was complete and recent, and no alarm
/// is open.
pub fn run(settings: &Settings) -> Result<Exit, Failed> {
    let mut store = Store::open_beside(&open::location(settings))?;
    let outcomes = store.load_outcomes();
    let progress = store.load_progress(clock::now());
    let mut worst = Exit::Good;
    let databases = open::kept_or_checked(&store, &outcomes)?;
    if databases.is_empty() && settings.report.format == Format::Text {
        print(&format!("{}: nothing is known yet", settings.server.name));
    }
    for trouble in store.load_troubles() {
        worst = worst.max(Exit::Incomplete);
        print(&match settings.report.format {
            Format::Json => JsonObject::new()
                .text("server", Some(&settings.server.name))
                .text("database", None)
                .text("reason", Some(&trouble))
                .end(),
            Format::Text => format!("{}: last cycle: {trouble}", settings.server.name),
        });
    }
    for database in databases {
        let known = Known {
            trusted: store.load(&database),
            alarms: store.open_alarms(Some(&database)),
            closed: store.alarms_awaiting_reading(&database).unwrap_or_default(),
            last: outcomes.iter().find(|outcome| outcome.database == database),
            acknowledged: store.acknowledged(&database),
            values: progress.iter().find(|of| of.database == database),
            database,
        };
        worst = worst.max(known.exit(settings));
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

/// How old the recorded times can be while an auditor runs: it writes them every ten seconds, in whole seconds, and
/// after a cycle that may take as long.
const WRITTEN_LATE: Duration = Duration::from_secs(30);

struct Known<'a> {
    database: String,
    trusted: Result<Option<Trusted>, LocalFailure>,
    alarms: Result<Vec<Alarm>, LocalFailure>,
    /// Closed alarms of which no check has read the transactions again yet.
    closed: Vec<Alarm>,
    last: Option<&'a OutcomeRecord>,
    acknowledged: Result<Acknowledged, LocalFailure>,
    values: Option<&'a Progress>,
}

impl Known<'_> {
    /// Returns the trusted state, if there is one that can be read.
    fn trusted(&self) -> Option<&Trusted> {
        self.trusted.as_ref().ok()?.as_ref()
    }

    fn exit(&self, settings: &Settings) -> Exit {
        let alarms = match &self.alarms {
            Ok(alarms) if alarms.is_empty() => Exit::Good,
            // an alarm that cannot be read is not thereby closed
            _ => Exit::Tampered,
        };
        let trusted = match self.trusted {
            Ok(_) => Exit::Good,
            Err(_) => Exit::Local,
        };
        let last = match self.last {
            // the last audit of a selected database is the newest record
            None if !self.is_audited(settings) => Exit::Good,
            None => Exit::Incomplete,
            Some(last) => match last.verdict.as_str() {
                "first-seen" | "consistent" | "empty" if last.complete => Exit::Good,
                "local-failure" => Exit::Local,
                _ if self.is_adopted_since(last) => Exit::Good,
                // an open alarm reports tampering; after it is closed, the next check has to prove the state
                _ => Exit::Incomplete,
            },
        };
        let last = match self.overdue(settings) {
            Some(_) => last.max(Exit::Incomplete),
            None => last,
        };
        let due = self.values.is_some_and(|values| !values.due.is_empty());
        let unread = match due || !self.closed.is_empty() {
            true => Exit::Incomplete,
            false => Exit::Good,
        };
        alarms.max(trusted).max(last).max(unread)
    }

    /// Returns whether the settings select the database, so that checks of it are expected.
    fn is_audited(&self, settings: &Settings) -> bool {
        let audit = &settings.audit;
        let pinned = audit.pins.iter().any(|pin| pin.database == self.database);
        pinned || audit.databases.selects(&self.database)
    }

    /// Returns whether an operator adopted another state after the last check, which therefore decides nothing any more.
    fn is_adopted_since(&self, last: &OutcomeRecord) -> bool {
        self.trusted().is_some_and(|trusted| {
            matches!(trusted.how, How::Adopted { .. }) && trusted.accepted >= last.checked
        })
    }

    /// Returns how long the database has not been proven if that is too long by now, although no program may be running
    /// that would notice. A database of which nothing was ever trusted has nothing that would have to be proven again.
    fn overdue(&self, settings: &Settings) -> Option<Overdue> {
        let last = self
            .last
            .filter(|last| self.trusted().is_some() || last.was_trusted())?;
        let proven = last.proven?;
        let age = clock::now().since(proven);
        let allowed = allowed_without_proof(settings.audit.interval).saturating_add(WRITTEN_LATE);
        (self.is_audited(settings) && age > allowed).then_some(Overdue::Unproven(age))
    }

    /// Transactions with absent values that nobody acknowledged, and those of them that had been read whole.
    fn unexplained(&self, values: &Progress) -> (Ranges, Ranges) {
        match &self.acknowledged {
            Ok(acknowledged) => values.unexplained(acknowledged),
            Err(_) => values.unexplained(&Acknowledged::default()),
        }
    }

    /// New transactions that are not read yet, when all new ones are to be.
    fn behind(&self) -> Option<u64> {
        let of = self.trusted()?.state.tx;
        let values = self.values?;
        values.behind_since?;
        Some(of.saturating_sub(values.new_to?))
    }

    fn chance(&self, settings: &Settings, of: u64) -> Chance {
        let audit = &settings.audit;
        chance_per_day(&audit.values, audit.interval, of, self.values, clock::now())
    }
}
