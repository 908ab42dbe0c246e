//! The mirrors of a server's databases: opening one to read or append, and the size of all.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::file_name::file_name;
use super::files;
use super::mirror::Mirror;
use super::store::Store;
use super::store_error::StoreError;
use super::warning::Warning;
use crate::clock::Timestamp;

/// The ending of a mirror's file.
const MIRROR: &str = ".mirror";
/// The ending of the earlier mirror, from before the trusted line began again.
const BEFORE: &str = ".before";

impl Store {
    /// Opens the mirror of a database whose trusted line begins at `since`, for reading; `None` if there is none.
    ///
    /// # Errors
    /// The system refuses, or the file is no mirror.
    pub fn mirror(&self, database: &str, since: Timestamp) -> Result<Option<Mirror>, StoreError> {
        let path = self.mirror_path(database);
        if !files::exists(&path)? {
            return Ok(None);
        }
        let mirror = Mirror::read(&path)?;
        Ok(mirror
            .is_of(self.server(), database, since)
            .then_some(mirror))
    }

    /// Opens the mirror of a database whose trusted line begins at `since`, for appending. The mirror of an
    /// earlier line is renamed, a damaged one is moved away, and bytes that no seal covers are cut off.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open_mirror(&self, database: &str, since: Timestamp) -> Result<Mirror, StoreError> {
        let path = self.mirror_path(database);
        if files::exists(&path)? {
            match Mirror::open(&path, OpenOptions::new().read(true).write(true)) {
                Ok(mut mirror) if mirror.is_of(self.server(), database, since) => {
                    mirror.cut_torn_tail()?;
                    return Ok(mirror);
                }
                Ok(_) => {
                    let before = files::with_suffix(&path, BEFORE);
                    fs::rename(&path, &before)
                        .map_err(|error| StoreError::system("move aside", &path, &error))?;
                }
                Err(StoreError::DamagedRecord { .. }) => {
                    files::set_aside(&path)?;
                    self.warn(Warning::StartedOver { path: path.clone() });
                }
                Err(failure) => return Err(failure),
            }
        }
        Mirror::create(&path, self.server(), database, since)
    }

    /// Returns the number of bytes of all mirrors of the server.
    ///
    /// # Errors
    /// The system refuses.
    pub fn mirrored_bytes(&self) -> Result<u64, StoreError> {
        let mut bytes = 0u64;
        for name in files::list(&self.home)? {
            let whole = name.strip_suffix(BEFORE).unwrap_or(&name);
            if whole.ends_with(MIRROR) {
                let path = self.home.join(name);
                let found = fs::symlink_metadata(&path)
                    .map_err(|error| StoreError::system("look at", &path, &error))?;
                bytes = bytes.saturating_add(found.len());
            }
        }
        Ok(bytes)
    }

    /// Returns whether a file is the database's own mirror.
    pub fn is_own_mirror(&self, database: &str, file: &Path) -> bool {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let own = real(&self.mirror_path(database));
        own.is_some() && own == real(file)
    }

    fn mirror_path(&self, database: &str) -> PathBuf {
        self.home.join(file_name(database) + MIRROR)
    }
}
