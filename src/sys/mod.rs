//! System calls that the standard library does not offer: one interface, with one implementation for Unix and one for Windows.
//!
//! This module has the only unsafe code of the project. Each call is a plain C function on values that this process owns.

#![deny(clippy::undocumented_unsafe_blocks)]

use std::time::Duration;

mod grpc;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use grpc::end_grpc;
#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
pub use windows::*;

/// The kind of a lock on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Several processes may hold it at the same time.
    Shared,
    /// One process alone may hold it.
    Exclusive,
}

/// The result of a request for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// This process holds the lock until it closes the file or ends.
    Held,
    /// Another process holds the lock.
    ByAnother,
}

/// A request to this process from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To end.
    Stop,
    /// To read the settings again.
    Reload,
}

/// The readiness that a wait for a socket is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Data to read, or a connection to accept.
    Read,
    /// Space in the send buffer.
    Write,
}

/// The file that a call opens for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// A new file. The call fails if the file exists.
    New,
    /// The existing file, or a new one if there is none.
    IfAbsent,
}

/// The identity and the times of a file. The stamp changes if the file is replaced or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Returns the length of the file, in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// The owner of a file or directory, and the rights of other users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The owner.
    pub owner: User,
    /// The rights of other users.
    pub open: Open,
    /// The numbers of the owner and the group; `None` on Windows.
    pub ids: Option<(u32, u32)>,
}

/// The resources that this process has used so far; `None` if the system does not report them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor time.
    pub processor: Option<Duration>,
    /// Resident memory, in bytes.
    pub resident: Option<u64>,
    /// Open descriptors or handles.
    pub descriptors: Option<u64>,
}
