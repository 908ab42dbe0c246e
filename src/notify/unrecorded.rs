//! The changes of verdicts that are given to receivers before they are on disk as the last verdicts. If the process ends in
//! between, the next one does not know what the receivers know, so it notifies them of its first verdict on these
//! databases, whatever that is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::trust::failpoint::FileKind;
use crate::trust::files;

/// The name of the file, beside the outbox.
const FILE: &str = "unrecorded";
/// The longest file that is read, in bytes: ten thousand of the longest names.
const MAX_FILE_BYTES: u64 = 2 << 20;

/// The changes of the cycle that is under way: each database, and its verdict's word.
#[derive(Debug, Default)]
pub(super) struct Unrecorded {
    path: PathBuf,
    changes: BTreeMap<String, String>,
}

impl Unrecorded {
    /// Reads the changes that an earlier process left. A file that cannot be read is none. The last line may be torn.
    pub fn load(directory: &Path) -> Unrecorded {
        let path = directory.join(FILE);
        let bytes = files::read(&path, MAX_FILE_BYTES).ok().flatten();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let lines = text.iter().flat_map(|text| text.split_inclusive('\n'));
        let whole = lines.filter_map(|line| line.strip_suffix('\n')?.split_once(' '));
        Unrecorded {
            changes: whole
                .map(|(verdict, database)| (database.to_owned(), verdict.to_owned()))
                .collect(),
            path,
        }
    }

    /// Returns the databases, each with its verdict's word.
    pub fn changes(&self) -> impl Iterator<Item = (&String, &String)> {
        self.changes.iter()
    }

    /// Adds a change before it is given to anybody.
    pub fn add(&mut self, database: &str, verdict: &str) {
        let before = self.changes.insert(database.to_owned(), verdict.to_owned());
        if before.is_some_and(|before| before == verdict) {
            return;
        }
        // neither has white space
        let line = format!("{verdict} {database}\n");
        if let Err(failure) = files::append_line(FileKind::Receivers, &self.path, line.as_bytes()) {
            log::warn!("the change that receivers are notified of could not be written: {failure}");
        }
    }

    /// Forgets the changes, because the last verdicts are on disk.
    pub fn clear(&mut self) {
        if self.changes.is_empty() {
            return;
        }
        self.changes.clear();
        if let Err(failure) = files::remove(&self.path) {
            log::warn!(
                "the changes that receivers were notified of could not be removed: {failure}"
            );
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
        unrecorded.add("a", "unreachable");
        unrecorded.add("b", "refused");
        unrecorded.add("a", "consistent");
        assert_eq!(changes(), ["a consistent", "b refused"]);
        let whole = std::fs::read(directory.join(FILE)).unwrap();
        std::fs::write(directory.join(FILE), &whole[..whole.len() - 1]).unwrap();
        assert_eq!(changes(), ["a unreachable", "b refused"]);
        unrecorded.clear();
        assert!(changes().is_empty());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
