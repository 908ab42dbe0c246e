//! Comparing another auditor's trusted states with the local trusted states.

use std::collections::BTreeMap;

use crate::audit::auditor::Auditor;
use crate::audit::check::proof::{self, ExtensionResult};
use crate::audit::diff::parting::Parting;
use crate::audit::verdict::{Exit, Reason, Verdict};
use crate::ledger::{Digest, State};
use crate::ranges::Ranges;
use crate::trust::{Exported, GivenUp, Raised, StoreError, Tampering, TrustedState};

/// The trusted states of another auditor, and their source.
#[derive(Clone, Debug)]
pub struct Theirs {
    /// The databases with their states.
    pub databases: Vec<Exported>,
    /// The kind of source of `raw`, for the evidence.
    pub came_as: &'static str,
    /// The address of a running auditor, without secrets; `None` for a file.
    pub address: Option<String>,
    /// The states as they came, byte for byte.
    pub raw: Vec<u8>,
}

/// The result of comparing one database.
#[derive(Debug)]
pub struct Comparison {
    /// The database.
    pub database: String,
    /// The result.
    pub result: Compared,
    /// Transactions with values that the server does not have for this auditor, and had for the other.
    pub absent_here: Ranges,
    /// Transactions with values that the server had for this auditor, and not for the other.
    pub absent_there: Ranges,
}

impl Comparison {
    /// Returns the exit code for this database alone.
    pub fn exit(&self) -> Exit {
        let same = self.absent_here.is_empty() && self.absent_there.is_empty();
        let values = if same { Exit::Good } else { Exit::Incomplete };
        self.result.exit().max(values)
    }
}

/// The relation between the trusted states of two auditors.
#[allow(clippy::large_enum_variant)] // one value exists at a time, and not for long
#[derive(Debug)]
pub enum Compared {
    /// The newest state of one auditor is also the other's, or the server proves the two against each other.
    Agree(State),
    /// Both auditors trust this state, and the other's history has grown since. The local server has not reached the
    /// newer state.
    Ahead {
        /// The newest state that both trust, or that the server proves.
        agreed: State,
        /// The other auditor's newest state.
        theirs: State,
    },
    /// The local server has not reached the two states to compare, and no older state decides.
    NotYet {
        /// The last transaction that the server shows.
        shown: u64,
        /// The other auditor's newest state.
        theirs: State,
    },
    /// The server showed the two auditors different histories: it signed the other auditor's state, or shows it here.
    SplitView {
        /// The reason.
        reason: Reason,
        /// The other auditor's trusted state.
        theirs: State,
        /// The alarm, and the reason why it or its evidence could not be written.
        raised: Box<Raised>,
        /// The states between which the histories fork.
        parting: Parting,
    },
    /// Only the other auditor's states contradict the server.
    Disagrees {
        /// The other auditor's state.
        theirs: State,
        /// The hash that its transaction has here.
        here: Digest,
        /// The states between which the histories fork.
        parting: Parting,
    },
    /// The other auditor's history was trusted here until an operator gave it up.
    GivenUp {
        /// The other auditor's state, and the decision.
        given_up: GivenUp,
        /// The last state that is known to belong to both histories.
        agreed: Option<State>,
    },
    /// The states contradict each other, and it could not be tested which one the server shows, for this reason.
    Pending(String),
    /// No proof was possible.
    NotProven(Verdict, Reason),
    /// The database has no local trusted state.
    NotHere,
    /// The auditor's own files cannot be read or written.
    Local(StoreError),
}

/// The server's response about two auditors' states.
enum PairComparison {
    /// One state extends the other.
    Agree,
    /// Neither state extends the other.
    Refused,
    /// No proof, for this reason.
    Unproven(Verdict, Reason),
    /// The server shows only this many transactions.
    Behind(u64),
    /// The program is asked to end.
    Stopped,
}

impl Compared {
    /// Returns the exit code for this database alone.
    pub fn exit(&self) -> Exit {
        match self {
            Compared::Agree(_) | Compared::Ahead { .. } | Compared::NotHere => Exit::Good,
            Compared::SplitView { .. } => Exit::Tampered,
            Compared::Disagrees { .. }
            | Compared::GivenUp { .. }
            | Compared::Pending(_)
            | Compared::NotProven(..)
            | Compared::NotYet { .. } => Exit::Incomplete,
            Compared::Local(_) => Exit::Local,
        }
    }
}

impl Auditor {
    /// Compares one of another auditor's databases with the local trusted state. Returns `None` if the program is
    /// asked to end.
    pub fn compare(&mut self, one: &Exported, theirs: &Theirs) -> Option<Comparison> {
        let database = one.database.clone();
        let until = self.now() + self.overdue_after();
        let result = self.within(until, |auditor| auditor.compared(one, theirs))?;
        let same = matches!(result, Compared::Agree(_) | Compared::Ahead { .. });
        let ours = self.databases.progress(&database).filter(|_| same);
        let values = ours.map(|ours| {
            (
                ours.absent.common(&one.whole),
                one.absent.common(&ours.whole),
            )
        });
        let (absent_here, absent_there) = values.unwrap_or_default();
        Some(Comparison {
            database,
            result,
            absent_here,
            absent_there,
        })
    }

    fn compared(&mut self, theirs: &Exported, all: &Theirs) -> Option<Compared> {
        let database = &theirs.database;
        self.server.begin_cycle();
        self.server.begin_transcript();
        let known = self.store.load(database);
        let line = self.store.proven_line(database);
        let (trusted, ours) = match (known, line) {
            (Ok(Some(trusted)), Ok(line)) => (trusted, line),
            (Ok(None), Ok(_)) => return Some(Compared::NotHere),
            (Err(failure), _) | (_, Err(failure)) => return Some(Compared::Local(failure)),
        };
        let ours: BTreeMap<u64, State> = ours.into_iter().map(|state| (state.tx, state)).collect();
        self.compare_pairs(&trusted, &ours, theirs, all)
    }

    fn compare_pairs(
        &mut self,
        trusted: &TrustedState,
        ours: &BTreeMap<u64, State>,
        theirs: &Exported,
        all: &Theirs,
    ) -> Option<Compared> {
        let other = |theirs: &&State| ours.get(&theirs.tx).is_some_and(|ours| ours != *theirs);
        if let Some(other) = theirs.states.iter().find(other) {
            return self.contradicted(trusted, ours, theirs, *other, all);
        }
        let Some(newest) = theirs.states.last().copied() else {
            return Some(Compared::NotHere);
        };
        if newest == trusted.state {
            return Some(Compared::Agree(newest));
        }
        match self.compare_pair(&theirs.database, newest, trusted.state) {
            PairComparison::Agree => Some(Compared::Agree(newest)),
            PairComparison::Refused => self.contradicted(trusted, ours, theirs, newest, all),
            PairComparison::Unproven(verdict, reason) => Some(Compared::NotProven(verdict, reason)),
            PairComparison::Behind(shown) => self.behind(trusted, ours, theirs, newest, shown, all),
            PairComparison::Stopped => None,
        }
    }

    /// Compares older states of the other auditor, if the server has not reached the newest ones. Then no response of
    /// the server is a contradiction; states of the same transaction need no server.
    fn behind(
        &mut self,
        trusted: &TrustedState,
        ours: &BTreeMap<u64, State>,
        theirs: &Exported,
        newest: State,
        shown: u64,
        all: &Theirs,
    ) -> Option<Compared> {
        let older = theirs.states.iter().rev();
        let shared = older
            .clone()
            .find(|state| ours.get(&state.tx) == Some(*state));
        // a state older than the trusted state, which the server can prove to be its ancestor
        let ancestor = older.copied().find(|state| state.tx < trusted.state.tx);
        let ancestor = ancestor.filter(|state| shared.is_none_or(|shared| state.tx > shared.tx));
        let mut agreed = shared.copied();
        if let Some(ancestor) = ancestor {
            match self.compare_pair(&theirs.database, ancestor, trusted.state) {
                PairComparison::Agree => agreed = Some(ancestor),
                PairComparison::Refused => {
                    return self.contradicted(trusted, ours, theirs, ancestor, all);
                }
                PairComparison::Unproven(verdict, reason) if agreed.is_none() => {
                    return Some(Compared::NotProven(verdict, reason));
                }
                PairComparison::Stopped => return None,
                PairComparison::Unproven(..) | PairComparison::Behind(_) => {}
            }
        }
        if newest.tx > trusted.state.tx {
            if let Some(given_up) = self.given_up_of(theirs, newest.tx, agreed) {
                return Some(given_up);
            }
        }
        Some(match agreed {
            Some(agreed) if newest.tx > trusted.state.tx => Compared::Ahead {
                agreed,
                theirs: newest,
            },
            _ => Compared::NotYet {
                shown,
                theirs: newest,
            },
        })
    }

    /// Requests a proof between two states, the newer against the older.
    fn compare_pair(&mut self, database: &str, theirs: State, ours: State) -> PairComparison {
        let (source, target) = match theirs.tx < ours.tx {
            true => (theirs, ours),
            false => (ours, theirs),
        };
        let range = self.policy.max_fetch;
        match proof::extend(&mut self.server, database, &source, &target, range) {
            ExtensionResult::Extends(_) => PairComparison::Agree,
            ExtensionResult::NotExtended(Verdict::Tampered(Tampering::Inconsistent), _) => {
                PairComparison::Refused
            }
            ExtensionResult::NotExtended(verdict, reason) => {
                PairComparison::Unproven(verdict, reason)
            }
            ExtensionResult::ServerBehind => self.how_far(database, target),
            ExtensionResult::Stopped => PairComparison::Stopped,
        }
    }

    /// Requests the state after the server reported that it has not reached `target`, because the state shows whether
    /// this is true.
    fn how_far(&mut self, database: &str, target: State) -> PairComparison {
        match self.server.state(database) {
            Ok(claimed) if claimed.state.tx < target.tx => PairComparison::Behind(claimed.state.tx),
            Ok(_) => PairComparison::Unproven(Verdict::Malformed, Reason::UnbackedHash),
            Err(failure) => match Verdict::of_failure(&failure, true) {
                None => PairComparison::Stopped,
                Some(verdict) => PairComparison::Unproven(verdict, Reason::of_failure(failure)),
            },
        }
    }
}
