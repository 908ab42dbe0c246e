//! `alarm show`: everything known of one alarm.

use super::report;
use crate::audit::Exit;
use crate::command::open::Failed;
use crate::config::{Format, Settings};
use crate::report::print;
use crate::trust::Store;

/// Prints one alarm; the exit code tells whether it is open.
pub fn run(settings: &Settings, store: &Store, alarm: &str) -> Result<Exit, Failed> {
    let report = report(store, store.alarm(alarm)?);
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
