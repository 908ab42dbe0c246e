//! Evidence files, which may come from anyone, and their verification.
#![no_main]

use immuaudit::audit::recheck;
use immuaudit::ledger::Digest;
use immuaudit::trust::Evidence;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // a valid checksum is added, because a file without one is not parsed further
    let mut file = bytes.to_vec();
    file.extend(format!("\n# sha256: {}\n", Digest::of(&[bytes, b"\n"])).bytes());
    if let Ok(evidence) = Evidence::parse(&file) {
        let _ = format!("{:?}", recheck(&evidence, &[]));
    }
});
