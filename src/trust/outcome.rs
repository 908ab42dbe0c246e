//! `outcomes`: the last verdicts, so that `immuaudit status` and *overdue* survive a restart.
//!
//! No trusted state depends on it: a damaged file is a warning.

use toml::Table;

use super::checksummed::{self, Writer};
use super::failpoint::FileKind;
use super::files;
use super::finding::current_word;
use super::store::Store;
use super::store_error::StoreError;
use super::text::cut;
use super::trusted_state::{TrustOrigin, TrustedState};
use super::warning::Warning;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::sys::Lock;

const WHAT: &str = "immuaudit: the last verdict on each database.";
const FILE: &str = "outcomes";
/// The longest file that is read, in bytes. It limits the memory that a damaged or foreign file can take.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// The length limit of a stored reason, in characters: 10,000 databases with such reasons fit into the file.
pub const MAX_LAST_REASON_CHARS: usize = 500;
/// The maximum length of a stored fault of a cycle, in characters.
const MAX_TROUBLE: usize = 500;

/// The maximum number of stored faults of a cycle; each unmatched entry of `--audit-databases` is one.
const MAX_TROUBLES: usize = 100;
/// The key of an order of untrusted databases that was not drawn at random; older files have it.
pub const WITHOUT_KEY: u64 = 1;

/// The result of the last check of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeRecord {
    /// The database.
    pub database: String,
    /// The verdict's word.
    pub verdict: String,
    /// The reason, cut.
    pub reason: String,
    /// The time of the check.
    pub checked: Timestamp,
    /// The time at which it was last proven, or first seen.
    pub proven: Option<Timestamp>,
    /// The time since which its trusted state counts as not proven; `None` if the last check proved it.
    pub unproven_since: Option<Timestamp>,
    /// The time at which its state last changed.
    pub grown: Option<Timestamp>,
    /// The last transaction that was trusted.
    pub trusted_tx: Option<u64>,
    /// The state that was proven last.
    pub proven_state: Option<State>,
    /// Whether the server has ever listed it.
    pub listed: bool,
    /// Whether everything was proven and read in time.
    pub complete: bool,
    /// Whether values were absent without a known reason.
    pub absent: bool,
    /// Whether a peer's checkpoint contradicted the state that the server showed.
    pub contradicted: bool,
    /// Whether an alarm of the database was open.
    pub open: bool,
    /// Whether the check ran into a deadline.
    pub slow: bool,
    /// Whether receivers are notified of the database by itself, although no state of it was ever trusted: it has a pin
    /// or alarms.
    pub known: bool,
    /// The key of the order of untrusted databases, if it was the last of them that was checked; [`WITHOUT_KEY`] if
    /// none was drawn.
    pub last_untrusted: Option<u64>,
}

impl OutcomeRecord {
    /// Returns whether a state was ever trusted, whatever the last verdict is.
    pub fn was_trusted(&self) -> bool {
        // version 0.1.0 wrote the verdict only
        self.trusted_tx.is_some() || self.is_well()
    }

    /// Returns whether the last check proved a state with transactions, and found nothing else.
    pub fn is_well(&self) -> bool {
        ["first-seen", "consistent"].contains(&self.verdict.as_str())
    }

    /// Returns the time since which the database has not been proven.
    pub fn unproven_from(&self) -> Option<Timestamp> {
        // since the proof the clock may have been set back, so the later count has priority
        self.unproven_since.or(self.proven)
    }

    /// Replaces times in the future by now, because a clock that was ahead must not keep a record young forever.
    pub fn clamp_to(&mut self, now: Timestamp) {
        self.checked = self.checked.min(now);
        let times = [&mut self.proven, &mut self.unproven_since, &mut self.grown];
        for time in times.into_iter().flatten() {
            *time = (*time).min(now);
        }
    }
}

/// Returns the time at which a trusted state was last proven: by the last check that proved this very state,
/// otherwise when it was accepted. A pin or an adoption is no proof, and a last check with another verdict is
/// none.
pub fn last_proven(trusted: &TrustedState, checked: Option<&OutcomeRecord>) -> Option<Timestamp> {
    let by_check = checked.filter(|of| of.proven_state == Some(trusted.state));
    if let Some(at) = by_check.and_then(|of| of.proven) {
        return Some(at);
    }
    let is_well = checked.is_none_or(OutcomeRecord::is_well);
    match &trusted.how {
        TrustOrigin::FirstSeen | TrustOrigin::Proven | TrustOrigin::Imported if is_well => {
            Some(trusted.accepted)
        }
        _ => None,
    }
}

/// The last verdicts of all databases.
pub type Outcomes = Vec<OutcomeRecord>;

impl Store {
    /// Writes the last verdicts, and the faults of the last cycle that concern no single database.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_outcomes<'a>(
        &self,
        outcomes: impl IntoIterator<Item = &'a OutcomeRecord>,
        troubles: &[String],
    ) -> Result<(), StoreError> {
        let _hold = self.hold(Lock::Exclusive)?;
        let mut writer = Writer::new(WHAT, self.server());
        for outcome in outcomes {
            writer.element("outcome");
            writer.text("database", &outcome.database);
            writer.text("verdict", &outcome.verdict);
            writer.text("reason", &cut(&outcome.reason, MAX_LAST_REASON_CHARS));
            writer.time("checked", outcome.checked);
            writer.optional_time("proven", outcome.proven);
            writer.optional_time("unproven_since", outcome.unproven_since);
            writer.optional_time("grown", outcome.grown);
            writer.optional_number("trusted_tx", outcome.trusted_tx);
            let state = outcome.proven_state.map(|state| state.to_string());
            writer.optional("proven_state", state.as_deref());
            if !outcome.listed {
                writer.number("listed", 0);
            }
            if !outcome.complete {
                writer.number("complete", 0);
            }
            for (key, flag) in [
                ("absent", outcome.absent),
                ("contradicted", outcome.contradicted),
                ("open", outcome.open),
                ("slow", outcome.slow),
                ("known", outcome.known),
            ] {
                if flag {
                    writer.number(key, 1);
                }
            }
            writer.optional_number("last_untrusted", outcome.last_untrusted);
        }
        for trouble in troubles.iter().take(MAX_TROUBLES) {
            writer.element("trouble");
            writer.text("reason", &cut(trouble, MAX_TROUBLE));
        }
        files::replace(FileKind::Outcomes, &self.home.join(FILE), &writer.finish())
    }

    /// Checks whether a database without a trusted state, which was proven before, was given up on purpose (its
    /// history records that) or lost.
    ///
    /// # Errors
    /// The trusted state is lost.
    pub fn nothing_lost(&self, database: &str) -> Result<(), StoreError> {
        if !self.history(database)?.is_empty() {
            return Ok(());
        }
        Err(StoreError::Lost {
            database: database.into(),
            directory: self.roots.clone(),
            outcomes: self.home.join(FILE),
        })
    }

    /// Returns the faults of the last cycle that concern no single database; none if the file is damaged, of which
    /// [`Store::load_outcomes`] warns.
    pub fn load_troubles(&self) -> Vec<String> {
        let reason = |table: &Table| checksummed::text(table, "reason").ok().map(String::from);
        let path = self.home.join(FILE);
        let troubles = self.elements(&path, MAX_FILE_BYTES, "trouble", reason);
        troubles.unwrap_or_default()
    }

    /// Returns the last verdicts; none, and a warning, if the file is damaged.
    pub fn load_outcomes(&self) -> Outcomes {
        let path = self.home.join(FILE);
        let outcomes = self.elements(&path, MAX_FILE_BYTES, "outcome", outcome);
        outcomes.unwrap_or_else(|| {
            self.warn(Warning::StartedOver { path });
            Vec::new()
        })
    }
}

fn outcome(table: &Table) -> Option<OutcomeRecord> {
    let text = |key| checksummed::text(table, key).ok().map(String::from);
    Some(OutcomeRecord {
        database: text("database")?,
        verdict: current_word(&text("verdict")?).to_owned(),
        reason: text("reason")?,
        checked: checksummed::time(table, "checked").ok()?,
        proven: checksummed::optional_time(table, "proven").ok()?,
        unproven_since: checksummed::optional_time(table, "unproven_since").ok()?,
        grown: checksummed::optional_time(table, "grown").ok()?,
        trusted_tx: checksummed::optional_number(table, "trusted_tx").ok()?,
        proven_state: checksummed::state(table, "proven_state").ok()?,
        listed: !table.contains_key("listed"),
        complete: !table.contains_key("complete"),
        absent: table.contains_key("absent"),
        contradicted: table.contains_key("contradicted"),
        open: table.contains_key("open"),
        slow: table.contains_key("slow"),
        known: table.contains_key("known"),
        last_untrusted: checksummed::optional_number(table, "last_untrusted").ok()?,
    })
}
