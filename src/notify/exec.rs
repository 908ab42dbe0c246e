//! A notification to a program: JSON on its stdin, no shell, nothing inherited, and a time limit. The program's
//! stderr goes to the log.

use std::io::{Read, Write};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::DeliveryError;
use super::notification::Notification;
use crate::clock::Clock;
use crate::report::Event;
use crate::sys::{self, Group};
use crate::text::Escaped;
use log::Level;

/// The time between two checks whether the program has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// The limit of the bytes of stderr that are read at a time: a pipe holds this many. A program that writes without
/// end is slowed down and takes none of the auditor's time.
const MAX_READ_BYTES: usize = 64 << 10;
/// The limit of the last bytes of stderr that are stored: all of them fit into the log's line, because each takes
/// up to four characters.
const MAX_STDERR_BYTES: usize = 240;

pub(super) struct Exec {
    words: Vec<String>,
    time: Duration,
}

impl Exec {
    pub fn new(words: &[String], time: Duration) -> Exec {
        Exec {
            words: words.to_vec(),
            time,
        }
    }

    pub fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        let (program, arguments) = self
            .words
            .split_first()
            .ok_or(DeliveryError::new("no program"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        sys::isolate(&mut command);
        let mut child = command
            .spawn()
            .map_err(|error| DeliveryError::new(error.kind()))?;
        let group = Group::of(&child).map_err(|error| {
            // on Windows the program is still suspended here; `kill` fails only if it has ended already
            let _ = child.kill();
            DeliveryError::new(error.kind())
        })?;
        let mut stderr = Stderr::of(&mut child);
        if let Some(mut stdin) = child.stdin.take() {
            // a pipe's buffer is larger than the body, so this cannot block; a program need not read the body
            let _ = stdin.write_all(notification.body.as_bytes());
        }
        let ended = self.wait(&mut child, &group, &mut stderr);
        let output = stderr.text();
        match ended {
            Err(mut failed) => {
                if let Some(output) = output {
                    failed.why = format!("{}; its stderr: {output}", failed.why);
                }
                Err(failed)
            }
            Ok(()) => {
                if let Some(output) = output {
                    Event::new(
                        Level::Info,
                        "the program of --audit-exec wrote to its stderr",
                    )
                    .text("id", &notification.id)
                    .text("stderr", output.as_str())
                    .log();
                }
                Ok(())
            }
        }
    }

    /// Waits until the program ends or its time is over, and then ends its whole group.
    fn wait(
        &self,
        child: &mut Child,
        group: &Group,
        stderr: &mut Stderr,
    ) -> Result<(), DeliveryError> {
        let until = Clock::system().instant() + self.time;
        let ended = loop {
            if sys::has_ended(child) {
                break true;
            }
            if Clock::system().instant() > until {
                break false;
            }
            stderr.read();
            thread::sleep(POLL_INTERVAL);
        };
        group.kill(child);
        stderr.read();
        let status = child
            .wait()
            .map_err(|error| DeliveryError::new(error.kind()))?;
        match (ended, status.success()) {
            (true, true) => Ok(()),
            (true, false) => Err(DeliveryError {
                is_refusal: true,
                ..DeliveryError::new(status)
            }),
            (false, _) => Err(DeliveryError::new(format!(
                "not done within {:?}",
                self.time
            ))),
        }
    }
}

/// A program's stderr: read without waiting, and only the last bytes are stored.
struct Stderr {
    pipe: Option<ChildStderr>,
    last: Vec<u8>,
    is_cut: bool,
}

impl Stderr {
    fn of(child: &mut Child) -> Stderr {
        Stderr {
            pipe: child.stderr.take(),
            last: Vec::new(),
            is_cut: false,
        }
    }

    /// Reads the bytes that are available now, at most those of a full pipe.
    fn read(&mut self) {
        let mut left = MAX_READ_BYTES;
        let mut buffer = [0; 4096];
        while let Some(pipe) = self.pipe.as_mut().filter(|_| left > 0) {
            if !sys::has_output(pipe) {
                return;
            }
            match pipe.read(&mut buffer) {
                Ok(0) | Err(_) => self.pipe = None,
                Ok(length) => {
                    left = left.saturating_sub(length);
                    self.last.extend(buffer.iter().take(length));
                    let more = self.last.len().saturating_sub(MAX_STDERR_BYTES);
                    self.last.drain(..more);
                    self.is_cut |= more > 0;
                }
            }
        }
    }

    /// Returns the end of the program's stderr, escaped; `None` if it wrote nothing.
    fn text(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.last);
        let text = text.trim();
        let cut = if self.is_cut { "..." } else { "" };
        (!text.is_empty()).then(|| format!("{cut}{}", Escaped::new(text).as_str()))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::notify::notification::Priority;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_program_that_takes_too_long_is_ended_with_all_its_children() {
        let folder = std::env::temp_dir().join(format!("immuaudit-exec-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let (script, children) = (folder.join("script"), folder.join("children"));
        let text = format!(
            "#!/bin/sh\nsleep 3600 & echo $! >{0}.new && mv {0}.new {0}\nwait\n",
            children.display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let exec = Exec::new(&[script.display().to_string()], Duration::from_secs(4));
        let notification = Notification {
            id: "1".into(),
            priority: Priority::Change,
            dedup_key: String::new(),
            body: "{}".into(),
        };
        let why = exec.deliver(&notification).unwrap_err().why;
        let child = fs::read_to_string(&children).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(why, "not done within 4s");
        // ending it can take long on a busy machine; a dead process may remain as a zombie
        let stat = format!("/proc/{}/stat", child.trim());
        let lives = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        for _ in 0..1_000 {
            if lives() {
                thread::sleep(POLL_INTERVAL);
            }
        }
        assert!(!lives());
    }
}
