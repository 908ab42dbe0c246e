//! The receivers and the heartbeat of the settings.

use std::time::Duration;

use super::exec::Exec;
use super::heartbeat::Ping;
use super::identity::{Distinct, ReceiverKey};
use super::sink::Sink;
use super::webhook::WebhookSink;
use crate::config::{MonitoringSettings, NotifyOn, NotifySettings};
use crate::report::ReceiverStats;

/// The deadline of one delivery over the network, so that a hanging receiver delays the next notification only briefly.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit of one run of a program, which may itself use the network.
const EXEC_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the heartbeat, if there is one.
pub(super) fn ping(settings: &MonitoringSettings) -> Option<Ping> {
    let heartbeat = settings.heartbeat.as_ref()?;
    Some(Ping::new(heartbeat, WEBHOOK_TIMEOUT))
}

/// A receiver: its name for people, its key, its sink, and when it is notified.
pub(super) struct Configured {
    pub receiver: ReceiverStats,
    pub key: ReceiverKey,
    pub sink: Sink,
    pub when: NotifyOn,
}

/// Returns every receiver. Of a URL, only scheme, host and port are visible.
pub(super) fn configured(settings: &NotifySettings) -> Vec<Configured> {
    let mut distinct = Distinct::default();
    let mut all = Vec::new();
    for (number, webhook) in (1..).zip(&settings.webhooks) {
        let (name, key) = match &webhook.name {
            Some(name) => (name.clone(), ReceiverKey::of_name(name)),
            None => {
                let key = ReceiverKey::of_url(webhook.url.expose());
                (format!("{number}:{}", webhook.url), key)
            }
        };
        all.push(Configured {
            receiver: ReceiverStats::new(&name),
            key: distinct.next(key),
            sink: Sink::Webhook(Box::new(WebhookSink::new(webhook, WEBHOOK_TIMEOUT))),
            when: webhook.when,
        });
    }
    if let Some(words) = &settings.exec {
        all.push(Configured {
            receiver: ReceiverStats::new("exec"),
            key: distinct.next(ReceiverKey::of_program(words)),
            sink: Sink::Exec(Exec::new(words, EXEC_TIMEOUT)),
            when: settings.when,
        });
    }
    all
}
