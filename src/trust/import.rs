//! Import of trusted states from another auditor, and removal of trusted states.

use super::history::Change;
use super::store::Store;
use super::store_error::StoreError;
use super::trusted_state::{ObservedState, TrustOrigin, TrustedState};
use crate::clock::Timestamp;
use crate::ledger::{Proven, State};
use crate::sys::Lock;

/// The reason why another auditor's state may be trusted.
#[derive(Clone, Copy, Debug)]
pub enum ImportBasis<'a> {
    /// The server shows exactly this state.
    Shown(State),
    /// The server shows a state that is proven to extend it.
    Extended(&'a Proven),
}

impl ImportBasis<'_> {
    /// Returns the state that this basis is for.
    fn state(self) -> State {
        match self {
            ImportBasis::Shown(state) => state,
            ImportBasis::Extended(proven) => proven.source(),
        }
    }
}

impl Store {
    /// Trusts a state of another auditor, for a database without a trusted state.
    ///
    /// # Errors
    /// A state is already trusted, the basis is another state's, or the state cannot be written.
    pub fn import(
        &self,
        database: &str,
        imported: &ObservedState,
        ground: ImportBasis<'_>,
        now: Timestamp,
    ) -> Result<TrustedState, StoreError> {
        if ground.state() != imported.state {
            return Err(StoreError::NotProven {
                database: database.into(),
                trusted: ground.state(),
                shown: imported.state,
            });
        }
        self.first_use(database, imported, TrustOrigin::Imported, now)
    }

    /// Stops trusting any state of a database; its history, alarms and evidence stay. `None` if no state was
    /// trusted.
    ///
    /// # Errors
    /// The files are damaged, or cannot be written.
    pub fn distrust(
        &self,
        database: &str,
        now: Timestamp,
    ) -> Result<Option<TrustedState>, StoreError> {
        let hold = self.hold(Lock::Exclusive)?;
        let record = self.settled(&hold, database)?;
        let Some(trusted) = record.trusted.clone() else {
            return Ok(None);
        };
        self.forget(&hold, record.tail(), &trusted, Change::Dropped, now)?;
        Ok(Some(trusted))
    }
}
