//! Dual proofs: the claimed state extends the trusted one (protocol.md §4, steps 1 to 8).
//!
//! Only [`verify`] creates a [`Proven`]. Without an operator's decision, only a state in a [`Proven`] replaces a
//! trusted state.

use super::digest::{Digest, Term};
use super::header::{TxHeader, link};
use super::proof::{DualProof, LinearAdvance, Parts};
use super::refusal::{At, Reason, Refusal, Step, Wanted};
use super::state::State;
use super::tree::{Inclusion, Tree, verify_consistency};

/// The proof that the target extends the source; only [`verify`] creates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    source: State,
    target: State,
}

impl Proven {
    /// Returns the old state, which the target extends.
    pub fn source(&self) -> State {
        self.source
    }

    /// Returns the state that extends the source.
    pub fn target(&self) -> State {
        self.target
    }
}

/// Verifies that `target` extends `source` (protocol.md §4).
///
/// An accepted proof guarantees: if a transaction up to `source` was proven against `source`, only the same
/// transaction can be proven against `target` (*Guarantee of the steps* there). docs/verification.md explains why the
/// steps are sufficient, the purpose of each step, and the test that fails without it. In short, s is the trusted and
/// t the shown transaction:
///
/// 1. The ids: otherwise a correct proof of another pair would be accepted for this one.
/// 2. The hashes of both headers: otherwise the proof could be about other transactions with these ids.
/// 3. s is in t's tree, if that tree extends beyond s: otherwise another transaction could be in its place.
/// 4. t's tree extends s's tree: otherwise the content of s's tree could be another history.
/// 5. The last leaf of t's tree, which is s if the tree ends there: otherwise tree and chain could be of two
///    histories, and s could be replaced at the very next step.
/// 6. The chain to t, from that leaf or from s, whichever is later: otherwise t could be written after another
///    history.
/// 7. The part of the chain between s's tree and s that t's tree took in, leaf for leaf: otherwise two histories
///    could be in the linear part (CVE-2022-36111).
/// 8. The last leaf leads to s, if t's tree is larger than s's and ends before s: otherwise the leaves that the
///    tree took in could be of another chain than the trusted one.
///
/// # Errors
/// The first step that fails. [`Reason::PartsNeeded`] names the parts to fetch and to pass as `parts`;
/// [`excuse`](super::excuse()) decides about [`Reason::TreeShrinks`].
pub fn verify(
    source: &State,
    target: &State,
    proof: &DualProof,
    parts: &Parts,
) -> Result<Proven, Refusal> {
    let pair = Pair::new(source, target, proof)?;
    pair.verify_headers()?;
    pair.verify_inclusion()?;
    pair.verify_consistency()?;
    let link = pair.verify_last_inclusion()?;
    pair.verify_linear_proof(&link)?;
    pair.verify_linear_advance(&link, parts)?;
    pair.verify_onward_link(&link, parts)?;
    Ok(Proven {
        source: *source,
        target: *target,
    })
}

/// The pair to prove; both headers exist, with correct ids.
struct Pair<'a> {
    source: &'a State,
    target: &'a State,
    source_header: &'a TxHeader,
    target_header: &'a TxHeader,
    proof: &'a DualProof,
}

/// The result of step 5: the last transaction in the target's tree; transaction 0 if there is no tree.
struct TreeEnd {
    tx: u64,
    alh: Digest,
}

impl<'a> Pair<'a> {
    /// Checks step 1: both headers exist, their ids are the input's, `0 < source <= target` and `blTxId < id`.
    /// Without this step, a proof of another pair would be accepted for this one.
    fn new(source: &'a State, target: &'a State, proof: &'a DualProof) -> Result<Self, Refusal> {
        let at = |tx| At {
            step: Step::Ids,
            tx,
        };
        let Some(source_header) = &proof.source else {
            return at(source.tx).refuse(Reason::Absent("source header"));
        };
        let Some(target_header) = &proof.target else {
            return at(target.tx).refuse(Reason::Absent("target header"));
        };
        at(source.tx).id("the source header's id", source.tx, source_header.id())?;
        at(target.tx).id("the target header's id", target.tx, target_header.id())?;
        if source.tx == 0 || source.tx > target.tx {
            return at(source.tx).refuse(Reason::Range {
                what: "the source's id",
                value: i128::from(source.tx),
            });
        }
        for header in [source_header, target_header] {
            if header.bl_tx_id() >= header.id() {
                return at(header.id()).refuse(Reason::Range {
                    what: "blTxId",
                    value: i128::from(header.bl_tx_id()),
                });
            }
        }
        Ok(Pair {
            source,
            target,
            source_header,
            target_header,
            proof,
        })
    }

    fn at(&self, step: Step) -> At {
        let tx = match step {
            Step::Inclusion | Step::LinearAdvance | Step::OnwardLink => self.source.tx,
            _ => self.target.tx,
        };
        At { step, tx }
    }

    fn source_tree(&self) -> Tree {
        tree_of(self.source_header)
    }

    fn target_tree(&self) -> Tree {
        tree_of(self.target_header)
    }

    /// Returns whether the target's tree extends beyond the source. Otherwise the source is the tree's last leaf, or
    /// is in the chain after the tree.
    fn source_in_target_tree(&self) -> bool {
        self.source.tx < self.target_header.bl_tx_id()
    }

    /// Verifies step 2: the headers hash to the trusted and the claimed state. Without this step, the proof could
    /// be one of other transactions with these ids. If the source's tree is larger than the target's, no proof exists.
    fn verify_headers(&self) -> Result<(), Refusal> {
        let at = |tx| At {
            step: Step::Alh,
            tx,
        };
        at(self.source.tx).same(
            "the source header's hash",
            &self.source.hash,
            &self.source_header.alh(),
        )?;
        at(self.target.tx).same(
            "the target header's hash",
            &self.target.hash,
            &self.target_header.alh(),
        )?;
        let (source, target) = (self.source_tree().size, self.target_tree().size);
        if source > target {
            return at(self.source.tx).refuse(Reason::TreeShrinks { source, target });
        }
        Ok(())
    }

    /// Verifies step 3: the trusted transaction itself is in the target's tree, if that extends beyond it. Without
    /// this step, the tree could hold another transaction in its place.
    fn verify_inclusion(&self) -> Result<(), Refusal> {
        if !self.source_in_target_tree() {
            return Ok(());
        }
        let at = self.at(Step::Inclusion);
        let (tree, terms) = (self.target_tree(), &self.proof.inclusion);
        Inclusion::new(at, "inclusion terms", self.source.tx, tree.size, terms)?
            .verify(&self.source.hash, &tree.root)
    }

    /// Verifies step 4: the target's tree extends the source's. Without this step, the content of the source's
    /// tree could be another history.
    fn verify_consistency(&self) -> Result<(), Refusal> {
        let source_tree = self.source_tree();
        if source_tree.size == 0 {
            return Ok(());
        }
        verify_consistency(
            self.at(Step::Consistency),
            &source_tree,
            &self.target_tree(),
            &self.proof.consistency,
        )
    }

    /// Verifies step 5: `targetBlTxAlh` is the last leaf of the target's tree, and equals the trusted hash if that
    /// leaf is the trusted transaction. Without the first half, tree and chain could be of two histories. Without
    /// the second half, the trusted transaction could be replaced in the tree at the very next step.
    fn verify_last_inclusion(&self) -> Result<TreeEnd, Refusal> {
        let tree = self.target_tree();
        if tree.size == 0 {
            return Ok(TreeEnd {
                tx: 0,
                alh: Digest::OF_NOTHING,
            });
        }
        let at = At {
            step: Step::LastInclusion,
            tx: tree.size,
        };
        let alh = at.digest("targetBlTxAlh", &self.proof.target_bl_tx_alh)?;
        let terms = &self.proof.last_inclusion;
        Inclusion::new(at, "last inclusion terms", tree.size, tree.size, terms)?
            .verify(&alh, &tree.root)?;
        if tree.size == self.source.tx {
            at.same("targetBlTxAlh", &self.source.hash, &alh)?;
        }
        Ok(TreeEnd { tx: tree.size, alh })
    }

    /// Verifies step 6: the chain leads to the target from the end of the target's tree, or from the source if the
    /// tree does not extend beyond it. Without this step, the target could be written after another history than its
    /// tree's.
    fn verify_linear_proof(&self, tree_end: &TreeEnd) -> Result<(), Refusal> {
        let at = self.at(Step::LinearProof);
        let (start, alh) = if self.source_in_target_tree() {
            (tree_end.tx, tree_end.alh)
        } else {
            (self.source.tx, self.source.hash)
        };
        let Some(proof) = &self.proof.linear else {
            return at.refuse(Reason::Absent("linear proof"));
        };
        at.id("the linear proof's source", start, proof.source_tx)?;
        at.id("the linear proof's target", self.target.tx, proof.target_tx)?;
        let due = self.target.tx.saturating_sub(start).saturating_add(1);
        let terms = at.digests("linear terms", due, &proof.terms)?;
        let end = fold_chain(at, start, &alh, &terms)?;
        at.same("the linear proof's end", &self.target.hash, &end)
    }

    /// Verifies step 7: the part of the chain between the source's tree and the source that the target's tree took in
    /// is in that tree, leaf for leaf. Without this step, two histories could be in the linear part (CVE-2022-36111).
    fn verify_linear_advance(&self, tree_end: &TreeEnd, parts: &Parts) -> Result<(), Refusal> {
        let start = self.source_tree().size;
        let (end, end_alh) = if self.source_in_target_tree() {
            (self.source.tx, self.source.hash)
        } else {
            (tree_end.tx, tree_end.alh)
        };
        let between = end.saturating_sub(start).saturating_sub(1);
        if between == 0 {
            return Ok(());
        }
        match &self.proof.linear_advance {
            Some(proof) => self.advance_as_sent(start, end, &end_alh, proof),
            None => self.advance_from_parts(start, end, &end_alh, parts),
        }
    }

    fn advance_as_sent(
        &self,
        start: u64,
        end: u64,
        end_alh: &Digest,
        proof: &LinearAdvance,
    ) -> Result<(), Refusal> {
        let at = self.at(Step::LinearAdvance);
        let due = end.saturating_sub(start);
        let terms = at.digests("linear advance terms", due, &proof.linear)?;
        let due = due.saturating_sub(1);
        at.count(
            "linear advance inclusion proofs",
            due,
            proof.inclusions.len(),
        )?;
        let ids = start.saturating_add(1)..end;
        let swallowed = ids
            .zip(&proof.inclusions)
            .map(|(id, terms)| Ok((id, self.swallowed(id, terms)?)))
            .collect::<Result<Vec<_>, Refusal>>()?;
        let Some((first, rest)) = terms.split_first() else {
            return at.refuse(Reason::Absent("linear advance terms"));
        };
        let root = self.target_tree().root;
        let mut alh = *first;
        for ((id, inclusion), inner) in swallowed.into_iter().zip(rest) {
            inclusion.verify(&alh, &root)?;
            alh = link(id.saturating_add(1), &alh, inner);
        }
        at.same("the linear advance's end", end_alh, &alh)
    }

    /// Verifies the linear advance for servers before 1.4, from headers and inclusion proofs that are fetched
    /// separately.
    fn advance_from_parts(
        &self,
        start: u64,
        end: u64,
        end_alh: &Digest,
        parts: &Parts,
    ) -> Result<(), Refusal> {
        let at = self.at(Step::LinearAdvance);
        let first = start.saturating_add(1);
        let wanted = Wanted {
            // up to the source, because step 8 needs the headers after the tree's end
            headers: first..=self.source.tx,
            inclusions: first..=end.saturating_sub(1),
        };
        let headers = parts.chain(at, first..=end, &wanted)?;
        let mut swallowed = Vec::new();
        for id in wanted.inclusions.clone() {
            let Some(terms) = parts.inclusions.get(&id) else {
                return at.refuse(Reason::PartsNeeded(wanted));
            };
            swallowed.push(self.swallowed(id, terms)?);
        }
        let Some((first, rest)) = headers.split_first() else {
            return at.refuse(Reason::Absent("header after the source's tree"));
        };
        let root = self.target_tree().root;
        let mut alh = first.alh();
        for (inclusion, next) in swallowed.into_iter().zip(rest) {
            inclusion.verify(&alh, &root)?;
            alh = follow(at.step, next, &alh)?;
        }
        at.same("the linear advance's end", end_alh, &alh)
    }

    /// Returns the inclusion proof of one transaction of the old chain in the target's tree, with its form
    /// checked.
    fn swallowed(&self, id: u64, terms: &[Term]) -> Result<Inclusion, Refusal> {
        let at = At {
            step: Step::LinearAdvance,
            tx: id,
        };
        let what = "linear advance inclusion terms";
        Inclusion::new(at, what, id, self.target_tree().size, terms)
    }

    /// Verifies step 8: if the target's tree is larger than the source's and ends before the source, its last leaf
    /// leads to the source. Without this step, the leaves that the tree took in could be of another history than the
    /// trusted chain.
    fn verify_onward_link(&self, tree_end: &TreeEnd, parts: &Parts) -> Result<(), Refusal> {
        let between = self.source_tree().size < tree_end.tx && tree_end.tx < self.source.tx;
        if !between {
            return Ok(());
        }
        let at = self.at(Step::OnwardLink);
        let ids = tree_end.tx.saturating_add(1)..=self.source.tx;
        #[allow(clippy::reversed_empty_ranges)] // no inclusion proof is needed here
        let wanted = Wanted {
            headers: ids.clone(),
            inclusions: 1..=0,
        };
        let mut alh = tree_end.alh;
        for header in parts.chain(at, ids, &wanted)? {
            alh = follow(at.step, header, &alh)?;
        }
        at.same("the onward link's end", &self.source.hash, &alh)
    }
}

fn tree_of(header: &TxHeader) -> Tree {
    Tree {
        size: header.bl_tx_id(),
        root: *header.bl_root(),
    }
}

/// Returns the Alh at the end of a linear proof's terms, of which the first is the starting Alh itself (step 6).
fn fold_chain(at: At, start: u64, alh: &Digest, terms: &[Digest]) -> Result<Digest, Refusal> {
    let Some((first, rest)) = terms.split_first() else {
        return at.refuse(Reason::Absent("linear terms"));
    };
    at.same("the linear proof's start", alh, first)?;
    let mut id = start;
    Ok(rest.iter().fold(*first, |alh, inner| {
        id = id.saturating_add(1);
        link(id, &alh, inner)
    }))
}

/// Returns the Alh of `next`, which must name `alh` as the hash of the transaction before.
pub(super) fn follow(step: Step, next: &TxHeader, alh: &Digest) -> Result<Digest, Refusal> {
    let at = At {
        step,
        tx: next.id(),
    };
    at.same("the hash of the transaction before", alh, next.prev_alh())?;
    Ok(next.alh())
}
