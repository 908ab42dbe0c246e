//! A database's trusted state: reading, first use, advance, pin, and changes of its identity.

use super::history::HistoryEntry;
use super::present::Present;
use super::store::Store;
use super::store_error::StoreError;
use super::trusted_state::{ObservedState, TrustOrigin, TrustedState, kept_identity};
use crate::clock::Timestamp;
use crate::ledger::{Proven, Signature, State};
use crate::sys::Lock;

impl Store {
    /// Returns the trusted state of a database; `None` only if no state was ever stored for it, or the operator
    /// removed it.
    ///
    /// # Errors
    /// The files are damaged or incomplete; this never counts as a first use.
    pub fn load(&self, database: &str) -> Result<Option<TrustedState>, StoreError> {
        // the remembered end of the history shows without a lock that the state file belongs to it
        if let Some(present) = self.remembered(database) {
            return Ok(present.trusted);
        }
        let _hold = self.hold(Lock::Shared)?;
        Ok(self.present(database)?.trusted)
    }

    /// Returns every accepted state, in order, as far as the history still has them.
    ///
    /// # Errors
    /// As [`load`](Store::load).
    pub fn history(&self, database: &str) -> Result<Vec<HistoryEntry>, StoreError> {
        let _hold = self.hold(Lock::Shared)?;
        let history = self.record(database)?.history;
        Ok(history.map_or_else(Vec::new, |history| history.entries))
    }

    /// Trusts the first state of a database that the server shows.
    ///
    /// # Errors
    /// A state is already trusted, or the state cannot be written.
    pub fn first_use(
        &self,
        database: &str,
        seen: &ObservedState,
        how: TrustOrigin,
        now: Timestamp,
    ) -> Result<TrustedState, StoreError> {
        let hold = self.hold(Lock::Exclusive)?;
        let present = self.settled_present(&hold, database)?;
        if present.trusted.is_some() {
            return Err(StoreError::AlreadyTrusted {
                database: database.into(),
            });
        }
        let trusted = TrustedState {
            database: database.into(),
            state: seen.state,
            shape: Some(seen.shape),
            signature: seen.signature.clone(),
            last_signed: TrustedState::signed_at(seen.signature.as_ref(), seen.state.tx, None),
            uuid: kept_identity(seen.uuid.as_deref()),
            since: now,
            accepted: now,
            how,
        };
        let trusted = self.accept_state(&hold, present.tail, trusted)?;
        self.record_identity(&hold, trusted.uuid.as_deref(), now);
        Ok(trusted)
    }

    /// Replaces the trusted state by one that is proven to extend it, if it is still `before`.
    ///
    /// # Errors
    /// The trusted state was changed meanwhile, the proof is of other states, or the state cannot be written.
    pub fn advance(
        &self,
        before: &TrustedState,
        proven: &Proven,
        seen: &ObservedState,
        now: Timestamp,
    ) -> Result<TrustedState, StoreError> {
        let hold = self.hold(Lock::Exclusive)?;
        let (present, tail) = self.unchanged(&hold, before)?;
        if proven.source() != present.state || proven.target() != seen.state {
            return Err(StoreError::NotProven {
                database: present.database,
                trusted: present.state,
                shown: seen.state,
            });
        }
        let mut trusted = TrustedState {
            database: present.database.clone(),
            state: seen.state,
            shape: Some(seen.shape),
            signature: seen.signature.clone(),
            last_signed: TrustedState::signed_at(
                seen.signature.as_ref(),
                seen.state.tx,
                present.last_signed,
            ),
            uuid: kept_identity(seen.uuid.as_deref()),
            since: present.since,
            accepted: now,
            how: TrustOrigin::Proven,
        };
        let trusted = if trusted.state == present.state {
            // the same state: its signature may be new, but the history gets no new line
            trusted.accepted = present.accepted;
            trusted.how = present.how.clone();
            self.rewrite_state(&hold, &present, trusted)?
        } else {
            self.accept_state(&hold, tail, trusted)?
        };
        self.record_identity(&hold, trusted.uuid.as_deref(), now);
        Ok(trusted)
    }

    /// Records the identity that the server now sends with the trusted state, if that is still `before`, and the shape
    /// of `before`.
    ///
    /// # Errors
    /// The trusted state was changed meanwhile, or cannot be written.
    pub fn note_identity(
        &self,
        before: &TrustedState,
        uuid: Option<&str>,
        now: Timestamp,
    ) -> Result<TrustedState, StoreError> {
        let hold = self.hold(Lock::Exclusive)?;
        let (present, _) = self.unchanged(&hold, before)?;
        let mut trusted = present.clone();
        trusted.shape = trusted.shape.or(before.shape); // a pinned or adopted state has none until it is shown
        trusted.uuid = kept_identity(uuid);
        let trusted = self.rewrite_state(&hold, &present, trusted)?;
        self.record_identity(&hold, trusted.uuid.as_deref(), now);
        Ok(trusted)
    }

    /// Records the signature that the trusted state now comes with, if the trusted state is still `before`, and the
    /// shape of `before`.
    ///
    /// # Errors
    /// The trusted state was changed meanwhile, or cannot be written.
    pub fn note_signature(
        &self,
        before: &TrustedState,
        signature: &Signature,
    ) -> Result<TrustedState, StoreError> {
        let hold = self.hold(Lock::Exclusive)?;
        let (present, _) = self.unchanged(&hold, before)?;
        let mut trusted = present.clone();
        trusted.shape = trusted.shape.or(before.shape);
        trusted.last_signed = Some(trusted.state.tx);
        trusted.signature = Some(signature.clone());
        self.rewrite_state(&hold, &present, trusted)
    }

    /// Starts from a state that the operator knows. If a state is already trusted, returns it, so that the caller
    /// can prove one against the other. If the files are damaged and name the pinned state as the last good one,
    /// the pin repairs them. Damaged files, and a state file that the history contradicts, stay as `*.damaged`.
    ///
    /// # Errors
    /// The files are damaged and name another state, or cannot be written.
    pub fn pin(
        &self,
        database: &str,
        state: State,
        now: Timestamp,
    ) -> Result<TrustedState, StoreError> {
        let hold = self.hold(Lock::Exclusive)?;
        let mut last_signed = None;
        let present = match self.settled_present(&hold, database) {
            Ok(present) => match present.trusted {
                Some(trusted) => return Ok(trusted),
                None => present,
            },
            Err(failure) if failure.repairable() => {
                last_signed = self.last_signed(database);
                Present::of(self.set_aside(&hold, database, state, failure)?)
            }
            Err(failure) => return Err(failure),
        };
        let trusted = TrustedState {
            database: database.into(),
            state,
            shape: None,
            signature: None,
            last_signed,
            uuid: None,
            since: now,
            accepted: now,
            how: TrustOrigin::Pinned,
        };
        self.accept_state(&hold, present.tail, trusted)
    }
}
