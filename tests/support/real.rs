//! Real immudb servers of several versions, built by `tests/real/build`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

/// Returns the folder of the server programs.
fn folder() -> PathBuf {
    match env::var_os("REAL_BIN_DIR") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real"),
    }
}

/// Returns the server program of a version, or `None` with a message if it was not built. In CI a
/// missing program fails the test.
pub fn program(version: &str) -> Option<PathBuf> {
    built(&format!("immudb-{version}"))
}

/// Returns any program of `tests/real/build`, such as `immuclient-1.11.1`, in the same way.
pub fn built(name: &str) -> Option<PathBuf> {
    let path = folder().join(name);
    if path.exists() {
        return Some(path);
    }
    super::loud::missing(&format!(
        "no real {name} (built by tests/real/build, which needs Go)"
    ));
    None
}

/// A running server on loopback. It ends with the test, because it ends when its stdin is closed.
pub struct Real {
    program: PathBuf,
    pub dir: PathBuf,
    pub port: u16,
    /// Flags for clients: TLS, or no authentication.
    pub client: Vec<String>,
    child: Child,
}

impl Real {
    pub fn start(program: &Path, dir: &Path, flags: &[&str]) -> Real {
        Real::start_at(program, dir, 0, flags)
    }

    pub fn start_at(program: &Path, dir: &Path, port: u16, flags: &[&str]) -> Real {
        fs::create_dir_all(dir).expect("a data directory");
        let mut child = Command::new(program)
            .args(["serve", "--port", &port.to_string(), "--dir"])
            .arg(dir)
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdout = child.stdout.take().expect("its stdout");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("its first line");
        let port = line
            .trim()
            .strip_prefix("ready ")
            .and_then(|port| port.parse().ok());
        Real {
            program: program.to_owned(),
            dir: dir.to_owned(),
            port: port.unwrap_or_else(|| panic!("the server printed {line:?}")),
            client: Vec::new(),
            child,
        }
    }

    /// Runs a client command of the server program and returns its output.
    pub fn does(&self, args: &[&str]) -> String {
        let output = Command::new(&self.program)
            .args(&args[..1])
            .args(["--port", &self.port.to_string()])
            .args(&self.client)
            .args(&args[1..])
            .output()
            .expect("the client runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Writes transactions of one entry each.
    pub fn write(&self, database: &str, prefix: &str, transactions: u32) {
        let n = transactions.to_string();
        self.does(&["write", "--db", database, "--prefix", prefix, "--n", &n]);
    }

    /// Writes transactions with fifty concurrent writers.
    pub fn write_concurrently(&self, database: &str, prefix: &str, transactions: u32) {
        let n = transactions.to_string();
        self.does(&[
            "write",
            "--db",
            database,
            "--prefix",
            prefix,
            "--n",
            &n,
            "--writers",
            "50",
        ]);
    }

    /// Stops the server cleanly and returns its data directory.
    pub fn stop(mut self) -> PathBuf {
        drop(self.child.stdin.take());
        self.child.wait().expect("the server ends");
        self.dir.clone()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a data directory.
pub fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(done.expect("cp runs").success());
}

/// Makes a test for each version, in a module named after the version.
#[allow(unused_macros)] // each test program uses a part
macro_rules! for_versions {
    ($($test:ident),+ $(,)?) => {
        for_versions!(@ v1_11_1 "1.11.1" $($test)+);
        for_versions!(@ v1_2_4 "1.2.4" $($test)+);
        for_versions!(@ v0_9_2 "0.9.2" $($test)+);
        for_versions!(@ v0_9_0 "0.9.0" $($test)+);
    };
    (@ $module:ident $version:literal $($test:ident)+) => {
        mod $module {
            $(#[test]
            fn $test() {
                if let Some(server) = super::program($version) {
                    super::$test(&server);
                }
            })+
        }
    };
}
#[allow(unused_imports)]
pub(crate) use for_versions;
