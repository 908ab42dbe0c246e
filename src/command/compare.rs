//! `compare`: two auditors hold what they trust against each other.

use std::path::Path;

use super::open::{self, Failed};
use crate::audit::{Auditor, Compared, Comparison, Exit};
use crate::config::Settings;
use crate::report::{accepting, print};
use crate::stop::Stop;
use crate::text::Shown;
use crate::trust::{Export, Store};

/// Holds another auditor's export against one's own; works while the auditor runs.
pub fn run(settings: &Settings, file: &Path) -> Result<Exit, Failed> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    let (export, bytes) = Export::read(file)?;
    let store = Store::open_beside(&open::location(settings))?;
    let server = open::server(settings, stop)?;
    let mut auditor = Auditor::new(server, store, open::policy(settings));
    let mut worst = Exit::Good;
    let mut compared = 0;
    for theirs in &export.databases {
        let Some(comparison) = auditor.compare(theirs, &bytes) else {
            return Ok(Exit::Incomplete);
        };
        if !matches!(comparison.result, Compared::NotHere) {
            compared += 1;
        }
        worst = worst.max(comparison.result.exit());
        print(&line(&comparison));
    }
    if compared == 0 {
        print("nothing to compare: no database is trusted by both");
        worst = worst.max(Exit::Incomplete);
    }
    Ok(worst)
}

fn line(comparison: &Comparison) -> String {
    let name = Shown::new(&comparison.database);
    match &comparison.result {
        Compared::Agree(state) => format!("{name}: agrees, at transaction {}", state.tx),
        Compared::NotHere => format!("{name}: nothing is trusted of it here"),
        Compared::NotProven(verdict, reason) => {
            format!("{name}: not proven against each other: {verdict}: {reason}")
        }
        Compared::Local(failure) => format!("{name}: local failure: {failure}"),
        Compared::SplitView {
            reason,
            theirs,
            alarm,
        } => {
            let kept = match alarm {
                Ok(alarm) => format!(
                    "evidence: {}\n  once dealt with: {}",
                    alarm.evidence.display(),
                    accepting(alarm)
                ),
                Err(failure) => format!("not written down: {failure}"),
            };
            format!(
                "{name}: split-view: {reason}; the other auditor trusts transaction {}, hash {}\n  {kept}",
                theirs.tx, theirs.hash
            )
        }
    }
}
