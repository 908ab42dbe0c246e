//! A notification to a program: JSON on its stdin, no shell, nothing inherited, and an end to it.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::Undelivered;
use super::notification::Notification;
use crate::clock::Clock;
use crate::sys;

/// How often it is looked whether the program has ended.
const GLANCE: Duration = Duration::from_millis(20);

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

    pub fn deliver(&self, notification: &Notification) -> Result<(), Undelivered> {
        let (program, arguments) = self
            .words
            .split_first()
            .ok_or(Undelivered::new("no program"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        sys::isolate(&mut command);
        let mut child = command
            .spawn()
            .map_err(|error| Undelivered::new(error.kind()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // less than a pipe holds, so this cannot wait; who does not read it need not
            let _ = stdin.write_all(notification.body.as_bytes());
        }
        self.wait(&mut child)
    }

    /// Its whole group ends with it.
    fn wait(&self, child: &mut Child) -> Result<(), Undelivered> {
        let until = Clock::system().instant() + self.time;
        let ended = loop {
            if sys::has_ended(child) {
                break true;
            }
            if Clock::system().instant() > until {
                break false;
            }
            thread::sleep(GLANCE);
        };
        sys::kill_group(child);
        let status = child
            .wait()
            .map_err(|error| Undelivered::new(error.kind()))?;
        match (ended, status.success()) {
            (true, true) => Ok(()),
            (true, false) => Err(Undelivered::new(status)),
            (false, _) => Err(Undelivered::new(format!("not done within {:?}", self.time))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::notification::Rank;
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
            rank: Rank::Change,
            topic: String::new(),
            body: "{}".into(),
        };
        let why = exec.deliver(&notification).unwrap_err().why;
        let child = fs::read_to_string(&children).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(why, "not done within 4s");
        // a busy machine takes its time to end it; dead it may wait for who collects it
        let stat = format!("/proc/{}/stat", child.trim());
        let lives = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        for _ in 0..1_000 {
            if lives() {
                thread::sleep(GLANCE);
            }
        }
        assert!(!lives());
    }
}
