//! Proofs of single transactions in recorded responses, against the trusted state.

use std::collections::BTreeMap;

use protobuf::Message;

use super::history::verify;
use super::{Case, NotReproduced};
use crate::ledger::{self, Digest, Fault, Parts, Refusal, State, TxHeader};
use crate::trust::Shortened;
use crate::wire::{self, Tx, proto};

/// The transactions in the recorded responses, with the results of their proofs.
pub(super) struct Read {
    /// Every transaction in every response, by id.
    shown: BTreeMap<u64, Vec<ShownTx>>,
    /// The hashes that the trusted history has for a transaction, by id. There is one, unless the history contradicts
    /// itself.
    proven: BTreeMap<u64, Vec<Digest>>,
    /// The failed proofs of a transaction's place, by id.
    refused: BTreeMap<u64, Refusal>,
}

/// A transaction as one response showed it.
pub(super) struct ShownTx {
    pub(super) tx: Tx,
    /// Whether the recorded response has no values.
    pub(super) without_values: bool,
}

impl Case<'_> {
    /// Reads the recorded responses, and verifies their proofs against the trusted state.
    pub(super) fn read(&self) -> Result<Read, NotReproduced> {
        let trusted = self.trusted()?.state;
        let mut read = Read {
            shown: BTreeMap::new(),
            proven: BTreeMap::from([(trusted.tx, vec![trusted.hash])]),
            refused: BTreeMap::new(),
        };
        let parts = self.parts(trusted.tx);
        for answer in self.answers() {
            let Ok(reply) = &answer.reply else {
                if answer.call == "VerifiableTxById" {
                    read.excused(&answer.request, &trusted, &parts);
                }
                continue;
            };
            let txs: Vec<Tx> = match answer.call.as_str() {
                "TxById" => wire::tx(reply).into_iter().collect(),
                "TxScan" => wire::tx_list(reply)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .collect(),
                "VerifiableTxById" => {
                    let proof = wire::verifiable_tx(reply).ok();
                    if let Some(proof) = &proof {
                        read.placed(&answer.request, proof, &trusted, &parts);
                    }
                    proof.and_then(|proof| proof.tx).into_iter().collect()
                }
                _ => continue,
            };
            let without_values = matches!(answer.shortened, Some(Shortened::WithoutValues(_)));
            for tx in txs {
                let of_id = read.shown.entry(tx.header.id()).or_default();
                of_id.push(ShownTx { tx, without_values });
            }
        }
        read.follow_the_chain();
        Ok(read)
    }
}

impl Read {
    /// Returns a transaction as every response showed it.
    pub(super) fn shown(&self, tx: u64) -> &[ShownTx] {
        self.shown.get(&tx).map_or(&[], Vec::as_slice)
    }

    /// Returns the hashes that are proven for a transaction.
    pub(super) fn proven(&self, tx: u64) -> &[Digest] {
        self.proven.get(&tx).map_or(&[], Vec::as_slice)
    }

    /// Returns the header of a transaction that is proven.
    pub(super) fn proven_headers(&self, tx: u64) -> impl Iterator<Item = &TxHeader> {
        let headers = self.shown(tx).iter().map(|shown| &shown.tx.header);
        headers.filter(move |header| self.proven(tx).contains(&header.alh()))
    }

    /// Returns the refusal of the proof of a transaction.
    pub(super) fn refused(&self, tx: u64) -> Option<&Refusal> {
        self.refused.get(&tx)
    }

    /// Adds the proof of a transaction, if it is one against the trusted state.
    fn placed(
        &mut self,
        request: &[u8],
        proof: &wire::VerifiableTx,
        trusted: &State,
        parts: &Parts,
    ) {
        let asked = proto::VerifiableTxRequest::parse_from_bytes(request).ok();
        let asked = asked.filter(|asked| asked.prove_since_tx == trusted.tx);
        let (Some(asked), Some(tx)) = (asked, &proof.tx) else {
            return;
        };
        let source = State {
            tx: asked.tx,
            hash: tx.header.alh(),
        };
        if tx.header.id() != asked.tx || asked.tx == trusted.tx {
            return; // the trusted transaction needs no proof
        }
        let verified = verify(&source, trusted, proof, asked.tx, parts);
        self.take(source, verified);
    }

    /// Adds the excuse of an old server, which cannot prove some pairs and shows this by the headers.
    fn excused(&mut self, request: &[u8], trusted: &State, parts: &Parts) {
        let asked = proto::VerifiableTxRequest::parse_from_bytes(request).ok();
        let asked = asked.filter(|asked| asked.prove_since_tx == trusted.tx);
        let Some(asked) = asked.filter(|asked| asked.tx < trusted.tx) else {
            return;
        };
        if let Some(header) = parts.headers.get(&asked.tx) {
            let source = State {
                tx: asked.tx,
                hash: header.alh(),
            };
            let excused = ledger::excuse(&source, trusted, &parts.headers);
            self.take(source, excused.map(drop));
        }
    }

    fn take(&mut self, source: State, verified: Result<(), Refusal>) {
        match verified {
            Ok(()) => self.prove(source),
            Err(refusal) if refusal.fault() == Fault::Inconsistent => {
                self.refused.insert(source.tx, refusal);
            }
            Err(_) => {}
        }
    }

    fn prove(&mut self, state: State) {
        let hashes = self.proven.entry(state.tx).or_default();
        if !hashes.contains(&state.hash) {
            hashes.push(state.hash);
        }
    }

    /// Proves each transaction that a proven header names as the one before it.
    fn follow_the_chain(&mut self) {
        let ids: Vec<u64> = self.shown.keys().rev().copied().collect();
        for id in ids {
            let before: Vec<Digest> = self
                .proven_headers(id)
                .map(|header| *header.prev_alh())
                .collect();
            let Some(tx) = id.checked_sub(1).filter(|tx| *tx > 0) else {
                continue;
            };
            for hash in before {
                self.prove(State { tx, hash });
            }
        }
    }
}
