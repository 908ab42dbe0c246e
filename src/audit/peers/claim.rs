//! Tests a state that another auditor only claims, without its signature: from its export, or from its `/states`.

use super::relation::{ByAnswer, Found, Ours};
use crate::audit::auditor::Auditor;
use crate::audit::verdict::Reason;
use crate::ledger::{Digest, State};
use crate::trust::TrustedState;

/// The result of testing a claimed state that contradicts the trusted history.
#[derive(Debug)]
pub(in crate::audit) enum ClaimTest {
    /// The server also shows the state to this auditor, and the state contradicts the trusted state.
    Shown(Reason),
    /// The local history has this hash for the transaction, and whether a response in this test proves the hash.
    Differs(Digest, ByAnswer),
    /// Nothing is proven, for this reason.
    Unclear(String),
}

impl Auditor {
    /// Tests a claimed state that contradicts the history of the trusted state. `here` is the hash that the stored
    /// history has for the transaction. A trusted state that the server never proved contradicts nothing. Returns
    /// `None` if the program is asked to end.
    pub(in crate::audit) fn test_claim(
        &mut self,
        trusted: &TrustedState,
        theirs: State,
        here: Option<Digest>,
    ) -> Option<ClaimTest> {
        let database = &trusted.database;
        // a server that mixes up responses is asked twice, which depends on this field
        self.shape = trusted.shape.or(self.shape);
        if !self.was_proven(database, trusted) {
            if let Err(why) = self.prove_now(database, trusted.state)? {
                return Some(ClaimTest::Unclear(why));
            }
        }
        // evidence contains only the responses to this test
        self.server.begin_transcript();
        if theirs.tx == trusted.state.tx {
            return Some(ClaimTest::Differs(trusted.state.hash, ByAnswer::No));
        }
        let ours = Ours {
            state: trusted.state,
            since: trusted.since,
        };
        Some(
            match (self.ask_server_about(database, theirs, ours)?, here) {
                (Found::Contradiction(reason), _) => ClaimTest::Shown(reason),
                (Found::Other(hash, by), _) => ClaimTest::Differs(hash, by),
                (Found::Same | Found::Unclear(_), Some(here)) => {
                    ClaimTest::Differs(here, ByAnswer::No)
                }
                (Found::Unclear(why), None) => ClaimTest::Unclear(why),
                (Found::Same, None) => ClaimTest::Unclear(format!(
                    "the server sent two proofs about transaction {} that contradict each other",
                    theirs.tx
                )),
            },
        )
    }
}
