//! The locks of one server's directory: one keeps other auditors out, the other prevents changes by other commands.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use super::files;
use super::store::{Hold, Store};
use super::store_error::StoreError;
use crate::clock::Timestamp;
use crate::sys::{self, Lock, Locked};

pub(super) const AUDITOR_LOCK: &str = "auditor.lock";
/// The begin of the line about the process that holds an auditor's lock.
pub(super) const HOLDER: &str = "process ";
const WRITE_LOCK: &str = "write.lock";
/// The number and the time of the waits for another command's change: five seconds in total.
const LOCK_WAITS: (u32, Duration) = (500, Duration::from_millis(10));

impl Store {
    /// Waits until no other process is changing files, then prevents changes by other processes.
    pub(super) fn hold(&self, lock: Lock) -> Result<Hold, StoreError> {
        let mut held = Vec::new();
        for directory in self.directories() {
            let path = directory.join(WRITE_LOCK);
            let file = files::open_lock(&path, lock)?;
            let mut waits = 0..LOCK_WAITS.0;
            while try_lock(&file, &path, lock)? == Locked::ByAnother {
                if waits.next().is_none() {
                    return Err(StoreError::Busy {
                        directory: directory.into(),
                    });
                }
                std::thread::sleep(LOCK_WAITS.1);
            }
            held.push(file);
        }
        Ok(Hold(held))
    }

    /// Takes the locks that keep other auditors out, until the files are closed.
    pub(super) fn lock_out_others(&self, now: Timestamp) -> Result<Vec<File>, StoreError> {
        let mut held = Vec::new();
        for directory in self.directories() {
            let path = directory.join(AUDITOR_LOCK);
            let mut file = files::open_lock(&path, Lock::Exclusive)?;
            if try_lock(&file, &path, Lock::Exclusive)? == Locked::ByAnother {
                let mut text = String::new();
                let read = Read::by_ref(&mut file).take(100).read_to_string(&mut text);
                let holder = text.trim_end();
                let known = read.is_ok() && holder.starts_with(HOLDER);
                return Err(StoreError::Locked {
                    server: self.server().to_owned(),
                    directory: directory.into(),
                    holder: if known { holder } else { "another process" }.into(),
                    // not the label: another label for the same address is refused
                    flags: match (directory == self.home, self.roots == self.home) {
                        (true, true) => "--dir",
                        (true, false) => "--dir and --roots-filepath",
                        (false, _) => "--roots-filepath",
                    },
                });
            }
            let write = |file: &mut File| {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
                writeln!(file, "{HOLDER}{} since {now}", std::process::id())
            };
            drop(write(&mut file)); // the lock is held without its holder's name; a full disk is reported elsewhere
            held.push(file);
        }
        Ok(held)
    }
}

fn try_lock(file: &File, path: &Path, lock: Lock) -> Result<Locked, StoreError> {
    sys::try_lock(file, lock).map_err(|error| StoreError::system("lock", path, &error))
}
