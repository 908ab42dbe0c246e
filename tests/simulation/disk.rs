//! The auditor's disk: it can be full for a while, and the auditor can be killed at any write. Also
//! copies of its directory.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use immuaudit::clock::SimulatedTime;
use immuaudit::trust::failpoint::{self, Fate};

use crate::scene::due;

/// The write steps of the auditor in this thread.
pub struct Disk {
    time: SimulatedTime,
    full_until: Cell<Duration>,
    /// The number of write steps until the auditor is killed.
    kill_in: Cell<Option<u64>>,
    /// Whether the auditor is writing, and not the test.
    armed: Cell<bool>,
    pub steps: Cell<u64>,
}

impl Disk {
    pub fn new(time: SimulatedTime) -> Rc<Disk> {
        let disk = Rc::new(Disk {
            time,
            full_until: Cell::default(),
            kill_in: Cell::default(),
            armed: Cell::default(),
            steps: Cell::default(),
        });
        let decides = disk.clone();
        failpoint::decide(Some(Box::new(move |_, _| decides.fate())));
        disk
    }

    pub fn fill_until(&self, until: Duration) {
        self.full_until.set(self.full_until.get().max(until));
    }

    pub fn full_until(&self) -> Duration {
        self.full_until.get()
    }

    pub fn kill_in(&self, steps: u64) {
        self.kill_in.set(Some(steps));
    }

    /// Runs work of the auditor.
    pub fn armed<T>(&self, work: impl FnOnce() -> T) -> T {
        self.armed.set(true);
        let done = work();
        self.armed.set(false);
        done
    }

    pub fn disarm(&self) {
        self.armed.set(false);
    }

    fn fate(&self) -> Fate {
        if !self.armed.get() {
            return Fate::Done;
        }
        self.steps.set(self.steps.get() + 1);
        if due(&self.kill_in) {
            return Fate::Killed;
        }
        match self.time.passed() < self.full_until.get() {
            true => Fate::Full,
            false => Fate::Done,
        }
    }
}

/// Replaces a directory by a copy of another one.
pub fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), &target).expect("a copy");
            }
        }
    }
}

/// Returns the number and the bytes of all files below a directory.
pub fn size(of: &Path) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in fs::read_dir(of).into_iter().flatten().flatten() {
        let Ok(found) = entry.metadata() else {
            continue;
        };
        let (files, bytes) = match found.is_dir() {
            true => size(&entry.path()),
            false => (1, found.len()),
        };
        sum = (sum.0 + files, sum.1 + bytes);
    }
    sum
}
