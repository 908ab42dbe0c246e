//! `located/DATABASE/ALARM.toml`: the place of the tampering, one file for the evidence of the same name.
//!
//! It is a file of its own, because evidence is written before any search, and never changed again.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use toml::Table;

use super::alarm::Alarm;
use super::checksummed::{self, Writer};
use super::failpoint::FileKind;
use super::file_damage::{FileDamage, Record};
use super::files;
use super::location::{EVIDENCE, LOCATED};
use super::store::Store;
use super::store_error::StoreError;
use super::text::cut;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::sys::Lock;

const WHAT: &str = "immuaudit: the range in which a history was tampered with. The evidence is the file with the same name.";
/// The longest file that is read, in bytes. It limits the memory that a damaged or foreign file can take.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The length limit of a stored report, in characters.
const MAX_REPORT_CHARS: usize = 100_000;

/// The stored result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedRecord {
    /// The time of the search.
    pub located: Timestamp,
    /// The shown state that everything was compared with; `None` if none was shown.
    pub shown: Option<State>,
    /// The last transaction that is proven to be intact.
    pub intact: Option<u64>,
    /// The first transaction that is proven to differ.
    pub broken: Option<u64>,
    /// The report, for people.
    pub report: String,
}

/// The extent of a result of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The range alone, from the search when the alarm is raised. It never replaces a result with the same range.
    Range,
    /// The whole report of the command.
    Report,
}

impl Store {
    /// Stores the result of a search for an alarm. An earlier result stays if it is about another shown state, or if
    /// its range is narrower. An alarm without stored evidence gets no result, so there are never more results than
    /// evidence files.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_located(
        &self,
        alarm: &Alarm,
        record: &LocatedRecord,
        extent: Extent,
    ) -> Result<(), StoreError> {
        let _hold = self.hold(Lock::Exclusive)?;
        let (database, id) = (&alarm.database, &alarm.id);
        let evidence = self.evidence_path(database, id);
        let (Some(path), true) = (path_for(&evidence), files::exists(&evidence)?) else {
            return Ok(());
        };
        let is_report = extent == Extent::Report;
        let may_replace = match LocatedRecord::for_evidence(&evidence) {
            Ok(None) => true,
            Ok(Some(kept)) => {
                let is_better = !kept.may_replace(record, alarm.shown);
                record.may_replace(&kept, alarm.shown) && (is_report || is_better)
            }
            Err(_) => is_report, // a damaged file
        };
        if !may_replace {
            return Ok(());
        }
        let mut writer = Writer::new(WHAT, self.server());
        writer.text("program", concat!("immuaudit ", env!("CARGO_PKG_VERSION")));
        writer.text("database", database);
        writer.text("alarm", id);
        writer.time("located", record.located);
        let shown = record.shown.map(|state| state.to_string());
        writer.optional("shown", shown.as_deref());
        writer.optional_number("stands", record.intact); // the key since 0.1.0
        writer.optional_number("broken", record.broken);
        writer.text("report", &cut(&record.report, MAX_REPORT_CHARS));
        if let Some(directory) = path.parent() {
            files::create_directory(directory)?;
        }
        files::replace(FileKind::Evidence, &path, &writer.finish())
    }
}

impl LocatedRecord {
    /// Returns the result of the search for the alarm with this evidence file; `None` if no search has stored one.
    ///
    /// # Errors
    /// An auditor did not write the file.
    pub fn for_evidence(evidence: &Path) -> Result<Option<LocatedRecord>, StoreError> {
        let Some(path) = path_for(evidence) else {
            return Ok(None);
        };
        let Some(bytes) = files::read(&path, MAX_FILE_BYTES)? else {
            return Ok(None);
        };
        let damaged = |damage| StoreError::DamagedRecord {
            path: path.clone(),
            damage,
            record: Record::Located,
        };
        let read = checksummed::open_of_any_server(&bytes).and_then(|table| parse(&table));
        read.map(Some).map_err(damaged)
    }

    /// Returns whether this result may replace an earlier one of an alarm about the shown state `of_alarm`: it is of
    /// the same shown state, and at least as narrow. A result of the alarm's state replaces one of another state, and
    /// any result replaces one without a shown state.
    fn may_replace(&self, kept: &LocatedRecord, of_alarm: Option<State>) -> bool {
        let rank = |of: &LocatedRecord| (of.shown.is_some(), of.shown == of_alarm);
        match rank(self).cmp(&rank(kept)) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => {
                let broken = |of: &LocatedRecord| of.broken.unwrap_or(u64::MAX);
                self.shown == kept.shown
                    && self.intact >= kept.intact
                    && broken(self) <= broken(kept)
            }
        }
    }

    /// Removes the result for an alarm that is removed.
    pub(super) fn remove_for_evidence(evidence: &Path) -> Result<(), StoreError> {
        path_for(evidence).map_or(Ok(()), |path| files::remove(&path))
    }
}

/// Returns the path of the result for this evidence, if the evidence is in its usual place.
fn path_for(evidence: &Path) -> Option<PathBuf> {
    let of_database = evidence.parent()?;
    let all = of_database.parent()?;
    let in_place = all.file_name().is_some_and(|name| name == EVIDENCE);
    let home = all.parent().filter(|_| in_place)?;
    let file = home.join(LOCATED).join(of_database.file_name()?);
    Some(file.join(evidence.file_name()?))
}

fn parse(table: &Table) -> Result<LocatedRecord, FileDamage> {
    Ok(LocatedRecord {
        located: checksummed::time(table, "located")?,
        shown: checksummed::state(table, "shown")?,
        intact: checksummed::optional_number(table, "stands")?,
        broken: checksummed::optional_number(table, "broken")?,
        report: checksummed::text(table, "report")?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Digest;

    /// Returns a result of a shown state, with this range.
    fn result(shown: Option<u64>, intact: Option<u64>, broken: Option<u64>) -> LocatedRecord {
        LocatedRecord {
            located: Timestamp::from_unix(0),
            shown: shown.map(state),
            intact,
            broken,
            report: String::new(),
        }
    }

    fn state(tx: u64) -> State {
        State {
            tx,
            hash: Digest::ZERO,
        }
    }

    #[test]
    fn a_result_replaces_only_one_of_the_same_state_that_is_not_narrower() {
        let none = result(None, None, None);
        let undecided = result(Some(9), None, None);
        let wide = result(Some(9), Some(2), Some(8));
        let narrow = result(Some(9), Some(4), Some(6));
        let later = result(Some(9), Some(5), Some(8));
        let other = result(Some(7), Some(4), Some(5));
        for (new, kept, due) in [
            (&wide, &undecided, true),
            (&narrow, &wide, true),
            (&wide, &narrow, false),
            (&undecided, &wide, false),
            (&later, &narrow, false), // its first part is narrower, and its second is wider
            (&narrow, &later, false),
            (&narrow, &narrow, true),
            (&none, &undecided, false),
            (&undecided, &none, true),
            (&none, &none, true),
            (&other, &undecided, false),
            (&undecided, &other, true),
            (&other, &none, true),
        ] {
            let is = new.may_replace(kept, Some(state(9)));
            assert_eq!(is, due, "{new:?} for {kept:?}");
        }
        // the alarm of a vanished database has no shown state
        assert!(other.may_replace(&none, None) && !none.may_replace(&other, None));
    }
}
