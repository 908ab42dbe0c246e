//! `audit-mode`: one cycle after the other, or a single one.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use log::Level;

use super::monitoring::{self, Monitoring};
use super::reload::reload;
use super::setup::{self, CommandError};
use crate::audit::{
    Auditor, Cycle, CycleError, Exit, Outcome, Readings, SweepStatus, detection_probability_per_day,
};
use crate::clock::Clock;
use crate::config::{Effective, Format, Process, RunMode, Settings, Verbosity};
use crate::report::{
    Event, Untrusted, UntrustedReport, cycle_error_json, log_cycle, log_outcome, log_slow_cycle,
    log_swept, log_untrusted, log_values, log_warning, log_warnings, outcome_json, outcome_line,
    print, print_error, untrusted_json,
};
use crate::server::ServerError;
use crate::service::SdNotify;
use crate::stop::Stop;
use crate::text::counted;

/// Audits until stopped, or once.
pub fn run(
    settings: &Settings,
    effective: &Effective,
    process: &Process,
) -> Result<Exit, CommandError> {
    // before gRPC starts its threads
    let stop = match settings.audit.run_mode {
        RunMode::Once => Stop::on_signals(),
        RunMode::UntilStopped => Stop::on_signals_and_reloads(),
    };
    let mut store = setup::store(settings)?;
    let notifier = Rc::new(SdNotify::from_environment());
    let progress = notifier.clone();
    let server = setup::server(settings, stop.clone())?.on_progress(move || progress.progress());
    let monitoring = monitoring::start(settings, effective, &mut store, &server)?;
    let peers = setup::peer_poller(settings, server.clock())?;
    let auditor = Auditor::new(server, store, setup::policy(settings))
        .keeping_the_list()
        .with_mirror(settings.audit.mirror)
        .with_peers_of(peers);
    let mut auditor = setup::keep_until_exit(auditor);
    let exit = match settings.audit.run_mode {
        RunMode::Once => {
            let exit = once(&mut auditor, settings, &monitoring).exit();
            let until = auditor.clock().instant() + MAX_SWEEP_TIME_ONCE;
            let found = sweep_once(&mut auditor, settings, &monitoring, until);
            let until = auditor.clock().instant() + MAX_MIRROR_TIME;
            mirror(&mut auditor, settings, until, until);
            monitoring.close(settings);
            exit.max(found)
        }
        RunMode::UntilStopped => {
            let mut watched = Loop {
                settings: settings.clone(),
                process,
                monitoring: &monitoring,
                stop: &stop,
                clock: auditor.clock().clone(),
                notifier: &notifier,
            };
            watched.until_stopped(&mut auditor)
        }
    };
    Ok(exit)
}

/// Runs one cycle and prints every database once, on stdout. The log has only warnings, except with JSON output,
/// which is for programs.
pub(super) fn once(auditor: &mut Auditor, settings: &Settings, monitoring: &Monitoring) -> Cycle {
    let name = &settings.server.name;
    let cycle = auditor.cycle_and(
        |outcome| report(settings, monitoring, outcome),
        |cycle| monitoring.checked(cycle),
    );
    after(auditor, settings, monitoring, &cycle);
    print_rest(settings, &cycle);
    for trouble in cycle.errors() {
        match (settings.report.verbosity, settings.report.format) {
            // the log is off, and these errors belong to no database's line
            (Verbosity::Quiet, _) => print_error(&format!("{name}: {trouble}")),
            // print_rest has printed the untrusted databases, and after has printed JSON
            (_, Format::Json) => {}
            _ if matches!(trouble, CycleError::Untrusted(_)) => {}
            (Verbosity::Normal, Format::Text) => print(&format!("{name}: {trouble}")),
        }
    }
    monitoring.flush();
    cycle
}

/// Prints a line about the untrusted databases that have no line of their own.
fn print_rest(settings: &Settings, cycle: &Cycle) {
    let rest = cycle.untrusted.unreported();
    if rest == 0 {
        return;
    }
    let name = &settings.server.name;
    let is_trouble = |trouble: CycleError| matches!(trouble, CycleError::Untrusted(_));
    let is_trouble = cycle.errors().any(is_trouble);
    if is_trouble {
        log_untrusted(name, &Untrusted::of(cycle));
    }
    let quiet = settings.report.verbosity == Verbosity::Quiet && !is_trouble;
    match settings.report.format {
        Format::Text if !quiet => {
            let rest = u64::try_from(rest).unwrap_or(u64::MAX);
            print(&format!(
                "{}: {}",
                counted(rest, "more database"),
                cycle.untrusted
            ));
        }
        // an error has its own JSON object already
        Format::Json if !is_trouble && !quiet => print(&untrusted_json(name, &cycle.untrusted)),
        Format::Text | Format::Json => {}
    }
}

/// Logs, notifies and prints an outcome of a program that does its work once.
fn report(settings: &Settings, monitoring: &Monitoring, outcome: &Outcome) {
    let name = &settings.server.name;
    match settings.report.format {
        Format::Json => log_outcome(name, outcome),
        Format::Text => log_warnings(name, outcome),
    }
    monitoring.outcome(outcome);
    print_database(settings, outcome);
}

/// Continues paced sweeps that are behind their pace after the one cycle of `--once`, so that a job under cron also
/// sweeps. Returns the exit code of the findings.
fn sweep_once(
    auditor: &mut Auditor,
    settings: &Settings,
    monitoring: &Monitoring,
    until: Instant,
) -> Exit {
    let name = &settings.server.name;
    let mut worst = Exit::Good;
    let mut ended = BTreeSet::new();
    while auditor.clock().instant() < until {
        let slice = auditor.sweep_at_pace(until);
        if let Some(outcome) = &slice.outcome {
            worst = worst.max(outcome.exit());
            report(settings, monitoring, outcome);
            monitoring.flush();
        }
        match slice.status {
            SweepStatus::InProgress { .. } => {}
            SweepStatus::Completed(swept) => {
                log_swept(name, &slice.database, &swept);
                ended.insert(slice.database);
                // end here, because with a short period the next sweep is due already
                if auditor.readable().iter().all(|name| ended.contains(name)) {
                    break;
                }
            }
            // the next run continues this sweep; the other databases do not wait
            SweepStatus::ServerUnavailable(failure) => log_waiting(name, failure),
            SweepStatus::NotDue | SweepStatus::Stopped => break,
        }
    }
    auditor.save_progress(); // the next run must not begin at an earlier transaction
    worst
}

fn log_waiting(server: &str, failure: ServerError) {
    Event::new(Level::Debug, "the sweep waits")
        .text("server", server)
        .text("reason", failure)
        .log();
}

/// Prints a database's line. With `--quiet`, prints it only if there is a problem, with the warnings that the log
/// would have.
pub(super) fn print_database(settings: &Settings, outcome: &Outcome) {
    let quiet = settings.report.verbosity == Verbosity::Quiet;
    if !quiet || outcome.exit() != Exit::Good || !outcome.warnings.is_empty() {
        print_outcome(settings, outcome);
        if quiet && matches!(settings.report.format, Format::Text) {
            for warning in &outcome.warnings {
                print(&format!("  warning: {warning}"));
            }
        }
    }
}

/// The loop of the service, with its inputs.
struct Loop<'a> {
    settings: Settings,
    /// The process from which the settings are read again.
    process: &'a Process,
    monitoring: &'a Monitoring,
    stop: &'a Stop,
    clock: Clock,
    notifier: &'a SdNotify,
}

impl Loop<'_> {
    /// Runs a cycle in every interval. A cycle that takes longer is followed immediately by the next, and no cycles
    /// accumulate.
    fn until_stopped(&mut self, auditor: &mut Auditor) -> Exit {
        let name = &self.settings.server.name.clone();
        Event::new(Level::Info, "auditing")
            .text("server", name)
            .text("interval", format!("{:?}", self.settings.audit.interval))
            .log();
        self.notifier.ready(self.settings.server.call_timeout);
        let mut last_report = UntrustedReport::default();
        let mut level = Level::Info; // only the first line of a process is logged at this level
        let mut said_slow = false;
        while !self.stop.requested() {
            if self.stop.take_reload() {
                self.reload(auditor);
            }
            let settings = &self.settings;
            let interval = settings.audit.interval;
            let next = self.clock.instant() + interval;
            let cycle = auditor.cycle_and(
                |outcome| self.print_database(outcome),
                |cycle| self.monitoring.checked(cycle),
            );
            after(auditor, settings, self.monitoring, &cycle);
            self.notifier.status(|| self.monitoring.status_line());
            if cycle.duration > interval && !said_slow && !cycle.stopped {
                said_slow = true; // the metrics count later slow cycles
                log_slow_cycle(name, &cycle);
            }
            self.log_news_of_untrusted(&cycle, &mut last_report);
            log_values_read(auditor, settings, &cycle, level);
            level = Level::Debug;
            self.sweep_until(auditor, next);
        }
        self.notifier.stopping();
        self.monitoring.stop();
        Event::new(Level::Info, "stopped")
            .text("server", name)
            .log();
        Exit::Good
    }

    /// Reads the settings again; a cycle follows immediately.
    fn reload(&mut self, auditor: &mut Auditor) {
        let (process, monitoring, stop) = (self.process, self.monitoring, self.stop);
        if let Some(settings) = reload(process, &self.settings, auditor, monitoring, stop) {
            self.settings = settings;
            self.notifier.ready(self.settings.server.call_timeout); // the watchdog must allow for the new call timeout
        }
    }

    /// Logs a line about all untrusted databases if there is more to report than in the last line.
    fn log_news_of_untrusted(&self, cycle: &Cycle, last_report: &mut UntrustedReport) {
        let untrusted = Untrusted::of(cycle);
        let is_over = untrusted.unproven == 0 && last_report.unproven > 0;
        let is_more = untrusted.unproven > 0 && untrusted.is_more_than(last_report);
        if !cycle.stopped && (is_over || is_more) {
            log_untrusted(&self.settings.server.name, &untrusted);
            *last_report = untrusted.last_report();
        }
    }

    fn print_database(&self, outcome: &Outcome) {
        log_outcome(&self.settings.server.name, outcome);
        self.monitoring.outcome(outcome);
        if matches!(self.settings.report.format, Format::Json) {
            print_outcome(&self.settings, outcome);
        }
    }

    /// Uses the rest of the interval for the mirrors, without a pause, and for a sweep that is behind its pace.
    fn sweep_until(&self, auditor: &mut Auditor, next: Instant) {
        let name = &self.settings.server.name;
        while !self.is_called_for() && self.clock.instant() < next {
            let now = self.clock.instant();
            mirror(auditor, &self.settings, now + MIRROR_SLICE, next);
            let slice = auditor.sweep_at_pace(next);
            if let Some(outcome) = &slice.outcome {
                self.print_database(outcome);
            }
            self.monitoring.values(auditor, &slice.database);
            let left = self.clock.until(next);
            match slice.status {
                SweepStatus::InProgress { .. } => {}
                SweepStatus::Completed(swept) => log_swept(name, &slice.database, &swept),
                SweepStatus::NotDue if auditor.waits_for_the_next_cycle() => {
                    auditor.rest(left);
                    self.rest(next);
                }
                SweepStatus::NotDue if auditor.is_mirroring() => {}
                SweepStatus::NotDue => {
                    self.rest(self.clock.instant() + left.min(SWEEP_POLL_INTERVAL))
                }
                SweepStatus::ServerUnavailable(failure) => {
                    let others_may_continue = failure.may_concern_one_database();
                    log_waiting(name, failure);
                    if !others_may_continue {
                        auditor.rest(left);
                        self.rest(next);
                    }
                }
                SweepStatus::Stopped => return,
            }
        }
    }

    /// Returns whether the pause between two cycles must end, because the program is to end or to read its settings
    /// again.
    fn is_called_for(&self) -> bool {
        self.stop.requested() || self.stop.reload_requested()
    }

    /// Sleeps until `until`, and reports to the watchdog that the program does not hang.
    fn rest(&self, until: Instant) {
        while !self.is_called_for() && self.clock.instant() < until {
            self.notifier.progress();
            let left = self.clock.until(until);
            let pause = left.min(self.notifier.max_wait());
            self.clock.sleep(pause, self.stop);
        }
    }
}

/// Continues the mirrors. An obstacle is reported once and changes no verdict.
pub(super) fn mirror(auditor: &mut Auditor, settings: &Settings, slice: Instant, until: Instant) {
    for (database, why) in auditor.mirror(slice, until) {
        Event::new(Level::Warn, "the mirror is not complete")
            .text("server", &settings.server.name)
            .text("database", &database)
            .text("reason", why)
            .log();
    }
}

/// The time limit of paced sweeps after the one cycle of `--once`, so that a scheduled job ends.
const MAX_SWEEP_TIME_ONCE: Duration = Duration::from_secs(30);

/// The time limit of mirrors after the one cycle of `--once`, so that a scheduled job ends.
const MAX_MIRROR_TIME: Duration = Duration::from_secs(30);
/// The time between two cycles after which the mirrors give way to a paced sweep, once the calls that were begun have
/// ended.
const MIRROR_SLICE: Duration = Duration::from_millis(400);

/// The time between two slices of a scheduled sweep.
const SWEEP_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Logs how many transactions of each database were read, and the probability of detection.
fn log_values_read(auditor: &Auditor, settings: &Settings, cycle: &Cycle, level: Level) {
    for outcome in &cycle.outcomes {
        let values = auditor.values_read(&outcome.database);
        if let (Some(values), Some(shown)) = (values, outcome.shown) {
            let audit = &settings.audit;
            let now = auditor.clock().now();
            let (what, interval) = (&audit.values, audit.interval);
            let chance = detection_probability_per_day(
                what,
                interval,
                shown.tx,
                Readings::of(Some(values)),
                now,
            );
            log_values(level, &settings.server.name, values, shown.tx, chance);
        }
    }
}

/// Reports the cycle as a whole.
fn after(auditor: &mut Auditor, settings: &Settings, monitoring: &Monitoring, cycle: &Cycle) {
    let name = &settings.server.name;
    log_cycle(name, cycle);
    if matches!(settings.report.format, Format::Json) {
        for trouble in cycle.errors() {
            print(&cycle_error_json(name, &trouble));
        }
    }
    for outcome in &cycle.outcomes {
        monitoring.values(auditor, &outcome.database);
    }
    monitoring.peers(auditor, name);
    monitoring.alarms(auditor, cycle);
    monitoring.cycle(cycle, auditor.identity().as_deref());
    for warning in auditor.store_warnings() {
        log_warning(name, warning);
    }
}

fn print_outcome(settings: &Settings, outcome: &Outcome) {
    print(&match settings.report.format {
        Format::Json => outcome_json(&settings.server.name, outcome),
        Format::Text => outcome_line(outcome),
    });
}
