//! Notifications: content, receivers, retries and delivery.

#[path = "../support/mod.rs"]
mod support;

mod alarms;
#[cfg(unix)] // modes and links
mod messages;
mod outbox;
#[cfg(unix)] // modes and shell scripts
mod receivers;
mod tables;
