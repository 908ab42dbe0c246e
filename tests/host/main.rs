//! The auditor on its host: the service, pods, memory limits, root's commands, and faults of disk,
//! files and process.
//!
//! The tests that boot a systemd are in other binaries. Such a systemd manages the control group of
//! the test's process, in which the tests of memory limits have their groups.

#[path = "../support/mod.rs"]
mod support;

mod backup;
#[cfg(unix)] // modes, owners and links
mod faults;
#[cfg(unix)] // a shell and modes
mod kubernetes;
mod limits;
mod limits_names;
mod limits_values;
mod process;
#[cfg(unix)] // users, owners and a shell
mod root_commands;
#[cfg(unix)] // systemd's socket
mod service;
