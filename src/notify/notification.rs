//! The content of notifications: exactly immuclient's members (protocol.md §7), followed by the program's own.

use std::sync::atomic::{AtomicU64, Ordering};

use ring::rand::{SecureRandom, SystemRandom};

use super::reachability::{Reachability, Summary};
use crate::audit::{Outcome, Verdict};
use crate::clock::{Clock, Timestamp};
use crate::json::Json;
use crate::ledger::{Digest, Signature, State, encode_base64};
use crate::report::{JsonObject, Untrusted, adopt_command, close_command};
use crate::text::number;
use crate::trust::Alarm;

/// The priority of a notification; the first is delivered first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Tampering: the notification is never given up.
    Tampering,
    /// All other notifications.
    Change,
}

/// One notification, without the credentials that it is sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The id: the same on each try, and for each receiver.
    pub id: String,
    /// The priority of the notification.
    pub priority: Priority,
    /// The topic: notifications with the same key report the same finding again.
    pub dedup_key: String,
    /// One JSON object.
    pub body: String,
}

impl Notification {
    /// Returns the name of the notification's database; `None` if it is about several, or none.
    pub fn database(&self) -> Option<String> {
        self.member("db").filter(|name| !name.is_empty())
    }

    /// Returns its subject: the database, or else the topic.
    pub(super) fn subject(&self) -> Result<String, String> {
        self.database().ok_or_else(|| self.dedup_key.clone())
    }

    /// Returns the databases that it names, if it is a summary about several of them.
    pub(super) fn summary(&self) -> Option<Summary> {
        Summary::of(&Json::parse(&self.body).ok()?)
    }

    /// Returns the ID of the alarm that it is about.
    pub fn alarm(&self) -> Option<String> {
        self.member("alarm")
    }

    /// Returns the time of the check.
    pub fn time(&self) -> Option<Timestamp> {
        self.member("run_at")?.parse().ok()
    }

    fn member(&self, name: &str) -> Option<String> {
        let body = Json::parse(&self.body).ok()?;
        body.member(name)?.text().map(str::to_owned)
    }

    /// Returns the notification of a database's check; `is_closed`: its last open alarm was closed since the check
    /// before.
    pub fn of(server: &str, outcome: &Outcome, is_closed: bool, now: Timestamp) -> Notification {
        let tampered = outcome.verdict.is_tampering();
        let alarm = outcome.alarm.as_ref();
        let id = match alarm.filter(|_| !outcome.opened.is_empty()) {
            Some(alarm) => id_of(server, alarm),
            None => fresh_id(),
        };
        let evidence = alarm.map(|alarm| alarm.evidence.display().to_string());
        let open_alarms = match outcome.unreadable_alarms {
            None => u64::try_from(outcome.open_alarms).ok(),
            Some(_) => None,
        };
        let body = JsonObject::new()
            .text("db", Some(&outcome.database))
            .text("run_at", Some(&now.to_string()))
            .flag("tampered", tampered)
            .object(
                "previous_state",
                state(outcome.previous, outcome.previous_signature.as_ref()),
            )
            .object(
                "current_state",
                state(outcome.shown, outcome.signature.as_ref()),
            )
            .text("server", Some(server))
            .text("verdict", Some(outcome.verdict.word()))
            .text("reason", Some(&reason(outcome, is_closed)))
            .number("open_alarms", open_alarms)
            .text("evidence", evidence.as_deref())
            .text("alarm", alarm.map(|alarm| alarm.id.as_str()))
            .text("close_command", alarm.map(close_command).as_deref())
            .text("adopt_command", alarm.and_then(adopt_command).as_deref())
            .text("id", Some(&id))
            .end();
        let finding = outcome.alarm.as_ref().map_or("", |alarm| alarm.id.as_str());
        Notification {
            id,
            priority: if tampered {
                Priority::Tampering
            } else {
                Priority::Change
            },
            dedup_key: dedup_key(&outcome.database, finding),
            body,
        }
    }

    /// Returns the notification of an open alarm that a receiver has no record of; `more` is the number of further such
    /// alarms of the database that have no notification of their own. `run_at` is the time of the last finding.
    pub fn of_alarm(server: &str, alarm: &Alarm, more: usize) -> Notification {
        let id = id_of(server, alarm);
        let others = match more {
            0 => String::new(),
            _ => format!("; {more} more alarms are open, and immuaudit alarm list prints them"),
        };
        let reason = format!(
            "{}; found at {}, and the alarm is still open{others}",
            alarm.reason, alarm.raised
        );
        let body = JsonObject::new()
            .text("db", Some(&alarm.database))
            .text("run_at", Some(&alarm.last_seen.to_string()))
            .flag("tampered", true)
            .object("previous_state", state(alarm.trusted, None))
            .object("current_state", state(alarm.shown, None))
            .text("server", Some(server))
            .text("verdict", Some(Verdict::Tampered(alarm.kind).word()))
            .text("reason", Some(&reason))
            .text("evidence", Some(&alarm.evidence.display().to_string()))
            .text("alarm", Some(&alarm.id))
            .text("close_command", Some(&close_command(alarm)))
            .text("adopt_command", adopt_command(alarm).as_deref())
            .text("id", Some(&id))
            .end();
        Notification {
            id,
            priority: Priority::Tampering,
            dedup_key: dedup_key(&alarm.database, &alarm.id),
            body,
        }
    }

    /// Returns the notification of databases that cannot be reached, or can be reached again.
    pub fn of_reachability(
        server: &str,
        reachability: &Reachability,
        now: Timestamp,
    ) -> Notification {
        let id = fresh_id();
        let verdict = match reachability.away.is_empty() {
            true => Verdict::Consistent,
            false => Verdict::Unreachable,
        };
        let count = reachability.away.len().max(match verdict {
            Verdict::Consistent => reachability.back.len(),
            _ => 0,
        });
        let reason = reachability.text();
        let body = body_without_database(server, now, false, Some(verdict.word()), &reason)
            .number("database_count", Some(number(count)))
            .texts("databases", &reachability.names())
            .text("id", Some(&id))
            .end();
        Notification {
            id,
            priority: Priority::Change,
            dedup_key: short(Digest::of(&[b"reachability"])),
            body,
        }
    }

    /// Returns the notification of all untrusted databases that fail, or the notification that none fails any more.
    pub fn of_untrusted(
        server: &str,
        untrusted: &Untrusted,
        id: &str,
        now: Timestamp,
    ) -> Notification {
        let is_over = untrusted.unproven == 0;
        let verdict = untrusted.worst.filter(|_| !is_over).map(Verdict::word);
        let reason = match is_over {
            true => "no database waits to be trusted any more",
            false => &untrusted.text,
        };
        let body = body_without_database(server, now, untrusted.is_tampering(), verdict, reason)
            .text("id", Some(id))
            .end();
        Notification {
            id: id.to_owned(),
            priority: match untrusted.is_tampering() {
                true => Priority::Tampering,
                false => Priority::Change,
            },
            dedup_key: short(Digest::of(&[b"untrusted"])),
            body,
        }
    }

    /// Returns a notification that is marked as a test.
    pub fn test(server: &str, now: Timestamp) -> Notification {
        let id = fresh_id();
        let reason = "immuaudit notify --test: nothing was checked";
        let body = body_without_database(server, now, false, Some("test"), reason)
            .text("id", Some(&id))
            .end();
        Notification {
            id,
            priority: Priority::Change,
            dedup_key: String::new(),
            body,
        }
    }
}

/// Returns the beginning of the body of a notification that concerns no single database: `db` is empty.
fn body_without_database(
    server: &str,
    now: Timestamp,
    tampered: bool,
    verdict: Option<&str>,
    reason: &str,
) -> JsonObject {
    JsonObject::new()
        .text("db", Some(""))
        .text("run_at", Some(&now.to_string()))
        .flag("tampered", tampered)
        .object("previous_state", None)
        .object("current_state", None)
        .text("server", Some(server))
        .text("verdict", verdict)
        .text("reason", Some(reason))
        .text("evidence", None)
}

/// Returns the reason of the verdict, the warnings, and whether an alarm is open in spite of the verdict.
fn reason(outcome: &Outcome, is_closed: bool) -> String {
    let warnings = outcome.warnings.iter().map(ToString::to_string);
    let why = Some(outcome.why()).filter(|why| !why.is_empty());
    let open = match outcome.open_alarms {
        _ if outcome.verdict.is_tampering() => None,
        0 => is_closed.then(|| "no alarm is open any more".to_owned()),
        1 => Some("an alarm is still open: immuaudit alarm list prints it".to_owned()),
        several => Some(format!(
            "{several} alarms are still open: immuaudit alarm list prints them"
        )),
    };
    why.into_iter()
        .chain(warnings)
        .chain(open)
        .collect::<Vec<_>>()
        .join("; ")
}

/// The length limit of a signature or key, in bytes: those of P-256 have 72 and 91 (RFC 5480, RFC 3279).
const MAX_KEY_BYTES: usize = 512;

/// Returns a state with its hash and signature in base64, as Go writes bytes.
fn state(state: Option<State>, signature: Option<&Signature>) -> Option<JsonObject> {
    let base64 = |bytes: Option<&Vec<u8>>| encode_base64(bytes.map_or(&[], |bytes| bytes));
    let state = state?;
    // a larger one is no P-256 signature and would only fill the notification
    let signature = signature.filter(|signature| {
        signature.der.len() <= MAX_KEY_BYTES && signature.public_key.len() <= MAX_KEY_BYTES
    });
    let public_key = base64(signature.map(|signature| &signature.public_key));
    let der = base64(signature.map(|signature| &signature.der));
    let signature = JsonObject::new()
        .text("signature", Some(&der))
        .text("public_key", Some(&public_key));
    Some(
        JsonObject::new()
            .number("tx", Some(state.tx))
            .text("hash", Some(&encode_base64(state.hash.as_bytes())))
            .object("signature", Some(signature)),
    )
}

/// The status of all good verdicts.
pub const GOOD: &str = "good";

/// Returns the status of a verdict for the detection of changes; all good verdicts have the same status.
pub fn standing(verdict: &str) -> &str {
    let good = [Verdict::FirstSeen, Verdict::Consistent, Verdict::Empty];
    match good.iter().any(|good| good.word() == verdict) {
        true => GOOD,
        false => verdict,
    }
}

/// Returns the topic of the notifications of an alarm.
pub(super) fn dedup_key(database: &str, alarm: &str) -> String {
    short(Digest::of(&[database.as_bytes(), b"\0", alarm.as_bytes()]))
}

/// Returns the id of the notification that an alarm was opened: the same in each process, for each receiver.
fn id_of(server: &str, alarm: &Alarm) -> String {
    let opened = alarm.opened().to_string();
    let parts = [server, "\0", alarm.id.as_str(), "\0", opened.as_str()];
    short(Digest::of(&parts.map(str::as_bytes)))
}

/// Returns the id of a notification that no other process sends.
pub fn fresh_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 16];
    // without random numbers, the time and a counter make the id; it need not be secret
    if SystemRandom::new().fill(&mut bytes).is_err() {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let time = u128::from(Clock::system().now().unix());
        bytes = ((time << 64) | u128::from(count)).to_be_bytes();
    }
    short(Digest::of(&[&bytes]))
}

fn short(digest: Digest) -> String {
    digest.to_string().chars().take(32).collect()
}
