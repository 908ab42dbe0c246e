//! Two auditors, two truths: what another one trusts, held against what is trusted here.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::audit::auditor::Auditor;
use crate::audit::capture;
use crate::audit::check::proof::{self, ExtensionResult};
use crate::audit::diff::parting::Parting;
use crate::audit::verdict::{Exit, Reason, Verdict};
use crate::ledger::State;
use crate::ranges::Ranges;
use crate::trust::{Alarm, Answer, Exported, Finding, StoreError, Tampering, TrustedState};

/// What another auditor trusts, and how that came here.
#[derive(Clone, Debug)]
pub struct Theirs {
    /// Its databases.
    pub databases: Vec<Exported>,
    /// What `raw` is, for the evidence.
    pub came_as: &'static str,
    /// The bytes.
    pub raw: Vec<u8>,
}

/// What comparing one database came to.
#[derive(Debug)]
pub struct Comparison {
    /// The database.
    pub database: String,
    /// The result.
    pub result: Compared,
    /// Transactions with values that the server does not have for this auditor, and had for the other.
    pub absent_here: Ranges,
    /// The reverse.
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

/// How two auditors' truths lie to each other.
#[allow(clippy::large_enum_variant)] // one at a time, and soon told
#[derive(Debug)]
pub enum Compared {
    /// The newest state of one auditor is also the other's, or the server proves the two against each other.
    Agree(State),
    /// Both auditors trust this state, and the other one has gone on since. The server here has not come as far.
    Ahead {
        /// The newest state that both trust, or that the server proves.
        agreed: State,
        /// The other auditor's newest state.
        theirs: State,
    },
    /// The server here has not come as far as the two states to compare, and no older state settles it.
    NotYet {
        /// The last transaction that the server shows.
        shown: u64,
        /// The other auditor's newest state.
        theirs: State,
    },
    /// They were shown two histories.
    SplitView {
        /// Why.
        reason: Reason,
        /// What the other one trusts.
        theirs: State,
        /// The alarm, or why it could not be written.
        alarm: Result<Alarm, StoreError>,
        /// From which states on the histories differ.
        parting: Parting,
    },
    /// Nobody could say.
    NotProven(Verdict, Reason),
    /// Nothing is trusted of it here.
    NotHere,
    /// The auditor's own files.
    Local(StoreError),
}

/// The server's answer about two auditors' states.
enum Held {
    /// One extends the other.
    Agree,
    /// Neither extends the other.
    Split(Reason),
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
            Compared::NotProven(..) | Compared::NotYet { .. } => Exit::Incomplete,
            Compared::Local(_) => Exit::Local,
        }
    }
}

impl Auditor {
    /// Holds one of another auditor's databases against what is trusted here. `None` where the program
    /// is asked to end.
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
        let mut result = self.held(&trusted, &ours, theirs, all)?;
        if let Compared::SplitView {
            theirs: other,
            parting,
            ..
        } = &mut result
        {
            *parting = self.parting(database, trusted.state, &ours, &theirs.states, *other);
        }
        Some(result)
    }

    fn held(
        &mut self,
        trusted: &TrustedState,
        ours: &BTreeMap<u64, State>,
        theirs: &Exported,
        all: &Theirs,
    ) -> Option<Compared> {
        let other = |theirs: &&State| ours.get(&theirs.tx).is_some_and(|ours| ours != *theirs);
        if let Some(other) = theirs.states.iter().find(other) {
            let reason = Reason::OtherHash { tx: other.tx };
            let ours = ours.get(&other.tx).copied();
            let against = TrustedState {
                state: ours.unwrap_or(trusted.state),
                ..trusted.clone()
            };
            return Some(self.split_view(&against, *other, reason, all));
        }
        let Some(newest) = theirs.states.last().copied() else {
            return Some(Compared::NotHere);
        };
        if newest == trusted.state {
            return Some(Compared::Agree(newest));
        }
        match self.hold_pair(&theirs.database, newest, trusted.state) {
            Held::Agree => Some(Compared::Agree(newest)),
            Held::Split(reason) => Some(self.split_view(trusted, newest, reason, all)),
            Held::Unproven(verdict, reason) => Some(Compared::NotProven(verdict, reason)),
            Held::Behind(shown) => self.behind(trusted, ours, theirs, newest, shown, all),
            Held::Stopped => None,
        }
    }

    /// Compares older states of the other auditor, if the server has not come as far as the newest ones. Nothing that
    /// the server says contradicts anything then; states of the same transaction need no server.
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
        // one older than the trusted state, which the server can prove to be an ancestor of it
        let ancestor = older.copied().find(|state| state.tx < trusted.state.tx);
        let ancestor = ancestor.filter(|state| shared.is_none_or(|shared| state.tx > shared.tx));
        let mut agreed = shared.copied();
        if let Some(ancestor) = ancestor {
            match self.hold_pair(&theirs.database, ancestor, trusted.state) {
                Held::Agree => agreed = Some(ancestor),
                Held::Split(reason) => {
                    return Some(self.split_view(trusted, ancestor, reason, all));
                }
                Held::Unproven(verdict, reason) if agreed.is_none() => {
                    return Some(Compared::NotProven(verdict, reason));
                }
                Held::Stopped => return None,
                Held::Unproven(..) | Held::Behind(_) => {}
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

    /// Asks the server to prove the newer of two states against the older.
    fn hold_pair(&mut self, database: &str, theirs: State, ours: State) -> Held {
        let (source, target) = match theirs.tx < ours.tx {
            true => (theirs, ours),
            false => (ours, theirs),
        };
        let range = self.policy.max_fetch;
        match proof::extend(&mut self.server, database, &source, &target, range) {
            ExtensionResult::Extends(_) => Held::Agree,
            ExtensionResult::NotExtended(Verdict::Tampered(Tampering::Inconsistent), reason) => {
                Held::Split(reason)
            }
            ExtensionResult::NotExtended(verdict, reason) => Held::Unproven(verdict, reason),
            ExtensionResult::ServerBehind => self.how_far(database, target),
            ExtensionResult::Stopped => Held::Stopped,
        }
    }

    /// Requests the state after the server reported that it has not reached `target`, because the state shows whether
    /// this is true.
    fn how_far(&mut self, database: &str, target: State) -> Held {
        match self.server.state(database) {
            Ok(claimed) if claimed.state.tx < target.tx => Held::Behind(claimed.state.tx),
            Ok(_) => Held::Unproven(Verdict::Malformed, Reason::UnbackedHash),
            Err(failure) => match Verdict::of_failure(&failure, true) {
                None => Held::Stopped,
                Some(verdict) => Held::Unproven(verdict, Reason::of_failure(failure)),
            },
        }
    }

    fn split_view(
        &mut self,
        trusted: &TrustedState,
        theirs: State,
        reason: Reason,
        all: &Theirs,
    ) -> Compared {
        let mut answers = capture::answers(self.server.transcript());
        answers.push(Answer {
            call: all.came_as.into(),
            request: Vec::new(),
            reply: Ok(Arc::new(all.raw.clone())),
            shortened: None,
        });
        let finding = Finding {
            database: trusted.database.clone(),
            kind: Tampering::SplitView,
            reason: reason.to_string(),
            trusted: Some(trusted.clone()),
            claim: None,
            shown: Some(theirs),
            uuid: None,
            identity_changed: false,
            answers,
        };
        Compared::SplitView {
            alarm: self.store.raise(&finding, self.wall_time()),
            theirs,
            reason,
            parting: Parting {
                same: None,
                other: theirs,
                unknown: 0,
            },
        }
    }
}
