//! One JSON object on each line (RFC 8259), written member by member.

use std::fmt::{Display, Write};

use super::alarm::{adopt_command, close_command};
use crate::audit::{CycleError, Outcome, PeerReport, UntrustedDatabases, Verdict};
use crate::json::push_string;

/// A JSON object that is being written; its members are in the order in which they are added.
#[derive(Debug)]
pub struct JsonObject(String);

impl Default for JsonObject {
    fn default() -> JsonObject {
        JsonObject::new()
    }
}

impl JsonObject {
    /// Creates an object without members.
    pub fn new() -> JsonObject {
        JsonObject("{".into())
    }

    /// Adds a string; `None` is null.
    #[must_use]
    pub fn text(mut self, name: &str, value: Option<&str>) -> JsonObject {
        self.name(name);
        match value {
            Some(value) => push_string(&mut self.0, value),
            None => self.0.push_str("null"),
        }
        self
    }

    /// Adds a value as its printed string; `None` is null.
    #[must_use]
    pub fn shown(self, name: &str, value: Option<impl Display>) -> JsonObject {
        self.text(name, value.map(|value| value.to_string()).as_deref())
    }

    /// Adds a number; `None` is null.
    #[must_use]
    pub fn number(mut self, name: &str, value: Option<u64>) -> JsonObject {
        self.name(name);
        match value {
            // writing to a String cannot fail
            Some(value) => write!(self.0, "{value}").unwrap_or_default(),
            None => self.0.push_str("null"),
        }
        self
    }

    /// Adds a number with four decimals, for a share of 1.
    #[must_use]
    pub fn share(mut self, name: &str, value: f64) -> JsonObject {
        self.name(name);
        write!(self.0, "{value:.4}").unwrap_or_default();
        self
    }

    /// Adds a list of strings.
    #[must_use]
    pub fn texts(mut self, name: &str, values: &[&str]) -> JsonObject {
        self.name(name);
        self.0.push('[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            push_string(&mut self.0, value);
        }
        self.0.push(']');
        self
    }

    /// Adds an object; `None` is null.
    #[must_use]
    pub fn object(mut self, name: &str, value: Option<JsonObject>) -> JsonObject {
        self.name(name);
        match value {
            Some(value) => self.0.push_str(&value.end()),
            None => self.0.push_str("null"),
        }
        self
    }

    /// Adds a list of objects.
    #[must_use]
    pub fn objects(mut self, name: &str, values: impl Iterator<Item = JsonObject>) -> JsonObject {
        self.name(name);
        self.0.push('[');
        for (index, value) in values.enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self.0.push_str(&value.end());
        }
        self.0.push(']');
        self
    }

    /// Adds true or false.
    #[must_use]
    pub fn flag(mut self, name: &str, value: bool) -> JsonObject {
        self.name(name);
        self.0.push_str(if value { "true" } else { "false" });
        self
    }

    /// Returns the object's text.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_string(&mut self.0, name);
        self.0.push(':');
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_any_text_is_one_line_of_ascii() {
        let nasty = "a\"b\\c\nd\u{202e}\u{1f600}\u{0}";
        let json = JsonObject::new()
            .text(nasty, Some(nasty))
            .text("none", None)
            .number("n", Some(u64::MAX))
            .flag("f", false)
            .end();
        let escaped = "a\\\"b\\\\c\\u000ad\\u202e\\ud83d\\ude00\\u0000";
        assert_eq!(
            json,
            format!(
                "{{\"{escaped}\":\"{escaped}\",\"none\":null,\"n\":18446744073709551615,\"f\":false}}"
            )
        );
    }
}
