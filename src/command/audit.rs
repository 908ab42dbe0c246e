//! `audit-mode`: one cycle after the other, or one alone.

use std::time::Instant;

use super::open::{self, Failed};
use super::watch::{self, Watch};
use crate::audit::{Auditor, Cycle, Exit, Outcome};
use crate::clock;
use crate::config::{Effective, Format, Repeat, Settings, Volume};
use crate::report::{log_cycle, log_outcome, outcome_json, outcome_line, print};
use crate::stop::Stop;
use crate::trust::Store;

/// Audits until stopped, or once.
pub fn run(settings: &Settings, effective: &Effective) -> Result<Exit, Failed> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    let mut store = Store::open(&open::location(settings), clock::now())?;
    for warning in store.warnings() {
        log::warn!("{warning}");
    }
    let server = open::server(settings, stop.clone())?;
    let watch = watch::start(settings, effective, &mut store, &server)?;
    let mut auditor = Auditor::new(server, store, open::policy(settings));
    match settings.audit.repeat {
        Repeat::Once => Ok(once(&mut auditor, settings, &watch)),
        Repeat::UntilStopped => Ok(until_stopped(&mut auditor, settings, &watch, &stop)),
    }
}

/// One cycle; every database is told on stdout.
fn once(auditor: &mut Auditor, settings: &Settings, watch: &Watch) -> Exit {
    let cycle = cycle(auditor, settings, watch, |outcome| {
        match settings.report.volume {
            Volume::Quiet if outcome.exit() == Exit::Good => {}
            _ => print_outcome(settings, outcome),
        }
    });
    if cycle.outcomes.is_empty() && cycle.no_list.is_none() && !cycle.stopped {
        log::error!(
            "nothing to audit: no database is listed or known that --audit-databases selects \
             server={}",
            settings.server.name
        );
    }
    watch.flush();
    cycle.exit()
}

/// A cycle every interval; one that overruns is followed by the next at once, without piling up.
fn until_stopped(auditor: &mut Auditor, settings: &Settings, watch: &Watch, stop: &Stop) -> Exit {
    let name = &settings.server.name;
    let interval = settings.audit.interval;
    log::info!("auditing server={name} interval={interval:?}");
    while !stop.requested() {
        let next = Instant::now() + interval;
        cycle(auditor, settings, watch, |outcome| {
            if matches!(settings.report.format, Format::Json) {
                print_outcome(settings, outcome);
            }
        });
        stop.sleep(next.saturating_duration_since(Instant::now()));
    }
    log::info!("stopped server={name}");
    Exit::Good
}

fn cycle(
    auditor: &mut Auditor,
    settings: &Settings,
    watch: &Watch,
    tell: impl Fn(&Outcome),
) -> Cycle {
    let name = &settings.server.name;
    let cycle = auditor.cycle(|outcome| {
        log_outcome(name, outcome);
        watch.outcome(outcome);
        tell(outcome);
    });
    log_cycle(name, &cycle);
    watch.cycle(&cycle, auditor.identity().as_deref());
    for warning in auditor.store_warnings() {
        log::warn!("{warning} server={name}");
    }
    cycle
}

fn print_outcome(settings: &Settings, outcome: &Outcome) {
    print(&match settings.report.format {
        Format::Json => outcome_json(&settings.server.name, outcome),
        Format::Text => outcome_line(outcome),
    });
}
