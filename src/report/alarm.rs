//! An alarm as text and as JSON, with the consequences of closing and of adopting it.

use std::ops::RangeInclusive;
use std::path::Path;

use super::json_object::JsonObject;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::text::{Escaped, counted, shell_value, shell_word};
use crate::trust::{
    Adoption, Alarm, Closed, Location, PastClosing, StoreError, Tampering, TrustOrigin,
};

/// An alarm, with the consequences of adopting it.
#[derive(Debug)]
pub struct AlarmReport {
    /// The alarm.
    pub alarm: Alarm,
    /// Changes that adopting the alarm makes.
    pub adoption: Result<Adoption, StoreError>,
    /// The time of a check after the last finding in which the server showed the trusted history again.
    pub shown_again: Option<Timestamp>,
    /// The trusted state with which a finding about a transaction was compared, from its evidence.
    pub read_against: Option<State>,
}

/// Returns the place of an alarm's evidence, as a line of its own.
pub fn evidence_of(alarm: &Alarm) -> String {
    format!("evidence: {}", evidence_place(alarm))
}

/// Returns the lines about an open alarm: its evidence, and the commands that close or adopt it.
pub fn alarm_lines(alarm: &Alarm) -> Vec<String> {
    let mut lines = vec![
        evidence_of(alarm),
        format!(
            "{}to close it and keep the trusted state: {}",
            before_closing(alarm),
            close_command(alarm)
        ),
    ];
    if let (Some(given_up), Some(command)) = (alarm.given_up(), adopt_command(alarm)) {
        let instead = match alarm.named() {
            Some(state) => format!("to trust transaction {} of the evidence instead", state.tx),
            None => "to trust no state of this database any more".into(),
        };
        lines.push(format!(
            "{instead}, giving up {}: {command}",
            transactions(&given_up)
        ));
    }
    lines
}

/// Returns the condition for closing an alarm, for a kind that needs the decision of two operators.
fn before_closing(alarm: &Alarm) -> &'static str {
    match alarm.kind {
        Tampering::SplitView => {
            "keep it open until both auditors' operators know which history is the written one; then, "
        }
        _ => "",
    }
}

/// Returns the check that opens a closed alarm again if the finding is still there.
pub fn opened_again_by(alarm: &Alarm) -> &'static str {
    match alarm.kind {
        Tampering::SplitView => "the next comparison with the other auditor",
        _ if alarm.is_about_import() => "the next import of the state with --alarm",
        _ => "the next check",
    }
}

/// Returns the command that closes an alarm and keeps the trusted state. It runs in any directory.
pub fn close_command(alarm: &Alarm) -> String {
    command("close", alarm)
}

/// Returns the command that adopts the state that an alarm's evidence names; `None` if it names none.
pub fn adopt_command(alarm: &Alarm) -> Option<String> {
    alarm.can_be_adopted().then(|| command("adopt", alarm))
}

/// Returns the command that closes every open alarm of an alarm's database and keeps the trusted state.
pub(super) fn close_all_command(alarm: &Alarm) -> String {
    let database = format!("--database={}", shell_value(&alarm.database));
    command_about("close", alarm, &database)
}

fn command(subcommand: &str, alarm: &Alarm) -> String {
    command_about(subcommand, alarm, &shell_word(&alarm.id))
}

fn command_about(subcommand: &str, alarm: &Alarm, what: &str) -> String {
    let option = |flag: &str, dir: &Path| {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.into());
        format!(" --{flag}={}", shell_value(&dir.to_string_lossy()))
    };
    let Location { dir, roots, server } = &alarm.location;
    let roots = roots
        .as_deref()
        .map(|roots| option("roots-filepath", roots));
    format!(
        "immuaudit alarm {subcommand}{}{} --server-label={} {what}",
        option("dir", dir),
        roots.unwrap_or_default(),
        shell_value(server)
    )
}

/// Returns one line about an alarm, for a list.
pub fn alarm_line(alarm: &Alarm) -> String {
    format!(
        "{} {} {} ({}) {}, raised {}{}, {}",
        Escaped::new(&alarm.id),
        Escaped::new(&alarm.database),
        alarm.kind,
        Escaped::of_escaped(&alarm.reason),
        standing(alarm),
        alarm.raised,
        reopened(alarm),
        seen(alarm)
    )
}

/// Returns one line about the evidence of an alarm, for a list.
pub fn evidence_line(alarm: &Alarm) -> String {
    format!(
        "{} {} {} ({}) {}: {}",
        alarm.raised,
        Escaped::new(&alarm.database),
        alarm.kind,
        Escaped::of_escaped(&alarm.reason),
        standing(alarm),
        evidence_place(alarm)
    )
}

fn evidence_place(alarm: &Alarm) -> String {
    let missing = match alarm.evidence.exists() {
        true => "",
        false => " (missing: there was no space for it, or it was moved)",
    };
    format!("{}{missing}", alarm.evidence.display())
}

fn reopened(alarm: &Alarm) -> String {
    let last = alarm.past.last();
    last.map_or(String::new(), |past| {
        format!(", reopened {}", past.reopened)
    })
}

fn standing(alarm: &Alarm) -> String {
    match &alarm.closed {
        None => "open".into(),
        Some(closed) => decision(closed),
    }
}

/// Returns the operator's decision, its time and the user.
pub fn decision(closed: &Closed) -> String {
    let word = match closed.adopted {
        true => "adopted",
        false => "closed",
    };
    format!("{word} {} by {}", closed.when, Escaped::new(&closed.who))
}

/// Returns how often an alarm was found, and the time of the last finding.
pub fn seen(alarm: &Alarm) -> String {
    match alarm.times {
        1 => "seen once".into(),
        times => format!("seen {times} times, last {}", alarm.last_seen),
    }
}

impl AlarmReport {
    /// Returns all known facts about the alarm, for people.
    pub fn text(&self) -> String {
        let alarm = &self.alarm;
        let state = |state: Option<State>| state.map_or("no state".into(), words);
        let mut lines = vec![
            format!(
                "alarm {}: {}, {}",
                Escaped::new(&alarm.id),
                alarm.kind,
                standing(alarm)
            ),
            format!(
                "  database:  {} of server {}",
                Escaped::new(&alarm.database),
                Escaped::new(&alarm.location.server)
            ),
            format!("  reason:    {}", Escaped::of_escaped(&alarm.reason)),
            format!("  raised:    {}, {}", alarm.raised, seen(alarm)),
            format!(
                "  trusted:   {}",
                state(alarm.trusted.or(self.read_against))
            ),
            format!("  shown:     {}", state(alarm.shown)),
            format!("  evidence:  {}", evidence_place(alarm)),
        ];
        for past in &alarm.past {
            lines.push(format!(
                "  reopened:  {}, after it was {}",
                past.reopened,
                decision(&past.closed)
            ));
        }
        if alarm.displaced > 0 {
            lines.push(format!(
                "  displaced: {} removed to make space",
                counted(alarm.displaced, "earlier finding")
            ));
        }
        if alarm.is_open() {
            let read = alarm.read_again();
            let read = read.map(|what| format!(": it reads {what} again"));
            lines.push(format!(
                "  closing:   keeps the trusted state; if the finding is still there, {} opens the alarm again{}",
                opened_again_by(alarm),
                read.unwrap_or_default()
            ));
            lines.push(format!("             {}", close_command(alarm)));
            let (first, rest) = self.consequences();
            lines.push(format!("  adopting:  {first}"));
            let rest = rest.into_iter().chain(self.possible_command());
            lines.extend(rest.map(|line| format!("             {line}")));
        } else if alarm.closed.as_ref().is_some_and(|closed| closed.adopted) {
            let given_up = alarm.given_up();
            let given_up = given_up.map(|range| format!("  gave up:   {}", transactions(&range)));
            lines.extend(given_up);
        } else if let Some(what) = alarm.read_again().filter(|_| alarm.awaits_reading) {
            lines.push(format!(
                "  reading:   the next check reads {what} again, and opens the alarm again if the finding is still there"
            ));
        }
        lines.join("\n")
    }

    /// Returns the consequences of adopting the alarm, for people who are about to adopt it.
    pub fn preview(&self) -> String {
        let (first, rest) = self.consequences();
        let id = Escaped::new(&self.alarm.id);
        let database = Escaped::new(&self.alarm.database);
        let rest: String = rest.iter().map(|line| format!("\n  {line}")).collect();
        format!("adopting alarm {id} of database {database} {first}{rest}")
    }

    /// Returns the first line about the consequences, and the others.
    fn consequences(&self) -> (String, Vec<String>) {
        let close = "close the alarm instead";
        let (given_up, first) = match &self.adoption {
            Err(failure) => return (format!("is not possible: {failure}"), Vec::new()),
            Ok(Adoption::Nothing) => {
                return (
                    "is not possible: the evidence names no other state to trust".into(),
                    Vec::new(),
                );
            }
            Ok(Adoption::Overtaken { trusted }) => {
                let now = trusted.map_or("no state".into(), words);
                return (
                    format!("is not possible: {now} is trusted now; {close}"),
                    Vec::new(),
                );
            }
            Ok(Adoption::Done) => {
                return (
                    "only closes the alarm: an earlier run adopted the state and was interrupted"
                        .into(),
                    Vec::new(),
                );
            }
            Ok(Adoption::Replace { given_up, adopted }) => (
                given_up,
                format!(
                    "trusts the state that its evidence names: {}",
                    words(*adopted)
                ),
            ),
            Ok(Adoption::Forget { given_up }) => (
                given_up,
                "trusts no state of the database any more: the next state that the server shows is trusted on \
                 first use"
                    .into(),
            ),
        };
        let mut rest = Vec::new();
        if let Some(time) = self.shown_again {
            rest.push(format!(
                "WARNING: the server showed the trusted history again at {time}: {close}"
            ));
        }
        rest.push(format!(
            "gives up the trusted state: {}, trusted without a break since {}",
            words(given_up.state),
            given_up.since
        ));
        if let Some(range) = self.alarm.given_up() {
            let grounds = match given_up.how {
                TrustOrigin::Pinned => "pinned by the operator",
                _ => "proven",
            };
            let verb = match range.start() == range.end() {
                true => "was",
                false => "were",
            };
            rest.push(format!(
                "gives up {}, which {verb} {grounds}",
                transactions(&range)
            ));
        }
        (first, rest)
    }

    /// Returns whether the alarm can be adopted now.
    fn is_possible(&self) -> bool {
        matches!(
            self.adoption,
            Ok(Adoption::Replace { .. } | Adoption::Forget { .. } | Adoption::Done)
        )
    }

    /// Returns the command that adopts the alarm, if that is possible now.
    fn possible_command(&self) -> Option<String> {
        adopt_command(&self.alarm).filter(|_| self.is_possible())
    }

    /// Returns the alarm as a JSON object.
    pub fn json(&self) -> JsonObject {
        let open = self.alarm.is_open();
        let adopt = self.possible_command().filter(|_| open);
        let close = open.then(|| close_command(&self.alarm));
        let given_up = self.alarm.given_up().filter(|_| open && self.is_possible());
        alarm_json(&self.alarm, self.alarm.trusted.or(self.read_against))
            .text("close_command", close.as_deref())
            .text("adopt_command", adopt.as_deref())
            .number(
                "given_up_from",
                given_up.as_ref().map(|range| *range.start()),
            )
            .number("given_up_to", given_up.as_ref().map(|range| *range.end()))
            .shown("trusted_history_shown_again", self.shown_again)
    }
}

/// Returns the facts of an alarm as a JSON object.
fn alarm_json(alarm: &Alarm, trusted: Option<State>) -> JsonObject {
    let closed = alarm.closed.as_ref();
    JsonObject::new()
        .text("server", Some(&alarm.location.server))
        .text("database", Some(&alarm.database))
        .text("alarm", Some(&alarm.id))
        .text("kind", Some(alarm.kind.word()))
        .text("reason", Some(&alarm.reason))
        .flag("open", alarm.is_open())
        .shown("raised", Some(alarm.raised))
        .shown("last_seen", Some(alarm.last_seen))
        .number("times", Some(alarm.times))
        .number("trusted_tx", trusted.map(|state| state.tx))
        .shown("trusted_hash", trusted.map(|state| state.hash))
        .number("shown_tx", alarm.shown.map(|state| state.tx))
        .shown("shown_hash", alarm.shown.map(|state| state.hash))
        .text("evidence", Some(&alarm.evidence.to_string_lossy()))
        .text("closed_by", closed.map(|closed| closed.who.as_str()))
        .shown("closed", closed.map(|closed| closed.when))
        .flag("adopted", closed.is_some_and(|closed| closed.adopted))
        .flag("awaits_reading", alarm.awaits_reading)
        .shown("reopened", alarm.past.last().map(|past| past.reopened))
        .objects("past_closings", alarm.past.iter().map(past_closing))
}

fn past_closing(past: &PastClosing) -> JsonObject {
    JsonObject::new()
        .text("closed_by", Some(&past.closed.who))
        .shown("closed", Some(past.closed.when))
        .flag("adopted", past.closed.adopted)
        .shown("reopened", Some(past.reopened))
}

fn words(state: State) -> String {
    match state.tx {
        0 => "an empty database".into(),
        tx => format!("transaction {tx}, hash {}", state.hash),
    }
}

fn transactions(range: &RangeInclusive<u64>) -> String {
    match (range.start(), range.end()) {
        (first, last) if first == last => format!("transaction {last}"),
        (first, last) => format!("transactions {first} to {last}"),
    }
}
