//! The settings as the rest of the program uses them: typed, complete, grouped by module.

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
    /// Whose place the program takes.
    pub compat_mode: CompatMode,
    /// Which of several auditors on this host it is.
    pub instance: Option<Instance>,
    /// The server and how it is reached.
    pub server: ServerSettings,
    /// What is checked, and when.
    pub audit: AuditSettings,
    /// Where it is kept what is trusted.
    pub trust: TrustSettings,
    /// How it is told.
    pub report: ReportSettings,
    /// Who watches, and is notified.
    pub monitoring: MonitoringSettings,
}

/// One server and how it is reached.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// What its trusted states are filed under.
    pub name: String,
    /// Host name or IP address, an IPv6 one without brackets.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Plain or TLS.
    pub transport: Transport,
    /// The files that certificates and keys are read from again.
    pub transport_files: Option<TransportFiles>,
    /// Who logs in.
    pub login: Login,
    /// The file that the password is read from again.
    pub password_file: Option<PasswordFile>,
    /// Deadline of each call.
    pub call_timeout: Duration,
    /// Largest answer taken, in bytes.
    pub max_recv_msg_size: i32,
}

impl ServerSettings {
    /// Returns address and port, as the server is called that is given no label.
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

/// How the bytes travel.
#[derive(Clone, Debug)]
pub enum Transport {
    /// As they are.
    Plain,
    /// TLS: the server shows a certificate.
    Tls {
        /// Who vouches for it.
        roots: Roots,
        /// The name in it; `None`: the address.
        server_name: Option<String>,
    },
    /// Mutual TLS: we show one too. All three are PEM, and checked to be.
    Mutual {
        /// Our certificate, and those it leads to.
        certificate: String,
        /// Our private key.
        key: Secret,
        /// Who vouches for the server.
        authorities: String,
        /// The name in the server's certificate.
        server_name: String,
    },
}

/// Who vouches for a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Those that the system trusts.
    System,
    /// Those in this PEM text.
    Pem(String),
}

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// User.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// What is checked, and when.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// Which databases.
    pub databases: DatabaseFilter,
    /// Once or for ever.
    pub run_mode: RunMode,
    /// From one cycle to the next; also what "overdue" is measured by.
    pub interval: Duration,
    /// What every state must be signed by.
    pub signatures: Signatures,
    /// States to start from.
    pub pins: Vec<Pin>,
    /// What becomes of a database of which nothing is trusted.
    pub first_use: FirstUse,
    /// A database that has not grown for so long is worth an alert.
    pub max_idle: Option<Duration>,
    /// Most transactions read to put a linear advance together.
    pub max_fetch: u64,
    /// What of the values is read.
    pub values: Values,
    /// Bytes that the mirrors of all transactions' hashes may take; `None`: none is kept.
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

/// What every state must be signed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// Nothing: signatures are not looked at.
    NotRequired,
    /// One of these keys.
    By(Vec<PublicKey>),
    /// The key that comes with it, which proves no identity (immugw's `validate`).
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
    /// Its state is taken on trust.
    Trust,
    /// It is refused.
    Refuse,
}

/// What of the values is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    /// Transactions drawn each cycle and database.
    pub sample: u64,
    /// Which of the new transactions are read.
    pub new: NewValues,
    /// The whole history is read once in this time.
    pub sweep: Option<Duration>,
}

impl Values {
    /// Nothing of them.
    pub const NONE: Values = Values {
        sample: 0,
        new: NewValues::Sampled,
        sweep: None,
    };
}

/// Which of the new transactions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewValues {
    /// Those that the sample draws.
    Sampled,
    /// All.
    All,
}

/// A state that the operator knows to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Of this database.
    pub database: String,
    /// Transaction (from 1) and hash.
    pub state: State,
}

/// As it is given.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.database, self.state)
    }
}

/// Where it is kept what is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// Everything.
    pub directory: PathBuf,
    /// The trusted states, where they are not to be in `directory`.
    pub roots: Option<PathBuf>,
}

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportSettings {
    /// For people or for programs.
    pub format: Format,
    /// When anything is said at all.
    pub verbosity: Verbosity,
    /// The least important log line that is written.
    pub log_level: LevelFilter,
    /// What a log line looks like.
    pub log_format: LogFormat,
}

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// The settings of monitoring and notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitoringSettings {
    /// Where metrics, probes and the status page are served; `None`: nowhere.
    pub listen: Option<Listen>,
    /// Who is notified, and how.
    pub notify: NotifySettings,
    /// The heartbeat.
    pub heartbeat: Option<HeartbeatSettings>,
    /// What requests of HTTP go through.
    pub proxies: Proxies,
    /// The auditors that checkpoints are compared with.
    pub peers: Vec<PeerSettings>,
    /// How many of them must have confirmed a database within three intervals.
    pub peers_required: usize,
    /// The key that checkpoints are signed with; `None`: there are none.
    pub signer: Option<Arc<SignerKey>>,
}

/// Another auditor of the same server, whose checkpoints are compared with what is trusted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// What it is called: the name that all of its keys have.
    pub name: KeyName,
    /// Its monitoring port.
    pub url: Url,
    /// Its public keys. Each of them counts: a new one takes over from an old one without a gap.
    pub keys: Vec<VerifierKey>,
    /// Who vouches for it.
    pub roots: Roots,
    /// What the request goes through.
    pub proxy: Option<Proxy>,
    /// Who logs in at what stands before it, by HTTP basic authentication (RFC 7617).
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

/// Who is notified, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifySettings {
    /// Where notifications are POSTed to.
    pub webhooks: Vec<Webhook>,
    /// When there is something to notify the program of.
    pub when: NotifyOn,
    /// Program and words.
    pub exec: Option<Vec<String>>,
}

/// A receiver that notifications are POSTed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The name of its table; `None`: one of `--audit-notification-url`.
    pub name: Option<String>,
    /// Where.
    pub url: Url,
    /// User and password for the receiver's eyes, never a server's.
    pub login: Login,
    /// How the request says who sends it.
    pub auth: Auth,
    /// What each notification is signed with.
    pub secret: Option<SigningKey>,
    /// Who vouches for the receiver.
    pub roots: Roots,
    /// What the request goes through.
    pub proxy: Option<Proxy>,
    /// When there is something to notify it of.
    pub when: NotifyOn,
}

/// What is fetched after each cycle that is complete and good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatSettings {
    /// Where.
    pub url: Url,
    /// Who vouches for its server.
    pub roots: Roots,
    /// What the request goes through.
    pub proxy: Option<Proxy>,
}

/// How a notification says who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// User and password in the body alone, as immuclient's (protocol.md §7).
    Body,
    /// In the body, and as HTTP basic authentication (RFC 7617).
    Basic,
    /// This value of the `Authorization` header.
    Header(Secret),
}

/// The events that send a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyOn {
    /// Tampering, and each change of a database's verdict.
    Changes,
    /// Tampering alone.
    Tampering,
    /// Every check, as immuclient.
    EveryCheck,
}

/// For people or for programs.
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
    /// Always.
    Normal,
    /// Only where something is not well.
    Quiet,
}
