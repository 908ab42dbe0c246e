//! Other people's programs that a test needs: without them it says loudly that it was left out, and
//! under CI it fails.

use std::process::{Child, Command, Stdio};

/// A program that ends with the test.
pub struct Tool(pub Child);

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Is the program there?
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
