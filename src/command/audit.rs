//! `audit-mode`: one cycle after the other, or one alone.

use std::time::{Duration, Instant};

use log::Level;

use super::open::{self, Failed};
use super::watch::{self, Watch};
use crate::audit::{Auditor, Cycle, Exit, Outcome, Went, chance_per_day};
use crate::clock;
use crate::config::{Effective, Format, Repeat, Settings, Volume};
use crate::report::{
    log_cycle, log_outcome, log_swept, log_values, log_warnings, outcome_json, outcome_line, print,
};
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
        Repeat::Once => Ok(once(&mut auditor, settings, &watch).exit()),
        Repeat::UntilStopped => Ok(until_stopped(&mut auditor, settings, &watch, &stop)),
    }
}

/// One cycle; every database is told on stdout, and once: the log has no more of it than
/// warnings, but beside JSON, which is for programs.
pub(super) fn once(auditor: &mut Auditor, settings: &Settings, watch: &Watch) -> Cycle {
    let name = &settings.server.name;
    let cycle = auditor.cycle(|outcome| {
        match settings.report.format {
            Format::Json => log_outcome(name, outcome),
            Format::Text => log_warnings(name, outcome),
        }
        watch.outcome(outcome);
        tell(settings, outcome);
    });
    after(auditor, settings, watch, &cycle);
    if settings.report.volume == Volume::Quiet {
        // what no database's line tells, and the log is off
        for trouble in cycle.troubles() {
            eprintln!("{name}: {trouble}");
        }
    }
    watch.flush();
    cycle
}

/// A database's line on stdout; under `--quiet` only where something is not well.
pub(super) fn tell(settings: &Settings, outcome: &Outcome) {
    if settings.report.volume == Volume::Normal || outcome.exit() != Exit::Good {
        print_outcome(settings, outcome);
    }
}

/// A cycle every interval; one that overruns is followed by the next at once, without piling up.
fn until_stopped(auditor: &mut Auditor, settings: &Settings, watch: &Watch, stop: &Stop) -> Exit {
    let name = &settings.server.name;
    let interval = settings.audit.interval;
    log::info!("auditing server={name} interval={interval:?}");
    let mut level = Level::Info; // once; a line a cycle is for who looks for it
    while !stop.requested() {
        let next = Instant::now() + interval;
        let cycle = auditor.cycle(|outcome| {
            log_outcome(name, outcome);
            watch.outcome(outcome);
            if matches!(settings.report.format, Format::Json) {
                print_outcome(settings, outcome);
            }
        });
        after(auditor, settings, watch, &cycle);
        tell_values(auditor, settings, &cycle, level);
        level = Level::Debug;
        sweep_until(auditor, settings, watch, stop, next);
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
fn sweep_until(
    auditor: &mut Auditor,
    settings: &Settings,
    watch: &Watch,
    stop: &Stop,
    next: Instant,
) {
    let name = &settings.server.name;
    while !stop.requested() && Instant::now() < next {
        let slice = auditor.sweep_at_pace(next);
        if let Some(outcome) = &slice.outcome {
            log_outcome(name, outcome);
            watch.outcome(outcome);
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

/// What is said of the cycle as a whole.
fn after(auditor: &mut Auditor, settings: &Settings, watch: &Watch, cycle: &Cycle) {
    let name = &settings.server.name;
    log_cycle(name, cycle);
    watch.cycle(cycle, auditor.identity().as_deref());
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
