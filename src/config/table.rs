//! The table of settings, which has each setting once.

use std::time::Duration;

use log::LevelFilter;

use super::command::CommandName;
use super::compat_mode::CompatMode;
use super::defaults;
use super::kind::Kind::{
    Bytes, Choice, Command, Count, Duration as Time, Host, Instance, List, MaybeText, Path, Peers,
    Pins, Proxy, Secret, SecretFile, SigningKey, Switch, Text, Unused, UnusedSwitch, Url, UrlFile,
    Urls, VerifierKeys,
};
use super::kind::Word;
use super::monitoring_settings::{Auth, NotifyOn};
use super::raw_settings::OwnSignatures;
use super::report_settings::LogFormat;
use super::setting::Section::{
    Audit, Compatibility, Connection, General, Login, Monitoring, Notifications, Output,
    Peers as Witnesses, Storage, Tls, Trust, Values,
};
use super::setting::{Layers, Setting};
use crate::sys::words;

/// The least duration of a setting that 0 switches off.
const OFF: Duration = Duration::ZERO;
/// The least duration of a setting that 0 does not switch off.
const TICK: Duration = Duration::from_millis(1);

/// Every setting, grouped by section, in the order of the help.
#[rustfmt::skip]
pub(super) static TABLE: &[Setting] = &[
    Setting::new(Connection, "--immudb-address", Host(|d| &mut d.address), "ADDRESS", "127.0.0.1", "address of the immudb server")
        .short('a').short_as_immugw('k').everyday().immuclient(),
    Setting::new(Connection, "--immudb-port", Count(1..=65535, |d| &mut d.port), "PORT", "3322", "port of the immudb server")
        .short('p').short_as_immugw('j').everyday().immuclient(),
    Setting::new(Connection, "--call-timeout", Time(TICK, |d| &mut d.call_timeout), "DURATION", "10s", "deadline of each call"),
    Setting::new(Connection, "--max-recv-msg-size", Bytes(65_536..=1 << 30, |d| &mut d.max_recv_msg_size), "BYTES", "4194304", "size of the largest response that is accepted")
        .immuclient(),
    Setting::new(Login, "--audit-username", Text(|d| &mut d.audit_username), "NAME", "", "user (default: --username, then immudb)")
        .everyday().immuclient(),
    Setting::new(Login, "--audit-password", Secret(|d| &mut d.audit_password), "PASSWORD", "", "password, plain or enc:BASE64; prefer a file")
        .immuclient(),
    Setting::new(Login, "--audit-password-file", SecretFile(|d| &mut d.audit_password), "FILE", "", "file that contains the password")
        .everyday(),
    Setting::new(Login, "--username", Text(|d| &mut d.username), "NAME", "", "user if --audit-username is not set")
        .immuclient(),
    Setting::new(Login, "--password", Secret(|d| &mut d.password), "PASSWORD", "", "password if --audit-password is not set; prefer a file")
        .immuclient(),
    Setting::new(Login, "--password-file", SecretFile(|d| &mut d.password), "FILE", "", "file that contains this password"),
    Setting::new(Tls, "--tls", Switch(|d| &mut d.tls), "", "false", "use TLS, verified by the system's CAs")
        .everyday(),
    Setting::new(Tls, "--tls-ca", Path(|d| &mut d.tls_ca), "FILE", "", "use TLS, verified by the CAs in this PEM file"),
    Setting::new(Tls, "--mtls", Switch(|d| &mut d.mtls), "", "false", "use mutual TLS")
        .short('m').immuclient(),
    Setting::new(Tls, "--certificate", Path(|d| &mut d.certificate), "FILE", "./tools/mtls/4_client/certs/localhost.cert.pem", "client certificate for --mtls, PEM")
        .immuclient(),
    Setting::new(Tls, "--pkey", Path(|d| &mut d.pkey), "FILE", "./tools/mtls/4_client/private/localhost.key.pem", "client private key for --mtls, PEM")
        .immuclient(),
    Setting::new(Tls, "--clientcas", Path(|d| &mut d.clientcas), "FILE", "./tools/mtls/2_intermediate/certs/ca-chain.cert.pem", "CAs that verify the server with --mtls, PEM")
        .immuclient(),
    Setting::new(Tls, "--servername", MaybeText(|d| &mut d.servername), "NAME", "", "TLS server name (default: localhost with --mtls, otherwise the address)")
        .immuclient(),
    Setting::new(Audit, "--audit-databases", List(|d| &mut d.databases), "NAMES", "", "names or prefixes (default: all accessible)")
        .everyday().immuclient(),
    Setting::new(Audit, "--audit-interval", Time(TICK, |d| &mut d.interval), "DURATION", "5m", "time from one audit to the next")
        .everyday().variable("audit-agent-interval"),
    Setting::new(Audit, "--once", Switch(|d| &mut d.once), "", "false", "audit once and exit")
        .everyday(),
    Setting::new(Audit, "--audit-max-idle", Time(OFF, |d| &mut d.max_idle), "DURATION", "", "report a database as overdue if it has not grown for this long"),
    Setting::new(Audit, "--audit-max-fetch", Count(1..=1 << 32, |d| &mut d.max_fetch), "TRANSACTIONS", "10000", "limit of the transactions that are read to prove one step of a server before 1.4"),
    Setting::new(Trust, "--server-signing-pub-key", Path(|d| &mut d.signing_keys), "FILE", "", "PEM; one of its keys must sign every state")
        .everyday().immuclient(),
    Setting::new(Trust, "--pin", Pins(|d| &mut d.pins), "DATABASE:TX:HASH", "", "a known good state to start from; repeatable"),
    Setting::new(Trust, "--no-first-use", Switch(|d| &mut d.no_first_use), "", "false", "trust no state on first use: report databases that have no trusted state"),
    Setting::new(Values, "--audit-verify-values", Switch(|d| &mut d.verify_values), "", "false", "read and verify the values of every new transaction")
        .immuclient(),
    Setting::new(Values, "--audit-sample", Count(0..=1_000_000, |d| &mut d.sample), "TRANSACTIONS", "32", "transactions to sample in each cycle; 0: none"),
    Setting::new(Values, "--audit-sweep", Time(OFF, |d| &mut d.sweep), "DURATION", "", "read the values of the whole history once in each period of this length"),
    Setting::new(Values, "--audit-keep-hashes", Switch(|d| &mut d.mirror), "", "false", "keep the hash of every transaction, 32 bytes each: locate then names the first rewritten one"),
    Setting::new(Values, "--audit-keep-hashes-max", Bytes(65_536..=1 << 40, |d| &mut d.mirror_max), "BYTES", "1073741824", "size limit of these hashes of all databases together"),
    Setting::new(Storage, "--dir", Path(|d| &mut d.directory), "DIRECTORY", "", "directory of the trusted states")
        .everyday().immuclient().computed(defaults::state_directory),
    Setting::new(Storage, "--roots-filepath", Path(|d| &mut d.roots), "DIRECTORY", "", "directory of the trusted states alone (default: in --dir)")
        .immuclient(),
    Setting::new(Storage, "--server-label", Text(|d| &mut d.server_label), "LABEL", "", "name that the server's states are stored under (default: ADDRESS:PORT)"),
    Setting::new(Output, "--json", Switch(|d| &mut d.json), "", "false", "print JSON, one object a line")
        .everyday(),
    Setting::new(Output, "--quiet", Switch(|d| &mut d.quiet), "", "false", "print nothing if everything is verified"),
    Setting::new(Output, "--log-level", Choice(LEVELS), "LEVEL", "info", "off, error, warn, info, debug or trace"),
    Setting::new(Output, "--log-format", Choice(LOG_FORMATS), "FORMAT", "text", "format of the log: text or json"),
    Setting::new(Monitoring, "--audit-monitoring-host", Host(|d| &mut d.monitoring_host), "ADDRESS", "::", "address on which metrics, probes and the status page are served; :: is every address, IPv4 too")
        .immuclient(),
    Setting::new(Monitoring, "--audit-monitoring-port", Count(0..=65535, |d| &mut d.monitoring_port), "PORT", "9477", "port of metrics, probes and the status page; 0: a free one, which is logged")
        .immuclient().computed(defaults::monitoring_port),
    Setting::new(Monitoring, "--no-monitoring", Switch(|d| &mut d.no_monitoring), "", "false", "serve no metrics, probes or status page"),
    Setting::new(Notifications, "--audit-notification-url", Urls(|d| &mut d.notification_urls), "URLS", "", "URLs that receive a POST for each change of a verdict; repeatable; prefer a file")
        .immuclient(),
    Setting::new(Notifications, "--audit-notification-url-file", UrlFile(|d| &mut d.notification_urls), "FILE", "", "file that contains these URLs, one per line"),
    Setting::new(Notifications, "--audit-notification-username", Text(|d| &mut d.notification_username), "NAME", "", "user in the body of notifications")
        .immuclient(),
    Setting::new(Notifications, "--audit-notification-password", Secret(|d| &mut d.notification_password), "PASSWORD", "", "password in the body of notifications; prefer a file")
        .immuclient(),
    Setting::new(Notifications, "--audit-notification-password-file", SecretFile(|d| &mut d.notification_password), "FILE", "", "file that contains this password"),
    Setting::new(Notifications, "--audit-notification-auth", Choice(AUTHS), "AUTH", "body", "where user and password are sent: body, or basic for HTTP basic auth too"),
    Setting::new(Notifications, "--audit-notification-secret", SigningKey(|d| &mut d.notification_secret), "SECRET", "", "key that signs notifications (Standard Webhooks), plain or whsec_BASE64; prefer a file"),
    Setting::new(Notifications, "--audit-notification-secret-file", SecretFile(|d| &mut d.notification_secret), "FILE", "", "file that contains this key"),
    Setting::new(Notifications, "--audit-notification-ca", Path(|d| &mut d.notification_ca), "FILE", "", "CAs that verify the receivers of --audit-notification-url, PEM (default: the system's)"),
    Setting::new(Notifications, "--audit-notify", Choice(NOTIFY), "WHEN", "changes", "when to notify: changes, or every-check as immuclient does"),
    Setting::new(Notifications, "--audit-exec", Command(|d| &mut d.exec), "COMMAND", "", "program that reads each notification from stdin; full path and arguments, no shell"),
    Setting::new(Notifications, "--audit-heartbeat-url", Url(|d| &mut d.heartbeat_url), "URL", "", "URL that is fetched after each complete and good cycle; prefer a file"),
    Setting::new(Notifications, "--audit-heartbeat-url-file", UrlFile(|d| &mut d.heartbeat_url), "FILE", "", "file that contains this URL"),
    Setting::new(Notifications, "--audit-heartbeat-ca", Path(|d| &mut d.heartbeat_ca), "FILE", "", "CAs that verify the server of the heartbeat, PEM (default: the system's)"),
    Setting::new(Notifications, "--proxy", Proxy(|d| &mut d.proxy), "URL", "", "proxy for notifications, heartbeat and compare, or none (default: http_proxy, https_proxy, all_proxy and no_proxy, as curl reads them)"),
    Setting::new(Witnesses, "--audit-signing-key", SecretFile(|d| &mut d.signing_key), "FILE", "", "file of the private key that signs a checkpoint of each verified state (see: immuaudit key new)"),
    Setting::new(Witnesses, "--audit-peer", Peers(|d| &mut d.peers), "URL=KEY", "", "another auditor to compare checkpoints with in each cycle: its monitoring port and its public key; repeatable"),
    Setting::new(Witnesses, "--audit-peers-required", Count(0..=100, |d| &mut d.peers_required), "COUNT", "0", "peers that must confirm each database within three intervals; 0: none"),
    Setting::new(General, "--config", Path(|d| &mut d.config), "FILE", "", "settings file instead of the usual ones")
        .everyday().immuclient().layers(Layers::FlagAndEnvironment),
    Setting::new(General, "--instance", Instance(|d| &mut d.instance), "NAME", "", words::HELP_INSTANCE)
        .layers(Layers::Flag),
    Setting::new(General, "--help", Switch(|d| &mut d.help), "", "false", "print help; with --all, every option")
        .short('h').layers(Layers::Flag),
    Setting::new(General, "--version", Switch(|d| &mut d.version), "", "false", "print the version")
        .layers(Layers::Flag),
    Setting::new(Compatibility, "--audit-signature", Choice(SIGNATURES), "WHAT", "", "with --as immugw: ignore or validate; validate without a key uses the key in the response")
        .immugw(),
    Setting::new(Compatibility, "--server-name", Text(|d| &mut d.server_label), "LABEL", "", "the former name of --server-label")
        .renamed("server-label"),
    Setting::new(Compatibility, "--as", Choice(MODES), "PROGRAM", "", "read the variables and the settings file of this program: immuclient or immugw (default: by the name of this program)")
        .layers(Layers::FlagAndEnvironment).computed(defaults::compat_mode),
    Setting::new(Compatibility, "--audit", Switch(|d| &mut d.audit), "", "", "with --as immugw: run the audit")
        .immugw(),
    Setting::new(Compatibility, "--database", Unused, "NAME", "", "no effect in an audit: see --audit-databases")
        .unused(),
    Setting::new(Compatibility, "--tokenfile", Unused, "FILE", "", "no effect in an audit: no token is stored")
        .unused(),
    Setting::new(Compatibility, "--value-only", UnusedSwitch, "", "", "no effect in an audit: no values are printed")
        .unused(),
    Setting::new(Compatibility, "--revision-separator", Unused, "TEXT", "", "no effect in an audit: no revisions are printed")
        .unused(),
    Setting::new(Compatibility, "--address", Unused, "ADDRESS", "", "no effect in an audit: the gateway's own address (-a with --as immugw)")
        .short_as_immugw('a').gateway(),
    Setting::new(Compatibility, "--port", Unused, "PORT", "", "no effect in an audit: the gateway's own port (-p with --as immugw)")
        .short_as_immugw('p').gateway(),
    Setting::new(Compatibility, "--pidfile", Unused, "FILE", "", "no effect in an audit: no process file is written")
        .gateway(),
    Setting::new(Compatibility, "--logfile", Unused, "FILE", "", "no effect in an audit: the log is written to stderr")
        .gateway(),
    Setting::new(Compatibility, "--detached", UnusedSwitch, "", "", "no effect in an audit: it stays in the foreground (-d with --as immugw)")
        .short_as_immugw('d').gateway(),
    Setting::of(CommandName::Help, "--all", Switch(|d| &mut d.all), "", "false", "list every option"),
    Setting::of(CommandName::AuditMode, "--dry-run", Switch(|d| &mut d.dry_run), "", "false", "install, uninstall: only print every step"),
    Setting::of(CommandName::AuditMode, "--purge", Switch(|d| &mut d.purge), "", "false", "uninstall: remove states, settings and user too"),
    Setting::of(CommandName::Config, "--check", Switch(|d| &mut d.check), "", "false", "only report wrong settings, and exit with 3 if there are any"),
    Setting::of(CommandName::Locate, "--against", Text(|d| &mut d.against), "OTHER", "", "compare with a second server (HOST[:PORT], same login) or with another auditor's mirror file"),
    Setting::of(CommandName::Compare, "--ca", Path(|d| &mut d.other_ca), "FILE", "", "CAs that verify the other auditor, PEM (default: the system's)"),
    Setting::of(CommandName::Compare, "--peer-key", VerifierKeys(|d| &mut d.verifier_keys), "KEY", "", "public key of the auditor that signed the checkpoints in FILE; repeatable"),
    Setting::of(CommandName::Key, "--name", Text(|d| &mut d.key_name), "NAME", "", "new: name of the key, such as zone-a.example.com"),
    Setting::of(CommandName::Checkpoint, "--key", VerifierKeys(|d| &mut d.verifier_keys), "KEY", "", "verify: public key of an auditor, as key show prints it; repeatable"),
    Setting::of(CommandName::Checkpoint, "--require", Count(1..=100, |d| &mut d.required), "COUNT", "1", "verify: number of keys that must confirm each checkpoint"),
    Setting::of(CommandName::Locate, "--show-values", Switch(|d| &mut d.show_values), "", "false", "print values that differ, shortened"),
    Setting::of(CommandName::Status, "--all", Switch(|d| &mut d.all_instances), "", "false", "print every instance on this host, the worst first"),
    Setting::of(CommandName::Alarm, "--all", Switch(|d| &mut d.all_alarms), "", "false", "list: closed alarms too"),
    Setting::of(CommandName::Alarm, "--database", Text(|d| &mut d.close_database), "DATABASE", "", "close: every open alarm of this database"),
    Setting::of(CommandName::Alarm, "--yes", Switch(|d| &mut d.yes), "", "false", "adopt: do not ask for confirmation"),
    Setting::of(CommandName::Acknowledge, "--absent-values-to", Count(1..=MAX_TX, |d| &mut d.absent_to), "TX", "", "absent values of transactions up to this one are explained"),
    Setting::of(CommandName::Acknowledge, "--unsigned", Switch(|d| &mut d.unsigned), "", "false", "the loss of the signature after the last signed state is explained"),
    Setting::of(CommandName::Acknowledge, "--disagreement", Switch(|d| &mut d.disagreement), "", "false", "all disagreements of peers until now are explained"),
    Setting::of(CommandName::States, "--alarm", Switch(|d| &mut d.import_alarm), "", "false", "import: raise an alarm for each state that the server contradicts"),
    Setting::of(CommandName::Drill, "--serve", Switch(|d| &mut d.serve), "", "false", "keep the embedded ledger running; its data is only in memory, so each start has a new history"),
    Setting::of(CommandName::Drill, "--databases", Count(1..=5000, |d| &mut d.drill_databases), "COUNT", "1", "number of databases of the embedded ledger"),
    Setting::of(CommandName::Drill, "--port", Count(0..=65535, |d| &mut d.drill_port), "PORT", "0", "port to serve on; 0: a free one"),
    Setting::of(CommandName::Drill, "--views", Count(1..=2, |d| &mut d.drill_views), "COUNT", "1", "histories that the embedded ledger shows; with 2, user immudb2 sees another one"),
    Setting::of(CommandName::Drill, "--grow", Time(OFF, |d| &mut d.grow), "DURATION", "", "add a transaction each time this period has passed"),
    Setting::of(CommandName::Drill, "--lie", Text(|d| &mut d.lie), "NAME", "", "run only this lie"),
    Setting::of(CommandName::Drill, "--list", Switch(|d| &mut d.list), "", "false", "list the lies"),
    Setting::of(CommandName::Notify, "--test", Switch(|d| &mut d.test), "", "false", "send a test notification"),

];

/// The largest transaction that a settings file can name, which is the largest integer of TOML.
const MAX_TX: u64 = u64::MAX >> 1;

/// Settings of 0.1.0 that have another name now. Each is refused, so that the user notices that it has no effect.
const FORMER_NAMES: [(&str, &str); 5] = [
    ("audit-expect-growth", "audit-max-idle"),
    ("audit-max-range", "audit-max-fetch"),
    ("audit-mirror", "audit-keep-hashes"),
    ("audit-mirror-max", "audit-keep-hashes-max"),
    ("require-trusted", "no-first-use"),
];

/// Returns the setting that had this name in 0.1.0, if its name has changed.
pub(super) fn find_by_former_name(name: &str) -> Option<&'static Setting> {
    let names = FORMER_NAMES.iter().find(|(former, _)| *former == name);
    names.and_then(|(_, now)| find(now))
}

/// The values of `--as`.
#[rustfmt::skip]
const MODES: &[Word] = &[
    ("immuclient", |d| d.compat_mode = CompatMode::Immuclient),
    ("immugw", |d| d.compat_mode = CompatMode::Immugw),
];

/// The values of `--log-level`.
#[rustfmt::skip]
const LEVELS: &[Word] = &[
    ("off", |d| d.log_level = Some(LevelFilter::Off)),
    ("error", |d| d.log_level = Some(LevelFilter::Error)),
    ("warn", |d| d.log_level = Some(LevelFilter::Warn)),
    ("info", |d| d.log_level = Some(LevelFilter::Info)),
    ("debug", |d| d.log_level = Some(LevelFilter::Debug)),
    ("trace", |d| d.log_level = Some(LevelFilter::Trace)),
];

/// The values of `--log-format`.
const LOG_FORMATS: &[Word] = &[
    ("text", |d| d.log_format = Some(LogFormat::Text)),
    ("json", |d| d.log_format = Some(LogFormat::Json)),
];

/// The values of `--audit-notification-auth`.
const AUTHS: &[Word] = &[
    ("body", |d| d.notification_auth = Some(Auth::Body)),
    ("basic", |d| d.notification_auth = Some(Auth::Basic)),
];

/// The values of `--audit-notify`.
const NOTIFY: &[Word] = &[
    ("changes", |d| d.notify = Some(NotifyOn::Changes)),
    ("every-check", |d| d.notify = Some(NotifyOn::EveryCheck)),
];

/// The values of `--audit-signature`.
#[rustfmt::skip]
const SIGNATURES: &[Word] = &[
    ("ignore", |d| d.signatures = Some(OwnSignatures::Ignore)),
    ("validate", |d| d.signatures = Some(OwnSignatures::Validate)),
];

/// Keys of an immuclient.toml that have no effect in an audit and no flag.
pub(super) const UNUSED_KEYS: [&str; 7] = [
    "address", "auth", "detached", "logfile", "network", "pidfile", "port",
];

/// Finds the setting with this name.
pub(super) fn find(flag: &str) -> Option<&'static Setting> {
    find_for(flag, None, CompatMode::Immuclient)
}

/// Finds the setting with this name for the command and the mode: two commands may use one name for different
/// settings.
pub(super) fn find_for(
    flag: &str,
    command: Option<CommandName>,
    compat_mode: CompatMode,
) -> Option<&'static Setting> {
    let known = TABLE.iter().filter(|setting| setting.is_known(compat_mode));
    let mut named = known.filter(|setting| setting.flag == flag);
    let own = |setting: &&Setting| command.is_some() && setting.command() == command;
    named.clone().find(own).or_else(|| named.next())
}

impl Setting {
    /// Returns the setting with the present name.
    pub fn current(&'static self) -> &'static Setting {
        self.renamed.and_then(find).unwrap_or(self)
    }
}
