//! immudb's own command line with the embedded ledger: its commands print the same as with a real
//! server.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::support::loud::not_shown;
use crate::support::real;
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Lie, Options, fill};

struct CommandLine {
    program: PathBuf,
    folder: TempDir,
    server: Embedded,
    token: Token,
}

/// The file in which immuclient stores its token. It is always in the home directory of the user
/// database, so the tests take turns, and the earlier content of the file is restored.
struct Token {
    path: PathBuf,
    before: Option<Vec<u8>>,
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Token {
    /// Removes the token; `None` if the user has no home directory.
    fn taken() -> Option<Token> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let user = fs::metadata("/proc/self").ok()?.uid().to_string();
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let mut users = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        let user = users.find(|fields| fields.get(2) == Some(&user.as_str()))?;
        let path = Path::new(user.get(5)?).join("token");
        let before = fs::read(&path).ok();
        let _ = fs::remove_file(&path);
        Some(Token {
            path,
            before,
            _turn: turn,
        })
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let _ = match &self.before {
            Some(before) => fs::write(&self.path, before),
            None => fs::remove_file(&self.path),
        };
    }
}

impl CommandLine {
    /// Starts a filled ledger; `None` if immuclient was not built.
    fn new() -> Option<CommandLine> {
        let program = real::built("immuclient-1.11.1")?;
        let Some(token) = Token::taken() else {
            not_shown(
                "immuclient stores its token in a home directory, and there is no such directory",
            );
            return None;
        };
        let server = Embedded::start(Options::default().with_databases(&["second"])).unwrap();
        fill(&server, "defaultdb");
        Some(CommandLine {
            program,
            folder: TempDir::new(),
            server,
            token,
        })
    }

    /// Runs a command, and returns both of its outputs.
    fn output(&self, command: &str) -> String {
        let port = self.server.port().to_string();
        let output = Command::new(&self.program)
            .args(command.split(' '))
            .args(["--immudb-address", "127.0.0.1", "--immudb-port", &port])
            .args(["--username", "immudb", "--password", "immudb"])
            .current_dir(self.folder.path())
            .output()
            .expect("immuclient runs");
        let both = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&both).into_owned()
    }

    /// Panics unless the command prints all of `due`.
    fn expect(&self, command: &str, expected: &[&str]) {
        let printed = self.output(command);
        let words = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in expected {
            assert!(
                words.contains(expected),
                "{command}: no {expected:?} in {printed}"
            );
        }
    }
}

#[test]
fn plain_commands_write_and_read() {
    let Some(line) = CommandLine::new() else {
        return;
    };
    line.expect("set k1 v1", &["tx: 101 rev: 1 key: k1 value: v1"]);
    line.expect("get k1", &["tx: 101 rev: 1 key: k1 value: v1"]);
    line.expect("set k1 again", &["rev: 2"]);
    line.expect("get k1@1", &["value: v1"]);
    line.expect(
        "history k1",
        &["tx: 101 rev: 1", "tx: 102 rev: 2 key: k1 value: again"],
    );
    line.expect("restore k1@1", &["tx: 103 rev: 3 key: k1 value: v1"]);
    line.expect("reference r1 k1", &["tx: 104 key: r1 value: k1"]);
    line.expect("get r1", &["tx: 103 rev: 3 key: k1 value: v1"]);
    line.expect("scan k1", &["tx: 103 rev: 3 key: k1 value: v1"]);
    line.expect("scan key/10", &["key: key/10 ", "key: key/100 "]);
    line.expect("count key/10", &["2"]);
    line.expect("zadd s 1.5 k1", &["score: 1.500000", "verified: false"]);
    line.expect("zscan s", &["tx: 103 rev: 3 key: k1 value: v1"]);
    line.expect("delete k1", &["key successfully deleted"]);
    line.expect("get k1", &["key not found"]);
    line.expect("history k1", &["tx: 106 rev: 4"]);
    line.expect("tx 101", &["101"]);
    // this key was written as not indexable
    line.expect("get hidden/9", &["key not found"]);
}

#[test]
fn safe_commands_verify_their_responses() {
    let Some(line) = CommandLine::new() else {
        return;
    };
    let verified = "verified: true";
    line.expect("safeset k v", &["tx: 101", "value: v", verified]);
    line.expect("safeget k", &["tx: 101", "value: v", verified]);
    line.expect("safereference r k", &["tx: 102", "key: r", verified]);
    line.expect("safeget r", &["tx: 101", "value: v", verified]);
    line.expect("safezadd s 2 k", &["score: 2.000000", verified]);
    line.expect("safeget key/10", &["value of transaction 10", verified]);
    line.expect("safetx 5", &[verified]);
}

#[test]
fn commands_show_state_server_and_databases() {
    let Some(line) = CommandLine::new() else {
        return;
    };
    let hash = line.server.state("defaultdb").unwrap().hash.to_string();
    line.expect("current", &["database: defaultdb txID: 100", &hash]);
    line.expect("status", &["database: defaultdb txID: 100", &hash]);
    line.expect("info", &["version: 1.11.1"]);
    line.expect("health", &["pending"]);
    line.expect("use second", &["second"]);
    line.expect(
        "query select",
        &["the embedded ledger of immuaudit has no SQL"],
    );
}

#[test]
fn a_stored_token_that_the_server_forgot_is_replaced() {
    let Some(line) = CommandLine::new() else {
        return;
    };
    line.expect("set k1 v1", &["tx: 101"]);
    line.server.forget_tokens();
    line.expect("get k1", &["value: v1"]);
    assert!(line.token.path.exists());
}

#[test]
fn a_safe_command_refuses_a_flipped_proof() {
    let Some(line) = CommandLine::new() else {
        return;
    };
    line.expect("safeget key/10", &["verified: true"]);
    line.server.lie(Lie::FlippedProof);
    line.server.grow("defaultdb", 1);
    let printed = line.output("safeget key/10");
    assert!(!printed.contains("verified: true"), "{printed}");
}
