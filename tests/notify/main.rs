//! Notifications: content, receivers, retries and delivery.

#[path = "../support/mod.rs"]
mod support;

mod alarms;
mod outbox;
#[cfg(unix)] // modes and shell scripts
mod receivers;
mod tables;
#[cfg(unix)] // modes and links
mod told;
