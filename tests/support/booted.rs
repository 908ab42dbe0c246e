//! A real systemd, booted with a temporary copy of this machine's files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::temp_dir::TempDir;

/// A booted systemd, which ends when it is dropped.
pub struct Booted {
    unshare: Child,
    first: u32,
    _folder: TempDir,
}

impl Booted {
    /// Boots systemd.
    ///
    /// # Errors
    ///
    /// Returns the reason why this machine cannot do that.
    pub fn boot() -> Result<Booted, String> {
        if fs::metadata("/lib/systemd/systemd").is_err() {
            return Err("there is no systemd".to_owned());
        }
        let folder = TempDir::new();
        let log = folder.join("log");
        let root = folder.join("boot");
        fs::create_dir(&root).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd/boot");
        let unshare = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--uts",
                "--ipc",
                "--cgroup",
            ])
            .args(["--propagation", "private"])
            .arg(script)
            .arg(&root)
            .arg(env!("CARGO_BIN_EXE_immuaudit"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut booted = Booted {
            unshare,
            first: 0,
            _folder: folder,
        };
        booted.wait(&log)?;
        Ok(booted)
    }

    fn wait(&mut self, log: &PathBuf) -> Result<(), String> {
        let id = self.unshare.id();
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(100));
            if let Ok(Some(_)) = self.unshare.try_wait() {
                let log = fs::read_to_string(log).unwrap_or_default();
                return Err(log.lines().last().unwrap_or("it ended").to_owned());
            }
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
            let first = children.unwrap_or_default();
            let Some(Ok(first)) = first.split(' ').next().map(str::parse) else {
                continue;
            };
            self.first = first;
            let running = self.output(&["systemctl", "is-system-running"]);
            let running = String::from_utf8_lossy(&running.stdout).trim().to_owned();
            if ["running", "degraded"].contains(&running.as_str()) {
                return Ok(());
            }
        }
        Err("it does not come up".to_owned())
    }

    /// Runs a command in the booted system.
    pub fn output(&self, args: &[&str]) -> Output {
        Command::new("nsenter")
            .args([
                "-t",
                &self.first.to_string(),
                "-m",
                "-p",
                "-u",
                "-i",
                "-C",
                "--",
            ])
            .args(args)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .stdin(Stdio::null())
            .output()
            .expect("nsenter runs")
    }

    /// Runs a command in the booted system, checks that it succeeds, and returns its output.
    #[track_caller]
    pub fn does(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let journal = || self.output(&["journalctl", "--no-pager", "-n", "60", "-u", "immuaudit*"]);
        assert!(
            output.status.success(),
            "{args:?}: {output:?}\n{:?}",
            journal()
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Returns a property of the service.
    #[track_caller]
    pub fn shows(&self, property: &str) -> String {
        self.shows_of("immuaudit.service", property)
    }

    /// Returns a property of a unit.
    #[track_caller]
    pub fn shows_of(&self, unit: &str, property: &str) -> String {
        self.does(&["systemctl", "show", "--value", "-p", property, unit])
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}
