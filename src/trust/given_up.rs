//! States of a history that an operator gave up, by `alarm adopt` or `states forget`.

use std::fmt;

use super::history::{Change, HistoryEntry};
use super::record::Record;
use super::store::Store;
use super::store_error::StoreError;
use super::trusted_state::TrustOrigin;
use crate::clock::Timestamp;
use crate::ledger::State;
use crate::sys::Lock;

/// A state that was trusted until an operator gave up its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The state.
    pub state: State,
    /// The time of the decision.
    pub when: Timestamp,
    /// The decision.
    pub by: Change,
}

impl Store {
    /// Returns the last state of this kind that was trusted before the present history began; `None` if there is none.
    ///
    /// # Errors
    /// As [`load`](Store::load).
    pub fn given_up(
        &self,
        database: &str,
        is: impl Fn(&State) -> bool,
    ) -> Result<Option<GivenUp>, StoreError> {
        let _hold = self.hold(Lock::Shared)?;
        let record = self.record(database)?;
        let entries = record.history.map(|history| history.entries);
        Ok(given_up(&entries.unwrap_or_default(), is))
    }
}

impl Record {
    /// Returns the operator's decision that gave up this state; `None` if the state is trusted, was replaced by one
    /// that extends it, or is not known.
    pub(super) fn given_up(&self, state: State) -> Option<GivenUp> {
        let history = self.history.as_ref().filter(|_| !self.has_proven(state))?;
        let given_up = given_up(&history.entries, |entry| *entry == state)?;
        match given_up.by {
            Change::Accepted(TrustOrigin::Adopted { .. })
            | Change::Forgotten { .. }
            | Change::Dropped => Some(given_up),
            // a pin that repaired damaged files gives up nothing
            Change::Accepted(_) => None,
        }
    }
}

fn given_up(entries: &[HistoryEntry], is: impl Fn(&State) -> bool) -> Option<GivenUp> {
    let begin = entries.iter().rposition(HistoryEntry::is_a_beginning)?;
    let (before, since) = entries.split_at_checked(begin)?;
    // a line about a removed state has that state too
    let was_trusted = |entry: &HistoryEntry| matches!(entry.change, Change::Accepted(_));
    let last = before
        .iter()
        .rposition(|entry| was_trusted(entry) && is(&entry.state))?;
    let state = before.get(last)?.state;
    let mut later = before.iter().skip(last).skip(1).chain(since);
    let decision = later.find(|entry| entry.is_a_beginning())?;
    Some(GivenUp {
        state,
        when: decision.time,
        by: decision.change.clone(),
    })
}

/// The time, and the command that gave up the history.
impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.when)?;
        match &self.by {
            Change::Accepted(TrustOrigin::Adopted { alarm }) | Change::Forgotten { alarm } => {
                write!(f, " by immuaudit alarm adopt {alarm}")
            }
            Change::Dropped => f.write_str(" by immuaudit states forget"),
            Change::Accepted(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Digest;

    fn state(tx: u64) -> State {
        State {
            tx,
            hash: Digest::of(&[&tx.to_be_bytes()]),
        }
    }

    fn entries(changes: &[(u64, Change)]) -> Vec<HistoryEntry> {
        let entry = |(at, (tx, change)): (u64, &(u64, Change))| HistoryEntry {
            time: Timestamp::from_unix(at),
            change: change.clone(),
            state: state(*tx),
            shape: None,
            uuid: None,
        };
        (1..).zip(changes).map(entry).collect()
    }

    #[test]
    fn the_decision_is_the_first_one_after_the_state_and_the_present_history_is_not_given_up() {
        let accepted = |how| Change::Accepted(how);
        let alarm = || "0123456789ab".to_string();
        let adopted = || accepted(TrustOrigin::Adopted { alarm: alarm() });
        let entries = entries(&[
            (5, accepted(TrustOrigin::FirstSeen)),
            (7, accepted(TrustOrigin::Proven)),
            (3, adopted()),
            (4, accepted(TrustOrigin::Proven)),
            (4, Change::Dropped),
            (6, accepted(TrustOrigin::FirstSeen)),
            (8, accepted(TrustOrigin::Proven)),
        ]);
        let of = |tx: u64| given_up(&entries, |of| of.tx == tx);
        let origin = |tx: u64| of(tx).map(|of| of.to_string());
        let by_alarm = format!(
            "{} by immuaudit alarm adopt 0123456789ab",
            Timestamp::from_unix(3)
        );
        assert_eq!(origin(5), Some(by_alarm.clone()));
        assert_eq!(origin(7), Some(by_alarm));
        assert_eq!(of(4).map(|of| of.by), Some(Change::Dropped));
        assert_eq!([of(6), of(8), of(9)], [None, None, None]);
        // the last one counts
        assert_eq!(
            given_up(&entries, |of| of.tx > 4).map(|of| of.state.tx),
            Some(7)
        );
        assert_eq!(given_up(&[], |_| true), None);
    }
}
