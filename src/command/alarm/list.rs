//! `alarm list`: the open alarms, or all of them. A database with several alarms also has a summary.

use super::{readable, report};
use crate::audit::Exit;
use crate::command::setup::{self, CommandError};
use crate::config::{Format, ListedAlarms, Settings};
use crate::report::{alarm_line, alarm_lines, alarm_summary, evidence_of, print};
use crate::text::shell_word;
use crate::trust::{Alarm, Store};

/// The number of alarms of a database that a list of all databases shows after the summary. One cause often raises
/// many.
const MAX_LISTED_ALARMS: usize = 3;

/// Prints the alarms of a database or of all. The exit code shows whether an alarm is open.
pub fn run(
    settings: &Settings,
    store: &Store,
    database: Option<&str>,
    which: ListedAlarms,
) -> Result<Exit, CommandError> {
    let known = setup::kept_or_checked(store, &store.load_outcomes())?;
    let databases = match database {
        None => known,
        Some(database) => {
            setup::check_known(database, known)?;
            vec![database.into()]
        }
    };
    let most = match (database, which) {
        (None, ListedAlarms::Open) => MAX_LISTED_ALARMS,
        _ => usize::MAX,
    };
    let json = settings.report.format == Format::Json;
    let (mut exit, mut printed) = (Exit::Good, 0);
    for database in databases {
        let mut alarms = readable(store, &database, &mut exit);
        if alarms.iter().any(Alarm::is_open) {
            exit = Exit::Tampered;
        }
        alarms.retain(|alarm| alarm.is_open() || which == ListedAlarms::All);
        printed += alarms.len();
        if json {
            for alarm in alarms {
                print(&report(store, alarm).json().end());
            }
        } else if !alarms.is_empty() {
            print(&text(&alarms, most));
        }
    }
    if printed == 0 && exit == Exit::Good && !json {
        print(match which {
            ListedAlarms::Open => "no alarm is open",
            ListedAlarms::All => "no alarm was raised",
        });
    }
    Ok(exit)
}

/// Returns the summary of a database's alarms if there are several, and the first of them one by one.
fn text(alarms: &[Alarm], most: usize) -> String {
    let mut lines = Vec::new();
    if alarms.len() > 1 {
        lines.extend(alarm_summary(alarms));
    }
    for alarm in alarms.iter().take(most) {
        lines.push(alarm_line(alarm));
        let more = match alarm.is_open() {
            true => alarm_lines(alarm),
            false => vec![evidence_of(alarm)],
        };
        lines.extend(more.iter().map(|line| format!("  {line}")));
    }
    let left = alarms.len().saturating_sub(most);
    if let (1.., Some(alarm)) = (left, alarms.first()) {
        let database = shell_word(&alarm.database);
        lines.push(format!(
            "and {left} more of this database: immuaudit alarm list {database} prints all of them, and so does --all"
        ));
    }
    lines.join("\n")
}
