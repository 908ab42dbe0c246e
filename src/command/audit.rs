//! `audit-mode`: one cycle after the other, or one alone.

use std::time::{Duration, Instant};

use log::Level;

use super::open::{self, Failed};
use crate::audit::{Auditor, Cycle, Exit, Outcome, Went, chance_per_day};
use crate::clock;
use crate::config::{Format, Repeat, Settings, Volume};
use crate::report::{
    log_cycle, log_outcome, log_swept, log_values, outcome_json, outcome_line, print,
};
use crate::stop::Stop;
use crate::trust::Store;

/// Audits until stopped, or once.
pub fn run(settings: &Settings) -> Result<Exit, Failed> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    let mut store = Store::open(&open::location(settings), clock::now())?;
    for warning in store.warnings() {
        log::warn!("{warning}");
    }
    let server = open::server(settings, stop.clone())?;
    let mut auditor = Auditor::new(server, store, open::policy(settings));
    match settings.audit.repeat {
        Repeat::Once => Ok(once(&mut auditor, settings)),
        Repeat::UntilStopped => Ok(until_stopped(&mut auditor, settings, &stop)),
    }
}

/// One cycle; every database is told on stdout.
fn once(auditor: &mut Auditor, settings: &Settings) -> Exit {
    let cycle = cycle(auditor, settings, |outcome| match settings.report.volume {
        Volume::Quiet if outcome.exit() == Exit::Good => {}
        _ => print_outcome(settings, outcome),
    });
    if cycle.outcomes.is_empty() && cycle.no_list.is_none() && !cycle.stopped {
        log::error!(
            "nothing to audit: no database is listed or known that --audit-databases selects \
             server={}",
            settings.server.name
        );
    }
    cycle.exit()
}

/// A cycle every interval; one that overruns is followed by the next at once, without piling up.
fn until_stopped(auditor: &mut Auditor, settings: &Settings, stop: &Stop) -> Exit {
    let name = &settings.server.name;
    let interval = settings.audit.interval;
    log::info!("auditing server={name} interval={interval:?}");
    let mut level = Level::Info; // once; a line a cycle is for who looks for it
    while !stop.requested() {
        let next = Instant::now() + interval;
        let checked = cycle(auditor, settings, |outcome| {
            if matches!(settings.report.format, Format::Json) {
                print_outcome(settings, outcome);
            }
        });
        tell_values(auditor, settings, &checked, level);
        level = Level::Debug;
        sweep_until(auditor, settings, stop, next);
    }
    log::info!("stopped server={name}");
    Exit::Good
}

/// What was read of the values of each database, of how many, and what that is worth.
fn tell_values(auditor: &Auditor, settings: &Settings, cycle: &Cycle, level: Level) {
    for outcome in &cycle.outcomes {
        let values = auditor.values_read(&outcome.database);
        if let (Some(values), Some(shown)) = (values, outcome.shown) {
            let audit = &settings.audit;
            let chance = chance_per_day(&audit.values, audit.interval, shown.tx);
            log_values(level, &settings.server.name, values, shown.tx, chance);
        }
    }
}

/// What is left of the interval: a sweep that is behind its pace, else nothing.
fn sweep_until(auditor: &mut Auditor, settings: &Settings, stop: &Stop, next: Instant) {
    let name = &settings.server.name;
    while !stop.requested() && Instant::now() < next {
        let slice = auditor.sweep_at_pace(next);
        if let Some(outcome) = &slice.outcome {
            log_outcome(name, outcome);
            if matches!(settings.report.format, Format::Json) {
                print_outcome(settings, outcome);
            }
        }
        let left = next.saturating_duration_since(Instant::now());
        match slice.went {
            Went::On { .. } => {}
            Went::Ended(swept) => log_swept(name, &slice.database, &swept),
            Went::Idle => stop.sleep(left.min(PACE)),
            Went::Away(failure) => {
                log::debug!(
                    "the sweep waits server={name} reason={:?}",
                    failure.to_string()
                );
                stop.sleep(left);
            }
            Went::Stopped => return,
        }
    }
}

/// How often a paced sweep is looked after.
const PACE: Duration = Duration::from_secs(1);

pub(super) fn cycle(auditor: &mut Auditor, settings: &Settings, tell: impl Fn(&Outcome)) -> Cycle {
    let name = &settings.server.name;
    let cycle = auditor.cycle(|outcome| {
        log_outcome(name, outcome);
        tell(outcome);
    });
    log_cycle(name, &cycle);
    for warning in auditor.store_warnings() {
        log::warn!("{warning} server={name}");
    }
    cycle
}

pub(super) fn print_outcome(settings: &Settings, outcome: &Outcome) {
    print(&match settings.report.format {
        Format::Json => outcome_json(&settings.server.name, outcome),
        Format::Text => outcome_line(outcome),
    });
}
