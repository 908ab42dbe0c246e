//! `states import`: imports the trusted states of immuclient, immugw or a client library.

use std::path::Path;

use crate::audit::{
    Auditor, Exit, Import, ImportedState, OnRefusal, Reason, StateFile, read_states,
};
use crate::command::setup::{self, CommandError};
use crate::config::{Format, Settings};
use crate::ledger::State;
use crate::report::{JsonObject, finding_lines, log_warning, print};
use crate::stop::Stop;
use crate::text::Escaped;

/// Prints the states in the files, and imports each state that the running server's history extends.
pub fn run(settings: &Settings, path: &Path, alarm: bool) -> Result<Exit, CommandError> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    let files = read_states(path)?;
    let text = settings.report.format == Format::Text;
    if text {
        files.iter().for_each(show);
    }
    let store = setup::store(settings)?;
    let server = setup::server(settings, stop)?;
    let auditor = Auditor::new(server, store, setup::policy(settings));
    let mut auditor = setup::keep_until_exit(auditor);
    let on_refusal = if alarm {
        OnRefusal::Alarm
    } else {
        OnRefusal::Report
    };
    if text {
        print(&format!(
            "asking {} to prove each of these states; each proven state becomes the trusted state",
            settings.server.name
        ));
    }
    let files = of_this_server(files, auditor.identity_now().as_deref(), text);
    let mut exit = Exit::Good;
    for carried in newest_first(&files) {
        if !settings.audit.databases.selects(&carried.database) {
            let import_report = ImportReport {
                word: "left-out",
                why: "--audit-databases does not select it".into(),
            };
            print_report(settings, carried, &import_report);
            continue;
        }
        let Some(import) = auditor.import(carried, on_refusal) else {
            return Ok(exit.max(Exit::Incomplete)); // the program is asked to end
        };
        exit = exit.max(exit_of(&import));
        print_report(settings, carried, &import_report(&import));
    }
    for warning in auditor.store_warnings() {
        log_warning(&settings.server.name, warning);
    }
    Ok(exit)
}

fn show(file: &StateFile) {
    let of = match &file.identity {
        Some(identity) => format!(" (server {})", Escaped::new(identity)),
        None => String::new(),
    };
    print(&format!("{}{of}:", file.path.display()));
    for carried in &file.states {
        let name = Escaped::new(&carried.database);
        print(&format!("  {name} {}", carried.claimed.state));
    }
    if file.states.is_empty() {
        print("  no database with transactions");
    }
}

/// Selects the files of the server that responds, if the folder has files of several servers. Returns all files if
/// none has its identity, because the proofs decide, not an identity.
fn of_this_server(files: Vec<StateFile>, identity: Option<&str>, text: bool) -> Vec<StateFile> {
    let is_its = |file: &StateFile| identity.is_some() && file.identity.as_deref() == identity;
    if !files.iter().any(is_its) {
        return files;
    }
    let (its, others): (Vec<_>, Vec<_>) = files.into_iter().partition(is_its);
    for file in others.iter().filter(|_| text) {
        print(&format!(
            "{}: of another server, not imported",
            file.path.display()
        ));
    }
    its
}

/// Returns the states of each database, the newest first: that one is imported, and the older ones are its ancestors.
fn newest_first(files: &[StateFile]) -> Vec<&ImportedState> {
    let mut states: Vec<&ImportedState> = files.iter().flat_map(|file| &file.states).collect();
    states.sort_by(|a, b| {
        let by_name = a.database.cmp(&b.database);
        by_name.then(b.claimed.state.tx.cmp(&a.claimed.state.tx))
    });
    states
}

fn exit_of(import: &Import) -> Exit {
    match import {
        Import::Refused { verdict, .. } | Import::Raised { verdict, .. } => verdict.exit(),
        _ => Exit::Good,
    }
}

/// The report on one state: a word for programs and a reason for people.
struct ImportReport {
    word: &'static str,
    why: String,
}

fn import_report(import: &Import) -> ImportReport {
    let of = |word, trusted: &State, relation: &str| ImportReport {
        word,
        why: format!(
            "the trusted state is transaction {} already, {relation}: nothing was changed",
            trusted.tx
        ),
    };
    match import {
        Import::Taken(_) => ImportReport {
            word: "imported",
            why: "the server's state extends it, and is the trusted state now".into(),
        },
        Import::Known => ImportReport {
            word: "known",
            why: "trusted already".into(),
        },
        Import::Ancestor { trusted } => of("ancestor", trusted, "which extends it"),
        Import::Descendant { trusted } => of("descendant", trusted, "and is extended by it"),
        Import::Refused { verdict, reason } => ImportReport {
            word: verdict.word(),
            why: match (verdict.is_tampering(), reason) {
                (true, Reason::NotExtended { .. }) => format!(
                    "{reason}; not imported. Check that the folder is of this server; if it is, --alarm raises an alarm"
                ),
                (true, _) => format!(
                    "the server contradicts the trusted state, not the imported one: {reason}; not imported. The next check raises an alarm"
                ),
                (false, _) => reason.to_string(),
            },
        },
        Import::Raised {
            verdict,
            reason,
            raised,
        } => {
            let lines = finding_lines(raised.listed(), raised.unwritten.as_ref());
            ImportReport {
                word: verdict.word(),
                why: format!("{reason}; not imported\n  {}", lines.join("\n  ")),
            }
        }
    }
}

fn print_report(settings: &Settings, carried: &ImportedState, import_report: &ImportReport) {
    let state = carried.claimed.state;
    print(&match settings.report.format {
        Format::Json => JsonObject::new()
            .text("server", Some(&settings.server.name))
            .text("database", Some(&carried.database))
            .number("tx", Some(state.tx))
            .text("hash", Some(&state.hash.to_string()))
            .text("result", Some(import_report.word))
            .text("reason", Some(&import_report.why))
            .end(),
        Format::Text => format!(
            "{}: {}, transaction {}: {}",
            Escaped::new(&carried.database),
            import_report.word,
            state.tx,
            import_report.why
        ),
    });
}
