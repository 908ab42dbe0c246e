//! The system calls that the standard library does not have, and the differences between systems: one interface,
//! and a file for each system behind it.
//!
//! The only unsafe code of the project: each call is a plain C function on values of the program.

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

/// The kind of a file lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Many processes may hold it at the same time.
    Shared,
    /// Only one process may hold it.
    Exclusive,
}

/// The result of a lock request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The lock is held until the file is closed, at the latest by the end of the process.
    Held,
    /// Another process holds it.
    ByAnother,
}

/// A request to this process from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To end.
    Stop,
    /// That the settings are read again.
    Reload,
}

/// The event that a wait on a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Data to read, or a connection to accept.
    Read,
    /// Space in the send buffer.
    Write,
}

/// The file that is opened for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// A new file; an existing one is refused.
    New,
    /// The existing file, or a new one.
    IfAbsent,
}

/// The identity of a file and of its content: it changes if the file is replaced or written.
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

/// The owner of a file or directory, and the rights of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The owner.
    pub owner: User,
    /// The rights of others.
    pub open: Open,
    /// The numbers of the owner and the group; `None` on Windows.
    pub ids: Option<(u32, u32)>,
}

/// The resource usage of this process; `None` if the system does not report it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// The processor time that it has used.
    pub processor: Option<Duration>,
    /// The bytes of memory that it uses.
    pub resident: Option<u64>,
    /// The number of its open descriptors or handles.
    pub descriptors: Option<u64>,
}
