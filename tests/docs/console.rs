//! The commands of the documentation print the documented output.
//!
//! The `$` lines of all ```console blocks of a page run one after the other, in a folder for each
//! page. The lines below a command are its expected output, except for hashes, times and numbers.
//! Ports, ids and hashes of a page are replaced by the real ones in later commands.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use crate::support::temp_dir::TempDir;

/// The folder of the states in the documentation.
const STATES: &str = "/var/lib/immuaudit";

/// A reader who types the commands of one page.
struct Reader {
    folder: TempDir,
    /// Ports, ids and hashes of the page, with the real ones.
    real: BTreeMap<String, String>,
    background: Option<Child>,
    exit: i32,
}

impl Reader {
    fn new() -> Reader {
        Reader {
            folder: TempDir::new(),
            real: BTreeMap::new(),
            background: None,
            exit: 0,
        }
    }

    fn states(&self) -> PathBuf {
        self.folder.join("states")
    }

    /// Runs a line of the page, and returns its output.
    fn run(&mut self, line: &str) -> String {
        let args: Vec<&str> = line.split_whitespace().collect();
        match args.as_slice() {
            ["immuaudit", "drill", "--serve", rest @ .., "&"] => self.serve(rest),
            ["immuaudit", rest @ ..] => {
                let rest: Vec<String> = rest.iter().map(|word| self.here(word)).collect();
                let output = self.command().args(rest).output().expect("it runs");
                self.exit = output.status.code().expect("an exit code");
                String::from_utf8(output.stdout).expect("UTF-8")
            }
            ["echo", "$?"] => format!("exit {}\n", self.exit),
            ["sleep", seconds] => {
                let seconds = seconds.parse().expect("seconds");
                thread::sleep(Duration::from_secs(seconds));
                String::new()
            }
            ["kill", "%1"] => {
                self.stop();
                String::new()
            }
            _ => panic!("this test does not support the command: {line}"),
        }
    }

    /// Starts a ledger in the background on a free port, and returns its first line.
    fn serve(&mut self, args: &[&str]) -> String {
        self.stop();
        let mut args = args.to_vec();
        let at = args.iter().position(|word| *word == "--port");
        let port = at.map(|at| args.remove(at + 1)).expect("a port");
        args.retain(|word| *word != "--port");
        let mut child = self
            .command()
            .args(["drill", "--serve", "--port", "0"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a ledger");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its stdout");
        let read = BufReader::new(stdout).read_line(&mut line);
        self.background = Some(child);
        read.expect("its first line");
        let real = line
            .split([':', ' '])
            .find_map(|word| word.parse::<u16>().ok());
        let real = real.unwrap_or_else(|| panic!("no port in {line:?}"));
        self.real.insert(port.to_owned(), real.to_string());
        line
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_immuaudit"));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("STATE_DIRECTORY", self.states())
            // the port differs from the port on the page, but the server has the page's name
            .env("IMMUAUDIT_SERVER_LABEL", "127.0.0.1:3999")
            .env("IMMUAUDIT_AUDIT_MONITORING_PORT", "0")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Returns a word of the page with the real ports, paths, ids and hashes.
    fn here(&self, word: &str) -> String {
        if let Some(real) = self.real.get(word) {
            return real.clone();
        }
        let mut word = word.replace(STATES, self.states().to_str().expect("UTF-8"));
        for (page, real) in self.real.iter().filter(|(page, _)| page.len() >= 12) {
            word = word.replace(page, real);
        }
        word
    }

    /// Asserts that the output is the documented one, and stores its ids for later commands.
    fn compare(&mut self, label: &str, page: &str, printed: &str) {
        let printed = printed.replace(self.states().to_str().expect("UTF-8"), STATES);
        let same = normal(page) == normal(&printed);
        assert!(
            same,
            "{label}\nthe page has:\n{page}\nit prints:\n{printed}"
        );
        for (page, real) in ids(page).into_iter().zip(ids(&printed)) {
            self.real.insert(page.to_owned(), real.to_owned());
        }
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.background.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_id(word: &str) -> bool {
    word.len() >= 12 && word.bytes().all(|c| c.is_ascii_hexdigit())
}

/// Returns the hashes and the ids of alarms in their order.
fn ids(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| is_id(word))
        .collect()
}

/// Replaces everything that differs from run to run. Exit codes are not replaced.
fn normal(text: &str) -> String {
    let mut normal = String::new();
    for line in text.lines() {
        // the width of a column depends on its content
        let line = &line.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.starts_with("exit ") {
            normal.push_str(line);
        } else {
            for word in line.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
                let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
                let varies = is_id(bare) || bare.len() == 20 && line.starts_with("identity");
                normal.push_str(&if varies {
                    word.replace(bare, "ID")
                } else {
                    numbers(word)
                });
            }
        }
        normal.push('\n');
    }
    normal
}

/// Replaces each run of digits by one 0.
fn numbers(word: &str) -> String {
    let mut normal = String::new();
    for c in word.chars() {
        match c {
            '0'..='9' if normal.ends_with('0') => {}
            '0'..='9' => normal.push('0'),
            other => normal.push(other),
        }
    }
    normal
}

/// Returns the commands of the `console` blocks, each with its documented output.
fn commands(page: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = vec![];
    for block in page.split("```console\n").skip(1) {
        let block = block.split("```").next().expect("a block's end");
        for line in block.lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.into(), String::new())),
                (None, Some((command, printed))) => {
                    let exit = if command == "echo $?" { "exit " } else { "" };
                    printed.push_str(&format!("{exit}{line}\n"));
                }
                (None, None) => panic!("output before the first command: {line}"),
            }
        }
    }
    commands
}

fn check_page(page: &str, least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(path).expect(page);
    let commands = commands(&text);
    assert!(commands.len() >= least, "{page}: {}", commands.len());
    let mut reader = Reader::new();
    for (command, expected) in commands {
        let printed = reader.run(&command);
        reader.compare(&format!("{page}: $ {command}"), &expected, &printed);
    }
}

#[test]
fn the_readme_commands_print_the_documented_output() {
    check_page("README.md", 5);
}

#[test]
fn the_first_audit_page_prints_the_documented_output() {
    check_page("docs/first-audit.md", 14);
}

#[test]
fn the_values_page_prints_the_documented_output() {
    check_page("docs/values.md", 4);
}

#[test]
fn the_verdicts_page_prints_the_documented_output() {
    check_page("docs/verdicts.md", 1);
}
