//! A real server with an auditor without trusted states, and a real immuclient with its files.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use immuaudit::wire::proto::ImmutableState;
use protobuf::Message;

use super::program::{Program, Run};
use super::real::{Real, program};
use super::temp_dir::TempDir;

/// A real server, and an auditor without trusted states.
pub struct Scene {
    pub folder: TempDir,
    pub real: Real,
}

impl Scene {
    pub fn new(version: &str) -> Option<Scene> {
        let folder = TempDir::new();
        let real = Real::start(&program(version)?, &folder.join("data"), &[]);
        Some(Scene { folder, real })
    }

    pub fn auditor(&self) -> Program {
        Program::new(self.real.port, &self.folder.join("trust"))
    }

    pub fn import(&self, path: &Path) -> Run {
        let path = path.display().to_string();
        self.auditor().run(&["states", "import", &path, "--json"])
    }

    /// Returns the transaction and the hash of a database's current state, as the server shows it.
    pub fn state(&self, database: &str) -> (u64, Vec<u8>) {
        let shown = self.real.does(&["state", "--db", database]);
        let mut words = shown.split_whitespace();
        let tx = words.next().unwrap().parse().unwrap();
        let hash = words.next().unwrap();
        let byte = |at| u8::from_str_radix(&hash[at..at + 2], 16).unwrap();
        (tx, (0..hash.len()).step_by(2).map(byte).collect())
    }

    /// Writes a state file as immuclient 1.x does, with the current state of the server after
    /// `change`.
    pub fn write_state(&self, path: &Path, database: &str, change: impl Fn(&mut ImmutableState)) {
        let (tx_id, tx_hash) = self.state(database);
        let mut state = ImmutableState {
            db: database.into(),
            tx_id,
            tx_hash,
            ..ImmutableState::default()
        };
        change(&mut state);
        write(path, database, &state.write_to_bytes().unwrap());
    }
}

pub fn write(path: &Path, database: &str, message: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("\n{database}:{}\n", base64(message))).unwrap();
}

/// Encodes bytes as base64 (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(*chunk.get(at).unwrap_or(&0))
        });
        for digit in 0..4 {
            let value = DIGITS[bits >> (18 - 6 * digit) & 63];
            text.push(if digit <= chunk.len() {
                value as char
            } else {
                '='
            });
        }
    }
    text
}

/// A real immuclient in audit mode, which ends when it is dropped.
pub struct Immuclient(pub Child);

impl Immuclient {
    /// Audits until immuclient has written a trusted state below `temporary`, and returns the file.
    pub fn audit(program: &Path, real: &Real, temporary: &Path) -> PathBuf {
        fs::create_dir_all(temporary).unwrap();
        let port = real.port.to_string();
        let child = Command::new(program)
            .arg("audit-mode")
            .env_clear()
            .env("TMPDIR", temporary)
            .env("HOME", temporary)
            .env("IMMUCLIENT_IMMUDB_ADDRESS", "127.0.0.1")
            .env("IMMUCLIENT_IMMUDB_PORT", port)
            .env("IMMUCLIENT_AUDIT_USERNAME", "immudb")
            .env("IMMUCLIENT_AUDIT_PASSWORD", "immudb")
            .env("IMMUCLIENT_AUDIT_MONITORING_HOST", "127.0.0.1")
            .env("IMMUCLIENT_AUDIT_MONITORING_PORT", "0")
            .env("audit-agent-interval", "1s")
            .current_dir(temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("immuclient starts");
        let mut running = Immuclient(child);
        let end = Instant::now() + Duration::from_secs(60);
        let auditor = temporary.join("auditor");
        loop {
            let of_servers = fs::read_dir(&auditor).into_iter().flatten().flatten();
            let written = of_servers
                .map(|server| server.path().join(".state"))
                .find(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(':')));
            if let Some(file) = written {
                return file;
            }
            assert!(Instant::now() < end, "immuclient wrote no state");
            assert!(running.0.try_wait().unwrap().is_none(), "immuclient ended");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Immuclient {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
