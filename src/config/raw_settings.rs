//! The settings while they are gathered: a field for each, which the row of the table names.

use std::time::Duration;

use log::LevelFilter;

use super::audit_settings::Pin;
use super::compat_mode::CompatMode;
use super::instance::Instance;
use super::monitoring_settings::{Auth, NotifyOn};
use super::peer_table::PeerTable;
use super::proxy::{Chosen, Environment};
use super::receiver_table::ReceiverTable;
use super::report_settings::LogFormat;
use super::sourced::{Password, SourcedPath, Urls};
use super::url::Url;
use crate::checkpoint::VerifierKey;

/// A field for each setting. An empty text or list was not given.
#[derive(Default)]
pub(super) struct RawSettings {
    pub address: String,
    pub port: u64,
    pub server_label: String,
    pub audit_username: String,
    pub username: String,
    pub audit_password: Option<Password>,
    pub password: Option<Password>,
    pub mtls: bool,
    pub tls: bool,
    pub tls_ca: Option<SourcedPath>,
    pub certificate: Option<SourcedPath>,
    pub pkey: Option<SourcedPath>,
    pub clientcas: Option<SourcedPath>,
    pub servername: Option<String>,
    pub call_timeout: Duration,
    pub max_recv_msg_size: u64,

    pub databases: Vec<String>,
    pub interval: Duration,
    pub once: bool,
    pub signing_keys: Option<SourcedPath>,
    pub signatures: Option<OwnSignatures>,
    pub compat_mode: CompatMode,
    pub audit: bool,
    pub pins: Vec<Pin>,
    pub no_first_use: bool,
    pub max_idle: Duration,
    pub max_fetch: u64,
    pub sample: u64,
    pub verify_values: bool,
    pub sweep: Duration,
    pub mirror: bool,
    pub mirror_max: u64,

    pub directory: Option<SourcedPath>,
    pub roots: Option<SourcedPath>,
    pub config: Option<SourcedPath>,
    pub instance: Option<Instance>,

    pub json: bool,
    pub quiet: bool,
    pub log_level: Option<LevelFilter>,
    pub log_format: Option<LogFormat>,

    pub monitoring_host: String,
    pub monitoring_port: u64,
    pub no_monitoring: bool,
    pub notification_urls: Urls,
    pub notification_username: String,
    pub notification_password: Option<Password>,
    pub notification_auth: Option<Auth>,
    pub notification_secret: Option<Password>,
    pub notification_ca: Option<SourcedPath>,
    pub notify: Option<NotifyOn>,
    pub exec: Option<SourcedPath>,
    pub heartbeat_url: Urls,
    pub heartbeat_ca: Option<SourcedPath>,
    pub proxy: Option<Chosen>,
    /// The environment's proxies.
    pub environment: Environment,
    /// The receivers from the tables of settings files.
    pub receivers: Vec<ReceiverTable>,
    pub other_ca: Option<SourcedPath>,
    /// The file of the key that checkpoints are signed with.
    pub signing_key: Option<Password>,
    /// The auditors of `--audit-peer`, with one entry for each key.
    pub peers: Vec<(Url, VerifierKey)>,
    pub peers_required: u64,
    /// The auditors from the tables of settings files.
    pub peer_tables: Vec<PeerTable>,
    /// The name of a new key.
    pub key_name: String,
    /// The keys that confirm checkpoints.
    pub verifier_keys: Vec<VerifierKey>,
    pub required: u64,

    pub help: bool,
    pub all: bool,
    pub version: bool,
    pub check: bool,
    pub all_alarms: bool,
    pub all_instances: bool,
    pub close_database: String,
    pub yes: bool,
    pub absent_to: u64,
    pub unsigned: bool,
    pub disagreement: bool,
    pub import_alarm: bool,
    pub dry_run: bool,
    pub purge: bool,
    pub serve: bool,
    pub drill_port: u64,
    pub drill_databases: u64,
    pub drill_views: u64,
    pub list: bool,
    pub test: bool,
    pub lie: String,
    pub grow: Duration,
    pub against: String,
    pub show_values: bool,
}

impl RawSettings {
    /// Returns a given flag that this subcommand of `audit-mode` does not take, with the commands that take it.
    pub fn service_flag(&self, subcommand: &str) -> Option<(&'static str, Vec<&'static str>)> {
        let (install, uninstall) = ("audit-mode install", "audit-mode uninstall");
        let (installs, uninstalls) = (subcommand == "install", subcommand == "uninstall");
        if self.dry_run && !installs && !uninstalls {
            return Some(("dry-run", vec![install, uninstall]));
        }
        (self.purge && !uninstalls).then(|| ("purge", vec![uninstall]))
    }
}

/// The treatment of signatures in immugw.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnSignatures {
    Ignore,
    Validate,
}
