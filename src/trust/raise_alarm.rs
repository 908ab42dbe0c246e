//! Raising an alarm: evidence first, then the alarm, so that neither a kill nor a lost file lowers it.

use std::path::Path;

use super::alarm::{self, Alarm};
use super::evidence::{self, Evidence, Limits};
use super::failpoint::FileKind;
use super::file_damage::{FileDamage, Record};
use super::file_name::{file_name, from_file_name};
use super::files;
use super::finding::Finding;
use super::history::Change;
use super::located::LocatedRecord;
use super::location::EVIDENCE;
use super::store::{Hold, Store};
use super::store_error::StoreError;
use crate::clock::Timestamp;
use crate::ledger::Digest;
use crate::sys::Lock;

/// The longest evidence file that is read, in bytes: two hexadecimal digits for each byte of evidence, and the other
/// fields.
const MAX_EVIDENCE_BYTES: u64 = 16 << 20;
/// The bytes that are reserved for evidence without its responses, when the responses exceed the limit.
const RESERVED_BYTES: u64 = 4 << 20;

/// Reads evidence from a file at any path.
///
/// # Errors
/// The file does not exist, or an auditor did not write it.
pub fn read_evidence(path: &Path) -> Result<Evidence, StoreError> {
    let bytes = files::read(path, MAX_EVIDENCE_BYTES);
    let bytes = bytes.map_err(|failure| failure.of_named(Record::EvidenceCopy))?;
    let bytes = bytes.ok_or_else(|| StoreError::NoFile {
        path: path.into(),
        record: Record::EvidenceCopy,
    })?;
    Evidence::parse(&bytes).map_err(|damage| StoreError::DamagedRecord {
        path: path.into(),
        damage,
        record: Record::EvidenceCopy,
    })
}

/// The maximum number of findings of a database whose hashes begin with the same digits. A server that looks for more
/// of them needs far more hashes for each.
const MAX_SAME_ID: usize = 8;

/// A finding as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The alarm of the finding.
    pub alarm: Alarm,
    /// Whether the alarm is on the list of alarms, where an operator can close it.
    pub is_listed: bool,
    /// Whether the finding opened the alarm: the alarm is new, or was closed. An alarm that could not be written
    /// to disk is new each time.
    pub opened: bool,
    /// The reason why list or evidence could not be written. The alarm counts nevertheless.
    pub unwritten: Option<StoreError>,
}

impl Raised {
    /// Returns a finding that an open alarm already covers.
    pub fn already_open(alarm: Alarm) -> Raised {
        Raised {
            alarm,
            is_listed: true,
            opened: false,
            unwritten: None,
        }
    }

    /// Returns the alarm if it is on the list of alarms.
    pub fn listed(&self) -> Option<&Alarm> {
        Some(&self.alarm).filter(|_| self.is_listed)
    }
}

impl Store {
    /// Writes evidence of a finding and opens its alarm.
    ///
    /// # Errors
    /// The finding could not be written completely ([`Raised::unwritten`]).
    pub fn raise(&self, finding: &Finding, now: Timestamp) -> Result<Alarm, StoreError> {
        let raised = self.record_finding(finding, now);
        match raised.unwritten {
            None => Ok(raised.alarm),
            Some(failure) => Err(failure),
        }
    }

    /// Writes evidence of a finding and opens its alarm. The same finding again only increases the count; a closed
    /// alarm whose finding is made again is open again. If the trusted state that the finding contradicts was given up
    /// during the check, no alarm is opened, and [`Raised::unwritten`] is [`StoreError::Changed`].
    pub fn record_finding(&self, finding: &Finding, now: Timestamp) -> Raised {
        let path = self.evidence_path(&finding.database, &finding.id());
        let mut raised = Raised {
            alarm: Alarm::new(finding, &self.location, path, now),
            is_listed: false,
            opened: true,
            unwritten: None,
        };
        raised.unwritten = self.record_in(&mut raised, finding, now).err();
        raised
    }

    fn record_in(
        &self,
        raised: &mut Raised,
        finding: &Finding,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let hold = self.hold(Lock::Exclusive)?;
        // a damaged list of alarms must not prevent the evidence from being written
        let known = self.alarms(&finding.database);
        let mut alarms = known.as_ref().cloned().unwrap_or_default();
        let alarm = &mut raised.alarm;
        alarm.id = self.id_of(finding, known.as_deref().ok());
        alarm.evidence = self.evidence_path(&finding.database, &alarm.id);
        let kept = files::exists(&alarm.evidence)?;
        let is_open = |before: &&Alarm| before.id == alarm.id && before.is_open();
        let open = alarms.iter().find(is_open);
        if open.is_none() && self.left_behind(finding, now) {
            raised.opened = false;
            return Err(StoreError::Changed {
                database: finding.database.clone(),
            });
        }
        if alarm.can_be_adopted() {
            // for the same two states the result is the same, and finding it parses the database's history
            let states = (alarm.trusted, alarm.shown);
            let same = open.filter(|open| (open.trusted, open.shown) == states);
            alarm.shared = same.map_or_else(|| self.shared(finding), |open| open.shared);
        }
        if let Some(before) = alarms.iter_mut().find(|before| before.id == alarm.id) {
            raised.opened = before.reopen(now);
            alarm.times = before.times.saturating_add(1);
            alarm.displaced = before.displaced;
            alarm.raised = before.raised;
            alarm.past.clone_from(&before.past);
            before.clone_from(alarm);
        } else {
            // if the list is damaged, existing evidence shows that the finding was made before
            raised.opened = known.is_ok() || !kept;
            alarm.displaced = self.make_space(&hold, &mut alarms);
            alarms.push(alarm.clone());
        }
        let occasion = match raised.opened {
            true => Occasion::New,
            false => Occasion::Again,
        };
        let written = match kept {
            true => Ok(()),
            false => self.write_evidence(&hold, &raised.alarm.id, finding, occasion, now),
        };
        known?;
        self.write_alarms(&finding.database, &alarms)?;
        raised.is_listed = true;
        written
    }

    /// Returns the ID of a finding's alarm: the one that the finding already has, or the first that no other finding
    /// has. Without a readable list of alarms, the evidence decides.
    fn id_of(&self, finding: &Finding, list: Option<&[Alarm]>) -> String {
        let ids = || (0..MAX_SAME_ID).map(|number| finding.numbered_id(number));
        let is_of = |id: &String| match list {
            Some(list) => {
                let alarm = list.iter().find(|alarm| alarm.id == *id);
                alarm.map(|alarm| alarm.is_of(finding))
            }
            None => match self.alarm_of_evidence(&finding.database, id) {
                Ok(alarm) => alarm.map(|alarm| alarm.is_of(finding)),
                Err(_) => Some(true), // evidence that cannot be read must not be replaced
            },
        };
        let own = ids().find(|id| is_of(id) == Some(true));
        let free = || ids().find(|id| is_of(id).is_none());
        own.or_else(free).unwrap_or_else(|| finding.id())
    }

    /// Returns whether the trusted state that a finding of this time contradicts was given up since: by adopting an
    /// alarm, which closes all alarms against that state, or by `states forget`, after which earlier alarms stay open.
    fn left_behind(&self, finding: &Finding, found: Timestamp) -> bool {
        let Some(then) = finding.contradicted().map(|trusted| trusted.state) else {
            return false;
        };
        let record = self.record(&finding.database).ok();
        let given_up = record.and_then(|record| record.given_up(then));
        given_up.is_some_and(|given_up| given_up.by != Change::Dropped || given_up.when <= found)
    }

    /// Returns the transaction of the shown state if that state is part of the trusted history, else 0.
    fn shared(&self, finding: &Finding) -> u64 {
        match (finding.shown, self.record(&finding.database)) {
            (Some(shown), Ok(record)) if record.has_proven(shown) => shown.tx,
            _ => 0,
        }
    }

    /// Returns the open alarms of a database, or of all databases, in the order in which they were raised.
    ///
    /// # Errors
    /// A database's list is damaged, or the system refuses.
    pub fn open_alarms(&self, database: Option<&str>) -> Result<Vec<Alarm>, StoreError> {
        let databases = match database {
            Some(database) => vec![database.to_string()],
            None => self.databases()?,
        };
        let mut open = Vec::new();
        for database in databases {
            if self.has_alarm_files(&database)? {
                let _hold = self.hold(Lock::Shared)?;
                let alarms = self.alarms(&database)?;
                open.extend(alarms.into_iter().filter(Alarm::is_open));
            }
        }
        Ok(open)
    }

    /// Returns whether a database has a list of alarms or a directory of evidence. Most have neither, and need no lock.
    pub(super) fn has_alarm_files(&self, database: &str) -> Result<bool, StoreError> {
        Ok(files::exists(&self.alarms_path(database))?
            || files::exists(&self.evidence_directory(database))?)
    }

    /// Returns all alarms of a database, also closed ones: those on the list, and those of which only the evidence
    /// exists.
    pub(super) fn alarms(&self, database: &str) -> Result<Vec<Alarm>, StoreError> {
        let mut alarms = self.recorded_alarms(database)?;
        let adoptable = |alarm: &&mut Alarm| alarm.is_open() && alarm.can_be_adopted();
        for alarm in alarms.iter_mut().filter(adoptable) {
            // a damaged result of a search is reported where it is printed
            if let Ok(Some(located)) = LocatedRecord::for_evidence(&alarm.evidence) {
                alarm.shares(located.shown, located.intact.unwrap_or(0));
            }
        }
        Ok(alarms)
    }

    /// Returns the same alarms without later results of searches for the open ones.
    pub(super) fn recorded_alarms(&self, database: &str) -> Result<Vec<Alarm>, StoreError> {
        let path = self.alarms_path(database);
        let damaged = |damage| StoreError::DamagedRecord {
            path: path.clone(),
            damage,
            record: Record::Alarms,
        };
        let mut alarms = match files::read(&path, alarm::MAX_ALARMS_FILE_BYTES)? {
            None => Vec::new(),
            Some(bytes) => self.parse_alarms(&bytes, database).map_err(damaged)?,
        };
        for id in self.evidence_ids(database)? {
            if alarms.iter().all(|alarm| alarm.id != id) {
                alarms.extend(self.alarm_of_evidence(database, &id)?);
            }
        }
        Ok(alarms)
    }

    /// Returns the alarms of a database as far as they can be read: those in the evidence, and those on the list if it
    /// is readable.
    pub(super) fn readable_alarms(&self, database: &str) -> Vec<Alarm> {
        let list = files::read(&self.alarms_path(database), alarm::MAX_ALARMS_FILE_BYTES);
        let list = list.ok().flatten();
        let list = list.and_then(|bytes| self.parse_alarms(&bytes, database).ok());
        let ids = self.evidence_ids(database).unwrap_or_default();
        let of_evidence = |id: &String| self.alarm_of_evidence(database, id).ok().flatten();
        let alarms = list.unwrap_or_default().into_iter();
        alarms.chain(ids.iter().filter_map(of_evidence)).collect()
    }

    /// Returns the IDs of the alarms with stored evidence.
    fn evidence_ids(&self, database: &str) -> Result<Vec<String>, StoreError> {
        let names = files::list(&self.evidence_directory(database))?;
        let id = |name: &String| name.strip_suffix(".toml").and_then(from_file_name);
        Ok(names.iter().filter_map(id).collect())
    }

    /// Returns the alarm of the evidence with this ID, as if it was never closed; `None` if there is no such file.
    fn alarm_of_evidence(&self, database: &str, id: &str) -> Result<Option<Alarm>, StoreError> {
        let path = self.evidence_path(database, id);
        let Some(bytes) = files::read(&path, MAX_EVIDENCE_BYTES)? else {
            return Ok(None);
        };
        let evidence = Evidence::parse(&bytes).map_err(|damage| StoreError::DamagedRecord {
            path: path.clone(),
            damage,
            record: Record::Evidence,
        })?;
        let mut alarm = Alarm::new(&evidence.finding, &self.location, path, evidence.found);
        id.clone_into(&mut alarm.id);
        Ok(Some(alarm))
    }

    /// Returns the alarms in the bytes of a database's file, which are only parsed if they are not the known ones.
    fn parse_alarms(&self, bytes: &[u8], database: &str) -> Result<Vec<Alarm>, FileDamage> {
        let digest = Digest::of(&[bytes]);
        if let Some(known) = self.parsed_alarms.get(database, digest) {
            return Ok(known);
        }
        let evidence = |id: &str| self.evidence_path(database, id);
        let alarms = alarm::parse(bytes, &self.location, database, evidence)?;
        self.parsed_alarms.put(database, digest, &alarms);
        Ok(alarms)
    }

    /// Removes findings after the first if a database has as many as it may: closed ones that await no reading first,
    /// else the last. Returns the number of removed open findings, with those that the removed ones had displaced.
    fn make_space(&self, _hold: &Hold, alarms: &mut Vec<Alarm>) -> u64 {
        let mut displaced = 0u64;
        while alarms.len() >= self.limits.files_of_a_database.max(2) {
            let is_settled = |alarm: &Alarm| !alarm.is_open() && !alarm.awaits_reading;
            let closed = alarms.iter().skip(1).position(is_settled);
            let at = closed.map_or(alarms.len() - 1, |at| at + 1);
            let gone = alarms.remove(at);
            displaced = displaced.saturating_add(gone.displaced);
            if gone.is_open() {
                displaced = displaced.saturating_add(1);
            }
            drop(LocatedRecord::remove_for_evidence(&gone.evidence));
            drop(files::remove(&gone.evidence)); // evidence that cannot be removed counts as an open alarm again
        }
        displaced
    }

    /// Writes the evidence of a finding. For a new finding, other evidence is removed if the limit requires it. The
    /// evidence of a known finding is written again if the limit allows.
    fn write_evidence(
        &self,
        _hold: &Hold,
        id: &str,
        finding: &Finding,
        occasion: Occasion,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let directory = self.home.join(EVIDENCE);
        let limits = &self.limits;
        let full = Err(StoreError::EvidenceFull {
            directory: directory.clone(),
            most: limits.bytes,
        });
        let of_database = file_name(&finding.database);
        if self.was_full(&of_database) {
            return full;
        }
        let mut space = self.space()?;
        let mut file = evidence::render(self.server(), id, finding, now, limits);
        let most = limits.bytes.saturating_sub(RESERVED_BYTES);
        while let Some(shortage) = space.shortage(&file, limits.files, most) {
            if occasion == Occasion::Again || !self.displace(&mut space, &of_database, shortage) {
                break;
            }
        }
        if space.shortage(&file, limits.files, most).is_some() {
            let bare = Limits {
                answers: 0,
                ..*limits
            };
            file = evidence::render(self.server(), id, finding, now, &bare);
        }
        if space.shortage(&file, limits.files, limits.bytes).is_some() {
            self.remember_full(&space);
            return full;
        }
        files::create_directory(&directory)?;
        files::create_directory(&self.evidence_directory(&finding.database))?;
        let path = self.evidence_path(&finding.database, id);
        files::replace(FileKind::Evidence, &path, &file)
    }
}

/// Whether a finding was made before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    New,
    Again,
}
