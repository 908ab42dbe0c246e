//! Verifies that one state extends another, by the dual proof and the parts that old servers leave out. An excuse
//! counts only with its own proof (protocol.md §4).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::audit::verdict::{Reason, Verdict};
use crate::ledger::{self, Fault, Parts, Proven, Refusal, State, TxHeader, Wanted};
use crate::server::{Server, ServerError, ServerErrorKind};
use crate::trust::Tampering;
use crate::wire::{Entries, VerifiableTx};

/// The result of checking whether one state extends another.
#[derive(Debug)]
pub enum ExtensionResult {
    /// The newer state extends the older one.
    Extends(Proven),
    /// The newer state does not extend the older one, or this is not known.
    NotExtended(Verdict, Reason),
    /// The server reports that it has not reached the state.
    ServerBehind,
    /// The program is asked to end.
    Stopped,
}

impl ExtensionResult {
    fn of_refusal(refusal: Refusal) -> ExtensionResult {
        let verdict = match refusal.fault() {
            Fault::Inconsistent => Verdict::Tampered(Tampering::Inconsistent),
            Fault::Malformed => Verdict::Malformed,
        };
        ExtensionResult::NotExtended(verdict, Reason::Refusal(refusal))
    }

    fn of_failure(failure: ServerError) -> ExtensionResult {
        match Verdict::of_failure(&failure, true) {
            None => ExtensionResult::Stopped,
            Some(Verdict::Tampered(Tampering::RolledBack)) => ExtensionResult::NotExtended(
                Verdict::Tampered(Tampering::RolledBack),
                Reason::Vanished,
            ),
            Some(verdict) => ExtensionResult::NotExtended(verdict, Reason::of_failure(failure)),
        }
    }
}

/// The limit of terms in an audit path, because no tree has more levels. Parts are collected until they are complete.
const MAX_PATH: u64 = 64;

/// Checks whether `target` extends `source` (of a smaller id). Fetches one proof, and up to `range` of the parts that
/// the server's version leaves out of it.
pub fn extend(
    server: &mut Server,
    database: &str,
    source: &State,
    target: &State,
    range: u64,
) -> ExtensionResult {
    let mut pair = Pair {
        server,
        database,
        source,
        target,
        asked: target.tx,
        range,
    };
    pair.prove().unwrap_or_else(|ended| ended)
}

/// Two states, of which the target may extend the source.
pub(super) struct Pair<'a> {
    pub server: &'a mut Server,
    pub database: &'a str,
    pub source: &'a State,
    pub target: &'a State,
    /// The transaction that the response must have: the source or the target.
    pub asked: u64,
    /// The most transactions that are fetched one by one.
    pub range: u64,
}

impl Pair<'_> {
    fn prove(&mut self) -> Result<ExtensionResult, ExtensionResult> {
        let asked = self.server.verifiable_tx(
            self.database,
            self.target.tx,
            self.source.tx,
            Entries::Excluded,
        );
        let answer = match asked {
            Ok(answer) => answer,
            Err(failure) => return self.without_proof(failure),
        };
        self.settle(answer)
    }

    /// Verifies a response, after it has requested the parts that the response lacks.
    pub fn settle(&mut self, answer: VerifiableTx) -> Result<ExtensionResult, ExtensionResult> {
        match self.verify(&answer, &Parts::default()) {
            Ok(proven) => Ok(ExtensionResult::Extends(proven)),
            Err(refusal) => match refusal.reason {
                ledger::Reason::PartsNeeded(wanted) => self.prove_with_parts(answer, wanted),
                ledger::Reason::TreeShrinks { .. } => self.excuse(None),
                _ => Err(ExtensionResult::of_refusal(refusal)),
            },
        }
    }

    fn verify(&self, answer: &VerifiableTx, parts: &Parts) -> Result<Proven, Refusal> {
        let proven = ledger::verify(self.source, self.target, &answer.proof, parts)?;
        match &answer.tx {
            Some(tx) => answer.proof.verify_answer(self.asked, &tx.header)?,
            None => {
                return Err(Refusal {
                    step: ledger::Step::Answer,
                    tx: self.asked,
                    reason: ledger::Reason::Absent("transaction in the response"),
                });
            }
        }
        Ok(proven)
    }

    /// Returns the result of a call without a proof; an excuse counts only if it is true.
    fn without_proof(&mut self, failure: ServerError) -> Result<ExtensionResult, ExtensionResult> {
        match failure.kind {
            ServerErrorKind::CannotProve | ServerErrorKind::MaybeCorrupted => {
                self.excuse(Some(failure))
            }
            ServerErrorKind::IllegalState | ServerErrorKind::TxNotFound => {
                Err(ExtensionResult::ServerBehind)
            }
            _ => Err(ExtensionResult::of_failure(failure)),
        }
    }

    /// Verifies from the headers that no proof of this pair can exist. An old server reports this like a damaged log.
    /// If the headers show no excuse, the server itself reports a damaged log.
    pub fn excuse(
        &mut self,
        said: Option<ServerError>,
    ) -> Result<ExtensionResult, ExtensionResult> {
        if let Err(reason) = self.in_range(&(self.source.tx..=self.target.tx)) {
            // without the headers there is no excuse; those of an honest server fit, because its trees shrink by tens
            return Err(ExtensionResult::NotExtended(Verdict::Malformed, reason));
        }
        let headers = self.headers(self.source.tx..=self.target.tx)?;
        match ledger::excuse(self.source, self.target, &headers) {
            Ok(unprovable) => Ok(ExtensionResult::NotExtended(
                Verdict::Unprovable,
                Reason::Unprovable(unprovable),
            )),
            Err(refusal) => match said {
                Some(said)
                    if said.kind == ServerErrorKind::MaybeCorrupted
                        && refusal.fault() == Fault::Malformed =>
                {
                    let verdict = Verdict::Tampered(Tampering::BadValue);
                    Err(ExtensionResult::NotExtended(verdict, Reason::Failure(said)))
                }
                _ => Err(ExtensionResult::of_refusal(refusal)),
            },
        }
    }

    fn prove_with_parts(
        &mut self,
        answer: VerifiableTx,
        wanted: Wanted,
    ) -> Result<ExtensionResult, ExtensionResult> {
        let mut parts = Parts {
            headers: self.headers(wanted.headers)?,
            inclusions: BTreeMap::new(),
        };
        for id in wanted.inclusions {
            let part = self
                .server
                .verifiable_tx(self.database, self.target.tx, id, Entries::Excluded)
                .map_err(ExtensionResult::of_failure)?;
            let terms = part.proof.inclusion;
            let got = u64::try_from(terms.len()).unwrap_or(u64::MAX);
            if got > MAX_PATH {
                let (what, due) = ("inclusion terms", MAX_PATH);
                let reason = ledger::Reason::Count { what, due, got };
                let step = ledger::Step::LinearAdvance;
                return Err(ExtensionResult::of_refusal(Refusal {
                    step,
                    tx: id,
                    reason,
                }));
            }
            parts.inclusions.insert(id, terms);
        }
        self.verify(&answer, &parts)
            .map(ExtensionResult::Extends)
            .map_err(ExtensionResult::of_refusal)
    }

    /// Returns the headers of a run of transactions, one call each, within the limit.
    fn headers(
        &mut self,
        ids: RangeInclusive<u64>,
    ) -> Result<BTreeMap<u64, TxHeader>, ExtensionResult> {
        self.in_range(&ids)
            .map_err(|reason| ExtensionResult::NotExtended(Verdict::Unprovable, reason))?;
        let mut headers = BTreeMap::new();
        for id in ids {
            match self.server.tx(self.database, id, Entries::Excluded) {
                Ok(tx) => headers.insert(id, tx.header),
                // the transaction is older than the state that the server claims
                Err(failure) if failure.kind == ServerErrorKind::TxNotFound => {
                    return Err(ExtensionResult::NotExtended(
                        Verdict::Malformed,
                        Reason::Unbacked(failure),
                    ));
                }
                Err(failure) => return Err(ExtensionResult::of_failure(failure)),
            };
        }
        Ok(headers)
    }

    fn in_range(&self, ids: &RangeInclusive<u64>) -> Result<(), Reason> {
        let length = ids.end().saturating_sub(*ids.start()).saturating_add(1);
        let limit = self.range;
        if length > limit {
            return Err(Reason::RangeTooLong { length, limit });
        }
        Ok(())
    }
}
