//! The changes of verdicts that receivers get before the last verdicts are on disk. If the process ends in
//! between, the next one does not know what the receivers have. So it notifies them of its first verdict on these
//! databases, whatever that is. All changes since the last verdicts are kept: the last one is written before it is
//! sent, so receivers may have an earlier one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use crate::audit::Cycle;
use crate::trust::failpoint::FileKind;
use crate::trust::files;

/// The name of the file, next to the outbox.
const FILE: &str = "unrecorded";
/// The longest file that is read, in bytes: ten thousand of the longest names, with several verdicts each.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// The changes since the last verdicts were written: each database, and the words of its verdicts.
#[derive(Debug, Default)]
pub(super) struct Unrecorded {
    path: PathBuf,
    changes: BTreeMap<String, BTreeSet<String>>,
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
        let mut unrecorded = Unrecorded {
            changes: BTreeMap::new(),
            path,
            is_on_disk,
        };
        for (verdict, database) in whole {
            unrecorded.insert(database, verdict);
        }
        unrecorded
    }

    /// Returns the databases, each with the words of the verdicts that receivers may have.
    pub fn changes(&self) -> impl Iterator<Item = (&String, &BTreeSet<String>)> {
        self.changes.iter()
    }

    fn insert(&mut self, database: &str, verdict: &str) {
        let verdicts = self.changes.entry(database.to_owned()).or_default();
        verdicts.insert(verdict.to_owned());
    }

    fn has(&self, database: &str, verdict: &str) -> bool {
        let verdicts = self.changes.get(database);
        verdicts.is_some_and(|verdicts| verdicts.contains(verdict))
    }

    /// Adds changes before any receiver gets them, in one write: each database, and its verdict's word.
    pub fn add<'a>(&mut self, changes: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let new = |(database, verdict): &(&str, &str)| !self.has(database, verdict);
        let new: Vec<(&str, &str)> = changes.into_iter().filter(new).collect();
        if new.is_empty() {
            return;
        }
        // the first line break ends an incomplete line of an earlier process
        let lines = format!("\n{}", lines(new.iter().copied()));
        self.is_on_disk = true;
        match files::append_lines(FileKind::Receivers, &self.path, lines.as_bytes()) {
            Ok(()) => {
                for (database, verdict) in new {
                    self.insert(database, verdict);
                }
            }
            Err(failure) => {
                log::warn!(
                    "changes of verdicts could not be written before they are sent: {failure}"
                );
            }
        }
    }

    /// Removes the changes of databases whose last verdicts are on disk after a cycle. A cycle that was stopped did not
    /// check every database.
    pub fn recorded_by(&mut self, cycle: &Cycle) {
        if !self.is_on_disk {
            return;
        }
        let outcomes = cycle.outcomes.iter();
        let checked: HashSet<&str> = outcomes.map(|outcome| &*outcome.database).collect();
        self.remove(|database| checked.contains(database) || cycle.forgets(database));
    }

    fn remove(&mut self, is_recorded: impl Fn(&str) -> bool) {
        let before = self.changes.len();
        self.changes.retain(|database, _| !is_recorded(database));
        let written = match self.changes.is_empty() {
            true => files::remove(&self.path).map(|()| self.is_on_disk = false),
            false if self.changes.len() == before => Ok(()),
            false => {
                let changes = self.changes.iter();
                let all = changes.flat_map(|(database, verdicts)| {
                    verdicts
                        .iter()
                        .map(move |verdict| (&**database, &**verdict))
                });
                files::replace(FileKind::Receivers, &self.path, lines(all).as_bytes())
            }
        };
        if let Err(failure) = written {
            log::warn!("changes of verdicts that were sent could not be removed: {failure}");
        }
    }
}

/// Returns a line for each change: a database, and its verdict's word.
fn lines<'a>(changes: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let lines = changes
        .into_iter()
        .map(|(database, verdict)| format!("{verdict} {database}\n")); // neither contains white space
    lines.collect()
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
            let of = |(database, verdicts): (&String, &BTreeSet<String>)| {
                let verdicts: Vec<&str> = verdicts.iter().map(String::as_str).collect();
                format!("{database} {}", verdicts.join(" "))
            };
            unrecorded.changes().map(of).collect::<Vec<_>>()
        };
        let mut unrecorded = Unrecorded::load(&directory);
        unrecorded.add([("a", "unreachable"), ("b", "refused")]);
        unrecorded.add([("a", "consistent")]);
        assert_eq!(changes(), ["a consistent unreachable", "b refused"]);
        let whole = std::fs::read(directory.join(FILE)).unwrap();
        std::fs::write(directory.join(FILE), &whole[..whole.len() - 1]).unwrap();
        assert_eq!(changes(), ["a unreachable", "b refused"]);
        // a line that is added after an incomplete line is complete
        Unrecorded::load(&directory).add([("c", "refused")]);
        assert_eq!(
            changes(),
            ["a consistent unreachable", "b refused", "c refused"]
        );
        // verdicts that alternate do not make the file grow
        let mut unrecorded = Unrecorded::load(&directory);
        let length = || std::fs::metadata(directory.join(FILE)).unwrap().len();
        let before = length();
        for verdict in ["unreachable", "consistent", "unreachable"] {
            unrecorded.add([("a", verdict)]);
        }
        assert_eq!(length(), before);
        // a stopped cycle has checked one of the databases
        unrecorded.remove(|database| database == "b");
        assert_eq!(changes(), ["a consistent unreachable", "c refused"]);
        unrecorded.remove(|_| true);
        assert!(changes().is_empty() && !directory.join(FILE).exists());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
