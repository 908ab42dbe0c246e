//! State file and history of one database together: their combined content, and how both are changed as one.
//!
//! A change has four steps: the new state on disk under a temporary name, its line in the history, the new state
//! under its own name, and that on disk. A kill before the second step undoes the change; after it, the change is
//! complete.

use std::path::Path;

use super::compaction;
use super::failpoint::FileKind;
use super::file_damage::FileDamage;
use super::files::{self, NEW, with_suffix};
use super::history::{self, Change, History, HistoryEntry};
use super::recovery::Recovery;
use super::state_file;
use super::store::{Hold, Store};
use super::store_error::StoreError;
use super::tail::Tail;
use super::trusted_state::{TrustOrigin, TrustedState};
use super::warning::Warning;
use crate::clock::Timestamp;
use crate::ledger::State;

/// The combined content of a database's files.
#[derive(Debug)]
pub(super) struct Record {
    /// The trusted state.
    pub trusted: Option<TrustedState>,
    /// The history of the state.
    pub history: Option<History>,
    pub(super) unsettled: Option<Unsettled>,
}

/// The remaining change that makes each file agree with the record.
#[derive(Debug)]
pub(super) enum Unsettled {
    /// The state that was being written is valid: its line is in the history.
    Publish,
    /// The history is ahead of the state file.
    Rewrite,
    /// The history's last line is torn, and belonged to the trusted state.
    Append,
    /// The state file belongs to a state that was removed.
    Remove,
}

impl Record {
    /// Returns the states of the unbroken line of proofs that ends in the trusted state, each with the time at which it
    /// was accepted; none if no state is trusted.
    pub(super) fn dated_line(&self) -> Vec<(State, Timestamp)> {
        let Some(trusted) = &self.trusted else {
            return Vec::new();
        };
        let entries = self.history.as_ref().map(|history| &history.entries);
        let entries = entries.map_or(&[][..], Vec::as_slice);
        let begin = entries.iter().rposition(HistoryEntry::is_a_beginning);
        let line = entries.get(begin.unwrap_or(0)..).unwrap_or_default();
        let mut line: Vec<_> = line.iter().map(|entry| (entry.state, entry.time)).collect();
        if line.last().map(|(state, _)| *state) != Some(trusted.state) {
            line.push((trusted.state, trusted.accepted));
        }
        line
    }

    /// Returns the end of the history, if there is one.
    pub(super) fn tail(&self) -> Option<Tail> {
        self.history.as_ref().and_then(Tail::of)
    }

    /// Returns whether a state is in the unbroken line of proofs that ends in the trusted state.
    pub(super) fn has_proven(&self, state: State) -> bool {
        self.dated_line().iter().any(|(proven, _)| *proven == state)
    }
}

impl Store {
    /// Returns the combined content of the files, as they are.
    pub(super) fn record(&self, database: &str) -> Result<Record, StoreError> {
        let (state_path, history_path) = (self.state_path(database), self.history_path(database));
        let state = self.read_state(&state_path, database);
        let history = self.read_history(&history_path, database);
        let recovery = || Recovery::of(database, self.last_good(database, &state, &history));
        let with_recovery = |failure: &StoreError| match failure.clone() {
            StoreError::Damaged { path, damage, .. } => StoreError::Damaged {
                path,
                damage,
                recovery: recovery(),
            },
            other => other,
        };
        let missing = |path, other_file| StoreError::Missing {
            path,
            other_file,
            recovery: recovery(),
        };
        let history = match &history {
            Err(failure) => return Err(with_recovery(failure)),
            Ok(Some(history)) => history,
            Ok(None) => {
                return match &state {
                    Ok(None) => self.nothing(database),
                    Ok(Some(_)) => Err(missing(history_path, state_path)),
                    Err(failure) => Err(with_recovery(failure)),
                };
            }
        };
        let Some(last) = history.entries.last() else {
            return Err(missing(state_path, history_path)); // unreachable: History::parse refuses a history without entries
        };
        let known = |trusted: Option<TrustedState>, unsettled| {
            Ok(Record {
                trusted,
                history: Some(history.clone()),
                unsettled,
            })
        };
        if history.torn {
            let path = history_path.clone();
            self.warn(Warning::TornHistory { path });
        }
        let prepared = self.read_state(&with_suffix(&state_path, NEW), database);
        if let Ok(Some(prepared)) = prepared {
            if last.is_of(&prepared) {
                return known(Some(prepared), Some(Unsettled::Publish));
            }
        }
        let forgotten = !matches!(last.change, Change::Accepted(_));
        match &state {
            Ok(None) if forgotten => known(None, None),
            Ok(None) => Err(missing(state_path, history_path)),
            Err(failure) => Err(with_recovery(failure)),
            Ok(Some(trusted)) if last.is_of(trusted) => known(Some(trusted.clone()), None),
            Ok(Some(trusted)) if history.entries.iter().any(|entry| entry.is_of(trusted)) => {
                if forgotten {
                    known(None, Some(Unsettled::Remove))
                } else {
                    let mut ahead = from_history(database, &history.entries);
                    if let Some(ahead) = &mut ahead {
                        ahead.last_signed = trusted.last_signed; // the history does not contain it
                    }
                    known(ahead, Some(Unsettled::Rewrite))
                }
            }
            Ok(Some(trusted)) if history.torn && may_follow(trusted, last) => {
                known(Some(trusted.clone()), Some(Unsettled::Append))
            }
            Ok(Some(_)) => Err(StoreError::Disagree {
                state: state_path,
                history: history_path,
                recovery: recovery(),
            }),
        }
    }

    /// Returns the combined content of the files, after it has made each file agree with it.
    pub(super) fn settled(&self, hold: &Hold, database: &str) -> Result<Record, StoreError> {
        let mut record = self.record(database)?;
        let path = self.state_path(database);
        match (record.unsettled.take(), &record.trusted) {
            (Some(Unsettled::Publish), _) => files::publish(FileKind::State, &path)?,
            (Some(Unsettled::Rewrite), Some(trusted)) => {
                files::replace(
                    FileKind::State,
                    &path,
                    &state_file::render(self.server(), trusted),
                )?;
            }
            (Some(Unsettled::Append), Some(trusted)) => {
                self.append(
                    hold,
                    record.tail(),
                    &trusted.database,
                    &HistoryEntry::of(trusted),
                )?;
            }
            (Some(Unsettled::Remove), _) => files::remove_for_good(&path)?,
            _ => {
                files::remove(&with_suffix(&path, NEW))?;
                if let Some(history) = record.history.as_mut().filter(|history| history.torn) {
                    files::append(&self.history_path(database), history.length, &[])?;
                    history.torn = false;
                }
                return Ok(record);
            }
        }
        let mut record = self.record(database)?;
        record.unsettled = None;
        Ok(record)
    }

    /// Makes `trusted` the trusted state, in four steps.
    pub(super) fn accept_state(
        &self,
        hold: &Hold,
        tail: Option<Tail>,
        trusted: TrustedState,
    ) -> Result<TrustedState, StoreError> {
        let (path, database) = (self.state_path(&trusted.database), &trusted.database);
        let file = state_file::render(self.server(), &trusted);
        files::prepare(FileKind::State, &path, &file)?;
        let tail = self.append(hold, tail, database, &HistoryEntry::of(&trusted))?;
        files::publish(FileKind::State, &path)?;
        if let Some(tail) = tail {
            let may_be_thinned = compaction::is_due(tail.entries);
            self.remember_appended(database, tail);
            if may_be_thinned {
                self.compact_history(database);
            }
        }
        Ok(trusted)
    }

    /// Stops trusting any state of a database, because the operator decided so.
    pub(super) fn forget(
        &self,
        hold: &Hold,
        tail: Option<Tail>,
        trusted: &TrustedState,
        change: Change,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = HistoryEntry {
            time: now,
            change,
            state: trusted.state,
            shape: trusted.shape,
            uuid: trusted.uuid.clone(),
        };
        self.append(hold, tail, &trusted.database, &entry)?;
        files::remove_for_good(&self.state_path(&trusted.database))
    }

    /// Returns the last signed transaction in the state file, if the file is complete.
    pub(super) fn last_signed(&self, database: &str) -> Option<u64> {
        let state = self.read_state(&self.state_path(database), database);
        state.ok().flatten().and_then(|trusted| trusted.last_signed)
    }

    /// Writes an entry after the end of the history, and returns the new end. If the history begins with the
    /// entry, its end is known only after it was read completely.
    fn append(
        &self,
        hold: &Hold,
        tail: Option<Tail>,
        database: &str,
        entry: &HistoryEntry,
    ) -> Result<Option<Tail>, StoreError> {
        let path = self.history_path(database);
        match tail {
            Some(tail) => {
                let (line, next) = tail.next(entry);
                files::append(&path, tail.length, &line)?;
                Ok(Some(next))
            }
            None => {
                self.record_arrival(hold, database);
                let file = History::render(self.server(), database, std::slice::from_ref(entry));
                files::replace(FileKind::History, &path, &file)?;
                Ok(None)
            }
        }
    }

    /// Returns an empty record if there is no state file and no history. An alarm that names a trusted state
    /// proves that there was one, so the result is an error then.
    fn nothing(&self, database: &str) -> Result<Record, StoreError> {
        self.alarms(database)?;
        let trusted = self.last_good(database, &Ok(None), &Ok(None));
        match trusted {
            None => Ok(Record {
                trusted: None,
                history: None,
                unsettled: None,
            }),
            Some(state) => Err(StoreError::Missing {
                path: self.state_path(database),
                other_file: self.alarms_path(database),
                recovery: Recovery::of(database, Some(state)),
            }),
        }
    }

    pub(super) fn read_state(
        &self,
        path: &Path,
        database: &str,
    ) -> Result<Option<TrustedState>, StoreError> {
        let parse = |bytes: &[u8]| state_file::parse(bytes, self.server(), database);
        read(path, state_file::MAX_STATE_FILE_BYTES, database, parse)
    }

    pub(super) fn read_history(
        &self,
        path: &Path,
        database: &str,
    ) -> Result<Option<History>, StoreError> {
        let parse = |bytes: &[u8]| History::parse(bytes, self.server(), database);
        read(path, history::MAX_HISTORY_BYTES, database, parse)
    }
}

fn read<T>(
    path: &Path,
    most: u64,
    database: &str,
    parse: impl Fn(&[u8]) -> Result<T, FileDamage>,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = files::read(path, most)? else {
        return Ok(None);
    };
    parse(&bytes)
        .map(Some)
        .map_err(|damage| StoreError::Damaged {
            path: path.into(),
            damage,
            recovery: Recovery::of(database, None),
        })
}

pub(super) type Read<T> = Result<Option<T>, StoreError>;

/// Returns whether `trusted` can be the state of the torn line after `last`.
fn may_follow(trusted: &TrustedState, last: &HistoryEntry) -> bool {
    trusted.how != TrustOrigin::Proven || trusted.state.tx > last.state.tx
}

/// Returns the trusted state from the history, without the signature, which the history does not contain.
fn from_history(database: &str, entries: &[HistoryEntry]) -> Option<TrustedState> {
    let last = entries.last()?;
    let Change::Accepted(how) = &last.change else {
        return None;
    };
    let beginning = entries.iter().rev().find(|entry| entry.is_a_beginning());
    Some(TrustedState {
        database: database.into(),
        state: last.state,
        shape: last.shape,
        signature: None,
        last_signed: None,
        uuid: last.uuid.clone(),
        since: beginning.unwrap_or(last).time,
        accepted: last.time,
        how: how.clone(),
    })
}
