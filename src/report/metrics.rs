//! The metrics: immuclient's four gauges, and the project's own.

use std::time::Duration;

use super::database_status::DatabaseStatus;
use super::exposition::{Exposition, Labels, Type};
use super::legacy::{Prefix, legacy};
use super::peer_metrics;
use super::process;
use super::receiver_stats::ReceiverStatsSnapshot;
use super::status_registry::Snapshot;
use crate::audit::Verdict;
use crate::config::{REVISION, VERSION, build_time};

/// The approximate size of the text in bytes: in any case, and for each database.
const FIXED: usize = 16 << 10;
const A_DATABASE: usize = 2400;

/// Returns all metrics for Prometheus.
pub fn metrics(snapshot: &Snapshot, prefix: Prefix) -> String {
    let mut text = Exposition::with_capacity(FIXED + A_DATABASE * snapshot.databases.len());
    legacy(&mut text, snapshot, prefix);
    databases(&mut text, snapshot);
    server(&mut text, snapshot);
    calls(&mut text, snapshot);
    notifications(&mut text, snapshot);
    heartbeats(&mut text, snapshot);
    peer_metrics::metrics(&mut text, snapshot);
    build(&mut text, snapshot);
    process::metrics(&mut text, snapshot.instance.started);
    text.end()
}

fn databases(text: &mut Exposition, snapshot: &Snapshot) {
    let server = Labels::new(&[("server", &snapshot.instance.server)]);
    let rows = snapshot.databases.values();
    let rows: Vec<(Labels, &DatabaseStatus)> = rows
        .map(|row| (server.clone().and("database", &row.database), &**row))
        .collect();
    let mut family = text.family(
        "immuaudit_verdict",
        Type::Gauge,
        "Verdict of the database's last check: 1 for the current verdict, 0 for the others.",
    );
    for (labels, row) in &rows {
        let verdict = row.verdict.map(Verdict::word);
        for word in Verdict::WORDS {
            let is = u8::from(verdict == Some(word));
            family.sample_of(labels, ("verdict", word), is);
        }
    }
    let mut family = text.family(
        "immuaudit_values_read_ratio",
        Type::Gauge,
        "Lower bound of the share of the ledger's transactions whose values were read, by a sweep or in one cycle.",
    );
    for (labels, row) in &rows {
        family.sample(labels, row.values.share(row.trusted));
    }
    // only reasons that occur have a series, so that a thousand databases stay below 2 MB
    let mut family = text.family(
        "immuaudit_values_unavailable",
        Type::Gauge,
        "Transactions whose values the server does not have (absent, or acknowledged), new transactions that are not read yet (behind), and transactions that could not be read (due); values dropped, expired, of documents, or of too old servers.",
    );
    for (labels, row) in &rows {
        let values = &row.values;
        let counts = [
            (values.absent, "absent"),
            (values.acknowledged, "acknowledged"),
            (values.behind(row.trusted), "behind"),
            (values.due, "due"),
        ];
        let gone = values.unavailable.by_kind();
        let gone = gone.iter().map(|(count, reason, _)| (*count, *reason));
        for (count, reason) in counts.into_iter().chain(gone) {
            if count > 0 {
                family.sample_of(labels, ("reason", reason), count);
            }
        }
    }
    let mut each = |name, kind, help, value: fn(&DatabaseStatus) -> u64| {
        let mut family = text.family(name, kind, help);
        for (labels, row) in &rows {
            family.sample(labels, value(row));
        }
    };
    each(
        "immuaudit_last_check_timestamp_seconds",
        Type::Gauge,
        "Time of the database's last check, with any verdict; 0: never.",
        |row| row.checked.map_or(0, |at| at.unix()),
    );
    each(
        "immuaudit_last_verified_timestamp_seconds",
        Type::Gauge,
        "Time at which the database was last proven; 0: never.",
        |row| row.proven.map_or(0, |at| at.unix()),
    );
    each(
        "immuaudit_trusted_transaction",
        Type::Gauge,
        "Transaction of the trusted state; 0: none.",
        |row| row.trusted.map_or(0, |state| state.tx),
    );
    each(
        "immuaudit_transactions_checked_total",
        Type::Counter,
        "Transactions proven to extend the trusted state.",
        |row| row.transactions,
    );
    each(
        "immuaudit_proofs_total",
        Type::Counter,
        "Successfully verified proofs.",
        |row| row.proofs,
    );
    each(
        "immuaudit_open_alarms",
        Type::Gauge,
        "Open alarms: findings of tampering that no operator has closed or adopted yet.",
        |row| row.open_alarms as u64,
    );
    each(
        "immuaudit_overdue",
        Type::Gauge,
        "1 if the database has not been proven for three intervals, or has not grown in time.",
        |row| u64::from(row.overdue),
    );
    each(
        "immuaudit_signature_missing",
        Type::Gauge,
        "1 if the last state had no valid signature although an earlier one had, or a key is configured.",
        |row| u64::from(row.signature_dropped),
    );
    each(
        "immuaudit_values_read_total",
        Type::Counter,
        "Transaction reads with all values; the same transaction can count more than once.",
        |row| row.values.read,
    );
    each(
        "immuaudit_last_sweep_timestamp_seconds",
        Type::Gauge,
        "Time at which the last sweep ended, so that every value was read; 0: never.",
        |row| row.values.swept.map_or(0, |swept| swept.ended.unix()),
    );
    each(
        "immuaudit_values_overdue",
        Type::Gauge,
        "1 if a sweep takes more than twice its time, or transactions could not be read or reached for three intervals.",
        |row| u64::from(row.values_overdue),
    );
}

fn server(text: &mut Exposition, snapshot: &Snapshot) {
    let whole = &snapshot.server;
    let labels = Labels::new(&[("server", &snapshot.instance.server)]);
    let mut one = |name, kind, help, value: f64| {
        text.family(name, kind, help).sample(&labels, value);
    };
    let unix = |at: Option<crate::clock::Timestamp>| at.map_or(0.0, |at| at.unix() as f64);
    one(
        "immuaudit_filter_entries_unmatched",
        Type::Gauge,
        "Entries of --audit-databases that selected no database in the last cycle.",
        whole.selects_nothing as f64,
    );
    one(
        "immuaudit_complete",
        Type::Gauge,
        "1 if everything was proven and read in time in the last cycle, 0 if not.",
        f64::from(u8::from(whole.last_complete)),
    );
    one(
        "immuaudit_interval_seconds",
        Type::Gauge,
        "Time from one cycle to the next.",
        snapshot.instance.interval.as_secs_f64(),
    );
    one(
        "immuaudit_sweep_period_seconds",
        Type::Gauge,
        "Time of --audit-sweep in which every value is read once; 0: not set.",
        snapshot
            .instance
            .values
            .sweep
            .unwrap_or_default()
            .as_secs_f64(),
    );
    one(
        "immuaudit_databases",
        Type::Gauge,
        "Databases that have or had a trusted state, or have alarms.",
        snapshot.databases.len() as f64,
    );
    one(
        "immuaudit_last_cycle_timestamp_seconds",
        Type::Gauge,
        "Time at which the last cycle ended; 0: never.",
        unix(whole.ended),
    );
    one(
        "immuaudit_last_successful_cycle_timestamp_seconds",
        Type::Gauge,
        "Time at which the last cycle ended that proved every database; 0: never.",
        unix(whole.complete),
    );
    one(
        "immuaudit_cycles_longer_than_interval_total",
        Type::Counter,
        "Cycles since the start that took longer than an interval.",
        whole.overruns as f64,
    );
    one(
        "immuaudit_seconds_since_progress",
        Type::Gauge,
        "Time since the audit loop last made progress.",
        snapshot.stalled.as_secs_f64(),
    );
    text.family(
        "immuaudit_cycle_duration_seconds",
        Type::Histogram,
        "Duration of the cycles over all databases.",
    )
    .histogram(&labels, &whole.durations);
    let untrusted = &whole.untrusted;
    let mut family = text.family(
        "immuaudit_untrusted_databases",
        Type::Gauge,
        "Listed databases without a trusted state, by the verdict of the last cycle; not-reached: not checked for lack of time.",
    );
    for word in Verdict::WORDS {
        let count = untrusted.by_verdict.get(word).copied().unwrap_or(0);
        family.sample_of(&labels, ("verdict", word), count);
    }
    family.sample_of(&labels, ("verdict", "not-reached"), untrusted.not_reached);
    let mut errors = text.family(
        "immuaudit_check_errors_total",
        Type::Counter,
        "Checks without a verdict on the ledger.",
    );
    for (kind, count) in &whole.errors {
        errors.sample_of(&labels, ("kind", kind), count);
    }
}

fn calls(text: &mut Exposition, snapshot: &Snapshot) {
    let server = Labels::new(&[("server", &snapshot.instance.server)]);
    let mut family = text.family(
        "immuaudit_rpc_duration_seconds",
        Type::Histogram,
        "Duration of calls to the server, including failed calls.",
    );
    for (method, histogram) in &snapshot.calls.durations {
        family.histogram(&server.clone().and("method", method), histogram);
    }
    let mut family = text.family(
        "immuaudit_rpc_failures_total",
        Type::Counter,
        "Calls to the server that failed.",
    );
    for (method, count) in &snapshot.calls.failures {
        family.sample_of(&server, ("method", method), count);
    }
}

fn notifications(text: &mut Exposition, snapshot: &Snapshot) {
    let mut each = |name, kind, help, value: fn(&ReceiverStatsSnapshot) -> u64| {
        let mut family = text.family(name, kind, help);
        for counts in &snapshot.notifications {
            family.sample(
                &Labels::new(&[("receiver", &counts.receiver)]),
                value(counts),
            );
        }
    };
    each(
        "immuaudit_notifications_pending",
        Type::Gauge,
        "Notifications not delivered yet.",
        |counts| counts.pending,
    );
    each(
        "immuaudit_notifications_sent_total",
        Type::Counter,
        "Notifications delivered.",
        |counts| counts.sent,
    );
    each(
        "immuaudit_notification_failures_total",
        Type::Counter,
        "Failed attempts to deliver a notification.",
        |counts| counts.failed,
    );
    each(
        "immuaudit_notifications_dropped_total",
        Type::Counter,
        "Notifications given up, or replaced by a later one of the same database.",
        |counts| counts.dropped,
    );
    each(
        "immuaudit_notification_oldest_pending_seconds",
        Type::Gauge,
        "Age of the oldest undelivered notification; 0: none.",
        |counts| counts.oldest.as_secs(),
    );
}

fn heartbeats(text: &mut Exposition, snapshot: &Snapshot) {
    let Some(counts) = &snapshot.heartbeat else {
        return;
    };
    text.family(
        "immuaudit_heartbeats_sent_total",
        Type::Counter,
        "Heartbeats with a 2xx response.",
    )
    .sample(&Labels::default(), counts.sent);
    text.family(
        "immuaudit_heartbeat_failures_total",
        Type::Counter,
        "Heartbeats without a response, or with another status.",
    )
    .sample(&Labels::default(), counts.failed);
}

fn build(text: &mut Exposition, snapshot: &Snapshot) {
    let built = build_time().map_or(String::new(), |time| time.to_string());
    let labels = Labels::new(&[
        ("version", VERSION),
        ("revision", REVISION),
        ("build_time", &built),
    ]);
    text.family(
        "immuaudit_build_info",
        Type::Gauge,
        "1; the labels are the version, the commit of the sources and its time, empty if unknown.",
    )
    .sample(&labels, 1);
    text.family(
        "immuaudit_config_info",
        Type::Gauge,
        "1; the label is the SHA-256 of the effective settings.",
    )
    .sample(&Labels::new(&[("sha256", &snapshot.instance.config)]), 1);
}

/// Returns the longest time that a healthy loop makes no progress: it sleeps for an interval, and waits for a
/// call.
pub fn max_stall(snapshot: &Snapshot) -> Duration {
    let about = &snapshot.instance;
    about.interval.max(Duration::from_secs(60)) + 2 * about.call_timeout + Duration::from_secs(30)
}
