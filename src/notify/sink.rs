//! The sinks of notifications: a webhook or a program.

use std::time::Duration;

use super::DeliveryError;
use super::exec::Exec;
use super::notification::Notification;
use super::webhook::WebhookSink;

/// The destination of the notifications to one receiver.
pub(super) enum Sink {
    Webhook(Box<WebhookSink>),
    Exec(Exec),
}

impl Sink {
    /// Returns the time under `--once` within which a try may begin: a program may take half a minute for each.
    pub fn once_flush_timeout(&self) -> Duration {
        match self {
            Sink::Webhook(_) => Duration::from_secs(5),
            Sink::Exec(_) => Duration::from_secs(30),
        }
    }

    /// Tries once.
    pub fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        match self {
            Sink::Webhook(webhook) => webhook.deliver(notification),
            Sink::Exec(exec) => exec.deliver(notification),
        }
    }
}
