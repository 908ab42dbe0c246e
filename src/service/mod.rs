//! The auditor as a service: of systemd, or of Windows.
//!
//! With systemd, a `Plan` of all steps is made first, from `Facts`, without changing anything. So `--dry-run`
//! prints exactly the steps that would be performed.

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
