//! `audit-mode`: one cycle after the other, or one alone.

use std::rc::Rc;
use std::time::Instant;

use super::open::{self, Failed};
use crate::audit::{Auditor, Cycle, Exit, Outcome};
use crate::clock;
use crate::config::{Format, Repeat, Settings, Volume};
use crate::report::{log_cycle, log_outcome, log_warnings, outcome_json, outcome_line, print};
use crate::service::Notifier;
use crate::stop::Stop;
use crate::trust::Store;

/// Audits until stopped, or once.
pub fn run(settings: &Settings) -> Result<Exit, Failed> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    let mut store = Store::open(&open::location(settings), clock::now())?;
    for warning in store.warnings() {
        log::warn!("{warning}");
    }
    let notifier = Rc::new(Notifier::from_environment());
    let progress = notifier.clone();
    let server = open::server(settings, stop.clone())?.on_progress(move || progress.progress());
    let mut auditor = Auditor::new(server, store, open::policy(settings));
    match settings.audit.repeat {
        Repeat::Once => Ok(once(&mut auditor, settings)),
        Repeat::UntilStopped => Ok(until_stopped(&mut auditor, settings, &stop, &notifier)),
    }
}

/// One cycle; every database is told on stdout.
fn once(auditor: &mut Auditor, settings: &Settings) -> Exit {
    let quiet = matches!(settings.report.volume, Volume::Quiet);
    let json = matches!(settings.report.format, Format::Json);
    let cycle = auditor.cycle(|outcome| {
        if json {
            log_outcome(&settings.server.name, outcome);
        } else {
            log_warnings(&settings.server.name, outcome);
        }
        if !quiet || outcome.exit() != Exit::Good {
            print_outcome(settings, outcome);
        }
    });
    let exit = cycle.exit();
    after(auditor, settings, &cycle);
    if quiet && exit != Exit::Good {
        // what is not told by any database's line
        for trouble in cycle.troubles() {
            print(&format!("{}: {trouble}", settings.server.name));
        }
    }
    exit
}

/// A cycle every interval; one that overruns is followed by the next at once, without piling up.
fn until_stopped(
    auditor: &mut Auditor,
    settings: &Settings,
    stop: &Stop,
    notifier: &Notifier,
) -> Exit {
    let name = &settings.server.name;
    let interval = settings.audit.interval;
    log::info!("auditing server={name} interval={interval:?}");
    notifier.ready(settings.server.call_timeout);
    while !stop.requested() {
        let next = Instant::now() + interval;
        let cycle = auditor.cycle(|outcome| {
            log_outcome(name, outcome);
            if matches!(settings.report.format, Format::Json) {
                print_outcome(settings, outcome);
            }
        });
        after(auditor, settings, &cycle);
        rest(next, stop, notifier);
    }
    notifier.stopping();
    log::info!("stopped server={name}");
    Exit::Good
}

/// Sleeps until the next cycle, and lets systemd know that this is no hanging.
fn rest(next: Instant, stop: &Stop, notifier: &Notifier) {
    loop {
        notifier.progress();
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() || stop.requested() {
            return;
        }
        stop.sleep(left.min(notifier.patience()));
    }
}

/// What is said of the cycle as a whole.
fn after(auditor: &mut Auditor, settings: &Settings, cycle: &Cycle) {
    let name = &settings.server.name;
    log_cycle(name, cycle);
    for warning in auditor.store_warnings() {
        log::warn!("{warning} server={name}");
    }
}

fn print_outcome(settings: &Settings, outcome: &Outcome) {
    print(&match settings.report.format {
        Format::Json => outcome_json(&settings.server.name, outcome),
        Format::Text => outcome_line(outcome),
    });
}
