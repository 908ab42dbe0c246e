//! The settings that the rest of the program uses: typed, complete, and grouped by module.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use log::LevelFilter;

use super::compat_mode::CompatMode;
use super::filter::DatabaseFilter;
use super::instance::Instance;
use super::proxy::{Proxies, Proxy};
use super::renewable::{PasswordFile, TransportFiles};
use super::secret::Secret;
use super::signing::SigningKey;
use super::url::Url;
use crate::checkpoint::{KeyName, SignerKey, VerifierKey};
use crate::ledger::{PublicKey, State};

/// Every setting.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The compatibility mode.
    pub compat_mode: CompatMode,
    /// The instance, if there are several auditors on this host.
    pub instance: Option<Instance>,
    /// The server and its connection.
    pub server: ServerSettings,
    /// The settings of the checks.
    pub audit: AuditSettings,
    /// The location of the trusted states.
    pub trust: TrustSettings,
    /// The settings of reports.
    pub report: ReportSettings,
    /// The settings of monitoring and notifications.
    pub monitoring: MonitoringSettings,
}

/// One server and its connection.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The label of its trusted states.
    pub name: String,
    /// Host name or IP address, an IPv6 one without brackets.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Plain or TLS.
    pub transport: Transport,
    /// The files from which certificates and keys are read again.
    pub transport_files: Option<TransportFiles>,
    /// The login.
    pub login: Login,
    /// The file from which the password is read again.
    pub password_file: Option<PasswordFile>,
    /// Deadline of each call.
    pub call_timeout: Duration,
    /// The largest accepted response, in bytes.
    pub max_recv_msg_size: i32,
}

impl ServerSettings {
    /// Returns address and port, which are also the label of a server without a label.
    pub fn authority(&self) -> String {
        authority(&self.address, self.port)
    }
}

/// Returns an address and a port as one text.
pub(super) fn authority(address: &str, port: u16) -> String {
    match address.contains(':') {
        true => format!("[{address}]:{port}"),
        false => format!("{address}:{port}"),
    }
}

/// The transport to the server.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Unencrypted.
    Plain,
    /// TLS: the server shows a certificate.
    Tls {
        /// The CAs that are trusted.
        roots: Roots,
        /// The name in the certificate; `None` for the address.
        server_name: Option<String>,
    },
    /// Mutual TLS: the auditor also shows a certificate. All three texts are checked PEM.
    Mutual {
        /// The auditor's certificate, with its chain.
        certificate: String,
        /// The auditor's private key.
        key: Secret,
        /// The CAs that are trusted for the server.
        authorities: String,
        /// The name in the server's certificate.
        server_name: String,
    },
}

/// The CAs that are trusted for a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The CAs that the system trusts.
    System,
    /// The CAs in this PEM text.
    Pem(String),
}

/// A user name and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// User.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// The settings of the checks.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// The databases to audit.
    pub databases: DatabaseFilter,
    /// Whether the audit runs once or until it is stopped.
    pub run_mode: RunMode,
    /// The time from the begin of one cycle to the next. Three of these are the limit for *overdue*.
    pub interval: Duration,
    /// The required signatures of every state.
    pub signatures: Signatures,
    /// States to start from.
    pub pins: Vec<Pin>,
    /// The treatment of a database without a trusted state.
    pub first_use: FirstUse,
    /// The longest time without a new transaction, after which a database is reported; `None` for no limit.
    pub max_idle: Option<Duration>,
    /// The most transactions that are fetched one by one for a single proof.
    pub max_fetch: u64,
    /// The values to read.
    pub values: Values,
    /// The limit of all mirrors together, in bytes; `None` if there is no mirror.
    pub mirror: Option<u64>,
}

/// Whether the audit runs once or until it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// One cycle.
    Once,
    /// Until stopped.
    UntilStopped,
}

/// The required signatures of every state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// No signature is required or checked.
    NotRequired,
    /// Each state must be signed by one of these keys.
    By(Vec<PublicKey>),
    /// Each state must be signed by the key in the response, which proves no identity (immugw's `validate`).
    ByTheAnswersOwnKey,
}

impl Signatures {
    /// Returns the keys that the operator trusts.
    pub fn keys(&self) -> &[PublicKey] {
        match self {
            Signatures::By(keys) => keys,
            _ => &[],
        }
    }
}

/// Whether the first state of a database is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstUse {
    /// The state is trusted.
    Trust,
    /// The state is refused.
    Refuse,
}

/// The values to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    /// The number of transactions that are drawn for each database in each cycle.
    pub sample: u64,
    /// The new transactions to read.
    pub new: NewValues,
    /// The time in which a sweep reads the whole history; `None` for no sweep.
    pub sweep: Option<Duration>,
}

impl Values {
    /// No values are read.
    pub const NONE: Values = Values {
        sample: 0,
        new: NewValues::Sampled,
        sweep: None,
    };
}

/// The new transactions to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewValues {
    /// Only the new transactions that the sample draws.
    Sampled,
    /// All new transactions.
    All,
}

/// A state that the operator knows to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The database.
    pub database: String,
    /// The transaction, from 1, and its hash.
    pub state: State,
}

/// Formats the pin as it is given.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.database, self.state)
    }
}

/// The location of the trusted states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// The directory of all files.
    pub directory: PathBuf,
    /// The directory of the trusted states, if it is not `directory`.
    pub roots: Option<PathBuf>,
}

/// The settings of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportSettings {
    /// The format of reports.
    pub format: Format,
    /// Whether reports without findings are printed.
    pub verbosity: Verbosity,
    /// The least important log line that is written.
    pub log_level: LevelFilter,
    /// The format of log lines.
    pub log_format: LogFormat,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object.
    Json,
}

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

/// The format of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether reports without findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// All reports.
    Normal,
    /// Only reports about something that is not well.
    Quiet,
}
