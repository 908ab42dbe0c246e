//! The result of comparing an old state with the shown one. A match and a difference are both proofs: a server cannot
//! make them up.

use crate::ledger::{Digest, Proven, State};
use crate::text::Escaped;

/// The result of comparing one old state with the shown one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The shown state extends it.
    Matches(ProvenAncestor),
    /// The shown state extends another state of the same transaction.
    Differs(ProvenOther),
    /// The server did not prove either.
    Unknown(Escaped),
    /// The server did not prove either, and cannot be asked any more.
    Aborted(Escaped),
}

/// The proof that the shown state extends an old one, or is the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenAncestor(());

/// The proof that the shown state extends another state of the same transaction than the old one. A state extends
/// only one of them (protocol.md §4, *Guarantee of the steps*), so the old one is not in its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenOther(());

impl Probe {
    /// Returns the result of a proof of the transaction that the server shows in place of the old state.
    pub fn of_proof(old: &State, shown: &State, proven: &Proven) -> Probe {
        let source = proven.source();
        if proven.target() != *shown || source.tx != old.tx {
            return Probe::Unknown(Escaped::new("the proof is of other states"));
        }
        Probe::of_hashes(&old.hash, &source.hash)
    }

    /// Compares two hashes of the same transaction, one of which is proven to be in the shown history.
    pub fn of_hashes(old: &Digest, shown: &Digest) -> Probe {
        match old == shown {
            true => Probe::Matches(ProvenAncestor(())),
            false => Probe::Differs(ProvenOther(())),
        }
    }

    /// Returns the result of a chain: the header of the old state's transaction leads link by link to the shown
    /// state, if no tree proof can exist (protocol.md §4, *Pairs without a proof*). A chain can prove that the
    /// transaction differs, but not that it is the same.
    pub fn of_chain(old: &State, linked: &Digest) -> Probe {
        match Probe::of_hashes(&old.hash, linked) {
            Probe::Matches(_) => Probe::Unknown(Escaped::new(
                "this server's version cannot prove it for the shown state",
            )),
            other => other,
        }
    }
}
