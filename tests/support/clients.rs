//! Independent clients of immudb that verify every response, as programs that tests run against
//! their ledgers.
//!
//! A client is called with servers (`PORT/DATABASE`, or `PORT/DATABASE=FILE` with the server's
//! public key). It prints one line for each server: `PORT/DATABASE verified` or `PORT/DATABASE
//! refused: WHY`. The first lines are about its own writes and reads. After `ready` and a line on
//! its stdin it reads the keys `later` and `key/10`, and prints a line for each server again.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use immuaudit::drill::Emulated;

use super::temp_dir::TempDir;
use super::{loud, real};

/// The language of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Go,
    Node,
    Python,
}

pub const LANGUAGES: [Language; 3] = [Language::Go, Language::Node, Language::Python];

impl Language {
    pub fn name(self) -> &'static str {
        match self {
            Language::Go => "Go",
            Language::Node => "Node",
            Language::Python => "Python",
        }
    }

    /// Returns the newest server that the client can verify: the Node client knows only headers of
    /// version 0.
    pub fn server(self) -> Emulated {
        match self {
            Language::Go | Language::Python => Emulated::V1_11_1,
            Language::Node => Emulated::V1_1_0,
        }
    }

    /// Returns whether the client verifies signatures.
    pub fn takes_a_key(self) -> bool {
        self != Language::Node
    }

    /// Returns the program, or `None` with a message if it is not installed. In CI a missing
    /// program fails the test.
    fn program(self) -> Option<Command> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
        let target = source.join(target);
        let there = |path: PathBuf| {
            if path.exists() {
                return Some(path);
            }
            loud::missing(&format!(
                "no {} client of immudb at {} (./dev test installs it)",
                self.name(),
                path.display()
            ));
            None
        };
        match self {
            Language::Go => real::built("client-1.11.1").map(Command::new),
            Language::Node => {
                let modules = there(target.join("node/node_modules"))?;
                let mut node = Command::new("node");
                node.arg(source.join("tests/node/client.js"));
                node.env("NODE_PATH", modules);
                Some(node)
            }
            Language::Python => {
                let mut python = Command::new(there(target.join("python/bin/python"))?);
                python.arg(source.join("tests/python/client.py"));
                Some(python)
            }
        }
    }

    /// Starts the client with these servers.
    pub fn start(self, servers: &[String]) -> Option<Client> {
        let folder = TempDir::new();
        let mut child = self
            .program()?
            .args(servers)
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the client runs");
        Some(Client {
            language: self,
            stdin: child.stdin.take().expect("its stdin"),
            lines: BufReader::new(child.stdout.take().expect("its stdout")),
            child,
            _folder: folder,
        })
    }
}

/// A running client, which ends with the test.
pub struct Client {
    pub language: Language,
    child: Child,
    stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Client {
    /// Returns the lines of the client after it has written and read.
    pub fn begun(&mut self, servers: usize) -> Vec<String> {
        let next_lines = self.next_lines(servers);
        assert_eq!(
            self.next_lines(1),
            ["ready"],
            "{:?}: {next_lines:?}",
            self.language
        );
        next_lines
    }

    /// Lets the client read again and returns its lines.
    pub fn reads_again(&mut self, servers: usize) -> Vec<String> {
        self.stdin.write_all(b"\n").expect("its stdin");
        self.next_lines(servers)
    }

    fn next_lines(&mut self, count: usize) -> Vec<String> {
        let line = |_| {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("its stdout");
            line.trim_end().to_owned()
        };
        (0..count).map(line).collect()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
