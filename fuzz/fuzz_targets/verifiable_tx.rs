//! A dual proof, from its bytes to the verdict. The pair is taken from the headers of the proof, so
//! that every step is reached.
#![no_main]

use immuaudit::ledger::{Parts, State, verify};
use immuaudit::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(answer) = wire::verifiable_tx(bytes) else {
        return;
    };
    let proof = answer.proof;
    if let (Some(source), Some(target)) = (&proof.source, &proof.target) {
        let state = |header: &immuaudit::ledger::TxHeader| State {
            tx: header.id(),
            hash: header.alh(),
        };
        let (source, target) = (state(source), state(target));
        if let Ok(proven) = verify(&source, &target, &proof, &Parts::default()) {
            assert_eq!((proven.source(), proven.target()), (source, target));
            // a claim that differs in one bit is refused
            let mut other = *target.hash.as_bytes();
            other[0] ^= 1;
            let other = State {
                hash: other.into(),
                ..target
            };
            assert!(verify(&source, &other, &proof, &Parts::default()).is_err());
        }
    }
});
