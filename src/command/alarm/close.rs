//! `alarm close`: closes alarms and leaves the trusted state unchanged.

use super::report;
use crate::audit::Exit;
use crate::clock;
use crate::command::operator;
use crate::command::setup::{self, CommandError};
use crate::config::{ClosedAlarms, Format, Settings};
use crate::report::print;
use crate::text::Escaped;
use crate::trust::{Alarm, Store, StoreError};

/// Closes the alarms with these IDs, or every open alarm of a database.
pub fn run(
    settings: &Settings,
    store: &Store,
    alarms: &ClosedAlarms,
) -> Result<Exit, CommandError> {
    let (who, now) = (operator::name(), clock::now());
    let closed = match alarms {
        ClosedAlarms::Ids(ids) => by_id(store, ids, |id| store.close_alarm(id, &who, now))?,
        ClosedAlarms::OfDatabase(database) => {
            setup::check_known(database, store.databases()?)?;
            store.close_alarms_of(database, &who, now)?
        }
    };
    if settings.report.format == Format::Json {
        for alarm in closed {
            print(&report(store, alarm).json().end());
        }
        return Ok(Exit::Good);
    }
    if let (ClosedAlarms::OfDatabase(database), []) = (alarms, &closed[..]) {
        let database = Escaped::new(database);
        print(&format!("no alarm of database {database} is open"));
    }
    for of_one in closed.chunk_by(|one, other| one.database == other.database) {
        print(&text(store, of_one));
    }
    Ok(Exit::Good)
}

/// Closes the alarms, but none of them if an ID is unknown.
fn by_id(
    store: &Store,
    ids: &[String],
    close: impl Fn(&str) -> Result<Alarm, StoreError>,
) -> Result<Vec<Alarm>, StoreError> {
    for id in ids {
        store.alarm(id)?;
    }
    ids.iter().map(|id| close(id)).collect()
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
        "{database}: {alarms} closed; {kept}. If {findings} still there, the next check opens the alarm again{}",
        read.unwrap_or_default()
    )
}
