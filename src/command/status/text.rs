//! The lines about one database.

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
            if self.is_tampering_closed(last) {
                lines.push("  its alarm is closed, but no check has succeeded since".into());
            }
        }
        if self.is_unsigned() {
            lines.push("  the state was signed before and is not now".into());
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
            Err(failure) => lines.push(format!("  no acknowledged fact counts: {failure}")),
        }
        for alarm in &self.closed {
            let what = alarm.read_again().unwrap_or_default();
            lines.push(format!(
                "  the next check reads {what} again, since alarm {} is closed",
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

    /// Returns a line if the last check is missing, or too long ago.
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
        Some(format!(
            "  {overdue}, which is more than three times --audit-interval ({interval:?}): is the auditor running?"
        ))
    }

    /// What of the values was read, and what that is worth.
    fn values_in_words(&self, settings: &Settings) -> Vec<String> {
        let Some(trusted) = self.trusted() else {
            return Vec::new();
        };
        let of = trusted.state.tx;
        let mut lines = vec![match self.values {
            Some(values) if values.read > 0 => format!(
                "  values: transactions were read {} since {}, some more than once; the ledger has {}",
                counted(values.read, "time"),
                values.since,
                counted(of, "transaction")
            ),
            _ => format!(
                "  values: none of {} was read yet",
                counted(of, "transaction")
            ),
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
