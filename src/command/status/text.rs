//! The lines about one database, for people.

use super::Known;
use crate::clock;
use crate::command::acknowledge;
use crate::config::Settings;
use crate::report::{alarm_lines, few_ranges, peer_record_line, seen};
use crate::text::{counted, counted_with};
use crate::trust::{OutcomeRecord, Tampering};

impl Known<'_> {
    pub(super) fn text(&self, settings: &Settings) -> String {
        let mut lines = vec![self.database.clone()];
        match &self.trusted {
            Ok(Some(trusted)) => {
                lines.push(format!(
                    "  trusted: transaction {}, hash {}",
                    trusted.state.tx, trusted.state.hash
                ));
                lines.push(format!(
                    "  trusted {} ({}), unbroken since {}",
                    trusted.accepted, trusted.how, trusted.since
                ));
            }
            Ok(None) => lines.push("  no trusted state".into()),
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
            if self.is_tampering_closed(last) {
                lines.push("  its alarm was closed, but no check has succeeded since".into());
            }
        }
        if self.is_unsigned() {
            lines.push("  the state was signed before and is not signed now".into());
        }
        lines.extend(self.age_in_words(settings));
        lines.extend(self.values_in_words(settings));
        let now = clock::now();
        for record in &self.peers {
            lines.push(format!("  {}", peer_record_line(record, now)));
        }
        match &self.acknowledged {
            Ok(acknowledged) => {
                lines.extend(acknowledge::lines(acknowledged).map(|line| format!("  {line}")));
            }
            Err(failure) => lines.push(format!("  acknowledged facts are ignored: {failure}")),
        }
        for alarm in &self.closed {
            let what = alarm.read_again().unwrap_or_default();
            lines.push(format!(
                "  the next check reads {what} again, because alarm {} was closed",
                alarm.id
            ));
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

    /// Returns whether the last check found tampering that no open alarm reports any more.
    fn is_tampering_closed(&self, last: &OutcomeRecord) -> bool {
        let no_alarm = self.alarms.as_ref().is_ok_and(Vec::is_empty);
        let tampering = last.verdict.parse::<Tampering>().is_ok();
        tampering && no_alarm && !self.is_adopted_since(last)
    }

    /// Returns a line if no check is recorded, or if the last one is too old.
    fn age_in_words(&self, settings: &Settings) -> Option<String> {
        if !self.is_audited(settings) {
            return Some("  not audited: --audit-databases does not select it".into());
        }
        if self.last.is_none() {
            return Some(
                "  no check is recorded: run immuaudit --once, or start the auditor".into(),
            );
        }
        let overdue = self.overdue(settings)?;
        let interval = settings.audit.interval;
        let is_running = self.was_checked_recently(settings);
        let advice = match is_running {
            true => "the auditor is running, and its last check did not prove the database",
            false => "check that the auditor is running",
        };
        Some(format!(
            "  {overdue}, which is more than three times --audit-interval ({interval:?}): {advice}"
        ))
    }

    /// Describes how much of the values was read, and the probability of detection.
    fn values_in_words(&self, settings: &Settings) -> Vec<String> {
        let Some(trusted) = self.trusted() else {
            return Vec::new();
        };
        let of = trusted.state.tx;
        let mut lines = vec![match self.values {
            Some(values) if values.read > 0 => format!(
                "  values: {} since {}, including repeated reads; the ledger has {}",
                counted(values.read, "transaction read"),
                values.since,
                counted(of, "transaction")
            ),
            _ => format!(
                "  values: none of {} has been read yet",
                counted(of, "transaction")
            ),
        }];
        if let Some(values) = self.values {
            if let Some(sweep) = &values.sweep {
                lines.push(format!(
                    "  sweep in progress since {}: {} of {of} transactions done",
                    sweep.began, sweep.at
                ));
            }
            lines.push(match values.swept {
                Some(swept) => format!(
                    "  last sweep ended {}: {} of {} transactions read with all values",
                    swept.ended, swept.read, swept.of
                ),
                None => "  no sweep has ended yet".into(),
            });
            if values.unavailable.total() > 0 {
                lines.push(format!(
                    "  requested values that cannot be read any more: {}",
                    values.unavailable
                ));
            }
            if values.truncated_before > 0 {
                lines.push(format!(
                    "  the ledger records that the values of transactions before {} were dropped",
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
                    "  the server does not have the values of these transactions, and the ledger records no truncation: {}",
                    few_ranges(&absent)
                ));
            }
            if !dropped.is_empty() {
                lines.push(format!(
                    "  of these, all values had been read before: {}",
                    few_ranges(&dropped)
                ));
            }
            if let (Some(behind), Some(since)) = (self.behind(), values.behind_since) {
                lines.push(format!(
                    "  {} to be read since {since}",
                    counted_with(behind, "new transaction", ["waits", "wait"])
                ));
            }
        }
        lines.push(format!(
            "  probability of detecting one edited value within a day: {}",
            self.probability(settings, of)
        ));
        lines
    }
}
