//! The auditor as a service: of systemd, or of Windows.
//!
//! For systemd, the installation is a `Plan` of steps first. A `Plan` is made from `Facts` without changing anything, so
//! `--dry-run` prints exactly the steps of a real run.

#![forbid(unsafe_code)]

mod notify;
#[cfg(unix)]
mod systemd;
mod toml_edit;
#[cfg(windows)]
mod windows;

pub use notify::Notifier;
#[cfg(unix)]
pub use systemd::*;
pub use toml_edit::set_keys;
#[cfg(windows)]
pub use windows::*;
