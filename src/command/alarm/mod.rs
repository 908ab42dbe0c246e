//! `alarm`: lists alarms, shows one, and closes or adopts it; works while the auditor runs.

mod adopt;
mod close;
mod list;
mod show;

use super::setup::{self, CommandError};
use crate::audit::Exit;
use crate::config::{AlarmTask, Settings};
use crate::report::{AlarmReport, print_error};
use crate::trust::{Alarm, Store};

/// Runs one subcommand.
pub fn run(settings: &Settings, task: &AlarmTask) -> Result<Exit, CommandError> {
    let store = Store::open_shared(&setup::location(settings))?;
    match task {
        AlarmTask::List { database, which } => {
            list::run(settings, &store, database.as_deref(), *which)
        }
        AlarmTask::Show { alarm } => show::run(settings, &store, alarm),
        AlarmTask::Close(closed) => close::run(settings, &store, closed),
        AlarmTask::Adopt { alarm, consent } => adopt::run(settings, &store, alarm, *consent),
    }
}

/// Returns all alarms of a database. Reports a list that cannot be read, and raises the exit code: a damaged list may
/// have an open alarm, as in every check. The other databases' alarms are still listed.
pub(super) fn readable(store: &Store, database: &str, exit: &mut Exit) -> Vec<Alarm> {
    store.all_alarms(database).unwrap_or_else(|failure| {
        print_error(&format!("immuaudit: {failure}"));
        *exit = (*exit).max(match failure.hides_alarms() {
            true => Exit::Tampered,
            false => Exit::Local,
        });
        Vec::new()
    })
}

/// Returns an alarm with the consequences of adopting it.
fn report(store: &Store, alarm: Alarm) -> AlarmReport {
    AlarmReport {
        adoption: store.adoption(&alarm),
        shown_again: store.shown_again(&alarm),
        read_against: None,
        alarm,
    }
}
