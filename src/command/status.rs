//! `status`: what is trusted, since when, and the last verdicts, from the files alone.

use super::acknowledge;
use super::open::{self, Failed};
use crate::audit::{Chance, Exit, chance_per_day};
use crate::clock;
use crate::config::{Format, Settings};
use crate::ranges::Ranges;
use crate::report::{JsonObject, alarm_lines, few_ranges, print, seen};
use crate::trust::{Acknowledged, Alarm, LocalFailure, OutcomeRecord, Progress, Store, Trusted};

/// Prints every known database; the exit code is that of the last audit, except for alarms that were closed
/// since.
pub fn run(settings: &Settings) -> Result<Exit, Failed> {
    let mut store = Store::open_beside(&open::location(settings))?;
    let outcomes = store.load_outcomes();
    let progress = store.load_progress(clock::now());
    let mut worst = Exit::Good;
    let mut databases = store.databases()?;
    databases.extend(outcomes.iter().map(|outcome| outcome.database.clone()));
    databases.sort();
    databases.dedup();
    if databases.is_empty() {
        print(&format!("{}: nothing is known yet", settings.server.name));
    }
    for database in databases {
        let known = Known {
            trusted: store.load(&database),
            alarms: store.open_alarms(Some(&database)),
            last: outcomes.iter().find(|outcome| outcome.database == database),
            acknowledged: store.acknowledged(&database),
            values: progress.iter().find(|of| of.database == database),
            database,
        };
        worst = worst.max(known.exit());
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

struct Known<'a> {
    database: String,
    trusted: Result<Option<Trusted>, LocalFailure>,
    alarms: Result<Vec<Alarm>, LocalFailure>,
    last: Option<&'a OutcomeRecord>,
    acknowledged: Result<Acknowledged, LocalFailure>,
    values: Option<&'a Progress>,
}

impl Known<'_> {
    fn exit(&self) -> Exit {
        let alarms = match &self.alarms {
            Ok(alarms) if alarms.is_empty() => Exit::Good,
            // an alarm that cannot be read is not thereby closed
            _ => Exit::Tampered,
        };
        let trusted = match self.trusted {
            Ok(_) => Exit::Good,
            Err(_) => Exit::Local,
        };
        let last = match self.last.map(|last| last.verdict.as_str()) {
            Some("unread" | "malformed" | "unreachable" | "refused" | "unprovable") => {
                Exit::Incomplete
            }
            Some("local-failure") => Exit::Local,
            Some("first-seen" | "consistent" | "empty")
                if self.last.is_some_and(|last| !last.complete) =>
            {
                Exit::Incomplete // overdue
            }
            // tampering is reported by its alarm, until that is closed
            _ => Exit::Good,
        };
        let due = self.values.is_some_and(|values| !values.due.is_empty());
        let unread = if due { Exit::Incomplete } else { Exit::Good };
        alarms.max(trusted).max(last).max(unread)
    }

    fn text(&self, settings: &Settings) -> String {
        let mut lines = vec![self.database.clone()];
        match &self.trusted {
            Ok(Some(trusted)) => {
                lines.push(format!(
                    "  trusted: transaction {}, hash {}",
                    trusted.state.tx, trusted.state.hash
                ));
                lines.push(format!(
                    "  accepted {} ({}), unbroken since {}",
                    trusted.accepted, trusted.how, trusted.since
                ));
            }
            Ok(None) => lines.push("  nothing is trusted".into()),
            Err(failure) => lines.push(format!("  local failure: {failure}")),
        }
        if let Some(last) = self.last {
            let reason = if last.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", last.reason)
            };
            lines.push(format!(
                "  last check {}: {}{reason}",
                last.checked, last.verdict
            ));
            if let Some(proven) = last.proven.filter(|proven| *proven != last.checked) {
                lines.push(format!("  last proven {proven}"));
            }
        }
        lines.extend(self.values_in_words(settings));
        match &self.acknowledged {
            Ok(acknowledged) => {
                lines.extend(acknowledge::lines(acknowledged).map(|line| format!("  {line}")));
            }
            Err(failure) => lines.push(format!("  no acknowledged fact counts: {failure}")),
        }
        if let Err(failure) = &self.alarms {
            lines.push(format!("  alarms cannot be read: {failure}"));
        }
        for alarm in self.alarms.iter().flatten() {
            let seen = seen(alarm);
            lines.push(format!(
                "  OPEN ALARM {}: {} ({}), raised {}, {seen}",
                alarm.id, alarm.kind, alarm.reason, alarm.raised
            ));
            let more = alarm_lines(alarm);
            lines.extend(more.iter().map(|line| format!("    {line}")));
        }
        lines.join("\n")
    }

    /// What of the values was read, and what that is worth.
    fn values_in_words(&self, settings: &Settings) -> Vec<String> {
        let Ok(Some(trusted)) = &self.trusted else {
            return Vec::new();
        };
        let of = trusted.state.tx;
        let mut lines = vec![match self.values {
            Some(values) if values.read > 0 => format!(
                "  values: {} transactions read since {}, of {of} that there are",
                values.read, values.since
            ),
            _ => format!("  values: none of {of} transactions was read yet"),
        }];
        if let Some(values) = self.values {
            if let Some(sweep) = &values.sweep {
                lines.push(format!(
                    "  sweep under way since {}: {} of {of} transactions passed",
                    sweep.began, sweep.at
                ));
            }
            lines.push(match values.swept {
                Some(swept) => format!(
                    "  last sweep ended {}: {} of {} transactions read whole",
                    swept.ended, swept.read, swept.of
                ),
                None => "  no sweep has ended yet".into(),
            });
            if values.unavailable.total() > 0 {
                lines.push(format!(
                    "  values that cannot be read any more, of those asked for: {}",
                    values.unavailable
                ));
            }
            if values.truncated_before > 0 {
                lines.push(format!(
                    "  values of transactions before {} were dropped, as the ledger itself records",
                    values.truncated_before
                ));
            }
            if !values.due.is_empty() {
                let since = values.due_since().map(|since| format!(" since {since}"));
                lines.push(format!(
                    "  could not be read{}: {}",
                    since.unwrap_or_default(),
                    few_ranges(&values.due)
                ));
            }
            let (absent, dropped) = self.unexplained(values);
            if !absent.is_empty() {
                lines.push(format!(
                    "  the server does not have these transactions' values, and the ledger does not say why: {}",
                    few_ranges(&absent)
                ));
            }
            if !dropped.is_empty() {
                lines.push(format!(
                    "  of these had been read whole before: {}",
                    few_ranges(&dropped)
                ));
            }
            if let (Some(behind), Some(since)) = (self.behind(), values.behind_since) {
                lines.push(format!(
                    "  {behind} new transactions wait to be read since {since}"
                ));
            }
        }
        lines.push(format!(
            "  an edit of one random value is found within a day with a chance of {}",
            self.chance(settings, of)
        ));
        lines
    }

    /// Transactions with absent values that nobody acknowledged, and those of them that had been read whole.
    fn unexplained(&self, values: &Progress) -> (Ranges, Ranges) {
        let acknowledged = self.acknowledged.as_ref().map_or(0, |of| of.absent_to);
        values.absent_after(acknowledged)
    }

    /// New transactions that are not read yet, when all new ones are to be.
    fn behind(&self) -> Option<u64> {
        let of = self.trusted.as_ref().ok()?.as_ref()?.state.tx;
        let values = self.values?;
        values.behind_since?;
        Some(of.saturating_sub(values.new_to?))
    }

    fn chance(&self, settings: &Settings, of: u64) -> Chance {
        let audit = &settings.audit;
        chance_per_day(&audit.values, audit.interval, of, self.values, clock::now())
    }

    fn json(&self, settings: &Settings) -> String {
        let server = settings.server.name.as_str();
        let of = self.trusted.as_ref().ok().and_then(Option::as_ref);
        let chance = of.map(|trusted| self.chance(settings, trusted.state.tx).to_string());
        let sweep = self.values.and_then(|values| values.sweep.as_ref());
        let swept = self.values.and_then(|values| values.swept);
        let due = self.values.map(|values| values.due.count());
        let trusted = self.trusted.as_ref().ok().and_then(Option::as_ref);
        let hash = trusted.map(|trusted| trusted.state.hash.to_string());
        let time = |time: Option<crate::clock::Timestamp>| time.map(|time| time.to_string());
        let alarms: Vec<&str> = self
            .alarms
            .iter()
            .flatten()
            .map(|alarm| alarm.id.as_str())
            .collect();
        let acknowledged = self.acknowledged.as_ref().ok();
        let failure = self.trusted.as_ref().err().or(self.alarms.as_ref().err());
        let failure = failure.map(ToString::to_string);
        JsonObject::new()
            .text("server", Some(server))
            .text("database", Some(&self.database))
            .number("tx", trusted.map(|trusted| trusted.state.tx))
            .text("hash", hash.as_deref())
            .text(
                "how",
                trusted.map(|trusted| trusted.how.to_string()).as_deref(),
            )
            .text(
                "since",
                time(trusted.map(|trusted| trusted.since)).as_deref(),
            )
            .text(
                "accepted",
                time(trusted.map(|trusted| trusted.accepted)).as_deref(),
            )
            .text("verdict", self.last.map(|last| last.verdict.as_str()))
            .text("reason", self.last.map(|last| last.reason.as_str()))
            .text(
                "checked",
                time(self.last.map(|last| last.checked)).as_deref(),
            )
            .text(
                "proven",
                time(self.last.and_then(|last| last.proven)).as_deref(),
            )
            .text("failure", failure.as_deref())
            .texts("open_alarms", &alarms)
            .number(
                "last_signed",
                trusted.and_then(|trusted| trusted.last_signed),
            )
            .number(
                "acknowledged_absent_to",
                acknowledged.map(|of| of.absent_to).filter(|tx| *tx > 0),
            )
            .number(
                "acknowledged_unsigned_after",
                acknowledged.and_then(|of| of.unsigned_after),
            )
            .number("values_read", self.values.map(|values| values.read))
            .number("values_due", due)
            .text(
                "values_due_since",
                time(self.values.and_then(Progress::due_since)).as_deref(),
            )
            .number("values_behind", self.behind())
            .number(
                "values_absent",
                self.values.map(|of| self.unexplained(of).0.count()),
            )
            .number(
                "values_dropped",
                self.values.map(|of| self.unexplained(of).1.count()),
            )
            .number(
                "values_unavailable",
                self.values.map(|values| values.unavailable.total()),
            )
            .number("sweep_at", sweep.map(|sweep| sweep.at))
            .text("swept", time(swept.map(|swept| swept.ended)).as_deref())
            .number("swept_read", swept.map(|swept| swept.read))
            .number(
                "swept_unavailable",
                swept.map(|swept| swept.unavailable.total()),
            )
            .number("swept_of", swept.map(|swept| swept.of))
            .text("found_within_a_day", chance.as_deref())
            .end()
    }
}
