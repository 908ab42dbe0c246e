//! The system calls that the standard library has no words for, and what differs between systems: one interface, and a
//! file for each system behind it.
//!
//! The only unsafe code of the project: each call is a plain C function on values that are ours.

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

/// How a file is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Many may hold it at once.
    Shared,
    /// One alone.
    Exclusive,
}

/// What came of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// It is held until the file is closed, by the end of the process at the latest.
    Held,
    /// Somebody else holds it.
    ByAnother,
}

/// What somebody outside asks this process for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The end of the program.
    Stop,
    /// That the settings be read again.
    Reload,
}

/// What a socket is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or a connection to accept.
    Read,
    /// Room to write.
    Write,
}

/// Which file is opened to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// A new one; one that is there already is refused.
    New,
    /// The one that is there, or a new one.
    IfAbsent,
}

/// What tells a file from another one in its place, and from itself before it was last written.
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

/// Whose a file or directory is, and what others may do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The owner.
    pub owner: User,
    /// What others may do.
    pub open: Open,
    /// The numbers of owner and group, on systems that have numbers.
    pub ids: Option<(u32, u32)>,
}

/// What this process has used so far; `None` where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// The time that processors worked for it.
    pub processor: Option<Duration>,
    /// Bytes of memory that it has in use.
    pub resident: Option<u64>,
    /// Descriptors or handles that it has open.
    pub descriptors: Option<u64>,
}
