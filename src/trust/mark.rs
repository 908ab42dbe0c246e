//! How a directory of the auditor is told from anybody else's.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;

use super::files;
use super::store::{AUDITOR_LOCK, HOLDER};
use crate::sys::{self, Lock, Locked};

/// What a directory is to the auditor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing: it was made by somebody else.
    NotOurs,
    /// The directory of a server.
    Ours,
    /// The directory of a server, and an auditor has it open.
    InUse,
}

/// Returns what a directory is. The mark is the lock that every auditor makes first.
pub fn mark(directory: &Path) -> Mark {
    if files::check_directory(directory).is_err() {
        return Mark::NotOurs;
    }
    let path = directory.join(AUDITOR_LOCK);
    let Ok(Some(file)) = files::open(&path, OpenOptions::new().read(true)) else {
        return Mark::NotOurs;
    };
    let mut text = String::new();
    let read = (&file).take(100).read_to_string(&mut text); // longer than any holder's line
    // a full disk leaves the file empty
    if read.is_err() || !(text.is_empty() || text.starts_with(HOLDER)) {
        return Mark::NotOurs;
    }
    match sys::try_lock(&file, Lock::Shared) {
        Ok(Locked::Held) => Mark::Ours,
        Ok(Locked::ByAnother) | Err(_) => Mark::InUse,
    }
}
