//! `peers`: the comparison with each peer's checkpoint of each database, so that a cron job also has it. No
//! trusted state depends on it: a damaged file is a warning.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Table;

use super::checksummed::{self, Writer};
use super::evidence;
use super::failpoint::FileKind;
use super::file_name::file_name;
use super::files;
use super::finding::Finding;
use super::store::{Hold, Store};
use super::store_error::StoreError;
use super::warning::Warning;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::sys::Lock;

const WHAT: &str = "immuaudit: the results of comparisons with other auditors.";
const FILE: &str = "peers";
/// The directory of the evidence of disagreements, with one file for each peer and database.
const DISAGREEMENTS: &str = "disagreements";
/// The longest file that is read, in bytes: 10,000 databases of several peers.
const MAX_BYTES: u64 = 32 << 20;

/// The word for an agreement that was found in the history.
const HISTORY: &str = "history";

/// The stored facts about a peer and a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    /// The database.
    pub database: String,
    /// The peer's name.
    pub peer: String,
    /// The time since when a checkpoint of the database is expected.
    pub since: Timestamp,
    /// The last state in which both agree.
    pub agreed: Option<Agreed>,
    /// The transaction that the peer has not confirmed, and the time since when.
    pub behind: Option<Behind>,
    /// The peer's oldest checkpoint that could not be compared yet.
    pub waiting: Option<Waiting>,
    /// The peer's first checkpoint that contradicts the state that the server shows here, if there is no other
    /// proof against the server.
    pub disagreement: Option<Disagreement>,
    /// The time at which an operator acknowledged a disagreement, until the peer agrees again.
    pub acknowledged: Option<Timestamp>,
    /// The begin of the history, if it is in the future.
    pub begins: Option<Begins>,
}

/// A history whose beginning is dated in the future, by a clock that was ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begins {
    /// The date of its beginning.
    pub dated: Timestamp,
    /// The time by which it had begun.
    pub by: Timestamp,
}

/// A state in which a peer and this auditor agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The state.
    pub state: State,
    /// The time at which the peer last confirmed it.
    pub time: Timestamp,
    /// Whether the history that is trusted here had reached it: a state that was only proven to extend it may not
    /// be a part of it later.
    pub in_history: bool,
}

/// A transaction that is trusted here, and that a peer has not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The transaction.
    pub tx: u64,
    /// The time since when a confirmation is expected.
    pub since: Timestamp,
}

/// A checkpoint that could not be compared yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The signed note.
    pub note: Arc<str>,
    /// The time at which the peer confirmed it.
    pub time: Timestamp,
    /// The time of the first try.
    pub since: Timestamp,
}

/// A peer's checkpoint that contradicts the state that the server shows here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The peer's state.
    pub theirs: State,
    /// The same transaction in the history that is trusted here.
    pub here: State,
    /// The trusted state when the disagreement was found.
    pub trusted: State,
    /// The time at which it was first found.
    pub found: Timestamp,
    /// The peer's signed note, unchanged.
    pub note: Arc<str>,
}

impl Store {
    /// Writes the comparison with the checkpoints of all peers.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_peers<'a>(
        &self,
        records: impl IntoIterator<Item = &'a PeerRecord>,
    ) -> Result<(), StoreError> {
        let _hold = self.hold(Lock::Exclusive)?;
        let mut writer = Writer::new(WHAT, self.server());
        for record in records {
            write(&mut writer, record);
        }
        files::replace(FileKind::Peers, &self.home.join(FILE), &writer.finish())
    }

    /// Writes the evidence of a disagreement with a peer, in place of an older one. It opens no alarm.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_disagreement(
        &self,
        finding: &Finding,
        peer: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let hold = self.hold(Lock::Exclusive)?;
        self.write_disagreement(&hold, finding, peer, now)
    }

    /// Writes the same evidence for a comparison that stores no record. If the auditor has recorded a disagreement with
    /// the peer that is still open, the evidence of that older one stays.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_unrecorded_disagreement(
        &self,
        finding: &Finding,
        peer: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let acknowledged = self.acknowledged(&finding.database).unwrap_or_default();
        let closed_to = acknowledged.disagreements_closed_to(now);
        let hold = self.hold(Lock::Exclusive)?;
        let records = self.peer_records(&self.home.join(FILE), now);
        let is_open = |record: &PeerRecord| {
            let is_of = record.database == finding.database && record.peer == peer;
            let open = record.disagreement.as_ref().filter(|_| is_of);
            open.is_some_and(|open| closed_to.is_none_or(|to| open.found > to))
        };
        if records.unwrap_or_default().iter().any(is_open) {
            return Ok(());
        }
        self.write_disagreement(&hold, finding, peer, now)
    }

    fn write_disagreement(
        &self,
        _hold: &Hold,
        finding: &Finding,
        peer: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let path = self.disagreement_path(&finding.database, peer);
        for directory in [path.parent().and_then(Path::parent), path.parent()] {
            files::create_directory(directory.unwrap_or(&self.home))?;
        }
        let file = evidence::render(self.server(), &finding.id(), finding, now, &self.limits);
        files::replace(FileKind::Evidence, &path, &file)
    }

    /// Returns the path of the evidence of a disagreement with a peer.
    pub fn disagreement_path(&self, database: &str, peer: &str) -> PathBuf {
        let directory = self.home.join(DISAGREEMENTS).join(file_name(database));
        directory.join(file_name(peer) + ".toml")
    }

    /// Returns the comparison with the checkpoints of all peers; none, and a warning, if the file is damaged. It
    /// changes no file.
    pub fn load_peers(&self, now: Timestamp) -> Vec<PeerRecord> {
        let path = self.home.join(FILE);
        self.peer_records(&path, now).unwrap_or_else(|| {
            self.warn(Warning::StartedOver { path });
            Vec::new()
        })
    }

    /// Returns the same for the auditor, which will write a new file. A damaged file is renamed, because the texts
    /// of disagreements may still be readable in it.
    pub fn take_up_peers(&self, now: Timestamp) -> Vec<PeerRecord> {
        let path = self.home.join(FILE);
        self.peer_records(&path, now).unwrap_or_else(|| {
            self.warn(match files::set_aside(&path) {
                Ok(()) => Warning::SetAside { path },
                Err(failure) => {
                    let error = failure.to_string();
                    Warning::NotWritten { path, error }
                }
            });
            Vec::new()
        })
    }

    fn peer_records(&self, path: &Path, now: Timestamp) -> Option<Vec<PeerRecord>> {
        self.elements(path, MAX_BYTES, "peer", |table| parse(table, now))
    }
}

fn write(writer: &mut Writer, record: &PeerRecord) {
    writer.element("peer");
    writer.text("database", &record.database);
    writer.text("name", &record.peer);
    writer.time("since", record.since);
    if let Some(agreed) = &record.agreed {
        writer.text("agreed", &agreed.state.to_string());
        writer.time("agreed_at", agreed.time);
        if agreed.in_history {
            writer.text("agreed_in", HISTORY);
        }
    }
    if let Some(behind) = &record.behind {
        writer.number("behind_tx", behind.tx);
        writer.time("behind_since", behind.since);
    }
    if let Some(waiting) = &record.waiting {
        writer.text("waiting_note", &waiting.note);
        writer.time("waiting_time", waiting.time);
        writer.time("waiting_since", waiting.since);
    }
    if let Some(disagreement) = &record.disagreement {
        writer.text("disagreed_theirs", &disagreement.theirs.to_string());
        writer.text("disagreed_here", &disagreement.here.to_string());
        writer.text("disagreed_trusted", &disagreement.trusted.to_string());
        writer.time("disagreed_found", disagreement.found);
        writer.text("disagreed_note", &disagreement.note);
    }
    writer.optional_time("acknowledged", record.acknowledged);
    if let Some(begins) = &record.begins {
        writer.time("begins_dated", begins.dated);
        writer.time("begins_by", begins.by);
    }
}

/// Reads one record. A time in the future is replaced by now, because a clock that was ahead must not keep a record
/// young forever.
fn parse(table: &Table, now: Timestamp) -> Option<PeerRecord> {
    let has = |key: &str| table.contains_key(key);
    let text = |key| checksummed::text(table, key).ok();
    let time = |key| checksummed::time(table, key).ok().map(|time| time.min(now));
    let state = |key| checksummed::state(table, key).ok().flatten();
    Some(PeerRecord {
        database: text("database")?.into(),
        peer: text("name")?.into(),
        since: time("since")?,
        agreed: match has("agreed") {
            true => Some(Agreed {
                state: state("agreed")?,
                time: time("agreed_at")?,
                // absent in files of an earlier version: the peer is asked again
                in_history: text("agreed_in") == Some(HISTORY),
            }),
            false => None,
        },
        behind: match has("behind_tx") {
            true => Some(Behind {
                tx: checksummed::number(table, "behind_tx").ok()?,
                since: time("behind_since")?,
            }),
            false => None,
        },
        waiting: match has("waiting_note") {
            true => Some(Waiting {
                note: text("waiting_note")?.into(),
                time: time("waiting_time")?,
                since: time("waiting_since")?,
            }),
            false => None,
        },
        disagreement: match has("disagreed_theirs") {
            true => Some(Disagreement {
                theirs: state("disagreed_theirs")?,
                here: state("disagreed_here")?,
                trusted: state("disagreed_trusted")?,
                found: time("disagreed_found")?,
                note: text("disagreed_note")?.into(),
            }),
            false => None,
        },
        acknowledged: match has("acknowledged") {
            true => Some(time("acknowledged")?),
            false => None,
        },
        begins: match has("begins_dated") {
            true => Some(Begins {
                dated: checksummed::time(table, "begins_dated").ok()?, // not limited to now: it identifies the history
                by: time("begins_by")?,
            }),
            false => None,
        },
    })
}
