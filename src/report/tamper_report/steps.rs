//! The next steps after a finding.

use super::{Compared, TamperReport};
use crate::audit::{Located, Lost, ServerView};
use crate::ledger::State;
use crate::locate::Window;
use crate::report::alarm::{adopt_command, close_command};
use crate::text::shell_word;
use crate::trust::{Alarm, StoreError, Tampering};

pub(super) fn lines(lines: &mut Vec<String>, located: &Located, found: &TamperReport) {
    let steps = steps(located, found);
    if steps.is_empty() {
        return;
    }
    lines.push("\nWhat to do next".into());
    for (number, step) in (1..).zip(steps) {
        lines.push(format!("  {number}. {step}"));
    }
}

pub(super) fn steps(located: &Located, found: &TamperReport) -> Vec<String> {
    let broken_values = found
        .values
        .as_ref()
        .is_some_and(|values| values.total() > 0);
    let name = shell_word(&located.database);
    let (whole, newest) = match &located.present {
        ServerView::Shows { window, .. } => (window.is_intact(), window.newest),
        ServerView::Emptied(Lost { newest, .. }) | ServerView::Vanished(Lost { newest, .. }) => {
            (false, *newest)
        }
        ServerView::NothingTrusted => {
            return vec!["list the databases with a trusted state: immuaudit states list".into()];
        }
        ServerView::NotShown(_) => {
            return vec!["make sure that the server responds, and run this command again".into()];
        }
        ServerView::Local(_) => return vec!["repair the auditor's own files first".into()],
    };
    if whole && !broken_values {
        if let Some(failure) = &located.alarms_error {
            return vec![unreadable_alarms(failure)];
        }
        return match located.alarms.is_empty() {
            true => Vec::new(),
            false => {
                let mut steps = intact_steps(located);
                steps.push(close_again(located));
                steps
            }
        };
    }
    let mut steps = vec![
        "stop all programs that write to the server, because new transactions extend the tampered history"
            .to_owned(),
        "copy the server's data directory before anything is started, repaired or restored".into(),
        "copy the auditor's directory, and the evidence named above, to another place".into(),
    ];
    steps.push(match broken_values && whole {
        true => format!(
            "the headers are intact, but the values named above differ: restore them from a replica or a backup; start it on another port and run: immuaudit locate {name} --against HOST:PORT"
        ),
        false => source(found, newest.state, &name),
    });
    steps.push(close(located));
    steps
}

/// Returns the steps for open alarms if the server shows the trusted history now.
fn intact_steps(located: &Located) -> Vec<String> {
    let about_import = located.alarms.iter().any(Alarm::is_about_import);
    let alarms = located.alarms.iter().filter(|of| !of.is_about_import());
    let any = |kind| alarms.clone().any(|alarm| alarm.kind == kind);
    let mut steps = Vec::new();
    if any(Tampering::Inconsistent) || any(Tampering::RolledBack) {
        steps.push("the server shows another history now than at the alarm. The evidence has the history of the alarm: keep it, and find out who could show another history at that time".into());
    }
    if any(Tampering::BadValue) {
        steps.push("the values that were read now match their hashes, but at the alarm a value did not. Keep the evidence, and find out whether values were restored, or the server sends different values to different clients".into());
    }
    if any(Tampering::SplitView) {
        steps.push("keep the evidence of this auditor and of the other one: the server showed each of them another history. Find out which of the two other auditors and the users were shown, and who could show the other one".into());
        steps.push(format!(
            "find the first transaction that differs: run immuaudit states export for the other auditor, and immuaudit compare FILE here; with a mirror of the other auditor: immuaudit locate {} --against FILE",
            shell_word(&located.database)
        ));
    }
    if about_import {
        steps.push("the server's history does not have a state of another auditor that was to be imported: check that its file is of this server and database. If it is, the server showed the other auditor another history: keep the file and the evidence, and find out which of the two the users were shown".into());
    }
    if any(Tampering::BadSignature) {
        steps.push("the history is intact, but a state was not signed by a configured key. Keep the evidence, and find out which server responded, and who changed its signing key".into());
    }
    steps
}

/// Returns the step that finds a source for a restore. A server that was compared is one, or is none.
fn source(found: &TamperReport, newest: State, name: &str) -> String {
    let State { tx, hash } = newest;
    let compared = match &found.compared {
        Some(Compared::Server {
            of,
            compared: Ok(differences),
        }) => Some((of, differences)),
        _ => None,
    };
    match compared {
        Some((of, differences)) if differences.holds.as_ref().is_some_and(Window::is_intact) => {
            format!(
                "restore the database from {of}, which still has transaction {tx} (hash {hash}); the changed keys are listed above"
            )
        }
        Some((of, _)) => format!(
            "find another backup: {of} does not have transaction {tx} (hash {hash}), or could not prove it; start the backup on another port and run this command with its address"
        ),
        None => format!(
            "find a backup that still has transaction {tx} (hash {hash}): start it on another port and run: immuaudit locate {name} --against HOST:PORT, which also names every changed key"
        ),
    }
}

/// Returns the step after which the server shows the trusted history again: there is no other state to adopt.
fn close_again(located: &Located) -> String {
    let command = located.alarms.first().map(close_command);
    let more = match located.alarms.len() {
        0 | 1 => "",
        _ => "; immuaudit alarm list names the others",
    };
    format!(
        "close the alarm once it is explained, which keeps the trusted state: {}{more}",
        command.unwrap_or_default()
    )
}

/// Returns the step in place of closing an alarm if the list of alarms cannot be read: there may be open alarms.
fn unreadable_alarms(failure: &StoreError) -> String {
    format!("repair the list of alarms before you close an alarm: {failure}")
}

fn close(located: &Located) -> String {
    if let Some(failure) = &located.alarms_error {
        return unreadable_alarms(failure);
    }
    let Some(alarm) = located.alarms.first() else {
        return "close no alarm: none is open yet, and the next audit raises it".into();
    };
    let adopt = adopt_command(alarm).map_or_else(String::new, |command| {
        format!("; to trust the state in the evidence instead: {command}")
    });
    let either = if adopt.is_empty() { "" } else { " or adopt" };
    format!(
        "close{either} the alarm only after the change is explained; an unexplained alarm stays open. To close it and keep the trusted state: {}{adopt}",
        close_command(alarm)
    )
}
