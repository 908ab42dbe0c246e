//! `locate`: after an alarm, finds the rewritten transactions and the changes in them.

use std::net::IpAddr;

use super::output::print_data;
use super::setup::{self, CommandError};
use crate::audit::{Auditor, CorruptionReport, Exit, Located, ServerView};
use crate::config::{CompareTarget, Format, LocateTask, Settings};
use crate::ledger::State;
use crate::report::{
    Bar, Compared, TamperReport, log_warning, print_error, tamper_report_json, tamper_report_text,
};
use crate::stop::Stop;
use crate::trust::{Mirror, Store, Tampering};

/// Finds where the history of a database was rewritten. Works while the auditor runs.
pub fn run(settings: &Settings, task: &LocateTask) -> Result<Exit, CommandError> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    let mirror = match &task.against {
        Some(CompareTarget::Mirror(file)) => Some(Mirror::read(file)?),
        _ => None,
    };
    let store = Store::open_shared(&setup::location(settings))?;
    let known = setup::kept_or_checked(&store, &store.load_outcomes())?;
    setup::check_known(&task.database, known)?;
    let address = settings.server.authority();
    let mut name = settings.server.name.clone();
    match &task.against {
        Some(CompareTarget::Mirror(file)) if store.is_own_mirror(&task.database, file) => {
            return Err(CommandError::OwnMirror(file.clone()));
        }
        Some(CompareTarget::Mirror(_)) => {} // no server is asked
        _ => {
            store.check_address(&address);
            if name != address {
                name.push_str(&format!(" ({address})"));
            }
        }
    }
    let server = setup::server(settings, stop.clone())?;
    let auditor = Auditor::new(server, store, setup::policy(settings));
    let mut auditor = setup::keep_until_exit(auditor);
    let asked = ask(settings, task, mirror.as_ref(), &mut auditor, &stop)?;
    for warning in auditor.store_warnings() {
        log_warning(&settings.server.name, warning);
    }
    let Some(report) = asked else {
        return Ok(Exit::Incomplete); // the program is asked to end
    };
    let text = tamper_report_text(&name, &report);
    let saved = match &report.located {
        Some(located) => auditor.save_report(located, &text),
        None => Ok(()),
    };
    let output = match settings.report.format {
        Format::Json => tamper_report_json(&settings.server.name, &report),
        Format::Text => text,
    };
    let mut exit = report.exit().max(print_data(&output, "report"));
    if let Err(failure) = saved {
        print_error(&format!(
            "immuaudit: the report is not stored with the alarm, so keep this output: {failure}"
        ));
        exit = exit.max(Exit::Local);
    }
    Ok(exit)
}

/// Finds where the history was rewritten. Returns `None` if the program is asked to end.
fn ask(
    settings: &Settings,
    task: &LocateTask,
    mirror: Option<&Mirror>,
    auditor: &mut Auditor,
    stop: &Stop,
) -> Result<Option<TamperReport>, CommandError> {
    let database = task.database.as_str();
    let report = TamperReport {
        database: database.into(),
        located: None,
        values: None,
        compared: None,
    };
    if let (Some(mirror), Some(CompareTarget::Mirror(file))) = (mirror, &task.against) {
        let Some(compared) = auditor.against_mirror(database, mirror) else {
            return Ok(None);
        };
        let of = format!("{} of server {}", file.display(), mirror.server());
        let compared = Some(Compared::Mirror { of, compared });
        return Ok(Some(TamperReport { compared, ..report }));
    }
    let Some(located) = auditor.locate(database) else {
        return Ok(None);
    };
    let values = match read_values(settings, auditor, &located) {
        Read::Stopped => return Ok(None),
        Read::Found(values) => Some(values),
        Read::NotAskedFor => None,
    };
    let ours = match &located.present {
        ServerView::Shows { window, .. } => Some(window.shown),
        // the other server may be a backup that has the missing transactions
        ServerView::Emptied(_) | ServerView::Vanished(_) | ServerView::NotShown(_) => {
            Some(State::EMPTY)
        }
        ServerView::NothingTrusted | ServerView::Local(_) => None,
    };
    let compared = match (&task.against, ours) {
        (Some(CompareTarget::Server { address, port }), Some(ours)) => {
            let mut second = settings.clone();
            second.server.address.clone_from(address);
            second.server.port = port.unwrap_or(settings.server.port);
            let mut of = format!("{address}:{}", second.server.port);
            let mut other = setup::server(&second, stop.clone())?;
            let differences = auditor.against_server(database, ours, &mut other, task.values);
            let Some(compared) = differences else {
                return Ok(None);
            };
            let compared = compared.map(Box::new);
            if compared.is_err() && port.is_none() && address.parse::<IpAddr>().is_err() {
                of.push_str(&format!(
                    " (there is no file {address}, so this is taken for a server)"
                ));
            }
            Some(Compared::Server { of, compared })
        }
        _ => None,
    };
    Ok(Some(TamperReport {
        located: Some(located),
        values,
        compared,
        ..report
    }))
}

enum Read {
    Found(CorruptionReport),
    NotAskedFor,
    Stopped,
}

/// Finds all corrupt values if an alarm is about values and the history is intact.
fn read_values(settings: &Settings, auditor: &mut Auditor, located: &Located) -> Read {
    let of_values = |alarm: &crate::trust::Alarm| alarm.kind == Tampering::BadValue;
    let ServerView::Shows { window, .. } = &located.present else {
        return Read::NotAskedFor;
    };
    if !located.alarms.iter().any(of_values) {
        return Read::NotAskedFor;
    }
    let trusted = match window.is_intact() {
        true => window.shown,
        false => return Read::NotAskedFor, // the history is located first
    };
    let mut bar = Bar::new(&located.database);
    let quiet = settings.report.format == Format::Json;
    let found = auditor.find_corruption(&located.database, trusted, |at, of| {
        if !quiet {
            bar.show(at, of);
        }
    });
    bar.clear();
    match found {
        Some(found) => Read::Found(found),
        None => Read::Stopped,
    }
}
