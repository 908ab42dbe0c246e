//! Trusted states that were restored from a backup alone: an older state is trusted again, although the last verdicts
//! name a later one.

use super::outcome::OutcomeRecord;
use super::store::Store;
use super::trusted_state::TrustedState;
use super::warning::Warning;

impl Store {
    /// Warns if the last verdicts name a later state than the trusted one that was proven, and no command gave it up
    /// since: a command that replaces a state by an older one begins a new line of proofs, and keeps the history.
    pub fn warn_if_restored(&self, trusted: &TrustedState, last: &OutcomeRecord) {
        let (Some(later), Some(proven)) = (last.proven_state, last.proven) else {
            return;
        };
        if later.tx <= trusted.state.tx || trusted.since >= proven {
            return;
        }
        let history = self.history(&trusted.database);
        if history.is_ok_and(|entries| entries.iter().all(|entry| entry.state != later)) {
            self.warn(Warning::Restored {
                path: self.state_path(&trusted.database),
                database: trusted.database.clone(),
                trusted_tx: trusted.state.tx,
                later_tx: later.tx,
                later_hash: later.hash.to_string(),
                proven,
            });
        }
    }
}
