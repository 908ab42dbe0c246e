//! The space for evidence, which all databases of a server share.
//!
//! A server can list as many databases as it likes, and let each of them vanish. So that this does not use up the space
//! for the evidence of a real one, evidence is displaced, in this order:
//!
//! 1. Evidence between the first and the last finding of a database, from the database with the most evidence, closed
//!    alarms first. An older database keeps half of the space, and all of it if the younger never had a trusted state.
//! 2. Evidence of a younger database, from the youngest. The order in which first states were trusted decides
//!    ([`arrivals`](super::arrivals)), not a clock; a database that never had a trusted state is the youngest.
//!
//! An alarm whose evidence was displaced stays as it is: open until an operator closes it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::alarm::Alarm;
use super::files;
use super::located::LocatedRecord;
use super::location::EVIDENCE;
use super::space_memory::{NEVER_TRUSTED, Place, Places, Remembered, place_in};
use super::store::Store;
use super::store_error::StoreError;

/// The time for which a lack of space is remembered, so that a flood of findings does not list the directory for each.
const SHORTAGE_MEMORY: Duration = Duration::from_secs(60);

/// The evidence files of a server.
pub(super) struct EvidenceFiles {
    /// By directory name.
    databases: BTreeMap<String, Kept>,
    places: Arc<Places>,
    count: usize,
    bytes: u64,
    /// The youngest database with evidence, if no evidence can be displaced for a younger one.
    exhausted: Option<Place>,
}

/// The evidence files of one database.
#[derive(Default)]
struct Kept {
    /// Size by file name.
    files: BTreeMap<String, u64>,
    bytes: u64,
}

/// The limit that is exceeded.
#[derive(Clone, Copy)]
pub(super) enum Shortage {
    Files,
    Bytes,
}

impl EvidenceFiles {
    /// Returns the limit that one more file with this content would exceed; `None` if there is none.
    pub(super) fn shortage(&self, file: &[u8], files: usize, bytes: u64) -> Option<Shortage> {
        if self.count >= files {
            return Some(Shortage::Files);
        }
        let size = u64::try_from(file.len()).unwrap_or(u64::MAX);
        (self.bytes.saturating_add(size) > bytes).then_some(Shortage::Bytes)
    }

    fn remove(&mut self, database: &str, file: &str) {
        let Some(kept) = self.databases.get_mut(database) else {
            return;
        };
        if let Some(size) = kept.files.remove(file) {
            kept.bytes = kept.bytes.saturating_sub(size);
            self.bytes = self.bytes.saturating_sub(size);
            self.count = self.count.saturating_sub(1);
        }
    }

    fn place(&self, directory: &str) -> Place {
        place_in(&self.places, directory)
    }

    /// Returns the databases, the one with the most evidence first.
    fn by_amount(&self, shortage: Shortage) -> Vec<(&String, &Kept)> {
        let amount = |kept: &Kept| match shortage {
            Shortage::Files => u64::try_from(kept.files.len()).unwrap_or(u64::MAX),
            Shortage::Bytes => kept.bytes,
        };
        let mut all: Vec<_> = self.databases.iter().collect();
        all.sort_by_key(|(_, kept)| std::cmp::Reverse(amount(kept)));
        all
    }
}

impl Store {
    /// Lists the evidence of all databases.
    pub(super) fn space(&self) -> Result<EvidenceFiles, StoreError> {
        let directory = self.home.join(EVIDENCE);
        let mut space = EvidenceFiles {
            databases: BTreeMap::new(),
            places: self.places(),
            count: 0,
            bytes: 0,
            exhausted: None,
        };
        for database in files::list(&directory)? {
            let of_database = directory.join(&database);
            let mut kept = Kept::default();
            for name in files::list(&of_database)? {
                let path = of_database.join(&name);
                let found = fs::symlink_metadata(&path)
                    .map_err(|error| StoreError::system("look at", &path, &error))?;
                space.count += 1;
                space.bytes = space.bytes.saturating_add(found.len());
                kept.bytes = kept.bytes.saturating_add(found.len());
                kept.files.insert(name, found.len());
            }
            space.databases.insert(database, kept);
        }
        Ok(space)
    }

    /// Removes one evidence file in favour of evidence of the database in `directory`; returns whether there was one
    /// that may be removed.
    pub(super) fn displace(
        &self,
        space: &mut EvidenceFiles,
        directory: &str,
        shortage: Shortage,
    ) -> bool {
        let found = self.between(space, directory, shortage);
        let Some((database, file)) = found.or_else(|| self.of_a_younger(space, directory)) else {
            return false;
        };
        let path = self.home.join(EVIDENCE).join(&database).join(&file);
        log::info!(evidence:% = path.display(); "evidence was removed to make space for other evidence");
        drop(LocatedRecord::remove_for_evidence(&path));
        let removed = files::remove(&path).is_ok();
        space.remove(&database, &file);
        removed
    }

    fn is_more_than_half(&self, kept: &Kept, shortage: Shortage) -> bool {
        match shortage {
            Shortage::Files => kept.files.len() > self.limits.files / 2,
            Shortage::Bytes => kept.bytes > self.limits.bytes / 2,
        }
    }

    /// Returns a file between the first and the last of a database. A database that is older than the one in
    /// `directory` keeps half of the space, or all of it if the younger never had a trusted state.
    fn between(
        &self,
        space: &EvidenceFiles,
        directory: &str,
        shortage: Shortage,
    ) -> Option<(String, String)> {
        let place = space.place(directory);
        let mut by_amount = space.by_amount(shortage).into_iter();
        by_amount.find_map(|(database, kept)| {
            let is_older = space.place(database) < place;
            if is_older && (place == NEVER_TRUSTED || !self.is_more_than_half(kept, shortage)) {
                return None;
            }
            // the new finding counts as the last one of its database
            let own = usize::from(database == directory);
            if kept.files.len().saturating_add(own) < 3 {
                return None;
            }
            let files = self.in_order(database, kept);
            let end = files.len().saturating_sub(1).saturating_add(own);
            let middle = files.get(1..end)?;
            let closed = middle.iter().find(|(_, open)| !open);
            let (file, _) = closed.or(middle.last())?;
            Some((database.clone(), file.clone()))
        })
    }

    /// Returns the last file of the youngest database, if that is younger than the database in `directory`.
    fn of_a_younger(&self, space: &mut EvidenceFiles, directory: &str) -> Option<(String, String)> {
        let place = space.place(directory);
        let with_files = space
            .databases
            .iter()
            .filter(|(_, kept)| !kept.files.is_empty());
        let youngest = with_files
            .map(|(database, kept)| (space.place(database), database, kept))
            .max_by_key(|(place, ..)| *place);
        let (youngest, database, kept) = youngest?;
        if youngest <= place {
            space.exhausted = Some(youngest);
            return None;
        }
        let files = self.in_order(database, kept);
        files
            .last()
            .map(|(file, _)| (database.clone(), file.clone()))
    }

    /// Returns the evidence files of a database in the order in which the alarms were raised, and whether each
    /// alarm is open; a file of no alarm on the list comes first.
    fn in_order(&self, directory: &str, kept: &Kept) -> Vec<(String, bool)> {
        let alarms: Vec<Alarm> = self
            .true_name(directory)
            .and_then(|database| self.alarms(&database).ok())
            .unwrap_or_default();
        let of = |alarm: &Alarm| {
            let name = alarm.evidence.file_name()?.to_str()?;
            Some((name.to_owned(), alarm.is_open()))
        };
        let listed: Vec<(String, bool)> = alarms.iter().filter_map(of).collect();
        let unlisted = kept
            .files
            .keys()
            .filter(|file| listed.iter().all(|(name, _)| name != *file));
        let mut files: Vec<(String, bool)> = unlisted.map(|file| (file.clone(), true)).collect();
        files.extend(
            listed
                .iter()
                .filter(|(name, _)| kept.files.contains_key(name))
                .cloned(),
        );
        files
    }

    /// Remembers that no evidence could be displaced.
    pub(super) fn remember_full(&self, space: &EvidenceFiles) {
        // absent for a repeated finding, which displaces nothing and so does not show whether there is space
        if let Some(youngest) = space.exhausted {
            self.space_memory().refused = Some((self.clock.instant(), youngest));
        }
    }

    /// Returns whether there was no space a moment ago for a database that is no younger.
    pub(super) fn was_full(&self, directory: &str) -> bool {
        let refused = self.space_memory().refused;
        refused.is_some_and(|(when, youngest)| {
            self.clock.since(when) < SHORTAGE_MEMORY
                && place_in(&self.places(), directory) >= youngest
        })
    }

    /// Returns the places of all databases, read again if the file of arrivals has grown.
    fn places(&self) -> Arc<Places> {
        let length = self.arrivals_length();
        let mut memory = self.space_memory();
        let read = memory.places.take().filter(|(then, _)| *then == length);
        let (_, places) = memory
            .places
            .insert(read.unwrap_or_else(|| (length, Arc::new(self.arrivals()))));
        Arc::clone(places)
    }

    fn space_memory(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.space_memory
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
