//! The settings of monitoring, notifications and peers.

use std::sync::Arc;

use super::proxy::{Proxies, Proxy};
use super::secret::Secret;
use super::signing::SigningKey;
use super::transport::{Login, Roots};
use super::url::Url;
use crate::checkpoint::{KeyName, SignerKey, VerifierKey};

/// The settings of monitoring and notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitoringSettings {
    /// The address that serves metrics, probes and the status page; `None` if there is none.
    pub listen: Option<Listen>,
    /// The receivers of notifications.
    pub notify: NotifySettings,
    /// The heartbeat.
    pub heartbeat: Option<HeartbeatSettings>,
    /// The proxies for HTTP requests.
    pub proxies: Proxies,
    /// The auditors that checkpoints are compared with.
    pub peers: Vec<PeerSettings>,
    /// The number of peers that must have confirmed a database within three intervals.
    pub peers_required: usize,
    /// The key that signs checkpoints; `None` if there are no checkpoints.
    pub signer: Option<Arc<SignerKey>>,
}

/// Another auditor of the same server, whose checkpoints are compared with the trusted states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// The name of the peer, which is also the name of its keys.
    pub name: KeyName,
    /// The URL of its monitoring port.
    pub url: Url,
    /// The public keys of the peer. Each of them counts, so that a key can be replaced without a gap.
    pub keys: Vec<VerifierKey>,
    /// The CAs that are trusted for it.
    pub roots: Roots,
    /// The proxy of the request.
    pub proxy: Option<Proxy>,
    /// The login to a server in front of it, by HTTP basic authentication (RFC 7617).
    pub login: Option<Login>,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Host name or IP address, an IPv6 one without brackets.
    pub host: String,
    /// TCP port; 0: any free one.
    pub port: u16,
}

/// The receivers of notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifySettings {
    /// The URLs to which notifications are POSTed.
    pub webhooks: Vec<Webhook>,
    /// The events of which the program is notified.
    pub when: NotifyOn,
    /// The program and its arguments.
    pub exec: Option<Vec<String>>,
}

/// A receiver to which notifications are POSTed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The name in its table; `None` if it is from `--audit-notification-url`.
    pub name: Option<String>,
    /// The URL.
    pub url: Url,
    /// The user and the password for the receiver. They are never those of an immudb server.
    pub login: Login,
    /// The authentication of the request.
    pub auth: Auth,
    /// The key with which each notification is signed.
    pub secret: Option<SigningKey>,
    /// The CAs that are trusted for the receiver.
    pub roots: Roots,
    /// The proxy of the request.
    pub proxy: Option<Proxy>,
    /// The events of which it is notified.
    pub when: NotifyOn,
}

/// The URL that is fetched after each complete and good cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatSettings {
    /// The URL.
    pub url: Url,
    /// The CAs that are trusted for its server.
    pub roots: Roots,
    /// The proxy of the request.
    pub proxy: Option<Proxy>,
}

/// The authentication of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// User and password are only in the body, as in immuclient (protocol.md §7).
    Body,
    /// User and password are in the body and in HTTP basic authentication (RFC 7617).
    Basic,
    /// The `Authorization` header has this value.
    Header(Secret),
}

/// The events that send a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyOn {
    /// Tampering, and each change of a database's verdict.
    Changes,
    /// Tampering alone.
    Tampering,
    /// Every check, as in immuclient.
    EveryCheck,
}
