//! All responses except dual proofs. The first byte selects the kind of response.
#![no_main]

use immuaudit::ledger::verify_entries;
use immuaudit::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    match kind % 8 {
        0 => drop(wire::state(bytes).map(|claimed| claimed.verify_signature("defaultdb", &[]))),
        1 => {
            if let Ok(tx) = wire::tx(bytes) {
                let _ = verify_entries(&tx.header, &tx.entries);
            }
        }
        2 => {
            for tx in wire::tx_list(bytes).into_iter().flatten().flatten() {
                let _ = verify_entries(&tx.header, &tx.entries);
            }
        }
        3 => {
            if let Ok(answer) = wire::verifiable_entry(bytes) {
                let _ = answer.entry.verify(&answer.header, &answer.inclusion);
            }
        }
        4 => drop(wire::get_entry(bytes).map(|entry| entry.stored_value_hash())),
        5 => drop(wire::database_list(bytes)),
        _ => drop(wire::token(bytes)),
    }
});
