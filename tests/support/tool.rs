//! Other programs that a test needs. If one is missing, a message says that the test was skipped;
//! in CI the test fails.

use std::process::{Child, Command, Stdio};

/// A program that ends when it is dropped.
pub struct Tool(pub Child);

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns whether the program is installed.
pub fn have(program: &str, package: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_err() {
        super::loud::missing(&format!("no {program} here (package {package})"));
    }
    found.is_ok()
}
