//! `alarm list`: the open alarms, or all.

use super::{readable, report};
use crate::audit::Exit;
use crate::command::open::{self, Failed};
use crate::config::{Format, ListedAlarms, Settings};
use crate::report::{alarm_line, alarm_lines, print};
use crate::trust::Store;

/// Prints the alarms of a database or of all; the exit code tells whether one is open.
pub fn run(
    settings: &Settings,
    store: &Store,
    database: Option<&str>,
    which: ListedAlarms,
) -> Result<Exit, Failed> {
    let known = open::kept_or_checked(store, &store.load_outcomes())?;
    let databases = match database {
        None => known,
        Some(database) => {
            open::check_known(database, known)?;
            vec![database.into()]
        }
    };
    let json = settings.report.format == Format::Json;
    let (mut exit, mut printed) = (Exit::Good, 0);
    for database in databases {
        for alarm in readable(store, &database, &mut exit) {
            let open = alarm.is_open();
            if open {
                exit = Exit::Tampered;
            }
            if !open && which == ListedAlarms::Open {
                continue;
            }
            printed += 1;
            print(&match (json, open) {
                (true, _) => report(store, alarm).json().end(),
                (false, false) => alarm_line(&alarm),
                (false, true) => {
                    let more = alarm_lines(&alarm).join("\n  ");
                    format!("{}\n  {more}", alarm_line(&alarm))
                }
            });
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
