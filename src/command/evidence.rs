//! `evidence`: prints findings, and verifies them again without the server.

use std::path::Path;

use super::alarm::readable;
use super::setup::{self, CommandError};
use crate::audit::{EvidenceStrength, Exit, Rechecked, recheck};
use crate::config::{EvidenceTask, Settings};
use crate::report::{evidence_line, print};
use crate::text::Escaped;
use crate::trust::{Answer, Evidence, LocatedRecord, Shortened, Store, read_evidence};

/// Lists, shows or checks evidence.
pub fn run(settings: &Settings, task: &EvidenceTask) -> Result<Exit, CommandError> {
    match task {
        EvidenceTask::List => list(settings),
        EvidenceTask::Show(file) => {
            show(settings, &read_evidence(file)?);
            if let Some(located) = LocatedRecord::for_evidence(file)? {
                // the file may come from anyone, so only printable ASCII is sent to the terminal
                let report = located.report.lines().map(|line| {
                    let plain = |c: char| matches!(c, ' '..='~');
                    line.replace(|c| !plain(c), "?")
                });
                let report: Vec<String> = report.collect();
                print(&format!(
                    "located:  {}\n{}",
                    located.located,
                    report.join("\n")
                ));
            }
            Ok(Exit::Good)
        }
        EvidenceTask::Verify(file) => verify(settings, file),
    }
}

/// Prints a line for each finding. The exit code shows whether an alarm is open.
fn list(settings: &Settings) -> Result<Exit, CommandError> {
    let store = Store::open_shared(&setup::location(settings))?;
    let mut exit = Exit::Good;
    for database in store.databases()? {
        for alarm in readable(&store, &database, &mut exit) {
            if alarm.is_open() {
                exit = Exit::Tampered;
            }
            print(&evidence_line(&alarm));
        }
    }
    Ok(exit)
}

/// Prints the proven claim, and after it the finding and the server's responses.
fn show(settings: &Settings, evidence: &Evidence) {
    let finding = &evidence.finding;
    let proves = match recheck(evidence, settings.audit.signatures.keys()) {
        Rechecked::Shown { what, bearing } => format!("{what}; {bearing}"),
        Rechecked::NotReproduced(why) => format!("nothing on its own: {why}"),
    };
    let mut lines = vec![
        format!("It proves: {proves}"),
        format!(
            "finding:  {} of database {} of server {}, alarm {}",
            finding.kind,
            Escaped::new(&finding.database),
            Escaped::new(&evidence.server),
            Escaped::new(&evidence.alarm)
        ),
        format!("reason:   {}", Escaped::of_escaped(&finding.reason)),
        format!(
            "found:    {} by {}",
            evidence.found,
            Escaped::new(&evidence.program)
        ),
    ];
    match &finding.trusted {
        Some(trusted) => lines.push(format!(
            "trusted:  transaction {}, hash {} ({} {})",
            trusted.state.tx, trusted.state.hash, trusted.how, trusted.accepted
        )),
        None => lines.push("trusted:  no state, it was the first use".into()),
    }
    match finding.shown {
        Some(shown) => lines.push(format!(
            "shown:    transaction {}, hash {}",
            shown.tx, shown.hash
        )),
        None => lines.push("shown:    no state".into()),
    }
    if let Some(uuid) = &finding.uuid {
        let changed = match finding.identity_changed {
            true => ", which differs from the earlier one",
            false => "",
        };
        lines.push(format!("identity: \"{}\"{changed}", Escaped::new(uuid)));
    }
    for kept in &evidence.answers {
        let answer = match &kept.reply {
            Ok(bytes) => format!("{} bytes", bytes.len()),
            Err(error) => Escaped::new(error).to_string(),
        };
        let cut = match kept.shortened {
            Some(Shortened::Cut(length)) => format!(" (cut from {length})"),
            Some(Shortened::WithoutValues(length)) => {
                format!(" (without the values, {length} with them)")
            }
            None => String::new(),
        };
        let call = Escaped::new(&kept.call);
        lines.push(format!("response: {call}: {answer}{cut}"));
        if let (Answer::CHECKPOINT, Ok(note)) = (kept.call.as_str(), &kept.reply) {
            let note = String::from_utf8_lossy(note);
            lines.extend(
                note.lines()
                    .map(|line| format!("          {}", Escaped::new(line))),
            );
        }
    }
    if evidence.left_out > 0 {
        lines.push(format!(
            "          {} more are missing, because there was no space for them",
            evidence.left_out
        ));
    }
    print(&lines.join("\n"));
}

/// Verifies a file offline: exit code 2 if it proves tampering, 1 if it does not.
fn verify(settings: &Settings, file: &Path) -> Result<Exit, CommandError> {
    let evidence = read_evidence(file)?;
    let kind = evidence.finding.kind;
    match recheck(&evidence, settings.audit.signatures.keys()) {
        Rechecked::Shown {
            what,
            bearing: bearing @ EvidenceStrength::Witnesses,
        } => {
            print(&format!("checked again: {what}\n{bearing}"));
            Ok(Exit::Incomplete)
        }
        Rechecked::Shown { what, bearing } => {
            print(&format!("{kind}, checked again: {what}\n{bearing}"));
            Ok(Exit::Tampered)
        }
        Rechecked::NotReproduced(why) => {
            print(&format!("this file alone does not prove {kind}: {why}"));
            Ok(Exit::Incomplete)
        }
    }
}
