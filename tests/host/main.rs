//! The auditor on its host: services, pods, memory limits, root's commands, and faults of disk, files and process.

#[path = "../support/mod.rs"]
mod support;

mod backup;
#[cfg(unix)]
mod faults;
mod instances;
#[cfg(unix)]
mod kubernetes;
mod limits;
mod limits_names;
mod limits_values;
mod process;
#[cfg(unix)]
mod root_beside;
#[cfg(unix)]
mod service;
mod systemd;
