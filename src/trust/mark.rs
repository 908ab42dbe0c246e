//! The mark that distinguishes a directory of the auditor from others.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;

use super::files;
use super::locks::{AUDITOR_LOCK, HOLDER};
use crate::sys::{self, Lock, Locked};

/// The kind of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The directory is not the auditor's.
    NotOurs,
    /// The directory of a server.
    Ours,
    /// The directory of a server, and an auditor has it open.
    InUse,
}

/// Returns the kind of a directory. The mark is the lock, which every auditor creates first.
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
