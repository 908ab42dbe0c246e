//! The objects of `--json` for the outcomes of a cycle (docs/json.md).

use super::alarm::{adopt_command, close_command};
use super::json_object::JsonObject;
use crate::audit::{CycleError, Outcome, PeerReport, UntrustedDatabases, Verdict};

/// Returns the object for one database, as `--json` prints it.
pub fn outcome_json(server: &str, outcome: &Outcome) -> String {
    let shown = outcome.shown.as_ref();
    let previous = outcome.previous.as_ref();
    let alarm = outcome.alarm.as_ref();
    let warnings: Vec<String> = outcome.warnings.iter().map(ToString::to_string).collect();
    let warnings: Vec<&str> = warnings.iter().map(String::as_str).collect();
    JsonObject::new()
        .text("server", Some(server))
        .text("database", Some(&outcome.database))
        .text("verdict", Some(outcome.verdict.word()))
        .text("state_verdict", Some(outcome.state_verdict().word()))
        .text("reason", Some(&outcome.why()))
        .flag("tampered", outcome.verdict.is_tampering())
        .flag("complete", outcome.is_complete())
        .texts("warnings", &warnings)
        .number("open_alarms", u64::try_from(outcome.open_alarms).ok())
        .text("alarm", alarm.map(|alarm| alarm.id.as_str()))
        .shown("evidence", alarm.map(|alarm| alarm.evidence.display()))
        .text("close_command", alarm.map(close_command).as_deref())
        .text("adopt_command", alarm.and_then(adopt_command).as_deref())
        .number("tx", shown.map(|state| state.tx))
        .shown("hash", shown.map(|state| state.hash))
        .number("previous_tx", previous.map(|state| state.tx))
        .shown("previous_hash", previous.map(|state| state.hash))
        .objects("peers", outcome.peers.iter().map(peer_json))
        .number(
            "duration_ms",
            u64::try_from(outcome.duration.as_millis()).ok(),
        )
        .end()
}

/// Returns the object for a peer and a database.
pub fn peer_json(peer: &PeerReport) -> JsonObject {
    let disagreement = peer.disagreement.as_ref().map(|_| peer.to_string());
    JsonObject::new()
        .text("peer", Some(peer.peer.as_str()))
        .text("state", Some(peer.standing.word()))
        .text("reason", peer.why.as_deref())
        .number("tx", peer.theirs.map(|state| state.tx))
        .shown("hash", peer.theirs.map(|state| state.hash))
        .number("agreed_tx", peer.agreed.map(|agreed| agreed.state.tx))
        .shown("agreed", peer.agreed.map(|agreed| agreed.time))
        .shown("waiting", peer.waiting)
        .text("disagreement", disagreement.as_deref())
}

/// Returns the object for an error that concerns no single database: `database` is null.
pub fn cycle_error_json(server: &str, trouble: &CycleError) -> String {
    JsonObject::new()
        .text("server", Some(server))
        .text("database", None)
        .text("verdict", trouble.verdict().map(Verdict::word))
        .shown("reason", Some(trouble))
        .flag("tampered", trouble.is_tampering())
        .end()
}

/// Returns the object for untrusted databases that have no object of their own: `database` is null.
pub fn untrusted_json(server: &str, untrusted: &UntrustedDatabases) -> String {
    JsonObject::new()
        .text("server", Some(server))
        .text("database", None)
        .text("verdict", None)
        .shown("reason", Some(untrusted))
        .flag("tampered", untrusted.is_tampering())
        .end()
}
