//! The next steps after a finding.

use super::TamperReport;
use crate::audit::{Located, Lost, ServerView};
use crate::report::alarm::{adopt_command, close_command};
use crate::text::shell_word;

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
        return match located.alarms.is_empty() {
            true => Vec::new(),
            false => vec![
                "the server shows another history now than at the alarm. The evidence has the history of the alarm: keep it, and find out who could show another history at that time"
                    .into(),
                close_again(located),
            ],
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
        false => format!(
            "find a backup that still has transaction {} (hash {}): start it on another port and run: immuaudit locate {name} --against HOST:PORT, which also names every changed key",
            newest.state.tx, newest.state.hash
        ),
    });
    steps.push(close(located));
    steps
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

fn close(located: &Located) -> String {
    let Some(alarm) = located.alarms.first() else {
        return "close no alarm: none is open yet, and the next audit raises it".into();
    };
    let adopt = adopt_command(alarm).map_or_else(String::new, |command| {
        format!("; to trust the state in the evidence instead: {command}")
    });
    format!(
        "close or adopt the alarm only after the change is explained; an unexplained alarm stays open. To close it and keep the trusted state: {}{adopt}",
        close_command(alarm)
    )
}
