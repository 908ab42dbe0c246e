//! What must be seen although the test passes.

/// Writes past the test harness, which swallows what passing tests print.
pub fn loud(line: impl AsRef<[u8]>) {
    use std::io::Write;
    // appended: where stderr is a file, opening it anew must not cut it
    let stderr = std::fs::OpenOptions::new().append(true).open("/dev/stderr");
    let _ = stderr.and_then(|mut stderr| stderr.write_all(line.as_ref()));
}

/// What is missing for a test is said; under CI (`CI=true`, as `./dev` has it) nothing may be missing.
#[allow(dead_code)] // each user of it uses a part
pub fn skipped(missing: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
    loud(format!("SKIPPED: {missing}\n"));
}
