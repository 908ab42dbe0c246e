//! One line for each database for people, as `--once` prints it.

use std::io::{self, Write};

use super::alarm::alarm_lines;
use crate::audit::{Outcome, Verdict};
use crate::text::counted;

/// Prints a line to stdout; a closed stdout is no reason to stop auditing.
pub fn print(text: &str) {
    let _ = try_print(text);
}

/// Prints a line to stdout, for a command whose purpose is this text.
///
/// # Errors
/// Stdout is closed, or its disk is full.
pub fn try_print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush())
}

/// Prints an error to stderr; if stderr is closed, the exit code still reports it.
pub fn print_error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Returns the text about a database's outcome: one line, and further lines for alarms.
pub fn outcome_line(outcome: &Outcome) -> String {
    let mut line = format!("{}: {}", outcome.database, outcome.verdict);
    if let Some(state) = outcome.of_state {
        line.push_str(&format!(" (state {state})"));
    }
    match (outcome.shown, outcome.previous) {
        (Some(shown), Some(previous)) if shown.tx != previous.tx => {
            line.push_str(&format!(", transaction {} (was {})", shown.tx, previous.tx));
        }
        (Some(shown), _) => line.push_str(&format!(", transaction {}", shown.tx)),
        (None, Some(previous)) => {
            line.push_str(&format!(", trusted up to transaction {}", previous.tx));
        }
        (None, None) => {}
    }
    let why = outcome.why();
    if !why.is_empty() {
        line.push_str(&format!(": {why}"));
    }
    if outcome.state_verdict() == Verdict::FirstSeen {
        line.push_str(" (trusted on first use: the database had no trusted state)");
    }
    if let Some(alarm) = &outcome.alarm {
        for text in alarm_lines(alarm) {
            line.push_str(&format!("\n  {text}"));
        }
    } else if outcome.open_alarms > 0 && outcome.unreadable_alarms.is_none() {
        line.push_str(&format!(
            "\n  {} of earlier checks: see immuaudit alarm list",
            counted(outcome.open_alarms as u64, "open alarm")
        ));
    }
    line
}
