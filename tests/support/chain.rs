//! A small ledger without a tree, which can prove any two of its states.

use immuaudit::ledger::{
    Digest, DualProof, HeaderFields, LinearProof, Parts, Proven, State, StateShape, Term, TxHeader,
    verify,
};
use immuaudit::trust::ObservedState;

pub struct Chain(Vec<TxHeader>);

impl Chain {
    /// Makes a chain of `length` transactions; chains with different seeds share no transaction.
    pub fn new(length: u64, seed: u64) -> Chain {
        let mut headers = Vec::new();
        let mut prev_alh = Digest::OF_NOTHING;
        for id in 1..=length {
            let header = TxHeader::new(HeaderFields {
                id,
                prev_alh,
                ts: 0,
                nentries: 1,
                eh: Digest::of(&[&seed.to_be_bytes(), &id.to_be_bytes()]),
                bl_tx_id: 0,
                bl_root: Digest::ZERO,
                version: 1,
                metadata: None,
            })
            .expect("a header");
            prev_alh = header.alh();
            headers.push(header);
        }
        Chain(headers)
    }

    fn header(&self, tx: u64) -> &TxHeader {
        &self.0[usize::try_from(tx - 1).expect("small")]
    }

    pub fn state(&self, tx: u64) -> State {
        State {
            tx,
            hash: self.header(tx).alh(),
        }
    }

    pub fn seen(&self, tx: u64) -> ObservedState {
        ObservedState {
            state: self.state(tx),
            shape: StateShape::WithDatabase,
            signature: None,
            uuid: Some("d4g5c2k23aku4h7nq1t0".into()),
        }
    }

    pub fn prove(&self, source: u64, target: u64) -> Proven {
        let mut terms = vec![Term::from(self.state(source).hash)];
        terms.extend((source + 1..=target).map(|tx| Term::from(self.header(tx).inner())));
        let proof = DualProof {
            source: Some(self.header(source).clone()),
            target: Some(self.header(target).clone()),
            inclusion: Vec::new(),
            consistency: Vec::new(),
            target_bl_tx_alh: Term::from(Digest::ZERO),
            last_inclusion: Vec::new(),
            linear: Some(LinearProof {
                source_tx: source,
                target_tx: target,
                terms,
            }),
            linear_advance: None,
        };
        verify(
            &self.state(source),
            &self.state(target),
            &proof,
            &Parts::default(),
        )
        .expect("proven")
    }
}
