//! Claims about one transaction of the trusted history.

use protobuf::Message;

use super::read::Read;
use super::{Case, EvidenceClaim, NotReproduced};
use crate::audit::values::{CorruptEntry, Judged, complete, judge, judge_by_key};
use crate::ledger::{Digest, KEY_VALUE, verify_entries};
use crate::trust::{Claim, Contradiction, Differ};
use crate::wire::{self, Tx, proto};

/// The missing response, if the transaction is not proven.
const NO_PLACE: NotReproduced =
    NotReproduced::Absent("proof that the transaction is part of the trusted history");

impl Case<'_> {
    pub(super) fn shows_claim(&self, claim: &Claim) -> Result<EvidenceClaim, NotReproduced> {
        if claim.what == Contradiction::Reported {
            return self.own_word();
        }
        let read = self.read()?;
        match (claim.what, &claim.differ) {
            (Contradiction::Place, _) => refused_place(&read, claim.tx),
            (Contradiction::Header, Some(differ)) => other_header(&read, claim.tx, differ),
            (Contradiction::Chain, Some(differ)) => broken_chain(&read, claim, differ),
            (Contradiction::Tree, Some(differ)) => other_tree(&read, claim, differ),
            _ => self.shows_contents(&read, claim),
        }
    }

    /// Verifies entries and values with the same code as in the audit.
    fn shows_contents(&self, read: &Read, claim: &Claim) -> Result<EvidenceClaim, NotReproduced> {
        let mut not_shown = NO_PLACE;
        let is_claimed = |broken: &CorruptEntry| broken.claim() == *claim;
        for alh in read.proven(claim.tx) {
            not_shown = NotReproduced::Holds;
            let shown = read.shown(claim.tx).iter();
            let shown = shown.filter(|shown| shown.tx.header.alh() == *alh);
            let digests: Vec<&Tx> = shown
                .clone()
                .map(|shown| &shown.tx)
                .filter(|tx| verify_entries(&tx.header, &tx.entries).is_ok())
                .collect();
            for shown in shown {
                let broken = match judge(alh, &shown.tx) {
                    Judged::Complete(completed) => completed.broken,
                    Judged::Broken(broken) => vec![broken],
                    Judged::Incomplete => self.completed(alh, &digests, &shown.tx),
                    Judged::Malformed(_) => Vec::new(),
                };
                if broken.iter().any(is_claimed) {
                    return Ok(EvidenceClaim::Contents(*claim));
                }
            }
            let Some(digests) = digests.first() else {
                continue;
            };
            if self.shows_value_by_key(digests, claim) {
                return Ok(EvidenceClaim::Contents(*claim));
            }
            let left_out = read
                .shown(claim.tx)
                .iter()
                .any(|shown| shown.without_values);
            let due = claim.differ.as_ref().map(|differ| differ.due);
            let of_entry = digests
                .entries
                .iter()
                .any(|entry| Some(entry.h_value) == due);
            if claim.what == Contradiction::Value && left_out && of_entry {
                return Ok(EvidenceClaim::OnRecord(*claim));
            }
        }
        Err(not_shown)
    }

    /// Returns the corrupt entries of a transaction that came without some of its entries.
    fn completed(&self, alh: &Digest, digests: &[&Tx], sent: &Tx) -> Vec<CorruptEntry> {
        let now = i64::try_from(self.evidence.found.unix()).unwrap_or(i64::MAX);
        let completed = digests
            .iter()
            .filter_map(|digests| complete(alh, digests, &sent.entries, now).ok());
        completed.flat_map(|completed| completed.broken).collect()
    }

    /// Returns whether `Get` brought another value than the transaction's entry of that key has.
    fn shows_value_by_key(&self, digests: &Tx, claim: &Claim) -> bool {
        self.replies("Get").any(|(request, reply)| {
            let asked = proto::KeyRequest::parse_from_bytes(request).ok();
            let (Some(asked), Ok(got)) = (asked, wire::get_entry(reply)) else {
                return false;
            };
            let mut entries = digests.entries.iter().enumerate();
            asked.at_tx == claim.tx
                && got.stored_in() == claim.tx
                && entries.any(|(index, entry)| {
                    let of_key = entry.key.strip_prefix(&[KEY_VALUE]) == Some(&asked.key[..]);
                    of_key
                        && judge_by_key(&digests.header, index, entry, &got)
                            .is_some_and(|broken| broken.claim() == *claim)
                })
        })
    }
}

/// Checks whether the proof of a transaction is refused, or another transaction than the proven one was shown for its
/// id.
fn refused_place(read: &Read, tx: u64) -> Result<EvidenceClaim, NotReproduced> {
    if let Some(refusal) = read.refused(tx) {
        return Ok(EvidenceClaim::RefusedProof(refusal.clone()));
    }
    let proven = read.proven(tx);
    let Some(due) = proven.first().copied() else {
        return Err(NotReproduced::Absent(
            "proof that the transaction is part of the history",
        ));
    };
    let shown = read.shown(tx).iter().map(|shown| shown.tx.header.alh());
    match shown.into_iter().find(|hash| !proven.contains(hash)) {
        Some(got) => Ok(EvidenceClaim::OtherHeader { tx, due, got }),
        None => Err(NotReproduced::Holds),
    }
}

fn other_header(read: &Read, tx: u64, differ: &Differ) -> Result<EvidenceClaim, NotReproduced> {
    let Differ { due, got } = *differ;
    if !read.proven(tx).contains(&due) {
        return Err(NO_PLACE);
    }
    let mut shown = read.shown(tx).iter().map(|shown| shown.tx.header.alh());
    match due != got && shown.any(|hash| hash == got) {
        true => Ok(EvidenceClaim::OtherHeader { tx, due, got }),
        false => Err(NotReproduced::Holds),
    }
}

/// Checks for two proven consecutive transactions of which the second names another hash for the first.
fn broken_chain(
    read: &Read,
    claim: &Claim,
    differ: &Differ,
) -> Result<EvidenceClaim, NotReproduced> {
    let (tx, Differ { due, got }) = (claim.tx, *differ);
    let before = tx.saturating_sub(1);
    let names_it = read
        .proven_headers(tx)
        .any(|header| *header.prev_alh() == due);
    if names_it && due != got && read.proven(before).contains(&got) {
        return Ok(EvidenceClaim::BrokenChain { tx, due, got });
    }
    if let Some(refusal) = read.refused(tx).or(read.refused(before)) {
        return Ok(EvidenceClaim::RefusedProof(refusal.clone()));
    }
    match (names_it, due == got) {
        (true, false) => Ok(EvidenceClaim::OnRecord(*claim)),
        (true, true) => Err(NotReproduced::Holds),
        (false, _) => Err(NO_PLACE),
    }
}

/// Checks the main tree of a transaction. Evidence cannot hold the chain from which the tree's root was computed.
fn other_tree(read: &Read, claim: &Claim, differ: &Differ) -> Result<EvidenceClaim, NotReproduced> {
    let tx = claim.tx;
    if let Some(refusal) = read.refused(tx) {
        return Ok(EvidenceClaim::RefusedProof(refusal.clone()));
    }
    let Some(header) = read
        .proven_headers(tx)
        .find(|header| *header.bl_root() == differ.got)
    else {
        return Err(NO_PLACE);
    };
    match (differ.due == differ.got, header.bl_tx_id()) {
        (true, _) => Err(NotReproduced::Holds),
        (false, 0) if differ.got != Digest::ZERO => Ok(EvidenceClaim::RootOfNoTree { tx }),
        (false, 0) => Err(NotReproduced::Holds),
        (false, _) => Ok(EvidenceClaim::OnRecord(*claim)),
    }
}
