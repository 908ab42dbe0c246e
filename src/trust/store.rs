//! One configured server's directory: opening it, and its databases.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use toml::Table;

use super::checksummed;
use super::evidence::Limits;
use super::file_name::{file_name, from_file_name};
use super::files;
use super::history::database_of;
use super::location::{ACKNOWLEDGED, ALARMS, EVIDENCE, HISTORY, LOCATED, Location, STATE};
use super::parsed_alarms::ParsedAlarms;
use super::permissions;
use super::space_memory;
use super::store_error::StoreError;
use super::tail::Tails;
use super::warning::Warning;
use crate::clock::{Clock, Timestamp};
use crate::sys::Lock;

/// The maximum number of servers in the error about a server without files.
const MAX_LISTED_SERVERS: usize = 5;
/// The rights on the directory and its files that only the owner may have, as bits of a mode.
const OTHERS: u32 = 0o077;
/// The right to write that only the owner may have on the directory above, as bits of a mode.
const OTHERS_WRITE: u32 = 0o022;

/// One configured server's files.
#[derive(Debug)]
pub struct Store {
    pub(super) location: Location,
    pub(super) home: PathBuf,
    pub(super) roots: PathBuf,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    warnings: Mutex<BTreeSet<Warning>>,
    /// The remembered facts about the space for evidence.
    pub(super) space_memory: space_memory::Memory,
    /// The ends of histories that were read completely.
    pub(super) tails: Tails,
    /// The alarms of files that were parsed.
    pub(super) parsed_alarms: ParsedAlarms,
    /// The identity that was recorded last, or found in the file, so that the file is not read again for it.
    pub(super) last_identity: Mutex<Option<String>>,
    /// The locks that keep other auditors out; none if another process is the auditor.
    auditor: Vec<File>,
}

/// The right to change files, until it is dropped.
#[must_use]
pub(super) struct Hold(#[allow(dead_code)] pub(super) Vec<File>);

impl Store {
    /// Opens the directory for an auditor, and creates it if there is none. No other auditor can open it while
    /// this value lives. Incomplete changes of a killed auditor are finished or removed. Root continues as the
    /// user that the directory belongs to.
    ///
    /// # Errors
    /// Another auditor has it, or the system refuses.
    pub fn open(location: &Location, now: Timestamp) -> Result<Store, StoreError> {
        let mut store = Store::at(location);
        permissions::act_as_owner(store.directories())?;
        for directory in store.directories() {
            files::create_directory(directory)?;
        }
        store.auditor = store.lock_out_others(now)?;
        store.look_at_permissions()?;
        {
            let hold = store.hold(Lock::Exclusive)?;
            store.clear_away(&hold)?;
            store.register(&hold)?;
        }
        Ok(store)
    }

    /// Opens the directory while an auditor may be running: to read, or for a single change such as closing an alarm.
    /// Root continues as the user that the directory belongs to.
    ///
    /// # Errors
    /// There is no such directory, or the system refuses.
    pub fn open_shared(location: &Location) -> Result<Store, StoreError> {
        let store = Store::at(location);
        for directory in store.directories() {
            if !files::exists(directory)? {
                return Err(StoreError::NoDirectory {
                    server: store.server().to_owned(),
                    directory: directory.into(),
                    known: Store::known_servers(location),
                });
            }
            files::check_directory(directory)?;
        }
        permissions::act_as_owner(store.directories())?;
        store.look_at_permissions()?;
        Ok(store)
    }

    /// Continues as the user that the directory belongs to, or would, if this is root.
    ///
    /// # Errors
    /// The directories belong to two users, or the system refuses.
    pub fn act_as_owner(location: &Location) -> Result<(), StoreError> {
        permissions::act_as_owner(Store::at(location).directories())
    }

    /// Returns the first servers that have files in a directory, for an operator who gave a wrong name or none.
    pub fn known_servers(location: &Location) -> Vec<String> {
        let names = files::list(&location.dir).unwrap_or_default();
        let of_a_server = |name: &&String| files::check_directory(&location.dir.join(name)).is_ok();
        let known = names.iter().filter(of_a_server);
        known
            .filter_map(|name| from_file_name(name))
            .take(MAX_LISTED_SERVERS)
            .collect()
    }

    /// Uses `clock` instead of the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Store {
        self.clock = clock;
        self
    }

    /// Returns the clock for the times in the files.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Uses other limits for evidence than the default ones.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Store {
        self.limits = limits;
        self
    }

    /// Returns the warnings since the last call: faults that prevent nothing.
    pub fn warnings(&mut self) -> Vec<Warning> {
        let warnings = self
            .warnings
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(warnings).into_iter().collect()
    }

    /// Returns the server's configured name.
    pub fn server(&self) -> &str {
        &self.location.server
    }

    /// Returns whether no other auditor can have the directory open.
    pub(super) fn is_auditor(&self) -> bool {
        !self.auditor.is_empty()
    }

    /// Returns the server's directory.
    pub fn directory(&self) -> &Path {
        &self.home
    }

    /// Returns every database that has stored data, sorted.
    ///
    /// # Errors
    /// The system refuses.
    pub fn databases(&self) -> Result<Vec<String>, StoreError> {
        let mut databases = BTreeSet::new();
        for directory in self.directories() {
            if !files::exists(directory)? {
                // it existed when the store was opened, so its databases are unknown, not absent
                let error = std::io::ErrorKind::NotFound.into();
                return Err(StoreError::system("list", directory, &error));
            }
            for name in files::list(directory)? {
                let endings = [STATE, HISTORY, ALARMS];
                let stem = endings.iter().find_map(|ending| name.strip_suffix(ending));
                if let Some(stem) = stem {
                    databases.extend(self.true_name(stem));
                }
            }
        }
        for stem in files::list(&self.home.join(EVIDENCE))? {
            databases.extend(from_file_name(&stem));
        }
        Ok(databases.into_iter().collect())
    }

    pub(super) fn state_path(&self, database: &str) -> PathBuf {
        self.roots.join(file_name(database) + STATE)
    }

    pub(super) fn history_path(&self, database: &str) -> PathBuf {
        self.roots.join(file_name(database) + HISTORY)
    }

    pub(super) fn alarms_path(&self, database: &str) -> PathBuf {
        self.home.join(file_name(database) + ALARMS)
    }

    pub(super) fn acknowledged_path(&self, database: &str) -> PathBuf {
        self.home.join(file_name(database) + ACKNOWLEDGED)
    }

    pub(super) fn evidence_directory(&self, database: &str) -> PathBuf {
        self.home.join(EVIDENCE).join(file_name(database))
    }

    pub(super) fn evidence_path(&self, database: &str, alarm: &str) -> PathBuf {
        let name = file_name(alarm) + ".toml"; // ids are plain, but this one may come from the command line
        self.evidence_directory(database).join(name)
    }

    pub(super) fn warn(&self, warning: Warning) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.insert(warning);
    }

    fn at(location: &Location) -> Store {
        let name = file_name(&location.server);
        let home = location.dir.join(&name);
        Store {
            location: location.clone(),
            roots: location
                .roots
                .as_ref()
                .map_or_else(|| home.clone(), |roots| roots.join(&name)),
            home,
            limits: Limits::default(),
            clock: Clock::system(),
            warnings: Mutex::default(),
            space_memory: space_memory::Memory::default(),
            tails: Tails::default(),
            parsed_alarms: ParsedAlarms::default(),
            last_identity: Mutex::default(),
            auditor: Vec::new(),
        }
    }

    /// Returns the results of `parse` for each table `[[key]]` of a file that no trusted state depends on; none if
    /// there is no file, `None` if it is damaged.
    pub(super) fn elements<T>(
        &self,
        path: &Path,
        most: u64,
        key: &'static str,
        parse: impl Fn(&Table) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(bytes) = files::read(path, most).ok()? else {
            return Some(Vec::new());
        };
        let file = checksummed::open(&bytes, self.server()).ok()?;
        let elements = checksummed::elements(&file, key).ok()?;
        elements.into_iter().map(parse).collect()
    }

    /// Returns one or two directories, each once, always in the same order, so that no two commands wait for each
    /// other.
    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        let other = (self.roots != self.home).then_some(self.roots.as_path());
        [Some(self.home.as_path()), other].into_iter().flatten()
    }

    fn look_at_permissions(&self) -> Result<(), StoreError> {
        for directory in self.directories() {
            let names = files::list(directory)?;
            let paths = names.iter().map(|name| directory.join(name));
            for path in paths.chain([directory.to_path_buf()]) {
                for warning in permissions::warnings(&path, OTHERS) {
                    self.warn(warning);
                }
            }
            // a user who can write to the directory above could replace this one
            let above = directory.parent().unwrap_or(directory);
            for warning in permissions::warnings(above, OTHERS_WRITE) {
                self.warn(warning);
            }
        }
        Ok(())
    }

    /// Finishes or removes the incomplete writes of a killed process.
    fn clear_away(&self, hold: &Hold) -> Result<(), StoreError> {
        for database in self.databases()? {
            // a damaged database is reported when it is loaded, and does not affect the others
            drop(self.settled(hold, &database));
        }
        let evidence = self.home.join(EVIDENCE);
        let mut directories: Vec<PathBuf> = self.directories().map(PathBuf::from).collect();
        for of_all in [evidence, self.home.join(LOCATED)] {
            let of_databases = files::list(&of_all)?;
            directories.extend(of_databases.iter().map(|name| of_all.join(name)));
        }
        for directory in directories {
            for name in files::list(&directory)? {
                // an incomplete write of a state may be needed to recover its database
                let written = name.strip_suffix(files::NEW);
                let needed = |name: &str| {
                    let stem = name.strip_suffix(STATE);
                    stem.is_some_and(|stem| directory.join(stem.to_owned() + HISTORY).exists())
                };
                if written.is_some_and(|name| !needed(name)) {
                    drop(files::remove(&directory.join(&name))); // if this fails, the next write of the file removes it
                }
            }
        }
        Ok(())
    }

    /// Returns the database's name for a file name; if the name was cut, reads it from the files.
    pub(super) fn true_name(&self, stem: &str) -> Option<String> {
        if let Some(name) = from_file_name(stem) {
            return Some(name);
        }
        let read = |directory: &Path, ending: &str| {
            let path = directory.join(stem.to_owned() + ending);
            let bytes = files::read(&path, super::history::MAX_HISTORY_BYTES).ok()??;
            let name = match ending {
                HISTORY => database_of(&bytes)?,
                _ => {
                    let table = checksummed::open(&bytes, self.server()).ok()?;
                    checksummed::text(&table, "database").ok()?.into()
                }
            };
            (file_name(&name) == stem).then_some(name)
        };
        let name = read(&self.roots, STATE)
            .or_else(|| read(&self.roots, HISTORY))
            .or_else(|| read(&self.home, ALARMS));
        if name.is_none() {
            let path = self.roots.join(stem);
            self.warn(Warning::Nameless { path });
        }
        name
    }
}
