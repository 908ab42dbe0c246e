//! The auditor on its host: services, pods, memory limits, root's commands, and faults of disk, files and process.

#[path = "../support/mod.rs"]
mod support;

mod backup;
#[cfg(unix)]
#[cfg(unix)] // modes, owners and links
mod faults;
mod instances;
#[cfg(unix)]
#[cfg(unix)] // a shell and modes
mod kubernetes;
mod limits;
mod limits_names;
mod limits_values;
mod process;
#[cfg(unix)]
#[cfg(unix)] // users, owners and a shell
mod root_beside;
#[cfg(unix)]
#[cfg(unix)] // systemd's socket
mod service;
mod systemd;
