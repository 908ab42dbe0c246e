//! `alarm close`: closes alarms and leaves the trusted state unchanged.

use std::collections::BTreeSet;

use super::report;
use crate::audit::Exit;
use crate::clock;
use crate::command::operator;
use crate::command::setup::{self, CommandError};
use crate::config::{ClosedAlarms, Format, Settings};
use crate::report::{decision, opened_again_by, print, print_error};
use crate::text::Escaped;
use crate::trust::{Alarm, Store, StoreError};

/// Closes the alarms with these IDs, or every open alarm of a database.
pub fn run(
    settings: &Settings,
    store: &Store,
    alarms: &ClosedAlarms,
) -> Result<Exit, CommandError> {
    let (who, now) = (operator::name(), clock::now());
    let (mut ended, mut exit) = (Vec::new(), Exit::Good);
    let closed = match alarms {
        ClosedAlarms::Ids(ids) => {
            ended = ended_alarms(store, ids)?;
            let mut closed = Vec::new();
            for id in ids {
                match store.close_alarm(id, &who, now) {
                    Ok(alarm) => closed.push(alarm),
                    Err(failure) => {
                        let id = Escaped::new(id);
                        print_error(&format!("immuaudit: alarm {id} is not closed: {failure}"));
                        exit = Exit::Local; // the other alarms are closed, and printed
                    }
                }
            }
            closed
        }
        ClosedAlarms::OfDatabase(database) => {
            setup::check_known(database, store.databases()?)?;
            store.close_alarms_of(database, &who, now)?
        }
    };
    if settings.report.format == Format::Json {
        for alarm in closed {
            print(&report(store, alarm).json().end());
        }
        return Ok(exit);
    }
    if let (ClosedAlarms::OfDatabase(database), []) = (alarms, &closed[..]) {
        let database = Escaped::new(database);
        print(&format!("no alarm of database {database} is open"));
    }
    for alarm in &ended {
        print(&unchanged(alarm));
    }
    let was_open = |alarm: &Alarm| ended.iter().all(|ended| ended.id != alarm.id);
    let closed: Vec<Alarm> = closed.into_iter().filter(was_open).collect();
    for of_one in closed.chunk_by(|one, other| one.database == other.database) {
        print(&text(store, of_one));
    }
    Ok(exit)
}

/// Returns the alarms with these IDs that are not open any more. An unknown ID is an error before any alarm is closed.
fn ended_alarms(store: &Store, ids: &[String]) -> Result<Vec<Alarm>, StoreError> {
    let alarms = ids.iter().map(|id| store.alarm(id));
    let alarms: Vec<Alarm> = alarms.collect::<Result<_, _>>()?;
    Ok(alarms
        .into_iter()
        .filter(|alarm| !alarm.is_open())
        .collect())
}

/// Returns the line about an alarm that was closed or adopted before.
fn unchanged(alarm: &Alarm) -> String {
    let (database, id) = (Escaped::new(&alarm.database), Escaped::new(&alarm.id));
    let before = alarm.closed.as_ref().map(decision).unwrap_or_default();
    format!("{database}: alarm {id} was already {before}; nothing changed")
}

/// Returns the lines about closed alarms of one database.
fn text(store: &Store, closed: &[Alarm]) -> String {
    let Some(first) = closed.first() else {
        return String::new();
    };
    let kept = match store.load(&first.database) {
        Ok(Some(trusted)) => format!(
            "the trusted state is still transaction {}, hash {}",
            trusted.state.tx, trusted.state.hash
        ),
        Ok(None) => "no state of the database is trusted, as before".into(),
        Err(failure) => format!("the trusted state is as before: {failure}"),
    };
    let database = Escaped::new(&first.database);
    let ids: Vec<String> = closed
        .iter()
        .map(|alarm| Escaped::new(&alarm.id).to_string())
        .collect();
    let ids = ids.join(" ");
    let (alarms, findings) = match closed.len() {
        1 => (format!("alarm {ids} is"), "the finding is"),
        _ => (format!("alarms {ids} are"), "a finding is"),
    };
    let by: BTreeSet<&str> = closed.iter().map(opened_again_by).collect();
    let again = match by.len() {
        1 => opened_again_by(first),
        _ => "the next check or comparison",
    };
    let read = match closed {
        [alarm] => alarm
            .read_again()
            .map(|what| format!(": it reads {what} again")),
        _ if closed.iter().any(|alarm| alarm.awaits_reading) => {
            Some(": it reads the transactions of the findings again".into())
        }
        _ => None,
    };
    format!(
        "{database}: {alarms} closed; {kept}. If {findings} still there, {again} opens the alarm again{}",
        read.unwrap_or_default()
    )
}
