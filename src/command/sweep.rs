//! `sweep`: an ordinary check, then every transaction of the whole history read.

use std::time::{Duration, Instant};

use super::audit::{mirror, once, tell};
use super::open::{self, Failed};
use super::watch;
use crate::audit::{Auditor, Exit, Went};
use crate::clock;
use crate::config::{Effective, Format, Repeat, Settings, Volume};
use crate::report::{Bar, few_ranges, log_outcome, log_swept, print};
use crate::stop::Stop;
use crate::trust::{Store, Swept};

/// Sweeps these databases, or all that are audited.
pub fn run(
    settings: &Settings,
    effective: &Effective,
    databases: &[String],
) -> Result<Exit, Failed> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    let mut store = Store::open(&open::location(settings), clock::now())?;
    for warning in store.warnings() {
        log::warn!("{warning}");
    }
    let server = open::server(settings, stop.clone())?;
    // it ends by itself, and the audit beside it may have the port
    let mut ends = settings.clone();
    ends.audit.repeat = Repeat::Once;
    let watch = watch::start(&ends, effective, &mut store, &server)?;
    let mut auditor =
        Auditor::new(server, store, open::policy(settings)).with_mirror(settings.audit.mirror);
    let checked = once(&mut auditor, settings, &watch);
    let mut exit = checked.exit();
    let readable = auditor.readable();
    let named = |name: &String| databases.is_empty() || databases.contains(name);
    for name in databases.iter().filter(|name| !readable.contains(name)) {
        // what the check said of it stands above; of one that was not checked nothing does
        if checked
            .outcomes
            .iter()
            .all(|outcome| outcome.database != *name)
        {
            log::error!(
                "no such database is audited server={} database={name:?}",
                settings.server.name
            );
            exit = exit.max(Exit::Incomplete);
        }
    }
    for database in readable.iter().filter(|name| named(name)) {
        let swept = sweep(&mut auditor, settings, database);
        exit = exit.max(swept);
        mirror(&mut auditor, settings, Instant::now() + MIRRORING);
        if stop.requested() {
            return Ok(exit.max(Exit::Incomplete));
        }
    }
    Ok(exit)
}

/// How long the mirrors may take, after everything else was read.
const MIRRORING: Duration = Duration::from_secs(24 * 3600);

/// What a whole reading does not make less true: values that are gone for a proven reason.
fn missing(swept: &Swept) -> String {
    match swept.unavailable.total() {
        0 => String::new(),
        _ => format!(", but for values: {}", swept.unavailable),
    }
}

/// What a sweep that has ended could not read, a line each.
fn left(auditor: &Auditor, database: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let due = auditor.values_read(database).map(|progress| &progress.due);
    if let Some(due) = due.filter(|due| !due.is_empty()) {
        lines.push(format!(
            "could not be read: transactions {}",
            few_ranges(due)
        ));
    }
    let absent = auditor.unexplained(database).map(|(absent, _)| absent);
    if let Some(absent) = absent.filter(|absent| !absent.is_empty()) {
        lines.push(format!(
            "the server does not have the values of transactions {}, and the ledger records no \
             truncation of them",
            few_ranges(&absent)
        ));
    }
    lines
}

/// Reads a database to its end, or as far as it goes; what is read is not read again by the next
/// run.
fn sweep(auditor: &mut Auditor, settings: &Settings, database: &str) -> Exit {
    let mut bar = Bar::new(database);
    let mut worst = Exit::Good;
    let quiet = settings.report.volume == Volume::Quiet || settings.report.format == Format::Json;
    loop {
        let slice = auditor.sweep(database);
        if let Some(outcome) = &slice.outcome {
            bar.clear();
            worst = worst.max(outcome.exit());
            log_outcome(&settings.server.name, outcome);
            tell(settings, outcome);
        }
        match slice.went {
            Went::On { at, of } if !quiet => bar.show(at, of),
            Went::On { .. } => {}
            Went::Ended(swept) => {
                bar.clear();
                log_swept(&settings.server.name, database, &swept);
                let left = left(auditor, database);
                if !quiet {
                    let (read, of) = (swept.read, swept.of);
                    print(&format!(
                        "{database}: {read} of {of} transactions read whole{}",
                        missing(&swept)
                    ));
                    for line in &left {
                        print(&format!("  {line}"));
                    }
                }
                // everything was to be read
                let whole = if left.is_empty() {
                    Exit::Good
                } else {
                    Exit::Incomplete
                };
                return worst.max(whole);
            }
            Went::Away(failure) => {
                bar.clear();
                log::warn!(
                    "the sweep of {database} ended early, the next one goes on there server={} reason={:?}",
                    settings.server.name,
                    failure.to_string()
                );
                return worst.max(Exit::Incomplete);
            }
            Went::Idle | Went::Stopped => {
                bar.clear();
                return worst.max(Exit::Incomplete);
            }
        }
    }
}
