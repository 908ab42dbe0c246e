//! The real binary, run as a user runs it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::signals;
use super::usage::is_loaded;
pub use super::usage::status;

/// The program as an auditor of one server, with a separate directory.
pub struct Program {
    pub port: u16,
    pub dir: PathBuf,
    pub args: Vec<String>,
    pub variables: Vec<(String, String)>,
    /// A command that runs the program, with its arguments; empty if the program is run directly.
    pub prefix: Vec<String>,
}

impl Program {
    pub fn new(port: u16, dir: &Path) -> Program {
        Program {
            port,
            dir: dir.to_owned(),
            args: Vec::new(),
            variables: Vec::new(),
            prefix: Vec::new(),
        }
    }

    /// Returns the same auditor with additional arguments.
    pub fn with(&self, args: &[&str]) -> Program {
        let mut all = self.args.clone();
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        Program {
            port: self.port,
            dir: self.dir.clone(),
            args: all,
            variables: self.variables.clone(),
            prefix: self.prefix.clone(),
        }
    }

    /// Returns the same auditor, run by another command, for instance one that limits its memory.
    pub fn run_by(&self, prefix: Vec<String>) -> Program {
        Program {
            prefix,
            ..self.with(&[])
        }
    }

    /// Returns a command of the program, with an environment that does not depend on the caller's.
    pub fn command(&self, args: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_immuaudit");
        let mut prefix = self.prefix.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(prefix.next().expect("a program"));
        command
            .args(prefix)
            .args(args)
            .args(["--immudb-port", &self.port.to_string()])
            .arg("--dir")
            .arg(&self.dir)
            // the same server may listen on another port after a restart
            .args(["--server-label", "tested"])
            .args(&self.args)
            .current_dir(self.dir.parent().expect("a folder around it"))
            .env_clear()
            .envs(self.variables.iter().cloned())
            .env("HOME", &self.dir)
            // several programs run concurrently; a test reads the port from the log
            .env("IMMUAUDIT_AUDIT_MONITORING_PORT", "0")
            .stdin(Stdio::null());
        command
    }

    /// Runs one cycle with `--json`.
    pub fn once(&self) -> Run {
        self.run(&["--once", "--json"])
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().expect("the program runs"))
    }

    /// Returns the ID of the first open alarm of a database; no alarm is changed.
    #[track_caller]
    pub fn open_alarm(&self, database: &str) -> String {
        let list = self.run(&["alarm", "list", database, "--json"]);
        member(list.ends_with(2).line(database), "alarm").to_owned()
    }

    /// Runs one cycle with `--json`, and returns the run with its largest resident memory in KiB.
    pub fn once_measured(&self) -> (Run, u64) {
        self.run_measured(&["--once", "--json"])
    }

    /// Runs a command, and returns the run with its largest resident memory in KiB. The memory is
    /// read every millisecond, because the kernel's maximum can no longer be read after the end.
    pub fn run_measured(&self, args: &[&str]) -> (Run, u64) {
        let mut child = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let id = child.id();
        let stdout = read_all(child.stdout.take());
        let stderr = read_all(child.stderr.take());
        let mut peak = 0;
        let status = loop {
            if is_loaded(id, Path::new(env!("CARGO_BIN_EXE_immuaudit"))) {
                peak = peak.max(high_water(id).unwrap_or(0));
            }
            if let Some(status) = child.try_wait().expect("the program's status") {
                break status;
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert!(peak > 0, "the memory was never read");
        let output = Output {
            status,
            stdout: stdout.join().expect("its stdout"),
            stderr: stderr.join().expect("its stderr"),
        };
        (Run::of(output), peak)
    }

    /// Starts the program in the background, with its log in a file.
    pub fn start(&self, args: &[&str]) -> Running {
        let log = self.dir.with_extension("log");
        let file = fs::File::create(&log).expect("a log file");
        let mut command = self.command(args);
        signals::prepare(&mut command);
        let child = command
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the program starts");
        Running { child, log }
    }
}

fn read_all(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.expect("a pipe").read_to_end(&mut bytes);
        bytes
    })
}

/// Returns the largest resident memory of a process so far, in KiB.
pub fn high_water(id: u32) -> Option<u64> {
    status(id, "VmHWM")
}

/// The exit code and the output of a run.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(output: Output) -> Run {
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Returns the JSON line of a database.
    pub fn line(&self, database: &str) -> &str {
        let name = format!("\"database\":\"{database}\"");
        self.stdout
            .lines()
            .find(|line| line.contains(&name))
            .unwrap_or_else(|| panic!("no line of {database}: {self:?}"))
    }

    pub fn verdict(&self, database: &str) -> &str {
        member(self.line(database), "verdict")
    }

    pub fn reason(&self, database: &str) -> &str {
        member(self.line(database), "reason")
    }

    /// Asserts the exit code and the verdict on one database.
    #[track_caller]
    pub fn is(&self, code: i32, database: &str, verdict: &str) -> &Run {
        let result = (self.code, self.verdict(database));
        assert_eq!(result, (Some(code), verdict), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn ends_with(&self, code: i32) -> &Run {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

/// Returns the value of a member in a JSON line, without quotes.
pub fn member<'a>(line: &'a str, name: &str) -> &'a str {
    let start = line
        .find(&format!("\"{name}\":"))
        .unwrap_or_else(|| panic!("no {name} in {line}"))
        + name.len()
        + 3;
    let rest = &line[start..];
    match rest.strip_prefix('"') {
        Some(text) => {
            &text[..text
                .find("\",")
                .or(text.find("\"}"))
                .expect("a closing quote")]
        }
        None => &rest[..rest.find([',', '}']).expect("an end")],
    }
}

/// Runs a command that was printed for a user to copy, in another directory and with an empty environment.
#[cfg(unix)]
pub fn copied(command: &str) -> Output {
    let rest = command.strip_prefix("immuaudit ").expect("our command");
    Command::new("sh")
        .args(["-c", &format!("exec \"$0\" {rest}")])
        .arg(env!("CARGO_BIN_EXE_immuaudit"))
        .env_clear()
        .current_dir("/")
        .output()
        .expect("a shell")
}

/// Runs a command that was printed for a user to copy into PowerShell, which does not interpret text in single
/// quotes. The test splits the command itself, because Wine has no PowerShell.
#[cfg(windows)]
pub fn copied(command: &str) -> Output {
    // in JSON a backslash is escaped by another one
    let command = command.replace(r"\\", r"\");
    let rest = command.strip_prefix("immuaudit ").expect("our command");
    let (mut args, mut is_quoted) = (vec![String::new()], false);
    for c in rest.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => args.push(String::new()),
            c => args.last_mut().expect("a word").push(c),
        }
    }
    Command::new(env!("CARGO_BIN_EXE_immuaudit"))
        .args(args)
        .env_clear()
        .current_dir("C:/")
        .output()
        .expect("the program runs")
}

/// A running auditor, which is killed when it is dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_none()
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until the log contains `text`; the deadline only ends a failed test.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait_for_times(text, 1);
    }

    /// Waits until the log contains `text` this many times.
    #[track_caller]
    pub fn wait_for_times(&mut self, text: &str, times: usize) {
        let end = Instant::now() + Duration::from_secs(60);
        let is_logged = |log: &str| log.matches(text).count() >= times;
        while !is_logged(&self.log()) {
            assert!(
                Instant::now() < end,
                "{text:?} was not logged in time: {}",
                self.log()
            );
            if let Some(status) = self.child.try_wait().expect("the program's status") {
                assert!(
                    is_logged(&self.log()),
                    "ended with {status}: {}",
                    self.log()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the log contains `text` this many times more than now.
    #[track_caller]
    pub fn wait_for_more(&mut self, text: &str, more: usize) {
        let before = self.log().matches(text).count();
        self.wait_for_times(text, before + more);
    }

    /// Waits until this many further cycles have ended.
    #[track_caller]
    pub fn wait_for_cycles(&mut self, further: usize) {
        self.wait_for_more("INFO  cycle ", further);
    }

    /// Sends a signal.
    pub fn signal(&mut self, name: &str) {
        signals::send(&mut self.child, name);
    }

    /// Waits for the end of the program, and returns its exit code.
    pub fn end(&mut self) -> Option<i32> {
        self.child.wait().expect("the program ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
