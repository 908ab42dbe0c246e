//! A ledger that can be rolled back, an auditor with notifications, and the auditor's outbox.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, thread};

use immuaudit::drill::{Embedded, Lie, LieSchedule, Options};

use super::program::{Program, member};
use super::receiver::{Received, Receiver};
use super::temp_dir::TempDir;

/// A ledger of three transactions that was audited once, and a directory.
pub struct Scene {
    pub ledger: Embedded,
    pub folder: TempDir,
}

impl Scene {
    pub fn new() -> Scene {
        let ledger = Embedded::start(Options::default().signed()).expect("a ledger");
        ledger.grow("defaultdb", 3);
        let scene = Scene {
            ledger,
            folder: TempDir::new(),
        };
        scene.program(&[]).once().ends_with(0);
        scene
    }

    pub fn program(&self, args: &[&str]) -> Program {
        Program::new(self.ledger.port(), &self.folder.join("state")).with(args)
    }

    /// Returns an auditor that checks ten times a second and notifies this receiver.
    pub fn notifying(&self, receiver: &Receiver) -> Program {
        let url = receiver.url();
        self.program(&[
            "--audit-interval",
            "100ms",
            "--audit-notification-url",
            &url,
        ])
    }

    pub fn roll_back(&self) {
        self.ledger.lie(LieSchedule::from(Lie::Rollback));
    }

    /// Returns the files in all outboxes.
    pub fn waiting(&self) -> Vec<PathBuf> {
        files(&self.folder.join("state/tested/outbox"))
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    };
    entries.flat_map(|entry| below(entry.path())).collect()
}

pub fn is_tampering(received: &Received) -> bool {
    received.body.contains("\"tampered\":true")
}

pub fn id(received: &Received) -> String {
    member(&received.body, "id").to_owned()
}

#[track_caller]
pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if is() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("never: {what}");
}
