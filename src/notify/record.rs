//! A receiver's record of its notifications. So no later process notifies the receiver again, and a receiver
//! without a record of an open alarm is notified. `DIR/SERVER/receivers/KEY`, one line for each entry.
//!
//! For an alarm it stores the opening, and never a time up to which all count as known: an alarm that is opened
//! while the clock is set back is a new one. Each start removes the alarms that are not open any more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::OpenAlarms;
use super::identity::ReceiverKey;
use super::notification::{Priority, dedup_key};
use super::outbox::Unreadable;
use crate::clock::Timestamp;
use crate::trust::failpoint::FileKind;
use crate::trust::{Alarm, Limits, StoreError, file_name, files};

/// The directory of all records of a server.
pub(super) const DIRECTORY: &str = "receivers";
/// The maximum number of remembered notifications of tampering without an alarm: there are two an hour at most.
const MAX_IDS: usize = 64;
/// The maximum number of remembered alarms of one database: as many as it may have.
const MAX_ALARMS: usize = Limits::DEFAULT.files_of_a_database;
/// The longest file that is read, in bytes: 10,000 databases with as many alarms as they may have.
const MAX_FILE: u64 = 32 << 20;

/// The notifications that one receiver got.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    content: Content,
    /// Whether there was no record before this process.
    is_new: bool,
    /// Notifications that could not be put into the outbox: only this process knows them.
    in_memory: VecDeque<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    /// The name for people.
    name: String,
    /// The time since when no receiver with this key is configured.
    unknown_since: Option<Timestamp>,
    /// By database: the alarms of which the receiver was notified ([`opening`]).
    alarms: BTreeMap<String, Vec<String>>,
    /// The last notifications of tampering without an alarm.
    ids: VecDeque<String>,
}

impl Record {
    /// Reads the record of a receiver of the server in `directory`. An unreadable record counts as empty: the
    /// receiver is notified once more.
    pub fn load(directory: &Path, key: &ReceiverKey) -> Record {
        Record::at(directory.join(DIRECTORY).join(key.to_string()))
    }

    /// Reads the record in a file.
    pub fn at(path: PathBuf) -> Record {
        let bytes = files::read(&path, MAX_FILE).ok().flatten();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let content = text.as_deref().and_then(parse);
        Record {
            path,
            is_new: content.is_none(),
            content: content.unwrap_or_default(),
            in_memory: VecDeque::new(),
        }
    }

    /// Returns the name for people; empty if none was stored.
    pub fn name(&self) -> &str {
        &self.content.name
    }

    /// Returns whether the receiver was notified of this alarm since it was opened.
    pub fn has_alarm(&self, alarm: &Alarm) -> bool {
        let known = self.content.alarms.get(&alarm.database);
        known.is_some_and(|known| known.contains(&opening(alarm)))
    }

    /// Returns whether the receiver got, or will get, the notification with this id, if it is not about an alarm.
    pub fn has_id(&self, id: &str) -> bool {
        let mut known = self.content.ids.iter().chain(&self.in_memory);
        known.any(|known| known == id)
    }

    /// Records that the receiver is notified of these alarms.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn note_alarms(&mut self, alarms: &[Alarm]) -> Result<(), StoreError> {
        self.change(|content| {
            for alarm in alarms {
                let opening = opening(alarm);
                let known = content.alarms.entry(alarm.database.clone()).or_default();
                if !known.contains(&opening) {
                    // a full list drops its last alarm for the new one
                    known.truncate(MAX_ALARMS - 1);
                    known.push(opening);
                }
            }
        })
    }

    /// Records that the receiver gets a notification without an alarm.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn note_id(&mut self, id: &str) -> Result<(), StoreError> {
        self.change(|content| add(&mut content.ids, id))
    }

    /// Records, for this process only, that the receiver gets a notification without an alarm that is not on disk.
    pub fn note_id_in_memory(&mut self, id: &str) {
        add(&mut self.in_memory, id);
    }

    /// Records the name of a configured receiver, and removes the alarms that are not open any more.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn begin(&mut self, name: &str, open: &OpenAlarms) -> Result<(), StoreError> {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let openings: BTreeSet<String> = open.alarms.iter().map(opening).collect();
        self.change(|content| {
            content.name = name;
            content.unknown_since = None;
            if open.are_all {
                for known in content.alarms.values_mut() {
                    known.retain(|known| openings.contains(known));
                }
                content.alarms.retain(|_, known| !known.is_empty());
            }
        })
    }

    /// Removes undelivered content: a notification with this id, and the notifications about a database.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn forget(&mut self, id: &str, database: &str) -> Result<(), StoreError> {
        self.forget_where(id, |name, _| name == database)
    }

    /// Removes a lost notification and, if it was about an alarm, the notifications about the alarm's database.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn forget_lost(&mut self, lost: &Unreadable) -> Result<(), StoreError> {
        let is_tampering = lost.priority == Priority::Tampering;
        self.forget_where(&lost.id, |name, openings| {
            let mut alarms = openings.iter().filter_map(|of| of.rsplit_once('@'));
            is_tampering && alarms.any(|(alarm, _)| dedup_key(name, alarm) == lost.dedup_key)
        })
    }

    fn forget_where(
        &mut self,
        id: &str,
        is_undelivered: impl Fn(&str, &[String]) -> bool,
    ) -> Result<(), StoreError> {
        self.change(|content| {
            content.ids.retain(|known| known != id);
            content
                .alarms
                .retain(|name, openings| !is_undelivered(name, openings));
        })
    }

    /// Records that no such receiver is configured. Returns the time since when it has not been.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn is_unknown_since(&mut self, now: Timestamp) -> Result<Timestamp, StoreError> {
        // if the clock was set back, the record is not kept for longer
        let since = self.content.unknown_since.map_or(now, |at| at.min(now));
        self.change(|content| content.unknown_since = Some(since))?;
        Ok(since)
    }

    /// Removes the record.
    ///
    /// # Errors
    /// The record cannot be removed.
    pub fn remove(&self) -> Result<(), StoreError> {
        files::remove_for_good(&self.path)
    }

    /// Changes the record, also in memory if it cannot be written.
    fn change(&mut self, change: impl FnOnce(&mut Content)) -> Result<(), StoreError> {
        let before = self.content.clone();
        change(&mut self.content);
        if self.content == before && !self.is_new {
            return Ok(());
        }
        if let Some(directory) = self.path.parent() {
            files::create_directory(directory)?;
        }
        files::replace(
            FileKind::Receivers,
            &self.path,
            render(&self.content).as_bytes(),
        )
    }
}

/// Returns a text that distinguishes the openings of an alarm: an alarm that was closed can open again.
pub(super) fn opening(alarm: &Alarm) -> String {
    format!("{}@{}", alarm.id, alarm.opened().unix())
}

/// Adds an id to the last ids.
fn add(ids: &mut VecDeque<String>, id: &str) {
    ids.push_back(id.to_owned());
    let surplus = ids.len().saturating_sub(MAX_IDS);
    ids.drain(..surplus);
}

fn render(content: &Content) -> String {
    let mut text = format!("receiver {}\n", content.name);
    if let Some(since) = content.unknown_since {
        text.push_str(&format!("unknown {}\n", since.unix()));
    }
    for (database, known) in &content.alarms {
        // a name from a pin may contain white space, although no server has such a database
        let (database, known) = (file_name::escape(database), known.join(" "));
        text.push_str(&format!("alarms {database} {known}\n"));
    }
    for id in &content.ids {
        text.push_str(&format!("notification {id}\n"));
    }
    text
}

fn parse(text: &str) -> Option<Content> {
    let mut lines = text.lines();
    let mut content = Content {
        name: lines.next()?.strip_prefix("receiver ")?.to_owned(),
        ..Content::default()
    };
    let time = |text: &str| text.parse().ok().map(Timestamp::from_unix);
    for line in lines {
        match line.split_once(' ')? {
            ("unknown", since) => content.unknown_since = Some(time(since)?),
            ("alarms", rest) => {
                let (database, known) = rest.split_once(' ')?;
                let known = known.split(' ').map(str::to_owned).collect();
                content.alarms.insert(file_name::unescape(database)?, known);
            }
            ("notification", id) => content.ids.push_back(id.to_owned()),
            _ => return None,
        }
    }
    Some(content)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::trust::{Finding, Location, Tampering};

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix(second)
    }

    /// Returns an alarm about a value that was opened at this second.
    pub(in crate::notify) fn alarm(database: &str, reason: &str, opened: u64) -> Alarm {
        let finding = Finding {
            database: database.into(),
            kind: Tampering::BadValue,
            reason: reason.into(),
            trusted: None,
            claim: None,
            shown: None,
            uuid: None,
            identity_changed: false,
            answers: Vec::new(),
        };
        let location = Location {
            dir: PathBuf::new(),
            roots: None,
            server: "s".into(),
        };
        Alarm::new(&finding, &location, PathBuf::new(), at(opened))
    }

    fn open(alarms: &[Alarm]) -> OpenAlarms {
        OpenAlarms {
            alarms: alarms.to_vec(),
            are_all: true,
        }
    }

    fn place(name: &str) -> PathBuf {
        let name = format!("immuaudit-record-{name}-{}", std::process::id());
        std::env::temp_dir().join(name)
    }

    #[test]
    fn the_next_process_reads_what_was_written() {
        let directory = place("next");
        let path = directory.join(DIRECTORY).join("key");
        let mut record = Record::at(path.clone());
        let known = alarm("db", "one", 10);
        record.begin("1:http://h", &open(&[])).unwrap();
        record
            .note_alarms(&[known.clone(), alarm("other", "one", 10)])
            .unwrap();
        for n in 0..1_000 {
            record.note_id(&n.to_string()).unwrap();
        }
        record.note_id_in_memory("memory");
        record.is_unknown_since(at(20)).unwrap();
        let mut next = Record::at(path.clone());
        assert_eq!((next.content.clone(), next.is_new), (record.content, false));
        assert_eq!(next.content.ids.len(), MAX_IDS);
        assert!(next.has_id("999") && !next.has_id("1") && !next.has_id("memory"));
        assert_eq!(next.is_unknown_since(at(50)).unwrap(), at(20));
        // the receiver is configured again, and the other alarm was closed in between
        next.begin("1:http://h", &open(std::slice::from_ref(&known)))
            .unwrap();
        assert_eq!(next.content.unknown_since, None);
        assert!(next.has_alarm(&known));
        assert_eq!(next.content.alarms.len(), 1);
        // if the list of alarms cannot be read, nothing is forgotten
        let unread = OpenAlarms::default();
        next.begin("1:http://h", &unread).unwrap();
        assert!(next.has_alarm(&known));
        next.forget("999", "db").unwrap();
        assert!(!next.has_alarm(&known) && !next.has_id("999") && next.has_id("998"));
        // a damaged record counts as a new one
        std::fs::write(&path, "receiver x\nalarms 1").unwrap();
        assert!(Record::at(path).is_new);
        std::fs::remove_dir_all(directory).unwrap();
    }

    /// Tests that the alarm does not count as known, because a kill can lose its notification.
    #[test]
    fn an_alarm_that_is_opened_while_the_clock_is_back_is_a_new_one() {
        let directory = place("clock");
        let mut record = Record::at(directory.join("key"));
        record.note_alarms(&[alarm("db", "one", 1_000)]).unwrap();
        assert!(record.has_alarm(&alarm("db", "one", 1_000)));
        assert!(!record.has_alarm(&alarm("db", "two", 10)));
        // the same alarm, opened again
        assert!(!record.has_alarm(&alarm("db", "one", 500)));
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn as_many_alarms_are_remembered_as_a_database_may_have() {
        let directory = place("many");
        let mut record = Record::at(directory.join("key"));
        let alarms: Vec<Alarm> = (0..MAX_ALARMS as u64)
            .map(|opened| alarm("db", "one", opened))
            .collect();
        record.note_alarms(&alarms).unwrap();
        assert!(alarms.iter().all(|alarm| record.has_alarm(alarm)));
        for opened in 1_000..2_000 {
            record.note_alarms(&[alarm("db", "one", opened)]).unwrap();
        }
        assert!(record.has_alarm(&alarm("db", "one", 1_999)) && record.has_alarm(&alarms[0]));
        assert_eq!(record.content.alarms["db"].len(), MAX_ALARMS);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
