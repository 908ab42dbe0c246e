//! The table of settings: each one is named here, once.

use std::time::Duration;

use log::LevelFilter;

use super::draft::OwnSignatures;
use super::kind::Kind::{
    Bytes, Choice, Command, Count, Duration as Time, Host, Instance, List, MaybeText, Path, Peers,
    Pins, Proxy, Secret, SecretFile, SigningKey, Switch, Text, Unused, UnusedSwitch, Url, UrlFile,
    Urls, VerifierKeys,
};
use super::kind::Word;
use super::persona::{self, Persona};
use super::process::Process;
use super::setting::{Layers, Setting};
use super::settings::{Auth, LogFormat, When};
use super::verb::Name;

/// No duration: 0 switches the setting off.
const OFF: Duration = Duration::ZERO;
/// The shortest duration there is a unit for.
const TICK: Duration = Duration::from_millis(1);

/// Every setting, in the order in which people are shown them.
#[rustfmt::skip]
pub(super) static TABLE: &[Setting] = &[
    // the server
    Setting::new("--immudb-address", Host(|d| &mut d.address), "ADDRESS", "127.0.0.1", "the immudb server")
        .short('a').short_as_immugw('k').everyday().immuclient(),
    Setting::new("--immudb-port", Count(1..=65535, |d| &mut d.port), "PORT", "3322", "its port")
        .short('p').short_as_immugw('j').everyday().immuclient(),
    Setting::new("--audit-username", Text(|d| &mut d.audit_username), "NAME", "", "user (default: --username, else immudb)")
        .everyday().immuclient(),
    Setting::new("--audit-password", Secret(|d| &mut d.audit_password), "PASSWORD", "", "its password, plain or enc:BASE64; better in a file")
        .immuclient(),
    Setting::new("--audit-password-file", SecretFile(|d| &mut d.audit_password), "FILE", "", "file that holds the password")
        .everyday(),
    Setting::new("--username", Text(|d| &mut d.username), "NAME", "", "user to log in as where --audit-username is absent")
        .immuclient(),
    Setting::new("--password", Secret(|d| &mut d.password), "PASSWORD", "", "password where --audit-password is absent")
        .immuclient(),
    Setting::new("--password-file", SecretFile(|d| &mut d.password), "FILE", "", "file that holds that password"),
    Setting::new("--tls", Switch(|d| &mut d.tls), "", "false", "TLS, checked by the system's CAs")
        .everyday(),
    Setting::new("--tls-ca", Path(|d| &mut d.tls_ca), "FILE", "", "TLS, checked by the CAs in this PEM file"),
    Setting::new("--mtls", Switch(|d| &mut d.mtls), "", "false", "mutual TLS")
        .short('m').immuclient(),
    Setting::new("--certificate", Path(|d| &mut d.certificate), "FILE", "./tools/mtls/4_client/certs/localhost.cert.pem", "our certificate under --mtls, PEM")
        .immuclient(),
    Setting::new("--pkey", Path(|d| &mut d.pkey), "FILE", "./tools/mtls/4_client/private/localhost.key.pem", "our private key under --mtls, PEM")
        .immuclient(),
    Setting::new("--clientcas", Path(|d| &mut d.clientcas), "FILE", "./tools/mtls/2_intermediate/certs/ca-chain.cert.pem", "CAs that the server is checked by under --mtls, PEM")
        .immuclient(),
    Setting::new("--servername", MaybeText(|d| &mut d.servername), "NAME", "", "name in the server's certificate (default: localhost under --mtls, else the address)")
        .immuclient(),
    Setting::new("--call-timeout", Time(TICK, |d| &mut d.call_timeout), "DURATION", "10s", "deadline of each call"),
    Setting::new("--max-recv-msg-size", Bytes(65_536..=1 << 30, |d| &mut d.max_recv_msg_size), "BYTES", "4194304", "largest answer taken from the server")
        .immuclient(),
    // the audit
    Setting::new("--audit-databases", List(|d| &mut d.databases), "NAMES", "", "full names or prefixes (default: all)")
        .everyday().immuclient(),
    Setting::new("--audit-interval", Time(TICK, |d| &mut d.interval), "DURATION", "5m", "from one audit to the next, ms to h")
        .everyday().variable("audit-agent-interval"),
    Setting::new("--once", Switch(|d| &mut d.once), "", "false", "audit once and end; the exit code tells")
        .everyday(),
    Setting::new("--server-signing-pub-key", Path(|d| &mut d.signing_keys), "FILE", "", "PEM; one of its keys must sign every state")
        .everyday().immuclient(),
    Setting::new("--audit-signature", Choice(SIGNATURES), "WHAT", "", "--as immugw: ignore or validate; without a key, by the key that comes along")
        .immugw(),
    Setting::new("--pin", Pins(|d| &mut d.pins), "DATABASE:TX:HASH", "", "a state known to be good, to start from; repeatable"),
    Setting::new("--require-trusted", Switch(|d| &mut d.require_trusted), "", "false", "refuse databases of which nothing is trusted yet"),
    Setting::new("--audit-expect-growth", Time(OFF, |d| &mut d.expect_growth), "DURATION", "", "alert where a database has not grown for so long"),
    Setting::new("--audit-max-range", Count(1..=1 << 32, |d| &mut d.max_range), "TRANSACTIONS", "10000", "most transactions read to prove an advance of servers before 1.4"),
    Setting::new("--audit-verify-values", Switch(|d| &mut d.verify_values), "", "false", "read and check every new transaction's values")
        .immuclient(),
    Setting::new("--audit-sample", Count(0..=1_000_000, |d| &mut d.sample), "TRANSACTIONS", "32", "transactions drawn and read each cycle; 0: none"),
    Setting::new("--audit-sweep", Time(OFF, |d| &mut d.sweep), "DURATION", "", "read the whole history once in this time"),
    Setting::new("--audit-mirror", Switch(|d| &mut d.mirror), "", "false", "keep the hash of every transaction, 32 bytes each: locate then names the very first that was rewritten"),
    Setting::new("--audit-mirror-max", Bytes(65_536..=1 << 40, |d| &mut d.mirror_max), "BYTES", "1073741824", "most that the mirrors of all databases take together"),
    // what is trusted
    Setting::new("--dir", Path(|d| &mut d.directory), "DIRECTORY", "", "where trusted states are kept")
        .everyday().immuclient().computed(Process::state_directory),
    Setting::new("--roots-filepath", Path(|d| &mut d.roots), "DIRECTORY", "", "where the trusted states alone are kept (default: in --dir)")
        .immuclient(),
    Setting::new("--server-label", Text(|d| &mut d.server_label), "LABEL", "", "what trusted states are filed under (default: ADDRESS:PORT)"),
    Setting::new("--server-name", Text(|d| &mut d.server_label), "LABEL", "", "the former name of --server-label")
        .renamed("server-label"),
    // the report
    Setting::new("--json", Switch(|d| &mut d.json), "", "false", "one JSON object a line for every database")
        .everyday(),
    Setting::new("--quiet", Switch(|d| &mut d.quiet), "", "false", "say nothing where all is well"),
    Setting::new("--log-level", Choice(LEVELS), "LEVEL", "info", "off, error, warn, info, debug or trace"),
    Setting::new("--log-format", Choice(LOG_FORMATS), "FORMAT", "text", "log lines as text or json"),
    // those who watch
    Setting::new("--audit-monitoring-host", Host(|d| &mut d.monitoring_host), "ADDRESS", "::", "address that metrics, probes and the status page are served on (::: every one, IPv4 too)")
        .immuclient(),
    Setting::new("--audit-monitoring-port", Count(0..=65535, |d| &mut d.monitoring_port), "PORT", "9477", "their port; 0: any free one, which is told")
        .immuclient().computed(Process::monitoring_port),
    Setting::new("--no-monitoring", Switch(|d| &mut d.no_monitoring), "", "false", "serve none of them"),
    Setting::new("--audit-notification-url", Urls(|d| &mut d.notification_urls), "URLS", "", "where each change of a verdict is POSTed to; repeatable; better in a file")
        .immuclient(),
    Setting::new("--audit-notification-url-file", UrlFile(|d| &mut d.notification_urls), "FILE", "", "file that holds these URLs, one a line"),
    Setting::new("--audit-notification-username", Text(|d| &mut d.notification_username), "NAME", "", "user named in the notification's body")
        .immuclient(),
    Setting::new("--audit-notification-password", Secret(|d| &mut d.notification_password), "PASSWORD", "", "password named in the notification's body; better in a file")
        .immuclient(),
    Setting::new("--audit-notification-password-file", SecretFile(|d| &mut d.notification_password), "FILE", "", "file that holds that password"),
    Setting::new("--audit-notification-auth", Choice(AUTHS), "AUTH", "body", "user and password in the body alone, or as HTTP basic auth too: body or basic"),
    Setting::new("--audit-notification-secret", SigningKey(|d| &mut d.notification_secret), "SECRET", "", "signs each notification (Standard Webhooks), plain or whsec_BASE64; better in a file"),
    Setting::new("--audit-notification-secret-file", SecretFile(|d| &mut d.notification_secret), "FILE", "", "file that holds that secret"),
    Setting::new("--audit-notification-ca", Path(|d| &mut d.notification_ca), "FILE", "", "CAs that the receivers of --audit-notification-url are checked by, PEM (default: the system's)"),
    Setting::new("--audit-notify", Choice(NOTIFY), "WHEN", "changes", "notify of changes, or as immuclient: changes or every-check"),
    Setting::new("--audit-exec", Command(|d| &mut d.exec), "COMMAND", "", "program that gets each notification on its stdin; full path and words, no shell"),
    Setting::new("--audit-heartbeat-url", Url(|d| &mut d.heartbeat_url), "URL", "", "fetched after each cycle that is complete and good; better in a file"),
    Setting::new("--audit-heartbeat-url-file", UrlFile(|d| &mut d.heartbeat_url), "FILE", "", "file that holds that URL"),
    Setting::new("--audit-heartbeat-ca", Path(|d| &mut d.heartbeat_ca), "FILE", "", "CAs that the heartbeat's server is checked by, PEM (default: the system's)"),
    Setting::new("--proxy", Proxy(|d| &mut d.proxy), "URL", "", "proxy for notifications, heartbeat and compare, or none (default: http_proxy, https_proxy, all_proxy, no_proxy as curl takes them)"),
    Setting::new("--audit-signing-key", SecretFile(|d| &mut d.signing_key), "FILE", "", "file of the private key that signs a checkpoint of each proven state, for other auditors (immuaudit key new)"),
    Setting::new("--audit-peer", Peers(|d| &mut d.peers), "URL=KEY", "", "another auditor, whose checkpoints are compared in each cycle: its monitoring port and its public key; repeatable"),
    Setting::new("--audit-peers-required", Count(0..=100, |d| &mut d.peers_required), "COUNT", "0", "peers that must have confirmed each database within three intervals; 0: none"),
    // the settings themselves
    Setting::new("--config", Path(|d| &mut d.config), "FILE", "", "settings file instead of the usual ones")
        .everyday().immuclient().layers(Layers::FlagAndEnvironment),
    Setting::new("--instance", Instance(|d| &mut d.instance), "NAME", "", "one of several auditors on this host: /etc/immudb/immuaudit.d/NAME.toml over immuaudit.toml, its own states and port")
        .layers(Layers::Flag),
    Setting::new("--as", Choice(persona::WORDS), "WHOM", "", "take the place of immuclient or immugw: its variables, its file (default: by the program's name)")
        .layers(Layers::FlagAndEnvironment).computed(Process::persona_by_name),
    Setting::new("--audit", Switch(|d| &mut d.audit), "", "", "--as immugw: audit at all")
        .immugw(),
    Setting::new("--help", Switch(|d| &mut d.help), "", "false", "this help; --help --all shows every setting")
        .short('h').layers(Layers::Flag),
    Setting::new("--version", Switch(|d| &mut d.version), "", "false", "the version")
        .layers(Layers::Flag),
    // of no use in an audit
    Setting::new("--database", Unused, "NAME", "", "taken for immuclient's sake: an audit takes --audit-databases")
        .unused(),
    Setting::new("--tokenfile", Unused, "FILE", "", "taken for immuclient's sake: an audit keeps no token file")
        .unused(),
    Setting::new("--value-only", UnusedSwitch, "", "", "taken for immuclient's sake: an audit prints no values")
        .unused(),
    Setting::new("--revision-separator", Unused, "TEXT", "", "taken for immuclient's sake: an audit prints no revisions")
        .unused(),
    // of no use in an audit, and immugw's alone
    Setting::new("--address", Unused, "ADDRESS", "", "-a --as immugw: the gateway's own address")
        .short_as_immugw('a').gateway(),
    Setting::new("--port", Unused, "PORT", "", "-p --as immugw: the gateway's own port")
        .short_as_immugw('p').gateway(),
    Setting::new("--pidfile", Unused, "FILE", "", "--as immugw: an audit writes no process file")
        .gateway(),
    Setting::new("--logfile", Unused, "FILE", "", "--as immugw: an audit's log is its stderr")
        .gateway(),
    Setting::new("--detached", UnusedSwitch, "", "", "-d --as immugw: an audit stays in the foreground")
        .short_as_immugw('d').gateway(),
    // of single verbs
    Setting::new("--all", Switch(|d| &mut d.all), "", "false", "every setting").of(Name::Help),
    Setting::new("--dry-run", Switch(|d| &mut d.dry_run), "", "false", "install, uninstall: only print every step").of(Name::AuditMode),
    Setting::new("--purge", Switch(|d| &mut d.purge), "", "false", "uninstall: remove states, settings and user too").of(Name::AuditMode),
    Setting::new("--check", Switch(|d| &mut d.check), "", "false", "only say what is wrong, and exit 3 then").of(Name::Config),
    Setting::new("--against", Text(|d| &mut d.against), "OTHER", "", "hold it against a second server (HOST[:PORT]; same login), or another auditor's mirror file").of(Name::Locate),
    Setting::new("--ca", Path(|d| &mut d.other_ca), "FILE", "", "CAs that the other auditor is checked by, PEM (default: the system's)").of(Name::Compare),
    Setting::new("--peer-key", VerifierKeys(|d| &mut d.verifier_keys), "KEY", "", "FILE is checkpoints of the auditor with this public key; repeatable").of(Name::Compare),
    Setting::new("--name", Text(|d| &mut d.key_name), "NAME", "", "new: the key's name, such as zone-a.example.com").of(Name::Key),
    Setting::new("--key", VerifierKeys(|d| &mut d.verifier_keys), "KEY", "", "verify: an auditor's public key, as key show prints it; repeatable").of(Name::Checkpoint),
    Setting::new("--require", Count(1..=100, |d| &mut d.required), "COUNT", "1", "verify: keys that must have confirmed each checkpoint").of(Name::Checkpoint),
    Setting::new("--show-values", Switch(|d| &mut d.show_values), "", "false", "show values that differ, cut").of(Name::Locate),
    Setting::new("--all", Switch(|d| &mut d.all_instances), "", "false", "every instance on this host, the worst first").of(Name::Status),
    Setting::new("--all", Switch(|d| &mut d.all_alarms), "", "false", "list: closed alarms too").of(Name::Alarm),
    Setting::new("--database", Text(|d| &mut d.close_database), "DATABASE", "", "close: every open alarm of this database").of(Name::Alarm),
    Setting::new("--yes", Switch(|d| &mut d.yes), "", "false", "adopt: without asking").of(Name::Alarm),
    Setting::new("--absent-values-to", Count(1..=MAX_TX, |d| &mut d.absent_to), "TX", "", "absent values of transactions up to this one are explained").of(Name::Acknowledge),
    Setting::new("--unsigned", Switch(|d| &mut d.unsigned), "", "false", "the loss of the signature after the last signed state is explained").of(Name::Acknowledge),
    Setting::new("--disagreement", Switch(|d| &mut d.disagreement), "", "false", "disagreements of peers that were found until now are explained").of(Name::Acknowledge),
    Setting::new("--alarm", Switch(|d| &mut d.import_alarm), "", "false", "import: what the server contradicts becomes an alarm").of(Name::Roots),
    Setting::new("--serve", Switch(|d| &mut d.serve), "", "false", "keep the embedded ledger running").of(Name::Drill),
    Setting::new("--databases", Count(1..=5000, |d| &mut d.drill_databases), "COUNT", "1", "databases that the embedded ledger has").of(Name::Drill),
    Setting::new("--port", Count(0..=65535, |d| &mut d.drill_port), "PORT", "0", "port to serve on; 0: any free one").of(Name::Drill),
    Setting::new("--views", Count(1..=2, |d| &mut d.drill_views), "COUNT", "1", "histories that the embedded ledger shows: with 2, user immudb2 is shown one of its own").of(Name::Drill),
    Setting::new("--grow", Time(OFF, |d| &mut d.grow), "DURATION", "", "add a transaction each time so long has passed").of(Name::Drill),
    Setting::new("--lie", Text(|d| &mut d.lie), "NAME", "", "tell this lie alone").of(Name::Drill),
    Setting::new("--list", Switch(|d| &mut d.list), "", "false", "list the lies").of(Name::Drill),
    Setting::new("--test", Switch(|d| &mut d.test), "", "false", "send a notification that says it is a test").of(Name::Notify),
];

/// The largest transaction that a file of ours can name: the largest integer of TOML.
const MAX_TX: u64 = u64::MAX >> 1;

/// What `--log-level` may be.
#[rustfmt::skip]
const LEVELS: &[Word] = &[
    ("off", |d| d.log_level = Some(LevelFilter::Off)),
    ("error", |d| d.log_level = Some(LevelFilter::Error)),
    ("warn", |d| d.log_level = Some(LevelFilter::Warn)),
    ("info", |d| d.log_level = Some(LevelFilter::Info)),
    ("debug", |d| d.log_level = Some(LevelFilter::Debug)),
    ("trace", |d| d.log_level = Some(LevelFilter::Trace)),
];

/// What `--log-format` may be.
const LOG_FORMATS: &[Word] = &[
    ("text", |d| d.log_format = Some(LogFormat::Text)),
    ("json", |d| d.log_format = Some(LogFormat::Json)),
];

/// What `--audit-notification-auth` may be.
const AUTHS: &[Word] = &[
    ("body", |d| d.notification_auth = Some(Auth::Body)),
    ("basic", |d| d.notification_auth = Some(Auth::Basic)),
];

/// What `--audit-notify` may be.
const NOTIFY: &[Word] = &[
    ("changes", |d| d.notify = Some(When::Changes)),
    ("every-check", |d| d.notify = Some(When::EveryCheck)),
];

/// What `--audit-signature` may be.
#[rustfmt::skip]
const SIGNATURES: &[Word] = &[
    ("ignore", |d| d.signatures = Some(OwnSignatures::Ignore)),
    ("validate", |d| d.signatures = Some(OwnSignatures::Validate)),
];

/// Keys of an immuclient.toml that an audit has no use for and no flag says.
pub(super) const UNUSED_KEYS: [&str; 7] = [
    "address", "auth", "detached", "logfile", "network", "pidfile", "port",
];

/// The setting of this name.
pub(super) fn find(flag: &str) -> Option<&'static Setting> {
    find_for(flag, None, Persona::Immuclient)
}

/// The setting of this name, as the verb and the place have it: two verbs may mean different things
/// by it.
pub(super) fn find_for(
    flag: &str,
    verb: Option<Name>,
    persona: Persona,
) -> Option<&'static Setting> {
    let known = TABLE.iter().filter(|setting| setting.is_known(persona));
    let mut named = known.filter(|setting| setting.flag == flag);
    let own = |setting: &&Setting| verb.is_some() && setting.verb() == verb;
    named.clone().find(own).or_else(|| named.next())
}
