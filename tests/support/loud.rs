//! Messages that must be visible although the test passes.

/// Writes to stderr past the test harness, which hides the output of passing tests.
pub fn loud(line: impl AsRef<[u8]>) {
    use std::io::Write;
    // append mode: if stderr is a file, opening it again must not truncate it
    let stderr = std::fs::OpenOptions::new().append(true).open("/dev/stderr");
    let _ = stderr.and_then(|mut stderr| stderr.write_all(line.as_ref()));
}

/// Reports a test that this machine cannot run, in CI too.
#[allow(dead_code)] // each test program uses a part
pub fn not_shown(why: &str) {
    loud(format!("SKIPPED: {why}\n"));
}

/// Reports a missing requirement of a test; in CI (`CI=true`, which `./dev` sets) that fails.
#[allow(dead_code)] // each test program uses a part
pub fn missing(what: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}");
    not_shown(what);
}
