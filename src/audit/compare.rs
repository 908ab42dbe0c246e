//! Two auditors, two truths: what another one trusts, held against what is trusted here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::capture;
use super::proof::{self, Proof};
use super::verdict::{Reason, Verdict};
use super::{Auditor, Exit};
use crate::clock;
use crate::ledger::State;
use crate::trust::{Alarm, Answer, Exported, Finding, LocalFailure, Tampering, Trusted};

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
}

/// How two auditors' truths lie to each other.
#[allow(clippy::large_enum_variant)] // one at a time, and soon told
#[derive(Debug)]
pub enum Compared {
    /// The newest state of the one is the other's too, or proven against it by the server.
    Agree(State),
    /// They were shown two histories.
    SplitView {
        /// Why.
        reason: Reason,
        /// What the other one trusts.
        theirs: State,
        /// The alarm, or why it could not be written.
        alarm: Result<Alarm, LocalFailure>,
    },
    /// Nobody could say.
    NotProven(Verdict, Reason),
    /// Nothing is trusted of it here.
    NotHere,
    /// The auditor's own files.
    Local(LocalFailure),
}

impl Compared {
    /// How the program should end for this one alone.
    pub fn exit(&self) -> Exit {
        match self {
            Compared::Agree(_) | Compared::NotHere => Exit::Good,
            Compared::SplitView { .. } => Exit::Tampered,
            Compared::NotProven(..) => Exit::Incomplete,
            Compared::Local(_) => Exit::Local,
        }
    }
}

impl Auditor {
    /// Holds one of another auditor's databases against what is trusted here. `None` where the program
    /// is asked to end.
    pub fn compare(&mut self, one: &Exported, theirs: &Theirs) -> Option<Comparison> {
        let database = one.database.clone();
        let result = self.compared(one, theirs)?;
        Some(Comparison { database, result })
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
        let other = |theirs: &&State| ours.get(&theirs.tx).is_some_and(|ours| ours != *theirs);
        if let Some(other) = theirs.states.iter().find(other) {
            let reason = Reason::OtherHash { tx: other.tx };
            let ours = ours.get(&other.tx).copied();
            let against = Trusted {
                state: ours.unwrap_or(trusted.state),
                ..trusted
            };
            return Some(self.split_view(&against, *other, reason, all));
        }
        let Some(newest) = theirs.states.last().copied() else {
            return Some(Compared::NotHere);
        };
        if newest == trusted.state {
            return Some(Compared::Agree(newest));
        }
        let (source, target) = match newest.tx < trusted.state.tx {
            true => (newest, trusted.state),
            false => (trusted.state, newest),
        };
        let limits = self.demands().limits();
        match proof::extend(&mut self.server, database, &source, &target, limits) {
            Proof::Holds(_) => Some(Compared::Agree(newest)),
            Proof::Fails(Verdict::Tampered(Tampering::Inconsistent), reason) => {
                Some(self.split_view(&trusted, newest, reason, all))
            }
            Proof::Fails(verdict, reason) => Some(Compared::NotProven(verdict, reason)),
            Proof::Behind => Some(Compared::NotProven(Verdict::Malformed, Reason::Fewer)),
            Proof::Stopped => None,
        }
    }

    fn split_view(
        &mut self,
        trusted: &Trusted,
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
            alarm: self.store.raise(&finding, clock::now()),
            theirs,
            reason,
        }
    }
}
