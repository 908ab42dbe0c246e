//! The reason why an honest old server could not prove a pair (protocol.md §4: *Where source.blTxId >
//! target.blTxId*).

use std::collections::BTreeMap;

use super::dual_proof::follow;
use super::header::TxHeader;
use super::refusal::{At, Reason, Refusal, Step};
use super::state::State;

/// The proof that an honest old server could not prove this pair; only [`excuse`] creates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unprovable {
    /// Transactions in the source's tree.
    pub source_tree: u64,
    /// Transactions in the target's tree: fewer.
    pub target_tree: u64,
}

/// Verifies that no proof of this pair can exist (protocol.md §4: *Where source.blTxId > target.blTxId*).
/// `headers` are those of source to target, by id.
///
/// The excuse changes no trusted state, because the chain proves nothing about the target's tree. Without the check of
/// the hashes, any headers would be accepted. Without that of the chain, a fork would be excused; without that of the
/// larger tree, every refusal to prove would be.
///
/// # Errors
/// [`Step::Excuse`]: a header with another hash, or a chain that breaks, is inconsistent; everything else is
/// malformed, such as absent headers, or trees that do not shrink.
pub fn excuse(
    source: &State,
    target: &State,
    headers: &BTreeMap<u64, TxHeader>,
) -> Result<Unprovable, Refusal> {
    let at = |tx| At {
        step: Step::Excuse,
        tx,
    };
    // as in step 1: without this range, and that of blTxId below, a rollback or an impossible tree would be excused
    if source.tx == 0 || source.tx > target.tx {
        return at(source.tx).refuse(Reason::Range {
            what: "the source's id",
            value: i128::from(source.tx),
        });
    }
    let of = |state: &State| {
        let Some(header) = headers.get(&state.tx) else {
            return at(state.tx).refuse(Reason::Absent("header that shows the excuse"));
        };
        at(state.tx).id("the header's id", state.tx, header.id())?;
        if header.bl_tx_id() >= header.id() {
            return at(state.tx).refuse(Reason::Range {
                what: "blTxId",
                value: i128::from(header.bl_tx_id()),
            });
        }
        at(state.tx).same("the header's hash", &state.hash, &header.alh())?;
        Ok(header)
    };
    let (source_header, target_header) = (of(source)?, of(target)?);
    let unprovable = Unprovable {
        source_tree: source_header.bl_tx_id(),
        target_tree: target_header.bl_tx_id(),
    };
    let mut alh = source.hash;
    // the range can be long, but the loop ends at the first id without a fetched header
    for id in source.tx.saturating_add(1)..=target.tx {
        let Some(header) = headers.get(&id) else {
            return at(id).refuse(Reason::Absent("header that shows the excuse"));
        };
        at(id).id("the header's id", id, header.id())?;
        alh = follow(Step::Excuse, header, &alh)?;
    }
    if unprovable.source_tree <= unprovable.target_tree {
        return at(target.tx).refuse(Reason::Absent("larger tree after the source"));
    }
    Ok(unprovable)
}
