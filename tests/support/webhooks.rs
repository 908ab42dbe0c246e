//! Settings with receivers of notifications, and nothing else of the monitoring.

use immuaudit::config::{MonitoringSettings, NotifyOn, NotifySettings, Proxies, Webhook};

/// Returns settings that notify these webhooks.
pub fn notifying(webhooks: Vec<Webhook>) -> MonitoringSettings {
    MonitoringSettings {
        listen: None,
        notify: NotifySettings {
            webhooks,
            when: NotifyOn::Changes,
            exec: None,
        },
        heartbeat: None,
        proxies: Proxies::default(),
        peers: Vec::new(),
        peers_required: 0,
        signer: None,
    }
}
