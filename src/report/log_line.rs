//! Log lines: one an event, key facts as `key=value`, quiet where nothing happens.

use log::Level;

use super::plain::accepting;
use crate::audit::{Chance, Cycle, Outcome, Verdict};
use crate::ledger::State;
use crate::trust::{Progress, Swept};

/// How loudly a verdict is told.
fn level(outcome: &Outcome) -> Level {
    match outcome.verdict {
        _ if outcome.unwritten.is_some() => Level::Error,
        Verdict::Tampered(_) | Verdict::LocalFailure | Verdict::Malformed => Level::Error,
        _ if outcome.open_alarms > 0 => Level::Warn,
        Verdict::Consistent | Verdict::Empty if outcome.overdue.is_none() => Level::Debug,
        Verdict::FirstSeen => Level::Info,
        _ => Level::Warn,
    }
}

/// What is worth telling of a database beside its verdict.
pub fn log_warnings(server: &str, outcome: &Outcome) {
    for warning in &outcome.warnings {
        log::warn!("{warning} server={server} database={}", outcome.database);
    }
}

/// What a database's check ended in, and what else is worth telling of it.
pub fn log_outcome(server: &str, outcome: &Outcome) {
    log_warnings(server, outcome);
    let database = &outcome.database;
    let mut line = format!("{} server={server} database={database}", told(outcome));
    let mut add = |key: &str, value: String| {
        line.push_str(&format!(" {key}={value}"));
    };
    add("verdict", outcome.verdict.word().into());
    let why = outcome.why();
    if !why.is_empty() {
        add("reason", format!("{why:?}"));
    }
    let mut state = |prefix: &str, state: Option<State>| {
        if let Some(state) = state {
            add(&format!("{prefix}tx"), state.tx.to_string());
            add(&format!("{prefix}hash"), state.hash.to_string());
        }
    };
    state("", outcome.shown);
    state("previous_", outcome.previous);
    if let Some(alarm) = &outcome.alarm {
        add("alarm", alarm.id.clone());
        add("evidence", alarm.evidence.display().to_string());
        add("to_close", format!("{:?}", accepting(alarm)));
    }
    if outcome.open_alarms > 0 {
        add("open_alarms", outcome.open_alarms.to_string());
    }
    if let Some(failure) = &outcome.unwritten {
        add("not_written", format!("{:?}", failure.to_string()));
    }
    log::log!(level(outcome), "{line}");
}

fn told(outcome: &Outcome) -> &'static str {
    match outcome.verdict {
        Verdict::Tampered(_) => "TAMPERED",
        Verdict::FirstSeen => "first sight, taken on trust:",
        Verdict::Consistent | Verdict::Empty => "checked",
        Verdict::Unprovable => "not proven yet",
        Verdict::LocalFailure => "local failure",
        Verdict::Malformed => "malformed answer",
        Verdict::Unreachable | Verdict::Refused => "could not check",
    }
}

/// A sweep that ended.
pub fn log_swept(server: &str, database: &str, swept: &Swept) {
    log::info!(
        "swept server={server} database={database} read={} of={} unavailable={:?} began={} ended={}",
        swept.read,
        swept.of,
        swept.unavailable.to_string(),
        swept.began,
        swept.ended
    );
}

/// How much of a database's values was read, and what that is worth.
pub fn log_values(level: Level, server: &str, values: &Progress, of: u64, chance: Chance) {
    let swept = values.swept.map(|swept| swept.ended.to_string());
    log::log!(
        level,
        "values server={server} database={} read={} since={} of={of} due={} unavailable={:?} swept={} found_within_a_day={:?}",
        values.database,
        values.read,
        values.since,
        values.due.len(),
        values.unavailable.to_string(),
        swept.as_deref().unwrap_or("never"),
        chance.to_string()
    );
}

/// One line a cycle.
pub fn log_cycle(server: &str, cycle: &Cycle) {
    for trouble in cycle.troubles() {
        log::warn!("{trouble} server={server}");
    }
    let count = |select: &dyn Fn(&Outcome) -> bool| {
        cycle
            .outcomes
            .iter()
            .filter(|outcome| select(outcome))
            .count()
    };
    log::info!(
        "cycle server={server} databases={} proven={} tampered={} open_alarms={} overdue={} duration_ms={}",
        cycle.outcomes.len(),
        count(&|outcome| outcome.verdict.is_proven()),
        count(&|outcome| outcome.verdict.is_tampering()),
        cycle
            .outcomes
            .iter()
            .map(|outcome| outcome.open_alarms)
            .sum::<usize>(),
        count(&|outcome| outcome.overdue.is_some()),
        cycle.duration.as_millis()
    );
}
