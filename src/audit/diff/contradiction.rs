//! Another auditor's state that contradicts the trusted history: whether it proves tampering.
//!
//! The other auditor's states have no signature of that auditor, so they prove nothing on their own: they are a
//! disagreement. A split view needs the server's signature on the state, or the server's own response.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::compare::{Compared, Theirs};
use crate::audit::auditor::Auditor;
use crate::audit::capture;
use crate::audit::diff::parting::Parting;
use crate::audit::peers::{ClaimTest, is_enough, split_view};
use crate::audit::verdict::{Reason, SplitBy};
use crate::json::Json;
use crate::ledger::State;
use crate::trust::{
    Alarm, Answer, Evidence, Exported, Finding, Raised, TrustedState, read_evidence,
};

impl Auditor {
    /// Judges another auditor's state that contradicts the trusted history. Returns `None` if the program is asked to
    /// end.
    pub(super) fn contradicted(
        &mut self,
        trusted: &TrustedState,
        ours: &BTreeMap<u64, State>,
        theirs: &Exported,
        other: State,
        all: &Theirs,
    ) -> Option<Compared> {
        let database = &trusted.database;
        let known = ours.get(&other.tx).map(|state| state.hash);
        let tested = self.test_claim(trusted, other, known)?;
        let answers = capture::answers(self.server.transcript());
        let parting = self.parting(database, trusted.state, ours, &theirs.states, other);
        let (here, by) = match tested {
            ClaimTest::Shown(why) => {
                let by = SplitBy::Answer(Box::new(why));
                return Some(self.split_view(trusted, (theirs, other), by, answers, parting, all));
            }
            ClaimTest::Differs(here, by) => (here, by),
            ClaimTest::Unclear(why) => return Some(Compared::Pending(why)),
        };
        if let Some(given_up) = self.given_up_of(theirs, parting.other.tx, parting.same) {
            return Some(given_up);
        }
        if !self.is_signed(theirs, other) {
            return Some(Compared::Disagrees {
                theirs: other,
                here,
                parting,
            });
        }
        let against = self.contrasted(trusted, other.tx, here, by);
        let by = SplitBy::Signature { here };
        Some(self.split_view(&against, (theirs, other), by, answers, parting, all))
    }

    /// Returns the result if one of another auditor's states, from transaction `from` on, was trusted here until an
    /// operator gave it up, or if the stored history cannot be read. `agreed` is the last state of both histories.
    pub(super) fn given_up_of(
        &self,
        theirs: &Exported,
        from: u64,
        agreed: Option<State>,
    ) -> Option<Compared> {
        let later = theirs.states.iter().filter(|state| state.tx >= from);
        let later: HashSet<&State> = later.collect();
        let was_trusted = |state: &State| later.contains(state);
        match self.store.given_up(&theirs.database, was_trusted) {
            Ok(given_up) => given_up.map(|given_up| Compared::GivenUp { given_up, agreed }),
            Err(failure) => Some(Compared::Local(failure)),
        }
    }

    /// Returns whether another auditor's state has a valid signature of the server.
    fn is_signed(&self, theirs: &Exported, other: State) -> bool {
        let claimed = theirs.claimed();
        claimed.is_some_and(|claimed| {
            let keys = self.policy.signatures.keys();
            claimed.state == other && claimed.verify_signature(&theirs.database, keys).is_ok()
        })
    }

    /// Stores evidence of a split view, and opens its alarm. An open alarm of the same split view is enough: growing
    /// histories open no further alarm.
    fn split_view(
        &mut self,
        trusted: &TrustedState,
        (history, theirs): (&Exported, State),
        by: SplitBy,
        answers: Vec<Answer>,
        parting: Parting,
        all: &Theirs,
    ) -> Compared {
        let reason = Reason::SplitView {
            peer: None,
            theirs,
            by,
            agreed: parting.same.map(|same| same.tx),
        };
        let raised = match self.open_split_view(&reason, history, all) {
            Some(alarm) => Raised::already_open(alarm),
            None => {
                let finding = finding_of(trusted, theirs, &reason, answers, all);
                self.store.record_finding(&finding, self.wall_time())
            }
        };
        Compared::SplitView {
            raised: Box::new(raised),
            theirs,
            reason,
            parting,
        }
    }

    /// Returns the open alarm of an earlier comparison that found the same split view. Its evidence has a state of the
    /// other auditor's history, or came from the same address.
    fn open_split_view(&self, reason: &Reason, history: &Exported, all: &Theirs) -> Option<Alarm> {
        let alarms = self.store.open_alarms(Some(&history.database)).ok()?;
        let mut alarms = alarms.into_iter();
        alarms.find(|alarm| {
            let is_same = |evidence: Evidence| {
                let shown = evidence.finding.shown;
                let came_from = |answer: &Answer| {
                    let address = all.address.as_deref().map(str::as_bytes);
                    answer.call == all.came_as && Some(&*answer.request) == address
                };
                shown.is_some_and(|shown| history.states.contains(&shown))
                    || evidence.answers.iter().any(came_from)
            };
            is_enough(alarm, None, reason) && read_evidence(&alarm.evidence).is_ok_and(is_same)
        })
    }
}

/// Returns the finding that the server showed another auditor another history.
fn finding_of(
    trusted: &TrustedState,
    theirs: State,
    reason: &Reason,
    mut answers: Vec<Answer>,
    all: &Theirs,
) -> Finding {
    let entry = match all.came_as {
        Answer::STATES => entry_of_states(&all.raw, &trusted.database, theirs),
        _ => None,
    };
    answers.push(Answer {
        call: all.came_as.into(),
        request: all.address.clone().unwrap_or_default().into_bytes(),
        reply: Ok(Arc::new(entry.unwrap_or_else(|| all.raw.clone()))),
        shortened: None,
    });
    split_view(trusted.clone(), theirs, reason.to_string(), answers)
}

/// Returns the part of a response of `/states` that has this state of a database, in the form of the whole response.
/// The whole one may be too long for evidence, and is about other databases too.
fn entry_of_states(raw: &[u8], database: &str, theirs: State) -> Option<Vec<u8>> {
    let shown = Json::parse(std::str::from_utf8(raw).ok()?).ok()?;
    let is_of = |shown: &&Json| {
        let text = |name| shown.member(name).and_then(Json::text);
        let tx = shown.member("tx").and_then(Json::number);
        text("database") == Some(database)
            && tx == Some(theirs.tx)
            && text("hash").and_then(|hash| hash.parse().ok()) == Some(theirs.hash)
    };
    let states = shown.member("states")?.list()?;
    let of_database = states.iter().filter(is_of).cloned().collect();
    let entry = Json::Object(vec![("states".to_owned(), Json::List(of_database))]);
    Some(entry.to_string().into_bytes())
}
