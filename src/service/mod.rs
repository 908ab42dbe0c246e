//! The auditor as a service: of systemd, or of Windows.
//!
//! With systemd, what is to be done is a `Plan` first, made from `Facts` without touching anything, so that `--dry-run` prints
//! the very steps that would be taken.

#![forbid(unsafe_code)]

mod sd_notify;
#[cfg(unix)]
mod systemd;
mod toml_edit;
#[cfg(windows)]
mod windows;

pub use sd_notify::SdNotify;
#[cfg(unix)]
pub use systemd::*;
pub use toml_edit::set_keys;
#[cfg(windows)]
pub use windows::*;
