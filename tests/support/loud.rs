//! What must be seen although the test passes.

/// Writes past the test harness, which swallows what passing tests print.
pub fn loud(line: impl AsRef<[u8]>) {
    use std::io::Write;
    // appended: where stderr is a file, opening it anew must not cut it
    let stderr = std::fs::OpenOptions::new().append(true).open("/dev/stderr");
    let _ = stderr.and_then(|mut stderr| stderr.write_all(line.as_ref()));
}

/// What this machine cannot show is said, under CI too.
#[allow(dead_code)] // each user of it uses a part
pub fn not_shown(why: &str) {
    loud(format!("SKIPPED: {why}\n"));
}

/// What is missing for a test is said; under CI (`CI=true`, as `./dev` has it) nothing may be missing.
#[allow(dead_code)] // each user of it uses a part
pub fn missing(what: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}");
    not_shown(what);
}
