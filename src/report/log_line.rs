//! The log of checks, sweeps and cycles: one line for each event, and none if nothing happens.

use log::Level;

use super::alarm::{adopt_command, close_command};
use super::event::Event;
use super::untrusted::Untrusted;
use crate::audit::{Cycle, CycleError, DetectionProbability, Outcome, Verdict};
use crate::text::Escaped;
use crate::trust::{Closed, SweepSummary, ValueProgress};

/// Returns the log level of an outcome.
fn level(outcome: &Outcome) -> Level {
    match outcome.verdict {
        // the cycle logs all untrusted databases in one line
        verdict if outcome.is_untrusted && !verdict.is_tampering() => Level::Debug,
        _ if outcome.own_failures().next().is_some() => Level::Error,
        Verdict::Tampered(_) | Verdict::LocalFailure | Verdict::Malformed => Level::Error,
        _ if outcome.open_alarms > 0 => Level::Warn,
        Verdict::Consistent | Verdict::Empty if outcome.is_complete() => Level::Debug,
        Verdict::FirstSeen if outcome.is_complete() => Level::Info,
        _ => Level::Warn,
    }
}

/// The immediate next step after tampering; the page has more.
const NEXT_STEP: &str = "do not change the server or its data, copy the evidence file to another place, find out who changed the history, then close the alarm";

/// Logs a warning about the auditor's own files.
pub fn log_warning(server: &str, warning: impl ToString) {
    Event::new(Level::Warn, warning)
        .text("server", server)
        .log();
}

/// Logs the warnings about a database that its check added to the verdict.
pub fn log_warnings(server: &str, outcome: &Outcome) {
    for warning in &outcome.warnings {
        Event::new(Level::Warn, warning)
            .text("server", server)
            .text("database", &outcome.database)
            .log();
    }
}

/// Logs the outcome of a database's check, and its warnings.
pub fn log_outcome(server: &str, outcome: &Outcome) {
    log_warnings(server, outcome);
    let mut event = Event::new(level(outcome), message_of(outcome))
        .text("server", server)
        .text("database", &outcome.database)
        .text("verdict", outcome.verdict.word())
        .text_opt("state_verdict", outcome.of_state.map(Verdict::word));
    let why = outcome.why();
    if !why.is_empty() {
        event = event.text("reason", why);
    }
    if let Some(shown) = outcome.shown {
        event = event.number("tx", shown.tx).text("hash", shown.hash);
    }
    if let Some(previous) = outcome.previous {
        event = event
            .number("previous_tx", previous.tx)
            .text("previous_hash", previous.hash);
    }
    if let Some(alarm) = &outcome.alarm {
        event = event
            .text("alarm", &alarm.id)
            .text("evidence", alarm.evidence.display());
    }
    if outcome.verdict.is_tampering() {
        event = event
            .text("next_step", NEXT_STEP)
            .text_opt("close_command", outcome.alarm.as_ref().map(close_command))
            .text_opt(
                "adopt_command",
                outcome.alarm.as_ref().and_then(adopt_command),
            );
    }
    if outcome.open_alarms > 0 {
        event = event.number("open_alarms", outcome.open_alarms as u64);
    }
    event.log();
}

fn message_of(outcome: &Outcome) -> &'static str {
    match outcome.verdict {
        Verdict::Tampered(_) => "TAMPERED",
        Verdict::FirstSeen => "trusted on first use",
        Verdict::Consistent | Verdict::Empty => "checked",
        Verdict::Unread => "not read",
        Verdict::Unprovable => "not proven yet",
        Verdict::LocalFailure => "local failure",
        Verdict::Malformed => "malformed response",
        Verdict::Unreachable | Verdict::Refused => "check failed",
    }
}

/// Logs an operator's decision about an alarm: `None` if the alarm is no longer on the list.
pub fn log_decision(server: &str, database: &str, id: &str, decided: Option<&Closed>) {
    let message = match decided {
        Some(Closed { adopted: true, .. }) => "alarm adopted: its state is trusted now",
        Some(_) => "alarm closed",
        None => "alarm no longer on the list",
    };
    Event::new(Level::Warn, message)
        .text("server", server)
        .text("database", database)
        .text("alarm", id)
        .text_opt("by", decided.map(|closed| Escaped::new(&closed.who)))
        .text_opt("at", decided.map(|closed| closed.when))
        .log();
}

/// Logs a sweep that ended.
pub fn log_swept(server: &str, database: &str, swept: &SweepSummary) {
    Event::new(Level::Info, "sweep finished")
        .text("server", server)
        .text("database", database)
        .number("read", swept.read)
        .number("of", swept.of)
        .text("unavailable", swept.unavailable)
        .text("began", swept.began)
        .text("ended", swept.ended)
        .log();
}

/// Logs how much of a database's values was read, and the probability of detection.
pub fn log_values(
    level: Level,
    server: &str,
    values: &ValueProgress,
    of: u64,
    chance: DetectionProbability,
) {
    let swept = values.swept.map(|swept| swept.ended.to_string());
    Event::new(level, "value check progress")
        .text("server", server)
        .text("database", &values.database)
        .number("read", values.read)
        .text("since", values.since)
        .number("of", of)
        .number("due", values.due.count())
        .number("absent", values.absent.count())
        .text("unavailable", values.unavailable)
        .text("last_sweep_ended", swept.as_deref().unwrap_or("never"))
        .text("detection_probability_24h", chance)
        .log();
}

/// Logs the untrusted databases, all together.
pub fn log_untrusted(server: &str, untrusted: &Untrusted) {
    let level = match untrusted.worst {
        Some(Verdict::Tampered(_) | Verdict::LocalFailure) => Level::Error,
        Some(verdict) if !verdict.is_proven() => Level::Warn,
        _ => Level::Info,
    };
    let text = match untrusted.unproven {
        0 => "no audited database fails trust on first use any more",
        _ => &untrusted.text,
    };
    Event::new(level, text)
        .text("server", server)
        .number("unproven", untrusted.unproven)
        .number("tampered", untrusted.tampering_count)
        .number("not_reached", untrusted.not_reached)
        .log();
}

/// Logs a cycle that took longer than the interval: databases are checked less often than configured.
pub fn log_slow_cycle(server: &str, cycle: &Cycle) {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let text = "a cycle takes longer than --audit-interval: increase --audit-interval, or reduce --audit-sample";
    Event::new(Level::Warn, text)
        .text("server", server)
        .number("duration_ms", millis(cycle.duration))
        .number("interval_ms", millis(cycle.interval))
        .log();
}

/// Logs one line for a cycle.
pub fn log_cycle(server: &str, cycle: &Cycle) {
    let troubles = cycle.errors();
    for trouble in troubles.filter(|trouble| !matches!(trouble, CycleError::Untrusted(_))) {
        Event::new(Level::Warn, trouble)
            .text("server", server)
            .log();
    }
    let outcomes = || cycle.outcomes.iter();
    let count = |select: fn(&&Outcome) -> bool| outcomes().filter(select).count() as u64;
    let databases = outcomes()
        .count()
        .saturating_add(cycle.untrusted.unreported());
    let alarms: usize = outcomes().map(|outcome| outcome.open_alarms).sum();
    let duration = u64::try_from(cycle.duration.as_millis()).unwrap_or(u64::MAX);
    Event::new(Level::Info, "cycle finished")
        .text("server", server)
        .number("databases", databases as u64)
        .number("proven", count(|of| of.is_proven()))
        .number("untrusted", cycle.untrusted.len() as u64)
        .number("tampered", count(|of| of.verdict.is_tampering()))
        .number("open_alarms", alarms as u64)
        .number(
            "overdue",
            count(|of| of.overdue.or(of.values_overdue).is_some()),
        )
        .number("duration_ms", duration)
        .log();
}
