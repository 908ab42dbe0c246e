//! Repair of a damaged database: the newest state that a complete file still names, and the pin of that state.

use super::alarm::Alarm;
use super::failpoint::FileKind;
use super::files;
use super::history::History;
use super::record::{Read, Record};
use super::state_file::MAX_STATE_FILE_BYTES;
use super::store::{Hold, Store};
use super::store_error::StoreError;
use super::trusted_state::TrustedState;
use crate::clock::Timestamp;
use crate::ledger::State;

impl Store {
    /// Renames damaged files, if `pinned` is the last good state that they name. If two intact files disagree, the
    /// state file, which the pin replaces, is copied; the history keeps its lines.
    pub(super) fn set_aside(
        &self,
        _hold: &Hold,
        database: &str,
        pinned: State,
        failure: StoreError,
    ) -> Result<Record, StoreError> {
        let (state_path, history_path) = (self.state_path(database), self.history_path(database));
        let state = self.read_state(&state_path, database);
        let history = self.read_history(&history_path, database);
        let known = self.last_good(database, &state, &history);
        if known != Some(pinned) {
            return Err(StoreError::OtherPin {
                pinned,
                known,
                failure: Box::new(failure),
            });
        }
        let history = match history {
            Ok(history) => history,
            Err(_) => {
                files::set_aside(&history_path)?;
                None
            }
        };
        if state.is_err() {
            files::set_aside(&state_path)?;
        } else if matches!(failure, StoreError::Disagree { .. }) {
            // not renamed: it may be the only file that names the last good state, if this is killed
            files::copy_aside(FileKind::State, &state_path, MAX_STATE_FILE_BYTES)?;
        }
        Ok(Record {
            trusted: None,
            history,
            unsettled: None,
        })
    }

    /// Returns the newest state that any complete file names as trusted. An older one would lower trust.
    pub(super) fn last_good(
        &self,
        database: &str,
        state: &Read<TrustedState>,
        history: &Read<History>,
    ) -> Option<State> {
        let of_state =
            |read: &Read<TrustedState>| read.as_ref().ok()?.as_ref().map(Named::by_state);
        let of_history = history.as_ref().ok().and_then(Option::as_ref);
        // alarms that cannot be read name no state
        let alarms = self.alarms(database).unwrap_or_default();
        let named = [of_history.and_then(Named::by_history), of_state(state)];
        let named = named.into_iter().flatten();
        let named = named.chain(alarms.iter().filter_map(Named::by_alarm));
        named.reduce(Named::newer).map(|named| named.state)
    }
}

/// A state that a complete file names as trusted.
#[derive(Clone, Copy)]
struct Named {
    state: State,
    /// The time in that file.
    time: Timestamp,
    /// The begin of the unbroken line of proofs that ends in the state, if the file contains it.
    since: Option<Timestamp>,
}

impl Named {
    fn by_state(trusted: &TrustedState) -> Named {
        Named {
            state: trusted.state,
            time: trusted.accepted,
            since: Some(trusted.since),
        }
    }

    fn by_history(history: &History) -> Option<Named> {
        let last = history.entries.last()?;
        let mut entries = history.entries.iter().rev();
        Some(Named {
            state: last.state,
            time: last.time,
            since: entries
                .find(|entry| entry.is_a_beginning())
                .map(|entry| entry.time),
        })
    }

    fn by_alarm(alarm: &Alarm) -> Option<Named> {
        Some(Named {
            state: alarm.trusted?,
            time: alarm.opened(),
            since: None,
        })
    }

    /// Returns the newer of two: the state whose line of proofs begins after the other was named, because it was
    /// adopted or pinned since; otherwise the state with more transactions, because trust only grows along a line.
    fn newer(self, other: Named) -> Named {
        let replaces =
            |this: Named, that: Named| this.since.is_some_and(|since| since >= that.time);
        match (replaces(self, other), replaces(other, self)) {
            (true, false) => self,
            (false, true) => other,
            _ if other.state.tx > self.state.tx => other,
            _ => self,
        }
    }
}
