//! Probes and machine-readable states, as JSON; the shapes of `/livez` and `/version` are
//! immuclient's (protocol.md §7).

use super::database_status::DatabaseStatus;
use super::json::peer_json;
use super::json_object::JsonObject;
use super::metrics::max_stall;
use super::overall::overall;
use super::status_registry::{InstanceInfo, Snapshot};
use crate::clock::Timestamp;
use crate::ledger::encode_base64;

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// The probe succeeds.
    Good,
    /// The probe fails, for this reason.
    Bad(String),
}

impl Health {
    /// Returns `{"immudb":"OK"}`, or the fault instead of `OK`.
    pub fn json(&self) -> String {
        let text = match self {
            Health::Good => "OK",
            Health::Bad(why) => why,
        };
        JsonObject::new().text("immudb", Some(text)).end()
    }
}

/// Returns whether the loop has made progress within its time, whatever the server does.
pub fn livez(snapshot: &Snapshot) -> Health {
    if snapshot.stalled <= max_stall(snapshot) {
        Health::Good
    } else {
        Health::Bad(format!(
            "the audit has made no progress for {} s",
            snapshot.stalled.as_secs()
        ))
    }
}

/// Returns whether the first cycle has ended.
pub fn readyz(snapshot: &Snapshot) -> Health {
    match snapshot.server.cycles {
        0 => Health::Bad("the first cycle has not ended yet".into()),
        _ => Health::Good,
    }
}

/// Returns the version and the build of the program.
pub fn version_json() -> String {
    let built = crate::config::build_time().map_or(String::new(), |time| time.to_string());
    JsonObject::new()
        .text("component", Some("immuaudit"))
        .text("version", Some(crate::config::VERSION))
        .text("buildtime", Some(&built))
        .text("builtby", Some(""))
        .text("revision", Some(crate::config::REVISION))
        .flag("static", cfg!(target_feature = "crt-static"))
        .flag("fips", false)
        .end()
}

/// Returns the content of the status page as JSON.
pub fn status_json(snapshot: &Snapshot) -> String {
    let (about, whole) = (&snapshot.instance, &snapshot.server);
    JsonObject::new()
        .text("server", Some(&about.server))
        .text("server_address", Some(&about.address))
        .text("server_id", whole.identity.as_deref())
        .text("overall", Some(overall(snapshot).word()))
        .text("version", Some(env!("CARGO_PKG_VERSION")))
        .shown("started", Some(about.started))
        .number(
            "interval_ms",
            u64::try_from(about.interval.as_millis()).ok(),
        )
        .number("cycles", Some(whole.cycles))
        .shown("last_cycle", whole.ended)
        .shown("last_successful_cycle", whole.complete)
        .flag("complete", whole.last_complete)
        .text("trouble", whole.trouble.as_deref())
        .number("untrusted", Some(whole.untrusted.by_verdict.values().sum()))
        .text(
            "untrusted_reason",
            Some(whole.untrusted.text.as_str()).filter(|text| !text.is_empty()),
        )
        .objects(
            "databases",
            snapshot
                .databases
                .values()
                .map(|row| database(row, about, snapshot.at)),
        )
        .objects(
            "notifications",
            snapshot.notifications.iter().map(|counts| {
                JsonObject::new()
                    .text("receiver", Some(&counts.receiver))
                    .number("pending", Some(counts.pending))
                    .number("sent", Some(counts.sent))
                    .number("failed", Some(counts.failed))
                    .number("dropped", Some(counts.dropped))
            }),
        )
        .end()
}

fn database(row: &DatabaseStatus, about: &InstanceInfo, now: Timestamp) -> JsonObject {
    let chance = row.chance(&about.values, about.interval, now);
    JsonObject::new()
        .text("database", Some(&row.database))
        .text("verdict", row.verdict.map(|verdict| verdict.word()))
        .text("reason", Some(&row.why))
        .shown("since", row.since)
        .shown("checked", row.checked)
        .shown("proven", row.proven)
        .number("trusted_tx", row.trusted.map(|state| state.tx))
        .shown("trusted_hash", row.trusted.map(|state| state.hash))
        .number("shown_tx", row.shown.map(|state| state.tx))
        .shown("shown_hash", row.shown.map(|state| state.hash))
        .text("condition", Some(row.facts().condition().word()))
        .number("open_alarms", Some(row.open_alarms as u64))
        .text("alarm", row.alarm.as_deref())
        .flag("overdue", row.overdue)
        .number("values_read", Some(row.values.read))
        .share("values_read_share", row.values.share(row.trusted))
        .number("values_due", Some(row.values.due))
        .number("values_behind", Some(row.values.behind(row.trusted)))
        .number("values_absent", Some(row.values.absent))
        .flag("values_overdue", row.values_overdue)
        .objects("peers", row.peers.iter().map(peer_json))
        .flag("peers_overdue", row.peers_overdue)
        .number("sweep_position", row.values.sweeping.map(|(_, at)| at))
        .shown(
            "last_sweep_ended",
            row.values.swept.map(|swept| swept.ended),
        )
        .shown("detection_probability_24h", chance)
}

/// Returns the trusted states, which other auditors compare with the states that they were shown.
pub fn states_json(snapshot: &Snapshot) -> String {
    let states = snapshot.databases.values().filter_map(|row| {
        let state = row.trusted?;
        let signature = row.signature.as_ref().map(|signature| {
            let base64 = |bytes: &[u8]| Some(encode_base64(bytes));
            JsonObject::new()
                .text("signature", base64(&signature.der).as_deref())
                .text("public_key", base64(&signature.public_key).as_deref())
        });
        Some(
            JsonObject::new()
                .text("database", Some(&row.database))
                .number("tx", Some(state.tx))
                .shown("hash", Some(state.hash))
                .object("signature", signature),
        )
    });
    JsonObject::new()
        .text("server", Some(&snapshot.instance.server))
        .text("server_id", snapshot.server.identity.as_deref())
        .objects("states", states)
        .end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{StatusRegistry, page};
    use crate::server::Calls;
    use std::time::Duration;

    #[test]
    fn a_stalled_loop_fails_its_probe_and_shows_on_the_page() {
        let about = InstanceInfo {
            server: "s".into(),
            address: "127.0.0.1:3322".into(),
            interval: Duration::from_secs(300),
            values: crate::config::Values::NONE,
            call_timeout: Duration::from_secs(10),
            config: String::new(),
            started: crate::clock::now(),
        };
        let mut snapshot =
            StatusRegistry::new(about, Calls::new(crate::clock::Clock::system())).snapshot();
        assert_eq!(livez(&snapshot), Health::Good);
        let not_ready = "the first cycle has not ended yet".to_owned();
        assert_eq!(readyz(&snapshot), Health::Bad(not_ready));
        // the limit is an interval, two call timeouts and half a minute
        snapshot.stalled = Duration::from_secs(350);
        assert_eq!(livez(&snapshot), Health::Good);
        snapshot.stalled = Duration::from_secs(351);
        let dead = livez(&snapshot);
        let json = "{\"immudb\":\"the audit has made no progress for 351 s\"}";
        assert_eq!(dead.json(), json);
        let html = page(&snapshot);
        assert!(
            html.contains("<h1>The audit makes no progress</h1>"),
            "{html}"
        );
    }
}
