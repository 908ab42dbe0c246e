//! `alarm show`: all facts about one alarm.

use super::report;
use crate::audit::Exit;
use crate::command::setup::CommandError;
use crate::config::{Format, Settings};
use crate::ledger::State;
use crate::report::print;
use crate::trust::{Alarm, Store, read_evidence};

/// Prints one alarm. The exit code shows whether it is open.
pub fn run(settings: &Settings, store: &Store, alarm: &str) -> Result<Exit, CommandError> {
    let mut report = report(store, store.alarm(alarm)?);
    report.read_against = read_against(&report.alarm);
    print(&match settings.report.format {
        Format::Json => report.json().end(),
        Format::Text => report.text(),
    });
    Ok(if report.alarm.is_open() {
        Exit::Tampered
    } else {
        Exit::Good
    })
}

/// Returns the trusted state against which a transaction was read. An alarm about a transaction has it only in its
/// evidence, because the alarm stays the same while the trusted state grows.
fn read_against(alarm: &Alarm) -> Option<State> {
    let evidence = alarm.is_about_transactions().then_some(&alarm.evidence)?;
    let finding = read_evidence(evidence).ok()?.finding;
    finding.trusted.map(|trusted| trusted.state)
}
