//! The changes of verdicts that receivers get before the last verdicts are on disk. If the process ends in
//! between, the next one does not know what the receivers have. So it notifies them of its first verdict on these
//! databases, whatever that is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::trust::failpoint::FileKind;
use crate::trust::files;

/// The name of the file, next to the outbox.
const FILE: &str = "unrecorded";
/// The longest file that is read, in bytes: ten thousand of the longest names.
const MAX_FILE_BYTES: u64 = 2 << 20;

/// The changes of the current cycle: each database, and its verdict's word.
#[derive(Debug, Default)]
pub(super) struct Unrecorded {
    path: PathBuf,
    changes: BTreeMap<String, String>,
    /// Whether there is a file.
    is_on_disk: bool,
}

impl Unrecorded {
    /// Reads the changes that an earlier process left. An unreadable file is a warning. Its last line may be torn.
    pub fn load(directory: &Path) -> Unrecorded {
        let path = directory.join(FILE);
        let read = files::read(&path, MAX_FILE_BYTES);
        if let Err(failure) = &read {
            log::warn!("receivers may not learn that a database is well again: {failure}");
        }
        let is_on_disk = !matches!(read, Ok(None));
        let text = read.ok().flatten();
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        let lines = text.iter().flat_map(|text| text.split_inclusive('\n'));
        let whole = lines.filter_map(|line| line.strip_suffix('\n')?.split_once(' '));
        Unrecorded {
            changes: whole
                .map(|(verdict, database)| (database.to_owned(), verdict.to_owned()))
                .collect(),
            path,
            is_on_disk,
        }
    }

    /// Returns the databases, each with its verdict's word.
    pub fn changes(&self) -> impl Iterator<Item = (&String, &String)> {
        self.changes.iter()
    }

    /// Returns the word of the verdict of a database that receivers may already have.
    pub fn verdict(&self, database: &str) -> Option<&str> {
        self.changes.get(database).map(String::as_str)
    }

    /// Adds changes before any receiver gets them, in one write: each database, and its verdict's word.
    pub fn add<'a>(&mut self, changes: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let new = |(database, verdict): &(&str, &str)| self.verdict(database) != Some(*verdict);
        let new: Vec<(&str, &str)> = changes.into_iter().filter(new).collect();
        if new.is_empty() {
            return;
        }
        let mut lines = String::from("\n"); // ends an incomplete line of an earlier process
        for (database, verdict) in &new {
            lines.push_str(&format!("{verdict} {database}\n")); // neither contains white space
        }
        self.is_on_disk = true;
        match files::append_lines(FileKind::Receivers, &self.path, lines.as_bytes()) {
            Ok(()) => {
                let owned = |(database, verdict): (&str, &str)| (database.into(), verdict.into());
                self.changes.extend(new.into_iter().map(owned));
            }
            Err(failure) => {
                log::warn!(
                    "changes of verdicts could not be written before they are sent: {failure}"
                );
            }
        }
    }

    /// Removes the changes, because the last verdicts are on disk.
    pub fn clear(&mut self) {
        if !self.is_on_disk {
            return;
        }
        self.changes.clear();
        match files::remove(&self.path) {
            Ok(()) => self.is_on_disk = false,
            Err(failure) => {
                log::warn!("changes of verdicts that were sent could not be removed: {failure}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_outlive_the_process_until_they_are_cleared_and_a_torn_line_is_none() {
        let name = format!("immuaudit-unrecorded-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let changes = || {
            let unrecorded = Unrecorded::load(&directory);
            let of = |(database, verdict): (&String, &String)| format!("{database} {verdict}");
            unrecorded.changes().map(of).collect::<Vec<_>>()
        };
        let mut unrecorded = Unrecorded::load(&directory);
        unrecorded.add([("a", "unreachable"), ("b", "refused")]);
        unrecorded.add([("a", "consistent")]);
        assert_eq!(changes(), ["a consistent", "b refused"]);
        let whole = std::fs::read(directory.join(FILE)).unwrap();
        std::fs::write(directory.join(FILE), &whole[..whole.len() - 1]).unwrap();
        assert_eq!(changes(), ["a unreachable", "b refused"]);
        // a line that is added after an incomplete line is complete
        Unrecorded::load(&directory).add([("c", "refused")]);
        assert_eq!(changes(), ["a consistent", "b refused", "c refused"]);
        unrecorded.clear();
        assert!(changes().is_empty());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
