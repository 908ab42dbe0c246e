//! Files of evidence, which come from elsewhere, and what is checked again in them.
#![no_main]

use immuaudit::audit::recheck;
use immuaudit::ledger::Digest;
use immuaudit::trust::Evidence;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // the checksum is made right, or nothing behind it would be reached
    let mut file = bytes.to_vec();
    file.extend(format!("\n# sha256: {}\n", Digest::of(&[bytes, b"\n"])).bytes());
    if let Ok(evidence) = Evidence::parse(&file) {
        let _ = format!("{:?}", recheck(&evidence, &[]));
    }
});
