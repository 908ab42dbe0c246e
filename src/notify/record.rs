//! A receiver's record: what it was notified of, so that no later process notifies it again, and that one that has no
//! record of an open alarm is notified. `DIR/SERVER/receivers/KEY`, a line an entry.
//!
//! Of alarms only one time is stored for each database: alarms that were opened until then were notified of. So the
//! record has one line for each database with open alarms, however many alarms there are over the years.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use super::identity::ReceiverKey;
use crate::clock::Timestamp;
use crate::trust::fault::Kind;
use crate::trust::{Alarm, LocalFailure, files};

/// The directory of all records of a server.
pub(super) const DIRECTORY: &str = "receivers";
/// Notifications of tampering without an alarm that are remembered: there are two an hour at most.
const MAX_IDS: usize = 64;
/// Longest file that is read, in bytes: names of 10,000 databases.
const MAX_FILE: u64 = 2 << 20;

/// What one receiver was notified of.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    content: Content,
    /// Whether there was no record before this process.
    pub is_new: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    /// The name for people.
    name: String,
    /// Since when no receiver with this key is configured.
    unknown_since: Option<Timestamp>,
    /// By database: until when the opened alarms were notified of.
    alarms: BTreeMap<String, Timestamp>,
    /// Notifications of tampering without an alarm: the last ones.
    ids: VecDeque<String>,
}

impl Record {
    /// Reads the record of a receiver of the server in `directory`. A record that cannot be read is an empty one: the
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
        }
    }

    /// Returns the name for people; empty if none was written down.
    pub fn name(&self) -> &str {
        &self.content.name
    }

    /// Returns whether the receiver was notified of this alarm since it was opened.
    pub fn has_alarm(&self, alarm: &Alarm) -> bool {
        let until = self.content.alarms.get(&alarm.database);
        until.is_some_and(|until| *until >= alarm.opened())
    }

    /// Returns whether the receiver was given the notification with this id, if it is not about an alarm.
    pub fn has_id(&self, id: &str) -> bool {
        self.content.ids.iter().any(|known| known == id)
    }

    /// Notes that the receiver is notified of the alarms of a database that were opened until now.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_alarms(&mut self, database: &str, now: Timestamp) -> Result<(), LocalFailure> {
        self.change(|content| {
            let until = content.alarms.entry(database.to_owned()).or_insert(now);
            *until = now.max(*until); // a clock that was put back takes nothing out of the record
        })
    }

    /// Notes that the receiver is given a notification without an alarm.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_id(&mut self, id: &str) -> Result<(), LocalFailure> {
        self.change(|content| {
            content.ids.push_back(id.to_owned());
            let surplus = content.ids.len().saturating_sub(MAX_IDS);
            content.ids.drain(..surplus);
        })
    }

    /// Notes the name of a configured receiver, and forgets the databases without an open alarm.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(
        &mut self,
        name: &str,
        has_alarms: impl Fn(&str) -> bool,
    ) -> Result<(), LocalFailure> {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        self.change(|content| {
            content.name = name;
            content.unknown_since = None;
            content.alarms.retain(|database, _| has_alarms(database));
        })
    }

    /// Forgets what the receiver was notified of about a database, because it did not arrive.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn forget_alarms(&mut self, database: &str) -> Result<(), LocalFailure> {
        self.change(|content| {
            content.alarms.remove(database);
        })
    }

    /// Notes that no such receiver is configured. Returns since when that is so.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn is_unknown_since(&mut self, now: Timestamp) -> Result<Timestamp, LocalFailure> {
        // a clock that was put back must not keep the record for longer
        let since = self.content.unknown_since.map_or(now, |at| at.min(now));
        self.change(|content| content.unknown_since = Some(since))?;
        Ok(since)
    }

    /// Removes the record.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> Result<(), LocalFailure> {
        files::remove_for_good(&self.path)
    }

    /// Changes the record, in memory too if it cannot be written.
    fn change(&mut self, change: impl FnOnce(&mut Content)) -> Result<(), LocalFailure> {
        let before = self.content.clone();
        change(&mut self.content);
        if self.content == before && !self.is_new {
            return Ok(());
        }
        if let Some(directory) = self.path.parent() {
            files::create_directory(directory)?;
        }
        files::replace(
            Kind::Receivers,
            &self.path,
            render(&self.content).as_bytes(),
        )
    }
}

fn render(content: &Content) -> String {
    let mut text = format!("receiver {}\n", content.name);
    if let Some(since) = content.unknown_since {
        text.push_str(&format!("unknown {}\n", since.unix()));
    }
    for (database, until) in &content.alarms {
        text.push_str(&format!("alarms {} {database}\n", until.unix()));
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
                let (until, database) = rest.split_once(' ')?;
                content.alarms.insert(database.to_owned(), time(until)?);
            }
            ("notification", id) => content.ids.push_back(id.to_owned()),
            _ => return None,
        }
    }
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix(second)
    }

    #[test]
    fn the_next_process_reads_what_was_written() {
        let directory =
            std::env::temp_dir().join(format!("immuaudit-record-{}", std::process::id()));
        let path = directory.join(DIRECTORY).join("key");
        let mut record = Record::at(path.clone());
        assert!(record.is_new);
        record.begin("1:http://h", |_| true).unwrap();
        record.note_alarms("db", at(10)).unwrap();
        for n in 0..1_000 {
            record.note_id(&n.to_string()).unwrap();
        }
        record.is_unknown_since(at(20)).unwrap();
        let mut next = Record::at(path.clone());
        assert_eq!((next.content.clone(), next.is_new), (record.content, false));
        assert_eq!(next.content.ids.len(), MAX_IDS);
        assert!(next.has_id("999") && !next.has_id("1"));
        assert_eq!(next.is_unknown_since(at(50)).unwrap(), at(20));
        // configured again, and its alarm was closed meanwhile
        next.begin("1:http://h", |_| false).unwrap();
        assert_eq!(next.content.unknown_since, None);
        assert!(next.content.alarms.is_empty());
        // a damaged one is none
        std::fs::write(&path, "receiver x\nalarms 1").unwrap();
        assert!(Record::at(path).is_new);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
