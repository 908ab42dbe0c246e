//! `sweep`: an ordinary check, then a reading of every transaction of the history.

use std::fmt;
use std::time::Duration;

use super::audit::{mirror, once, print_database};
use super::monitoring::{self, Monitoring};
use super::setup::{self, CommandError};
use crate::audit::{Auditor, Exit, SweepStatus};
use crate::config::{Effective, Format, RunMode, Settings, Verbosity};
use crate::ranges::Ranges;
use crate::report::{Bar, JsonObject, few_ranges, log_outcome, log_swept, print};
use crate::stop::Stop;
use crate::text::{Escaped, counted};
use crate::trust::{Due, SweepSummary};

/// Sweeps these databases, or all that are audited.
pub fn run(
    settings: &Settings,
    effective: &Effective,
    databases: &[String],
) -> Result<Exit, CommandError> {
    let stop = Stop::on_signals(); // before gRPC starts its threads
    let mut store = setup::store(settings)?;
    let server = setup::server(settings, stop.clone())?;
    // a sweep ends by itself, so it opens no port, which another auditor may use
    let mut ends = settings.clone();
    ends.audit.run_mode = RunMode::Once;
    let peers = setup::peer_poller(&ends, server.clock())?;
    let monitoring = monitoring::start(&ends, effective, &mut store, &server)?;
    let auditor = Auditor::new(server, store, setup::policy(settings))
        .with_mirror(settings.audit.mirror)
        .with_peers_of(peers);
    let mut auditor = setup::keep_until_exit(auditor);
    let checked = once(&mut auditor, settings, &monitoring);
    let mut exit = checked.exit();
    let readable = auditor.readable();
    let named = |name: &String| databases.is_empty() || databases.contains(name);
    for name in databases.iter().filter(|name| !readable.contains(name)) {
        // databases with an outcome are reported above
        if checked
            .outcomes
            .iter()
            .all(|outcome| outcome.database != *name)
        {
            let unknown = Err(EndedEarly {
                at: None,
                reason: format!(
                    "this auditor audits no such database; {}",
                    setup::known_databases(&readable)
                ),
            });
            let done = Done::new(&auditor, name, unknown, Exit::Good);
            done.print(settings);
            exit = exit.max(done.exit());
        }
    }
    for database in readable.iter().filter(|name| named(name)) {
        let swept = sweep(&mut auditor, settings, &monitoring, database);
        exit = exit.max(swept);
        let until = auditor.clock().instant() + MAX_MIRROR_TIME;
        mirror(&mut auditor, settings, until, until);
        if stop.requested() {
            exit = exit.max(Exit::Incomplete);
            break;
        }
    }
    monitoring.close(settings);
    Ok(exit)
}

/// The longest time for the mirrors, after everything else was read.
const MAX_MIRROR_TIME: Duration = Duration::from_secs(24 * 3600);

/// Describes the values that a complete sweep could not read, for a proven reason.
fn missing(swept: &SweepSummary) -> String {
    match swept.unavailable.total() {
        0 => String::new(),
        _ => format!(", values not available: {}", swept.unavailable),
    }
}

/// A sweep that did not reach the end of the history.
struct EndedEarly {
    /// The last transaction that it passed, after which the next sweep continues; `None` if none began.
    at: Option<u64>,
    reason: String,
}

impl fmt::Display for EndedEarly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(
                f,
                "the sweep ended early after transaction {at}, and the next sweep continues there: {}",
                self.reason
            ),
            None => f.write_str(&self.reason),
        }
    }
}

/// The result of a database's sweep, and the transactions that are still unread.
struct Done<'a> {
    database: &'a str,
    ended: Result<SweepSummary, EndedEarly>,
    /// The exit code of the findings during the sweep.
    found: Exit,
    due: Ranges<Due>,
    absent: Ranges,
    dropped: Ranges,
    /// Transactions with absent values that an operator acknowledged.
    acknowledged: u64,
}

impl<'a> Done<'a> {
    fn new(
        auditor: &Auditor,
        database: &'a str,
        ended: Result<SweepSummary, EndedEarly>,
        found: Exit,
    ) -> Done<'a> {
        let due = auditor.values_read(database);
        let (absent, dropped) = auditor.unexplained(database).unwrap_or_default();
        Done {
            database,
            ended,
            found,
            acknowledged: due.map_or(0, |progress| {
                progress.absent.count().saturating_sub(absent.count())
            }),
            due: due.map(|progress| progress.due.clone()).unwrap_or_default(),
            absent,
            dropped,
        }
    }

    /// Returns the exit code: that of the findings, and whether everything was read.
    fn exit(&self) -> Exit {
        let swept = self.ended.as_ref().ok();
        let explained = swept.is_some_and(|of| of.read.saturating_add(self.acknowledged) >= of.of);
        let whole = match explained && self.due.is_empty() && self.absent.is_empty() {
            true => Exit::Good,
            false => Exit::Incomplete,
        };
        self.found.max(whole)
    }

    fn text(&self) -> String {
        let database = Escaped::new(self.database);
        let mut text = match &self.ended {
            Ok(swept) => format!(
                "{database}: {} of {} transactions read with all values{}",
                swept.read,
                swept.of,
                missing(swept)
            ),
            Err(early) => format!("{database}: {early}"),
        };
        if !self.due.is_empty() {
            let due = few_ranges(&self.due);
            text.push_str(&format!("\n  could not be read: transactions {due}"));
        }
        if self.acknowledged > 0 {
            text.push_str(&format!(
                "\n  {} without values, acknowledged by an operator",
                counted(self.acknowledged, "transaction")
            ));
        }
        if !self.absent.is_empty() {
            text.push_str(&format!(
                "\n  the server does not have the values of transactions {}, although the ledger records no truncation of them",
                few_ranges(&self.absent)
            ));
        }
        text
    }

    fn json(&self, server: &str) -> String {
        let swept = self.ended.as_ref().ok();
        let early = self.ended.as_ref().err();
        JsonObject::new()
            .text("server", Some(server))
            .text("database", Some(self.database))
            .shown("ended", swept.map(|swept| swept.ended))
            .shown("began", swept.map(|swept| swept.began))
            .flag("complete", self.exit() == Exit::Good)
            .text("reason", early.map(|early| early.reason.as_str()))
            .number("sweep_position", early.and_then(|early| early.at))
            .number("read", swept.map(|swept| swept.read))
            .number("of", swept.map(|swept| swept.of))
            .number("unavailable", swept.map(|swept| swept.unavailable.total()))
            .number("values_due", Some(self.due.count()))
            .shown("values_due_ranges", Some(&self.due))
            .number("values_absent", Some(self.absent.count()))
            .shown("values_absent_ranges", Some(&self.absent))
            .number("values_acknowledged", Some(self.acknowledged))
            .number("values_dropped", Some(self.dropped.count()))
            .shown("values_dropped_ranges", Some(&self.dropped))
            .end()
    }

    /// Prints the result; with `--quiet` only if not everything was read.
    fn print(&self, settings: &Settings) {
        if settings.report.verbosity == Verbosity::Normal || self.exit() != Exit::Good {
            print(&match settings.report.format {
                Format::Json => self.json(&settings.server.name),
                Format::Text => self.text(),
            });
        }
    }
}

/// Returns the last transaction that the sweep under way has passed.
fn passed(auditor: &Auditor, database: &str) -> u64 {
    let sweep = auditor
        .values_read(database)
        .and_then(|of| of.sweep.as_ref());
    sweep.map_or(0, |sweep| sweep.at)
}

/// Reads a database to its end, or as far as possible; the next run continues there.
fn sweep(
    auditor: &mut Auditor,
    settings: &Settings,
    monitoring: &Monitoring,
    database: &str,
) -> Exit {
    let mut bar = Bar::new(database);
    let mut worst = Exit::Good;
    let shows =
        settings.report.verbosity == Verbosity::Normal && settings.report.format == Format::Text;
    let ended = loop {
        let slice = auditor.sweep(database);
        if let Some(outcome) = &slice.outcome {
            bar.clear();
            worst = worst.max(outcome.exit());
            log_outcome(&settings.server.name, outcome);
            monitoring.outcome(outcome);
            monitoring.flush();
            print_database(settings, outcome);
        }
        match slice.status {
            SweepStatus::InProgress { at, of } if shows => bar.show(at, of),
            SweepStatus::InProgress { .. } => {}
            SweepStatus::Completed(swept) => {
                log_swept(&settings.server.name, database, &swept);
                break Ok(swept);
            }
            SweepStatus::ServerUnavailable(failure) => {
                break Err(EndedEarly {
                    at: Some(passed(auditor, database)),
                    reason: failure.to_string(),
                });
            }
            SweepStatus::Stopped => {
                break Err(EndedEarly {
                    at: Some(passed(auditor, database)),
                    reason: "the program was stopped".into(),
                });
            }
            SweepStatus::NotDue => {
                break Err(EndedEarly {
                    at: None,
                    reason: "the trusted state cannot be read any more".into(),
                });
            }
        }
    };
    bar.clear();
    let done = Done::new(auditor, database, ended, worst);
    done.print(settings);
    done.exit()
}
