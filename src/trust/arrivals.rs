//! `arrivals`: the databases in the order in which a first state of each was trusted, one file name on each line.
//!
//! The order decides which database is older if evidence is displaced. A wrong clock, an adoption or a new first use
//! does not change it. Nothing else depends on it, so if the file cannot be written, a database only counts as the
//! youngest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::failpoint::FileKind;
use super::file_name::file_name;
use super::files;
use super::location::HISTORY;
use super::store::{Hold, Store};
use super::store_error::StoreError;
use super::warning::Warning;
use crate::clock::Timestamp;

const ARRIVALS: &str = "arrivals";
/// The longest file that is read or written, in bytes: about 100,000 databases.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// The number of bytes of a history that are read to find the time of its first entry: two lines are shorter.
const HISTORY_HEAD_BYTES: u64 = 4 << 10;

impl Store {
    /// Records that a first state of a database is trusted, before that state is written. A database that is
    /// listed twice keeps its first place.
    pub(super) fn record_arrival(&self, hold: &Hold, database: &str) {
        if let Err(failure) = self.append_arrival(hold, database) {
            self.warn(Warning::NotWritten {
                path: self.home.join(ARRIVALS),
                error: failure.to_string(),
            });
        }
    }

    fn append_arrival(&self, _hold: &Hold, database: &str) -> Result<(), StoreError> {
        let path = self.home.join(ARRIVALS);
        let line = file_name(database) + "\n";
        let Some(known) = files::read(&path, MAX_FILE_BYTES)? else {
            let mut file = self.arrivals_by_histories()?;
            file.push(file_name(database));
            return files::replace(
                FileKind::History,
                &path,
                (file.join("\n") + "\n").as_bytes(),
            );
        };
        // a killed process may have left an incomplete line after the last complete one
        let whole = known.iter().rposition(|byte| *byte == b'\n');
        let length =
            u64::try_from(whole.map_or(0, |at| at.saturating_add(1))).unwrap_or(MAX_FILE_BYTES);
        let size = u64::try_from(line.len()).unwrap_or(MAX_FILE_BYTES);
        if length.saturating_add(size) > MAX_FILE_BYTES {
            return Err(StoreError::TooLong {
                path,
                most: MAX_FILE_BYTES,
            });
        }
        files::append(&path, length, line.as_bytes())
    }

    /// Returns the place of each database in the order of arrival, by directory name.
    pub(super) fn arrivals(&self) -> BTreeMap<String, u64> {
        let path = self.home.join(ARRIVALS);
        let names = match files::read(&path, MAX_FILE_BYTES) {
            Ok(Some(file)) => complete_lines(&file),
            Ok(None) => self.arrivals_by_histories().unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let mut places = BTreeMap::new();
        for (place, name) in (0..).zip(names) {
            places.entry(name).or_insert(place);
        }
        places
    }

    /// Returns the length of the file, which changes with every arrival.
    pub(super) fn arrivals_length(&self) -> Option<u64> {
        let found = std::fs::symlink_metadata(self.home.join(ARRIVALS));
        found.ok().map(|found| found.len())
    }

    /// Returns the databases of a directory without a file of arrivals, in the order of the first times in their
    /// histories.
    fn arrivals_by_histories(&self) -> Result<Vec<String>, StoreError> {
        let mut found = BTreeSet::new();
        for name in files::list(&self.roots)? {
            if let Some(database) = name.strip_suffix(HISTORY) {
                let time = beginning(&self.roots.join(&name)).and_then(|bytes| first_time(&bytes));
                found.extend(time.map(|time| (time, database.to_owned())));
            }
        }
        Ok(found.into_iter().map(|(_, database)| database).collect())
    }
}

/// Returns the time of the first entry, if the first lines of a history are there. No sum is checked.
fn first_time(bytes: &[u8]) -> Option<Timestamp> {
    let line = bytes.split(|byte| *byte == b'\n').nth(1)?;
    std::str::from_utf8(line)
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

/// Returns the first bytes of a file.
fn beginning(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read;
    let file = files::open(path, std::fs::OpenOptions::new().read(true)).ok()??;
    let mut bytes = Vec::new();
    file.take(HISTORY_HEAD_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn complete_lines(file: &[u8]) -> Vec<String> {
    let lines = file.split_inclusive(|byte| *byte == b'\n');
    let whole = lines.filter_map(|line| std::str::from_utf8(line).ok()?.strip_suffix('\n'));
    whole.map(String::from).collect()
}
