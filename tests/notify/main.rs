//! Notifications: content, receivers, retries and delivery.

#[path = "../support/mod.rs"]
mod support;

mod alarms;
mod outbox;
#[cfg(unix)]
mod receivers;
mod tables;
#[cfg(unix)]
mod told;
