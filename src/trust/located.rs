//! `evidence/DATABASE/ALARM.located`: where it was tampered, beside the evidence that it was.
//!
//! A file of its own: evidence is written before anybody looks for more, and never touched again.

use std::path::Path;

use toml::Table;

use super::failure::{Damage, LocalFailure};
use super::fault::Kind;
use super::files;
use super::sealed::{self, Writer};
use super::store::Store;
use super::text::cut;
use super::timestamp::Timestamp;
use crate::ledger::State;
use crate::sys::Lock;

const WHAT: &str = "immuaudit: where a history was tampered with, as far as it was found. The evidence stands beside it.";
/// Longest file that is read.
const MOST: u64 = 1 << 20;
/// Longest text that is kept, in characters.
const TEXT: usize = 100_000;
/// Ending of the file.
const LOCATED: &str = "located";

/// What is kept of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedRecord {
    /// When it was made.
    pub located: Timestamp,
    /// The state that everything was held against; `None` where none was shown.
    pub shown: Option<State>,
    /// The last transaction that is proven to stand.
    pub stands: Option<u64>,
    /// The first one that is proven to be another.
    pub broken: Option<u64>,
    /// The report, for people.
    pub report: String,
}

impl Store {
    /// Keeps what was found for an alarm beside its evidence, in the place of an earlier search. An alarm
    /// whose evidence is not kept has none.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_located(
        &self,
        database: &str,
        alarm: &str,
        record: &LocatedRecord,
    ) -> Result<(), LocalFailure> {
        let _hold = self.hold(Lock::Exclusive)?;
        let evidence = self.evidence_path(database, alarm);
        if !files::exists(&evidence)? {
            return Ok(());
        }
        let mut writer = Writer::new(WHAT, &self.server);
        writer.text("program", concat!("immuaudit ", env!("CARGO_PKG_VERSION")));
        writer.text("database", database);
        writer.text("alarm", alarm);
        writer.time("located", record.located);
        let shown = record.shown.map(|state| state.to_string());
        writer.optional("shown", shown.as_deref());
        for (key, tx) in [("stands", record.stands), ("broken", record.broken)] {
            if let Some(tx) = tx {
                writer.number(key, tx);
            }
        }
        writer.text("report", &cut(&record.report, TEXT));
        let path = evidence.with_extension(LOCATED);
        files::replace(Kind::Evidence, &path, &writer.seal())
    }
}

impl LocatedRecord {
    /// What was found for the alarm whose evidence this file is; `None` where nobody looked.
    ///
    /// # Errors
    /// The file is not what an auditor wrote.
    pub fn beside(evidence: &Path) -> Result<Option<LocatedRecord>, LocalFailure> {
        let path = evidence.with_extension(LOCATED);
        let Some(bytes) = files::read(&path, MOST)? else {
            return Ok(None);
        };
        let damaged = |damage| LocalFailure::DamagedRecord {
            path: path.clone(),
            damage,
        };
        let read = sealed::open_of_any_server(&bytes).and_then(|table| parse(&table));
        read.map(Some).map_err(damaged)
    }

    /// Removes what was found for an alarm that is let go.
    pub(super) fn remove_beside(evidence: &Path) -> Result<(), LocalFailure> {
        files::remove(&evidence.with_extension(LOCATED))
    }
}

fn parse(table: &Table) -> Result<LocatedRecord, Damage> {
    let number = |key| match table.get(key) {
        None => Ok(None),
        Some(_) => sealed::number(table, key).map(Some),
    };
    Ok(LocatedRecord {
        located: sealed::time(table, "located")?,
        shown: sealed::state(table, "shown")?,
        stands: number("stands")?,
        broken: number("broken")?,
        report: sealed::text(table, "report")?.into(),
    })
}
