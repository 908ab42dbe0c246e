//! `DATABASE.alarms`: open alarms, and the closed ones with user and time of the closing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::Table;

use super::checksummed::{self, Writer};
use super::file_damage::FileDamage;
use super::finding::{Finding, Tampering, VANISHED, is_of_import};
use super::location::Location;
use super::text::cut;
use crate::clock::Timestamp;
use crate::ledger::State;

/// Longest name of a user that is stored, in characters.
const MAX_USER: usize = 200;
/// Past closings that are stored of one alarm: the last ones. An alarm can open again at every check.
const MAX_PAST: usize = 8;

/// The longest file that is read, in bytes. It limits the memory that a damaged or foreign file can take.
pub const MAX_ALARMS_FILE_BYTES: u64 = 4 * 1024 * 1024;

const WHAT: &str = "immuaudit: the alarms of one database. `immuaudit alarm list` prints the open ones; the last line is a checksum.";

/// The value of the key `reading` of an alarm that awaits a reading.
const AWAITED: &str = "awaited";
/// The word of an adoption in the file.
const ADOPTED: &str = "adopted";

/// Tampering that was found; open until the operator closes or adopts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// 12 hexadecimal digits ([`Finding::id`]).
    pub id: String,
    /// The database.
    pub database: String,
    /// The kind of tampering.
    pub kind: Tampering,
    /// The reason, cut.
    pub reason: String,
    /// Time of the first finding; it stays the same when the alarm opens again.
    pub raised: Timestamp,
    /// The time of the last finding.
    pub last_seen: Timestamp,
    /// The number of findings.
    pub times: u64,
    /// The evidence file.
    pub evidence: PathBuf,
    /// The location of all files of its server.
    pub location: Location,
    /// The trusted state.
    pub trusted: Option<State>,
    /// The shown state.
    pub shown: Option<State>,
    /// The last transaction up to which the shown state is known to share the trusted history; 0: none is known.
    pub shared: u64,
    /// The number of open findings between the first and this one that were removed to make space.
    pub displaced: u64,
    /// The closing of the alarm; `None` if it is open.
    pub closed: Option<Closed>,
    /// Earlier closings, each followed by a finding that opened the alarm again; the last ones.
    pub past: Vec<PastClosing>,
    /// Time of the first check after the last finding in which the server showed the trusted history again.
    pub shown_again: Option<Timestamp>,
    /// Whether the alarm was closed, and no check has read the transactions of its finding again since then.
    pub awaits_reading: bool,
}

/// A closing after which the finding was made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastClosing {
    /// The closing.
    pub closed: Closed,
    /// Time of the finding that opened the alarm again.
    pub reopened: Timestamp,
}

/// The end of an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The user who closed or adopted the alarm.
    pub who: String,
    /// Time of closing.
    pub when: Timestamp,
    /// Whether the alarm's state was trusted instead, so the closing gave up transactions.
    pub adopted: bool,
}

impl Closed {
    /// Creates the end of an alarm that leaves the trusted state unchanged.
    pub(super) fn by(who: &str, when: Timestamp) -> Closed {
        Closed {
            who: cut(who, MAX_USER),
            when,
            adopted: false,
        }
    }

    /// Creates the end of an alarm that was adopted.
    pub(super) fn by_adoption(who: &str, when: Timestamp) -> Closed {
        Closed {
            adopted: true,
            ..Closed::by(who, when)
        }
    }
}

impl Alarm {
    /// Creates the alarm of a new finding.
    pub(crate) fn new(
        finding: &Finding,
        location: &Location,
        evidence: PathBuf,
        now: Timestamp,
    ) -> Alarm {
        Alarm {
            id: finding.id(),
            database: finding.database.clone(),
            kind: finding.kind,
            reason: finding.kept_reason(),
            raised: now,
            last_seen: now,
            times: 1,
            evidence,
            location: location.clone(),
            trusted: finding.contradicted().map(|trusted| trusted.state),
            shown: finding.shown,
            shared: 0,
            displaced: 0,
            closed: None,
            past: Vec::new(),
            shown_again: None,
            awaits_reading: false,
        }
    }

    /// Returns whether the alarm, which has an ID of a finding, is about this finding and not about another one with
    /// the same ID.
    pub(super) fn is_of(&self, finding: &Finding) -> bool {
        finding.is_same(self.kind, &self.reason, self.shown)
    }

    /// Opens a closed alarm again, and keeps its closing. Returns whether the alarm was closed.
    pub(super) fn reopen(&mut self, now: Timestamp) -> bool {
        let Some(closed) = self.closed.take() else {
            return false;
        };
        let reopened = now;
        self.past.push(PastClosing { closed, reopened });
        let surplus = self.past.len().saturating_sub(MAX_PAST);
        self.past.drain(..surplus);
        true
    }

    /// Closes the alarm. A finding that reading a transaction made is not made again unless the transaction is read
    /// again: the alarm awaits that.
    pub(super) fn close(&mut self, closed: Closed) {
        self.awaits_reading = self.is_about_transactions();
        self.closed = Some(closed);
    }

    /// Returns the time since which the alarm is open, or was open before it was closed.
    pub fn opened(&self) -> Timestamp {
        self.past.last().map_or(self.raised, |past| past.reopened)
    }

    /// Returns whether the alarm waits for the operator.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Returns whether the finding was made by reading transactions: one, or several that share one alarm.
    pub fn is_about_transactions(&self) -> bool {
        let is_kind = matches!(self.kind, Tampering::BadValue | Tampering::Inconsistent);
        is_kind && self.trusted.is_none() && !self.is_about_import()
    }

    /// Returns whether the finding is about another auditor's state that was to be imported.
    pub fn is_about_import(&self) -> bool {
        is_of_import(&self.reason)
    }

    /// Returns the transaction of a finding that was made by reading it.
    pub fn transaction(&self) -> Option<u64> {
        let shown = self.shown.filter(|_| self.is_about_transactions())?;
        Some(shown.tx).filter(|tx| *tx > 0)
    }

    /// Returns a text about what is read again after the alarm is closed; `None` if it is not about transactions.
    pub fn read_again(&self) -> Option<String> {
        self.is_about_transactions()
            .then(|| match self.transaction() {
                Some(tx) => format!("transaction {tx}"),
                None => "every transaction that was found corrupt".into(),
            })
    }

    /// Returns whether a finding of this kind is about a history that contradicts the trusted one.
    pub(super) fn is_about_history(&self) -> bool {
        matches!(self.kind, Tampering::Inconsistent | Tampering::RolledBack)
    }

    /// Returns whether the alarm is open, about the history, and not yet noted as followed by the trusted history.
    pub fn may_be_shown_again(&self) -> bool {
        let about_state = self.is_about_history() && self.trusted.is_some();
        self.is_open() && about_state && self.shown_again.is_none()
    }

    /// Returns whether the evidence names a state (or the loss of all) that could replace the trusted state.
    pub fn can_be_adopted(&self) -> bool {
        let Some(trusted) = self.trusted else {
            return false;
        };
        match (self.kind, self.shown) {
            (Tampering::Inconsistent, Some(shown)) => shown.tx > 0 && shown != trusted,
            (Tampering::RolledBack, Some(shown)) => shown.tx < trusted.tx,
            (Tampering::RolledBack, None) => self.reason.starts_with(VANISHED),
            _ => false,
        }
    }

    /// Returns the transactions that adopting the alarm gives up as they were proven; `None` if there is nothing
    /// to adopt.
    pub fn given_up(&self) -> Option<RangeInclusive<u64>> {
        let trusted = self.trusted.filter(|_| self.can_be_adopted())?;
        Some(self.shared.saturating_add(1).min(trusted.tx)..=trusted.tx)
    }

    /// Records that a proof shows that `shown` extends the trusted history up to transaction `tx`.
    pub fn shares(&mut self, shown: Option<State>, tx: u64) {
        if shown.is_some() && shown == self.shown {
            self.shared = self.shared.max(tx);
        }
    }

    /// Returns the state that the evidence names; `None` if the database vanished or is empty.
    pub fn named(&self) -> Option<State> {
        self.shown.filter(|shown| shown.tx > 0)
    }
}

/// Returns the content of the file of these alarms, in the order in which they were raised.
pub fn render(server: &str, database: &str, alarms: &[Alarm]) -> Vec<u8> {
    let mut writer = Writer::new(WHAT, server);
    writer.text("database", database);
    for alarm in alarms {
        writer.element("alarm");
        writer.text("id", &alarm.id);
        writer.text("kind", &alarm.kind.to_string());
        writer.text("reason", &alarm.reason);
        writer.time("raised", alarm.raised);
        writer.time("last_seen", alarm.last_seen);
        writer.number("times", alarm.times);
        writer.number("displaced", alarm.displaced);
        if alarm.shared > 0 {
            writer.number("shared", alarm.shared);
        }
        for (key, state) in [("trusted", alarm.trusted), ("shown", alarm.shown)] {
            writer.optional(key, state.map(|state| state.to_string()).as_deref());
        }
        if let Some(closed) = &alarm.closed {
            write_closing(&mut writer, closed);
        }
        writer.optional_time("shown_again", alarm.shown_again);
        writer.optional("reading", alarm.awaits_reading.then_some(AWAITED));
    }
    for alarm in alarms {
        for past in &alarm.past {
            writer.element("closing");
            writer.text("alarm", &alarm.id);
            write_closing(&mut writer, &past.closed);
            writer.time("reopened", past.reopened);
        }
    }
    writer.finish()
}

fn write_closing(writer: &mut Writer, closed: &Closed) {
    writer.text("closed_by", &closed.who);
    writer.time("closed", closed.when);
    writer.optional("decision", closed.adopted.then_some(ADOPTED));
}

/// Returns the alarms in a file of this server and database; `evidence` returns the path of an alarm's evidence.
pub fn parse(
    bytes: &[u8],
    location: &Location,
    database: &str,
    evidence: impl Fn(&str) -> PathBuf,
) -> Result<Vec<Alarm>, FileDamage> {
    let file = checksummed::open_of(bytes, &location.server, database)?;
    let mut past = past_closings(&file)?;
    let alarm = |table: &Table| {
        let id = checksummed::text(table, "id")?;
        let closed = match checksummed::optional(table, "closed_by")? {
            None => None,
            Some(_) => Some(closing(table)?),
        };
        Ok(Alarm {
            id: id.into(),
            database: database.into(),
            kind: checksummed::text(table, "kind")?
                .parse()
                .map_err(|_| FileDamage::Value("kind"))?,
            reason: checksummed::text(table, "reason")?.into(),
            raised: checksummed::time(table, "raised")?,
            last_seen: checksummed::time(table, "last_seen")?,
            times: checksummed::number(table, "times")?,
            evidence: evidence(id),
            location: location.clone(),
            trusted: checksummed::state(table, "trusted")?,
            shown: checksummed::state(table, "shown")?,
            shared: checksummed::optional_number(table, "shared")?.unwrap_or(0),
            displaced: checksummed::number(table, "displaced")?,
            closed,
            past: past.remove(id).unwrap_or_default(),
            shown_again: checksummed::optional_time(table, "shown_again")?,
            awaits_reading: match checksummed::optional(table, "reading")? {
                None => false,
                Some(AWAITED) => true,
                Some(_) => return Err(FileDamage::Value("reading")),
            },
        })
    };
    checksummed::elements(&file, "alarm")?
        .into_iter()
        .map(alarm)
        .collect()
}

/// Returns the past closings in a file, by the alarm's ID.
fn past_closings(file: &Table) -> Result<BTreeMap<String, Vec<PastClosing>>, FileDamage> {
    let mut past: BTreeMap<String, Vec<PastClosing>> = BTreeMap::new();
    for table in checksummed::elements(file, "closing")? {
        let closings = past.entry(checksummed::text(table, "alarm")?.into());
        closings.or_default().push(PastClosing {
            closed: closing(table)?,
            reopened: checksummed::time(table, "reopened")?,
        });
    }
    Ok(past)
}

fn closing(table: &Table) -> Result<Closed, FileDamage> {
    Ok(Closed {
        who: checksummed::text(table, "closed_by")?.into(),
        when: checksummed::time(table, "closed")?,
        adopted: match checksummed::optional(table, "decision")? {
            None => false,
            Some(ADOPTED) => true,
            Some(_) => return Err(FileDamage::Value("decision")),
        },
    })
}
